"""Ops that cut and pad, and that move elements between channels and space. Source: the pages of the operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphsurgeon.lowering.builder import Builder, as_ordered, as_plain
from graphsurgeon.lowering.families.choosing import size_at
from graphsurgeon.lowering.layout import from_last, last, mapped
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source, normal_axis
from graphsurgeon.lowering.table import LoweringError, lowers, require_few
from graphsurgeon.model.dtype import INT64

_MOST, _LEAST = (1 << 31) - 1, -(1 << 31)  # of int32


@lowers("Slice", 1)
def slice_by_attributes(b: Builder, node: Source) -> Operand:
    """Starts, ends and axes are attributes."""
    starts, ends = node.ints("starts") or [], node.ints("ends") or []
    axes = node.ints("axes") or list(range(len(starts)))
    return _cut(b, node[0], starts, ends, axes, [1] * len(starts))


@lowers("Slice", 10, 11, 13)
def slice_(b: Builder, node: Source) -> Operand:
    """Starts and ends may be computed when the model runs; axes and steps may not."""
    x, starts, ends = node[0], node[1], node[2]
    if any(node.has(index) and node[index].numbers is None for index in (3, 4)):
        return _cut_at_computed(b, b.plain(x), node)
    count = starts.dims[0]
    axes = node.known(3, "axes") if node.has(3) else list(range(count)) if isinstance(count, int) else None
    if axes is None:
        raise LoweringError("the number of its axes is not known")
    steps = node.known(4, "steps") if node.has(4) else [1] * len(axes)
    if starts.numbers is None or ends.numbers is None:
        return _cut_by_computed(b, x, starts, ends, axes, steps)
    return _cut(b, x, starts.numbers, ends.numbers, axes, steps)


def _cut(
    b: Builder, x: Operand, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]
) -> Operand:
    rank = x.rank
    begin, end, stride = [0] * rank, [0] * rank, [1] * rank
    open_begin = open_end = (1 << rank) - 1
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise LoweringError("it has not as many starts as ends, axes and steps")
    for first, stop, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = mapped(x, normal_axis(axis, rank))
        begin[place], end[place] = (max(min(number, _MOST), _LEAST) for number in (first, stop))
        stride[place] = max(min(step, _MOST), -_MOST)
        open_begin &= ~(1 << place)
        open_end &= ~(1 << place)
    made = b.op("StridedSlice", as_plain(x), begin, end, stride, begin_mask=open_begin, end_mask=open_end)
    return as_ordered(made, x.order)


def _cut_at_computed(b: Builder, x: Operand, node: Source) -> Operand:
    """Cut where even the axes are computed when the model runs; steps are positive unless they are known."""
    steps = node.get(4)
    if steps is not None and (steps.numbers is None or min(steps.numbers, default=1) < 0):
        numbers = steps.numbers
        if numbers is None and node[3].numbers is None and steps.dims != node[3].dims:
            raise LoweringError("its steps are computed when the model runs")
    axes = b.op("FloorMod", b.cast(node[3], INT64), b.constant(x.rank, INT64))
    places = b.op("ExpandDims", axes, 1)
    dims = b.shape_of(x)
    begin = b.op("TensorScatterUpdate", b.op("ZerosLike", dims), places, b.cast(node[1], INT64))
    end = b.op("TensorScatterUpdate", dims, places, b.cast(node[2], INT64))
    stride = b.op("OnesLike", dims)
    if steps is not None:
        stride = b.op("TensorScatterUpdate", stride, places, b.cast(steps, INT64))
    return b.op("StridedSlice", x, begin, end, stride)


def _cut_by_computed(
    b: Builder, x: Operand, starts: Operand, ends: Operand, axes: Sequence[int], steps: Sequence[int]
) -> Operand:
    rank = x.rank
    places = [mapped(x, normal_axis(axis, rank)) for axis in axes]
    sides = []
    for vector in (starts, ends):
        parts = b.ops("Unpack", b.cast(vector, INT64), num=len(axes), axis=0)
        zero = b.constant(0, INT64)
        sides.append(
            b.op("Pack", *(parts[places.index(axis)] if axis in places else zero for axis in range(rank)), axis=0)
        )
    stride = [steps[places.index(axis)] if axis in places else 1 for axis in range(rank)]
    mask = sum(1 << axis for axis in range(rank) if axis not in places)
    made = b.op("StridedSlice", as_plain(x), *sides, b.constant(stride, INT64), begin_mask=mask, end_mask=mask)
    return as_ordered(made, x.order)


@lowers("Pad", 2)
def pad_by_attributes(b: Builder, node: Source) -> Operand:
    """Pads and value are attributes."""
    x = node[0]
    pads = node.ints("pads") or []
    return _padded(b, x, node.text("mode", "constant"), _rows(pads, x.rank), b.constant(node.number("value"), x.dtype))


@lowers("Pad", 11, 13, 18, 19, 21, 23, 24, 25)
def pad(b: Builder, node: Source) -> Operand:
    """Negative pads cut; constants, edges, mirrored or repeated cells are added."""
    x, value = node[0], node.get(2)
    mode = node.text("mode", "constant")
    if node.has(3) and node[3].numbers is None:
        return _padded_at_computed(b, b.plain(x), node, mode)
    axes = node.axes(x.rank, 3)
    fill = b.reshape(value, []) if value is not None and value.size != 0 else b.constant(_zero(x), x.dtype)
    if node[1].numbers is None:
        return _padded_by_computed(b, x, mode, node[1], axes, fill)
    return _padded(b, x, mode, _rows(node.known(1, "pads"), x.rank, axes), fill)


def _zero(x: Operand) -> Any:
    return False if x.dtype.name == "bool" else b"" if x.dtype.name == "string" else 0


def _rows(flat: Sequence[int], rank: int, axes: Sequence[int] | None = None) -> list[tuple[int, int]]:
    places = list(axes) if axes is not None else list(range(rank))
    if len(flat) != 2 * len(places):
        raise LoweringError(f"{len(flat)} pads for {len(places)} axes")
    rows = [(0, 0)] * rank
    for place, axis in enumerate(places):
        rows[axis] = (flat[place], flat[place + len(places)])
    return rows


def _padded_by_computed(
    b: Builder, x: Operand, mode: str, pads: Operand, axes: list[int] | None, value: Operand
) -> Operand:
    rows = b.op("Transpose", b.reshape(b.cast(pads, INT64), [2, -1]), [1, 0])
    if axes is not None and axes != list(range(x.rank)):
        none = b.constant([[0, 0]] * x.rank, INT64)
        rows = b.op("TensorScatterUpdate", none, b.constant([[axis] for axis in axes], INT64), rows)
    if mode == "constant":
        return b.op("PadV2", x, rows, value)
    x = b.plain(x)
    for axis in range(x.rank):
        before, after = b.ops("Unpack", _row(b, rows, axis), num=2, axis=0)
        x = b.op("GatherV2", x, _sources(b, x, axis, before, after, mode), axis)
    return x


def _row(b: Builder, rows: Operand, axis: int) -> Operand:
    return b.op("StridedSlice", rows, [axis, 0], [axis + 1, 0], [1, 1], begin_mask=2, end_mask=2, shrink_axis_mask=1)


def _padded_at_computed(b: Builder, x: Operand, node: Source, mode: str) -> Operand:
    """Pad where even the axes are computed when the model runs."""
    if mode != "constant":
        raise LoweringError("its axes are computed when the model runs")
    axes = b.op("ExpandDims", b.op("FloorMod", b.cast(node[3], INT64), b.constant(x.rank, INT64)), 1)
    pairs = b.op("Transpose", b.reshape(b.cast(node[1], INT64), [2, -1]), [1, 0])
    rows = b.op("TensorScatterUpdate", b.constant([[0, 0]] * x.rank, INT64), axes, pairs)
    value = node.get(2)
    fill = b.reshape(value, []) if value is not None and value.size != 0 else b.constant(_zero(x), x.dtype)
    return b.op("PadV2", x, rows, fill)


def _padded(b: Builder, x: Operand, mode: str, rows: list[tuple[int, int]], value: Operand) -> Operand:
    if any(before < 0 or after < 0 for before, after in rows):
        starts = [max(-before, 0) for before, _ in rows]
        ends = [min(after, 0) or _MOST for _, after in rows]
        x = _cut(b, x, starts, ends, list(range(x.rank)), [1] * x.rank)
        rows = [(max(before, 0), max(after, 0)) for before, after in rows]
    if not any(before or after for before, after in rows):
        return x
    lying = [rows[axis] for axis in (x.order or range(x.rank))]
    if mode == "constant":
        zero = value.numbers in ([0], [False]) and value.dtype.name != "string"
        cells = [list(row) for row in lying]
        made = b.op("Pad", as_plain(x), cells) if zero else b.op("PadV2", as_plain(x), cells, value)
        return as_ordered(made, x.order)
    sides = [x.dims[axis] for axis in (x.order or range(x.rank))]
    fits = all(isinstance(side, int) and max(row) < side for side, row in zip(sides, lying, strict=True) if any(row))
    if mode == "reflect" and fits:
        return as_ordered(b.op("MirrorPad", as_plain(x), [list(row) for row in lying], mode="REFLECT"), x.order)
    made = as_plain(x)
    for axis, (before, after) in enumerate(lying):
        if before or after:
            both = [b.constant(one, INT64) for one in (before, after)]
            made = b.op("GatherV2", made, _sources(b, made, axis, both[0], both[1], mode), axis)
    return as_ordered(made, x.order)


def _sources(b: Builder, x: Operand, axis: int, before: Operand, after: Operand, mode: str) -> Operand:
    """Return where the cells of a padded axis come from."""
    side = b.constant(x.dims[axis], INT64) if isinstance(x.dims[axis], int) else size_at(b, x, axis)
    one, zero = b.constant(1, INT64), b.constant(0, INT64)
    places = b.op("Range", b.op("Neg", before), b.op("AddV2", side, after), one)
    top = b.op("Sub", side, one)
    if mode == "edge":
        return b.op("Minimum", b.op("Maximum", places, zero), top)
    if mode == "wrap":
        return b.op("FloorMod", places, side)
    if mode != "reflect":
        raise LoweringError(f"mode {mode!r}")
    period = b.op("Maximum", b.op("Mul", top, b.constant(2, INT64)), one)
    rest = b.op("FloorMod", places, period)
    return b.op("Minimum", b.op("Minimum", rest, b.op("Sub", period, rest)), top)


@lowers("DepthToSpace", 1, 11, 13, 28)
def depth_to_space(b: Builder, node: Source) -> Operand:
    """Channels into blocks of space; in mode CRD they are counted otherwise, so they are put in order first."""
    x, size = node[0], node.integer("blocksize")
    lying = last(b, x)
    if node.text("mode", "DCR") == "CRD":
        lying = b.op("GatherV2", lying, _order(x, size), 3)
    return from_last(b.op("DepthToSpace", lying, block_size=size))


def _order(x: Operand, size: int) -> list[int]:
    """Return, for each channel as TensorFlow counts, the one of mode CRD."""
    channels = x.dims[1]
    if not isinstance(channels, int) or channels % (size * size):
        raise LoweringError(f"{channels} channels in blocks of {size}")
    require_few(channels, 1 << 20, "channels")
    depth = channels // (size * size)
    return [place % depth * size * size + place // depth for place in range(channels)]


@lowers("SpaceToDepth", 1, 13, 28)
def space_to_depth(b: Builder, node: Source) -> Operand:
    """Blocks of space into channels."""
    x, size = node[0], node.integer("blocksize")
    made = b.op("SpaceToDepth", last(b, x), block_size=size)
    if node.text("mode", "DCR") == "CRD":
        channels = x.dims[1]
        if not isinstance(channels, int):
            raise LoweringError("the number of channels is not known", hint="give it with --shape")
        count = channels * size * size
        require_few(count, 1 << 20, "channels")
        made = b.op(
            "GatherV2", made, [place % (size * size) * channels + place // (size * size) for place in range(count)], 3
        )
    return from_last(made)


@lowers("CenterCropPad", 18)
def center_crop_pad(b: Builder, node: Source) -> Operand:
    """The middle of some axes, or zeros round it."""
    x, wanted = b.plain(node[0]), b.cast(node[1], INT64)
    given = node.ints("axes")
    axes = [normal_axis(axis, x.rank) for axis in given] if given is not None else list(range(x.rank))
    sides = b.shape_of(x)
    if axes != list(range(x.rank)):
        wanted = b.op("TensorScatterUpdate", sides, b.constant([[axis] for axis in axes], INT64), wanted)
    zero, two = b.constant(0, INT64), b.constant(2, INT64)
    less = b.op("Maximum", b.op("Sub", sides, wanted), zero)
    more = b.op("Maximum", b.op("Sub", wanted, sides), zero)
    cut = b.op("Slice", x, b.op("FloorDiv", less, two), b.op("Minimum", sides, wanted))
    before = b.op("FloorDiv", more, two)
    rows = b.op("Pack", before, b.op("Sub", more, before), axis=1)
    return b.op("PadV2", cut, rows, b.constant(_zero(x), x.dtype))
