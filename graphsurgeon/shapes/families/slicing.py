"""Slice and StridedSlice, with masks, and what assigns to slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes import elements
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, ShapeError, Symbol
from graphsurgeon.shapes.fact import Fact, Item, Items
from graphsurgeon.shapes.registry import Result, shape_fn, value_fn


@shape_fn("Slice", "RiscSlice")
def slice_(context: InferenceContext) -> Sequence[Result]:
    """Cut from the positions in the second input as much as the third says; -1 is all that is left."""
    begins, sizes = _spelled(context, 1), _spelled(context, 2)
    rank = _rank(context, begins, sizes)
    if rank is None:
        return [None]
    dims = context.with_rank(0, rank)
    begins, sizes = begins or [None] * rank, sizes or [None] * rank
    return [tuple(map(_cut, dims, begins, sizes))]


@value_fn("Slice")
def slice_value(context: InferenceContext) -> Items | None:
    """Give the elements of the part."""
    known, begins, sizes = elements.static(context.input(0)), context.integers(1), context.integers(2)
    if known is None or begins is None or sizes is None:
        return None
    ranges = [
        range(begin, whole if size == -1 else begin + size)
        for begin, size, whole in zip(begins, sizes, known[1], strict=True)
    ]
    return elements.pick(*known, ranges)


def _spelled(context: InferenceContext, index: int) -> list[Dim] | None:
    items = context.items(index)
    return None if items is None else [item if isinstance(item, int | Symbol) else None for item in items]


def _rank(context: InferenceContext, begins: list[Dim] | None, sizes: list[Dim] | None) -> int | None:
    length = dim.merge_dim(context.with_rank(1, 1)[0], context.with_rank(2, 1)[0])
    if isinstance(length, int):
        return length if length <= dim.MOST_DIMS else None
    dims = context.dims(0)
    return None if dims is None else len(dims)


def _cut(whole: Dim, begin: Dim, size: Dim) -> Dim:
    if size == -1:
        left = dim.subtract(whole, begin)
        if isinstance(left, int) and left < 0:
            raise ShapeError(f"a slice begins at {begin}, outside a dimension of {whole}")
        return left
    if isinstance(size, int) and size < 0:
        raise ShapeError(f"a slice cannot have the size {size}")
    return size


class Axis(NamedTuple):
    """What a strided slice does along one axis of its input."""

    begin: Item
    end: Item
    stride: int | None
    has_begin: bool
    has_end: bool
    is_index: bool


class StridedSlice(NamedTuple):
    """What a strided slice does: one entry per input axis, and for each result axis where it comes from (None: new)."""

    axes: list[Axis]
    sources: list[int | None]


WHOLE = Axis(0, 0, 1, has_begin=False, has_end=False, is_index=False)


@shape_fn("StridedSlice")
def strided_slice(context: InferenceContext) -> Sequence[Result]:
    """Cut from begins to ends by strides (inputs 1 to 3) as the masks in the attributes say."""
    plan = _plan(context)
    dims = context.dims(0)
    if plan is None or dims is None:
        return [None]
    sizes = [_length(axis, whole) for axis, whole in zip(plan.axes, dims, strict=True)]
    return [
        Fact(tuple(1 if source is None else sizes[source] for source in plan.sources), handle=context.input(0).handle)
    ]


@value_fn("StridedSlice")
def strided_slice_value(context: InferenceContext) -> Items | None:
    """Give the elements of the part."""
    known = elements.static(context.input(0))
    plan = _plan(context)
    if known is None or plan is None:
        return None
    ranges = [_range(axis, whole) for axis, whole in zip(plan.axes, known[1], strict=True)]
    chosen = [places for places in ranges if places is not None]
    return elements.pick(*known, chosen) if len(chosen) == len(ranges) else None


@shape_fn("StridedSliceGrad")
def strided_slice_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the first input spells."""
    return [context.shape_of(0)]


