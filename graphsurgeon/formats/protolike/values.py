"""Values of messages: settings as attributes, long lists of numbers as tensors that stay in the file."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from graphsurgeon.disk.files import BLOCK, FileRange, SourceFile
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.protolike.message import Bulk, NamedFields
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.node import AttrValue
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

_DEEPEST = 40  # as `binary.py` reads them
_CODES = {"float32": "f", "float64": "d", "int32": "i", "int64": "q", "uint8": "B", "int8": "b"}


def settings(message: NamedFields, prefix: str = "", depth: int = 0) -> dict[str, AttrValue]:
    """Return the fields of a message as attributes, those of messages inside under dotted names.

    A field with one value is that value, one with several a list; text is bytes.
    """
    found: dict[str, AttrValue] = {}
    for name, values in message.items():
        plain = [_plain(value) for value in values if not isinstance(value, NamedFields)]
        if plain:
            found[prefix + name] = plain[0] if len(plain) == 1 else plain
        inner = [value for value in values if isinstance(value, NamedFields)]
        for number, value in enumerate(inner if depth < _DEEPEST else ()):
            own = f"{prefix}{name}." if len(inner) == 1 else f"{prefix}{name}.{number}."
            found |= settings(value, own, depth + 1)
    return found


def numbers(file: SourceFile, values: Sequence[Any], dtype: DType, shape: Sequence[int]) -> Tensor:
    """Return the numbers of a repeated field as a tensor; those that stayed in the file are read when asked for."""
    return Tensor(dtype, Shape(shape), NumbersSource(file, values, dtype))


class NumbersSource:
    """TensorSource over a repeated field: numbers, and parts of the file that hold numbers."""

    __slots__ = ("_dtype", "_file", "_values")

    def __init__(self, file: SourceFile, values: Sequence[Any], dtype: DType) -> None:
        self._file = file
        self._values = values
        self._dtype = dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        size = self._dtype.itemsize
        return sum(value.length if isinstance(value, Bulk) else size for value in self._values)

    def ranges(self) -> list[FileRange] | None:
        """Return where the values lie in the file; None where some do not lie there as they are."""
        if not all(isinstance(value, Bulk) and not value.tagged for value in self._values):
            return None
        return [_range(self._file, value) for value in self._values]

    def chunks(self) -> Iterator[bytes]:
        """Yield the little-endian bytes in blocks.

        Raises:
            FormatError: a value is no number of the type.
        """
        plain: list[Any] = []
        for value in self._values:
            if isinstance(value, Bulk):
                yield self._packed(plain)
                plain = []
                yield from _untagged(self._file, value) if value.tagged else _range(self._file, value).chunks()
            else:
                plain.append(value)
        yield self._packed(plain)

    def strings(self) -> list[bytes]:
        """Return the elements that are text."""
        return [value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value for value in self._values]

    def _packed(self, items: list[Any]) -> bytes:
        if items and isinstance(items[0], bytes):
            return b"".join(item for item in items if isinstance(item, bytes))
        try:
            return struct.pack(f"<{len(items)}{_CODES[self._dtype.name]}", *items)
        except (struct.error, KeyError, TypeError) as error:
            raise FormatError(f"values that are no {self._dtype}: {error}", path=self._file.path) from error


def count(values: Sequence[Any], size: int) -> int:
    """Return how many numbers of so many bytes a repeated field holds."""
    return sum(value.length // size if isinstance(value, Bulk) else 1 for value in values)


def _range(file: SourceFile, value: Bulk) -> FileRange:
    return FileRange(file, value.start, value.end - value.start)


def _untagged(file: SourceFile, value: Bulk) -> Iterator[bytes]:
    """Yield numbers without the tags in front of them."""
    size = 4 if value.kind == "f" else 8
    step = size + 1
    block = BLOCK // step * step
    for start in range(value.start, value.end, block):
        data = file.read_at(start, min(block, value.end - start))
        plain = bytearray(len(data) // step * size)
        for place in range(size):
            plain[place::size] = data[place + 1 :: step]
        yield bytes(plain)


def _plain(value: Any) -> AttrValue:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, Bulk):
        return f"<{value.length} bytes>".encode()
    return value if isinstance(value, bool | int | float | bytes) else b""
