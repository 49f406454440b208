"""Ops that make, pass on and ask about arrays: constants, placeholders, identities, Shape, Fill, Where, Unique."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.fact import Fact, Items
from graphsurgeon.shapes.registry import Result, shape_fn, value_fn

SCALAR_PLACEHOLDERS_SINCE = 22  # graph version before which a scalar shape of a Placeholder stands for none


@shape_fn("Const", "HostConst", "_EagerConst")
def const(context: InferenceContext) -> Sequence[Result]:
    """Give shape and elements of the tensor in `value`."""
    value = context.attr("value")
    if isinstance(value, Tensor):
        return [Fact(value.shape.dims, value)]
    return [context.dims(0)]


@shape_fn("ImmutableConst", "PlaceholderV2", "FakeParam", "_ParallelConcatStart", "_ScopedAllocatorConcat")
def shape_from_attr(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`."""
    return [context.shape_attr("shape")]


@shape_fn("ParallelConcat")
def parallel_concat(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`: the inputs, each of one row, one above the other."""
    shape = context.shape_attr("shape")
    if shape is None or not dim.is_static(shape):
        raise ShapeError("shape must be fully known")
    return [shape]


@shape_fn("Placeholder")
def placeholder(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`; graphs before version 22 wrote a scalar where they meant nothing."""
    shape = context.shape_attr("shape")
    producer = context.node.graph.metagraph.producer
    is_old = "graph_version" in producer and (producer["graph_version"] or 0) < SCALAR_PLACEHOLDERS_SINCE
    return [None if shape == () and is_old else shape]


@shape_fn("PlaceholderWithDefault")
def placeholder_with_default(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`, which the default must fit."""
    shape = context.shape_attr("shape")
    dim.merge(shape, context.dims(0))
    return [shape]


@shape_fn(
    "Identity", "RefIdentity", "Snapshot", "StopGradient", "PreventGradient", "GuaranteeConst", "Copy", "CopyHost",
    "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "DebugGradientIdentity", "DebugGradientRefIdentity",
    "DeepCopy", "CheckPinned", "_Retval", "_DeviceRetval", "SleepIdentityOp",
)  # fmt: skip
def identity(context: InferenceContext) -> Sequence[Result]:
    """Give what is known of the input."""
    return [context.input(0)]


@shape_fn("IdentityN", "TPUReplicatedOutput", "XlaOptimizationBarrier")
def identity_n(context: InferenceContext) -> Sequence[Result]:
    """Give what is known of each input; of the only one for every output, where there is one."""
    if len(context.inputs) == 1:
        return [context.input(0)] * context.num_outputs
    return list(context.inputs)


@shape_fn("EnsureShape")
def ensure_shape(context: InferenceContext) -> Sequence[Result]:
    """Give what input and `shape` together say."""
    return [context.input(0).with_dims(dim.merge(context.dims(0), context.shape_attr("shape")))]


@shape_fn("_Arg", "_DeviceArg")
def argument(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape` or the first of `_output_shapes`; a resource is a scalar."""
    dtype = context.dtype_attr("T")
    if dtype is not None and dtype.name == "resource":
        return [()]
    return [context.shape_attr("shape")]


@shape_fn("Shape")
def shape(context: InferenceContext) -> Sequence[Result]:
    """Give a vector as long as the rank of the input."""
    dims = context.dims(0)
    return [(None,) if dims is None else Fact((len(dims),), dims)]


@shape_fn("ShapeN")
def shape_n(context: InferenceContext) -> Sequence[Result]:
    """Give for each input a vector as long as its rank."""
    return [(None,) if fact.dims is None else Fact((len(fact.dims),), fact.dims) for fact in context.inputs]


@shape_fn("Size")
def size(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar, the number of elements."""
    dims = context.dims(0)
    return [() if dims is None else Fact((), (dim.product(dims),))]


@shape_fn("Rank")
def rank(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar, the rank of the input."""
    dims = context.dims(0)
    return [() if dims is None else Fact((), (len(dims),))]


@shape_fn("Fill", "Empty")
def fill(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the first input spells."""
    return [context.vector_of(0)]


@value_fn("Fill")
def fill_value(context: InferenceContext) -> Items | None:
    """Repeat the second input."""
    items, count = context.items(1), dim.size(context.shape_of(0))
    return None if items is None or count is None else items[:1] * count


@value_fn("ZerosLike")
def zeros(context: InferenceContext) -> Items | None:
    """Give zeros."""
    return (0,) * (dim.size(context.dims(0)) or 0)


@value_fn("OnesLike")
def ones(context: InferenceContext) -> Items | None:
    """Give ones."""
    return (1,) * (dim.size(context.dims(0)) or 0)


@shape_fn("BroadcastTo")
def broadcast_to(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the second input spells, which the first must fit."""
    target, dims = context.shape_of(1), context.dims(0)
    if target is None or dims is None:
        return [target]
    if len(dims) > len(target):
        raise ShapeError(f"shape {dim.show(dims)} cannot become {dim.show(target)}")
    fitting = dim.broadcast(dims, target)
    return [target if context.items(1) is not None else fitting]


@shape_fn("OneHot")
def one_hot(context: InferenceContext) -> Sequence[Result]:
    """Insert a dimension of `depth` elements (second input) at `axis`, last if -1."""
    axis = context.integer_attr("axis", -1)
    indices = context.dims(0)
    if axis < -1:
        raise ShapeError(f"axis must be -1 or more, found {axis}")
    depth = context.number(1)
    if isinstance(depth, int) and depth < 0:
        raise ShapeError(f"depth must not be negative, found {depth}")
    if indices is None:
        return [None]
    place = len(indices) if axis == -1 else min(axis, len(indices))  # a larger one is refused only when it runs
    return [(*indices[:place], depth, *indices[place:])]


@shape_fn("Where")
def where(context: InferenceContext) -> Sequence[Result]:
    """Give one row of coordinates per true element."""
    dims = context.dims(0)
    return [(None, None if dims is None else len(dims))]


@shape_fn("Unique", "UniqueWithCounts")
def unique(context: InferenceContext) -> Sequence[Result]:
    """Give the distinct elements, for each element its place among them, and how often each occurs."""
    return [(None,), context.dims(0), (None,)][: context.num_outputs]


@shape_fn("UniqueV2", "UniqueWithCountsV2")
def unique_along_axis(context: InferenceContext) -> Sequence[Result]:
    """Give the distinct slices along the axis in the second input (empty: elements), and the place of each."""
    dims, axes = context.dims(0), context.integers(1)
    distinct: Dims | None = None
    places: Dim = None
    if axes is None:
        distinct = None if dims is None else dim.unknown(len(dims))
    elif not axes:
        distinct, places = (None,), (None if dims is None else dim.product(dims))
    elif dims is not None:
        axis = dim.normal_axis(axes[0], len(dims))
        distinct, places = dim.replace(dims, axis, None), dims[axis]
    return [distinct, (places,), (None,)][: context.num_outputs]


@shape_fn("ListDiff")
def list_diff(context: InferenceContext) -> Sequence[Result]:
    """Give what is in one list and not in the other, and where it was."""
    return [(None,), (None,)]


@shape_fn("InvertPermutation")
def invert_permutation(context: InferenceContext) -> Sequence[Result]:
    """Give a vector of the same length."""
    return [context.with_rank(0, 1)]


@value_fn("InvertPermutation")
def invert_permutation_value(context: InferenceContext) -> Items | None:
    """Give for each place what is put there."""
    order = context.integers(0)
    if order is None or sorted(order) != list(range(len(order))):
        return None
    return tuple(order.index(place) for place in range(len(order)))


@shape_fn("Range")
def range_(context: InferenceContext) -> Sequence[Result]:
    """Give as many elements as steps of the third input lead from the first to the second."""
    start, limit, delta = (_single(context, index) for index in range(3))
    if start == 0 and delta == 1 and isinstance(start, int):
        length = context.number(1)
        if not isinstance(length, int):
            return [(length,)]
    if start is None or limit is None or delta is None:
        return [(None,)]
    return [(_steps(start, limit, delta),)]


@value_fn("Range")
def range_value(context: InferenceContext) -> Items | None:
    """Give the integers of the range."""
    bounds = [context.integer(index) for index in range(3)]
    if bounds[0] is None or bounds[1] is None or not bounds[2]:
        return None
    return tuple(range(bounds[0], bounds[1], bounds[2]))


def _single(context: InferenceContext, index: int) -> int | float | None:
    items = context.items(index)
    context.with_rank(index, 0)
    return items[0] if items and isinstance(items[0], int | float) else None


def _steps(start: int | float, limit: int | float, delta: int | float) -> int:
    if delta == 0 or (limit - start) * delta < 0:
        raise ShapeError(f"no steps of {delta} lead from {start} to {limit}")
    if all(isinstance(number, int) for number in (start, limit, delta)):
        return int(-((start - limit) // delta))
    quotient = (limit - start) / delta
    return int(quotient) + (int(quotient) != quotient)


@shape_fn("LinSpace")
def lin_space(context: InferenceContext) -> Sequence[Result]:
    """Give as many elements as the third input says."""
    for index in range(3):
        context.with_rank(index, 0)
    count: Dim = context.number(2)
    if isinstance(count, int) and count <= 0:
        raise ShapeError(f"the number of elements must be positive, found {count}")
    return [(count,)]


@shape_fn("UnravelIndex")
def unravel_index(context: InferenceContext) -> Sequence[Result]:
    """Give coordinates: one row per dimension, one column per index."""
    indices, shape = context.dims(0), context.with_rank(1, 1)
    if indices is None:
        return [None]
    return [shape if not indices else (shape[0], dim.product(indices))]


@shape_fn("EditDistance")
def edit_distance(context: InferenceContext) -> Sequence[Result]:
    """Give the leading dimensions of two sparse tensors whose shapes are in inputs 2 and 5."""
    hypothesis, truth = context.shape_of(2), context.shape_of(5)
    if hypothesis is None or truth is None or context.items(2) is None or context.items(5) is None:
        return [None]
    return [tuple(_larger(a, b) for a, b in zip(hypothesis[:-1], truth[:-1], strict=True))]


def _larger(first: Dim, second: Dim) -> Dim:
    return max(first, second) if isinstance(first, int) and isinstance(second, int) else None


@shape_fn("InplaceUpdate", "InplaceAdd", "InplaceSub", "_ParallelConcatUpdate")
def inplace(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the first input."""
    return [context.dims(0)]
