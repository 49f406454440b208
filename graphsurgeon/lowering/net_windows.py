"""Pooling as MXNet and Caffe do it, in ONNX's words: sizes that are rounded up, and what an average is divided by.

Source: MXNet's `pooling-inl.h` and `pool.h`, Caffe's `pooling_layer.cpp`. ONNX with `ceil_mode` takes a window back
that begins behind the end; Caffe does it only where there is padding, MXNet never. Both divide an average by the cells
of the window inside the padded side, padding included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from graphsurgeon.lowering.net import Net, dims
from graphsurgeon.lowering.net_shapes import window
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.model.dtype import INT64
from graphsurgeon.model.graph import Value


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

    def count(self, place: int, side: int | None) -> int | None:
        """Return how many windows a side has."""
        kernel, stride, pad = self.kernel[place], self.stride[place], self.pad[place]
        found = window(side, kernel, stride, 2 * pad, ceil=self.ceil)
        if found is not None and side is not None and self.takes_back and (found - 1) * stride >= side + pad:
            return found - 1
        return found

    def more(self, place: int, side: int | None) -> int:
        """Return how many cells the last window wants behind the padded end; negative where it ends before.

        Raises:
            LoweringError: the side is not known.
        """
        count = self.count(place, side)
        if count is None or side is None:
            raise LoweringError("a pooling that rounds up needs known sides", hint="give them with --shape")
        end = (count - 1) * self.stride[place] + self.kernel[place]
        return end - side - 2 * self.pad[place]


def max_pool(net: Net, x: Value, windows: Windows) -> Value:
    """Return the greatest number of each window."""
    sides = dims(x)[2:]
    if not windows.ceil or (None in sides and _is_as_in_onnx(windows)):
        return net.add("MaxPool", x, **_attrs(windows), ceil_mode=int(windows.ceil))
    more = [max(0, windows.more(place, side)) for place, side in enumerate(sides)]
    pads = [*windows.pad, *(pad + extra for pad, extra in zip(windows.pad, more, strict=True))]
    if all(pad < size for pad, size in zip(pads, [*windows.kernel] * 2, strict=True)):
        return net.add("MaxPool", x, **{**_attrs(windows), "pads": pads})
    return net.add("MaxPool", _padded(net, x, pads, -3.4028234663852886e38), **_attrs(windows, [0] * len(pads)))


def average_pool(net: Net, x: Value, windows: Windows, *, counts_padding: bool = True) -> Value:
    """Return the mean of each window; padding behind the padded end never counts."""
    sides = dims(x)[2:]
    counted = int(counts_padding)
    if not windows.ceil:
        return net.add("AveragePool", x, **_attrs(windows), count_include_pad=counted)
    if None in sides and not any(windows.pad) and _is_as_in_onnx(windows):
        return net.add("AveragePool", x, **_attrs(windows), ceil_mode=1, count_include_pad=0)
    more = [max(0, windows.more(place, side)) for place, side in enumerate(sides)]
    if not any(more):
        return net.add("AveragePool", x, **_attrs(windows), count_include_pad=counted)
    pads = [*windows.pad, *(pad + extra for pad, extra in zip(windows.pad, more, strict=True))]
    padded = net.add("AveragePool", _padded(net, x, pads, 0.0), **_attrs(windows, [0] * len(pads)))
    return net.add("Mul", padded, _corrections(net, windows, [side or 0 for side in sides], counts_padding))


def _is_as_in_onnx(windows: Windows) -> bool:
    """Say whether no window can begin behind the end, so that nobody has to know whether it is taken back."""
    return all(s <= k - p for s, k, p in zip(windows.stride, windows.kernel, windows.pad, strict=True))


def _attrs(windows: Windows, pads: Sequence[int] | None = None) -> dict[str, list[int]]:
    found = list(pads) if pads is not None else [*windows.pad, *windows.pad]
    return {"kernel_shape": list(windows.kernel), "strides": list(windows.stride), "pads": found}


def _padded(net: Net, x: Value, pads: Sequence[int], filler: float) -> Value:
    half = len(pads) // 2
    numbers = [0, 0, *pads[:half], 0, 0, *pads[half:]]
    return net.add("Pad", x, net.constant(numbers, INT64), net.number(filler, x))


def _corrections(net: Net, windows: Windows, sides: Sequence[int], counts_padding: bool) -> Value:
    """Return what the means over whole kernels are multiplied with: cells of the kernel by cells that count."""
    counts = [_cells(windows, place, side, counts_padding) for place, side in enumerate(sides)]
    whole = prod(windows.kernel)
    items = [whole / max(prod(cells), 1) for cells in product(*counts)]
    return net.constant(items, dims=[1, 1, *map(len, counts)])


def _cells(windows: Windows, place: int, side: int, counts_padding: bool) -> list[int]:
    pad, kernel = windows.pad[place], windows.kernel[place]
    first, last = (0, side + 2 * pad) if counts_padding else (pad, side + pad)
    starts = [number * windows.stride[place] for number in range(windows.count(place, side) or 0)]
    return [max(0, min(start + kernel, last) - max(start, first)) for start in starts]
