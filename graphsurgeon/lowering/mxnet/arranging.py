"""Shapes, parts, order and reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphsurgeon.lowering.mxnet import TABLE
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Dims, Net, axis_of, dims, known, known_dim, left_over, product, rank
from graphsurgeon.model.dtype import FLOAT32, INT64
from graphsurgeon.model.graph import Value

_FAR = (1 << 31) - 1
_REDUCTIONS = {
    "ReduceSum": "sum sum_axis", "ReduceMean": "mean", "ReduceMax": "max max_axis", "ReduceMin": "min min_axis",
    "ReduceProd": "prod",
}  # fmt: skip
_COPY, _INFER, _REST, _MERGE, _SPLIT = 0, -1, -2, -3, -4  # codes of Reshape (matrix_op-inl.h, `InferReshapeShape`)


@TABLE.lowers("Flatten", "flatten")
def _flatten(net: Net, layer: SourceLayer) -> Value:
    return net.add("Flatten", layer[0], axis=1)


@TABLE.lowers("Reshape", "reshape")
def _reshape(net: Net, layer: SourceLayer) -> Value:
    given, own = layer.integers("shape") or layer.integers("target_shape"), dims(layer[0])
    is_reversed = layer.flag("reverse")
    if is_reversed:
        if any(code in (_REST, _SPLIT) for code in given):
            raise LoweringError(f"shape {given} with reverse is not done")
        given, own = given[::-1], own[::-1]
    target = _decoded(given, own)
    return net.reshape(layer[0], target[::-1] if is_reversed else target)


def _decoded(codes: Sequence[int], own: Dims) -> Dims:
    """Return the shape that codes mean for a shape."""
    target: Dims = []
    place, rest, free = 0, list(codes), -1
    while rest:
        code = rest.pop(0)
        if code == _COPY:
            target.append(own[place] if place < len(own) else None)
        elif code == _INFER:
            free = len(target)
            target.append(None)
        elif code == _REST:
            target += own[place:]
            place = len(own)
            continue
        elif code == _MERGE:
            target.append(product(own[place : place + 2]))
            place += 1
        elif code == _SPLIT and len(rest) >= 2:
            target += _halves(own[place] if place < len(own) else None, rest.pop(0), rest.pop(0))
        elif code > 0:
            target.append(code)
        else:
            raise LoweringError(f"shape {list(codes)} is not understood")
        place += 1
    if free >= 0:
        target[free] = left_over(own, target, free)
    return target


def _halves(whole: int | None, first: int, second: int) -> Dims:
    if first == _INFER:
        return [None if whole is None or second <= 0 else whole // second, second]
    return [first, (None if whole is None else whole // first) if second == _INFER else second]


@TABLE.lowers("transpose")
def _transpose(net: Net, layer: SourceLayer) -> Value:
    return net.add("Transpose", layer[0], perm=layer.integers("axes") or list(range(rank(layer[0]) - 1, -1, -1)))


@TABLE.lowers("SwapAxis", "swapaxes")
def _swap(net: Net, layer: SourceLayer) -> Value:
    perm = list(range(rank(layer[0])))
    first, second = (axis_of(layer.integer(name), len(perm)) for name in ("dim1", "dim2"))
    perm[first], perm[second] = perm[second], perm[first]
    return net.add("Transpose", layer[0], perm=perm)


@TABLE.lowers("expand_dims")
def _expand_dims(net: Net, layer: SourceLayer) -> Value:
    return net.add("Unsqueeze", layer[0], net.constant([layer.integer("axis")], INT64))


@TABLE.lowers("squeeze")
def _squeeze(net: Net, layer: SourceLayer) -> Value:
    axes = layer.integers("axis") or [axis for axis, dim in enumerate(known(layer[0])) if dim == 1]
    return net.add("Squeeze", layer[0], net.constant(axes, INT64))


@TABLE.lowers("Concat", "concat")
def _concat(net: Net, layer: SourceLayer) -> Value:
    return net.add("Concat", *layer.inputs, axis=layer.integer("dim", 1))


@TABLE.lowers("stack")
def _stack(net: Net, layer: SourceLayer) -> Value:
    axis = net.constant([layer.integer("axis")], INT64)
    parts = [net.add("Unsqueeze", x, axis) for x in layer.inputs]
    return net.add("Concat", *parts, axis=layer.integer("axis"))


@TABLE.lowers("SliceChannel", "split")
def _split(net: Net, layer: SourceLayer) -> list[Value]:
    """Lower it; the axis stays with length 1 unless `squeeze_axis` is set."""
    count, axis = layer.integer("num_outputs", 1), axis_of(layer.integer("axis", 1), rank(layer[0]))
    parts = net.add_several("Split", count, layer[0], axis=axis)
    if not layer.flag("squeeze_axis"):
        return parts
    return [net.add("Squeeze", part, net.constant([axis], INT64)) for part in parts]


@TABLE.lowers("slice_axis")
def _slice_axis(net: Net, layer: SourceLayer) -> Value:
    end = layer.setting("end")
    return net.sliced(layer[0], layer.integer("axis"), layer.integer("begin"), _FAR if end is None else int(end))


@TABLE.lowers("slice", "crop")
def _slice(net: Net, layer: SourceLayer) -> Value:
    begin, end, step = (_with_gaps(layer.setting(name)) for name in ("begin", "end", "step"))
    steps = [1 if number is None else number for number in [*step, *[None] * len(begin)][: len(begin)]]
    starts = [(_FAR if size < 0 else 0) if at is None else at for at, size in zip(begin, steps, strict=True)]
    ends = [(-_FAR if size < 0 else _FAR) if at is None else at for at, size in zip(end, steps, strict=True)]
    bounds = [net.constant(numbers, INT64) for numbers in (starts, ends, list(range(len(starts))), steps)]
    return net.add("Slice", layer[0], *bounds)


def _with_gaps(value: Any) -> list[int | None]:
    items = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [None if item is None else int(item) for item in items]


@TABLE.lowers("slice_like")
def _slice_like(net: Net, layer: SourceLayer) -> Value:
    x, like = layer[0], layer[1]
    axes = [axis_of(axis, rank(x)) for axis in layer.integers("axes")] or list(range(rank(x)))
    ends = [known_dim(like, axis) for axis in axes]
    bounds = [net.constant(numbers, INT64) for numbers in ([0] * len(axes), ends, axes)]
    return net.add("Slice", x, *bounds)


@TABLE.lowers("Crop")
def _crop(net: Net, layer: SourceLayer) -> Value:
    """Lower it: to given sides, or to those of a second input; in the middle, or at an offset."""
    x = layer[0]
    wanted = known(layer[1])[2:] if len(layer.inputs) > 1 else layer.integers("h_w")
    if layer.flag("center_crop"):
        starts = [(known_dim(x, 2 + i) - wanted[i]) // 2 for i in range(2)]
    else:
        starts = layer.integers("offset") or [0, 0]
    ends = [start + size for start, size in zip(starts, wanted, strict=True)]
    return net.add("Slice", x, *(net.constant(numbers, INT64) for numbers in (starts, ends, [2, 3])))


@TABLE.lowers("Pad", "pad")
def _pad(net: Net, layer: SourceLayer) -> Value:
    width, mode = layer.integers("pad_width"), layer.text("mode", "constant")
    numbers = net.constant([*width[::2], *width[1::2]], INT64)
    if mode == "constant":
        return net.add("Pad", layer[0], numbers, net.number(layer.number("constant_value"), layer[0]))
    if mode not in ("edge", "reflect"):
        raise LoweringError(f"mode {mode!r} is not known")
    return net.add("Pad", layer[0], numbers, mode=mode.encode())


@TABLE.lowers("tile")
def _tile(net: Net, layer: SourceLayer) -> Value:
    times, x = layer.integers("reps"), layer[0]
    if len(times) > rank(x):
        x = net.add("Unsqueeze", x, net.constant(list(range(len(times) - rank(x))), INT64))
    return net.add("Tile", x, net.constant([*[1] * (rank(x) - len(times)), *times], INT64))


@TABLE.lowers("broadcast_to")
def _broadcast_to(net: Net, layer: SourceLayer) -> Value:
    return net.add("Expand", layer[0], net.constant([dim or 1 for dim in layer.integers("shape")], INT64))


@TABLE.lowers("broadcast_like")
def _broadcast_like(net: Net, layer: SourceLayer) -> Value:
    if layer.has("lhs_axes"):
        raise LoweringError("broadcast_like of some axes is not done")
    return net.add("Expand", layer[0], net.add("Shape", layer[1]))


@TABLE.lowers("broadcast_axis", "broadcast_axes")
def _broadcast_axis(net: Net, layer: SourceLayer) -> Value:
    target = [1] * rank(layer[0])
    for axis, size in zip(layer.integers("axis"), layer.integers("size"), strict=True):
        target[axis] = size
    return net.add("Expand", layer[0], net.constant(target, INT64))


@TABLE.lowers("take")
def _take(net: Net, layer: SourceLayer) -> Value:
    """Lower it; an index outside is taken for the nearest, or counted round."""
    axis = axis_of(layer.integer("axis"), rank(layer[0]))
    size = net.constant(known_dim(layer[0], axis), INT64)
    places = net.add("Cast", layer[1], to=INT64)
    if layer.text("mode", "clip") == "wrap":
        places = net.add("Mod", places, size)
    else:
        last = net.constant(known_dim(layer[0], axis) - 1, INT64)
        places = net.add("Min", net.add("Max", places, net.constant(0, INT64)), last)
    return net.add("Gather", layer[0], places, axis=axis)


@TABLE.lowers("argmax", "argmin")
def _arg(net: Net, layer: SourceLayer) -> Value:
    """Lower it: the places are numbers of type float32 in MXNet."""
    if not layer.has("axis"):
        raise LoweringError(f"{layer.node.op} over all axes is not done")
    op = "ArgMax" if layer.node.op == "argmax" else "ArgMin"
    found = net.add(op, layer[0], axis=layer.integer("axis"), keepdims=int(layer.flag("keepdims")))
    return net.add("Cast", found, to=FLOAT32)


@TABLE.lowers("depth_to_space", "space_to_depth")
def _blocks(net: Net, layer: SourceLayer) -> Value:
    op = "DepthToSpace" if layer.node.op == "depth_to_space" else "SpaceToDepth"
    return net.add(op, layer[0], blocksize=layer.integer("block_size"))


@TABLE.lowers("_zeros", "_ones")
def _filled(net: Net, layer: SourceLayer) -> Value:
    shape = layer.integers("shape")
    count = product(list(shape)) or 0
    return net.constant([0.0 if layer.node.op == "_zeros" else 1.0] * count, dims=shape)


@TABLE.lowers("_arange")
def _arange(net: Net, layer: SourceLayer) -> Value:
    start, stop, step = layer.number("start"), layer.setting("stop"), layer.number("step", 1.0)
    if stop is None or layer.integer("repeat", 1) != 1 or not step:
        raise LoweringError("an _arange without an end, or with repeats, is not done")
    count = max(0, -int(-(float(stop) - start) // step))
    return net.constant([start + step * number for number in range(count)])


def _reduction(op: str) -> Callable[[Net, SourceLayer], Value]:
    def lowered(net: Net, layer: SourceLayer) -> Value:
        count = rank(layer[0])
        axes = [axis_of(axis, count) for axis in layer.integers("axis")] or list(range(count))
        if layer.flag("exclude"):
            axes = [axis for axis in range(count) if axis not in axes]
        keeps = layer.flag("keepdims")
        made = net.reduced(op, layer[0], axes, keeps=keeps)
        return made if keeps or len(axes) < count else net.reshape(made, [1])  # MXNet has no value without axes

    return lowered


for _op, _kinds in _REDUCTIONS.items():
    TABLE.lowers(*_kinds.split())(_reduction(_op))
