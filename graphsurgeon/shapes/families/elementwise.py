"""Ops that work element by element: one operand, two that broadcast, three, and gradients shaped like an operand."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.ops.kinds import BROADCASTING, ELEMENT_BY_ELEMENT
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes import elements
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims, ShapeError
from graphsurgeon.shapes.fact import Fact, Item, Items
from graphsurgeon.shapes.registry import Result, shape_fn, value_fn


@shape_fn(*ELEMENT_BY_ELEMENT)
def unary(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the operand."""
    return [context.dims(0)]


@shape_fn(*BROADCASTING)
def binary(context: InferenceContext) -> Sequence[Result]:
    """Broadcast the two operands."""
    return [dim.broadcast(context.dims(0), context.dims(1))]


@shape_fn("Equal", "NotEqual")
def equal(context: InferenceContext) -> Sequence[Result]:
    """Broadcast the two operands; unless `incompatible_shape_error`, operands that do not broadcast give a scalar."""
    first, second = context.dims(0), context.dims(1)
    if context.attr("incompatible_shape_error") is not False:
        return [dim.broadcast(first, second)]
    if first is None or second is None:
        return [None]
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one != other and one != 1 and other != 1:
            # Numbers that differ give one false; with a number and an unknown dimension it is known when it runs.
            certain = isinstance(one, int) and isinstance(other, int)
            either = isinstance(one, int) or isinstance(other, int)
            if certain or either:
                return [() if certain else None]
    return [dim.broadcast(first, second)]


@shape_fn("SelectV2")
def select_v2(context: InferenceContext) -> Sequence[Result]:
    """Broadcast condition and choices."""
    return [dim.broadcast(dim.broadcast(context.dims(1), context.dims(2)), context.dims(0))]


