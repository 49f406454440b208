"""XLA ops, as converters from JAX write them."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("XlaCallModule")
def call_module(context: InferenceContext) -> Sequence[Result]:
    """Give the shapes in `Sout`."""
    shapes = context.shapes_attr("Sout")
    return shapes if len(shapes) == context.num_outputs else [None] * context.num_outputs


@shape_fn("XlaSharding", "XlaReducePrecision", "XlaSort", "XlaDynamicUpdateSlice", "XlaAllReduce", "RiscSort")
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
    """Give the size that the third input spells."""
    return [context.shape_of(2)]


@shape_fn("XlaRecv", "XlaRecvFromHost")
def received(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`."""
    return [context.shape_attr("shape")]


@shape_fn(
    "XlaConcatND", "XlaDequantize", "XlaGather", "XlaReduceScatter", "XlaRemoveDynamicDimensionSize",
    "XlaSelfAdjointEig", "XlaSetBound", "XlaSetDynamicDimensionSize", "XlaSvd", "XlaBroadcastHelper", "XlaReduce",
    "XlaReduceWindow", "XlaVariadicReduce", "XlaScatter", "XlaSelectAndScatter", "XlaIf", "XlaWhile", "RiscBroadcast",
    "RiscConv", "RiscShape",
)  # fmt: skip
def unknown(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known: TensorFlow's own shape function says nothing either."""
    return [None] * context.num_outputs
