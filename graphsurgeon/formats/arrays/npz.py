"""An archive of NumPy arrays (`.npz`) as variables. Pickled objects in it are named and not opened.

Specs: numpy's `lib/format.py` inside a ZIP (APPNOTE.TXT). Arrays that are stored as they are stay in the file;
compressed ones are unpacked as they are read, never further than their shape asks for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from graphsurgeon.disk.files import BLOCK, FileRange, SourceFile, open_source
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats import registry
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from zipfile import ZipInfo

_MAGIC = b"\x93NUMPY"
_MOST_HEADER = 1 << 16  # bytes; numpy itself refuses more than 10,000
_MOST_STRINGS = 256 << 20  # bytes
_CODES = {
    "f2": "float16", "f4": "float32", "f8": "float64", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64",
    "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64", "b1": "bool", "c8": "complex64", "c16": "complex128",
}  # fmt: skip
_ORDERS = ("<", ">", "|", "=")  # of bytes
_LOCAL_HEADER = 30  # bytes, before name and extra field
_ENCRYPTED = 1  # bit of the flags
_STORED, _DEFLATED = 0, 8  # methods
_FIRST = 1 << 12  # bytes of a member that are enough for the header of an array


class ArrayHeader(NamedTuple):
    """What an array says of itself.

    Attributes:
        code: its element type as numpy writes it: `<f4`, `|S3`, `<U5`, `|O`.
        size: bytes of the header.
    """

    code: str
    is_fortran: bool
    shape: tuple[int, ...]
    size: int


def read(path: Path) -> Model:
    """Read an archive of arrays; values stay in the file.

    Raises:
        FormatError: the archive or an array in it is damaged.
        FileError: the file is missing or unreadable.
    """
    from zipfile import BadZipFile, ZipFile

    source = open_source(path)
    try:
        entries = ZipFile(_Stream(source)).infolist()
        variables = [_variable(source, entry) for entry in entries if not entry.is_dir()]
    except (BadZipFile, EOFError, NotImplementedError, ValueError, RuntimeError, struct.error) as error:
        raise FormatError(f"no valid archive: {' '.join(str(error).split())[:200]}", path=path) from error
    model = Model(registry.NPZ, str(path))
    model.checkpoint = Checkpoint(str(path), 2, {variable.key: variable for variable in variables})
    model.files = {str(path): source.size}
    pickled = [variable.key for variable in variables if isinstance(variable.tensor.source, ObjectSource)]
    if pickled:
        model.notes = [f"holds Python objects, which are not opened: {', '.join(pickled[:5])}"]
    return model


def _variable(source: SourceFile, entry: ZipInfo) -> Variable:
    head = b""
    for chunk in member(source, entry):
        head += chunk
        if len(head) >= min(_extent(head)[1], _MOST_HEADER):
            break
    header = _header(head, entry.filename)
    name = entry.filename.removesuffix(".npy")
    return Variable(name, _tensor(name, header, Packed(source, entry)))


def _tensor(name: str, header: ArrayHeader, packed: Packed | Plain) -> Tensor:
    shape = Shape(header.shape)
    kind = header.code[1:] if header.code[:1] in _ORDERS else ""
    if kind in _CODES:
        dtype = DType.named(_CODES[kind])
        return Tensor(dtype, shape, ArraySource(packed, header, dtype))
    if kind[:1] in ("S", "U") and kind[1:].isdecimal():
        return Tensor(STRING, shape, ArraySource(packed, header, STRING))
    return Tensor(DType.named("opaque"), shape, ObjectSource(name, header.code, packed.nbytes))


def read_npy(path: Path) -> Tensor:
    """Read one array from an `.npy` file; its values stay in the file.

    Raises:
        FormatError: it is no array, or shorter than its shape asks for.
        FileError: the file is missing or unreadable.
    """
    file = open_source(path)
    header = _header(file.read_at(0, min(file.size, _MOST_HEADER + _LOCAL_HEADER)), path.name)
    tensor = _tensor(path.name, header, Plain(file))
    if tensor.dtype.bits and header.size + tensor.nbytes > file.size:
        left = header.size + tensor.nbytes - file.size
        raise FormatError(f"it ends {left} bytes before its shape {tensor.shape} is filled", path=path)
    return tensor


def member(source: SourceFile, entry: ZipInfo) -> Iterator[bytes]:
    """Yield the bytes of a file in an archive in blocks, the first ones alone at first. Reads the archive.

    Raises:
        FormatError: it is damaged, encrypted, or packed in a way that numpy does not write.
    """
    import zlib

    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (_STORED, _DEFLATED):
        raise FormatError(f"{entry.filename!r} is encrypted, or packed by method {entry.compress_type}")
    stored = FileRange(source, data_start(source, entry), entry.compress_size)
    first = min(stored.length, _FIRST)
    chunks = chain([stored.part(0, first).read()], stored.part(first, stored.length - first).chunks())
    if entry.compress_type == _STORED:
        yield from chunks
        return
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in chunks:
            data = chunk
            while data and not unpacker.eof:
                yield unpacker.decompress(data, BLOCK)
                data = unpacker.unconsumed_tail
    except zlib.error as error:
        raise FormatError(f"{entry.filename!r}: {error}") from error


def data_start(source: SourceFile, entry: ZipInfo) -> int:
    """Return where the bytes of a file in an archive begin, behind its own header."""
    head = source.read_at(entry.header_offset, _LOCAL_HEADER)
    if head[:4] != b"PK\3\4":
        raise FormatError(f"{entry.filename!r} does not lie where the archive says")
    name, extra = struct.unpack_from("<HH", head, 26)
    return int(entry.header_offset + _LOCAL_HEADER + name + extra)


def _header(head: bytes, name: str) -> ArrayHeader:
    """Read the header of an array: a literal of a Python dict, which is parsed as one and never evaluated."""
    import ast

    if not head.startswith(_MAGIC):
        raise FormatError(f"{name!r} is no NumPy array")
    start, end = _extent(head)
    text = head[start:end] if end <= _MOST_HEADER else b""
    try:
        fields: Any = ast.literal_eval(text.decode("utf-8", "replace").strip())
        code, is_fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise FormatError(f"{name!r} has no readable header") from error
    if not isinstance(shape, tuple) or not all(type(dim) is int and 0 <= dim < 1 << 60 for dim in shape):
        raise FormatError(f"{name!r} has the shape {str(shape)[:80]}")
    return ArrayHeader(code if isinstance(code, str) else "|V", bool(is_fortran), shape, end)


def _extent(head: bytes) -> tuple[int, int]:
    """Return where the text of a header begins and ends: version 1 has two bytes for its length, later ones four."""
    start = 10 if head[6:7] == b"\1" else 12
    return start, start + int.from_bytes(head[8:start], "little")


class Packed(NamedTuple):
    """An array's file inside an archive."""

    file: SourceFile
    entry: ZipInfo

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.entry.filename

    @property
    def nbytes(self) -> int:
        """Bytes of the file, unpacked."""
        return self.entry.file_size

    def start(self) -> int | None:
        """Return where it lies as it is; None where it is compressed. Reads the archive."""
        return data_start(self.file, self.entry) if self.entry.compress_type == _STORED else None

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes."""
        return member(self.file, self.entry)


class Plain(NamedTuple):
    """An array's file by itself."""

    file: SourceFile

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.file.path.name

    @property
    def nbytes(self) -> int:
        """Bytes of the file."""
        return self.file.size

    def start(self) -> int | None:
        """Return where it lies."""
        return 0

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes."""
        return self.file.whole().chunks()


class ArraySource:
    """Elements of an array in a file, as a `TensorSource`."""

    __slots__ = ("dtype", "header", "packed")

    def __init__(self, packed: Packed | Plain, header: ArrayHeader, dtype: DType) -> None:
        self.packed = packed
        self.header = header
        self.dtype = dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the elements as stored."""
        return self._count() * self._itemsize()

    def ranges(self) -> list[FileRange] | None:
        """Return where the little-endian, row-major elements lie; None if they are stored in another way."""
        start = None if self._is_swapped() or self._is_transposed() or self.dtype is STRING else self.packed.start()
        return None if start is None else [FileRange(self.packed.file, start + self.header.size, self.nbytes)]

    def chunks(self) -> Iterator[bytes]:
        """Yield the elements. Reads the file.

        Raises:
            FormatError: the archive holds fewer bytes.
        """
        ranges = self.ranges()
        if ranges is not None:
            yield from ranges[0].chunks()
        elif self._is_transposed() or self._is_swapped():
            yield self._plain()
        else:
            yield from self._unpacked()

    def strings(self) -> list[bytes]:
        """Return the elements of an array of strings; numpy fills them up with zeros. Reads the file."""
        if self.nbytes > _MOST_STRINGS:
            raise UnsupportedError(f"{self.packed.name!r} holds {self.nbytes >> 20} MB of strings")
        import numpy as np

        array = self._array(np.frombuffer(b"".join(self._unpacked()), self.header.code))
        return [item if isinstance(item, bytes) else item.encode() for item in array.ravel().tolist()]

    def _plain(self) -> bytes:
        import numpy as np

        array = self._array(np.frombuffer(b"".join(self._unpacked()), self.header.code))
        return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()

    def _array(self, flat: Any) -> Any:
        return flat.reshape(self.header.shape, order="F" if self.header.is_fortran else "C")

    def _unpacked(self) -> Iterator[bytes]:
        skipped, left = self.header.size, self.nbytes
        for chunk in self.packed.chunks():
            part = chunk[skipped : skipped + left]
            skipped = max(skipped - len(chunk), 0)
            left -= len(part)
            yield part
            if not left:
                return
        if left:
            what = f"{self.packed.name!r} ends {left} bytes before its shape {Shape(self.header.shape)} is filled"
            raise FormatError(what, path=self.packed.file.path)

    def _count(self) -> int:
        return Shape(self.header.shape).num_elements or 0

    def _itemsize(self) -> int:
        kind = self.header.code[1:]
        return (4 if kind[0] == "U" else 1) * int(kind[1:])

    def _is_swapped(self) -> bool:
        return self.header.code.startswith(">")

    def _is_transposed(self) -> bool:
        return self.header.is_fortran and len(self.header.shape) > 1


class ObjectSource:
    """An array of what is no number: pickled objects, records. It is measured and not opened."""

    __slots__ = ("code", "name", "nbytes")

    def __init__(self, name: str, code: str, nbytes: int) -> None:
        self.name = name
        self.code = code
        self.nbytes = nbytes

    def chunks(self) -> Iterator[bytes]:
        """Refuse to read."""
        raise self._error()

    def strings(self) -> list[bytes]:
        """Refuse to read."""
        raise self._error()

    def _error(self) -> UnsupportedError:
        what = "pickled objects" if self.code[1:] == "O" else f"elements of type {self.code}"
        return UnsupportedError(f"{self.name!r} holds {what}, which are not opened")


class _Stream:
    """A file as the reader of archives wants it: a position, read with positioned reads."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.position = 0

    def seekable(self) -> bool:
        """Say that it is."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self.position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the position."""
        base = {0: 0, 1: self.position, 2: self.file.size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the beginning of the file")
        self.position = base + offset
        return self.position

    def read(self, length: int = -1) -> bytes:
        """Return the next bytes, fewer at the end."""
        left = max(self.file.size - self.position, 0)
        length = left if length < 0 else min(length, left)
        data = self.file.read_at(self.position, length)
        self.position += length
        return data
