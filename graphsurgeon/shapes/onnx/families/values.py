"""Elements of small results: what shapes are computed from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes import elements
from graphsurgeon.shapes.fact import Fact, Item, Items
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.onnx.families.choosing import slices
from graphsurgeon.shapes.onnx.families.moving import shown_dims
from graphsurgeon.shapes.onnx.families.reducing import reduced_axes
from graphsurgeon.shapes.onnx.registry import value_fn

_BINARY = {
    "Add": "Add", "Sub": "Sub", "Mul": "Mul", "Div": "Div", "Equal": "Equal", "Greater": "Greater", "Less": "Less",
    "GreaterOrEqual": "GreaterEqual", "LessOrEqual": "LessEqual", "And": "LogicalAnd", "Or": "LogicalOr",
    "Max": "Maximum", "Min": "Minimum",
}  # fmt: skip


@value_fn("Shape")
def shape(context: OnnxContext) -> Items | None:
    """Give the dimensions."""
    dims = context.dims(0)
    return None if dims is None else tuple(shown_dims(context, dims))


@value_fn("Size")
def size(context: OnnxContext) -> Items | None:
    """Give the number of elements."""
    dims = context.dims(0)
    return None if dims is None else (dim.product(dims),)


@value_fn("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten")
def same(context: OnnxContext) -> Items | None:
    """Give the elements as they are."""
    return context.items(0)


@value_fn("Cast")
def cast(context: OnnxContext) -> Items | None:
    """Give integers as integers; what would be rounded stays unknown."""
    dtype, before = context.dtype_attr("to"), context.dtype(0)
    items = context.items(0)
    if items is None or dtype is None or before is None or not (dtype.is_integer and before.is_integer):
        return None
    return tuple(elements.rounded(item, dtype) for item in items)


@value_fn(*_BINARY)
def binary(context: OnnxContext) -> Items | None:
    """Compute with two operands that broadcast; integers divide towards zero."""
    dtype = context.dtype(0)
    if dtype is None or not dtype.is_integer or len(context.inputs) != 2 or context.version < 7:
        return None
    first, second = elements.static(context.input(0)), elements.static(context.input(1))
    target = dim.broadcast(context.dims(0), context.dims(1))
    if first is None or second is None or target is None:
        return None
    dims = [d for d in target if isinstance(d, int)]
    compute = elements.BINARY[_BINARY[context.node.op]]
    pairs = zip(elements.stretch(*first, dims), elements.stretch(*second, dims), strict=True)
    return tuple(elements.rounded(compute(one, other), dtype) for one, other in pairs)


@value_fn("Neg", "Abs")
def unary(context: OnnxContext) -> Items | None:
    """Compute with integers."""
    items, dtype = context.items(0), context.dtype(0)
    if items is None or dtype is None or not dtype.is_integer:
        return None
    compute: Callable[[float], Item] = elements.UNARY[context.node.op]
    return tuple(compute(item) if isinstance(item, int) else None for item in items)


@value_fn("Where")
def where(context: OnnxContext) -> Items | None:
    """Choose where the condition is known."""
    parts = [elements.static(context.input(index)) for index in range(3)]
    if None in parts:
        return None
    known = [part for part in parts if part is not None]
    target = dim.broadcast(dim.broadcast(known[0][1], known[1][1]), known[2][1])
    dims = [d for d in target or () if isinstance(d, int)]
    rows = zip(*(elements.stretch(*part, dims) for part in known), strict=True)
    return tuple(None if not isinstance(test, bool) else one if test else other for test, one, other in rows)


@value_fn("Concat")
def concat(context: OnnxContext) -> Items | None:
    """Join."""
    parts = [_static(fact) for fact in context.inputs]
    known = [part for part in parts if part is not None]
    if len(known) != len(parts) or not known:
        return None
    axis = dim.normal_axis(context.integer_attr("axis", 1), len(known[0][1]))
    return elements.concat(known, axis)


def _static(fact: Fact) -> tuple[Items, tuple[int, ...]] | None:
    """Return elements and shape; elements that are not known at all are None, so that others are not lost."""
    found = elements.static(fact)
    count = dim.size(fact.dims)
    if found is None and fact.dims is not None and count is not None and count <= 64:
        return (None,) * count, tuple(d for d in fact.dims if isinstance(d, int))
    return found


@value_fn("Gather")
def gather(context: OnnxContext) -> Items | None:
    """Take by known indices."""
    source, indices = elements.static(context.input(0)), context.integers(1)
    if source is None or indices is None:
        return None
    items, dims = source
    axis = dim.normal_axis(context.integer_attr("axis"), len(dims))
    chosen = dim.normal_axes(indices, dims[axis])
    return elements.take(items, dims, axis, chosen)


@value_fn("Slice")
def cut(context: OnnxContext) -> Items | None:
    """Cut forwards."""
    source = elements.static(context.input(0))
    if source is None:
        return None
    items, dims = source
    found = slices(context, len(dims))
    if found is None or any(step < 0 for _, _, step in found.values()):
        return None
    ranges: list[Sequence[int]] = [range(size) for size in dims]
    for axis, (start, end, step) in found.items():
        ranges[axis] = range(*slice(start, end, step).indices(dims[axis]))
    return elements.pick(items, dims, ranges)


@value_fn("Transpose")
def transpose(context: OnnxContext) -> Items | None:
    """Exchange dimensions."""
    source = elements.static(context.input(0))
    if source is None:
        return None
    order = context.integers_attr("perm") or list(reversed(range(len(source[1]))))
    return elements.permute(*source, order)


@value_fn("ConstantOfShape")
def constant_of_shape(context: OnnxContext) -> Items | None:
    """Repeat the value."""
    value, count = context.attr("value"), dim.size(context.shape_of(0))
    items = value.items() if isinstance(value, Tensor) else [0.0]
    return tuple(items[:1]) * count if count is not None and len(items) == 1 else None


@value_fn("Expand")
def expand(context: OnnxContext) -> Items | None:
    """Broadcast."""
    source = elements.static(context.input(0))
    target = dim.broadcast(context.dims(0), context.shape_of(1))
    if source is None or target is None:
        return None
    return elements.stretch(*source, [d for d in target if isinstance(d, int)])


@value_fn("Range")
def range_(context: OnnxContext) -> Items | None:
    """Count."""
    ends = [context.integer(index) for index in range(3)]
    if None in ends or not ends[2]:
        return None
    return tuple(range(*(end for end in ends if end is not None)))


@value_fn("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin")
def reduce(context: OnnxContext) -> Items | None:
    """Combine along axes."""
    source, axes, dtype = elements.static(context.input(0)), reduced_axes(context), context.dtype(0)
    if source is None or axes is None or dtype is None or not dtype.is_integer:
        return None
    if not axes and context.integer_attr("noop_with_empty_axes"):
        return source[0]
    chosen = dim.normal_axes(axes, len(source[1])) if axes else range(len(source[1]))
    start, combine = elements.COMBINE[context.node.op.removeprefix("Reduce")]
    return elements.reduce(*source, chosen, start, combine)
