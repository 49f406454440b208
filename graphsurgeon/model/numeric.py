"""Bytes to numbers and back for every fixed-size element type, those without a numpy type included.

float8 layouts follow the tables of `ml_dtypes`: sign, exponent and mantissa bits, a bias, and which
codes are NaN or infinite.
"""

from __future__ import annotations

import math
import struct
from functools import cache
from typing import TYPE_CHECKING

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import DType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy as np

_STRUCT = {
    "float32": "f", "float64": "d", "float16": "e", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H",
    "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q", "bool": "?", "qint8": "b", "quint8": "B",
    "qint16": "h", "quint16": "H", "qint32": "i",
}  # fmt: skip

# name: (exponent bits, mantissa bits, bias, has infinities, negative zero is the only NaN)
_SMALL_FLOATS = {
    "float8_e5m2": (5, 2, 15, True, False),
    "float8_e4m3fn": (4, 3, 7, False, False),
    "float8_e4m3fnuz": (4, 3, 8, False, True),
    "float8_e4m3b11fnuz": (4, 3, 11, False, True),
    "float8_e5m2fnuz": (5, 2, 16, False, True),
    "float4_e2m1fn": (2, 1, 1, False, False),
    "float6_e2m3fn": (2, 3, 1, False, False),
    "float6_e3m2fn": (3, 2, 3, False, False),
    "float8_e8m0fnu": (8, 0, 127, False, False),  # no sign, no zero: a power of two
}


def decode(dtype: DType, data: bytes) -> list[Any]:
    """Return the elements of row-major little-endian bytes as Python numbers.

    Raises:
        UnsupportedError: the type has no fixed-size elements.
        struct.error: the bytes are no whole number of elements.
    """
    name = dtype.base.name
    if name in _STRUCT:
        code = _STRUCT[name]
        return list(struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data))
    if name in _SMALL_FLOATS or dtype.is_small_integer:
        table = _byte_values(dtype)
        return [table[byte] for byte in data]
    if name == "bfloat16":
        halves = struct.unpack(f"<{len(data) // 2}H", data)
        return list(struct.unpack(f"<{len(halves)}f", struct.pack(f"<{len(halves)}I", *(h << 16 for h in halves))))
    if dtype.base.is_complex:
        code = "f" if name == "complex64" else "d"
        parts = struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)
        return [complex(re, im) for re, im in zip(parts[::2], parts[1::2], strict=True)]
    raise UnsupportedError(f"elements of type {dtype} have no numbers")


def encode(dtype: DType, items: Sequence[Any]) -> bytes:
    """Return the row-major little-endian bytes of Python numbers, rounding to the type.

    Raises:
        UnsupportedError: the type has no fixed-size elements.
    """
    name = dtype.base.name
    if name in _STRUCT:
        return struct.pack(f"<{len(items)}{_STRUCT[name]}", *items)
    if dtype.is_small_integer:
        return bytes(int(item) & (1 << dtype.bits) - 1 for item in items)
    if name == "bfloat16":
        return b"".join(struct.pack("<H", _round_bfloat16(float(item))) for item in items)
    if dtype.base.is_complex:
        code = "<2f" if name == "complex64" else "<2d"
        return b"".join(struct.pack(code, complex(i).real, complex(i).imag) for i in items)
    if name in _SMALL_FLOATS:
        table = small_float_values(name)
        return bytes(_nearest(table, float(item)) for item in items)
    raise UnsupportedError(f"elements of type {dtype} have no numbers")


def to_numpy(dtype: DType, data: bytes | bytearray) -> np.ndarray[Any, Any]:
    """Return a flat array over little-endian bytes, widening the types that numpy lacks."""
    import numpy as np

    name = dtype.base.name
    if name == "bfloat16":
        widened: np.ndarray[Any, Any] = np.frombuffer(data, "<u2").astype("<u4") << 16
        return widened.view(np.dtype("<f4"))
    if name in _SMALL_FLOATS or dtype.is_small_integer:
        widened_type = "<f4" if name in _SMALL_FLOATS else "i1" if name.startswith("int") else "u1"
        values: np.ndarray[Any, Any] = np.array(_byte_values(dtype), widened_type)[np.frombuffer(data, "u1")]
        return values
    if dtype.base.is_complex:
        return np.frombuffer(data, "<c8" if name == "complex64" else "<c16")
    if name in _STRUCT:
        return np.frombuffer(data, "<" + _STRUCT[name])
    raise UnsupportedError(f"elements of type {dtype} have no numbers")


def from_numpy(dtype: DType, array: np.ndarray[Any, Any]) -> bytes:
    """Return the row-major little-endian bytes of an array's elements, rounded to nearest, ties to even.

    What is beyond the largest number becomes infinite (NaN in types without infinities) in a type of floats; for
    integers the numbers must lie in range: ask `integer_range` before. Of floats by way of float32, as TensorFlow's
    casts are.

    Args:
        dtype: of the bytes; elements smaller than a byte take one each.
        array: of a kind that the type can hold.

    Raises:
        UnsupportedError: the type has no elements of a fixed size that numbers could be rounded to.
    """
    import numpy as np

    name = dtype.base.name
    with np.errstate(all="ignore"):
        if name == "bfloat16":
            bits = np.ascontiguousarray(array, "<f4").view("<u4")
            rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
            return np.where(np.isnan(array), (bits >> 16) | 0x40, rounded).astype("<u2").tobytes()
        if name in _SMALL_FLOATS and name != "float8_e8m0fnu":
            return _to_small_floats(name, np.ascontiguousarray(array, "<f4"))
        if dtype.is_small_integer:
            codes: np.ndarray[Any, Any] = np.rint(array).astype("i8") & (1 << dtype.bits) - 1
            return codes.astype("u1").tobytes()
        if dtype.base.is_complex:
            return array.astype("<c8" if name == "complex64" else "<c16").tobytes()
        if name in _STRUCT:
            kind = np.dtype("<" + _STRUCT[name])
            return (array if kind.kind in "f?" or array.dtype.kind in "iub" else np.rint(array)).astype(kind).tobytes()
    raise UnsupportedError(f"numbers are not rounded to {dtype}")


