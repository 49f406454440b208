"""Checksums, statistics and real numbers of weights, against numpy."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from graphsurgeon import read
from graphsurgeon.analysis.stored_weights.dequantize import dequantize, dequantized
from graphsurgeon.analysis.stored_weights.weights import Statistics, checksum, list_weights, statistics
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import BFLOAT16, FLOAT32, INT8, STRING, DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor


class Blocks:
    """Values in blocks that do not end where elements end."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self.size = size

    @property
    def nbytes(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        yield from (self.data[start : start + self.size] for start in range(0, len(self.data), self.size))

    def strings(self) -> list[bytes]:
        raise NotImplementedError


@pytest.mark.parametrize("size", [5, 64, 1000, 10**6])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint8", "bool", "complex64", "float16"])
def test_statistics_over_blocks(dtype: str, size: int) -> None:
    random = np.random.default_rng(3)
    array = (random.normal(size=777) * 50 + 1000).astype(dtype)
    array[::7] = 0
    tensor = Tensor(DType.named(dtype), Shape([777]), Blocks(array.tobytes(), size))
    found = statistics(tensor)
    assert found is not None
    wide = np.abs(array).astype("f8") if dtype == "complex64" else array.astype("f8")
    assert (found.zeros, found.nan, found.inf) == (int((array == 0).sum()), 0, 0)
    np.testing.assert_allclose([found.min, found.max], [wide.min(), wide.max()])
    np.testing.assert_allclose([found.mean, found.std], [wide.mean(), wide.std()], rtol=1e-9)


def test_statistics_leave_out_what_is_not_finite() -> None:
    tensor = Tensor.of(FLOAT32, [6], [1.0, math.nan, 3.0, math.inf, -math.inf, 0.0])
    assert statistics(tensor) == Statistics(0.0, 3.0, pytest.approx(4 / 3), pytest.approx(np.std([1, 3, 0])), 1, 1, 2)
    assert statistics(Tensor.of(FLOAT32, [1], [math.nan])) == Statistics(None, None, None, None, 0, 1, 0)
    assert statistics(Tensor.of(BFLOAT16, [2], [1.5, 2.5])) == Statistics(1.5, 2.5, 2.0, 0.5, 0, 0, 0)
    assert statistics(Tensor.of(STRING, [1], [b"x"])) is None


def test_checksum_is_of_the_little_endian_bytes() -> None:
    assert (
        checksum(Tensor.of(FLOAT32, [2], [1.0, 2.0])) == hashlib.sha256(np.array([1, 2], "<f4").tobytes()).hexdigest()
    )
    assert checksum(Tensor.of(STRING, [2], [b"ab", b"c"])) == hashlib.sha256(b"abc").hexdigest()


def test_weights_are_listed_without_reading_them(fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "checkpoint" / "index_only")  # there are no values to read
    weights = list_weights(model, model.metagraphs, lambda metagraph: metagraph.graphs)
    assert weights
    assert all(weight.bytes >= 0 for weight in weights)


def test_dequantize_per_tensor_and_per_axis() -> None:
    tensor = Tensor.of(INT8, [2, 3], [-1, 0, 1, 2, 3, 4])
    np.testing.assert_array_equal(
        dequantize(tensor, Quantization((0.5,), (1,))), np.array([[-1.0, -0.5, 0.0], [0.5, 1.0, 1.5]], "f4")
    )
    np.testing.assert_array_equal(
        dequantize(tensor, Quantization((0.5, 2.0), (0, 2), 0)), np.array([[-0.5, 0.0, 0.5], [0.0, 2.0, 4.0]], "f4")
    )
    np.testing.assert_array_equal(
        dequantize(tensor, Quantization((1.0, 2.0, 3.0), (0, 0, 0), 1)), np.array([[-1, 0, 3], [2, 6, 12]], "f4")
    )
    assert dequantized(tensor, None) is tensor
    real = dequantized(tensor, Quantization((0.5,), (1,)))
    assert (real.dtype, real.shape, real.nbytes) == (FLOAT32, tensor.shape, 24)
    np.testing.assert_array_equal(real.numpy(), dequantize(tensor, Quantization((0.5,), (1,))))


def constant(shape: list[int], items: list[float]) -> Value:
    value = Value.__new__(Value)
    value.tensor = Tensor.of(FLOAT32, shape, items)
    return value


def test_dequantize_blocks() -> None:
    tensor = Tensor.of(INT8, [2, 4], [1, 2, 3, 4, 5, 6, 7, 8])
    scales = constant([2, 2], [1.0, 10.0, 100.0, 1000.0])
    expected = np.array([[1, 2, 30, 40], [500, 600, 7000, 8000]], "f4")
    np.testing.assert_array_equal(dequantize(tensor, Quantization(scales=scales, block_size=2)), expected)
    np.testing.assert_array_equal(dequantize(tensor, Quantization(scales=scales, block_shape=(1, 2))), expected)
    by_axis = Quantization(scales=constant([4], [1.0, 2.0, 3.0, 4.0]), axes=(1,))
    np.testing.assert_array_equal(dequantize(tensor, by_axis), np.array([[1, 4, 9, 16], [5, 12, 21, 32]], "f4"))


@pytest.mark.parametrize(
    "quantization",
    [
        Quantization((1.0, 2.0), (0, 0), 1),
        Quantization((1.0, 2.0), (0, 0), 7),
        Quantization(custom=b"x"),
        Quantization(scales=constant([3], [1.0, 1.0, 1.0]), block_size=2),
        Quantization(scales=constant([2], [1.0, 1.0]), block_size=0),
    ],
)
def test_parameters_that_do_not_fit(quantization: Quantization) -> None:
    with pytest.raises(UnsupportedError):
        dequantize(Tensor.of(INT8, [2, 3], [0] * 6), quantization)
