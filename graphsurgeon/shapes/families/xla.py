"""XLA ops, as converters from JAX write them."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.graph import Node, Value
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError, add, merge, merge_dim, show
from graphsurgeon.shapes.dims import unknown as unknown_dims
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("XlaCallModule")
def call_module(context: InferenceContext) -> Sequence[Result]:
    """Give the shapes in `Sout`; inputs that the module's `main` does not take are an error when it runs."""
    for index, argument in enumerate(module_arguments(context.node)):
        given, taken = context.dims(index), argument.shape.dims if argument.shape is not None else None
        try:
            merge(given, taken)
        except ShapeError:
            what = f"input {index} has shape {show(given)}, its module takes {show(taken)}"
            raise ShapeError(what) from None
    shapes = context.shapes_attr("Sout")
    return shapes if len(shapes) == context.num_outputs else [None] * context.num_outputs


def module_arguments(node: Node) -> list[Value]:
    """Return the arguments of `main` for a node's inputs; none if its module cannot be read or has others."""
    module, platforms = node.graph.metagraph.module_of(node), node.attrs.get("platforms")
    if module is None:
        return []
    skipped = int(isinstance(platforms, list) and len(platforms) > 1)  # first comes the number of the platform
    arguments = [value for value in module.graph.inputs[skipped:] if (value.extra or {}).get("type") != "token"]
    return arguments if len(arguments) == len(node.inputs) else []  # which is which is not known: told elsewhere


