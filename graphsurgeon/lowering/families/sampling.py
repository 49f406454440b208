"""Grids of places, what lies there, and windows of signals. Source: the pages of the operators."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.families.choosing import size_at
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.model.dtype import FLOAT32, INT64, DType

_CUBIC = -0.75  # of Keys' kernel, as PyTorch has it
CUBIC_STEPS = (-1, 0, 1, 2)  # from the cell before a place to those that it is made of
Cells = list[tuple[Operand, Operand | None]]  # along one axis: place, and what it weighs


@lowers("GridSample", 16, 20, 22)
def grid_sample(b: Builder, node: Source) -> Operand:
    """Values at places between the cells; the places' coordinates stand in the reverse order of the axes."""
    x, grid = b.plain(node[0]), b.plain(node[1])
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(node.text("mode", "linear"), node.text("mode", "linear"))
    padding, corners = node.text("padding_mode", "zeros"), node.flag("align_corners")
    count = x.rank - 2
    if mode not in ("linear", "nearest", "cubic") or padding not in ("zeros", "border", "reflection"):
        raise LoweringError(f"mode {mode!r} with padding_mode {padding!r}")
    lying = b.transpose(x, [0, *range(2, x.rank), 1])
    places = b.ops("Unpack", b.cast(grid, FLOAT32), num=count, axis=grid.rank - 1)[::-1]
    sides = [b.cast(size_at(b, x, axis + 2), FLOAT32) for axis in range(count)]
    axes = [_cells(b, place, side, mode, padding, corners) for place, side in zip(places, sides, strict=True)]
    return b.transpose(_sampled(b, lying, axes), [0, count + 1, *range(1, count + 1)])


def linear_sample(b: Builder, lying: Operand, places: Sequence[Operand]) -> Operand:
    """Return values between the cells of images, in which zeros lie around.

    Args:
        lying: `[batch, side..., channels]`.
        places: for each side the places in cells, `[batch, ...]`; of the result the channels are the last axis.
    """
    axes: list[Cells] = []
    for axis, place in enumerate(places):
        top = b.op("Sub", b.cast(size_at(b, lying, axis + 1), FLOAT32), 1.0)
        first = b.op("Floor", place)
        weights = linear_weights(b, b.op("Sub", place, first))
        cells = first, b.op("AddV2", first, 1.0)
        axes.append([_bounded(b, *pair, top, "zeros", top, top) for pair in zip(cells, weights, strict=True)])
    return _sampled(b, lying, axes)


def _sampled(b: Builder, lying: Operand, axes: Sequence[Cells]) -> Operand:
    """Return the weighted sum of cells, for each combination of those along the axes."""
    place = axes[0][0][0]
    batch = b.op("Range", b.constant(0, INT64), size_at(b, lying, 0), b.constant(1, INT64))
    shape = b.op("Shape", place, out_type=INT64)
    sample = b.op("BroadcastTo", b.reshape(batch, [-1, *[1] * (place.rank - 1)]), shape)
    total: Operand | None = None
    for cells in itertools.product(*axes):
        spot = b.op("Pack", sample, *(b.cast(one, INT64) for one, _ in cells), axis=place.rank)
        part = b.op("GatherNd", lying, spot)
        for _, weight in cells:
            if weight is not None:
                part = b.op("Mul", part, b.op("ExpandDims", b.cast(weight, lying.dtype), place.rank))
        total = part if total is None else b.op("AddV2", total, part)
    assert total is not None
    return total


def _cells(b: Builder, place: Operand, side: Operand, mode: str, padding: str, corners: bool) -> Cells:
    """Return the cells along one axis that each place takes, and their weights; None for 1."""
    top = b.op("Sub", side, 1.0)
    if corners:
        at = b.op("Mul", b.op("RealDiv", b.op("AddV2", place, 1.0), 2.0), top)
        low, high = b.constant(0.0), top
    else:
        at = b.op("RealDiv", b.op("Sub", b.op("Mul", b.op("AddV2", place, 1.0), side), 1.0), 2.0)
        low, high = b.constant(-0.5), b.op("Sub", side, 0.5)
    if mode == "nearest":
        at = b.op("Round", at)
    if padding != "zeros":
        outside = b.op("LogicalOr", b.op("Less", at, low), b.op("Greater", at, high))
        inside = _clamped(b, at, top) if padding == "border" else _reflected(b, at, low, high)
        at = b.op("SelectV2", outside, inside, at)
    if mode == "nearest":
        return [_bounded(b, at, None, top, padding, low, high)]
    first = b.op("Floor", at)
    part = b.op("Sub", at, first)
    steps, weights = ((0, 1), linear_weights(b, part)) if mode == "linear" else (CUBIC_STEPS, cubic_weights(b, part))
    return [
        _bounded(b, b.op("AddV2", first, float(step)), weight, top, padding, low, high)
        for step, weight in zip(steps, weights, strict=True)
    ]


def _clamped(b: Builder, x: Operand, top: Operand) -> Operand:
    return b.op("Minimum", b.op("Maximum", x, 0.0), top)


def _reflected(b: Builder, x: Operand, low: Operand, high: Operand) -> Operand:
    """Return places mirrored at both borders until they are within."""
    length = b.op("Sub", high, low)
    rest = b.op("FloorMod", b.op("Abs", b.op("Sub", x, low)), b.op("Mul", length, 2.0))
    back = b.op("Sub", b.op("Mul", length, 2.0), rest)
    return b.op("AddV2", low, b.op("Minimum", rest, back))


