"""Weights without a graph: `.npz` (numpy) and `.safetensors` files, written from lazy tensors.

Values stream from their files to the new one, block by block. Specs: numpy's `lib/format.py` inside a ZIP
(APPNOTE.TXT, stored entries, ZIP64 where sizes ask for it); the header of safetensors is JSON.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from graphsurgeon.disk.files import Computed, FileRange, Piece, Rope
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.tensor import Tensor

SUFFIXES = (".npz", ".safetensors")

_SAFETENSORS = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
    "float8_e5m2": "F8_E5M2", "float8_e4m3fn": "F8_E4M3", "complex64": "C64", "qint8": "I8", "quint8": "U8",
    "qint16": "I16", "quint16": "U16", "qint32": "I32", "int4": "I8", "uint4": "U8", "int2": "I8", "uint2": "U8",
}  # fmt: skip
_LIMIT = 0xFFFFFFFF  # of a 32-bit field in a ZIP; from there on ZIP64
_LONGEST_NAME = 0xFFFF  # bytes in a ZIP
_MOST_BYTES = 1 << 48  # of a tensor; damaged dimensions claim more


def lower(tensors: Mapping[str, Tensor], suffix: str) -> Rope:
    """Return the pieces of a file of the format that a suffix names.

    Args:
        tensors: by the name that each gets.
        suffix: `.npz` or `.safetensors`.

    Raises:
        UnsupportedError: the format cannot hold a tensor's type.
        UsageError: the suffix is neither.
    """
    for name, tensor in tensors.items():
        if tensor.nbytes > _MOST_BYTES:
            raise UnsupportedError(f"{name!r} of shape {tensor.shape} is larger than any file")
    if suffix not in SUFFIXES:
        raise UsageError(f"weights are exported to {' or '.join(SUFFIXES)}, not to {suffix or 'a name without suffix'}")
    return lower_npz(tensors) if suffix == ".npz" else lower_safetensors(tensors)


def lower_safetensors(tensors: Mapping[str, Tensor]) -> Rope:
    """Return the pieces of a `.safetensors` file. Element types and bits stay; types below a byte take one each.

    Raises:
        UnsupportedError: a tensor has a type without a name there (strings, complex128 ...).
    """
    header: dict[str, object] = {}
    rope: Rope = []
    offset = 0
    # Largest items first, as the reference implementation writes: every tensor is then aligned.
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        dtype = _SAFETENSORS.get(tensor.dtype.name)
        if dtype is None:
            raise UnsupportedError(
                f"{name!r} has type {tensor.dtype}, which safetensors does not have",
                hint="export to .npz, or leave it out with gs weights --match",
            )
        end = offset + tensor.nbytes
        header[name] = {"dtype": dtype, "shape": tensor.shape.to_json(), "data_offsets": [offset, end]}
        rope += _pieces(tensor)
        offset = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    text += b" " * (-len(text) % 8)
    return [struct.pack("<Q", len(text)) + text, *rope]


def lower_npz(tensors: Mapping[str, Tensor]) -> Rope:
    """Return the pieces of an `.npz` file. Types that numpy lacks are widened without loss; strings get one length.

    Raises:
        UnsupportedError: a tensor holds neither numbers nor strings.
    """
    entries: list[_Entry] = []
    rope: Rope = []
    offset = 0
    for name, tensor in tensors.items():
        entry = _Entry(_member_name(name), *_npy(name, tensor), offset)
        entries.append(entry)
        rope += [entry.local_header(), Computed(entry.size, entry.content), Computed(entry.tail_size, entry.tail)]
        offset += len(entry.local_header()) + entry.size + entry.tail_size
    directory = Computed(sum(entry.record_size for entry in entries), lambda: (entry.record() for entry in entries))
    return [*rope, directory, _end(len(entries), len(directory), offset)]


def _member_name(name: str) -> bytes:
    encoded = f"{name}.npy".encode("utf-8", "backslashreplace")
    if len(encoded) > _LONGEST_NAME:
        raise UnsupportedError(
            f"a name of {len(encoded)} bytes is too long for .npz",
            hint="leave it out with gs weights --match, or rename it",
        )
    return encoded


@dataclass
class _Entry:
    """One array in the archive; its checksum is known when its content has been written."""

    name: bytes
    size: int
    chunks: Callable[[], Iterator[bytes]]
    offset: int
    checksum: int = 0

    @property
    def is_large(self) -> bool:
        return self.size >= _LIMIT or self.offset >= _LIMIT

    @property
    def tail_size(self) -> int:
        return 24 if self.is_large else 16

    @property
    def record_size(self) -> int:
        return 46 + len(self.name) + (28 if self.is_large else 0)

    def content(self) -> Iterator[bytes]:
        self.checksum = 0
        for chunk in self.chunks():
            self.checksum = zlib.crc32(chunk, self.checksum)
            yield chunk

    def local_header(self) -> bytes:
        """Leave checksum and sizes to what follows the content; ZIP64 is announced by an extra field."""
        extra = struct.pack("<HHQQ", 1, 16, 0, 0) if self.is_large else b""
        sizes = (_LIMIT, _LIMIT) if self.is_large else (0, 0)
        head = struct.pack(
            "<4s5H3L2H", b"PK\3\4", self._version, _FLAGS, 0, 0, _DATE, 0, *sizes, len(self.name), len(extra)
        )
        return head + self.name + extra

    def tail(self) -> Iterator[bytes]:
        code = "<4sLQQ" if self.is_large else "<4sLLL"
        yield struct.pack(code, b"PK\7\10", self.checksum, self.size, self.size)

    def record(self) -> bytes:
        """Return the entry of the directory at the end."""
        extra = struct.pack("<HHQQQ", 1, 24, self.size, self.size, self.offset) if self.is_large else b""
        sizes = (_LIMIT, _LIMIT) if self.is_large else (self.size, self.size)
        head = struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", self._version, self._version, _FLAGS, 0, 0, _DATE, self.checksum, *sizes,
            len(self.name), len(extra), 0, 0, 0, 0, _LIMIT if self.is_large else self.offset,
        )  # fmt: skip
        return head + self.name + extra

    @property
    def _version(self) -> int:
        return 45 if self.is_large else 20


_FLAGS = 0x0808  # sizes behind the content; names in UTF-8
_DATE = 0x21  # 1 January 1980: the same weights give the same bytes


def _end(count: int, length: int, offset: int) -> bytes:
    large = b""
    if count >= 0xFFFF or length >= _LIMIT or offset >= _LIMIT:
        large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
        large += struct.pack("<4sLQL", b"PK\6\7", 0, offset + length, 1)
    small = (min(count, 0xFFFF), min(length, _LIMIT), min(offset, _LIMIT))
    return large + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, small[0], small[0], small[1], small[2], 0)


def _npy(name: str, tensor: Tensor) -> tuple[int, Callable[[], Iterator[bytes]]]:
    """Return the size of an array file and what yields it."""
    shape = tuple(dim or 0 for dim in tensor.shape)
    if tensor.dtype is STRING:
        tensor.verify()
        items = tensor.items()
        width = max((len(item) for item in items), default=0) or 1
        head = _npy_header(f"|S{width}", shape)
        return len(head) + width * len(items), lambda: iter([head, *(item.ljust(width, b"\0") for item in items)])
    code = _NPY_CODES.get(tensor.dtype.base.name)
    if code is None:
        raise UnsupportedError(
            f"{name!r} has type {tensor.dtype}, which .npz cannot hold", hint="leave it out with gs weights --match"
        )
    head = _npy_header(code, shape)
    size = len(head) + tensor.num_elements * int(code[2:])

    def chunks() -> Iterator[bytes]:
        yield head
        for chunk in tensor.checked_chunks():
            yield _widen(tensor.dtype, chunk)

    return size, chunks


_NPY_CODES = {
    "float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<f4", "int64": "<i8", "int32": "<i4",
    "int16": "<i2", "int8": "|i1", "uint64": "<u8", "uint32": "<u4", "uint16": "<u2", "uint8": "|u1", "bool": "|b1",
    "complex64": "<c8", "complex128": "<c16", "qint8": "|i1", "quint8": "|u1", "qint16": "<i2", "quint16": "<u2",
    "qint32": "<i4", "int4": "|i1", "uint4": "|u1", "int2": "|i1", "uint2": "|u1", "float8_e5m2": "<f4",
    "float8_e4m3fn": "<f4", "float8_e4m3fnuz": "<f4", "float8_e4m3b11fnuz": "<f4", "float8_e5m2fnuz": "<f4",
    "float4_e2m1fn": "<f4",
}  # fmt: skip


def _npy_header(code: str, shape: tuple[int, ...]) -> bytes:
    text = f"{{'descr': '{code}', 'fortran_order': False, 'shape': {shape!r}, }}".encode("latin-1")
    padding = -(10 + len(text) + 1) % 64
    text += b" " * padding + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def _widen(dtype: DType, chunk: bytes) -> bytes:
    if dtype.base.name == "bfloat16" or dtype.base.name.startswith(("float8", "float4")):
        return numeric.to_numpy(dtype, chunk).astype("<f4").tobytes()
    return numeric.to_numpy(dtype, chunk).tobytes() if dtype.is_small_integer else chunk


def _pieces(tensor: Tensor) -> list[Piece]:
    """Return where the little-endian bytes lie, else what yields them."""
    if tensor.dtype.is_small_integer:
        return [Computed(tensor.nbytes, lambda: (_widen(tensor.dtype, chunk) for chunk in tensor.checked_chunks()))]
    for kind in ("checked_ranges", "ranges"):
        ranges: list[FileRange] | None = getattr(tensor.source, kind, lambda: None)()
        if ranges is not None and sum(map(len, ranges)) == tensor.nbytes:
            return list(ranges)
    return [Computed(tensor.nbytes, tensor.checked_chunks)]