@shape_fn(
    "XlaSharding", "XlaReducePrecision", "XlaSort", "XlaDynamicUpdateSlice", "XlaAllReduce", "XlaScatter", "RiscSort"
)
def unchanged(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    return [context.dims(0)]


@shape_fn("XlaKeyValueSort")
def key_value_sort(context: InferenceContext) -> Sequence[Result]:
    """Give the shapes of keys and values."""
    return [context.dims(0), context.dims(1)]


@shape_fn("XlaVariadicSort")
def variadic_sort(context: InferenceContext) -> Sequence[Result]:
    """Give the shapes of the inputs."""
    return [context.dims(index) for index in range(context.num_outputs)]


@shape_fn("XlaReduce", "XlaVariadicReduce")
def reduced(context: InferenceContext) -> Sequence[Result]:
    """Give what `dimensions_to_reduce` leaves of the shape of the first input."""
    known = [fact.dims for fact in context.inputs[: context.num_outputs] if fact.dims is not None]
    return [_without_axes(context, known[0] if known else None)] * context.num_outputs


@shape_fn("XlaVariadicReduceV2")
def reduced_together(context: InferenceContext) -> Sequence[Result]:
    """Give what `dimensions_to_reduce` leaves of the shape that all inputs have."""
    dims = None
    for fact in context.inputs[: context.num_outputs]:
        dims = merge(dims, fact.dims)
    return [_without_axes(context, dims)] * context.num_outputs


def _without_axes(context: InferenceContext, dims: Dims | None) -> Dims | None:
    if dims is None:
        return None
    axes = context.integers_attr("dimensions_to_reduce")
    if len(set(axes)) != len(axes) or not all(0 <= axis < len(dims) for axis in axes):
        raise ShapeError(f"it cannot reduce dimensions {axes} of {show(dims)}")
    return tuple(d for axis, d in enumerate(dims) if axis not in axes)


@shape_fn("XlaReduceWindow", "XlaSelectAndScatter")
def windows(context: InferenceContext) -> Sequence[Result]:
    """Give as many dimensions as the input has."""
    dims = context.dims(0)
    return [None if dims is None else (None,) * len(dims)]


@shape_fn("XlaSpmdShardToFullShape")
def shard_to_full(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `full_shape`."""
    return [context.shape_attr("full_shape")]


@shape_fn("XlaDot", "XlaDotV2")
def dot(context: InferenceContext) -> Sequence[Result]:
    """Give the batch dimensions, then what is not contracted of either operand; from `dimension_numbers`."""
    left, right = context.dims(0), context.dims(1)
    if left is None or right is None:
        return [None]
    numbers = context.attr("dimension_numbers")
    axes = _dimension_lists(numbers if isinstance(numbers, bytes) else b"")
    for one, other in ((axes[1], axes[2]), (axes[3], axes[4])):
        for axis, beside in zip(one, other, strict=True):
            merge_dim(left[axis], right[beside])
    free = [d for axis, d in enumerate(left) if axis not in axes[1] + axes[3]]
    others = [d for axis, d in enumerate(right) if axis not in axes[2] + axes[4]]
    return [(*(left[axis] for axis in axes[3]), *free, *others)]


def _dimension_lists(message: bytes) -> dict[int, list[int]]:
    """Read a `DotDimensionNumbers`: contracting dimensions of left (1) and right (2), batch dimensions (3, 4).

    All are small numbers, packed or not, so that tag, length and number take one byte each.
    """
    axes: dict[int, list[int]] = {1: [], 2: [], 3: [], 4: []}
    place = 0
    while place < len(message):
        tag, following = message[place], message[place + 1]
        is_packed = tag & 7 == 2
        if tag & 7 not in (0, 2) or following > 127 or tag >> 3 not in axes:
            raise ShapeError("its dimension_numbers are none")
        end = place + 2 + following if is_packed else place + 2
        axes[tag >> 3] += message[place + 2 : end] if is_packed else [following]
        place = end
    return axes


@shape_fn("XlaConv", "XlaConvV2")
def conv(context: InferenceContext) -> Sequence[Result]:
    """Give as many dimensions as the input has."""
    return windows(context)


@shape_fn("XlaPad")
def pad(context: InferenceContext) -> Sequence[Result]:
    """Give each dimension with what the inputs add before, behind and between its elements."""
    dims = context.dims(0)
    if dims is None:
        return [None]
    low, high, between = (context.integers(index) for index in (2, 3, 4))
    if low is None or high is None or between is None:
        return [(None,) * len(dims)]
    if not len(low) == len(high) == len(between) == len(dims):
        raise ShapeError(f"it does not say how to pad each dimension of {show(dims)}")
    return [tuple(map(_padded, dims, low, high, between))]


def _padded(size: Dim, low: int | None, high: int | None, between: int | None) -> Dim:
    if low is None or high is None or between is None:
        return None
    if not between:
        return add(size, low + high)
    return size + low + high + max(size - 1, 0) * between if isinstance(size, int) else None


@shape_fn("XlaRngBitGenerator")
def random_bits(context: InferenceContext) -> Sequence[Result]:
    """Give the next state, and numbers in the shape that the third input spells."""
    return [merge(context.dims(1), (None,)), context.shape_of(2)]


@shape_fn("XlaCustomCall")
def custom_call(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`."""
    return [context.shape_attr("shape")]


@shape_fn("XlaCustomCallV2")
def custom_call_v2(context: InferenceContext) -> Sequence[Result]:
    """Give the shapes in `result_shapes`."""
    return context.shapes_attr("result_shapes")


@shape_fn("TPUOrdinalSelector")
def ordinals(context: InferenceContext) -> Sequence[Result]:
    """Give a vector of devices."""
    return [(None,)]


@shape_fn("XlaReplicaId")
def replica_id(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar."""
    return [()]


@shape_fn("XlaDynamicSlice")
def dynamic_slice(context: InferenceContext) -> Sequence[Result]:
    """Give the size that the third input spells, in as many dimensions as the first has."""
    dims, size = context.dims(0), context.shape_of(2)
    return [unknown_dims(len(dims)) if size is None and dims is not None else size]


@shape_fn("XlaRecv", "XlaRecvFromHost")
def received(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`."""
    return [context.shape_attr("shape")]


@shape_fn(
    "XlaConcatND", "XlaDequantize", "XlaGather", "XlaReduceScatter", "XlaRemoveDynamicDimensionSize",
    "XlaSelfAdjointEig", "XlaSetBound", "XlaSetDynamicDimensionSize", "XlaSvd", "XlaBroadcastHelper", "XlaIf",
    "XlaWhile", "RiscBroadcast", "RiscConv", "RiscShape",
)  # fmt: skip
def unknown(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known: TensorFlow's own shape function says nothing either."""
    return [None] * context.num_outputs
