"""Image ops: decoding, resizing, cropping, colours, boxes."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn(
    "ResizeArea", "ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeNearestNeighborGrad",
    "ScaleAndTranslate",
)  # fmt: skip
def resize(context: InferenceContext) -> Sequence[Result]:
    """Give images of the height and width that the second input says."""
    image = context.with_rank(0, 4)
    return [(image[0], *_size(context, 1), image[3])]


@shape_fn("QuantizedResizeBilinear")
def quantized_resize(context: InferenceContext) -> Sequence[Result]:
    """Give images of the height and width that the second input says; the range of the result is two scalars."""
    return [*resize(context), (), ()]


@shape_fn("ResizeBicubicGrad", "ResizeBilinearGrad", "ScaleAndTranslateGrad")
def resize_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the original image."""
    return [context.dims(1)]


def _size(context: InferenceContext, index: int) -> tuple[Dim, Dim]:
    dim.merge_dim(context.with_rank(index, 1)[0], 2)
    size = context.shape_of(index)
    if size is None or len(size) != 2:
        return (None, None)
    return (size[0], size[1])


@shape_fn("DecodeJpeg", "DecodePng", "DecodeBmp", "DecodeAndCropJpeg", "DecodeJxl")
def decode(context: InferenceContext) -> Sequence[Result]:
    """Give an image of as many channels as `channels` says (0: unknown); a crop window tells height and width."""
    context.with_rank(0, 0)
    channels = _channels(context)
    window = context.items(1) if context.node.op == "DecodeAndCropJpeg" else None
    if window is not None and len(window) == 4:
        height, width = (item if isinstance(item, int) else None for item in window[2:])
        return [(height, width, channels)]
    return [(None, None, channels)]


@shape_fn("DecodeWebP")
def decode_webp(context: InferenceContext) -> Sequence[Result]:
    """Give frames of as many channels as `channels` says (0: unknown)."""
    context.with_rank(0, 0)
    return [(None, None, None, _channels(context))]


@shape_fn("DecodeImage")
def decode_image(context: InferenceContext) -> Sequence[Result]:
    """Give an image, or frames where `expand_animations` allows them and the file has them."""
    context.with_rank(0, 0)
    return [None if context.attr("expand_animations") is not False else (None, None, _channels(context))]


@shape_fn("DecodeGif")
def decode_gif(context: InferenceContext) -> Sequence[Result]:
    """Give frames of three channels."""
    context.with_rank(0, 0)
    return [(None, None, None, 3)]


def _channels(context: InferenceContext) -> Dim:
    channels = context.integer_attr("channels")
    if channels < 0:
        raise ShapeError(f"channels must not be negative, found {channels}")
    return channels or None


@shape_fn("ExtractJpegShape")
def jpeg_shape(context: InferenceContext) -> Sequence[Result]:
    """Give height, width and channels."""
    context.with_rank(0, 0)
    return [(3,)]


@shape_fn("EncodeJpeg", "EncodeJpegVariableQuality")
def encode(context: InferenceContext) -> Sequence[Result]:
    """Give a string."""
    return [()]


@shape_fn("EncodePng")
def encode_png(context: InferenceContext) -> Sequence[Result]:
    """Give a string per image."""
    image = context.at_least(0, 3)
    return [None if image is None else image[:-3]]


