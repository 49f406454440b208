"""Give attributes of an HDF5 file other texts, and leave every other byte as it is.

A text of variable length stands in a global heap: a new heap is put behind the file, and the attribute is pointed to
it. A text of fixed length is overwritten where the new one fits, else its attribute becomes one of variable length in
the same place. What changes besides is the end of the file in the superblock, and the checksums of newer structures.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.encoding.hdf5.file import Item
from graphsurgeon.encoding.hdf5.image import FileImage, checksum
from graphsurgeon.encoding.hdf5.messages import Attribute, HeaderMessage
from graphsurgeon.errors import UnsupportedError

_SMALLEST_HEAP = 4096  # bytes; H5HG_MINSIZE
_ALIGNED = 8


class Replacement:
    """What to write instead.

    Attributes:
        patches: byte of the file -> what stands there now.
        appended: what follows the file's own bytes.
    """

    def __init__(self) -> None:
        self.patches: dict[int, bytes] = {}
        self.appended = b""


def replace_texts(image: FileImage, item: Item, texts: Mapping[str, str]) -> Replacement:
    """Return what gives some attributes of a group other texts.

    Raises:
        UnsupportedError: an attribute is kept in a way that is only read.
    """
    result = Replacement()
    attributes = item.attributes
    needed: list[tuple[Attribute, bytes]] = []
    headers: dict[tuple[int, int], None] = {}
    for name, text in texts.items():
        attribute, data = attributes[name], text.encode("utf-8")
        message = attribute.message
        if message is None or attribute.data_at is None or attribute.shape != () or not attribute.type.is_text:
            raise UnsupportedError(
                f"the attribute {name!r} is kept in a way that is only read",
                hint="load the file in h5py and write it again",
            )
        if message.header is not None:
            headers[message.header] = None
        if attribute.type.kind == 3 and len(data) <= attribute.type.size:
            result.patches[attribute.data_at] = data.ljust(attribute.type.size, b"\0")
        else:
            needed.append((attribute, data))
    if needed:
        _append_heap(image, result, needed)
    for header in headers:
        _check_header(image, result, header)
    return result


def _append_heap(image: FileImage, result: Replacement, needed: list[tuple[Attribute, bytes]]) -> None:
    size = image.source.size
    padding = -(size - image.base) % _ALIGNED
    address = size - image.base + padding
    heap = _heap(image, [data for _, data in needed])
    result.appended = bytes(padding) + heap
    for index, (attribute, data) in enumerate(needed, 1):
        place = len(data).to_bytes(4, "little") + address.to_bytes(image.offset_size, "little")
        place += index.to_bytes(4, "little")
        assert attribute.message is not None
        assert attribute.data_at is not None
        if attribute.type.kind == 9:
            result.patches[attribute.data_at] = place
        else:
            result.patches[attribute.message.at] = _as_variable(image, attribute, attribute.message, place)
    _move_end(image, result, len(result.appended))


def _heap(image: FileImage, items: list[bytes]) -> bytes:
    body = b""
    for index, data in enumerate(items, 1):
        body += index.to_bytes(2, "little") + (1).to_bytes(2, "little") + bytes(4)
        body += len(data).to_bytes(image.length_size, "little") + data + bytes(-len(data) % _ALIGNED)
    head = 8 + image.length_size
    size = max(_SMALLEST_HEAP, head + len(body) + 8 + image.length_size)
    size += -size % _ALIGNED
    free = size - head - len(body)
    body += bytes(8) + free.to_bytes(image.length_size, "little")  # object 0 is the space that is left
    return (b"GCOL\1\0\0\0" + size.to_bytes(image.length_size, "little") + body).ljust(size, b"\0")


def _as_variable(image: FileImage, attribute: Attribute, message: HeaderMessage, place: bytes) -> bytes:
    """Return the body of an attribute of fixed length as one of variable length, as long as it was."""
    body = message.body
    version = body[0]
    type = bytes((0x19, 0x01, 0x01, 0x00)) + len(place).to_bytes(4, "little")  # variable length: text, UTF-8
    type += bytes((0x13, 0x00, 0x01, 0x00)) + (1).to_bytes(4, "little")  # of characters
    name_size, space_size = int.from_bytes(body[2:4], "little"), int.from_bytes(body[6:8], "little")
    old_type = int.from_bytes(body[4:6], "little")
    at = 9 if version == 3 else 8

    def padded(size: int) -> int:
        return size + -size % 8 if version == 1 else size

    name_end = at + padded(name_size)
    space_at = name_end + padded(old_type)
    head = body[:4] + len(type).to_bytes(2, "little") + body[6:name_end]
    space = body[space_at : space_at + padded(space_size)]
    fresh = head + type.ljust(padded(len(type)), b"\0") + space + place
    if len(fresh) > len(body):
        raise UnsupportedError(f"the text of the attribute {attribute.name!r} has no room in its header")
    return fresh.ljust(len(body), b"\0")


def _move_end(image: FileImage, result: Replacement, growth: int) -> None:
    """Write the new end of the file into the superblock."""
    size = image.source.size
    is_absolute = image.base + image.eof != size and image.eof == size
    end = (size if is_absolute else size - image.base) + growth
    result.patches[image.eof_at] = end.to_bytes(image.offset_size, "little")
    if image.superblock_version >= 2:
        _check_header(image, result, (image.start, 12 + 4 * image.offset_size + 4))


def _check_header(image: FileImage, result: Replacement, part: tuple[int, int]) -> None:
    """Count the checksum of a structure anew; it stands in its last four bytes."""
    start, length = part
    data = bytearray(image.source.read_at(start, length))
    for at, patch in result.patches.items():
        if start <= at < start + length:
            data[at - start : at - start + len(patch)] = patch
    result.patches[start + length - 4] = checksum(bytes(data[:-4])).to_bytes(4, "little")
