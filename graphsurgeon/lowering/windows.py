"""Sliding windows of convolutions and pools: how they are padded, and whether that is a padding of TensorFlow.

Sizes follow the pages of Conv and of the pools; TensorFlow's SAME is that of `GetWindowedOutputSize` in
`tensorflow/core/framework/kernel_shape_util.cc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.shapes.dims import Dim

Pads = list[tuple[int, int]]


@dataclass(frozen=True)
class Window:
    """A window that slides along spatial axes.

    Attributes:
        kernel, strides, dilations: per axis.
        sides: lengths of the axes, as far as known.
        pads: cells before and after, per axis; None where they are those of TensorFlow's SAME and depend on sides
            that are not known.
        extra: cells that `ceil_mode` adds behind the pads; where sides are not known as many as it may add, since what
            no whole window covers is left out.
    """

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    sides: list[Dim]
    pads: Pads | None
    extra: list[int]

    @property
    def extents(self) -> list[int]:
        """Lengths of the dilated window."""
        return [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]

    @property
    def all_pads(self) -> Pads:
        """Cells before and after, those of `ceil_mode` included.

        Raises:
            LoweringError: they depend on sides that are not known.
        """
        if self.pads is None:
            raise LoweringError("its padding depends on sides that are not known", hint="give them with --shape")
        return [(before, after + more) for (before, after), more in zip(self.pads, self.extra, strict=True)]

    @property
    def is_valid(self) -> bool:
        """Say whether nothing is padded."""
        return self.pads is not None and not any(before or after for before, after in self.all_pads)

    @property
    def is_same(self) -> bool:
        """Say whether it is padded as TensorFlow's SAME would."""
        if self.pads is None:
            return True
        rows = zip(self.sides, self.extents, self.strides, self.all_pads, strict=True)
        return all(_is_same(*row) for row in rows)

    def flat(self) -> Window:
        """Return the window over two axes, the first of length 1, that does what this one does over one."""
        pads = None if self.pads is None else [(0, 0), *self.pads]
        return Window(
            [1, *self.kernel], [1, *self.strides], [1, *self.dilations], [1, *self.sides], pads, [0, *self.extra]
        )

    def outputs(self) -> list[int | None]:
        """Return how many places it has along each axis, None where a side is not known."""
        found: list[int | None] = []
        for place, (side, extent, stride) in enumerate(zip(self.sides, self.extents, self.strides, strict=True)):
            if not isinstance(side, int):
                found.append(None)
            elif self.pads is None:
                found.append(-(-side // stride))
            else:
                before, after = self.all_pads[place]
                found.append((side + before + after - extent) // stride + 1)
        return found


def _is_same(side: Dim, extent: int, stride: int, pads: tuple[int, int]) -> bool:
    before, after = pads
    if stride == 1:
        total = extent - 1
    elif isinstance(side, int):
        total = max((-(-side // stride) - 1) * stride + extent - side, 0)
    elif extent <= stride and not before and not after:
        return extent == stride == 1
    else:
        return False
    return (before, after) == (total // 2, total - total // 2)


def window_of(node: Source, x: Operand, kernel: Sequence[int], *, ceil: bool = False) -> Window:
    """Return the window of a node by its attributes.

    Args:
        node: with `strides`, `dilations`, `pads` and `auto_pad`.
        x: what it slides over: batch, channels, then the spatial axes.
        kernel: its lengths.
        ceil: round sizes up, as the attribute `ceil_mode` says.

    Raises:
        LoweringError: it has not as many numbers as there are axes, or its padding depends on unknown sides.
    """
    rank = len(kernel)
    strides, dilations = node.ints("strides") or [1] * rank, node.ints("dilations") or [1] * rank
    flat = node.ints("pads") or [0] * (2 * rank)
    sides = list(x.dims[2:])
    if not (len(strides) == len(dilations) == len(sides) == rank and len(flat) == 2 * rank):
        raise LoweringError(f"a window of {rank} axes over an input of shape {x.shown}")
    if min([*strides, *dilations, *kernel], default=1) < 1 or min(flat, default=0) < 0:
        raise LoweringError("strides, dilations and kernel must be positive, and pads not negative")
    window = Window(
        list(kernel), strides, dilations, sides, list(zip(flat[:rank], flat[rank:], strict=True)), [0] * rank
    )
    auto = node.text("auto_pad", "NOTSET")
    if auto == "VALID":
        return _with(window, [(0, 0)] * rank)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        return _with(window, _same_pads(window, lower=auto == "SAME_LOWER"))
    if auto != "NOTSET":
        raise LoweringError(f"auto_pad {auto!r}")
    return Window(window.kernel, strides, dilations, sides, window.pads, _extra(window)) if ceil else window


def _with(window: Window, pads: Pads | None) -> Window:
    return Window(window.kernel, window.strides, window.dilations, window.sides, pads, window.extra)


def _same_pads(window: Window, *, lower: bool) -> Pads | None:
    pads: Pads = []
    for side, extent, stride in zip(window.sides, window.extents, window.strides, strict=True):
        if stride == 1:
            total = extent - 1
        elif isinstance(side, int):
            total = max((-(-side // stride) - 1) * stride + extent - side, 0)
        elif lower and extent > 1:
            raise LoweringError("SAME_LOWER with a stride needs sides that are known", hint="give them with --shape")
        else:
            return None
        small, large = total // 2, total - total // 2
        pads.append((large, small) if lower else (small, large))
    return pads


def _extra(window: Window) -> list[int]:
    """Return the cells that rounding up adds: none for a window that would begin behind the input and its first pad."""
    extra = []
    for place, (side, extent, stride) in enumerate(zip(window.sides, window.extents, window.strides, strict=True)):
        before, after = (window.pads or [])[place]
        if stride == 1:
            extra.append(0)
            continue
        if not isinstance(side, int):
            if stride + after > extent:  # a window may begin behind the input, and is then taken back
                raise LoweringError("ceil_mode needs sides that are known", hint="give them with --shape")
            extra.append(stride - 1)
            continue
        room = side + before + after - extent
        count = -(-room // stride) + 1
        if (count - 1) * stride >= side + before:
            count -= 1
        extra.append(max((count - 1) * stride - room, 0))
    return extra


def padded(b: Builder, x: Operand, pads: Pads, value: float | int | None = None) -> Operand:
    """Return an operand with cells added at its spatial axes; it lies with the channels last."""
    if not any(before or after for before, after in pads):
        return x
    rows = [[0, 0], *([before, after] for before, after in pads), [0, 0]]
    if value is None or value == 0:
        return b.op("Pad", x, rows)
    return b.op("PadV2", x, rows, b.constant(value, x.dtype))
