"""Resize and Upsample. Source: the page of Resize.

Which settings are ops of TensorFlow was measured over ten pairs of sizes. `ResizeBicubic` reads its weights from a
table of 1,024 steps, so cubic resizing is two products of matrices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from graphsurgeon.lowering.builder import Builder, as_ordered, as_plain
from graphsurgeon.lowering.families.choosing import size_at
from graphsurgeon.lowering.families.linear import multiplied
from graphsurgeon.lowering.families.sampling import CUBIC_STEPS, cubic_weights, linear_weights
from graphsurgeon.lowering.layout import channels_last
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source, normal_axis
from graphsurgeon.lowering.table import LoweringError, lowers, require_few
from graphsurgeon.model.dtype import FLOAT32, FLOAT64, INT32, INT64
from graphsurgeon.shapes.dims import Dim


@dataclass(frozen=True)
class ResizedAxis:
    """How one axis is resized.

    Attributes:
        axis: in the source.
        side: its length, as far as known.
        scale: out / in, as the coordinates take it; None where the sizes are computed when the model runs.
        out: its length afterwards; None where that is computed.
        roi: start and end of the part that is taken, in lengths of the side.
    """

    axis: int
    side: Dim
    scale: float | None
    out: int | None
    roi: tuple[float, float]


@dataclass(frozen=True)
class Manner:
    """What the attributes say."""

    mode: str
    coordinates: str
    nearest: str
    cubic: float
    excludes: bool
    antialias: bool
    outside: float


@lowers("Upsample", 7)
@lowers("Upsample", 9)
@lowers("Upsample", 10)
@lowers("Resize", 10)
def upsample(b: Builder, node: Source) -> Operand:
    """By scales; coordinates are asymmetric, and rounded down."""
    x = node[0]
    mode = node.text("mode", "nearest")
    mode = "linear" if mode in ("linear", "bilinear") else mode
    manner = Manner(mode, "asymmetric", "floor", -0.75, False, False, 0.0)
    if node.version > 7 and node[1].numbers is None:
        return _open_axes(b, x, list(range(x.rank)), None, node[1], manner)
    scales = node.floats("scales") if node.version == 7 else [float(one) for one in node[1].numbers or ()]
    if not scales or len(scales) != x.rank:
        raise LoweringError("it has not a scale for each axis")
    return _resized(b, x, [_scaled(x, axis, scale) for axis, scale in enumerate(scales)], manner)


@lowers("Resize", 11, 13, 18, 19)
def resize(b: Builder, node: Source) -> Operand:
    """By scales or to sizes; many kinds of coordinates."""
    x = node[0]
    manner = Manner(
        node.text("mode", "nearest"),
        node.text("coordinate_transformation_mode", "half_pixel"),
        node.text("nearest_mode", "round_prefer_floor"),
        node.number("cubic_coeff_a", -0.75),
        node.flag("exclude_outside"),
        node.flag("antialias"),
        node.number("extrapolation_value"),
    )
    given = node.ints("axes")
    axes = [normal_axis(axis, x.rank) for axis in given] if given is not None else list(range(x.rank))
    sizes = node.get(3)
    if sizes is not None and sizes.size != 0:
        rows = _by_sizes(b, node, x, axes, sizes)
        if isinstance(rows, Operand):
            return _to_computed(b, x, axes, rows, manner)
    else:
        scales = node[2].numbers
        if scales is None:
            return _open_axes(b, x, axes, None, node[2], manner)
        if len(scales) != len(axes):
            raise LoweringError("it has not a scale for each axis")
        rows = [
            _scaled(x, axis, float(scale), _roi(node, axes, axis)) for axis, scale in zip(axes, scales, strict=True)
        ]
    return _resized(b, x, rows, manner)


def _roi(node: Source, axes: list[int], axis: int) -> tuple[float, float]:
    roi = node.get(1)
    numbers = roi.numbers if roi is not None else None
    if not numbers or node.text("coordinate_transformation_mode") != "tf_crop_and_resize":
        return (0.0, 1.0)
    place = axes.index(axis)
    return (float(numbers[place]), float(numbers[place + len(axes)]))


def _scaled(x: Operand, axis: int, scale: float, roi: tuple[float, float] = (0.0, 1.0)) -> ResizedAxis:
    side = x.dims[axis]
    length = None if not isinstance(side, int) else math.floor(side * scale * (roi[1] - roi[0]))
    return ResizedAxis(axis, side, scale, length, roi)


def _by_sizes(b: Builder, node: Source, x: Operand, axes: list[int], sizes: Operand) -> list[ResizedAxis] | Operand:
    items = sizes.items
    policy = node.text("keep_aspect_ratio_policy", "stretch")
    sides = [x.dims[axis] for axis in axes]
    if items is None or any(
        not isinstance(item, int) and item != side for item, side in zip(items, sides, strict=True)
    ):
        if policy != "stretch":
            raise LoweringError(f"{policy} with sizes that are computed when the model runs")
        return sizes
    lengths = [item if isinstance(item, int) else None for item in items]
    if policy != "stretch":
        known = [
            (side, length) for side, length in zip(sides, lengths, strict=True) if isinstance(side, int) and length
        ]
        if len(known) < len(axes):
            raise LoweringError(f"{policy} needs sides that are known", hint="give them with --shape")
        choose = min if policy == "not_larger" else max
        scale = choose(length / side for side, length in known)
        return [
            ResizedAxis(a, side, scale, int(side * scale + 0.5), _roi(node, axes, a))
            for a, (side, _) in zip(axes, known, strict=True)
        ]
    rows = []
    for axis, side, length in zip(axes, sides, lengths, strict=True):
        if length is None:
            rows.append(ResizedAxis(axis, side, 1.0, None, (0.0, 1.0)))
        else:
            scale_ = length / side if isinstance(side, int) and side else None
            rows.append(ResizedAxis(axis, side, scale_, length, _roi(node, axes, axis)))
    return rows


# -- ops of TensorFlow -------------------------------------------------------------------------------------


def _image_op(manner: Manner, rows: list[ResizedAxis]) -> tuple[str, dict[str, Any]] | None:
    """Return the op of TensorFlow that does it, None where there is none that is equal."""
    half = {"half_pixel_centers": True, "align_corners": False}
    corners = {"half_pixel_centers": False, "align_corners": True}
    neither = {"half_pixel_centers": False, "align_corners": False}
    kind = manner.coordinates
    if kind == "half_pixel_symmetric":
        kind = "half_pixel"
    if kind == "pytorch_half_pixel" and all(map(_is_wide, rows)):
        kind = "half_pixel"
    if manner.mode == "nearest":
        found = {
            ("half_pixel", "round_prefer_ceil"): half,
            ("align_corners", "round_prefer_ceil"): corners,
            ("asymmetric", "floor"): neither,
        }.get((kind, manner.nearest))
        if kind == "half_pixel" and manner.nearest == "round_prefer_floor" and _whole(rows):
            found = half
        return ("ResizeNearestNeighbor", found) if found is not None else None
    if manner.mode == "linear" and not manner.antialias:
        found = {"half_pixel": half, "align_corners": corners, "asymmetric": neither}.get(kind)
        return ("ResizeBilinear", found) if found is not None else None
    return None


def _is_wide(row: ResizedAxis) -> bool:
    """Say whether the result is longer than 1 for certain."""
    return row.out > 1 if row.out is not None else row.scale is not None and row.scale >= 2


def _whole(rows: list[ResizedAxis]) -> bool:
    return all(row.scale is not None and row.scale >= 1 and row.scale == int(row.scale) for row in rows)


def _is_exact(row: ResizedAxis) -> bool:
    """Say whether out / in is the scale that is given, which the ops of TensorFlow take."""
    if row.scale is None:
        return row.out is not None
    if row.out is None or not isinstance(row.side, int):
        return row.scale == int(row.scale)
    return row.out == row.side * row.scale or abs(row.out / row.side - row.scale) < 1e-7


def _resized(b: Builder, x: Operand, rows: list[ResizedAxis], manner: Manner) -> Operand:
    own = manner.coordinates == "tf_crop_and_resize"
    rows = [row for row in rows if own or not (row.scale == 1.0 and (row.out is None or row.out == row.side))]
    rows = [row for row in rows if not (own and row.roi == (0.0, 1.0) and row.out == row.side)]
    if not rows:
        return x
    spatial = x.rank in (3, 4) and all(row.axis >= 2 for row in rows)
    op = _image_op(manner, rows) if spatial and all(map(_is_exact, rows)) else None
    if op is not None and (x.dtype is FLOAT32 or op[0] == "ResizeNearestNeighbor"):
        return _as_image(b, x, lambda lying: _sizes(b, lying, rows, x.rank), *op)
    for row in rows:
        x = _along(b, x, row, manner)
    return x


def _as_image(b: Builder, x: Operand, sizes: Any, op: str, attrs: dict[str, Any]) -> Operand:
    lying = as_plain(b.ordered(x, channels_last(x.rank)))
    if x.rank == 3:
        lying = b.expand(lying, [1])
    made = b.op(op, lying, sizes(lying), **attrs)
    if x.rank == 3:
        made = b.squeeze(made, [1])
    return as_ordered(made, channels_last(x.rank))


def _sizes(b: Builder, lying: Operand, rows: list[ResizedAxis], rank: int) -> Operand:
    """Return height and width of the result, as int32."""
    places = {row.axis - 1 + (4 - rank): row for row in rows}
    known = [places[axis].out if axis in places else lying.dims[axis] for axis in (1, 2)]
    if all(isinstance(side, int) for side in known):
        return b.constant(known, INT32)
    sides = b.op("StridedSlice", b.op("Shape", lying), [1], [3], [1])
    times = [int(places[axis].scale or 1) if axis in places and places[axis].out is None else 1 for axis in (1, 2)]
    scaled = b.op("Mul", sides, times)
    fixed = [places[axis].out if axis in places else None for axis in (1, 2)]
    if fixed == [None, None]:
        return scaled
    parts = b.ops("Unpack", scaled, num=2, axis=0)
    return b.op(
        "Pack",
        *(part if out is None else b.constant(out, INT32) for part, out in zip(parts, fixed, strict=True)),
        axis=0,
    )


def _to_computed(b: Builder, x: Operand, axes: list[int], sizes: Operand, manner: Manner) -> Operand:
    """Resize to sizes that are computed when the model runs."""
    op = _image_op(manner, [ResizedAxis(axis, None, None, None, (0.0, 1.0)) for axis in axes])
    places = [axes.index(axis) for axis in range(2, x.rank) if axis in axes]
    is_image = x.rank in (3, 4) and len(places) == x.rank - 2
    if op is None or not is_image or not (x.dtype is FLOAT32 or op[0] == "ResizeNearestNeighbor"):
        return _open_axes(b, x, axes, b.cast(sizes, FLOAT32), None, manner)
    wanted = b.cast(b.op("GatherV2", sizes, places, 0), INT32)
    if x.rank == 3:
        wanted = b.op("ConcatV2", [1], wanted, 0)
    return _as_image(b, x, lambda _: wanted, *op)


def _open_axes(
    b: Builder, x: Operand, axes: list[int], sizes: Operand | None, scales: Operand | None, manner: Manner
) -> Operand:
    """Resize each axis to a size or by a scale that is computed when the model runs."""
    for place, axis in enumerate(axes):
        side = b.cast(size_at(b, x, axis), FLOAT32)
        given = sizes if sizes is not None else scales
        assert given is not None
        one = b.op("StridedSlice", given, [place], [place + 1], [1], shrink_axis_mask=1)
        out = one if sizes is not None else b.op("Floor", b.op("Mul", side, one))
        scale = b.op("RealDiv", one, side) if sizes is not None else one
        x = _along_open(b, x, axis, out, scale, manner)
    return x


# -- one axis ----------------------------------------------------------------------------------------------


def _along(b: Builder, x: Operand, row: ResizedAxis, manner: Manner) -> Operand:
    if row.out is None or not isinstance(row.side, int):
        side = b.cast(size_at(b, x, row.axis), FLOAT32)
        if row.scale is None:
            if row.out is None:
                raise LoweringError("a side that is not known", hint="give it with --shape")
            out = b.constant(float(row.out))
            return _along_open(b, x, row.axis, out, b.op("RealDiv", out, side), manner)
        scale = b.constant(row.scale)
        return _along_open(b, x, row.axis, b.op("Floor", b.op("Mul", side, scale)), scale, manner)
    place = row.axis if x.order is None else x.order.index(row.axis)
    where = _coordinates(row, manner)
    if manner.mode == "nearest":
        chosen = _nearest(where, manner.nearest).clip(0, row.side - 1)
        made = as_ordered(b.op("GatherV2", as_plain(x), [int(one) for one in chosen], place), x.order)
        return _blanked(b, made, where, row, manner)
    _require_floats(x)
    matrix = _matrix(where, row, manner)
    order = (*(axis for axis in range(x.rank) if axis != row.axis), row.axis)
    lying = as_plain(b.ordered(x, order))
    wide = b.cast(lying, FLOAT32) if lying.dtype is not FLOAT32 and lying.dtype.bits < 32 else lying
    made = b.cast(multiplied(b, wide, b.constant(matrix.T.astype("float32"), wide.dtype)), x.dtype)
    return as_ordered(made, order)


def _blanked(b: Builder, x: Operand, where: Any, row: ResizedAxis, manner: Manner) -> Operand:
    if manner.coordinates != "tf_crop_and_resize":
        return x
    outside = [bool(one < 0 or one > row.side - 1) for one in where]  # type: ignore[operator]
    if not any(outside):
        return x
    plain = b.plain(x)
    mask = b.reshape(b.constant(outside), [-1 if axis == row.axis else 1 for axis in range(x.rank)])
    return b.op("SelectV2", mask, b.constant(manner.outside, x.dtype), plain)


def _coordinates(row: ResizedAxis, manner: Manner) -> Any:
    """Return where each place of the result lies in the source, in float32 as ONNX Runtime computes it."""
    import numpy as np

    side, out = row.side, row.out
    if not isinstance(side, int) or out is None:
        raise LoweringError("a side that is not known", hint="give it with --shape")
    require_few(out, 1 << 20, "places")
    scale = np.float32(row.scale if row.scale is not None else out / side)
    i = np.arange(out, dtype=np.float32)
    kind = manner.coordinates
    if kind == "asymmetric":
        return i / scale
    if kind == "align_corners":
        return i * np.float32(side - 1) / np.float32(out - 1) if out > 1 else i * 0
    if kind == "tf_half_pixel_for_nn":
        return (i + np.float32(0.5)) / scale
    if kind == "tf_crop_and_resize":
        start, end = (np.float32(one) for one in row.roi)
        if out > 1:
            return start * (side - 1) + i * (end - start) * (side - 1) / (out - 1)
        return i + np.float32(0.5) * (start + end) * (side - 1)
    if kind == "pytorch_half_pixel" and out == 1:
        return i * 0
    half = (i + np.float32(0.5)) / scale - np.float32(0.5)
    if kind == "half_pixel_symmetric":
        adjusted = np.float32(out) / (scale * side)
        return np.float32(side / 2) * (1 - adjusted) + half
    if kind not in ("half_pixel", "pytorch_half_pixel"):
        raise LoweringError(f"coordinate_transformation_mode {kind!r}")
    return half


def _nearest(where: Any, mode: str) -> Any:
    import numpy as np

    if mode == "round_prefer_floor":
        return np.ceil(where - np.float32(0.5))
    if mode == "round_prefer_ceil":
        return np.floor(where + np.float32(0.5))
    if mode not in ("floor", "ceil"):
        raise LoweringError(f"nearest_mode {mode!r}")
    return np.floor(where) if mode == "floor" else np.ceil(where)


def _matrix(where: Any, row: ResizedAxis, manner: Manner) -> Any:
    """Return the weights `[out, in]` of linear or cubic interpolation."""
    import numpy as np

    side = row.side
    assert isinstance(side, int)
    require_few(len(where) * side, 1 << 26, "weights")
    scale = row.scale if row.scale is not None else (row.out or 0) / side
    shrink = min(scale, 1.0) if manner.antialias else 1.0
    reach = 1 if manner.mode == "linear" else 2
    if manner.mode not in ("linear", "cubic"):
        raise LoweringError(f"mode {manner.mode!r}")
    found = np.zeros([len(where), side])
    for place, centre in enumerate(where.astype(np.float64)):
        if manner.coordinates == "tf_crop_and_resize" and not 0 <= centre <= side - 1:
            raise LoweringError("it takes cells outside of the image")
        first = math.floor(centre)
        width = math.floor(reach / shrink)
        cells = np.arange(first - width, first + width + 2)
        weights = _weights((cells - centre) * shrink, manner)
        inside = (cells >= 0) & (cells < side)
        if manner.excludes or (manner.antialias and shrink < 1):
            weights = np.where(inside, weights, 0)
        total = weights.sum()
        if manner.excludes or shrink < 1:
            weights = weights / (total or 1)
        np.add.at(found[place], cells.clip(0, side - 1), weights)
    return found


def _weights(distance: Any, manner: Manner) -> Any:
    import numpy as np

    x = np.abs(distance)
    if manner.mode == "linear":
        return np.clip(1 - x, 0, None)
    a = manner.cubic
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _along_open(b: Builder, x: Operand, axis: int, out: Operand, scale: Operand, manner: Manner) -> Operand:
    """Resize an axis whose length is not known, with coordinates that are computed."""
    kind = manner.coordinates
    if manner.antialias or manner.mode not in ("nearest", "linear", "cubic") or kind not in _OPEN:
        raise LoweringError(f"{manner.mode} resizing ({kind}) of a side that is not known", hint="give --shape")
    place = axis if x.order is None else x.order.index(axis)
    lying = as_plain(x)
    side = b.cast(b.op("StridedSlice", b.op("Shape", lying), [place], [place + 1], [1], shrink_axis_mask=1), FLOAT32)
    i = b.op("Range", 0.0, out, 1.0)
    where = _open_coordinates(b, i, side, out, scale, kind)
    top = b.op("Sub", side, 1.0)
    if manner.mode == "nearest":
        rounded = _open_nearest(b, where, manner.nearest)
        return as_ordered(_taken(b, lying, rounded, top, place), x.order)
    _require_floats(x)
    low = b.op("Floor", where)
    part = b.op("Sub", where, low)
    if manner.mode == "linear":
        cells, weights = [low, b.op("AddV2", low, 1.0)], linear_weights(b, part)
    else:
        cells = [b.op("AddV2", low, float(step)) for step in CUBIC_STEPS]
        weights = cubic_weights(b, part, manner.cubic)
    if manner.excludes:
        weights = _without_outside(b, cells, weights, top)
    total: Operand | None = None
    for cell, weight in zip(cells, weights, strict=True):
        shaped = b.cast(b.reshape(weight, [-1 if axis == place else 1 for axis in range(x.rank)]), x.dtype)
        taken = b.op("Mul", _taken(b, lying, cell, top, place), shaped)
        total = taken if total is None else b.op("AddV2", total, taken)
    assert total is not None
    return as_ordered(total, x.order)


def _without_outside(b: Builder, cells: list[Operand], weights: list[Operand], top: Operand) -> list[Operand]:
    """Return weights of which those of cells outside are 0, and the others sum to 1."""
    inside = [b.op("LogicalAnd", b.op("GreaterEqual", one, 0.0), b.op("LessEqual", one, top)) for one in cells]
    found = [b.op("SelectV2", is_in, one, b.op("ZerosLike", one)) for is_in, one in zip(inside, weights, strict=True)]
    total = b.op("AddN", *found)
    return [b.op("DivNoNan", one, total) for one in found]


def _require_floats(x: Operand) -> None:
    if not x.dtype.is_floating:
        raise LoweringError(f"{x.dtype} values between cells, of which the digits behind the point decide")


def _open_nearest(b: Builder, where: Operand, mode: str) -> Operand:
    if mode == "round_prefer_floor":
        return b.op("Ceil", b.op("Sub", where, 0.5))
    if mode == "round_prefer_ceil":
        return b.op("Floor", b.op("AddV2", where, 0.5))
    if mode not in ("floor", "ceil"):
        raise LoweringError(f"nearest_mode {mode!r}")
    return b.op("Floor" if mode == "floor" else "Ceil", where)


_OPEN = (
    "asymmetric",
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "tf_half_pixel_for_nn",
)


def _open_coordinates(b: Builder, i: Operand, side: Operand, out: Operand, scale: Operand, kind: str) -> Operand:
    if kind == "asymmetric":
        return _divided(b, i, scale)
    if kind == "align_corners":
        return b.op("DivNoNan", b.op("Mul", i, b.op("Sub", side, 1.0)), b.op("Sub", out, 1.0))
    middle = _divided(b, b.op("AddV2", i, 0.5), scale)
    if kind == "tf_half_pixel_for_nn":
        return middle
    half = b.op("Sub", middle, 0.5)
    if kind == "pytorch_half_pixel":
        return b.op("SelectV2", b.op("Greater", out, 1.0), half, b.op("ZerosLike", half))
    if kind == "half_pixel_symmetric":
        adjusted = b.op("RealDiv", out, b.op("Mul", scale, side))
        return b.op("AddV2", b.op("Mul", b.op("Mul", side, 0.5), b.op("Sub", 1.0, adjusted)), half)
    return half


def _divided(b: Builder, where: Operand, scale: Operand) -> Operand:
    """Return places by a scale, rounded as float32 rounds them: of a constant TensorFlow takes the reciprocal instead.

    That is off by a last digit here and there, which is a whole cell where places are rounded down. A product of
    float64 that is rounded to float32 afterwards is not.
    """
    return b.cast(b.op("RealDiv", b.cast(where, FLOAT64), b.cast(scale, FLOAT64)), FLOAT32)


def _taken(b: Builder, x: Operand, places: Operand, top: Operand, axis: int) -> Operand:
    inside = b.op("Minimum", b.op("Maximum", places, 0.0), top)
    return b.op("GatherV2", x, b.cast(inside, INT64), axis)
