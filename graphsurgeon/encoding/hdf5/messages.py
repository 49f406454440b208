"""Object headers: the messages that say what an object is, and the few kinds of them that matter here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from graphsurgeon.encoding.hdf5.image import Fields, FileImage
from graphsurgeon.errors import FormatError

DATASPACE, LINK_INFO, DATATYPE, OLD_FILL_VALUE, FILL_VALUE = 0x01, 0x02, 0x03, 0x04, 0x05
LINK, EXTERNAL_FILES, LAYOUT, FILTERS, ATTRIBUTE = 0x06, 0x07, 0x08, 0x0B, 0x0C
CONTINUATION, SYMBOL_TABLE, ATTRIBUTE_INFO = 0x10, 0x11, 0x15
_SHARED = 0x02  # flag of a message that stands elsewhere
_MOST_MESSAGES = 100_000
_MOST_RANK = 32  # H5S_MAX_RANK
_DEEPEST_TYPE = 8


class HeaderMessage(NamedTuple):
    """A message of an object header.

    Attributes:
        type: its number.
        flags: bit 1: it is shared, and stands elsewhere.
        at: byte of the file where its body begins.
        body: the bytes.
        header: byte range of the part of the header it stands in, checksum included, for version 2; else None.
    """

    type: int
    flags: int
    at: int
    body: bytes
    header: tuple[int, int] | None


class Datatype(NamedTuple):
    """A type of elements, as stored.

    Attributes:
        kind: class of the type: 0 integer, 1 float, 3 string, 4 bits, 5 opaque, 6 compound, 8 enum, 9 of variable
            length ...
        size: bytes of an element.
        is_big: big-endian.
        is_signed: of an integer.
        is_text: a string, of fixed or variable length.
        padding: of a string of fixed length: 0 ends at the first zero, 1 filled up with zeros, 2 with spaces.
        members: of a compound or enum: names.
        parts: types of a compound's members; the base of an enum.
        exponent: bits of the exponent of a float.
    """

    kind: int
    size: int
    is_big: bool = False
    is_signed: bool = False
    is_text: bool = False
    padding: int = 0
    members: tuple[str, ...] = ()
    parts: tuple[Datatype, ...] = ()
    exponent: int = 0


class Attribute(NamedTuple):
    """A named small value of an object.

    Attributes:
        shape: None for an attribute without a value.
        data: the bytes of the value.
        message: where it stands; None if in a heap.
        data_at: byte of the file where the value begins; None if in a heap.
    """

    name: str
    type: Datatype
    shape: tuple[int, ...] | None
    data: bytes
    message: HeaderMessage | None = None
    data_at: int | None = None


def messages(image: FileImage, address: int | None) -> list[HeaderMessage]:
    """Return the messages of the object header at an address, continuations included.

    Raises:
        FormatError: the header is damaged.
    """
    start = image.upto(address, 16, "object header")
    assert address is not None
    found = _version_2(image, address, start) if start.startswith(b"OHDR") else _version_1(image, address, start)
    shared = [message for message in found if message.flags & _SHARED and message.type != ATTRIBUTE]
    return [*(message for message in found if message not in shared), *_resolved(image, shared)]


def _version_1(image: FileImage, address: int, start: bytes) -> list[HeaderMessage]:
    fields = Fields(start, image)
    if fields.integer(1) != 1:
        raise FormatError(f"no object header at address {address}, where one is named")
    fields.skip(1)
    fields.integer(2)  # number of messages: the blocks say it too
    fields.skip(4)
    size = fields.integer(4)
    blocks = [(address + 16, size)]
    found: list[HeaderMessage] = []
    seen: set[int] = set()
    while blocks:
        where, size = blocks.pop(0)
        if where in seen:
            raise FormatError(f"the object header at address {address} leads back to itself")
        seen.add(where)
        block = Fields(image.block(where, size, "object header"), image)
        while block.left >= 8:
            type, length, flags = block.integer(2), block.integer(2), block.integer(1)
            block.skip(3)
            at = image.base + where + block.at
            _add(found, blocks, HeaderMessage(type, flags, at, block.bytes(length), None), image)
    return found


def _version_2(image: FileImage, address: int, start: bytes) -> list[HeaderMessage]:
    flags = start[5] if len(start) > 5 else 0
    head = Fields(image.upto(address, 64, "object header"), image, 6)
    head.skip((16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0))
    size = head.integer(1 << (flags & 3))
    blocks = [(address, head.at, size)]
    found: list[HeaderMessage] = []
    seen: set[int] = set()
    while blocks:
        where, skipped, size = blocks.pop(0)
        if where in seen:
            raise FormatError(f"the object header at address {address} leads back to itself")
        seen.add(where)
        whole = image.block(where, skipped + size + 4, "object header")
        header = (image.base + where, len(whole))
        block = Fields(whole[:-4], image, skipped)
        more: list[tuple[int, int]] = []
        while block.left >= 4 + (2 if flags & 4 else 0):
            type, length, message_flags = block.integer(1), block.integer(2), block.integer(1)
            block.skip(2 if flags & 4 else 0)
            at = image.base + where + block.at
            _add(found, more, HeaderMessage(type, message_flags, at, block.bytes(length), header), image)
        blocks += [(next_at, 4, length - 8) for next_at, length in more]
    return found


def _add(found: list[HeaderMessage], blocks: list[tuple[int, int]], message: HeaderMessage, image: FileImage) -> None:
    if len(found) > _MOST_MESSAGES:
        raise FormatError("an object header of the HDF5 file has too many messages")
    if message.type == CONTINUATION:
        fields = Fields(message.body, image)
        address = fields.address()
        if address is not None:
            blocks.append((address, fields.length()))
    else:
        found.append(message)


def _resolved(image: FileImage, shared: list[HeaderMessage]) -> Iterator[HeaderMessage]:
    """Yield shared messages as they stand in the header of a committed type; those in a heap of messages are left."""
    for message in shared:
        fields = Fields(message.body, image)
        version, kind = fields.integer(1), fields.integer(1)
        fields.skip(6 if version == 1 else 0)
        if version >= 3 and kind == 1:
            raise FormatError("a message of the HDF5 file stands in a heap of shared messages, which is not read")
        address = fields.address()
        start = image.upto(address, 16, "object header")
        read = _version_2 if start.startswith(b"OHDR") else _version_1
        assert address is not None
        yield from (other for other in read(image, address, start) if other.type == message.type)


def dataspace(fields: Fields) -> tuple[int, ...] | None:
    """Return a shape, None for a dataspace without elements ("null")."""
    version, rank, flags = fields.integer(1), fields.integer(1), fields.integer(1)
    if version not in (1, 2) or rank > _MOST_RANK:
        raise FormatError(f"a dataspace of version {version} and rank {rank}")
    kind = fields.integer(1)
    if version == 1:
        fields.skip(4)
    elif kind == 2:
        return None
    dims = tuple(fields.length() for _ in range(rank))
    fields.skip(rank * fields.image.length_size if flags & 1 else 0)
    return dims


def datatype(fields: Fields, depth: int = 0) -> Datatype:
    """Return a type of elements.

    Raises:
        FormatError: it is damaged, or nested deeper than any sound one.
    """
    if depth > _DEEPEST_TYPE:
        raise FormatError("a type of elements of the HDF5 file is nested too deeply")
    start = fields.integer(1)
    kind, version = start & 15, start >> 4
    bits = fields.integer(3)
    size = fields.integer(4)
    if kind == 0:
        fields.skip(4)
        return Datatype(0, size, bool(bits & 1), bool(bits & 8))
    if kind == 1:
        fields.skip(5)
        exponent = fields.integer(1)
        fields.skip(6)
        return Datatype(1, size, bool(bits & 1), True, exponent=exponent)
    if kind == 3:
        return Datatype(3, size, is_text=True, padding=bits & 15)
    if kind == 5:
        fields.skip(bits & 0xFF)
        return Datatype(5, size)
    if kind == 6:
        return _compound(fields, size, bits & 0xFFFF, version, depth)
    if kind == 8:
        return _enum(fields, size, bits & 0xFFFF, version, depth)
    if kind == 9:
        return Datatype(9, size, is_text=bits & 15 == 1, parts=(datatype(fields, depth + 1),))
    return Datatype(kind, size)  # times, bits, references, arrays: nothing here reads them


def _name(fields: Fields, *, padded: bool) -> str:
    end = fields.data.find(b"\0", fields.at)
    if end < 0:
        raise FormatError("a name in the HDF5 file has no end")
    name = fields.bytes(end - fields.at)
    fields.skip(min(8 - len(name) % 8 if padded else 1, fields.left))
    return name.decode("utf-8", "replace")


def _compound(fields: Fields, size: int, count: int, version: int, depth: int) -> Datatype:
    names, parts = [], []
    for _ in range(min(count, 64)):  # complex numbers have two members; nothing else is read
        names.append(_name(fields, padded=version < 3))
        if version < 3:
            fields.skip(4)
            fields.skip(28 if version == 1 else 0)
        else:
            fields.skip(max(1, (size.bit_length() + 7) // 8))
        parts.append(datatype(fields, depth + 1))
    return Datatype(6, size, members=tuple(names), parts=tuple(parts))


def _enum(fields: Fields, size: int, count: int, version: int, depth: int) -> Datatype:
    base = datatype(fields, depth + 1)
    names = tuple(_name(fields, padded=version < 3) for _ in range(min(count, 256)))
    return Datatype(8, size, base.is_big, base.is_signed, members=names, parts=(base,))


def attribute(message: HeaderMessage, image: FileImage) -> Attribute | None:
    """Return the attribute that a message holds; None where its type or shape stands elsewhere (never in Keras files).

    Raises:
        FormatError: it is damaged.
    """
    fields = Fields(message.body, image)
    version, flags = fields.integer(1), fields.integer(1)
    if version not in (1, 2, 3):
        raise FormatError(f"an attribute of version {version}")
    if version > 1 and flags & 3:
        return None
    sizes = [fields.integer(2) for _ in range(3)]
    fields.skip(1 if version == 3 else 0)
    parts = []
    for size in sizes:
        parts.append(fields.bytes(size))
        fields.skip(-size % 8 if version == 1 else 0)
    type, shape = datatype(Fields(parts[1], image)), dataspace(Fields(parts[2], image))
    length = type.size * num_elements(shape or ()) if shape is not None else 0
    at = message.at + fields.at
    name = parts[0].rstrip(b"\0").decode("utf-8", "replace")
    return Attribute(name, type, shape, fields.bytes(length), message, at)


def num_elements(shape: tuple[int, ...]) -> int:
    """Return the product of some dimensions."""
    count = 1
    for dim in shape:
        count *= dim
    return count
