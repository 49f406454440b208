"""MXNet's `.params`: a list of arrays, then their names.

Source: src/ndarray/ndarray.cc (`NDArray::Save`, `NDArray::Load`, `LegacyLoad`) and include/mxnet/tensor_blob.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from graphsurgeon.disk.files import FileRange, SourceFile
from graphsurgeon.errors import FormatError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

MAGIC = 0x112  # `kMXAPINDArrayListMagic` of MXNet's src/ndarray/ndarray.cc, where the versions below are too
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_TYPES = (
    "float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "int16", "uint16", "uint32", "uint64",
    "bfloat16",
)  # fmt: skip
_AUXILIARY = {0: 0, 1: 1, 2: 2}  # way of storing (dense, rows, compressed rows) -> arrays of indices beside the values
_MOST_RANK = 64  # `NPY_MAXDIMS` of numpy 2
_MOST_ARRAYS = 1_000_000  # of a file; a header of damaged bytes announces more


class Parameters(NamedTuple):
    """What a file holds.

    Attributes:
        tensors: by name, such as `arg:conv1_weight`; `#0`, `#1` ... where the file names none.
        notes: what the user should know.
    """

    tensors: dict[str, Tensor]
    notes: list[str]


class ParamsSource:
    """TensorSource over bytes of a file, little-endian."""

    __slots__ = ("_range",)

    def __init__(self, stored: FileRange) -> None:
        self._range = stored

    @property
    def nbytes(self) -> int:
        """Bytes that the values take."""
        return len(self._range)

    def ranges(self) -> list[FileRange]:
        """Return where the values lie."""
        return [self._range]

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in blocks."""
        return self._range.chunks()

    def strings(self) -> list[bytes]:
        """Return the elements."""
        raise FormatError("a numeric tensor holds no strings")


def read_parameters(source: SourceFile) -> Parameters:
    """Return the arrays of a file by name. Reads their headers only.

    Raises:
        FormatError: the file is damaged or cut off.
    """
    reader = _Reader(source)
    if reader.number("Q") != MAGIC:
        raise FormatError("it does not start as MXNet's parameters do", path=source.path)
    reader.number("Q")
    count = reader.number("Q")
    if count > _MOST_ARRAYS:
        raise FormatError(f"{count} arrays are too many", path=source.path)
    arrays = [reader.array() for _ in range(count)]
    names = [reader.text() for _ in range(reader.number("Q"))] if count or reader.at < source.size else []
    if names and len(names) != len(arrays):
        raise FormatError(f"{len(names)} names for {len(arrays)} arrays", path=source.path)
    keys = names or [f"#{number}" for number in range(len(arrays))]
    tensors = {key: array for key, array in zip(keys, arrays, strict=True) if array is not None}
    notes = [f"{key} holds no array" for key, array in zip(keys, arrays, strict=True) if array is None][:5]
    if reader.sparse:
        notes.append(
            f"{reader.sparse} of the arrays are sparse: the values that are stored are shown, not their places"
        )
    return Parameters(tensors, notes)


class _Reader:
    """Numbers one behind the other."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self.at = 0
        self.sparse = 0

    def number(self, code: str) -> int:
        size = struct.calcsize(f"<{code}")
        (value,) = struct.unpack(f"<{code}", self._bytes(size))
        return int(value)

    def text(self) -> str:
        length = self.number("Q")
        if length > 1 << 20:
            raise FormatError(f"byte {self.at}: a name of {length} bytes", path=self._source.path)
        return self._bytes(length).decode("utf-8", "surrogateescape")

    def array(self) -> Tensor | None:
        start = self.number("I")
        if start not in (_V1, _V2, _V3):
            return self._rest(self._dims(start, "I"), None)
        kind = self.number("i") if start in (_V2, _V3) else 0
        if kind not in _AUXILIARY and kind != -1:
            raise FormatError(f"byte {self.at}: an array that is stored in way {kind}", path=self._source.path)
        stored = self._shape() if _AUXILIARY.get(kind) else None
        shape = self._shape()
        if shape is None or (not shape and start != _V3):
            return None
        self.sparse += bool(_AUXILIARY.get(kind))
        return self._rest(shape, stored, _AUXILIARY.get(kind, 0))

    def _rest(self, shape: list[int] | None, stored: list[int] | None, auxiliary: int = 0) -> Tensor | None:
        if shape is None:
            return None
        self._bytes(8)  # the device it was on
        flag = self.number("i")
        if not 0 <= flag < len(_TYPES):
            raise FormatError(f"byte {self.at}: an array of type {flag}", path=self._source.path)
        indices = [(self.number("i"), self._shape() or []) for _ in range(auxiliary)]
        dtype = DType.named(_TYPES[flag])
        dims = shape if stored is None else stored
        tensor = Tensor(dtype, Shape(dims), ParamsSource(self._values(dtype, dims)))
        for index_flag, index_shape in indices:
            name = _TYPES[index_flag] if 0 <= index_flag < len(_TYPES) else "int64"
            self._values(DType.named(name), index_shape)
        return tensor

    def _shape(self) -> list[int] | None:
        rank = self.number("i")
        return None if rank < 0 else self._dims(rank, "q")

    def _dims(self, rank: int, code: str) -> list[int]:
        if rank > _MOST_RANK:
            raise FormatError(f"byte {self.at}: an array of {rank} dimensions", path=self._source.path)
        dims = [self.number(code) for _ in range(rank)]
        if any(dim < 0 for dim in dims):
            raise FormatError(f"byte {self.at}: an array of shape {dims}", path=self._source.path)
        return dims

    def _values(self, dtype: DType, dims: list[int]) -> FileRange:
        length = dtype.itemsize
        for dim in dims:
            length *= dim
        if self.at + length > self._source.size:
            what = f"values at byte {self.at} of shape {dims} run past the end of the file: it is cut off or damaged"
            raise FormatError(what, path=self._source.path)
        found = FileRange(self._source, self.at, length)
        self.at += length
        return found

    def _bytes(self, length: int) -> bytes:
        data = self._source.read_at(self.at, length)
        self.at += length
        return data
