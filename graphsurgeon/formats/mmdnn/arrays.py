"""The weights of an MMdnn model: a `.npy` file with one object in it, a dict of layers with their arrays."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any

from graphsurgeon.disk.files import BLOCK, FileRange, SourceFile
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats.mmdnn.machine import Array, unpickled
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

MAGIC = b"\x93NUMPY"
_OBJECT = re.compile(rb"'descr':\s*'\|?O'")
_TYPES = {
    "f2": "float16", "f4": "float32", "f8": "float64", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64",
    "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64", "b1": "bool", "c8": "complex64", "c16": "complex128",
}  # fmt: skip
_DEEPEST = 20  # dicts in dicts; MMdnn writes two


def is_object_file(source: SourceFile) -> bool:
    """Say whether a `.npy` file holds an object of Python (a pickle) and no array of numbers."""
    head = source.read_at(0, min(source.size, 4096))
    return head.startswith(MAGIC) and _OBJECT.search(head[:1024].partition(b"\n")[0]) is not None


def read_arrays(source: SourceFile) -> dict[str, Tensor]:
    """Return the arrays of a file by the keys on their way, joined by `/`. Values stay in the file.

    Raises:
        FormatError: the file is damaged.
        UnsupportedError: it holds something else than dicts, lists and arrays; nothing of it was run.
    """
    found = unpickled(source, _payload_at(source))
    if isinstance(found, Array) and isinstance(found.data, list) and len(found.data) == 1:
        found = found.data[0]  # an array without dimensions, of one object
    return {name: _tensor(name, array, source) for name, array in _named("", found, set())}


def _payload_at(source: SourceFile) -> int:
    head = source.read_at(0, min(source.size, 12))
    if len(head) < 12 or not head.startswith(MAGIC):
        raise FormatError("it is no .npy file", path=source.path)
    size = struct.unpack_from("<H", head, 8)[0] + 10 if head[6] == 1 else struct.unpack_from("<I", head, 8)[0] + 12
    if size > source.size:
        raise FormatError(f"its header of {size} bytes is cut off", path=source.path)
    return int(size)


def _named(prefix: str, value: Any, seen: set[int]) -> Iterator[tuple[str, Array]]:
    """Yield the arrays below a value; what stands in several places, or in itself, is taken once."""
    if isinstance(value, Array):
        yield prefix, value
        return
    if not isinstance(value, dict | list | tuple) or id(value) in seen:
        return
    seen.add(id(value))
    if prefix.count("/") > _DEEPEST:
        raise FormatError("dicts in dicts, too many deep")
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _named(f"{prefix}/{key}" if prefix else str(key), inner, seen)


def _tensor(name: str, array: Array, source: SourceFile) -> Tensor:
    code = array.type.code if array.type is not None else ""
    if code not in _TYPES or isinstance(array.data, list):
        raise UnsupportedError(f"{name!r} is an array of type {code or '?'}, which is not read", path=source.path)
    dtype, shape = DType.named(_TYPES[code]), Shape(array.shape)
    if len(array.data) != (shape.num_elements or 0) * dtype.itemsize:
        what = f"{name!r} has {len(array.data)} bytes for {dtype} of shape {shape}"
        raise FormatError(what, path=source.path)
    return Tensor(dtype, shape, PickledSource(array))


class PickledSource:
    """TensorSource over an array of a pickle."""

    __slots__ = ("_array",)

    def __init__(self, array: Array) -> None:
        self._array = array

    @property
    def nbytes(self) -> int:
        """Bytes that the values take."""
        return len(self._array.data)

    def ranges(self) -> list[FileRange] | None:
        """Return where the values lie in the file; None where they do not lie there as they are."""
        data, kind = self._array.data, self._array.type
        is_plain = not self._array.is_fortran and kind is not None and kind.order != ">"
        return [data] if isinstance(data, FileRange) and is_plain else None

    def chunks(self) -> Iterator[bytes]:
        """Yield the row-major little-endian bytes in blocks."""
        import numpy as np

        array, data = self._array, self._array.data
        kind = array.type
        assert kind is not None
        if not array.is_fortran and kind.order != ">":
            yield from data.chunks() if isinstance(data, FileRange) else [data]
            return
        order = ">" if kind.order == ">" else "<"
        whole = np.frombuffer(data.read() if isinstance(data, FileRange) else data, f"{order}{kind.code}")
        shaped = whole.reshape(array.shape, order="F" if array.is_fortran else "C")
        flat = np.ascontiguousarray(shaped).astype(f"<{kind.code}").tobytes()
        yield from (flat[start : start + BLOCK] for start in range(0, len(flat), BLOCK))

    def strings(self) -> list[bytes]:
        """Return the elements."""
        raise FormatError("a numeric tensor holds no strings")
