"""Boxes: those that are kept, and what lies in them. Source: the pages of the operators."""

from __future__ import annotations

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.model.dtype import FLOAT32, INT32, INT64

_MOST_UNROLLED = 256  # classes times samples that are looked at one by one


@lowers("NonMaxSuppression", 10, 11)
def non_max_suppression(b: Builder, node: Source) -> Operand:
    """For each sample and class the boxes that are kept, as (sample, class, box)."""
    boxes, scores = b.plain(node[0]), b.plain(node[1])
    batch, classes = scores.dims[:2]
    batch = batch if isinstance(batch, int) else boxes.dims[0]
    if not isinstance(batch, int) or not isinstance(classes, int) or batch * classes > _MOST_UNROLLED:
        raise LoweringError("batch and classes must be known, and few", hint="give shapes with --shape")
    most = _at_most(b, b.reshape(node[2], [])) if node.has(2) else b.constant(0)
    overlap = b.reshape(node[3], []) if node.has(3) else b.constant(0.0)
    least = b.reshape(node[4], []) if node.has(4) else b.constant(float("-inf"))
    corners = _corners(b, boxes) if node.flag("center_point_box") else boxes
    parts = []
    for sample in range(batch):
        own = _at(b, corners, sample, 3)
        of_sample = _at(b, scores, sample, 3)
        for label in range(classes):
            kept = b.cast(b.op("NonMaxSuppressionV3", own, _at(b, of_sample, label, 2), most, overlap, least), INT64)
            parts.append(b.op("Pad", b.op("ExpandDims", kept, 1), [[0, 0], [2, 0]]))
            parts[-1] = b.op("AddV2", parts[-1], b.constant([[sample, label, 0]], INT64))
    return b.op("ConcatV2", *parts, 0) if len(parts) > 1 else parts[0]


def _at_most(b: Builder, count: Operand) -> Operand:
    """Return a count as int32; "all of them" is written as the largest int64."""
    return b.cast(b.op("Minimum", count, b.constant((1 << 31) - 1, count.dtype)), INT32)


def _at(b: Builder, x: Operand, place: int, rank: int) -> Operand:
    mask = (1 << rank) - 2
    return b.op(
        "StridedSlice", x, [place, *[0] * (rank - 1)], [place + 1, *[0] * (rank - 1)], [1] * rank,
        begin_mask=mask, end_mask=mask, shrink_axis_mask=1,
    )  # fmt: skip


def _corners(b: Builder, boxes: Operand) -> Operand:
    """Return boxes given by centre and size as corners: (y, x, y, x)."""
    x, y, width, height = b.ops("Unpack", boxes, num=4, axis=2)
    half = b.constant(0.5)
    across, down = b.op("Mul", width, half), b.op("Mul", height, half)
    ends = [b.op("Sub", y, down), b.op("Sub", x, across), b.op("AddV2", y, down), b.op("AddV2", x, across)]
    return b.op("Pack", *ends, axis=2)


@lowers("RoiAlign", 10, 16, 22)
def roi_align(b: Builder, node: Source) -> Operand:
    """Means or maxima of points within boxes, each interpolated between four cells."""
    x, rois, samples = b.plain(node[0]), b.plain(node[1]), node[2]
    high, wide = node.integer("output_height", 1), node.integer("output_width", 1)
    ratio, scale = node.integer("sampling_ratio"), node.number("spatial_scale", 1.0)
    if ratio < 1:
        raise LoweringError("sampling_ratio 0: a number of points of its own for each box")
    default = "half_pixel" if node.version >= 16 else "output_half_pixel"
    half = node.text("coordinate_transformation_mode", default) == "half_pixel"
    if x.dtype is not FLOAT32:
        raise LoweringError(f"{x.dtype} values")
    left, top, right, bottom = (
        b.op("Sub", b.op("Mul", one, scale), 0.5 if half else 0.0) for one in b.ops("Unpack", rois, num=4, axis=1)
    )
    heights, widths = b.op("Sub", bottom, top), b.op("Sub", right, left)
    if not half:
        heights, widths = b.op("Maximum", heights, 1.0), b.op("Maximum", widths, 1.0)
    lying = b.transpose(x, [0, 2, 3, 1])
    sides = b.ops("Unpack", b.op("StridedSlice", b.op("Shape", lying), [1], [3], [1]), num=2, axis=0)
    ys = _points(b, top, heights, high, ratio)
    xs = _points(b, left, widths, wide, ratio)
    rows, columns = (_neighbours(b, points, b.cast(side, FLOAT32)) for points, side in ((ys, sides[0]), (xs, sides[1])))
    which = b.reshape(b.cast(samples, INT32), [-1, 1, 1])
    total: Operand | None = None
    is_max = node.text("mode", "avg") == "max"
    for row, row_weight in rows:
        for column, column_weight in columns:
            place = b.op("ExpandDims", row, 2), b.op("ExpandDims", column, 1)
            zero = b.op("Mul", b.op("AddV2", place[0], place[1]), b.constant(0))
            spots = b.op("Pack", *(b.op("AddV2", one, zero) for one in (which, *place)), axis=3)
            weight = b.op("Mul", b.op("ExpandDims", row_weight, 2), b.op("ExpandDims", column_weight, 1))
            part = b.op("Mul", b.op("GatherNd", lying, spots), b.op("ExpandDims", weight, 3))
            total = part if total is None else b.op("Maximum" if is_max else "AddV2", total, part)
    assert total is not None
    channels = x.dims[1]
    if not isinstance(channels, int):
        raise LoweringError("the number of channels is not known", hint="give it with --shape")
    grouped = b.reshape(total, [-1, high, ratio, wide, ratio, channels])
    found = b.op("Max" if is_max else "Mean", grouped, [2, 4])
    return b.transpose(found, [0, 3, 1, 2])


def _points(b: Builder, start: Operand, length: Operand, count: int, ratio: int) -> Operand:
    """Return where the points of each box lie along one axis: `[boxes, count * ratio]`."""
    steps = [(place + 0.5) / (count * ratio) for place in range(count * ratio)]
    return b.op("AddV2", b.op("ExpandDims", start, 1), b.op("Mul", b.op("ExpandDims", length, 1), b.constant([steps])))


def _neighbours(b: Builder, points: Operand, side: Operand) -> list[tuple[Operand, Operand]]:
    """Return the two cells round each point with their weights; points more than 1 outside weigh nothing."""
    outside = b.op("LogicalOr", b.op("Less", points, -1.0), b.op("Greater", points, side))
    top = b.op("Sub", side, 1.0)
    at = b.op("Maximum", points, 0.0)
    low = b.op("Minimum", b.op("Floor", at), top)
    at = b.op("Minimum", at, top)
    high = b.op("Minimum", b.op("AddV2", low, 1.0), top)
    part = b.op("Sub", at, low)
    none = b.op("ZerosLike", part)
    weights = [b.op("Sub", 1.0, part), part]
    return [
        (b.cast(cell, INT32), b.op("SelectV2", outside, none, weight))
        for cell, weight in zip((low, high), weights, strict=True)
    ]
