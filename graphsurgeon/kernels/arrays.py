"""Kernels that only move elements, count them or make them up: shapes, slices, joins, casts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphsurgeon.kernels import Attrs, Kernel
from graphsurgeon.model.dtype import DType

_MOST = 1 << 24  # elements of what is made up


def _np() -> Any:
    import numpy as np

    return np


def _dtype(attrs: Attrs, name: str) -> Any:
    dtype = attrs[name]
    if not isinstance(dtype, DType) or dtype.name == "bfloat16":
        raise TypeError("no dtype of numpy")
    return _np().dtype(dtype.name)


def _ints(array: Any) -> list[int]:
    return [int(one) for one in _np().atleast_1d(array)]


def _require_few(dims: Sequence[int]) -> list[int]:
    count = 1
    for dim in dims:
        if dim < 0:
            raise ValueError("a negative dimension")
        count *= dim
    if count > _MOST:
        raise ValueError("too many elements")
    return list(dims)


def _cast(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    data, target = inputs[0], _dtype(attrs, "DstT")
    if attrs["Truncate"] or data.dtype.kind not in "iufb":
        raise TypeError("bits cut off")
    if data.dtype.kind == "f" and target.kind in "iu":
        limits = _np().iinfo(target)
        if not _np().all((data > limits.min - 1.0) & (data < limits.max + 1.0)):
            raise ValueError("no number of that type")  # what comes of it depends on the processor
    return data.astype(target)


def _fill(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    return _np().full(_require_few(_ints(inputs[0])), inputs[1], inputs[1].dtype)


def _range(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    start, limit, delta = (one.item() for one in inputs)
    if inputs[0].dtype.kind not in "iu":
        raise TypeError("floats add up differently")
    count = max(0, -((start - limit) // delta))
    return (start + _np().arange(_require_few([count])[0]) * delta).astype(inputs[0].dtype)


def _strided_slice(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    data, (begin, end, strides) = inputs[0], (_ints(one) for one in inputs[1:])
    masks = {name: int(attrs[f"{name}_mask"]) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    index: list[Any] = []
    for axis, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << axis
        if masks["ellipsis"] & bit:
            index.append(Ellipsis)
        elif masks["new_axis"] & bit:
            index.append(None)
        elif masks["shrink_axis"] & bit:
            index.append(first)
        else:
            index.append(slice(None if masks["begin"] & bit else first, None if masks["end"] & bit else last, step))
    return data[tuple(index)]


def _slice(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    data, begin, size = inputs[0], _ints(inputs[1]), _ints(inputs[2])
    ends = [dim if n == -1 else first + n for dim, first, n in zip(data.shape, begin, size, strict=True)]
    if any(not 0 <= first <= end <= dim for first, end, dim in zip(begin, ends, data.shape, strict=True)):
        raise ValueError("outside")
    return data[tuple(slice(first, end) for first, end in zip(begin, ends, strict=True))]


def _gather(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    data, places = inputs[0], inputs[1]
    axis = int(inputs[2]) if len(inputs) > 2 else 0
    if len(inputs) > 2 and attrs["batch_dims"]:
        raise ValueError("in batches")
    if places.size and (places.min() < 0 or places.max() >= data.shape[axis]):
        raise IndexError("outside")
    return _np().take(data, places, axis=axis)


def _squeeze(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    axes = attrs["squeeze_dims"] or None
    return _np().squeeze(inputs[0], axis=tuple(axes) if axes else None)


def _split(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    return list(_np().split(inputs[1], int(attrs["num_split"]), axis=int(inputs[0])))


def _unpack(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    return [_np().take(inputs[0], place, axis=int(attrs["axis"])) for place in range(int(attrs["num"]))]


def _reverse(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    return _np().flip(inputs[0], axis=tuple(_ints(inputs[1])) if inputs[1].size else ())


def _tile(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    times = _ints(inputs[1]) if inputs[1].size else []
    _require_few([dim * n for dim, n in zip(inputs[0].shape, times, strict=True)])
    return _np().tile(inputs[0], times)


def _broadcast(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    return _np().broadcast_to(inputs[0], _require_few(_ints(inputs[1]) if inputs[1].size else []))


def _broadcast_args(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    shapes = [tuple(_ints(one)) if one.size else () for one in inputs]
    return _np().array(_np().broadcast_shapes(*shapes), inputs[0].dtype)


def _concat(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    return _np().concatenate(inputs[:-1], axis=int(inputs[-1]))


def _pack(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    return _np().stack(inputs, axis=int(attrs["axis"]))


def _concat_offset(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    axis, offset, found = int(inputs[0]), 0, []
    for shape in inputs[1:]:
        place = _np().zeros_like(shape)
        place[axis] = offset
        offset += int(shape[axis])
        found.append(place)
    return found


def _reshape(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    return _np().reshape(inputs[0], _ints(inputs[1]) if inputs[1].size else ())


ARRAYS: dict[str, Kernel] = {
    "BroadcastArgs": _broadcast_args,
    "BroadcastTo": _broadcast,
    "Cast": _cast,
    "ConcatOffset": _concat_offset,
    "ConcatV2": _concat,
    "ExpandDims": lambda attrs, inputs: _np().expand_dims(inputs[0], int(inputs[1])),
    "Fill": _fill,
    "Gather": _gather,
    "GatherV2": _gather,
    "InvertPermutation": lambda attrs, inputs: _np().argsort(inputs[0]).astype(inputs[0].dtype),
    "OnesLike": lambda attrs, inputs: _np().ones_like(inputs[0]),
    "Pack": _pack,
    "Range": _range,
    "Rank": lambda attrs, inputs: _np().array(inputs[0].ndim, _np().int32),
    "Reshape": _reshape,
    "ReverseV2": _reverse,
    "Shape": lambda attrs, inputs: _np().array(inputs[0].shape, _dtype(attrs, "out_type")),
    "Size": lambda attrs, inputs: _np().array(inputs[0].size, _dtype(attrs, "out_type")),
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Tile": _tile,
    "Transpose": lambda attrs, inputs: _np().transpose(inputs[0], _ints(inputs[1]) if inputs[1].size else ()),
    "Unpack": _unpack,
    "ZerosLike": lambda attrs, inputs: _np().zeros_like(inputs[0]),
}
