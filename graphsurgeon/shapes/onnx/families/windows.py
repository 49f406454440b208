"""Convolutions, pooling and what else moves a window over an image; images are batch, channels, then the rest."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.dtype import FLOAT32, INT32, INT64
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.onnx.registry import shape_fn


@shape_fn("Conv")
def conv(context: OnnxContext) -> Sequence[Fact]:
    """Convolve: weights are channels out, channels in of one group, then the window."""
    return [Fact(_convolved(context, 0, 1), dtype=context.dtype(0))]


@shape_fn("ConvInteger")
def conv_integer(context: OnnxContext) -> Sequence[Fact]:
    """Convolve integers."""
    return [Fact(_convolved(context, 0, 1), dtype=INT32)]


@shape_fn("QLinearConv")
def quantized_conv(context: OnnxContext) -> Sequence[Fact]:
    """Convolve quantized values: values, scale and zero point of image and weights, then those of the result."""
    return [Fact(_convolved(context, 0, 3), dtype=context.dtype(7))]


@shape_fn("DeformConv")
def deformable_conv(context: OnnxContext) -> Sequence[Fact]:
    """Convolve with offsets."""
    return [Fact(_convolved(context, 0, 1), dtype=context.dtype(0))]


def _convolved(context: OnnxContext, image: int, weights: int) -> Dims | None:
    dims = context.dims(image)
    kernel = context.dims(weights)
    if dims is None:
        return None
    if len(dims) < 3 or (kernel is not None and len(kernel) != len(dims)):
        raise ShapeError(f"image {dim.show(dims)} and weights {dim.show(kernel)} of a convolution")
    if kernel is not None:
        channels = dim.multiply(kernel[1], context.integer_attr("group", 1))
        dim.merge_dim(dims[1], channels)
    window: Sequence[Dim] = context.integers_attr("kernel_shape") or (
        kernel[2:] if kernel else dim.unknown(len(dims) - 2)
    )
    places = _places(context, dims[2:], window)
    return (dims[0], kernel[0] if kernel else None, *places)


@shape_fn("AveragePool", "LpPool")
def pool(context: OnnxContext) -> Sequence[Fact]:
    """Pool over a window."""
    return [Fact(_pooled(context), dtype=context.dtype(0))]


@shape_fn("MaxPool")
def max_pool(context: OnnxContext) -> Sequence[Fact]:
    """Pool over a window; a second output says where the largest stood."""
    dims = _pooled(context)
    return [Fact(dims, dtype=context.dtype(0)), Fact(dims, dtype=INT64)]


def _pooled(context: OnnxContext) -> Dims | None:
    dims = context.at_least(0, 3)
    if dims is None:
        return None
    return (*dims[:2], *_places(context, dims[2:], context.integers_attr("kernel_shape")))


def _places(context: OnnxContext, sizes: Sequence[Dim], window: Sequence[Dim]) -> list[Dim]:
    """Return how many places the window has along each axis."""
    rank = len(sizes)
    strides = context.integers_attr("strides") or [1] * rank
    dilations = context.integers_attr("dilations") or [1] * rank
    pads = context.integers_attr("pads") or [0] * (2 * rank)
    auto = context.text_attr("auto_pad", "NOTSET")
    if not len(window) == len(strides) == len(dilations) == rank or len(pads) != 2 * rank:
        raise ShapeError(f"window, strides, dilations or pads do not fit an image of {rank} dimensions")
    rounds_up = bool(context.integer_attr("ceil_mode"))
    return [
        _place(size, window[axis], strides[axis], dilations[axis], (pads[axis], pads[axis + rank]), auto, rounds_up)
        for axis, size in enumerate(sizes)
    ]


def _place(
    size: Dim, window: Dim, stride: int, dilation: int, pads: tuple[int, int], auto: str, rounds_up: bool
) -> Dim:
    if stride < 1 or dilation < 1:
        raise ShapeError(f"stride {stride} and dilation {dilation} must be positive")
    if auto.startswith("SAME"):
        return size if stride == 1 else -(-size // stride) if isinstance(size, int) else None
    if auto == "VALID":
        pads = (0, 0)
    if not isinstance(window, int):
        return None
    reach = (window - 1) * dilation + 1
    if not isinstance(size, int):
        return size if stride == 1 and sum(pads) == reach - 1 else None
    left = size + sum(pads) - reach
    if left < 0:
        raise ShapeError(f"a window of {reach} is larger than the image of {size}")
    if not rounds_up:
        return left // stride + 1
    places = -(-left // stride) + 1
    # A window that would begin in the padding at the end does not count.
    return places - 1 if (places - 1) * stride >= size + pads[0] else places


@shape_fn("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(context: OnnxContext) -> Sequence[Fact]:
    """Pool over all of an image."""
    dims = context.at_least(0, 2)
    pooled = None if dims is None else (*dims[:2], *(1,) * (len(dims) - 2))
    return [Fact(pooled, dtype=context.dtype(0))]


@shape_fn("ConvTranspose")
def conv_transpose(context: OnnxContext) -> Sequence[Fact]:
    """Spread an image by the weights: channels in, channels out of one group, then the window."""
    dims, kernel = context.at_least(0, 3), context.dims(1)
    dtype = context.dtype(0)
    if dims is None:
        return [Fact(dtype=dtype)]
    rank = len(dims) - 2
    channels = None if kernel is None else dim.multiply(kernel[1], context.integer_attr("group", 1))
    told = context.integers_attr("output_shape")
    if told:
        return [Fact((dims[0], channels, *told[-rank:]), dtype=dtype)]
    window: Sequence[Dim] = context.integers_attr("kernel_shape") or (kernel[2:] if kernel else dim.unknown(rank))
    strides = context.integers_attr("strides") or [1] * rank
    dilations = context.integers_attr("dilations") or [1] * rank
    pads = context.integers_attr("pads") or [0] * (2 * rank)
    extra = context.integers_attr("output_padding") or [0] * rank
    auto = context.text_attr("auto_pad", "NOTSET")
    places: list[Dim] = []
    for axis, size in enumerate(dims[2:]):
        width = window[axis]
        if auto.startswith("SAME"):
            places.append(dim.multiply(size, strides[axis]))
        elif isinstance(size, int) and isinstance(width, int):
            cut = 0 if auto == "VALID" else pads[axis] + pads[axis + rank]
            places.append(strides[axis] * (size - 1) + extra[axis] + (width - 1) * dilations[axis] + 1 - cut)
        else:
            places.append(None)
    return [Fact((dims[0], channels, *places), dtype=dtype)]


@shape_fn("MaxRoiPool")
def roi_pool(context: OnnxContext) -> Sequence[Fact]:
    """Pool each region to one size."""
    dims, regions = context.with_rank(0, 4), context.with_rank(1, 2)
    return [Fact((regions[0], dims[1], *context.integers_attr("pooled_shape")), dtype=context.dtype(0))]


@shape_fn("RoiAlign")
def roi_align(context: OnnxContext) -> Sequence[Fact]:
    """Pool each region to one size."""
    dims, regions = context.with_rank(0, 4), context.with_rank(1, 2)
    size = (context.integer_attr("output_height", 1), context.integer_attr("output_width", 1))
    return [Fact((regions[0], dims[1], *size), dtype=context.dtype(0))]


@shape_fn("DepthToSpace", "SpaceToDepth")
def blocks(context: OnnxContext) -> Sequence[Fact]:
    """Move blocks between channels and space."""
    batch, channels, height, width = context.with_rank(0, 4)
    size = context.integer_attr("blocksize")
    if size < 1:
        raise ShapeError(f"blocksize {size}")
    if context.node.op == "DepthToSpace":
        moved = (batch, dim.divide(channels, size * size), dim.multiply(height, size), dim.multiply(width, size))
    else:
        moved = (batch, dim.multiply(channels, size * size), dim.divide(height, size), dim.divide(width, size))
    return [Fact(moved, dtype=context.dtype(0))]


@shape_fn("GridSample")
def grid_sample(context: OnnxContext) -> Sequence[Fact]:
    """Give a sample for each place of the grid."""
    dims, grid = context.at_least(0, 3), context.at_least(1, 3)
    places = None if dims is None or grid is None else (*dims[:2], *grid[1:-1])
    return [Fact(places, dtype=context.dtype(0))]


@shape_fn("NonMaxSuppression")
def non_max_suppression(context: OnnxContext) -> Sequence[Fact]:
    """Give rows of batch, class and box."""
    return [Fact((None, 3), dtype=INT64)]


@shape_fn("HannWindow", "HammingWindow", "BlackmanWindow")
def signal_window(context: OnnxContext) -> Sequence[Fact]:
    """Give a vector of the size that is asked for."""
    size = context.integer(0)
    return [Fact((size,), dtype=context.dtype_attr("output_datatype") or FLOAT32)]
