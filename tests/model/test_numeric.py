"""Bytes to numbers and back."""

from __future__ import annotations

import pytest

from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import DType


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("int4", [0, 1, 7, -8, -2, -1]),
        ("uint4", [0, 1, 7, 8, 14, 15]),
        ("int2", [0, 1, -2, -1]),
        ("uint2", [0, 1, 2, 3]),
    ],
)
def test_integers_below_a_byte(name: str, values: list[int]) -> None:
    """As `ml_dtypes` keeps them, in the low bits of a byte each; LiteRT fills the others with the sign."""
    dtype = DType.named(name)
    data = numeric.encode(dtype, values)
    assert max(data) == 2**dtype.bits - 1
    assert numeric.decode(dtype, data) == values
    assert numeric.to_numpy(dtype, data).tolist() == values
    filled = bytes(value & 0xFF for value in values)
    assert numeric.decode(dtype, filled) == numeric.to_numpy(dtype, filled).tolist() == values
