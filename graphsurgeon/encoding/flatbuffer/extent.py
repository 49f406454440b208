"""Where a FlatBuffer ends: the last byte that its tables, vectors and strings take, by their schema."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.encoding.flatbuffer.read import BufferImage, Table, Tables
from graphsurgeon.errors import FormatError

_MOST = 2_000_000  # tables


def end_of(image: BufferImage, root: Table) -> int:
    """Return the offset behind the last byte that is part of a FlatBuffer. Looks at all tables, at no values.

    Raises:
        FormatError: it is broken, or has more tables than two million.
    """
    end = 4
    seen: set[int] = set()
    waiting = [root]
    image.spent = 0
    while waiting:
        table = waiting.pop()
        if table.at in seen:
            continue
        seen.add(table.at)
        if len(seen) > _MOST:
            raise FormatError(f"more than {_MOST} tables")
        end = max(end, table.at + table.slots[1], table.at - _distance(image, table.at) + table.slots[0])
        for stop, inner in _parts(image, table):
            end = max(end, stop)
            waiting += inner
    return end


def _distance(image: BufferImage, at: int) -> int:
    return int.from_bytes(image.data[at : at + 4], "little", signed=True)


def _parts(image: BufferImage, table: Table) -> Iterator[tuple[int, list[Table]]]:
    """Yield, for what hangs on a table, where it ends, and the tables in it."""
    for field in table.type.by_id.values() if table.type is not None else ():
        address = table.place_of(field)
        if not address or field.kind == "scalar":
            continue
        target = image.follow(address)
        if field.kind in ("table", "union"):
            inner = table.get(field.name)  # None for a union of no kind, which has its table all the same
            yield target + 4, [inner if isinstance(inner, Table) else Table(image, None, target)]
        elif field.kind == "tables":
            found = Tables(image, image.schema.table(field.type), target)
            yield found.start + 4 * found.count, list(found)
        elif field.kind == "strings":
            places = Tables(image, None, target)
            ends = [sum(image.vector(place, 1)) + 1 for place in places.addresses()]
            yield max([places.start + 4 * places.count, *ends]), []
        else:
            is_string = field.kind == "string"  # its size is that of the offset to it
            start, length = image.vector(target, 1 if is_string else field.size)
            yield start + length + is_string, []
