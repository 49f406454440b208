"""The real numbers that a quantized TFLite tensor stands for: scale * (stored - zero point).

Spec: `QuantizationParameters` in LiteRT's `schema.fbs`. Reads all values of one tensor into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    from graphsurgeon.model.graph import Value


def dequantized(tensor: Tensor, quantization: Quantization | None) -> Tensor:
    """Return a tensor of the real numbers, computed when they are asked for; itself if it is not quantized."""
    if quantization is None:
        return tensor
    return Tensor(FLOAT32, tensor.shape, _RealSource(tensor, quantization))


class _RealSource:
    """Real numbers behind a quantized tensor, as a TensorSource."""

    __slots__ = ("quantization", "tensor")

    def __init__(self, tensor: Tensor, quantization: Quantization) -> None:
        self.tensor = tensor
        self.quantization = quantization

    @property
    def nbytes(self) -> int:
        return self.tensor.num_elements * FLOAT32.itemsize

    def chunks(self) -> Iterator[bytes]:
        yield dequantize(self.tensor, self.quantization).astype("<f4").tobytes()

    def strings(self) -> list[bytes]:
        raise FormatError("a quantized tensor holds no strings")


def dequantize(tensor: Tensor, quantization: Quantization) -> np.ndarray[Any, Any]:
    """Return the real numbers as float32, in the tensor's shape. Reads the values.

    Raises:
        UnsupportedError: a private technique is used, or the parameters do not fit the tensor.
    """
    import numpy as np

    stored = tensor.numpy().astype(np.float32)
    if quantization.scales is not None:
        return _blockwise(stored, quantization)
    if not quantization.scale:
        raise UnsupportedError("the tensor is quantized by a private technique", hint="leave --dequantize out")
    scale = np.array(quantization.scale, np.float32)
    zero_point = np.array(quantization.zero_point or [0], np.float32)
    return np.asarray((stored - _spread(zero_point, stored, quantization)) * _spread(scale, stored, quantization))


def _spread(parameters: np.ndarray[Any, Any], stored: np.ndarray[Any, Any], quantization: Quantization) -> Any:
    """Give one parameter for all, or one per index along the axis, a shape that broadcasts."""
    if parameters.size == 1:
        return parameters.reshape(())
    axis = quantization.axis
    if not 0 <= axis < stored.ndim or stored.shape[axis] != parameters.size:
        raise UnsupportedError(f"{parameters.size} scales along dimension {axis} do not fit the shape {stored.shape}")
    return parameters.reshape([-1 if dim == axis else 1 for dim in range(stored.ndim)])


def _blockwise(stored: np.ndarray[Any, Any], quantization: Quantization) -> np.ndarray[Any, Any]:
    scales = _parameter(quantization.scales, stored, quantization)
    zero_points = 0 if quantization.zero_points is None else _parameter(quantization.zero_points, stored, quantization)
    return (stored - zero_points) * scales  # type: ignore[no-any-return]


def _parameter(value: Value | None, stored: np.ndarray[Any, Any], quantization: Quantization) -> Any:
    """Give the parameters of blocks the shape of what they are for: each is repeated over its block."""
    tensor = None if value is None else value.tensor
    counts = block_counts(stored.shape, quantization)
    if tensor is None or counts is None or tensor.num_elements != _product(counts):
        raise UnsupportedError(f"the scales of its blocks do not fit the shape {stored.shape}")
    spread = tensor.numpy().astype("f4").reshape(counts)
    for axis, (size, count) in enumerate(zip(stored.shape, counts, strict=True)):
        spread = spread.repeat(size // count, axis) if count else spread
    return spread


def block_counts(shape: tuple[int, ...], quantization: Quantization) -> list[int] | None:
    """Return the number of blocks along each dimension; None if the dimensions are no multiples of the block."""
    if quantization.axes:
        return [size if axis in quantization.axes else 1 for axis, size in enumerate(shape)]
    blocks = list(quantization.block_shape) or [1] * (len(shape) - 1) + [quantization.block_size]
    if len(blocks) != len(shape) or any(block <= 0 or size % block for size, block in zip(shape, blocks, strict=True)):
        return None
    return [size // block for size, block in zip(shape, blocks, strict=True)]


def _product(counts: list[int]) -> int:
    total = 1
    for count in counts:
        total *= count
    return total
