"""Groups, attributes and datasets of an HDF5 file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, Union

from graphsurgeon.encoding.hdf5 import messages as parts
from graphsurgeon.encoding.hdf5.heaps import FractalHeap, LocalHeap, global_object, records, tree_leaves
from graphsurgeon.encoding.hdf5.image import Fields, FileImage, PieceSource
from graphsurgeon.encoding.hdf5.messages import Attribute, Datatype, HeaderMessage
from graphsurgeon.errors import FormatError

_MOST_TEXT = 256 << 20  # bytes of the text of one attribute: the JSON of the largest Keras models has a few MB
_MOST_STRINGS = 1_000_000  # of one attribute or dataset
_MOST_ITEMS = 1_000_000  # groups and datasets of a file
_DEEPEST = 100  # groups in groups
_HARD, _EXTERNAL = 0, 64  # kinds of links
_LINK_BY_NAME, _ATTRIBUTE_BY_NAME = 4, 0  # bytes before the heap ID in records of trees
AttributeValue: TypeAlias = Union[str, bytes, list[str], list[bytes], list[int], list[float], int, float, None]  # noqa: UP007


def open_file(source: PieceSource) -> File:
    """Return a file of which the superblock has been read.

    Raises:
        FormatError: it is no HDF5 file, or of an unknown version.
    """
    return File(FileImage(source))


class File:
    """An HDF5 file.

    Attributes:
        image: its bytes.
        root: the root group.
    """

    def __init__(self, image: FileImage) -> None:
        self.image = image
        self.root = Item(image, image.root, "")

    def walk(self, top: Item | None = None) -> Iterator[Item]:
        """Yield everything below a group (default: the root), each once, in the order of the names. Not the group."""
        seen: set[int] = set()
        stack = [(top or self.root, 0)]
        count = 0
        while stack:
            item, depth = stack.pop()
            if item.address in seen:
                continue
            seen.add(item.address)
            count += 1
            if count > _MOST_ITEMS or depth > _DEEPEST:
                raise FormatError("the HDF5 file has too many groups, or too deep ones")
            if depth:
                yield item
            if not item.is_dataset:
                stack += [(child, depth + 1) for child in reversed(list(item.children.values()))]


@dataclass(frozen=True)
class Chunks:
    """Where the pieces of a dataset lie that is stored in pieces.

    Attributes:
        dims: elements of a piece along each axis.
        index: "tree" (version 1 B-tree), "one" (a single piece), "row" (all of them, one behind the other).
        address: of the tree or the first piece.
        size: bytes of a single piece as stored, None where it is not compressed.
        skipped: filters a single piece went without, as bits.
    """

    dims: tuple[int, ...]
    index: str
    address: int | None
    size: int | None = None
    skipped: int = 0


@dataclass(frozen=True)
class Dataset:
    """An array.

    Attributes:
        type, shape: of its elements.
        contiguous: byte of the file where all values lie in a row; None if they do not, or were never written.
        compact: the values, where the header itself holds them.
        chunks: where values lie that are stored in pieces.
        filters: (number, parameters) of what each piece went through, in the order of writing.
        elsewhere: why the values are not in this file, empty if they are.
        fill: bytes of an element that was never written; empty for zeros.
    """

    type: Datatype
    shape: tuple[int, ...]
    contiguous: int | None = None
    compact: bytes | None = None
    chunks: Chunks | None = None
    filters: tuple[tuple[int, tuple[int, ...]], ...] = ()
    elsewhere: str = ""
    fill: bytes = b""


class Item:
    """A group or dataset.

    Attributes:
        address: of its header.
        path: names of the groups on the way, joined by `/`, without one in front.
    """

    __slots__ = ("_children", "_image", "_messages", "_outside", "address", "path")

    def __init__(self, image: FileImage, address: int, path: str) -> None:
        self._image = image
        self.address = address
        self.path = path
        self._outside: dict[str, str] = {}
        self._messages: list[HeaderMessage] | None = None
        self._children: dict[str, Item] | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_dataset(self) -> bool:
        """Say whether it has a layout of values."""
        return any(message.type == parts.LAYOUT for message in self._header)

    @property
    def children(self) -> dict[str, Item]:
        """What a group holds, by name; links to other files or places are left out: see `outside`."""
        if self._children is None:
            found = self._links()
            self._children = {one.name: self._child(one.name, one.address) for one in found if one.address is not None}
            self._outside = {one.name: one.file for one in found if one.address is None}
        return self._children

    @property
    def outside(self) -> dict[str, str]:
        """Links of a group that lead to no place in it -> the file that they name, empty for a path in this one."""
        _ = self.children  # which finds them
        return self._outside

    def get(self, path: str) -> Item | None:
        """Return what a path below this group leads to, None if there is nothing."""
        item: Item | None = self
        for name in path.split("/"):
            item = item.children.get(name) if item is not None and not item.is_dataset else None
        return item

    @property
    def attributes(self) -> dict[str, Attribute]:
        """Its attributes by name, as stored."""
        found = [parts.attribute(message, self._image) for message in self._header if message.type == parts.ATTRIBUTE]
        found += self._dense_attributes()
        return {attribute.name: attribute for attribute in found if attribute is not None}

    def value(self, name: str) -> AttributeValue:
        """Return the value of an attribute: text, a list of texts, numbers; None if there is none or of another type.

        Raises:
            FormatError: it is damaged.
        """
        attribute = self.attributes.get(name)
        return None if attribute is None else attribute_value(attribute, self._image)

    def text(self, name: str) -> str:
        """Return the value of an attribute that is one text, empty if there is none."""
        value = self.value(name)
        return value if isinstance(value, str) else value.decode("utf-8", "replace") if isinstance(value, bytes) else ""

    def texts(self, name: str) -> list[str] | None:
        """Return the value of an attribute that is a list of texts; Keras cuts long ones: `NAME0`, `NAME1` ..."""
        attributes = self.attributes
        if name in attributes:
            return _texts(attribute_value(attributes[name], self._image))
        found: list[str] = []
        number = 0
        while f"{name}{number}" in attributes:
            found += _texts(attribute_value(attributes[f"{name}{number}"], self._image))
            number += 1
        return found if number else None

    def dataset(self) -> Dataset:
        """Return what the dataset is and where its values lie. Reads no values.

        Raises:
            FormatError: the header is damaged, or of a form that is not known.
        """
        by_type = {message.type: message for message in reversed(self._header)}
        if parts.DATATYPE not in by_type or parts.DATASPACE not in by_type:
            raise FormatError(f"the dataset {self.path!r} has no type or shape")
        from graphsurgeon.encoding.hdf5 import layout

        type = parts.datatype(Fields(by_type[parts.DATATYPE].body, self._image))
        shape = parts.dataspace(Fields(by_type[parts.DATASPACE].body, self._image))
        return layout.dataset(self._image, by_type, type, (0,) if shape is None else shape)

    def other_files(self) -> list[str]:
        """Return the names of other files that hold the values of the dataset; none for most.

        Raises:
            FormatError: the header is damaged.
        """
        from graphsurgeon.encoding.hdf5 import elsewhere

        return list(elsewhere.names(self._image, {message.type: message for message in reversed(self._header)}))

    # -- the header ------------------------------------------------------------------------------------

    @property
    def _header(self) -> list[HeaderMessage]:
        if self._messages is None:
            self._messages = parts.messages(self._image, self.address)
        return self._messages

    def _child(self, name: str, address: int) -> Item:
        return Item(self._image, address, f"{self.path}/{name}" if self.path else name)

    def _links(self) -> list[_Link]:
        found: list[_Link] = []
        for message in self._header:
            if message.type == parts.SYMBOL_TABLE:
                found += _symbols(Fields(message.body, self._image))
            elif message.type == parts.LINK:
                found.append(_link(Fields(message.body, self._image)))
            elif message.type == parts.LINK_INFO:
                dense = _dense(Fields(message.body, self._image), 8, 0x01, _LINK_BY_NAME, self._image)
                found += [_link(Fields(data, self._image)) for _, data in dense]
        return found

    def _dense_attributes(self) -> list[Attribute | None]:
        found: list[Attribute | None] = []
        for message in self._header:
            if message.type == parts.ATTRIBUTE_INFO:
                dense = _dense(Fields(message.body, self._image), 2, 0x01, _ATTRIBUTE_BY_NAME, self._image)
                for at, data in dense:
                    one = parts.attribute(HeaderMessage(parts.ATTRIBUTE, 0, at, data, None), self._image)
                    found.append(None if one is None else one._replace(message=None, data_at=None))
        return found


def attribute_value(attribute: Attribute, image: FileImage) -> AttributeValue:
    """Return the value of an attribute; None for types that are no text and no numbers.

    Raises:
        FormatError: text lies outside the file, or is absurdly long.
    """
    if attribute.shape is None:
        return None
    count = parts.num_elements(attribute.shape)
    found = _texts_of(attribute.type, attribute.data, count, image) or _numbers_of(attribute.type, attribute.data)
    if attribute.shape:
        return found
    return found[0] if found else None


def strings_of(type: Datatype, data: bytes, count: int, image: FileImage) -> list[bytes]:
    """Return elements that are text.

    Raises:
        FormatError: text lies outside the file, or is absurdly long.
    """
    if count > _MOST_STRINGS:
        raise FormatError(f"{count} strings are too many")
    if type.kind == 3:
        items = [data[at : at + type.size] for at in range(0, count * type.size, max(1, type.size))]
        if type.padding == 0:
            return [item.partition(b"\0")[0] for item in items]
        return [item.rstrip(b"\0" if type.padding == 1 else b" ") for item in items]
    if type.size != 8 + image.offset_size:
        raise FormatError(f"a text of variable length that is told in {type.size} bytes")
    found = []
    total = 0
    for at in range(0, count * type.size, type.size):
        fields = Fields(data[at : at + type.size], image)
        length, address, index = fields.integer(4), fields.address(), fields.integer(4)
        total += length
        if total > _MOST_TEXT:
            raise FormatError(f"text of {total} bytes in the HDF5 file is too long")
        if not address or not length:
            found.append(b"")
            continue
        where, stored = global_object(image, address, index)
        if length > stored or where + length > image.source.size:
            raise FormatError("text of variable length lies outside the HDF5 file")
        found.append(image.source.read_at(where, length))
    return found


def _texts_of(type: Datatype, data: bytes, count: int, image: FileImage) -> list[str]:
    if not type.is_text:
        return []
    return [item.rstrip(b"\0").decode("utf-8", "replace") for item in strings_of(type, data, count, image)]


def _numbers_of(type: Datatype, data: bytes) -> list[int] | list[float]:
    if type.kind == 1:
        code = {2: "e", 4: "f", 8: "d"}.get(type.size)
    elif type.kind in (0, 8):
        code = {1: "B", 2: "H", 4: "I", 8: "Q"}.get(type.size)
        code = code.lower() if code and type.is_signed else code
    else:
        code = None
    if code is None:
        return []
    return list(struct.unpack(f"{'>' if type.is_big else '<'}{len(data) // type.size}{code}", data))


def _texts(value: AttributeValue) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


class _Link(NamedTuple):
    """One link of a group: its address is None, and it may name a file, where it leads elsewhere."""

    name: str
    address: int | None
    file: str = ""


def _symbols(fields: Fields) -> Iterator[_Link]:
    """Yield the links of an older group."""
    image = fields.image
    tree, heap = fields.address(), LocalHeap(image, fields.address())
    for _, address in tree_leaves(image, tree, 0, image.length_size):
        head = image.fields(address, 8, b"SNOD", "symbol table node")
        head.skip(2)
        count = head.integer(2)
        entry = 2 * image.offset_size + 24
        node = Fields(image.block(address, 8 + count * entry, "symbol table node"), image, 8)
        for _ in range(count):
            name, header, kind = node.integer(image.offset_size), node.address(), node.integer(4)
            node.skip(20)
            yield _Link(heap.name(name), None if kind == 2 else header)  # 2: a link to a path


def _link(fields: Fields) -> _Link:
    """Return a link of a newer group."""
    fields.skip(1)
    flags = fields.integer(1)
    kind = fields.integer(1) if flags & 8 else 0
    fields.skip((8 if flags & 4 else 0) + (1 if flags & 16 else 0))
    name = fields.bytes(fields.integer(1 << (flags & 3))).decode("utf-8", "surrogateescape")
    if kind == _HARD:
        return _Link(name, fields.address())
    told = fields.bytes(fields.integer(2))[1:] if kind == _EXTERNAL else b""  # flags, file, path
    return _Link(name, None, told.partition(b"\0")[0].decode("utf-8", "surrogateescape"))


def _dense(
    fields: Fields, counter: int, with_counter: int, before_id: int, image: FileImage
) -> Iterator[tuple[int, bytes]]:
    """Yield byte of the file and content of each link or attribute that is kept in a heap."""
    fields.skip(1)
    flags = fields.integer(1)
    fields.skip(counter if flags & with_counter else 0)
    heap_at, names_at = fields.address(), fields.address()
    if heap_at is None:
        return
    heap = FractalHeap(image, heap_at)
    for record in records(image, names_at):
        yield heap.object(record[before_id : before_id + heap.id_length])
