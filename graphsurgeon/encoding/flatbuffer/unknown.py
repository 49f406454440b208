"""Fields of a FlatBuffer that the schema does not know: newer writers put them there, and they must survive.

The file does not say whether such a field is a number or an offset. A number is copied as it is; the target of
an offset must be copied and pointed to anew. What tells them apart: in a sound file everything that no known
object covers is covered by an unknown one, so a field that, taken as an offset, leads to uncovered bytes is
one. Where that stays in doubt, writing is refused rather than something lost.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise

from graphsurgeon.encoding.flatbuffer.read import Table
from graphsurgeon.encoding.flatbuffer.write import UNTYPED, Emitter, Record
from graphsurgeon.errors import FormatError, UnsupportedError

Copy = Callable[[Emitter], int]

_DEEPEST = 32  # unknown tables inside unknown tables
_PADDING = 16  # bytes; a shorter gap of zeros may be nothing but alignment
_U32 = struct.Struct("<I").unpack_from


class UnknownFields:
    """Finds and copies what unknown fields of one FlatBuffer point to.

    Attributes:
        root: the root table.
        end: where the FlatBuffer ends and other data begins.
    """

    def __init__(self, root: Table, end: int) -> None:
        self.root = root
        self.image = root.image
        self.end = min(end, root.image.size)
        self._depth = 0
        self._starts: list[int] = []
        self._ends: list[int] = []

    def offsets(self, table: Table, ids: Sequence[int]) -> list[tuple[int, Copy]]:
        """Return those of some unknown fields that are offsets: place in the table, and what copies the target."""
        found: list[tuple[int, Copy]] = []
        used = sorted({offset for offset in table.slots[2:] if offset} | {table.slots[1]})
        following = dict(pairwise(used))
        for number in ids:
            offset = table.slots[number + 2]
            room = following[offset] - offset
            target = self._target(table.at + offset) if room >= 4 else None
            if target is not None:
                found.append((offset, partial(self._copy, target)))
        return found

    def _target(self, place: int) -> int | None:
        """Return what a field leads to if it is an offset, None if it is a number."""
        if place % 4:
            return None
        target = int(place + _U32(self.image.data, place)[0])
        if target - place < 4 or target % 4 or target + 4 > self.end:
            return None
        free = self._free_until(target)
        if free - target < 4:
            return None
        self.image.need(target, min(free - target, _PADDING))
        if free - target < _PADDING and not any(self.image.data[target:free]):
            raise UnsupportedError(
                f"byte {place} belongs to a field newer than this program, which cannot tell how to keep it",
                path=self.image.file and self.image.file.path,
                hint="a newer version may know it",
            )
        return target

    def _copy(self, target: int, emitter: Emitter) -> int:
        """Copy a table, a vector of offsets, or bytes, whichever the target can be."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.image.error(target, f"unknown tables are nested more than {_DEEPEST} deep")
        try:
            table = self._table(target)
            if table is not None:
                return emitter.table(Record(UNTYPED, table))
            items = self._items(target)
            if not items:
                return self._copy_bytes(target, emitter)
            at = emitter.offsets(len(items))
            for number, item in enumerate(items):
                emitter.point(at + 4 + 4 * number, self._copy(item, emitter))
            return at
        finally:
            self._depth -= 1

    def _copy_bytes(self, target: int, emitter: Emitter) -> int:
        """Copy a vector of scalars or a string: as many bytes as its elements can take at most."""
        count = _U32(self.image.data, target)[0]
        length = min(self._free_until(target) - target, 4 + 8 * count + 1)
        if length < 4 + count:
            raise self.image.error(target, f"a field newer than this program leads to {length} bytes of {count}")
        self.image.need(target, length)
        self.image.spend(length, target)
        return emitter.blob(bytes(self.image.data[target : target + length]), target % 16)

    def _table(self, target: int) -> Table | None:
        try:
            table = Table(self.image, None, target)
        except FormatError:  # no table then: something else
            return None
        is_free = target + table.slots[1] <= self._free_until(target)
        return table if is_free and any(table.slots[2:]) else None

    def _items(self, target: int) -> list[int]:
        """Return the targets of a vector of offsets, empty if it is none."""
        count = _U32(self.image.data, target)[0]
        if not 0 < count <= (self._free_until(target) - target - 4) // 4:
            return []
        self.image.need(target, 4 + 4 * count)
        found = []
        for place in range(target + 4, target + 4 + 4 * count, 4):
            item = place + _U32(self.image.data, place)[0]
            if item - place < 4 or item % 4 or item + 4 > self.end or self._free_until(item) - item < 4:
                return []
            found.append(item)
        self.image.spend(4 * count, target)
        return found

    def _free_until(self, address: int) -> int:
        """Return up to where no known object covers the bytes from an address on; the address if one does."""
        if not self._starts:
            self._cover()
        index = bisect_right(self._starts, address)
        if index and self._ends[index - 1] > address:
            return address
        return self._starts[index] if index < len(self._starts) else self.end

    def _cover(self) -> None:
        """Note which bytes the known objects take."""
        for start, end in sorted(_Walk(self.root).extents()):
            if self._starts and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)


def end_of(root: Table) -> int:
    """Return where the last object that the schema knows ends."""
    return max(end for _, end in _Walk(root).extents())


class _Walk:
    """A walk over every object that the schema knows, each once."""

    def __init__(self, root: Table) -> None:
        self.root = root
        self.seen: set[tuple[int, str]] = set()

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield start and end of each."""
        yield 0, 8
        waiting = [self.root]
        while waiting:
            table = waiting.pop()
            key = table.at, table.type.name if table.type else ""
            if key in self.seen:
                continue
            self.seen.add(key)
            vtable = table.at - struct.unpack_from("<i", table.image.data, table.at)[0]
            yield vtable, vtable + table.slots[0]
            yield table.at, table.at + table.slots[1]
            yield from self._fields(table, waiting)

    def _fields(self, table: Table, waiting: list[Table]) -> Iterator[tuple[int, int]]:
        image = table.image
        for field in table.type.by_id.values() if table.type else ():
            place = table.place_of(field)
            if not place or field.kind == "scalar":
                continue
            address = image.follow(place)
            if field.kind in ("table", "union"):
                found = table.get(field.name)
                waiting += [found] if found is not None else []
                continue
            start, length = image.vector(address, field.size if field.kind == "scalars" else 4)
            if field.kind == "string":
                length = length // 4 + 1
            yield address, start + length
            if field.kind == "tables":
                waiting.extend(table.get(field.name))
            elif field.kind == "strings":
                for at in (start + i for i in range(0, length, 4)):
                    text = image.follow(at)
                    yield text, image.vector(text, 1)[0] + image.vector(text, 1)[1] + 1
