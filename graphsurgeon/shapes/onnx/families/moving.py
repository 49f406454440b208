"""Ops that give the same elements in another shape, joined, cut or repeated."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.dtype import FLOAT32, INT64, DType
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.dims import MOST_DIMS, Dim, Dims, ShapeError, Symbol
from graphsurgeon.shapes.fact import Fact, Item
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.onnx.registry import shape_fn


@shape_fn("Shape")
def shape(context: OnnxContext) -> Sequence[Fact]:
    """Give the dimensions from `start` to `end`, as a vector."""
    dims = context.dims(0)
    if dims is None:
        return [Fact((None,), dtype=INT64)]
    chosen = shown_dims(context, dims)
    return [Fact((len(chosen),), tuple(chosen), dtype=INT64)]


def shown_dims(context: OnnxContext, dims: Dims) -> Dims:
    """Return the dimensions that a Shape node gives; places outside are moved to the ends."""
    rank = len(dims)
    start, end = context.integer_attr("start"), context.integer_attr("end", rank)
    start = min(max(start + rank if start < 0 else start, 0), rank)
    end = min(max(end + rank if end < 0 else end, 0), rank)
    return dims[start : max(start, end)]


@shape_fn("Size")
def size(context: OnnxContext) -> Sequence[Fact]:
    """Give the number of elements."""
    dims = context.dims(0)
    count = None if dims is None else dim.product(dims)
    return [Fact((), (count,), dtype=INT64)]


@shape_fn("Reshape")
def reshape(context: OnnxContext) -> Sequence[Fact]:
    """Give the shape that is asked for: 0 is the dimension as it was, -1 what is left."""
    dtype = context.dtype(0)
    wanted: Sequence[Item] | None
    if context.has(1):
        wanted, length = context.items(1), context.with_rank(1, 1)[0]
    else:
        wanted = context.integers_attr("shape") if context.attr("shape") is not None else None
        length = None if wanted is None else len(wanted)
    if wanted is None:
        known = isinstance(length, int) and length <= MOST_DIMS
        return [Fact(dim.unknown(length) if known and isinstance(length, int) else None, dtype=dtype)]
    dims = context.dims(0)
    return [Fact(_reshaped(dims, wanted, copies_zero=not context.integer_attr("allowzero")), dtype=dtype)]


def _reshaped(dims: Dims | None, wanted: Sequence[Item], *, copies_zero: bool) -> Dims:
    found: list[Dim] = []
    for axis, item in enumerate(wanted):
        if item == 0 and copies_zero:
            if dims is not None and axis >= len(dims):
                raise ShapeError(f"dimension {axis} is to be copied from shape {dim.show(dims)}")
            found.append(dims[axis] if dims is not None else None)
        else:
            found.append(item if isinstance(item, int | Symbol) and item != -1 else None)
    rests = [axis for axis, item in enumerate(wanted) if item == -1]
    if len(rests) > 1:
        raise ShapeError("more than one dimension is to be what is left")
    if rests and dims is not None:
        others = dim.product(size for axis, size in enumerate(found) if axis != rests[0])
        total = dim.product(dims)
        found[rests[0]] = dim.divide(total, others)
        if found[rests[0]] is None and isinstance(total, int) and isinstance(others, int) and others:
            raise ShapeError(f"{total} elements cannot be given the shape {list(wanted)}")
    elif dims is not None:
        before, after = dim.size(dims), dim.size(tuple(found))
        if before is not None and after is not None and before != after:
            raise ShapeError(f"{before} elements cannot be given the shape {list(wanted)}")
    return tuple(found)


@shape_fn("Flatten")
def flatten(context: OnnxContext) -> Sequence[Fact]:
    """Make a matrix of the dimensions before and behind an axis."""
    dims = context.dims(0)
    if dims is None:
        return [Fact((None, None), dtype=context.dtype(0))]
    axis = context.integer_attr("axis", 1)
    axis = axis + len(dims) if axis < 0 else axis
    if not 0 <= axis <= len(dims):
        raise ShapeError(f"axis {axis} is outside a shape of rank {len(dims)}")
    return [Fact((dim.product(dims[:axis]), dim.product(dims[axis:])), dtype=context.dtype(0))]


@shape_fn("Squeeze")
def squeeze(context: OnnxContext) -> Sequence[Fact]:
    """Take out dimensions of 1: those named, else all of them."""
    dims, axes = context.dims(0), context.ints(1, "axes")
    dtype = context.dtype(0)
    if dims is None:
        return [Fact(dtype=dtype)]
    if context.leaves_out(1, "axes"):
        known = all(isinstance(size, int) for size in dims)
        return [Fact(tuple(size for size in dims if size != 1) if known else None, dtype=dtype)]
    if axes is None:
        return [Fact(dtype=dtype)]
    gone = set(dim.normal_axes(axes, len(dims)))
    wrong = [axis for axis in gone if isinstance(dims[axis], int) and dims[axis] != 1]
    if wrong:
        raise ShapeError(f"dimension {wrong[0]} of {dim.show(dims)} is not 1")
    return [Fact(tuple(size for axis, size in enumerate(dims) if axis not in gone), dtype=dtype)]


@shape_fn("Unsqueeze")
def unsqueeze(context: OnnxContext) -> Sequence[Fact]:
    """Put dimensions of 1 at the places that axes will have in the result."""
    dims, axes = context.dims(0), context.ints(1, "axes")
    if dims is None or axes is None:
        return [Fact(dtype=context.dtype(0))]
    rank = len(dims) + len(axes)
    new = set(dim.normal_axes(axes, rank))
    if len(new) != len(axes):
        raise ShapeError(f"axes {axes} repeat")
    rest = iter(dims)
    return [Fact(tuple(1 if axis in new else next(rest) for axis in range(rank)), dtype=context.dtype(0))]


@shape_fn("Transpose")
def transpose(context: OnnxContext) -> Sequence[Fact]:
    """Exchange dimensions; without an order all are turned round."""
    dims = context.dims(0)
    order = context.integers_attr("perm")
    if dims is None:
        return [Fact(dim.unknown(len(order)) if order else None, dtype=context.dtype(0))]
    order = order or list(reversed(range(len(dims))))
    if sorted(order) != list(range(len(dims))):
        raise ShapeError(f"order {order} for a shape of rank {len(dims)}")
    return [Fact(tuple(dims[axis] for axis in order), dtype=context.dtype(0))]


@shape_fn("Concat")
def concat(context: OnnxContext) -> Sequence[Fact]:
    """Join along an axis; the other dimensions are the same."""
    shapes = [fact.dims for fact in context.inputs]
    rank = next((len(dims) for dims in shapes if dims is not None), None)
    if rank is None:
        return [Fact(dtype=context.dtype(0))]
    axis = dim.normal_axis(context.integer_attr("axis", 1), rank)
    merged: Dims | None = dim.unknown(rank)
    total: Dim = 0
    for dims in shapes:
        known = dim.unknown(rank) if dims is None else dims
        if len(known) != rank:
            raise ShapeError(f"shapes {dim.show(dims)} and {dim.show(merged)} are joined")
        merged = dim.merge(merged, dim.replace(known, axis, None))
        total = dim.add(total, known[axis])
    assert merged is not None
    return [Fact(dim.replace(merged, axis, total), dtype=context.dtype(0))]


@shape_fn("Split")
def split(context: OnnxContext) -> Sequence[Fact]:
    """Cut along an axis: into the lengths given, else into equal parts, of which the last may be smaller."""
    dims, lengths = context.dims(0), context.ints(1, "split")
    dtype = context.dtype(0)
    if dims is None:
        return context.outputs_like(None, dtype)
    axis = dim.normal_axis(context.integer_attr("axis"), len(dims))
    parts: Sequence[Dim]
    if lengths is not None:
        parts = lengths
    elif context.has(1):
        parts = [None] * context.num_outputs
    else:
        parts = _equal_parts(dims[axis], context.num_outputs)
    if len(parts) != context.num_outputs:
        raise ShapeError(f"{len(parts)} parts for {context.num_outputs} outputs")
    return [Fact(dim.replace(dims, axis, part), dtype=dtype) for part in parts]


def _equal_parts(size: Dim, count: int) -> list[Dim]:
    if not isinstance(size, int):
        return [dim.divide(size, count)] * count
    part = -(-size // count)
    return [*[part] * (count - 1), size - part * (count - 1)]


@shape_fn("Expand")
def expand(context: OnnxContext) -> Sequence[Fact]:
    """Broadcast to a shape."""
    wanted = context.shape_of(1) if context.dims(1) != () else None
    return [Fact(dim.broadcast(context.dims(0), wanted), dtype=context.dtype(0))]


@shape_fn("Tile")
def tile(context: OnnxContext) -> Sequence[Fact]:
    """Repeat along each axis; the first version along one."""
    dims = context.dims(0)
    if dims is None:
        return [Fact(dtype=context.dtype(0))]
    repeats = context.items(1)
    if context.version == 1 or repeats is None or len(repeats) != len(dims):
        return [Fact(dim.unknown(len(dims)), dtype=context.dtype(0))]
    times = [item if isinstance(item, int | Symbol) else None for item in repeats]
    return [Fact(tuple(map(dim.multiply, dims, times)), dtype=context.dtype(0))]


@shape_fn("Pad")
def pad(context: OnnxContext) -> Sequence[Fact]:
    """Add before and behind each axis."""
    dims = context.dims(0)
    pads = context.ints(1, "pads" if context.attr("pads") is not None else "paddings")
    if dims is None:
        return [Fact(dtype=context.dtype(0))]
    axes: Sequence[int] | None = range(len(dims))
    if context.has(3):
        given = context.integers(3)
        axes = None if given is None else dim.normal_axes(given, len(dims))
    if pads is None or axes is None:
        return [Fact(dim.unknown(len(dims)), dtype=context.dtype(0))]
    if len(pads) != 2 * len(axes):
        raise ShapeError(f"{len(pads)} pads for {len(axes)} axes")
    padded = list(dims)
    for number, axis in enumerate(axes):
        padded[axis] = dim.add(dims[axis], pads[number] + pads[number + len(axes)])
    return [Fact(tuple(padded), dtype=context.dtype(0))]


@shape_fn("ConstantOfShape")
def constant_of_shape(context: OnnxContext) -> Sequence[Fact]:
    """Give a shape filled with one value, by default zero."""
    value = context.attr("value")
    dtype: DType = value.dtype if isinstance(value, Tensor) else FLOAT32
    return [Fact(context.shape_of(0), dtype=dtype)]


@shape_fn("Range")
def range_(context: OnnxContext) -> Sequence[Fact]:
    """Count from start to limit by steps."""
    start, limit, step = (context.input(index).items for index in range(3))
    if not start or not limit or not step:
        return [Fact((None,), dtype=context.dtype(0))]
    numbers = [items[0] for items in (start, limit, step)]
    if numbers[0] == 0 and numbers[2] == 1 and isinstance(numbers[1], Symbol):
        return [Fact((numbers[1],), dtype=context.dtype(0))]
    first, last, by = (item if isinstance(item, int) else None for item in numbers)
    if first is None or last is None or not by:
        return [Fact((None,), dtype=context.dtype(0))]
    return [Fact((max(0, -(-(last - first) // by)),), dtype=context.dtype(0))]


@shape_fn("Resize", "Upsample")
def resize(context: OnnxContext) -> Sequence[Fact]:
    """Scale an image, by factors or to sizes."""
    dims, dtype = context.dims(0), context.dtype(0)
    if dims is None:
        return [Fact(dtype=dtype)]
    has_axes = context.attr("axes") is not None
    if has_axes or context.text_attr("keep_aspect_ratio_policy", "stretch") != "stretch":
        return [Fact(dim.unknown(len(dims)), dtype=dtype)]
    if context.has(3) and context.dims(3) != (0,):
        sizes = context.shape_of(3)
        return [Fact(sizes if sizes is not None and len(sizes) == len(dims) else dim.unknown(len(dims)), dtype=dtype)]
    scales = _scales(context)
    if scales is None or len(scales) != len(dims):
        return [Fact(dim.unknown(len(dims)), dtype=dtype)]
    return [Fact(tuple(map(_scaled, dims, scales)), dtype=dtype)]


def _scales(context: OnnxContext) -> list[float] | None:
    stored = context.attr("scales")
    if isinstance(stored, list):
        return [item for item in stored if isinstance(item, int | float)]
    place = 1 if context.node.op == "Upsample" or context.version < 11 else 2
    items = context.items(place)
    numbers = [item for item in items or () if isinstance(item, int | float)]
    return numbers if items is not None and len(numbers) == len(items) else None


def _scaled(size: Dim, scale: float) -> Dim:
    if scale == 1:
        return size
    return int(size * scale) if isinstance(size, int) else None
