"""The bytes of an HDF5 file: superblock, addresses, and fields one behind the other."""

from __future__ import annotations

import struct
from typing import Protocol

from graphsurgeon.errors import FormatError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_STARTS = (0, *(512 << power for power in range(12)))  # the superblock may stand behind a block of the user's
_MOST_BLOCKS = 2_000_000  # of one file; structures that lead in circles end here
_MOST_READ = 64 << 20  # bytes of one structure: no header, heap or node of a sound file is nearly as large


class PieceSource(Protocol):
    """What the bytes come from: a file, or a member of an archive."""

    @property
    def size(self) -> int:
        """Bytes there are."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes; raises `FormatError` outside of what there is."""


def find_superblock(source: PieceSource) -> int | None:
    """Return where the superblock stands, None if the bytes are no HDF5 file."""
    for start in _STARTS:
        if start + len(SIGNATURE) > source.size:
            return None
        if source.read_at(start, len(SIGNATURE)) == SIGNATURE:
            return start
    return None


def is_hdf5(source: PieceSource) -> bool:
    """Say whether the bytes begin as an HDF5 file does."""
    return find_superblock(source) is not None


class FileImage:
    """The file as its own addresses see it.

    Attributes:
        source: the bytes.
        start: where the superblock stands.
        base: what is added to every address.
        offset_size, length_size: bytes of an address, of a length.
        eof_at: where the superblock keeps the end of the file.
        root: address of the header of the root group.
        superblock_version: 0 to 3.
        heaps: address of a global heap -> number of an object in it -> byte of the file and length; once it was read.
    """

    def __init__(self, source: PieceSource) -> None:
        self.source = source
        self._blocks = 0
        self.heaps: dict[int, dict[int, tuple[int, int]]] = {}
        start = find_superblock(source)
        if start is None:
            raise FormatError("no HDF5 signature")
        self.start = start
        head = source.read_at(start, min(160, source.size - start))
        if len(head) < 48:
            raise FormatError("the superblock of the HDF5 file is cut off")
        self.superblock_version = head[8]
        if self.superblock_version > 3:
            raise FormatError(f"version {self.superblock_version} of the HDF5 superblock is not known")
        is_old = self.superblock_version < 2
        self.offset_size, self.length_size = (head[13], head[14]) if is_old else (head[9], head[10])
        if self.offset_size not in (4, 8) or self.length_size not in (4, 8):
            raise FormatError(f"addresses of {self.offset_size} and lengths of {self.length_size} bytes")
        fields = Fields(head, self, 12 if not is_old else (24 if self.superblock_version == 0 else 28))
        self.base = fields.integer(self.offset_size)
        fields.skip(self.offset_size)  # free space, or the extension of the superblock
        self.eof_at = start + fields.at
        self.eof = fields.integer(self.offset_size)
        if is_old:
            fields.skip(2 * self.offset_size)  # driver information; the name of the root group
        self.root = fields.integer(self.offset_size)

    def block(self, address: int | None, length: int, what: str) -> bytes:
        """Return the bytes of a structure.

        Raises:
            FormatError: it does not lie in the file, or there are more structures than any sound file has.
        """
        self._blocks += 1
        if address is None or length > _MOST_READ or self._blocks > _MOST_BLOCKS:
            raise FormatError(f"{what} of {length} bytes at address {address} cannot be right")
        where = self.base + address
        if where + length > self.source.size:
            raise FormatError(f"{what} at byte {where} lies outside the {self.source.size} bytes of the file")
        return self.source.read_at(where, length)

    def upto(self, address: int | None, length: int, what: str) -> bytes:
        """Return as many of `length` bytes as the file has."""
        have = self.source.size - self.base - (address or 0)
        return self.block(address, max(0, min(length, have)), what)

    def fields(self, address: int | None, length: int, signature: bytes, what: str) -> Fields:
        """Return the fields of a structure behind its signature.

        Raises:
            FormatError: the structure does not lie in the file, or has another signature.
        """
        data = self.upto(address, length, what)
        if not data.startswith(signature):
            raise FormatError(f"no {what} at address {address}, where one is named")
        return Fields(data, self, len(signature))


class Fields:
    """Little-endian fields, read one behind the other.

    Attributes:
        data: the bytes.
        at: position of the next field.
    """

    __slots__ = ("_image", "at", "data")

    def __init__(self, data: bytes, image: FileImage, at: int = 0) -> None:
        self.data = data
        self.at = at
        self._image = image

    def bytes(self, length: int) -> bytes:
        """Return the next bytes.

        Raises:
            FormatError: there are not as many.
        """
        end = self.at + length
        if length < 0 or end > len(self.data):
            raise FormatError("a structure of the HDF5 file ends too early")
        part = self.data[self.at : end]
        self.at = end
        return part

    def integer(self, length: int) -> int:
        """Return the next unsigned integer."""
        return int.from_bytes(self.bytes(length), "little")

    def address(self) -> int | None:
        """Return the next address, None for the undefined one."""
        size = self._image.offset_size
        found = self.integer(size)
        return None if found == (1 << 8 * size) - 1 else found

    def length(self) -> int:
        """Return the next length."""
        return self.integer(self._image.length_size)

    def skip(self, length: int) -> None:
        """Leave bytes out."""
        self.bytes(length)

    @property
    def left(self) -> int:
        """Bytes that are left."""
        return len(self.data) - self.at

    @property
    def image(self) -> FileImage:
        """The file."""
        return self._image


def checksum(data: bytes) -> int:
    """Return Jenkins' lookup3 (`hashlittle`, initial value 0), which guards the newer structures."""
    length = len(data)
    a = b = c = (0xDEADBEEF + length) & 0xFFFFFFFF
    at = 0
    while length - at > 12:
        x, y, z = struct.unpack_from("<3I", data, at)
        a, b, c = _mix((a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF)
        at += 12
    if length == at:
        return c
    x, y, z = struct.unpack("<3I", data[at:].ljust(12, b"\0"))
    return _final((a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF)


def _rotate(x: int, by: int) -> int:
    return ((x << by) | (x >> (32 - by))) & 0xFFFFFFFF


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for first, second, third in ((4, 6, 8), (16, 19, 4)):
        a = ((a - c) & 0xFFFFFFFF) ^ _rotate(c, first)
        c = (c + b) & 0xFFFFFFFF
        b = ((b - a) & 0xFFFFFFFF) ^ _rotate(a, second)
        a = (a + c) & 0xFFFFFFFF
        c = ((c - b) & 0xFFFFFFFF) ^ _rotate(b, third)
        b = (b + a) & 0xFFFFFFFF
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    c = ((c ^ b) - _rotate(b, 14)) & 0xFFFFFFFF
    a = ((a ^ c) - _rotate(c, 11)) & 0xFFFFFFFF
    b = ((b ^ a) - _rotate(a, 25)) & 0xFFFFFFFF
    c = ((c ^ b) - _rotate(b, 16)) & 0xFFFFFFFF
    a = ((a ^ c) - _rotate(c, 4)) & 0xFFFFFFFF
    b = ((b ^ a) - _rotate(a, 14)) & 0xFFFFFFFF
    return ((c ^ b) - _rotate(b, 24)) & 0xFFFFFFFF