@shape_fn("StridedSliceAssign", "TensorStridedSliceUpdate", "ResourceStridedSliceAssign")
def strided_slice_assign(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of what is assigned to."""
    return [context.dims(0)]


def _plan(context: InferenceContext) -> StridedSlice | None:
    """Spread the sparse description over the axes of the input; None if its length or the rank is unknown."""
    dims = context.dims(0)
    length: Dim = None
    for index in (1, 2, 3):
        length = dim.merge_dim(length, context.with_rank(index, 1)[0])
    if dims is None or not isinstance(length, int) or length > dim.MOST_DIMS:
        return None
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    return _spread(len(dims), list(_entries(context, length)), [context.integer_attr(name) for name in names])


def _entries(context: InferenceContext, length: int) -> Iterator[tuple[Item, Item, Item]]:
    columns = [context.items(index) or (None,) * length for index in (1, 2, 3)]
    yield from zip(*columns, strict=True)


def _spread(rank: int, entries: list[tuple[Item, Item, Item]], masks: list[int]) -> StridedSlice:
    begin_mask, end_mask, ellipsis_mask, new_mask, shrink_mask = masks
    if (ellipsis_mask & (ellipsis_mask - 1)) != 0:
        raise ShapeError("a strided slice may have one ellipsis only")
    axes: list[Axis] = []
    sources: list[int | None] = []
    used = _consumed(len(entries), ellipsis_mask, new_mask)
    for place, (begin, end, stride) in enumerate(entries):
        bit = 1 << place
        if ellipsis_mask & bit:
            for _ in range(rank - used):
                sources.append(len(axes))
                axes.append(WHOLE)
        elif new_mask & bit:
            sources.append(None)
        else:
            is_index = bool(shrink_mask & bit)
            if not is_index:
                sources.append(len(axes))
            step = stride if isinstance(stride, int) else None
            axes.append(Axis(begin, end, step, not begin_mask & bit, not end_mask & bit, is_index))
    if len(axes) > rank:
        raise ShapeError(f"a slice of {len(axes)} axes is outside an input of rank {rank}")
    while len(axes) < rank:
        sources.append(len(axes))
        axes.append(WHOLE)
    return StridedSlice(axes, sources)


def _consumed(count: int, ellipsis_mask: int, new_mask: int) -> int:
    """Count the entries that stand for an axis; new axes before the ellipsis and after it do not."""
    return sum(1 for place in range(count) if not (ellipsis_mask | new_mask) & (1 << place))


def _length(axis: Axis, whole: Dim) -> Dim:
    if axis.stride == 0:
        raise ShapeError("a stride must not be zero")
    if axis.is_index:
        _check_index(axis, whole)
        return 1
    if isinstance(whole, int):
        places = _range(axis, whole)
        return None if places is None else len(places)
    if axis.stride in (1, -1) and _reaches_all(axis, whole):
        return whole
    return None


def _check_index(axis: Axis, whole: Dim) -> None:
    if axis.stride is not None and axis.stride < 0:
        raise ShapeError("only stride 1 is allowed where one position is taken")
    if isinstance(whole, int) and isinstance(axis.begin, int) and not -whole <= axis.begin < whole:
        raise ShapeError(f"position {axis.begin} is outside a dimension of {whole}")


def _reaches_all(axis: Axis, whole: Dim) -> bool:
    """Say whether an unknown dimension is taken from one end to the other."""
    if axis.stride == -1:
        return not axis.has_begin and not axis.has_end
    return (not axis.has_begin or axis.begin == 0) and (not axis.has_end or (whole is not None and axis.end == whole))


def _range(axis: Axis, whole: int) -> range | None:
    """Return the positions that a slice takes along an axis of known size; None if they are unknown."""
    if axis.is_index:
        if not isinstance(axis.begin, int):
            return None
        _check_index(axis, whole)
        place = axis.begin % whole
        return range(place, place + 1)
    begin, end = (axis.begin if axis.has_begin else None), (axis.end if axis.has_end else None)
    if axis.stride is None or (axis.has_begin and not isinstance(begin, int)):
        return None
    if axis.has_end and not isinstance(end, int):
        # Whatever it is, a slice that begins behind the end is empty.
        return None
    bounds = slice(begin if isinstance(begin, int) else None, end if isinstance(end, int) else None, axis.stride)
    return range(*bounds.indices(whole))
