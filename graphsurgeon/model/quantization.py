"""How a tensor of integers stands for real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from graphsurgeon.errors import plural

if TYPE_CHECKING:
    from graphsurgeon.model.node import Value


class Quantization(NamedTuple):
    """Quantization parameters: real = scale * (stored - zero_point).

    Attributes:
        scale, zero_point: one of each for the whole tensor, or one per index along `axis`; empty if not quantized,
            or if `scales` holds them.
        axis: the dimension that the scales run along.
        minimum, maximum: the real range seen in training or calibration, empty if not recorded.
        scales, zero_points: blockwise: the tensors that hold them; no `zero_points` means zero.
        block_size: blockwise: elements that share a scale; 0 if not blockwise.
        block_shape: blockwise, newer form: the same per dimension.
        axes: several dimensions that the scales run along, empty unless so recorded.
        custom: parameters of a private technique, empty if none.
    """

    scale: Sequence[float] = ()
    zero_point: Sequence[int] = ()
    axis: int = 0
    minimum: Sequence[float] = ()
    maximum: Sequence[float] = ()
    scales: Value | None = None
    zero_points: Value | None = None
    block_size: int = 0
    block_shape: Sequence[int] = ()
    axes: Sequence[int] = ()
    custom: bytes = b""

    def __str__(self) -> str:
        """Say how integers stand for real numbers: a scale, how many of them along what, or the range alone."""
        if self.scales is not None:
            blocks = self.block_shape or self.block_size
            size = "x".join(map(str, blocks)) if isinstance(blocks, Sequence) else str(blocks)
            return f"blocks of {size}, scales in {self.scales}"
        if self.custom:
            return f"custom, {plural(len(self.custom), 'byte')}"
        if len(self.scale) == 1:
            zero = self.zero_point[0] if len(self.zero_point) else 0
            return f"scale {self.scale[0]:.6g}, zero point {zero}"
        if self.scale:
            return f"{len(self.scale)} scales along dimension {self.axis}"
        ends = [f"{one:.6g}" for one in (*self.minimum[:1], *self.maximum[:1])]
        return f"range {' to '.join(ends)}" if len(ends) == 2 else "not quantized"

    @property
    def is_quantized(self) -> bool:
        """Say whether the integers stand for real numbers; a mere range (minimum, maximum) does not say so."""
        return bool(self.scale) or self.scales is not None or bool(self.custom)
