"""Anchors and detections of SSD networks, boxes that no better one covers, and what lies in boxes.

Source: MXNet 1.9.1, `src/operator/contrib/multibox_prior-inl.h`, `multibox_detection.cc`, `bounding_box-inl.h`,
`roi_align.cc`.
"""

from __future__ import annotations

from math import sqrt

from graphsurgeon.lowering.mxnet import TABLE
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Net, dims, known_dim, rank
from graphsurgeon.model.dtype import FLOAT32, INT64
from graphsurgeon.model.graph import Value

_FAR = (1 << 31) - 1
_LOWEST = -3.4028234663852886e38


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
    return _marked(net, scores, chosen)


def _marked(net: Net, scores: Value, chosen: Value) -> Value:
    """Return which of the boxes are among those that were chosen, in the shape of their scores."""
    places = net.add("Gather", chosen, net.constant([0, 2], INT64), axis=1)
    ones = net.add(
        "Expand", net.constant([1.0]), net.add("Shape", net.add("Gather", chosen, net.constant(0, INT64), axis=1))
    )
    marks = net.add("ScatterND", net.scaled(scores, 0.0), places, ones)
    return net.add("Greater", marks, net.constant(0.5))


@TABLE.lowers("_contrib_box_nms", "_contrib_box_non_maximum_suppression")
def _box_nms(net: Net, layer: SourceLayer) -> Value:
    """Lower it to the rows that are kept, by score, and behind them rows of -1.

    Boxes of several classes are moved apart by class, further than they reach, and then looked at as one.
    """
    count, width = known_dim(layer[0], rank(layer[0]) - 2), known_dim(layer[0], rank(layer[0]) - 1)
    if rank(layer[0]) not in (2, 3):
        raise LoweringError(f"box_nms of a shape of rank {rank(layer[0])} is not done")
    if layer.text("in_format", "corner") != layer.text("out_format", "corner"):
        raise LoweringError("boxes that come out in another format are not done: MXNet turns only some of them")
    last, first = net.constant([2], INT64), net.constant([0], INT64)
    rows = layer[0] if rank(layer[0]) == 3 else net.add("Unsqueeze", layer[0], first)
    scores = _column(net, rows, layer.integer("score_index", 1))
    valid = net.add("Greater", scores, net.constant(layer.number("valid_thresh")))
    label = layer.integer("id_index", -1)
    if label >= 0 and layer.integer("background_id", -1) >= 0:
        background = net.constant(float(layer.integer("background_id")))
        is_background = net.add("Equal", _column(net, rows, label), background)
        valid = net.add("And", valid, net.add("Not", is_background))
    ranked = net.add("Where", valid, scores, net.constant(_LOWEST))
    ordered, rows = _by(net, ranked, rows, count, width)
    valid = net.add("Greater", ordered, net.constant(_LOWEST))
    most = layer.integer("topk", -1)
    places = net.constant([float(place) for place in range(count)], dims=[1, count])
    if 0 < most < count:
        valid = net.add("And", valid, net.add("Less", places, net.constant(float(most))))
    boxes = _corners(net, layer, rows)
    if label >= 0 and not layer.flag("force_suppress"):
        boxes = _apart(net, boxes, _column(net, rows, label))
    lists = net.add("Unsqueeze", net.add("Where", valid, ordered, net.constant(_LOWEST)), net.constant([1], INT64))
    chosen = net.add(
        "NonMaxSuppression", boxes, lists, net.constant([count], INT64),
        net.constant([layer.number("overlap_thresh", 0.5)]), net.constant([_LOWEST]),
    )  # fmt: skip
    kept = net.add("Where", _marked(net, ordered, chosen), net.add("Sub", net.constant(float(count)), places),
                   net.constant(0.0))  # fmt: skip
    marks, rows = _by(net, kept, rows, count, width)
    is_kept = net.add("Unsqueeze", net.add("Greater", marks, net.constant(0.0)), last)
    found = net.add("Where", is_kept, rows, net.constant(-1.0))
    return found if rank(layer[0]) == 3 else net.add("Squeeze", found, first)


def _column(net: Net, rows: Value, place: int) -> Value:
    return net.add("Gather", rows, net.constant(place, INT64), axis=2)


def _by(net: Net, keys: Value, rows: Value, count: int, width: int) -> tuple[Value, Value]:
    """Return keys from the largest on, and the rows in the same order."""
    ordered, order = net.add_several("TopK", 2, keys, net.constant([count], INT64), axis=1)
    order.dtype = INT64
    wide = net.constant([1, 1, width], INT64)
    places = net.add("Expand", net.add("Unsqueeze", order, net.constant([2], INT64)), wide)
    return ordered, net.add("GatherElements", rows, places, axis=1)


def _corners(net: Net, layer: SourceLayer, rows: Value) -> Value:
    start = layer.integer("coord_start", 2)
    if layer.text("in_format", "corner") == "corner":
        return net.sliced(rows, 2, start, start + 4)
    centre, half = net.sliced(rows, 2, start, start + 2), net.scaled(net.sliced(rows, 2, start + 2, start + 4), 0.5)
    return net.add("Concat", net.add("Sub", centre, half), net.add("Add", centre, half), axis=2)


def _apart(net: Net, boxes: Value, classes: Value) -> Value:
    """Return boxes moved by their class, so that those of two classes do not meet."""
    reach = net.add("Sub", net.reduced("ReduceMax", boxes, [1, 2], keeps=True),
                    net.reduced("ReduceMin", boxes, [1, 2], keeps=True))  # fmt: skip
    step = net.shifted(reach, 1.0)
    return net.add("Add", boxes, net.add("Mul", net.add("Unsqueeze", classes, net.constant([2], INT64)), step))


@TABLE.lowers("_contrib_ROIAlign")
def _roi_align(net: Net, layer: SourceLayer) -> Value:
    if layer.flag("position_sensitive"):
        raise LoweringError("position_sensitive is not done")
    high, wide = (layer.integers("pooled_size") * 2)[:2]
    which = net.reshape(net.sliced(layer[1], 1, 0, 1), [dims(layer[1])[0]])
    samples = net.add("Cast", which, to=INT64)
    return net.add(
        "RoiAlign", layer[0], net.sliced(layer[1], 1, 1, 5), samples,
        output_height=high, output_width=wide, sampling_ratio=max(layer.integer("sample_ratio", -1), 0),
        spatial_scale=layer.number("spatial_scale", 1.0),
        coordinate_transformation_mode=b"half_pixel" if layer.flag("aligned") else b"output_half_pixel",
    )  # fmt: skip
