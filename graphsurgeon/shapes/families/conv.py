"""Convolutions and their gradients, in every data format and padding."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.layout import DataLayout, layout_of
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn(
    "Conv2D", "_FusedConv2D",
)  # fmt: skip
def conv_2d(context: InferenceContext) -> Sequence[Result]:
    """Slide the filter over height and width; from `strides`, `dilations`, `padding`, `data_format`."""
    return [_convolved(context, layout_of(context, 2), grouped=True)]


@shape_fn("Conv3D", "_FusedConv3D")
def conv_3d(context: InferenceContext) -> Sequence[Result]:
    """Slide the filter over depth, height and width; from `strides`, `dilations`, `padding`, `data_format`."""
    layout = layout_of(context, 3)
    result = _convolved(context, layout, grouped=True)
    rows, columns = layout.spatial[1:]
    if layout.dilation(rows) != layout.dilation(columns):
        # TensorFlow takes the one dilation for the other, and no kernel says which is right.
        result = dim.replace(dim.replace(result, rows, None), columns, None)
    return [result]


@shape_fn(
    "DepthwiseConv2dNative", "_FusedDepthwiseConv2dNative",
)  # fmt: skip
def depthwise_conv_2d(context: InferenceContext) -> Sequence[Result]:
    """Slide each channel's own filters over height and width; channels times multiplier come out."""
    layout = layout_of(context, 2)
    image, window = context.with_rank(0, 4), context.with_rank(1, 4)
    channels = dim.merge_dim(image[layout.channel], window[2])
    return [_slid(context, layout, image, window[:2], dim.multiply(channels, window[3]))]


@shape_fn(
    "QuantizedConv2D", "QuantizedConv2DAndReluAndRequantize", "QuantizedConv2DAndRequantize",
    "QuantizedConv2DWithBiasAndReluAndRequantize", "QuantizedConv2DWithBiasAndRequantize",
    "QuantizedConv2DWithBiasSignedSumAndReluAndRequantize", "QuantizedConv2DWithBiasSumAndReluAndRequantize",
)  # fmt: skip
def quantized_conv_2d(context: InferenceContext) -> Sequence[Result]:
    """Slide the filter over height and width; the range of the result is two scalars."""
    return [_convolved(context, layout_of(context, 2), grouped=True), (), ()]


@shape_fn(
    "QuantizedConv2DAndRelu", "QuantizedConv2DWithBias", "QuantizedConv2DWithBiasAndRelu",
    "QuantizedConv2DWithBiasSumAndRelu",
)  # fmt: skip
def quantized_conv_2d_fused(context: InferenceContext) -> Sequence[Result]:
    """Slide the filter over height and width; the range of the result is shaped like that of the filter."""
    ends = context.argument("max_filter")[0].dims
    return [_convolved(context, layout_of(context, 2), grouped=True), ends, ends]


@shape_fn("QuantizedConv2DPerChannel")
def quantized_conv_2d_per_channel(context: InferenceContext) -> Sequence[Result]:
    """Slide the filter over height and width; the range of the result is two vectors, an element per channel."""
    context.at_most(4, 1)
    channels = context.at_most(5, 1)
    return [_convolved(context, layout_of(context, 2), grouped=True), channels, channels]


@shape_fn(
    "QuantizedDepthwiseConv2D", "QuantizedDepthwiseConv2DWithBias", "QuantizedDepthwiseConv2DWithBiasAndRelu",
    "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize",
)  # fmt: skip
def quantized_depthwise_conv_2d(context: InferenceContext) -> Sequence[Result]:
    """Slide each channel's own filters over height and width; the range of the result is two scalars."""
    return [*depthwise_conv_2d(context), (), ()]


@shape_fn("Conv")
def conv(context: InferenceContext) -> Sequence[Result]:
    """Slide the filter over two or three dimensions behind `batch_dims` leading ones."""
    spatial = 3 if len(context.integers_attr("strides")) == 5 else 2
    batch_dims = context.integer_attr("batch_dims", 1)
    layout = layout_of(context, spatial, channels_first=context.text_attr("data_format") == "CHANNELS_FIRST")
    if batch_dims == 1:
        return [_convolved(context, layout, grouped=True)]
    image = context.dims(0)
    if image is None or len(image) < batch_dims:
        return [None]
    inner = (dim.product(image[:batch_dims]), *image[batch_dims:])
    result = _slid_by(context, layout, inner, context.with_rank(1, spatial + 2), grouped=True)
    return [(*image[:batch_dims], *result[1:])]


def _convolved(context: InferenceContext, layout: DataLayout, *, grouped: bool) -> Dims:
    rank = layout.spatial_rank + 2 + layout.is_vector
    return _slid_by(context, layout, context.with_rank(0, rank), context.with_rank(1, rank), grouped=grouped)


def _slid_by(context: InferenceContext, layout: DataLayout, image: Dims, window: Dims, *, grouped: bool) -> Dims:
    if layout.is_vector:  # image NCHW4, filter OIHW4
        depth, inner, made = dim.multiply(image[1], 4), dim.multiply(window[1], 4), window[0]
        sizes = window[2:4]
    elif context.text_attr("filter_format") == "OIHW":
        depth, inner, made = image[layout.channel], window[1], window[0]
        sizes = window[2:]
    else:
        depth, inner, made = image[layout.channel], window[-2], window[-1]
        sizes = window[: layout.spatial_rank]
    _check_depth(depth, inner, made, grouped=grouped)
    return _slid(context, layout, image, sizes, made)


