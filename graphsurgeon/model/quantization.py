"""How a tensor of integers stands for real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

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

    @property
    def is_quantized(self) -> bool:
        """Say whether the integers stand for real numbers; a mere range (minimum, maximum) does not say so."""
        return bool(self.scale) or self.scales is not None or bool(self.custom)
