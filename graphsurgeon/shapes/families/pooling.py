"""Pooling and its gradients."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims, ShapeError
from graphsurgeon.shapes.layout import layout_of
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("AvgPool", "MaxPool", "RiscPool")
def pool_2d(context: InferenceContext) -> Sequence[Result]:
    """Slide a window of `ksize` over height and width; from `strides`, `padding`, `data_format`."""
    return [_pooled(context, 2), None][: context.num_outputs]


@shape_fn("AvgPool3D", "MaxPool3D")
def pool_3d(context: InferenceContext) -> Sequence[Result]:
    """Slide a window of `ksize` over depth, height and width; from `strides`, `padding`, `data_format`."""
    return [_pooled(context, 3), None][: context.num_outputs]


@shape_fn("MaxPoolGradGrad")
def max_pool_grad_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the pooled image."""
    return [_pooled(context, 2)]


@shape_fn("MaxPool3DGradGrad")
def max_pool_3d_grad_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the pooled volume."""
    return [_pooled(context, 3)]


@shape_fn("MaxPoolWithArgmax")
def max_pool_with_argmax(context: InferenceContext) -> Sequence[Result]:
    """Slide a window of `ksize` over height and width; give the maxima and where they were."""
    pooled = _pooled(context, 2)
    return [pooled, pooled]


@shape_fn("MaxPoolGradGradWithArgmax")
def max_pool_grad_grad_with_argmax(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the pooled image."""
    return [_pooled(context, 2)]


@shape_fn("MaxPoolV2", "MaxPoolGradGradV2")
def max_pool_v2(context: InferenceContext) -> Sequence[Result]:
    """Slide a window over height and width; window and strides are the last two inputs."""
    sizes, strides = context.integers(-2), context.integers(-1)
    image = context.with_rank(0, 4)
    if sizes is None or strides is None:
        return [dim.unknown(4)]
    return [_slid(context, 2, image, sizes, strides)]


@shape_fn("QuantizedAvgPool", "QuantizedMaxPool", "_QuantizedMaxPool3D")
def quantized_pool(context: InferenceContext) -> Sequence[Result]:
    """Slide a window of `ksize` over height and width; the range of the result is two scalars."""
    return [_pooled(context, 3 if "3D" in context.node.op else 2), (), ()]


def _pooled(context: InferenceContext, spatial: int) -> Dims:
    is_vector = context.text_attr("data_format").endswith("VECT_C")
    image = context.with_rank(0, spatial + 2 + is_vector)
    return _slid(context, spatial, image, context.integers_attr("ksize"), context.integers_attr("strides"))


def _slid(context: InferenceContext, spatial: int, image: Dims, sizes: Sequence[int], strides: Sequence[int]) -> Dims:
    if len(sizes) != spatial + 2 or len(strides) != spatial + 2:
        raise ShapeError(f"window and strides need {spatial + 2} numbers, found {len(sizes)} and {len(strides)}")
    layout, padding = layout_of(context, spatial), context.text_attr("padding")
    places = [dim.windowed(image[a], sizes[a], strides[a], padding, pads=layout.pads(a)) for a in layout.spatial]
    channel = 1 if layout.channel == 1 else spatial + 1
    depth = image[channel]
    if "Max" in context.node.op and spatial == 2 and (sizes[channel] != 1 or strides[channel] != 1):
        depth = dim.windowed(depth, sizes[channel], strides[channel], padding)
    if layout.is_vector:
        return (image[0], depth, *places, 4)
    return layout.put_together(image[0], places, depth)


@shape_fn("LRNGrad")
def lrn_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that gradient, input and output share."""
    return [dim.merge(dim.merge(context.with_rank(0, 4), context.with_rank(1, 4)), context.with_rank(2, 4))]


@shape_fn("MaxPoolGrad", "MaxPoolGradWithArgmax", "MaxPoolGradV2", "MaxPool3DGrad")
def grad_like_input(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the first input."""
    return [context.with_rank(0, 5 if "3D" in context.node.op else 4)]


@shape_fn("AvgPoolGrad", "AvgPool3DGrad")
def avg_pool_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the first input spells."""
    rank = 5 if "3D" in context.node.op else 4
    shape = context.shape_of(0)
    if shape is not None and len(shape) != rank:
        raise ShapeError(f"the shape of the input has {len(shape)} dimensions, not {rank}")
    return [shape if shape is not None else dim.unknown(rank)]


@shape_fn("FractionalAvgPool", "FractionalMaxPool")
def fractional_pool(context: InferenceContext) -> Sequence[Result]:
    """Divide each dimension by its `pooling_ratio`; the vectors say where rows and columns begin.

    They have one element more than TensorFlow's shape function says, so nothing is said of their length.
    """
    ratios = context.attr("pooling_ratio")
    if (
        not isinstance(ratios, list)
        or len(ratios) != 4
        or not all(isinstance(r, int | float) and r > 0 for r in ratios)
    ):
        raise ShapeError("pooling_ratio must have four positive numbers")
    image = context.with_rank(0, 4)
    pooled = tuple(
        int(size / ratio) if isinstance(size, int) else None
        for size, ratio in zip(image, (r for r in ratios if isinstance(r, int | float)), strict=True)
    )
    return [pooled, (None,), (None,)]


@shape_fn("FractionalAvgPoolGrad")
def fractional_avg_pool_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the first input spells."""
    return [dim.unknown(4) if context.items(0) is None else context.shape_of(0)]


@shape_fn("FractionalMaxPoolGrad")
def fractional_max_pool_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the first input."""
    return [context.with_rank(0, 4)]
