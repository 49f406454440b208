"""Real numbers to the integers of a quantized TFLite tensor, block by block: round(real / scale) + zero point.

As LiteRT's QUANTIZE computes it (`AffineQuantize` in `kernels/internal/reference/quantize.h`): the division in
float32, halves away from zero. What lies outside of the integers' range is told and not cut off here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsurgeon.analysis.stored_weights.dequantize import block_counts
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.numeric import integer_range
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    from graphsurgeon.model.graph import Value

    Array = np.ndarray[Any, Any]


class Scales:
    """Scale and zero point of each element of a tensor, by its place in row-major order.

    Attributes:
        quantization: of the tensor.
        dims: its shape.
    """

    def __init__(self, quantization: Quantization, shape: Shape) -> None:
        """Raise UnsupportedError where the parameters do not fit the shape, or are of a private technique."""
        import numpy as np

        self.quantization = quantization
        self.dims = [dim or 0 for dim in shape]
        if not quantization.scale and quantization.scales is None:
            raise UnsupportedError("it is quantized by a private technique", hint="--raw stores integers as given")
        self._counts = self._groups(shape)
        if quantization.scales is not None:
            self._scales, self._zeros = _held(quantization.scales), _held(quantization.zero_points)
        else:
            self._scales = np.array(quantization.scale, "f4")
            self._zeros = np.array(quantization.zero_point or [0], "f4")
        wanted = int(np.prod(self._counts))
        if self._scales.size != wanted or self._zeros.size not in (1, wanted):
            raise UnsupportedError(f"its {self._scales.size} scales do not fit the shape {shape}")

    @property
    def is_one(self) -> bool:
        """Say whether all elements share one scale and one zero point."""
        return bool(self._scales.size == 1)

    def real_range(self, dtype: DType, place: int | None = None) -> tuple[float, float]:
        """Return the range of real numbers that integers of a type stand for: at one place, else where it fits all."""
        low, high = integer_range(dtype)
        scales, zeros = (self._scales, self._zeros) if place is None else self.at(place, 1)
        return float(((low - zeros) * scales).max()), float(((high - zeros) * scales).min())

    def at(self, start: int, count: int) -> tuple[Array, Array]:
        """Return scales and zero points (float32) of `count` elements from `start` on; one of each if all share it."""
        if self._scales.size == 1:
            return self._scales, self._zeros
        import numpy as np

        rest, group, stride = np.arange(start, start + count), np.zeros(count, "i8"), 1
        for dim, groups in zip(reversed(self.dims), reversed(self._counts), strict=True):
            rest, place = np.divmod(rest, dim)
            group += place // (dim // groups) * stride
            stride *= groups
        return self._scales[group], self._zeros[group] if self._zeros.size > 1 else self._zeros

    def quantized(self, real: Array, start: int = 0) -> Array:
        """Return the integers (as float64: those of huge numbers fit nothing else) of flat elements from `start` on."""
        import numpy as np

        scales, zeros = self.at(start, real.size)
        with np.errstate(all="ignore"):
            steps = (real.astype("f4") / scales).astype("f8")
            rounded: Array = np.trunc(steps + np.copysign(0.5, steps)) + zeros
        return rounded

    def real(self, stored: Array, start: int = 0) -> Array:
        """Return the real numbers (float32) that flat integers from `start` on stand for."""
        scales, zeros = self.at(start, stored.size)
        result: Array = (stored.astype("f4") - zeros) * scales
        return result

    def _groups(self, shape: Shape) -> list[int]:
        """Return, by dimension, how many scales there are along it."""
        if self.quantization.scales is not None:
            counts = block_counts(tuple(self.dims), self.quantization)
            if counts is None:
                raise UnsupportedError(f"its blocks do not fit the shape {shape}")
            return counts
        if len(self.quantization.scale) == 1:
            return [1] * len(self.dims)
        axis = self.quantization.axis
        if not 0 <= axis < len(self.dims) or self.dims[axis] != len(self.quantization.scale):
            raise UnsupportedError(
                f"{len(self.quantization.scale)} scales along dimension {axis} do not fit the shape {shape}"
            )
        return [dim if place == axis else 1 for place, dim in enumerate(self.dims)]


def _held(value: Value | None) -> Array:
    import numpy as np

    return np.zeros(1, "f4") if value is None or value.tensor is None else value.tensor.numpy().astype("f4").reshape(-1)
