"""Normalization, bias, softmax and losses."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn(
    "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "_FusedBatchNormEx",
)  # fmt: skip
def fused_batch_norm(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input, and vectors of one number per channel; from `data_format`, `is_training`."""
    dims, axis = _image(context, 0)
    channels = dims[axis]
    has_statistics = not context.bool_attr("is_training") or context.attr("exponential_avg_factor") not in (None, 1.0)
    for index in range(1, 5 if has_statistics else 3):
        channels = dim.merge_dim(channels, context.with_rank(index, 1)[0])
    return [dim.replace(dims, axis, channels), *[(channels,)] * 4, None][: context.num_outputs]


@shape_fn(
    "FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3", "_FusedBatchNormGradEx",
)  # fmt: skip
def fused_batch_norm_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input, two vectors of one number per channel, and two empty ones."""
    gradient, axis = _image(context, 0)
    image, _ = _image(context, 1)
    channels = dim.merge_dim(gradient[axis], image[axis])
    for index in range(2, 5):
        channels = dim.merge_dim(channels, context.with_rank(index, 1)[0])
    result: list[Result] = [dim.replace(gradient, axis, channels), (channels,), (channels,), (0,), (0,)]
    if context.node.op == "_FusedBatchNormGradEx":
        result.append(result[0])
    return result[: context.num_outputs]


def _image(context: InferenceContext, index: int) -> tuple[Dims, int]:
    """Return the shape of an image (of a volume, if the format has a D), and the axis of its channels."""
    text = context.text_attr("data_format", "NHWC")
    rank = 5 if "D" in text else 4
    return context.with_rank(index, rank), 1 if text[:2] == "NC" else rank - 1


@shape_fn("BatchNormWithGlobalNormalization")
def batch_norm(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input, whose last dimension the other inputs share."""
    dims = context.with_rank(0, 4)
    channels = dims[3]
    for index in range(1, 5):
        channels = dim.merge_dim(channels, context.with_rank(index, 1)[0])
    return [dim.replace(dims, 3, channels)]


@shape_fn("BatchNormWithGlobalNormalizationGrad")
def batch_norm_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input, and four vectors of one number per channel."""
    dims = dim.merge(context.with_rank(0, 4), context.with_rank(4, 4)) or dim.unknown(4)
    channels = dims[3]
    for index in (1, 2, 3):
        channels = dim.merge_dim(channels, context.with_rank(index, 1)[0])
    return [dim.replace(dims, 3, channels), *[(channels,)] * 4]


@shape_fn("BiasAdd", "BiasAddV1")
def bias_add(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input, whose channels the bias has; from `data_format`."""
    dims, bias = context.at_least(0, 2), context.with_rank(1, 1)[0]
    if dims is None:
        return [None]
    axis = _channel_axis(context, dims)
    return [dim.replace(dims, axis, dim.merge_dim(dims[axis], bias))]


@shape_fn("BiasAddGrad")
def bias_add_grad(context: InferenceContext) -> Sequence[Result]:
    """Give a vector of one number per channel; from `data_format`."""
    dims = context.at_least(0, 2)
    return [(None,) if dims is None else (dims[_channel_axis(context, dims)],)]


def _channel_axis(context: InferenceContext, dims: Dims) -> int:
    return 1 if context.text_attr("data_format") == "NCHW" else len(dims) - 1


@shape_fn("LRN")
def lrn(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    return [context.with_rank(0, 4)]


@shape_fn("Softmax", "LogSoftmax")
def softmax(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    return [context.at_least(0, 1)]


@shape_fn("SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy(context: InferenceContext) -> Sequence[Result]:
    """Give one loss per row, and the gradient; scores and labels broadcast."""
    both = dim.broadcast(context.with_rank(0, 2), context.with_rank(1, 2)) or dim.unknown(2)
    return [both[:1], both]


@shape_fn("SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy(context: InferenceContext) -> Sequence[Result]:
    """Give one loss per row, and the gradient."""
    scores = context.with_rank(0, 2)
    rows = dim.merge_dim(scores[0], context.with_rank(1, 1)[0])
    return [(rows,), (rows, scores[1])]


@shape_fn("CTCLoss", "CTCLossV2")
def ctc_loss(context: InferenceContext) -> Sequence[Result]:
    """Give one loss per sequence of the batch (second dimension of the scores), and the gradient."""
    scores = context.with_rank(0, 3)
    batch = dim.merge_dim(scores[1], context.with_rank(3, 1)[0])
    return [(batch,), (scores[0], batch, scores[2])]


@shape_fn("CTCGreedyDecoder")
def ctc_greedy_decoder(context: InferenceContext) -> Sequence[Result]:
    """Give a sparse tensor of labels, and one score per sequence."""
    batch = dim.merge_dim(context.with_rank(0, 3)[1], context.with_rank(1, 1)[0])
    return [(None, 2), (None,), (2,), (batch, 1)]


@shape_fn("CTCBeamSearchDecoder")
def ctc_beam_search_decoder(context: InferenceContext) -> Sequence[Result]:
    """Give `top_paths` sparse tensors of labels, and the score of each path per sequence."""
    batch = dim.merge_dim(context.with_rank(0, 3)[1], context.with_rank(1, 1)[0])
    paths = context.integer_attr("top_paths", 1)
    if not 0 < paths <= context.num_outputs:
        raise dim.ShapeError(f"top_paths must be positive, found {paths}")
    return [*[(None, 2)] * paths, *[(None,)] * paths, *[(2,)] * paths, (batch, paths)]
