"""Pooling as MXNet and Caffe do it, in ONNX's words: sizes that are rounded up, and what an average is divided by.

Source: MXNet's `pooling-inl.h` and `pool.h`, Caffe's `pooling_layer.cpp`. ONNX with `ceil_mode` takes a window back
that begins behind the end; Caffe does it only where there is padding, MXNet never. Both divide an average by the cells
of the window inside the padded side, padding included. `ceil_mode` is not used: stride - 1 more cells at the end give
the size that is rounded up, also of a side that is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.net import Net, dims
from graphsurgeon.model.dtype import INT64
from graphsurgeon.model.graph import Value

_LOWEST = -3.4028234663852886e38  # what a window without any cell yields in MXNet


@dataclass(frozen=True)
class Windows:
    """How windows lie over the sides of a value.

    Attributes:
        kernel, stride, pad: of each side; `pad` at both ends.
        ceil: the number of windows is rounded up.
        takes_back: a last window that begins behind the end, or in the padding there, does not count.
    """

    kernel: Sequence[int]
    stride: Sequence[int]
    pad: Sequence[int]
    ceil: bool = False
    takes_back: bool = False

    def count(self, place: int, side: int) -> int:
        """Return how many windows a side has."""
        stride, pad = self.stride[place], self.pad[place]
        room = side + 2 * pad - self.kernel[place]
        found = (-(-room // stride) if self.ceil else room // stride) + 1
        return found - 1 if self.takes_back and (found - 1) * stride >= side + pad else found

    def more(self, place: int, side: int | None) -> int:
        """Return how many cells are added at the padded end, so that rounding down gives as many windows.

        Raises:
            LoweringError: that depends on the side, which is not known.
        """
        if not self.ceil:
            return 0
        kernel, stride, pad = self.kernel[place], self.stride[place], self.pad[place]
        if side is not None:
            return max(0, (self.count(place, side) - 1) * stride + kernel - side - 2 * pad)
        if self.takes_back and stride > kernel - pad:
            raise LoweringError("a pooling that rounds up needs known sides", hint="give them with --shape")
        return stride - 1


def max_pool(net: Net, x: Value, windows: Windows) -> Value:
    """Return the greatest number of each window."""
    pads = _pads(x, windows)
    if all(pad < size for pad, size in zip(pads, [*windows.kernel] * 2, strict=True)):  # as ONNX wants it
        return net.add("MaxPool", x, **_attrs(windows, pads))
    return net.add("MaxPool", _padded(net, x, pads, _LOWEST), **_attrs(windows, [0] * len(pads)))


def average_pool(net: Net, x: Value, windows: Windows, *, counts_padding: bool = True) -> Value:
    """Return the mean of each window; what is added behind the padded end never counts."""
    pads = _pads(x, windows)
    half = len(pads) // 2
    if pads[half:] == list(windows.pad):
        return net.add("AveragePool", x, **_attrs(windows, pads), count_include_pad=int(counts_padding))
    none = [0] * len(pads)
    padded = net.add("AveragePool", _padded(net, x, pads, 0.0), **_attrs(windows, none))
    sides = [side for side in dims(x)[2:] if side is not None]
    if len(sides) == half:
        return net.add("Mul", padded, _corrections(net, windows, sides, counts_padding))
    counted = [*windows.pad, *windows.pad] if counts_padding else none
    ones = net.add("Expand", net.constant([1.0]), net.add("Shape", net.sliced(x, 1, 0, 1)))
    ones = _padded(net, ones, counted, 1.0)
    ones = _padded(net, ones, [pad - own for pad, own in zip(pads, counted, strict=True)], 0.0)
    return net.add("Div", padded, net.add("AveragePool", ones, **_attrs(windows, none)))


def _pads(x: Value, windows: Windows) -> list[int]:
    more = [windows.more(place, side) for place, side in enumerate(dims(x)[2:])]
    return [*windows.pad, *(pad + extra for pad, extra in zip(windows.pad, more, strict=True))]


def _attrs(windows: Windows, pads: Sequence[int]) -> dict[str, list[int]]:
    return {"kernel_shape": list(windows.kernel), "strides": list(windows.stride), "pads": list(pads)}


def _padded(net: Net, x: Value, pads: Sequence[int], filler: float) -> Value:
    half = len(pads) // 2
    numbers = [0, 0, *pads[:half], 0, 0, *pads[half:]]
    return net.add("Pad", x, net.constant(numbers, INT64), net.number(filler, x)) if any(numbers) else x


def _corrections(net: Net, windows: Windows, sides: Sequence[int], counts_padding: bool) -> Value:
    """Return what the means over whole kernels are multiplied with: cells of the kernel by cells that count."""
    counts = [_cells(windows, place, side, counts_padding) for place, side in enumerate(sides)]
    whole = prod(windows.kernel)
    items = [whole / max(prod(cells), 1) for cells in product(*counts)]
    return net.constant(items, dims=[1, 1, *map(len, counts)])


def _cells(windows: Windows, place: int, side: int, counts_padding: bool) -> list[int]:
    pad, kernel = windows.pad[place], windows.kernel[place]
    first, last = (0, side + 2 * pad) if counts_padding else (pad, side + pad)
    starts = [number * windows.stride[place] for number in range(windows.count(place, side))]
    return [max(0, min(start + kernel, last) - max(start, first)) for start in starts]
