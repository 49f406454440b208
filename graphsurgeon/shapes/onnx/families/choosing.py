"""Ops that take parts out: by index, by slices, by rank or by a condition."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.dtype import INT64
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.onnx.registry import shape_fn


@shape_fn("Gather")
def gather(context: OnnxContext) -> Sequence[Fact]:
    """Put the shape of the indices in the place of an axis."""
    dims, indices = context.dims(0), context.dims(1)
    if dims is None or indices is None:
        return [Fact(dtype=context.dtype(0))]
    axis = dim.normal_axis(context.integer_attr("axis"), len(dims))
    return [Fact(dims[:axis] + indices + dims[axis + 1 :], dtype=context.dtype(0))]


@shape_fn("GatherElements")
def gather_elements(context: OnnxContext) -> Sequence[Fact]:
    """Give the shape of the indices."""
    return [Fact(context.dims(1), dtype=context.dtype(0))]


@shape_fn("GatherND")
def gather_nd(context: OnnxContext) -> Sequence[Fact]:
    """Put what the last dimension of the indices does not reach behind the others of them."""
    dims, indices = context.dims(0), context.dims(1)
    if dims is None or not indices or not isinstance(indices[-1], int):
        return [Fact(dtype=context.dtype(0))]
    reached = context.integer_attr("batch_dims") + indices[-1]
    if reached > len(dims):
        raise ShapeError(f"indices {dim.show(indices)} into shape {dim.show(dims)}")
    return [Fact(indices[:-1] + dims[reached:], dtype=context.dtype(0))]


@shape_fn("Slice")
def cut(context: OnnxContext) -> Sequence[Fact]:
    """Cut along axes, from start to end by steps; places outside are moved to the ends."""
    dims, dtype = context.dims(0), context.dtype(0)
    if dims is None:
        return [Fact(dtype=dtype)]
    ranges = slices(context, len(dims))
    if ranges is None:
        axes = context.ints(3, "axes")
        open_axes = range(len(dims)) if axes is None else dim.normal_axes(axes, len(dims))
        return [Fact(tuple(None if axis in open_axes else size for axis, size in enumerate(dims)), dtype=dtype)]
    found = list(dims)
    for axis, (start, end, step) in ranges.items():
        found[axis] = _length(dims[axis], start, end, step)
    return [Fact(tuple(found), dtype=dtype)]


def slices(context: OnnxContext, rank: int) -> dict[int, tuple[int, int, int]] | None:
    """Return axis -> start, end and step of a Slice node, None unless all are known.

    Raises:
        ShapeError: they do not fit each other, or a step is zero.
    """
    starts, ends = context.ints(1, "starts"), context.ints(2, "ends")
    axes = None if context.leaves_out(3, "axes") else context.ints(3, "axes")
    if starts is None or ends is None or (axes is None and not context.leaves_out(3, "axes")):
        return None
    steps = context.integers(4) if context.has(4) else [1] * len(starts)
    if steps is None:
        return None
    axes = list(range(len(starts))) if axes is None else axes
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise ShapeError(f"starts {starts}, ends {ends}, axes {axes} and steps {steps}")
    return dict(zip(dim.normal_axes(axes, rank), zip(starts, ends, steps, strict=True), strict=True))


def _length(size: Dim, start: int, end: int, step: int) -> Dim:
    if isinstance(size, int):
        return len(range(*slice(start, end, step).indices(size))) if step > 0 else _backwards(size, start, end, step)
    whole = start == 0 and end >= (1 << 31) - 1
    return size if whole and step == 1 else None


def _backwards(size: int, start: int, end: int, step: int) -> int:
    """Count backwards: an end before the beginning, however far, takes the first element along."""
    start = min(max(start + size if start < 0 else start, -1), size - 1)
    end = max(end + size if end < 0 else end, -1)
    return len(range(start, min(end, size - 1), step))


@shape_fn("TopK")
def top_k(context: OnnxContext) -> Sequence[Fact]:
    """Give the largest along an axis, and where they stood."""
    dims = context.dims(0)
    if dims is None:
        return [Fact(dtype=context.dtype(0)), Fact(dtype=INT64)]
    axis = dim.normal_axis(context.integer_attr("axis", -1), len(dims))
    count: Dim = context.number(1) if context.has(1) else context.integer_attr("k", -1)
    found = dim.replace(dims, axis, None if count == -1 else count)
    return [Fact(found, dtype=context.dtype(0)), Fact(found, dtype=INT64)]


@shape_fn("ArgMax", "ArgMin")
def arg(context: OnnxContext) -> Sequence[Fact]:
    """Give the place of the largest along an axis."""
    dims = context.dims(0)
    if dims is None:
        return [Fact(dtype=INT64)]
    axis = dim.normal_axis(context.integer_attr("axis"), len(dims))
    kept = context.integer_attr("keepdims", 1)
    return [Fact(dims[:axis] + ((1,) if kept else ()) + dims[axis + 1 :], dtype=INT64)]


@shape_fn("OneHot")
def one_hot(context: OnnxContext) -> Sequence[Fact]:
    """Put a dimension of the depth at an axis."""
    dims = context.dims(0)
    if dims is None:
        return [Fact(dtype=context.dtype(2))]
    axis = dim.normal_axis(context.integer_attr("axis", -1), len(dims) + 1)
    depth = context.number(1)
    return [Fact((*dims[:axis], depth, *dims[axis:]), dtype=context.dtype(2))]


@shape_fn("NonZero")
def non_zero(context: OnnxContext) -> Sequence[Fact]:
    """Give a row of places for each dimension."""
    dims = context.dims(0)
    return [Fact((None if dims is None else len(dims), None), dtype=INT64)]


@shape_fn("Compress")
def compress(context: OnnxContext) -> Sequence[Fact]:
    """Give the parts for which a condition holds: along an axis, else of all elements."""
    dims = context.dims(0)
    if context.attr("axis") is None:
        return [Fact((None,), dtype=context.dtype(0))]
    found: Dims | None = None
    if dims is not None:
        found = dim.replace(dims, dim.normal_axis(context.integer_attr("axis"), len(dims)), None)
    return [Fact(found, dtype=context.dtype(0))]


@shape_fn("Unique")
def unique(context: OnnxContext) -> Sequence[Fact]:
    """Give what occurs, and three vectors of places and counts."""
    first = compress(context)[0]
    return [first, *(Fact((None,), dtype=INT64) for _ in range(3))]
