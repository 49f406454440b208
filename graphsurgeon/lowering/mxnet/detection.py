"""Anchors and detections of SSD networks.

Source: MXNet 1.9.1, `src/operator/contrib/multibox_prior-inl.h`, `multibox_detection.cc`.
"""

from __future__ import annotations

from math import sqrt

from graphsurgeon.lowering.mxnet import TABLE
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Net, dims, known_dim
from graphsurgeon.model.dtype import FLOAT32, INT64
from graphsurgeon.model.graph import Value

_FAR = (1 << 31) - 1


@TABLE.lowers("_contrib_MultiBoxPrior", "MultiBoxPrior")
def _prior(net: Net, layer: SourceLayer) -> Value:
    """Lower it to a constant: boxes around the centre of each cell, all sizes first, then all further ratios.

    A width is multiplied with the height of the map by its width, so that boxes of ratio 1 are squares of the image.
    """
    high, wide = known_dim(layer[0], 2), known_dim(layer[0], 3)
    sizes, ratios = layer.numbers("sizes") or [1.0], layer.numbers("ratios") or [1.0]
    steps, offsets = layer.numbers("steps") or [-1.0, -1.0], layer.numbers("offsets") or [0.5, 0.5]
    step_y = steps[0] if steps[0] > 0 else 1 / high
    step_x = steps[1] if len(steps) > 1 and steps[1] > 0 else 1 / wide
    halves = [(size * high / wide * sqrt(ratios[0]) / 2, size / sqrt(ratios[0]) / 2) for size in sizes]
    halves += [(sizes[0] * high / wide * sqrt(ratio) / 2, sizes[0] / sqrt(ratio) / 2) for ratio in ratios[1:]]
    items: list[float] = []
    for row in range(high):
        for column in range(wide):
            x, y = (column + offsets[1]) * step_x, (row + offsets[0]) * step_y
            for half_wide, half_high in halves:
                items += [x - half_wide, y - half_high, x + half_wide, y + half_high]
    if layer.flag("clip"):
        items = [min(max(item, 0.0), 1.0) for item in items]
    return net.constant(items, dims=[1, len(items) // 4, 4])


@TABLE.lowers("_contrib_MultiBoxDetection", "MultiBoxDetection")
def _detection(net: Net, layer: SourceLayer) -> Value:
    """Lower it to rows of (class, score, box) by score.

    The class is -1 where another box was better, all is -1 below the threshold.
    """
    scores, offsets, anchors = layer[0], layer[1], layer[2]
    if layer.integer("background_id") != 0:
        raise LoweringError(f"background_id {layer.integer('background_id')} is not done")
    count = known_dim(scores, 2)
    foreground = net.sliced(scores, 1, 1, _FAR)
    best = net.add("ReduceMax", foreground, axes=[1], keepdims=0)
    classes = net.add("ArgMax", foreground, axis=1, keepdims=0)
    boxes = _decoded(net, layer, offsets, anchors, count)
    taken = net.add("GreaterOrEqual", best, net.constant(layer.number("threshold", 0.01)))
    ranked = net.add("Where", taken, best, net.constant(-1.0))
    ordered, order = net.add_several("TopK", 2, ranked, net.constant([count], INT64), axis=1)
    order.dtype = INT64
    classes = net.add("GatherElements", classes, order, axis=1)
    wide = net.add("Expand", net.add("Unsqueeze", order, net.constant([2], INT64)), net.constant([1, 1, 4], INT64))
    boxes = net.add("GatherElements", boxes, wide, axis=1)
    kept = _kept(net, layer, ordered, classes, boxes, known_dim(scores, 1) - 1)
    valid = net.add("GreaterOrEqual", ordered, net.constant(0.0))
    label = net.add("Where", kept, net.add("Cast", classes, to=FLOAT32), net.constant(-1.0))
    last = net.constant([2], INT64)
    rows = net.add("Concat", net.add("Unsqueeze", label, last), net.add("Unsqueeze", ordered, last), boxes, axis=2)
    return net.add("Where", net.add("Unsqueeze", valid, last), rows, net.constant(-1.0))


def _decoded(net: Net, layer: SourceLayer, offsets: Value, anchors: Value, count: int) -> Value:
    """Return boxes of corners: anchors moved and stretched by what the network says."""
    variances = layer.numbers("variances") or [0.1, 0.1, 0.2, 0.2]
    batch = dims(layer[0])[0]
    moved = net.reshape(offsets, [batch, count, 4])
    moved = net.add("Mul", moved, net.constant([float(item) for item in variances], dims=[1, 1, 4]))
    low, high = net.sliced(anchors, 2, 0, 2), net.sliced(anchors, 2, 2, 4)
    size, centre = net.add("Sub", high, low), net.scaled(net.add("Add", low, high), 0.5)
    middle = net.add("Add", net.add("Mul", net.sliced(moved, 2, 0, 2), size), centre)
    half = net.scaled(net.add("Mul", net.add("Exp", net.sliced(moved, 2, 2, 4)), size), 0.5)
    boxes = net.add("Concat", net.add("Sub", middle, half), net.add("Add", middle, half), axis=2)
    if not layer.flag("clip", True):
        return boxes
    return net.add("Clip", boxes, net.constant(0.0), net.constant(1.0))


def _kept(net: Net, layer: SourceLayer, scores: Value, classes: Value, boxes: Value, count: int) -> Value:
    """Return which boxes, in the order of their scores, no better one of their class covers."""
    threshold, most = layer.number("nms_threshold", 0.5), layer.integer("nms_topk", -1)
    anchors = known_dim(scores, 1)
    valid = net.add("GreaterOrEqual", scores, net.constant(0.0))
    if 0 < most < anchors:
        places = net.constant([float(place) for place in range(anchors)], dims=[1, anchors])
        valid = net.add("And", valid, net.add("Less", places, net.constant(float(most))))
    if threshold <= 0 or threshold > 1:
        return valid
    lists = net.add("Unsqueeze", net.add("Where", valid, scores, net.constant(-1.0)), net.constant([1], INT64))
    if not layer.flag("force_suppress"):
        own = net.constant(list(range(count)), INT64, [1, count, 1])
        of_class = net.add("Equal", net.add("Unsqueeze", classes, net.constant([1], INT64)), own)
        lists = net.add("Where", of_class, lists, net.constant(-1.0))
    chosen = net.add(
        "NonMaxSuppression", boxes, lists, net.constant([anchors], INT64), net.constant([threshold]),
        net.constant([-0.5]),
    )  # fmt: skip
    places = net.add("Gather", chosen, net.constant([0, 2], INT64), axis=1)
    ones = net.add(
        "Expand", net.constant([1.0]), net.add("Shape", net.add("Gather", chosen, net.constant(0, INT64), axis=1))
    )
    marks = net.add("ScatterND", net.scaled(scores, 0.0), places, ones)
    return net.add("Greater", marks, net.constant(0.5))