@shape_fn("Betainc")
def betainc(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that all operands but scalars share."""
    shared: Dims | None = None
    for fact in context.inputs:
        shared = dim.merge(shared, fact.dims) if fact.dims != () else shared
    return [() if all(fact.dims == () for fact in context.inputs) else shared]


@shape_fn(
    "EluGrad", "LeakyReluGrad", "Relu6Grad", "ReluGrad", "SeluGrad", "SoftplusGrad", "SoftsignGrad", "ApproximateEqual",
    "RiscAdd", "RiscBinaryComparison", "RiscDiv", "RiscLogicalAnd", "RiscLogicalOr", "RiscMax", "RiscMin", "RiscMul",
    "RiscPow", "RiscRem", "RiscSub",
)  # fmt: skip
def same_shapes(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that both operands share."""
    return [dim.merge(context.dims(0), context.dims(1))]


@shape_fn("AccumulateNV2")
def accumulate_n(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`."""
    return [context.shape_attr("shape")]


@shape_fn("AddN")
def add_n(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that all operands share."""
    shape: Dims | None = None
    for operand in context.inputs:
        shape = dim.merge(shape, operand.dims)
    return [Fact(shape, handle=context.input(0).handle)]


@shape_fn("Select")
def select(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that both choices share; the condition is a scalar, a vector of rows, or of that shape too."""
    chosen = dim.merge(context.dims(1), context.dims(2))
    condition = context.dims(0)
    if condition is None or condition == () or chosen == ():
        return [chosen]
    if chosen is None:
        return [None if len(condition) == 1 else condition]
    if len(condition) == 1:
        return [(dim.merge_dim(chosen[0], condition[0]), *chosen[1:])]
    return [dim.merge(chosen, condition)]


@shape_fn("RiscCondition")
def risc_condition(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known: the branches are functions of another dialect."""
    return [None] * context.num_outputs


@shape_fn("BroadcastArgs")
def broadcast_args(context: InferenceContext) -> Sequence[Result]:
    """Give a vector as long as the longer of two shapes."""
    first, second = context.with_rank(0, 1)[0], context.with_rank(1, 1)[0]
    if isinstance(first, int) and isinstance(second, int):
        return [(max(first, second),)]
    return [(first if first == second else None,)]


@shape_fn("BroadcastGradientArgs")
def broadcast_gradient_args(context: InferenceContext) -> Sequence[Result]:
    """Give two vectors: the axes along which each operand was repeated."""
    first, second = context.items(0), context.items(1)
    if first is None or second is None:
        return [(None,), (None,)]
    if first == second and None not in first:
        return [Fact((0,), ()), Fact((0,), ())]
    rank = max(len(first), len(second))
    return [_axes_of_one(shape, rank) for shape in (first, second)]


def _axes_of_one(shape: Items, rank: int) -> Result:
    """Return the axes of a shape, filled up to a rank, that have one element."""
    if not all(isinstance(size, int) for size in shape):
        return (None,)
    axes = (*range(rank - len(shape)), *(axis for axis, size in enumerate(shape, rank - len(shape)) if size == 1))
    return Fact((len(axes),), axes)


@shape_fn("Cast", "Bucketize", "CheckNumerics", "CheckNumericsV2", "_HostCast", "RiscBitcast")
def same_shape_other_type(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the operand."""
    return [context.dims(0)]


@shape_fn("Bitcast")
def bitcast(context: InferenceContext) -> Sequence[Result]:
    """Split or join the innermost dimension by the ratio of the element sizes of `T` and `type`."""
    dims, old, new = context.dims(0), context.dtype_attr("T"), context.dtype_attr("type")
    if dims is None or old is None or new is None or not old.bits or not new.bits or old.bits == new.bits:
        return [dims]
    return [_recast(dims, old.itemsize, new.itemsize)]


def _recast(dims: Dims, old: int, new: int) -> Dims:
    if old >= new:
        return dims if old == new else (*dims, old // new)
    if not dims:
        raise ShapeError("a scalar cannot become elements of a larger type")
    dim.merge_dim(dims[-1], new // old)
    return dims[:-1]


@shape_fn("L2Loss")
def l2_loss(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar."""
    return [()]


@value_fn(*elements.UNARY)
def unary_value(context: InferenceContext) -> Items | None:
    """Compute with each element that is a number."""
    items, compute = context.items(0), elements.UNARY[context.node.op]
    if items is None:
        return None
    dtype = context.dtype_attr("T")
    return tuple(elements.rounded(compute(item), dtype) if isinstance(item, int | float) else None for item in items)


@value_fn(*elements.BINARY)
def binary_value(context: InferenceContext) -> Items | None:
    """Compute with the elements of both operands."""
    first, second = elements.static(context.input(0)), elements.static(context.input(1))
    if first is None or second is None:
        return None
    target = dim.broadcast(first[1], second[1]) or ()
    sizes = [size for size in target if isinstance(size, int)]
    compute, dtype = elements.BINARY[context.node.op], context.dtype_attr("T")
    pairs = zip(elements.stretch(*first, sizes), elements.stretch(*second, sizes), strict=True)
    return tuple(elements.rounded(compute(a, b), dtype) for a, b in pairs)


@value_fn("Cast")
def cast_value(context: InferenceContext) -> Items | None:
    """Convert each element to `DstT`."""
    items, dtype = context.items(0), context.dtype_attr("DstT")
    if items is None or dtype is None:
        return None
    if dtype.is_integer:
        return tuple(elements.rounded(int(i), dtype) if isinstance(i, int | float) else i for i in items)
    if dtype.name == "bool":
        return tuple(bool(i) if isinstance(i, int | float) else None for i in items)
    return tuple(elements.rounded(float(i), dtype) if isinstance(i, int | float) else None for i in items)


@value_fn("Select", "SelectV2")
def select_value(context: InferenceContext) -> Items | None:
    """Choose elements where the condition is known; where it is not, both choices must agree."""
    known = [elements.static(context.input(index)) for index in range(3)]
    shapes = [part[1] for part in known if part is not None]
    if len(shapes) < 3 or (context.node.op == "Select" and len(shapes[0]) != len(shapes[1])):
        return None
    target = dim.broadcast(dim.broadcast(shapes[0], shapes[1]), shapes[2]) or ()
    sizes = [size for size in target if isinstance(size, int)]
    columns = [elements.stretch(*part, sizes) for part in known if part is not None]
    return tuple(map(_chosen, *columns))


def _chosen(condition: Item, then: Item, otherwise: Item) -> Item:
    if isinstance(condition, bool | int):
        return then if condition else otherwise
    return then if then == otherwise else None
