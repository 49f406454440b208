"""Losses, as they stand in exported training graphs. Source: the pages of the operators."""

from __future__ import annotations

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.lowering.types import as_indices


@lowers("NegativeLogLikelihoodLoss", 12, 13, 22)
def negative_log_likelihood(b: Builder, node: Source) -> Operand:
    """Minus what the class of each place has, weighted."""
    return _loss(b, node, b.plain(node[0]))


@lowers("SoftmaxCrossEntropyLoss", 12, 13)
def cross_entropy(b: Builder, node: Source) -> list[Operand | None]:
    """The same of the logarithm of a softmax over the classes, which is the second output."""
    from graphsurgeon.lowering.families.activations import softmax_at

    x = b.plain(node[0])
    logs = b.plain(softmax_at(b, "LogSoftmax", x, 1))
    return [_loss(b, node, logs), logs]


def _loss(b: Builder, node: Source, logs: Operand) -> Operand:
    labels, weights = as_indices(b, b.plain(node[1])), node.get(2)
    rank = logs.rank
    ignored = node.attr("ignore_index")
    counted = None
    if isinstance(ignored, int):
        counted = b.op("NotEqual", labels, b.constant(ignored, labels.dtype))
        labels = b.op("SelectV2", counted, labels, b.constant(0, labels.dtype))
    lying = b.transpose(logs, [0, *range(2, rank), 1])
    places = b.op("ExpandDims", labels, rank - 1)
    own = b.squeeze(b.op("GatherV2", lying, places, rank - 1, batch_dims=rank - 1), [rank - 1])
    loss = b.op("Neg", own)
    zero = b.constant(0.0, loss.dtype)
    each = b.op("GatherV2", weights, labels, 0) if weights is not None else None
    if each is not None:
        loss = b.op("Mul", loss, each)
    if counted is not None:
        loss = b.op("SelectV2", counted, loss, zero)
        ones = each if each is not None else b.op("OnesLike", loss)
        each = b.op("SelectV2", counted, ones, zero)
    reduction = node.text("reduction", "mean")
    every = list(range(rank - 1))
    if reduction == "none":
        return loss
    if reduction == "sum" or (reduction == "mean" and each is None):
        return b.op("Sum" if reduction == "sum" else "Mean", loss, every)
    if reduction != "mean" or each is None:
        raise LoweringError(f"reduction {reduction!r}")
    return b.op("RealDiv", b.op("Sum", loss, every), b.op("Sum", each, every))
