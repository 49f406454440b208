"""Anchors and detections of SSD networks.

Source: the SSD fork of Caffe, `prior_box_layer.cpp`, `detection_output_layer.cpp`, `bbox_util.cpp`.
"""

from __future__ import annotations

from math import sqrt

from graphsurgeon.lowering.caffe import TABLE
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Net, known_dim
from graphsurgeon.model.dtype import BOOL, FLOAT32, INT64
from graphsurgeon.model.graph import Value

_VARIANCE = 0.1
_CODE_TYPES = {"1": "CORNER", "2": "CENTER_SIZE", "3": "CORNER_SIZE"}


@TABLE.lowers("PriorBox")
def _prior_box(net: Net, layer: SourceLayer) -> Value:
    """Lower it to a constant of [1, 2, boxes * 4]: the corners of each box, and what its offsets are scaled with."""
    settings = layer.within("prior_box_param")
    high, wide = known_dim(layer[0], 2), known_dim(layer[0], 3)
    image = settings.number("img_size")
    image_high = settings.number("img_h", image) or float(known_dim(layer[1], 2))
    image_wide = settings.number("img_w", image) or float(known_dim(layer[1], 3))
    step = settings.number("step")
    step_high = settings.number("step_h", step) or image_high / high
    step_wide = settings.number("step_w", step) or image_wide / wide
    offset = settings.number("offset", 0.5)
    sizes = _sizes(settings)
    items: list[float] = []
    for row in range(high):
        for column in range(wide):
            x, y = (column + offset) * step_wide, (row + offset) * step_high
            for width, height in sizes:
                items += [(x - width / 2) / image_wide, (y - height / 2) / image_high]
                items += [(x + width / 2) / image_wide, (y + height / 2) / image_high]
    if settings.flag("clip"):
        items = [min(max(item, 0.0), 1.0) for item in items]
    variance = settings.numbers("variance") or [_VARIANCE]
    variances = (variance if len(variance) == 4 else variance[:1] * 4) * (len(items) // 4)
    return net.constant([*items, *variances], dims=[1, 2, len(items)])


def _sizes(settings: SourceLayer) -> list[tuple[float, float]]:
    """Return width and height, in pixels, of the boxes of one cell, in their order."""
    least, most = settings.numbers("min_size"), settings.numbers("max_size")
    ratios: list[float] = [1.0]
    for ratio in settings.numbers("aspect_ratio"):
        if all(abs(ratio - known) >= 1e-6 for known in ratios):
            ratios += [ratio, 1 / ratio] if settings.flag("flip", True) else [ratio]
    sizes = []
    for place, size in enumerate(least):
        sizes.append((size, size))
        if place < len(most):
            sizes.append((sqrt(size * most[place]),) * 2)
        sizes += [(size * sqrt(ratio), size / sqrt(ratio)) for ratio in ratios[1:]]
    return sizes


@TABLE.lowers("DetectionOutput")
def _detection_output(net: Net, layer: SourceLayer) -> Value:
    """Lower it to [1, 1, found, 7]: image, class, score, corners; by class, and by score within.

    Where nothing is found there is no row; Caffe writes one of -1.
    """
    settings = layer.within("detection_output_param")
    _require_usual(settings)
    classes = settings.integer("num_classes")
    priors = known_dim(layer[2], 2) // 4
    corners, variances = (net.reshape(net.sliced(layer[2], 1, row, row + 1), [1, priors, 4]) for row in (0, 1))
    batch = known_dim(layer[0], 0)
    if batch != 1 and settings.integer("keep_top_k", -1) >= 0:
        raise LoweringError("keep_top_k of several images is not done", hint="give the shape of one: --shape")
    boxes = _boxes(net, settings, net.reshape(layer[0], [batch, priors, 4]), corners, variances)
    scores = net.reshape(layer[1], [batch, priors, classes])
    scores = _candidates(net, settings, net.add("Transpose", scores, perm=[0, 2, 1]), priors)
    chosen = net.add(
        "NonMaxSuppression", boxes, scores, net.constant([priors], INT64),
        net.constant([settings.number("nms_param.nms_threshold", 0.3)]),
        net.constant([max(settings.number("confidence_threshold", 0.0), 0.0)]),
    )  # fmt: skip
    return _rows(net, boxes, scores, _best(net, settings, chosen, scores))


def _require_usual(settings: SourceLayer) -> None:
    if not settings.flag("share_location", True):
        raise LoweringError("boxes of their own for each class are not done")
    if settings.flag("variance_encoded_in_target"):
        raise LoweringError("variance_encoded_in_target is not done")
    if settings.number("nms_param.eta", 1.0) != 1.0:
        raise LoweringError("a threshold that falls (eta) is not done")


def _boxes(net: Net, settings: SourceLayer, offsets: Value, priors: Value, variances: Value) -> Value:
    """Return corners: priors moved and stretched by what the network says."""
    code = settings.text("code_type", "CORNER")
    code = _CODE_TYPES.get(code, code)
    scaled = net.add("Mul", offsets, variances)
    low, high = net.sliced(priors, 2, 0, 2), net.sliced(priors, 2, 2, 4)
    size = net.add("Sub", high, low)
    if code == "CORNER":
        return net.add("Add", scaled, priors)
    if code == "CORNER_SIZE":
        return net.add("Add", net.add("Mul", scaled, net.add("Concat", size, size, axis=2)), priors)
    if code != "CENTER_SIZE":
        raise LoweringError(f"code_type {code} is not known")
    centre = net.scaled(net.add("Add", low, high), 0.5)
    middle = net.add("Add", net.add("Mul", net.sliced(scaled, 2, 0, 2), size), centre)
    half = net.scaled(net.add("Mul", net.add("Exp", net.sliced(scaled, 2, 2, 4)), size), 0.5)
    return net.add("Concat", net.add("Sub", middle, half), net.add("Add", middle, half), axis=2)


def _candidates(net: Net, settings: SourceLayer, scores: Value, priors: int) -> Value:
    """Return scores that are -1 where a box is not looked at: of the background, and beyond the best `top_k`."""
    most = settings.integer("nms_param.top_k", -1)
    if 0 < most < priors:
        best = net.add_several("TopK", 2, scores, net.constant([most], INT64), axis=2)[0]
        last = net.sliced(best, 2, most - 1, most)
        scores = net.add("Where", net.add("GreaterOrEqual", scores, last), scores, net.constant(-1.0))
    background, classes = settings.integer("background_label_id"), known_dim(scores, 1)
    if not 0 <= background < classes:
        return scores
    is_background = net.constant([number == background for number in range(classes)], BOOL, [1, classes, 1])
    return net.add("Where", is_background, net.constant(-1.0), scores)


def _best(net: Net, settings: SourceLayer, chosen: Value, scores: Value) -> Value:
    """Return the rows (image, class, box) of the `keep_top_k` best scores, in their order."""
    most = settings.integer("keep_top_k", -1)
    if most < 0:
        return chosen
    found = net.add("GatherND", scores, chosen)
    count = net.add("Min", net.add("Shape", found), net.constant([most], INT64))
    places = net.add_several("TopK", 2, found, count, axis=0)[1]
    places.dtype = INT64
    ordered = net.add_several("TopK", 2, places, count, axis=0, largest=0)[0]
    ordered.dtype = INT64
    return net.add("Gather", chosen, ordered, axis=0)


def _rows(net: Net, boxes: Value, scores: Value, chosen: Value) -> Value:
    score = net.add("Unsqueeze", net.add("GatherND", scores, chosen), net.constant([1], INT64))
    box = net.add("GatherND", boxes, net.add("Gather", chosen, net.constant([0, 2], INT64), axis=1))
    image_and_class = net.add("Cast", net.sliced(chosen, 1, 0, 2), to=FLOAT32)
    rows = net.add("Concat", image_and_class, score, box, axis=1)
    return net.add("Unsqueeze", rows, net.constant([0, 1], INT64))