@shape_fn("AdjustContrastv2", "AdjustHue", "AdjustSaturation", "AdjustContrast")
def adjust(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the image."""
    return [context.at_least(0, 3)]


@shape_fn("RGBToHSV", "HSVToRGB")
def colours(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the image, whose last dimension is three."""
    image = context.at_least(0, 1)
    return [None if image is None else (*image[:-1], dim.merge_dim(image[-1], 3))]


@shape_fn("DrawBoundingBoxes", "DrawBoundingBoxesV2")
def draw_boxes(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the images."""
    return [context.at_least(0, 3)]


@shape_fn("CropAndResize")
def crop_and_resize(context: InferenceContext) -> Sequence[Result]:
    """Give one image per box, of the height and width in the fourth input."""
    image, boxes, index = context.with_rank(0, 4), context.with_rank(1, 2), context.with_rank(2, 1)
    dim.merge_dim(boxes[1], 4)
    return [(dim.merge_dim(boxes[0], index[0]), *_size(context, 3), image[3])]


@shape_fn("CropAndResizeGradImage")
def crop_and_resize_grad_image(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the fourth input spells."""
    shape = context.shape_of(3)
    return [dim.unknown(4) if shape is None or len(shape) != 4 else shape]


@shape_fn("CropAndResizeGradBoxes")
def crop_and_resize_grad_boxes(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the boxes."""
    return [context.dims(2)]


@shape_fn("ExtractGlimpse", "ExtractGlimpseV2")
def extract_glimpse(context: InferenceContext) -> Sequence[Result]:
    """Give a window of the size in the second input around a place in each image."""
    image, offsets = context.with_rank(0, 4), context.with_rank(2, 2)
    dim.merge_dim(offsets[1], 2)
    return [(dim.merge_dim(image[0], offsets[0]), *_size(context, 1), image[3])]


@shape_fn("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def projective_transform(context: InferenceContext) -> Sequence[Result]:
    """Give images of the height and width that the third input says."""
    image = context.with_rank(0, 4)
    return [(image[0], *_size(context, 2), image[3])]


@shape_fn("SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2", "StatelessSampleDistortedBoundingBox")
def sample_box(context: InferenceContext) -> Sequence[Result]:
    """Give begin and size of a slice, and the box."""
    context.with_rank(0, 1)
    context.with_rank(1, 3)
    return [(3,), (3,), (1, 1, 4)]


@shape_fn("NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionWithOverlaps")
def non_max_suppression(context: InferenceContext) -> Sequence[Result]:
    """Give the places of the boxes that stay."""
    _check_boxes(context)
    return [(None,)]


@shape_fn("NonMaxSuppressionV4")
def non_max_suppression_v4(context: InferenceContext) -> Sequence[Result]:
    """Give the places of the boxes that stay, filled up if `pad_to_max_output_size`, and how many they are."""
    _check_boxes(context)
    return [(_kept(context),), ()]


@shape_fn("NonMaxSuppressionV5")
def non_max_suppression_v5(context: InferenceContext) -> Sequence[Result]:
    """Give places and scores of the boxes that stay, filled up if `pad_to_max_output_size`, and how many they are."""
    _check_boxes(context)
    return [(_kept(context),), (_kept(context),), ()]


def _kept(context: InferenceContext) -> Dim:
    return context.number(2) if context.bool_attr("pad_to_max_output_size") else None


def _check_boxes(context: InferenceContext) -> None:
    boxes, scores = context.with_rank(0, 2), context.with_rank(1, 1)
    dim.merge_dim(boxes[0], scores[0])
    if context.node.op != "NonMaxSuppressionWithOverlaps":
        dim.merge_dim(boxes[1], 4)


@shape_fn("CombinedNonMaxSuppression")
def combined_non_max_suppression(context: InferenceContext) -> Sequence[Result]:
    """Give boxes, scores, classes of what stays in each image; from `pad_per_class` and the limits in inputs 2, 3."""
    boxes, scores = context.with_rank(0, 4), context.with_rank(1, 3)
    dim.merge_dim(boxes[1], scores[1])
    dim.merge_dim(boxes[3], 4)
    batch, classes = boxes[0], scores[2]
    kept = _kept_of_all(context, classes)
    return [(batch, kept, 4), (batch, kept), (batch, kept), (batch,)]


def _kept_of_all(context: InferenceContext, classes: Dim) -> Dim:
    per_class, total = context.integer(2), context.integer(3)
    if total is None:
        return None
    if total <= 0:
        raise ShapeError(f"the number of boxes must be positive, found {total}")
    if not context.bool_attr("pad_per_class"):
        return total
    if per_class is None:
        return None
    of_all = dim.multiply(per_class, classes)
    return min(of_all, total) if isinstance(of_all, int) else None


@shape_fn("GenerateBoundingBoxProposals")
def box_proposals(context: InferenceContext) -> Sequence[Result]:
    """Give `post_nms_topn` regions per image and their scores."""
    batch, kept = context.with_rank(0, 4)[0], context.integer_attr("post_nms_topn", 300)
    return [(batch, kept, 4), (batch, kept)]


@shape_fn("SpaceToDepth", "DepthToSpace")
def space_to_depth(context: InferenceContext) -> Sequence[Result]:
    """Move blocks of `block_size` from height and width to channels, or back; from `data_format`."""
    text = context.text_attr("data_format", "NHWC")
    is_vector, is_first = text.endswith("VECT_C"), text.startswith("NC")
    image = context.with_rank(0, 5 if is_vector else 4)
    block = context.integer_attr("block_size")
    if block < 2:
        raise ShapeError(f"block_size must be 2 or more, found {block}")
    rows, columns, depth = (2, 3, 1) if is_first else (1, 2, 3)
    changed = list(image)
    if context.node.op == "SpaceToDepth":
        changed[rows], changed[columns] = _divided(image[rows], block), _divided(image[columns], block)
        changed[depth] = dim.multiply(image[depth], block * block)
    else:
        changed[rows], changed[columns] = dim.multiply(image[rows], block), dim.multiply(image[columns], block)
        changed[depth] = _divided(image[depth], block * block)
    return [(*changed[:4], 4) if is_vector else tuple(changed)]


def _divided(size: Dim, block: int) -> Dim:
    if isinstance(size, int) and size % block:
        raise ShapeError(f"dimension {size} is no multiple of {block}")
    return dim.divide(size, block)


@shape_fn("SpaceToBatchND", "SpaceToBatch")
def space_to_batch(context: InferenceContext) -> Sequence[Result]:
    """Move blocks from the dimensions behind the first to the first, after padding."""
    return [_moved(context, _blocks(context, context.node.op == "SpaceToBatch"), context.node.op == "SpaceToBatch", +1)]


@shape_fn("BatchToSpaceND", "BatchToSpace")
def batch_to_space(context: InferenceContext) -> Sequence[Result]:
    """Move blocks from the first dimension to those behind it, and crop."""
    return [_moved(context, _blocks(context, context.node.op == "BatchToSpace"), context.node.op == "BatchToSpace", -1)]


def _blocks(context: InferenceContext, is_old: bool) -> list[Dim] | None:
    if is_old:
        return [context.integer_attr("block_size")] * 2
    items = context.items(1)
    if items is None:
        count = context.with_rank(1, 1)[0]
        return [None] * count if isinstance(count, int) and count <= dim.MOST_DIMS else None
    return [item if isinstance(item, int) else None for item in items]


def _moved(context: InferenceContext, blocks: list[Dim] | None, is_old: bool, sign: int) -> Dims | None:
    """Return the shape after space to batch (sign 1) or batch to space (sign -1)."""
    dims = context.with_rank(0, 4) if is_old else context.at_least(0, 1)
    if dims is None or blocks is None:
        return None
    if len(dims) < len(blocks) + 1:
        raise ShapeError(f"shape {dim.show(dims)} has no {len(blocks)} dimensions behind the first")
    edges_at = 1 if is_old else 2
    dim.merge(context.with_rank(edges_at, 2), (len(blocks), 2))
    if any(isinstance(block, int) and block < 1 for block in blocks):
        raise ShapeError("a block must not be smaller than 1")
    edges = context.items(edges_at) or (None,) * (2 * len(blocks))
    total = dim.product(blocks)
    batch = dim.multiply(dims[0], total) if sign > 0 else _divided_by(dims[0], total)
    spatial = [
        _edged(size, block, (edges[2 * axis], edges[2 * axis + 1]), sign)
        for axis, (size, block) in enumerate(zip(dims[1:], blocks, strict=False))
    ]
    return (batch, *spatial, *dims[1 + len(blocks) :])


def _edged(size: Dim, block: Dim, edge: tuple[object, object], sign: int) -> Dim:
    before, after = (item if isinstance(item, int) else None for item in edge)
    both = dim.add(before, after)
    if sign > 0:
        return _divided_by(dim.add(size, both), block)
    left = dim.subtract(dim.multiply(size, block), both)
    if isinstance(left, int) and left < 0:
        raise ShapeError(f"cropping {both} leaves nothing of {size} times {block}")
    return left


def _divided_by(size: Dim, block: Dim) -> Dim:
    if isinstance(size, int) and isinstance(block, int):
        return _divided(size, block)
    return dim.divide(size, block)


@shape_fn("DataFormatDimMap", "DataFormatVecPermute")
def data_format(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    return [context.dims(0)]