def _check_depth(depth: Dim, inner: Dim, made: Dim, *, grouped: bool) -> None:
    if not isinstance(depth, int) or not isinstance(inner, int):
        return
    if inner <= 0 or depth <= 0 or depth % inner or (not grouped and depth != inner):  # one group at least
        raise ShapeError(f"{depth} channels do not fit a filter for {inner}")
    groups = depth // inner
    if isinstance(made, int) and made % groups:
        raise ShapeError(f"{made} filters cannot be shared out to {groups} groups")


def _slid(context: InferenceContext, layout: DataLayout, image: Dims, sizes: Dims, made: Dim) -> Dims:
    padding = context.text_attr("padding")
    places = [
        dim.windowed(
            image[axis], size, layout.stride(axis), padding, dilation=layout.dilation(axis), pads=layout.pads(axis)
        )
        for axis, size in zip(layout.spatial, sizes, strict=True)
    ]
    return layout.put_together(image[0], places, made)


@shape_fn(
    "Conv2DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput",
)  # fmt: skip
def conv_backprop_input(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the first input spells; of Conv2D it may spell height and width alone."""
    rank = 5 if "3D" in context.node.op else 4
    sizes = context.shape_of(0)
    if sizes is None:
        batch = context.with_rank(2, 4)[0] if context.node.op == "Conv2DBackpropInput" else None
        return [(batch, *dim.unknown(rank - 1))]
    if len(sizes) == 2 and context.node.op == "Conv2DBackpropInput":
        layout, batch = layout_of(context, 2), context.with_rank(2, 4)[0]
        return [layout.put_together(batch, list(sizes), context.with_rank(1, 4)[2])]
    if len(sizes) != rank:
        raise ShapeError(f"the shape of the input has {len(sizes)} dimensions, not {rank}")
    if sizes[0] is None and context.node.op == "Conv2DBackpropInput":
        sizes = (context.with_rank(2, 4)[0], *sizes[1:])
    return [sizes]


@shape_fn("Conv2DBackpropFilter", "Conv3DBackpropFilterV2", "DepthwiseConv2dNativeBackpropFilter")
def conv_backprop_filter(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the second input spells."""
    rank = 5 if "3D" in context.node.op else 4
    sizes = context.shape_of(1)
    if sizes is not None and len(sizes) != rank:
        raise ShapeError(f"the shape of the filter has {len(sizes)} dimensions, not {rank}")
    return [sizes if sizes is not None else dim.unknown(rank)]


@shape_fn("Conv3DBackpropInput", "Conv2DBackpropInputV2", "Dilation2DBackpropInput")
def backprop_like_input(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the first input."""
    return [context.dims(0)]


@shape_fn("Conv3DBackpropFilter", "Conv2DBackpropFilterV2", "Dilation2DBackpropFilter")
def backprop_like_filter(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the second input."""
    return [context.dims(1)]


@shape_fn("Dilation2D")
def dilation_2d(context: InferenceContext) -> Sequence[Result]:
    """Slide a maximum over height and width; from `strides`, `rates`, `padding`."""
    image, window = context.with_rank(0, 4), context.with_rank(1, 3)
    strides, rates = context.integers_attr("strides"), context.integers_attr("rates")
    padding = context.text_attr("padding")
    places = [_patches(image[a], window[a - 1], strides[a], padding, rates[a]) for a in (1, 2)]
    if None in places:
        places = [None, None]
    return [(image[0], *places, window[2] if window[2] is not None else image[3])]


@shape_fn("FusedPadConv2D", "FusedResizeAndPadConv2D")
def fused_pad_conv_2d(context: InferenceContext) -> Sequence[Result]:
    """Resize if asked, pad, then slide the filter over height and width."""
    has_size = context.node.op == "FusedResizeAndPadConv2D"
    image = context.with_rank(0, 4)
    if has_size:
        size = context.shape_of(1)
        image = (image[0], *(size if size is not None and len(size) == 2 else (None, None)), image[3])
    pads = context.items(1 + has_size)
    widths: list[Dim] = [None] * 8 if pads is None else [item if isinstance(item, int) else None for item in pads]
    padded = tuple(dim.add(d, dim.add(widths[2 * axis], widths[2 * axis + 1])) for axis, d in enumerate(image))
    return [_slid_by(context, layout_of(context, 2), padded, context.with_rank(2 + has_size, 4), grouped=False)]


@shape_fn("ExtractImagePatches", "ExtractVolumePatches")
def extract_patches(context: InferenceContext) -> Sequence[Result]:
    """Lay a patch of `ksizes` around each place out in the last dimension; from `strides`, `rates`, `padding`."""
    spatial = 2 if context.node.op == "ExtractImagePatches" else 3
    image = context.with_rank(0, spatial + 2)
    sizes, strides = context.integers_attr("ksizes"), context.integers_attr("strides")
    rates = context.integers_attr("rates") or [1] * (spatial + 2)
    padding = context.text_attr("padding")
    axes = range(1, spatial + 1)
    places = [_patches(image[a], sizes[a], strides[a], padding, rates[a]) for a in axes]
    if spatial == 3 and not dim.is_static(image[1:]):
        return [None]  # TensorFlow forgets a dimension here
    return [(image[0], *places, dim.product([image[-1], *(sizes[a] for a in axes)]))]


def _patches(size: Dim, window: Dim, stride: int, padding: str, rate: int) -> Dim:
    """Return the number of windows; where none fits that is 0, not an error."""
    if isinstance(size, int) and isinstance(window, int) and padding == "VALID" and stride > 0 and rate > 0:
        left = size - ((window - 1) * rate + 1) + stride
        if left < 0 and -left >= stride:
            raise ShapeError(f"a window of {window} is larger than the input of {size}")
        return max(left, 0) // stride
    return dim.windowed(size, window, stride, padding, dilation=rate)
