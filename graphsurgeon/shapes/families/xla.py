"""XLA ops, as converters from JAX write them."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import ShapeError, show
from graphsurgeon.shapes.dims import unknown as unknown_dims
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("XlaCallModule")
def call_module(context: InferenceContext) -> Sequence[Result]:
    """Give the shapes in `Sout`."""
    shapes = context.shapes_attr("Sout")
    return shapes if len(shapes) == context.num_outputs else [None] * context.num_outputs


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


@shape_fn("XlaReduce", "XlaVariadicReduce", "XlaVariadicReduceV2")
def reduced(context: InferenceContext) -> Sequence[Result]:
    """Give what `dimensions_to_reduce` leaves of the shape of the inputs."""
    known = [fact.dims for fact in context.inputs[: context.num_outputs] if fact.dims is not None]
    dims = known[0] if known else None
    if dims is None:
        return [None] * context.num_outputs
    axes = context.integers_attr("dimensions_to_reduce")
    if len(set(axes)) != len(axes) or not all(0 <= axis < len(dims) for axis in axes):
        raise ShapeError(f"it cannot reduce dimensions {axes} of {show(dims)}")
    return [tuple(d for axis, d in enumerate(dims) if axis not in axes)] * context.num_outputs


@shape_fn("XlaReduceWindow", "XlaSelectAndScatter")
def windows(context: InferenceContext) -> Sequence[Result]:
    """Give as many dimensions as the input has."""
    dims = context.dims(0)
    return [None if dims is None else (None,) * len(dims)]


@shape_fn("XlaSpmdShardToFullShape")
def shard_to_full(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `full_shape`."""
    return [context.shape_attr("full_shape")]


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
