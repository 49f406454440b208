"""Heaps and trees: where an HDF5 file keeps names, text of variable length, and long lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from graphsurgeon.encoding.hdf5.image import Fields, FileImage
from graphsurgeon.errors import FormatError

_DEEPEST = 40  # levels of a tree: each has many children
_MOST_ROWS = 64  # of a fractal heap's doubling table: sizes double with each


class LocalHeap:
    """Names of the links of one group."""

    def __init__(self, image: FileImage, address: int | None) -> None:
        fields = image.fields(address, 32, b"HEAP", "local heap")
        fields.skip(4)
        size = fields.length()
        fields.length()
        self._data = image.block(fields.address(), size, "local heap")

    def name(self, offset: int) -> str:
        """Return the name at an offset."""
        end = self._data.find(b"\0", offset)
        if end < 0:
            raise FormatError(f"a name at offset {offset} of a heap of {len(self._data)} bytes")
        return self._data[offset:end].decode("utf-8", "surrogateescape")


def tree_leaves(image: FileImage, address: int | None, kind: int, key_size: int) -> Iterator[tuple[bytes, int | None]]:
    """Yield key and child of each entry on the lowest level of a version 1 B-tree, in order.

    Args:
        image: the file.
        address: of the root node.
        kind: 0 for groups, 1 for chunks.
        key_size: bytes of a key.
    """
    seen: set[int] = set()
    stack = [(address, _DEEPEST)]
    while stack:
        address, left = stack.pop()
        if address is None:
            continue
        if address in seen or not left:
            raise FormatError("a tree of the HDF5 file leads back to itself")
        seen.add(address)
        head = image.fields(address, 8 + 2 * image.offset_size, b"TREE", "node of a tree")
        found_kind, level, count = head.integer(1), head.integer(1), head.integer(2)
        if found_kind != kind:
            raise FormatError(f"a tree of kind {found_kind} where one of kind {kind} is named")
        size = len(head.data) + count * (key_size + image.offset_size)
        node = Fields(image.block(address, size, "node of a tree"), image, len(head.data))
        entries = [(node.bytes(key_size), node.address()) for _ in range(count)]
        if level:
            stack += [(child, left - 1) for _, child in reversed(entries)]
        else:
            yield from entries


def global_object(image: FileImage, address: int, index: int) -> tuple[int, int]:
    """Return byte of the file and length of an object in a global heap: text of variable length.

    Raises:
        FormatError: there is none.
    """
    if address not in image.heaps:
        image.heaps[address] = _global_objects(image, address)
    found = image.heaps[address].get(index)
    if found is None:
        raise FormatError(f"the global heap at address {address} has no object {index}")
    return found


def _global_objects(image: FileImage, address: int) -> dict[int, tuple[int, int]]:
    """Return the objects of a global heap by their numbers; the first that ends it is the space that is left."""
    head = image.fields(address, 8 + image.length_size, b"GCOL", "global heap")
    head.skip(4)
    size = head.length()
    at, step = len(head.data), 8 + image.length_size
    found: dict[int, tuple[int, int]] = {}
    while at + step <= size:
        entry = Fields(image.block(address + at, step, "global heap"), image)
        number = entry.integer(2)
        entry.skip(6)
        length = entry.length()
        if not number:
            break
        found.setdefault(number, (image.base + address + at + step, length))
        at += step + (length + 7) // 8 * 8
    return found


class _Table(NamedTuple):
    """The doubling table of a fractal heap."""

    width: int
    first: int
    largest: int
    offset_bytes: int
    root: int | None
    rows: int
    is_checked: bool
    is_filtered: bool
    length_bytes: int


class FractalHeap:
    """Links or attributes of an object that has many, in the newer form."""

    def __init__(self, image: FileImage, address: int | None) -> None:
        self._image = image
        fields = image.fields(address, 256, b"FRHP", "fractal heap")
        fields.skip(1)
        self.id_length = fields.integer(2)
        filters, flags, most = fields.integer(2), fields.integer(1), fields.integer(4)
        for size in "LOLOLLLLLLLL":
            fields.skip(image.length_size if size == "L" else image.offset_size)
        width, first, largest = fields.integer(2), fields.length(), fields.length()
        bits = fields.integer(2)
        fields.skip(2)
        root, rows = fields.address(), fields.integer(2)
        if not 0 < width <= 1024 or not first or first & (first - 1) or rows > _MOST_ROWS:
            raise FormatError("the table of a fractal heap is damaged")
        length_bytes = (min(largest, most).bit_length() + 7) // 8
        self._table = _Table(
            width, first, largest, (bits + 7) // 8, root, rows, bool(flags & 2), bool(filters), length_bytes
        )

    def object(self, id: bytes) -> tuple[int, bytes]:
        """Return byte of the file (-1 where unknown) and content of the object with an ID.

        Raises:
            FormatError: there is none, or it is kept in a way that Keras files never use.
        """
        kind = id[:1] and id[0] >> 4 & 3
        if kind == 2:
            return -1, id[1 : 2 + (id[0] & 15)]
        if kind != 0 or self._table.is_filtered:
            raise FormatError("an object of a fractal heap is stored apart or compressed, which is not read")
        offset = int.from_bytes(id[1 : 1 + self._table.offset_bytes], "little")
        length = int.from_bytes(id[1 + self._table.offset_bytes :][: self._table.length_bytes], "little")
        address = self._find(offset)
        return self._image.base + address, self._image.block(address, length, "object of a fractal heap")

    def _find(self, offset: int) -> int:
        """Return the address of an offset in the heap's own space."""
        root, rows, start = self._table.root, self._table.rows, 0
        for _ in range(_DEEPEST):
            if not rows:
                if root is None:
                    break
                return root + offset - start
            root, rows, start = self._child(root, rows, start, offset)
        raise FormatError(f"a fractal heap has nothing at offset {offset}")

    def _child(self, address: int | None, rows: int, start: int, offset: int) -> tuple[int | None, int, int]:
        table, image = self._table, self._image
        head = 5 + image.offset_size + table.offset_bytes
        size = head + rows * table.width * image.offset_size
        block = image.fields(address, size, b"FHIB", "block of a fractal heap")
        block.skip(head - 4)
        for row in range(rows):
            length = table.first << max(0, row - 1)
            for _ in range(table.width):
                child = block.address()
                if start <= offset < start + length:
                    is_direct = length <= table.largest
                    inner = 0 if is_direct else (length // table.first // table.width).bit_length()
                    return child, inner, start
                start += length
        return None, 0, 0


def records(image: FileImage, address: int | None) -> Iterator[bytes]:
    """Yield the records of a version 2 B-tree.

    Raises:
        FormatError: the tree is damaged.
    """
    fields = image.fields(address, 64, b"BTHD", "tree")
    fields.skip(2)
    node_size, record_size, depth = fields.integer(4), fields.integer(2), fields.integer(2)
    fields.skip(2)
    root, count = fields.address(), fields.integer(2)
    if not record_size or depth > _DEEPEST or node_size < record_size + 10:
        raise FormatError("a tree of the HDF5 file is damaged")
    if root is not None:
        yield from _Tree(image, node_size, record_size).walk(root, count, depth)


class _Tree:
    def __init__(self, image: FileImage, node_size: int, record_size: int) -> None:
        self._image = image
        self._node_size = node_size
        self._record_size = record_size
        self._seen: set[int] = set()

    def walk(self, address: int | None, count: int, depth: int) -> Iterator[bytes]:
        if address is None or address in self._seen:
            raise FormatError("a tree of the HDF5 file leads back to itself")
        self._seen.add(address)
        node = self._image.fields(address, self._node_size, b"BTIN" if depth else b"BTLF", "node of a tree")
        node.skip(2)
        yield from [node.bytes(self._record_size) for _ in range(count)]
        if depth:
            number_size, total_size = self._sizes(depth)
            children = []
            for _ in range(count + 1):
                children.append((node.address(), node.integer(number_size)))
                node.skip(total_size)
            for child, number in children:
                yield from self.walk(child, number, depth - 1)

    def _sizes(self, depth: int) -> tuple[int, int]:
        """Return bytes of the number of records of a child, and of the number of records below it."""
        most = total = (self._node_size - 10) // self._record_size
        number_size, total_size = _bytes_for(most), 0
        for _ in range(depth - 1):
            pointer = self._image.offset_size + number_size + total_size
            inner = (self._node_size - 10 - pointer) // (self._record_size + pointer)
            total = (inner + 1) * total + inner
            total_size = _bytes_for(total)
        return number_size, total_size


def _bytes_for(number: int) -> int:
    return max(1, (number.bit_length() + 7) // 8)
