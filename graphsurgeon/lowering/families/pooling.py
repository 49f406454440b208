"""Pools: channels last, to the pixel where they are padded or rounded up. Source: the pages of the operators."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

from graphsurgeon.lowering.builder import Builder, as_ordered
from graphsurgeon.lowering.families.choosing import size_at
from graphsurgeon.lowering.layout import channels_last, from_last, last
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers, require_few
from graphsurgeon.lowering.types import computed_as
from graphsurgeon.lowering.windows import Window, padded, window_of
from graphsurgeon.model.dtype import INT64, DType
from graphsurgeon.shapes.dims import Dim


@lowers("MaxPool", 1, 8, 10, 11, 12, 22)
def max_pool(b: Builder, node: Source) -> list[Operand | None]:
    """The largest of each window; with a second output where it was."""
    x = node[0]
    window = window_of(node, x, node.ints("kernel_shape") or [], ceil=node.flag("ceil_mode"))
    if node.wants(1):
        return list(_with_indices(b, x, window, column_major=node.flag("storage_order")))
    return [from_last(pooled(b, last(b, x), window, _MAX))]


@lowers("AveragePool", 1, 7, 10, 11, 19, 22)
def average_pool(b: Builder, node: Source) -> Operand:
    """The mean of each window, of the cells that count."""
    x = node[0]
    window = window_of(node, x, node.ints("kernel_shape") or [], ceil=node.flag("ceil_mode"))
    includes = node.flag("count_include_pad")
    lying = last(b, x)
    if window.is_valid or (window.is_same and not includes and set(window.dilations) == {1}):
        return from_last(pooled(b, lying, window, _AVERAGE))
    mean = pooled(b, padded(b, lying, window.all_pads), _unpadded(window), _AVERAGE)
    if includes and not any(window.extra):
        return from_last(mean)
    if None in window.outputs():
        return from_last(b.op("RealDiv", mean, _counted(b, lying, window, includes=includes)))
    return from_last(b.op("Mul", mean, _weights(window, x.dtype, includes=includes)))


@lowers("LpPool", 1, 2, 11, 18, 22)
def lp_pool(b: Builder, node: Source) -> Operand:
    """The p-norm of each window."""
    x, p = node[0], node.number("p", 2.0)
    window = window_of(node, x, node.ints("kernel_shape") or [], ceil=node.flag("ceil_mode"))
    lying = padded(b, last(b, x), window.all_pads)
    powers = b.op("Pow", b.op("Abs", lying), b.constant(p, x.dtype))
    mean = pooled(b, powers, _unpadded(window), _AVERAGE)
    count = 1
    for length in window.kernel:
        count *= length
    total = b.op("Mul", mean, b.constant(float(count), x.dtype))
    return from_last(b.op("Pow", total, b.constant(1 / p, x.dtype)))


@lowers("GlobalAveragePool", 1, 22)
@lowers("GlobalMaxPool", 1, 22)
def global_pool(b: Builder, node: Source) -> Operand:
    """Mean or maximum over all spatial axes, which stay with length 1."""
    x = node[0]
    op = "Mean" if "Average" in node.node.op else "Max"
    return from_last(b.op(op, last(b, x), list(range(1, x.rank - 1)), keep_dims=True))


@lowers("GlobalLpPool", 1, 2, 22)
def global_lp_pool(b: Builder, node: Source) -> Operand:
    """The p-norm over all spatial axes."""
    x, p = node[0], node.number("p", 2.0)
    powers = b.op("Pow", b.op("Abs", last(b, x)), b.constant(p, x.dtype))
    total = b.op("Sum", powers, list(range(1, x.rank - 1)), keep_dims=True)
    return from_last(b.op("Pow", total, b.constant(1 / p, x.dtype)))


_MAX, _AVERAGE = "MaxPool", "AvgPool"


def pooled(b: Builder, x: Operand, window: Window, op: str) -> Operand:
    """Return the pool of what lies with the channels last."""
    rank = len(window.kernel)
    if rank == 1:
        return b.squeeze(pooled(b, b.expand(x, [1]), window.flat(), op), [1])
    lowest = smallest(x.dtype) if op == _MAX else 0
    own = {2: "", 3: "3D"}.get(rank)
    if own is None or set(window.dilations) != {1} or _lacks_kernel(op + own, x.dtype):
        slid = _slices(b, padded(b, x, window.all_pads, lowest), window)
        total = slid[0]
        for part in slid[1:]:
            total = b.op("Maximum" if op == _MAX else "AddV2", total, part)
        return total if op == _MAX else b.op("RealDiv", total, b.constant(float(len(slid)), x.dtype))
    same = window.is_same and not window.is_valid
    if not (same or window.is_valid):
        x = padded(b, x, window.all_pads, lowest)
    attrs: dict[str, Any] = {"ksize": [1, *window.kernel, 1], "strides": [1, *window.strides, 1]}
    return computed_as(b, op + own, lambda part: b.op(op + own, part, padding="SAME" if same else "VALID", **attrs), x)


def _lacks_kernel(op: str, dtype: DType) -> bool:
    return dtype.is_integer or (op == "MaxPool3D" and dtype.name == "float64")


def smallest(dtype: DType) -> float | int:
    """Return what no element of a type is below."""
    if dtype.is_floating:
        return float("-inf")
    if dtype.is_integer:
        return -(1 << dtype.bits - 1) if dtype.name.startswith("int") else 0
    raise LoweringError(f"the largest of {dtype} values")


def _unpadded(window: Window) -> Window:
    """Return the window over what is padded already."""
    sides: list[Dim] = [
        side + before + after if isinstance(side, int) else None
        for side, (before, after) in zip(window.sides, window.all_pads, strict=True)
    ]
    none = [0] * len(sides)
    return Window(window.kernel, window.strides, window.dilations, sides, [(0, 0)] * len(sides), none)


def _slices(b: Builder, x: Operand, window: Window) -> list[Operand]:
    """Return, for each cell of the window, what it sees at all places; works without known sides."""
    rank = len(window.kernel)
    require_few(math.prod(window.kernel), 1 << 13, "cells of a window")
    parts = []
    for cell in itertools.product(*map(range, window.kernel)):
        starts = [place * d for place, d in zip(cell, window.dilations, strict=True)]
        ends = [start - extent + 1 for start, extent in zip(starts, window.extents, strict=True)]
        ends_mask = 1 | 1 << rank + 1 | sum(1 << axis + 1 for axis, end in enumerate(ends) if not end)
        parts.append(
            b.op(
                "StridedSlice", x, [0, *starts, 0], [0, *ends, 0], [1, *window.strides, 1],
                begin_mask=1 | 1 << rank + 1, end_mask=ends_mask,
            )
        )  # fmt: skip
    return parts


def _weights(window: Window, dtype: DType, *, includes: bool) -> Any:
    """Return what the mean over whole windows is multiplied by, so that it is that over the cells that count."""
    import numpy as np

    found = np.ones([1], np.float64)
    for place, count in enumerate(window.outputs()):
        side = window.sides[place]
        assert count is not None
        assert isinstance(side, int)
        require_few(count * window.kernel[place], 1 << 22, "cells of windows")
        before, after = (window.pads or [])[place]
        first, last_ = (-before, side + after) if includes else (0, side)
        starts = np.arange(count) * window.strides[place] - before
        cells = starts[:, None] + np.arange(window.kernel[place]) * window.dilations[place]
        counted = ((cells >= first) & (cells < last_)).sum(1)
        found = found[..., None] * (window.kernel[place] / np.maximum(counted, 1))
    return found[..., None].astype(_numpy(dtype))


def _counted(b: Builder, x: Operand, window: Window, *, includes: bool) -> Operand:
    """Return which share of each window counts, where sides are not known: the mean of ones on what does."""
    one = b.op("Slice", x, [0] * x.rank, [1, *[-1] * (x.rank - 2), 1])
    pads, extra = window.pads or [], [(0, more) for more in window.extra]
    ones = padded(b, b.op("OnesLike", one), pads, 1.0 if includes else None)
    return pooled(b, padded(b, ones, extra), _unpadded(window), _AVERAGE)


def _numpy(dtype: DType) -> Any:
    import numpy as np

    return np.dtype(dtype.name if dtype.name in ("float16", "float32", "float64") else "float32")


def _with_indices(b: Builder, x: Operand, window: Window, *, column_major: bool) -> Sequence[Operand]:
    """Return the largest of each window, and where it is in the whole input, pads not counted."""
    import numpy as np

    if not all(isinstance(dim, int) for dim in x.dims):
        return _with_open_indices(b, x, window, column_major=column_major)
    dims = x.static()
    rank = len(window.kernel)
    require_few(math.prod(count or 0 for count in window.outputs()) + dims[0] * dims[1], 1 << 24, "places")
    lying = padded(b, last(b, x), window.all_pads, smallest(x.dtype))
    parts = _slices(b, lying, window)
    sides = dims[2:]
    weights = [int(np.prod(sides[axis + 1 :])) for axis in range(rank)]
    if column_major:
        weights = [int(np.prod(sides[:axis])) for axis in range(rank)]
    best, place = parts[0], None
    for part, cell in zip(parts, itertools.product(*map(range, window.kernel)), strict=True):
        flat = np.zeros([1] * rank, np.int64)
        for axis, count in enumerate(window.outputs()):
            start = np.arange(count or 0) * window.strides[axis] - window.all_pads[axis][0]
            where = (start + cell[axis] * window.dilations[axis]) * weights[axis]
            flat = flat + where.reshape([-1 if axis == other else 1 for other in range(rank)])
        own = b.constant(flat.reshape([1, *flat.shape, 1]))
        if place is None:
            place = b.op("BroadcastTo", own, b.op("Shape", part, out_type=INT64))
            continue
        larger = b.op("Greater", part, best)
        best, place = b.op("Maximum", best, part), b.op("SelectV2", larger, own, place)
    assert place is not None
    plane = int(np.prod(sides))
    start = (np.arange(dims[0])[:, None] * dims[1] + np.arange(dims[1])) * plane
    offsets = b.constant(start.reshape([dims[0], *[1] * rank, dims[1]]))
    order = channels_last(rank + 2)
    return [as_ordered(best, order), as_ordered(b.op("AddV2", place, offsets), order)]


def _with_open_indices(b: Builder, x: Operand, window: Window, *, column_major: bool) -> Sequence[Operand]:
    """Return the same where lengths are known only when the model runs."""
    rank = len(window.kernel)
    lying = padded(b, last(b, x), window.all_pads, smallest(x.dtype))
    parts = _slices(b, lying, window)
    count, channels, *sides = (size_at(b, x, axis) for axis in range(rank + 2))
    one = b.constant(1, INT64)
    weights: list[Operand] = []
    for side in sides if column_major else sides[:0:-1]:
        weights.append(b.op("Mul", weights[-1] if weights else one, side))
    ordered = [one, *weights[: rank - 1]] if column_major else [*weights[::-1], one]
    best, place = parts[0], None
    for part, cell in zip(parts, itertools.product(*map(range, window.kernel)), strict=True):
        flat: Operand | None = None
        for axis in range(rank):
            start = cell[axis] * window.dilations[axis] - window.all_pads[axis][0]
            steps = b.op("Mul", _counting(b, size_at(b, part, axis + 1)), b.constant(window.strides[axis], INT64))
            where = b.op("Mul", b.op("AddV2", steps, b.constant(start, INT64)), ordered[axis])
            shaped = b.reshape(where, [1, *(-1 if axis == other else 1 for other in range(rank)), 1])
            flat = shaped if flat is None else b.op("AddV2", flat, shaped)
        assert flat is not None
        if place is None:
            place = b.op("BroadcastTo", flat, b.op("Shape", part, out_type=INT64))
            continue
        larger = b.op("Greater", part, best)
        best, place = b.op("Maximum", best, part), b.op("SelectV2", larger, flat, place)
    assert place is not None
    plane = functools.reduce(lambda one, other: b.op("Mul", one, other), sides)
    rows = b.op("Mul", b.expand(_counting(b, count), [1]), channels)
    start_of = b.op("Mul", b.op("AddV2", rows, _counting(b, channels)), plane)
    offsets = b.expand(start_of, list(range(1, rank + 1)))
    order = channels_last(rank + 2)
    return [as_ordered(best, order), as_ordered(b.op("AddV2", place, offsets), order)]


def _counting(b: Builder, count: Operand) -> Operand:
    """Return the numbers from 0 on, as int64."""
    return b.op("Range", b.constant(0, INT64), count, b.constant(1, INT64))


@lowers("MaxUnpool", 9, 11, 22)
def max_unpool(b: Builder, node: Source) -> Operand:
    """Put values back where they were the largest, zeros elsewhere."""
    x, places, wanted = node[0], node[1], node.get(2)
    dims = x.static()
    window = window_of(node, x, node.ints("kernel_shape") or [])
    rows = zip(dims[2:], window.strides, window.pads or [], window.kernel, strict=True)
    own = [(side - 1) * s - before - after + k for side, s, (before, after), k in rows]
    first = [*dims[:2], *own]
    size = 1
    for dim in first:
        size *= dim
    flat = b.reshape(places, [-1, 1])
    target = [int(number) for number in node.known(2, "output_shape")] if wanted is not None else first
    if target != first:  # the places count in the shape that the pads give
        raise LoweringError("output_shape differs from what its window gives")
    scattered = b.op("ScatterNd", flat, b.reshape(x, [-1]), b.constant([size], INT64))
    return b.reshape(scattered, target)