def integer_range(dtype: DType) -> tuple[int, int]:
    """Return the smallest and the largest number of a type of integers."""
    low = 0 if dtype.base.name.startswith(("uint", "quint", "bool")) else -(1 << dtype.bits - 1)
    return low, (1 if dtype.base.name == "bool" else low + (1 << dtype.bits) - 1)


def float_range(dtype: DType) -> tuple[float, float]:
    """Return the smallest and the largest finite number of a floating-point type."""
    name = dtype.base.name
    if name in _SMALL_FLOATS:
        finite = [value for value in small_float_values(name) if math.isfinite(value)]
        return min(finite), max(finite)
    bits, exponent = {"float16": (10, 15), "bfloat16": (7, 127), "float32": (23, 127)}.get(name, (52, 1023))
    largest = math.ldexp(2.0 - math.ldexp(1.0, -bits), exponent)
    return -largest, largest


def _to_small_floats(name: str, array: np.ndarray[Any, Any]) -> bytes:
    import numpy as np

    table = np.array(small_float_values(name)[: 1 << sum(_SMALL_FLOATS[name][:2])], "f8")  # codes without a sign
    finite = table[np.isfinite(table)]  # they rise with their codes
    beyond = finite[-1] + (finite[-1] - finite[-2])
    steps = np.append(finite, beyond)
    size = np.abs(array).astype("f8")
    high = np.clip(np.searchsorted(steps, size), 1, len(steps) - 1)
    low = high - 1
    middle = (steps[low] + steps[high]) / 2
    up = (size > middle) | ((size == middle) & (low % 2 == 1))
    code = np.where(up, high, low)
    sign = 1 << sum(_SMALL_FLOATS[name][:2])
    has_infinity, has_one_nan = _SMALL_FLOATS[name][3:]
    nan = sign if has_one_nan else sign - 1
    is_beyond = (code >= len(finite)) & ~np.isnan(size)
    code = np.where(is_beyond, len(finite) if has_infinity else nan, code)
    signed = code + np.where(np.signbit(array) & (code != sign), sign, 0)
    signed = np.where(has_one_nan & (code == 0), 0, signed)  # there is no negative zero
    signed = np.where(np.isnan(size) | (is_beyond & (not has_infinity)), nan, signed)
    return signed.astype("u1").tobytes()


def _byte_values(dtype: DType) -> Sequence[float]:
    """Return the value that each of the 256 bytes stands for, of a type whose elements fit in one."""
    name = dtype.base.name
    if name in _SMALL_FLOATS:
        return small_float_values(name)
    count = 1 << dtype.bits
    negative = count // 2 if name.startswith("int") else count
    return [low if low < negative else low - count for low in (byte & count - 1 for byte in range(256))]


@cache
def small_float_values(name: str) -> tuple[float, ...]:
    """Return the value of each of the 256 codes of a float8 (or float6, float4: low bits) type."""
    if name == "float8_e8m0fnu":
        return (*(math.ldexp(1.0, code - 127) for code in range(255)), math.nan)
    return tuple(_small_float(code, *_SMALL_FLOATS[name]) for code in range(256))


def _small_float(code: int, exponent_bits: int, mantissa_bits: int, bias: int, infinite: bool, zero_nan: bool) -> float:
    width = 1 + exponent_bits + mantissa_bits
    code &= (1 << width) - 1
    sign = -1.0 if code >> (width - 1) else 1.0
    exponent = (code >> mantissa_bits) & ((1 << exponent_bits) - 1)
    mantissa = code & ((1 << mantissa_bits) - 1)
    top = exponent == (1 << exponent_bits) - 1
    if zero_nan and code == 1 << (width - 1):
        return math.nan
    if infinite and top:
        return math.nan if mantissa else sign * math.inf
    if width == 8 and not zero_nan and top and mantissa == (1 << mantissa_bits) - 1:
        return math.nan
    if exponent == 0:
        return sign * math.ldexp(mantissa, 1 - bias - mantissa_bits)
    return sign * math.ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits)


def _nearest(table: tuple[float, ...], value: float) -> int:
    if math.isnan(value):
        return next(code for code, item in enumerate(table) if math.isnan(item))
    return min(
        (c for c, item in enumerate(table) if not math.isnan(item)), key=lambda c: (abs(table[c] - value), c & 1)
    )


def _round_bfloat16(value: float) -> int:
    bits: int = struct.unpack("<I", struct.pack("<f", value))[0]
    if math.isnan(value):
        return (bits >> 16) | 0x40
    return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
