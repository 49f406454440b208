"""Quantized and fake-quantized ops: values with the ends of their range."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn(
    "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxArgsGradient", "FakeQuantWithMinMaxVars",
    "FakeQuantWithMinMaxVarsPerChannel", "QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3",
    "QuantizeAndDequantizeV4", "Dequantize", "UniformDequantize", "UniformQuantize", "UniformQuantizedClipByValue",
    "UniformRequantize",
)  # fmt: skip
def unchanged(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    return [context.dims(0)]


@shape_fn("FakeQuantWithMinMaxVarsGradient")
def fake_quant_gradient(context: InferenceContext) -> Sequence[Result]:
    """Give gradients for the input and for the ends of the range."""
    return [dim.merge(context.dims(0), context.dims(1)), (), ()]


@shape_fn("FakeQuantWithMinMaxVarsPerChannelGradient")
def fake_quant_per_channel_gradient(context: InferenceContext) -> Sequence[Result]:
    """Give gradients for the input and for the ends of the range of each channel."""
    values = dim.merge(context.at_least(0, 1), context.at_least(1, 1))
    channels: Dim = None if values is None else values[-1]
    channels = dim.merge_dim(channels, context.with_rank(2, 1)[0])
    channels = dim.merge_dim(channels, context.with_rank(3, 1)[0])
    return [None if values is None else (*values[:-1], channels), (channels,), (channels,)]


@shape_fn("QuantizeAndDequantizeV4Grad")
def quantize_and_dequantize_grad(context: InferenceContext) -> Sequence[Result]:
    """Give gradients for the input and for the ends of its range."""
    ends = dim.merge(context.dims(2), context.dims(3))
    if ends is None and context.integer_attr("axis", -1) != -1:
        ends = (None,)
    return [dim.merge(context.dims(0), context.dims(1)), ends, ends]


@shape_fn("QuantizeV2")
def quantize(context: InferenceContext) -> Sequence[Result]:
    """Give values, and the ends of their range: scalars, or along `axis` one per slice."""
    axis = context.integer_attr("axis", -1)
    dims = context.dims(0)
    if axis == -1:
        return [dims, (), ()]
    slices = None if dims is None else dims[dim.normal_axis(axis, len(dims))]
    if slices is None or isinstance(slices, dim.Symbol):
        slices = dim.merge_dim(slices, context.with_rank(2, 1)[0])
    return [dims, (slices,), (slices,)]


@shape_fn(
    "QuantizeDownAndShrinkRange", "QuantizedRelu", "QuantizedRelu6", "QuantizedReluX", "QuantizedInstanceNorm",
    "Requantize",
)  # fmt: skip
def unchanged_with_range(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input; the range of the result is two scalars."""
    return [context.dims(0), (), ()]


@shape_fn("RequantizePerChannel")
def requantize_per_channel(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input; the range of the result is two scalars."""
    return [context.dims(0), (), ()]


@shape_fn("QuantizedAdd", "QuantizedMul")
def quantized_binary(context: InferenceContext) -> Sequence[Result]:
    """Broadcast the two operands; the range of the result is two scalars."""
    return [dim.broadcast(context.dims(0), context.dims(1)), (), ()]


@shape_fn("QuantizedBiasAdd")
def quantized_bias_add(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input; the range of the result is two scalars."""
    dims, bias = context.at_least(0, 2), context.with_rank(1, 1)[0]
    return [None if dims is None else (*dims[:-1], dim.merge_dim(dims[-1], bias)), (), ()]


@shape_fn("QuantizedBatchNormWithGlobalNormalization")
def quantized_batch_norm(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input, whose last dimension the statistics share; and two scalars."""
    dims = context.with_rank(0, 4)
    channels = dims[3]
    for index in (3, 6, 9, 12):
        channels = dim.merge_dim(channels, context.with_rank(index, 1)[0])
    return [(*dims[:3], channels), (), ()]


@shape_fn("RequantizationRange", "RequantizationRangePerChannel")
def range_(context: InferenceContext) -> Sequence[Result]:
    """Give two scalars."""
    return [(), ()]


@shape_fn("UniformQuantizedAdd")
def uniform_add(context: InferenceContext) -> Sequence[Result]:
    """Broadcast the two operands."""
    return [dim.broadcast(context.dims(0), context.dims(1))]


@shape_fn("UniformQuantizedDot", "UniformQuantizedDotHybrid")
def uniform_dot(context: InferenceContext) -> Sequence[Result]:
    """Multiply two matrices."""
    first, second = context.with_rank(0, 2), context.with_rank(1, 2)
    dim.merge_dim(first[1], second[0])
    return [(first[0], second[1])]


@shape_fn("UniformQuantizedConvolution", "UniformQuantizedConvolutionHybrid")
def uniform_convolution(context: InferenceContext) -> Sequence[Result]:
    """Give the rank of the input: the rest is in a serialized attribute."""
    dims = context.dims(0)
    return [None if dims is None else dim.unknown(len(dims))]


@shape_fn("CustomAggregator")
def custom_aggregator(context: InferenceContext) -> Sequence[Result]:
    """Give the input, the ends of its range, and a histogram of `num_bins`."""
    return [context.dims(0), (), (), (context.integer_attr("num_bins"),)]


@shape_fn("KthOrderStatistic")
def kth_order_statistic(context: InferenceContext) -> Sequence[Result]:
    """Give a number per row."""
    return [context.with_rank(0, 2)[:1]]
