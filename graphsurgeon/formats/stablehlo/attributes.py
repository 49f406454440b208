"""Attributes and types of StableHLO modules, decoded when they are asked for.

Codes are those of `VhloBytecode.cpp` and, for what MLIR itself has, of `BuiltinDialectBytecode.td`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from graphsurgeon.errors import FormatError
from graphsurgeon.formats.stablehlo.bytecode import Bytecode, Cursor
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.shape import Shape

_DYNAMIC = -(1 << 63)  # `ShapedType::kDynamic` of MLIR


class TensorType(NamedTuple):
    """A tensor: element type and shape; of unknown rank with `Shape(None)`."""

    element: str
    shape: Shape

    @property
    def dtype(self) -> DType | None:
        """The element type, None for one that has no counterpart."""
        name = _DTYPES.get(self.element)
        return DType.named(name) if name else None


class FunctionType(NamedTuple):
    """A function: types of arguments and results."""

    inputs: tuple[Any, ...]
    results: tuple[Any, ...]


class OtherType(NamedTuple):
    """A type that is no tensor: `token`, `tuple`, or one of an unknown kind."""

    name: str
    parts: tuple[Any, ...] = ()


class Dense(NamedTuple):
    """A constant: its type, and where its bytes lie in the module."""

    type: Any
    start: int
    length: int


class UnknownAttribute(NamedTuple):
    """An attribute that is not read: of which dialect, and its code there."""

    dialect: str
    code: int


class Named(NamedTuple):
    """A location with a name."""

    name: str


_VHLO_SIMPLE = {
    0: "i1", 2: "bf16", 3: "f16", 4: "f32", 5: "f64", 6: "f8E4M3FN", 7: "f8E5M2", 9: "index", 10: "i4", 11: "i8",
    12: "i16", 13: "i32", 14: "i64", 15: "ui4", 16: "ui8", 17: "ui16", 18: "ui32", 19: "ui64", 27: "f8E4M3FNUZ",
    28: "f8E5M2FNUZ", 29: "f8E4M3B11FNUZ", 31: "i2", 32: "ui2", 34: "tf32", 35: "f8E4M3", 36: "f8E3M4",
    37: "f4E2M1FN", 38: "f6E2M3FN", 39: "f6E3M2FN", 40: "f8E8M0FNU",
}  # fmt: skip
_DTYPES = {
    "i1": "bool", "bf16": "bfloat16", "f16": "float16", "f32": "float32", "f64": "float64",
    "f8E4M3FN": "float8_e4m3fn", "f8E5M2": "float8_e5m2", "f8E4M3FNUZ": "float8_e4m3fnuz",
    "f8E5M2FNUZ": "float8_e5m2fnuz", "f8E4M3B11FNUZ": "float8_e4m3b11fnuz", "f4E2M1FN": "float4_e2m1fn",
    "f6E2M3FN": "float6_e2m3fn", "f6E3M2FN": "float6_e3m2fn", "f8E8M0FNU": "float8_e8m0fnu", "index": "int64",
    "complex<f32>": "complex64", "complex<f64>": "complex128",
    **{f"{sign}i{bits}": f"{'uint' if sign else 'int'}{bits}" for sign in ("", "u") for bits in (2, 4, 8, 16, 32, 64)},
}  # fmt: skip
_ENUMS = {
    3: ("EQ", "NE", "GE", "GT", "LE", "LT"),
    4: ("NOTYPE", "FLOAT", "TOTALORDER", "SIGNED", "UNSIGNED"),
    5: ("UNSPECIFIED", "ORIGINAL", "STATUS_RETURNING", "STATUS_RETURNING_UNIFIED", "TYPED_FFI"),
    7: tuple(f"{kind}FFT" for kind in ("", "I", "R", "IR")),
    11: ("DEFAULT", "HIGH", "HIGHEST"),
    16: ("TRANSPOSE_INVALID", "NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"),
}


_FLOATS = {"f16": ("<H", "<e"), "f32": ("<I", "<f"), "f64": ("<Q", "<d")}


class Attributes:
    """The attributes and types of one module, each decoded once."""

    def __init__(self, module: Bytecode) -> None:
        self.module = module
        self._attributes: dict[int, Any] = {}
        self._types: dict[int, Any] = {}
        self._open: set[tuple[bool, int]] = set()

    def attribute(self, index: int) -> Any:
        """Return an attribute: text, a number, a list, a dict, a type, `Dense`, `Named`, None or `UnknownAttribute`."""
        return self._decoded(index, self._attributes, self.module.attributes, is_type=False)

    def type(self, index: int) -> Any:
        """Return a type."""
        return self._decoded(index, self._types, self.module.types, is_type=True)

    def _decoded(self, index: int, known: dict[int, Any], places: list[Any], *, is_type: bool) -> Any:
        if index in known:
            return known[index]
        if index >= len(places):
            raise FormatError(f"{'type' if is_type else 'attribute'} {index} of {len(places)}")
        key = (is_type, index)
        if key in self._open or len(self._open) > _MOST_DEPTH:
            raise FormatError(f"{'type' if is_type else 'attribute'} {index} is made of itself, or nested too deep")
        self._open.add(key)
        try:
            known[index] = self._decode(places[index], is_type=is_type)
        finally:
            self._open.discard(key)
        return known[index]

    def _decode(self, entry: Any, *, is_type: bool) -> Any:
        cursor = Cursor(self.module.data, entry.start, entry.end)
        if not entry.is_custom:
            text = bytes(cursor.data[entry.start : entry.end]).rstrip(b"\0").decode("utf-8", "replace")
            return OtherType(text) if is_type else text
        code = cursor.varint()
        tables = _TYPES if is_type else _ATTRIBUTES
        decode = tables.get(entry.dialect, {}).get(code)
        if decode is None:
            return OtherType(f"{entry.dialect}.{code}") if is_type else UnknownAttribute(entry.dialect, code)
        return decode(self, cursor)

    # -- pieces ----------------------------------------------------------------------------------------

    def listed(self, cursor: Cursor) -> list[Any]:
        """Return a list of attributes."""
        return [self.attribute(cursor.varint()) for _ in range(cursor.count())]

    def types(self, cursor: Cursor) -> tuple[Any, ...]:
        """Return a list of types."""
        return tuple(self.type(cursor.varint()) for _ in range(cursor.count()))

    def dictionary(self, cursor: Cursor) -> dict[str, Any]:
        """Return a dictionary; keys that are no text are left out."""
        pairs = [(self.attribute(cursor.varint()), self.attribute(cursor.varint())) for _ in range(cursor.count())]
        return {key: value for key, value in pairs if isinstance(key, str)}

    def text(self, cursor: Cursor) -> str:
        """Return a string."""
        return self.module.string(cursor.varint())

    def function(self, cursor: Cursor) -> FunctionType:
        """Return a type of functions."""
        return FunctionType(self.types(cursor), self.types(cursor))

    def tensor(self, cursor: Cursor) -> TensorType:
        """Return a type of tensors."""
        sizes = [cursor.signed() for _ in range(cursor.count())]
        return TensorType(self.element(cursor), Shape(None if size == _DYNAMIC else size for size in sizes))

    def element(self, cursor: Cursor) -> str:
        """Return the name of an element type."""
        found = self.type(cursor.varint())
        return found if isinstance(found, str) else getattr(found, "name", "?")

    def tensor_with_encoding(self, cursor: Cursor) -> TensorType:
        """Return a type of tensors whose encoding (bounds, mostly) is not looked at."""
        cursor.varint()
        return self.tensor(cursor)

    def dense(self, cursor: Cursor) -> Dense:
        """Return a constant."""
        type_ = self.type(cursor.varint())
        length = cursor.varint()
        return Dense(type_, cursor.skip(length), length)

    def integer(self, cursor: Cursor) -> int:
        """Return a number by its type: its bits, sign-extended unless the type has none."""
        width, signed = _width(self.type(cursor.varint()))
        bits = _bits(cursor, width)
        return bits - (1 << width) if signed and width > 1 and bits >> (width - 1) else bits

    def real(self, cursor: Cursor) -> float | int:
        """Return a floating-point number; of types that Python cannot unpack the bits."""
        name = self.type(cursor.varint())
        bits = _bits(cursor, _width(name)[0])
        code = (
            {"f16": ("<H", "<e"), "f32": ("<I", "<f"), "f64": ("<Q", "<d")}.get(name) if isinstance(name, str) else None
        )
        return bits if code is None else float(struct.unpack(code[1], struct.pack(code[0], bits))[0])


def _width(name: object) -> tuple[int, bool]:
    """Return bits and signedness of a type of numbers."""
    text = name if isinstance(name, str) else ""
    digits = "".join(char for char in text.partition("E")[0] if char.isdigit())
    if text == "index" or not digits:
        return 64, True
    return (int(digits) if text != "tf32" else 32), not text.startswith("ui")


def _bits(cursor: Cursor, width: int) -> int:
    number = cursor.byte() if width <= 8 else cursor.signed()
    return number & ((1 << min(width, 64)) - 1)


_MOST_DEPTH = 100  # attributes in attributes
_Decode = Callable[[Attributes, Cursor], Any]


def _enum(code: int) -> _Decode:
    names = _ENUMS[code]

    def decode(_: Attributes, cursor: Cursor) -> Any:
        number = cursor.varint()
        return names[number] if number < len(names) else number

    return decode


def _simple(name: str) -> _Decode:
    return lambda *_: name


def _builtin_integer(_: Attributes, cursor: Cursor) -> str:
    number = cursor.varint()
    return f"{'u' if number & 3 == 2 else ''}i{number >> 2}"


_VHLO_ATTRIBUTES: dict[int, _Decode] = {
    1: Attributes.listed,
    2: lambda _, cursor: bool(cursor.varint()),
    6: Attributes.dictionary,
    8: Attributes.real,
    9: Attributes.integer,
    14: Attributes.text,
    15: Attributes.dense,
    17: lambda self, cursor: self.type(cursor.varint()),
    18: lambda _, cursor: [cursor.signed() for _ in range(cursor.count())],
    **{code: _enum(code) for code in _ENUMS},
}
_BUILTIN_ATTRIBUTES: dict[int, _Decode] = {
    0: Attributes.listed,
    1: Attributes.dictionary,
    2: Attributes.text,
    3: Attributes.text,
    4: lambda self, cursor: self.attribute(cursor.varint()),
    6: lambda self, cursor: self.type(cursor.varint()),
    7: lambda *_: True,
    8: Attributes.integer,
    9: Attributes.real,
    14: lambda self, cursor: Named(str(self.attribute(cursor.varint()))),
    18: Attributes.dense,
}
_ATTRIBUTES = {"vhlo": _VHLO_ATTRIBUTES, "builtin": _BUILTIN_ATTRIBUTES}

_VHLO_TYPES: dict[int, _Decode] = {
    **{code: _simple(name) for code, name in _VHLO_SIMPLE.items()},
    1: lambda self, cursor: f"complex<{self.element(cursor)}>",
    8: Attributes.function,
    20: Attributes.tensor,
    21: Attributes.tensor_with_encoding,
    22: lambda *_: OtherType("token"),
    23: lambda self, cursor: OtherType("tuple", self.types(cursor)),
    25: lambda self, cursor: TensorType(self.element(cursor), Shape(None)),
    33: lambda *_: OtherType("none"),
    41: Attributes.tensor,
    42: lambda self, cursor: OtherType("future", self.types(cursor)),
}
_BUILTIN_TYPES: dict[int, _Decode] = {
    0: _builtin_integer,
    1: lambda *_: "index",
    2: Attributes.function,
    3: lambda *_: "bf16",
    4: lambda *_: "f16",
    5: lambda *_: "f32",
    6: lambda *_: "f64",
    9: lambda self, cursor: f"complex<{self.element(cursor)}>",
    13: Attributes.tensor,
    14: Attributes.tensor_with_encoding,
    15: lambda self, cursor: OtherType("tuple", self.types(cursor)),
    18: lambda self, cursor: TensorType(self.element(cursor), Shape(None)),
}
_TYPES = {"vhlo": _VHLO_TYPES, "builtin": _BUILTIN_TYPES}