def _bounded(
    b: Builder, cell: Operand, weight: Operand | None, top: Operand, padding: str, low: Operand, high: Operand
) -> tuple[Operand, Operand | None]:
    """Return a cell that is there, and its weight, which is 0 where it was not and nothing is around the image."""
    if padding == "reflection":
        return _clamped(b, b.op("Floor", _reflected(b, cell, low, high)), top), weight
    if padding == "zeros":
        inside = b.op("LogicalAnd", b.op("GreaterEqual", cell, 0.0), b.op("LessEqual", cell, top))
        whole = weight if weight is not None else b.op("OnesLike", cell)
        weight = b.op("SelectV2", inside, whole, b.op("ZerosLike", cell))
    return _clamped(b, cell, top), weight


def linear_weights(b: Builder, part: Operand) -> list[Operand]:
    """Return the weights of a cell and the next one for a place between them, `part` behind the first."""
    return [b.op("Sub", 1.0, part), part]


def cubic_weights(b: Builder, part: Operand, a: float = _CUBIC) -> list[Operand]:
    """Return the weights of the cells at `CUBIC_STEPS` for a place `part` behind the second; `a` shapes the kernel."""
    far = b.op("Sub", 1.0, part)
    outer, inner = (partial(_outer, b, a=a), partial(_inner, b, a=a))
    return [outer(b.op("AddV2", part, 1.0)), inner(part), inner(far), outer(b.op("AddV2", far, 1.0))]


def _inner(b: Builder, x: Operand, a: float) -> Operand:
    line = b.op("Sub", b.op("Mul", x, a + 2), a + 3)
    return b.op("AddV2", b.op("Mul", b.op("Mul", line, x), x), 1.0)


def _outer(b: Builder, x: Operand, a: float) -> Operand:
    line = b.op("Sub", b.op("Mul", x, a), 5 * a)
    line = b.op("AddV2", b.op("Mul", line, x), 8 * a)
    return b.op("Sub", b.op("Mul", line, x), 4 * a)


@lowers("AffineGrid", 20)
def affine_grid(b: Builder, node: Source) -> Operand:
    """The places that a transformation of each sample takes the cells of an image to."""
    theta, size = b.plain(node[0]), b.cast(node[1], INT64)
    count = theta.dims[1]
    if not isinstance(count, int) or count not in (2, 3):
        raise LoweringError("transformations of neither two nor three axes")
    sides = b.ops("Unpack", size, num=count + 2, axis=0)[2:]
    axes = [_places(b, side, node.flag("align_corners")) for side in sides]
    shape = b.op("Pack", *sides, axis=0)
    shaped = [b.reshape(one, [-1 if axis == other else 1 for other in range(count)]) for axis, one in enumerate(axes)]
    full = [b.op("BroadcastTo", one, shape) for one in shaped[::-1]]
    homogeneous = b.op("Pack", *full, b.op("OnesLike", full[0]), axis=count)
    rows = b.op("ExpandDims", b.reshape(homogeneous, [-1, count + 1]), 0)
    found = b.op("BatchMatMulV2", b.cast(rows, theta.dtype), theta, adj_y=True)
    ends = b.op("ConcatV2", b.op("ExpandDims", size_at(b, theta, 0), 0), shape, b.constant([count], INT64), 0)
    return b.reshape(found, ends)


def _places(b: Builder, side: Operand, corners: bool) -> Operand:
    length = b.cast(side, FLOAT32)
    i = b.op("Range", 0.0, length, 1.0)
    if corners:
        return b.op("Sub", b.op("DivNoNan", b.op("Mul", i, 2.0), b.op("Sub", length, 1.0)), 1.0)
    return b.op("Sub", b.op("RealDiv", b.op("AddV2", b.op("Mul", i, 2.0), 1.0), length), 1.0)


@lowers("HannWindow", 17)
def hann_window(b: Builder, node: Source) -> Operand:
    """0.5 - 0.5 cos."""
    return _window(b, node, (0.5, -0.5))


@lowers("HammingWindow", 17)
def hamming_window(b: Builder, node: Source) -> Operand:
    """25/46 - 21/46 cos."""
    return _window(b, node, (25 / 46, -21 / 46))


@lowers("BlackmanWindow", 17)
def blackman_window(b: Builder, node: Source) -> Operand:
    """0.42 - 0.5 cos + 0.08 cos of twice the angle."""
    return _window(b, node, (0.42, -0.5, 0.08))


def _window(b: Builder, node: Source, factors: tuple[float, ...]) -> Operand:
    dtype: DType = node.dtype("output_datatype") or FLOAT32
    length = b.cast(b.reshape(node[0], []), FLOAT32)
    whole = length if node.flag("periodic", True) else b.op("Sub", length, 1.0)
    angle = b.op("RealDiv", b.op("Mul", b.op("Range", 0.0, length, 1.0), 2 * math.pi), whole)
    found = b.op("Mul", b.op("OnesLike", angle), factors[0])
    for times, factor in enumerate(factors[1:], 1):
        found = b.op("AddV2", found, b.op("Mul", b.op("Cos", b.op("Mul", angle, float(times))), factor))
    return b.cast(found, dtype)
