"""`TFLITE_METADATA` made with the `flatbuffers` package alone, field by field: no schema of ours has a part in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def support_bytes(inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
    """Return metadata of one subgraph; an entry is `{"name": ..., "files": [...]}`; `groups` are of the outputs."""
    import flatbuffers

    builder = flatbuffers.Builder(0)
    slots = {2: _tables(builder, inputs), 3: _tables(builder, outputs)}
    if "groups" in more:
        groups = [
            _table(builder, 2, {0: builder.CreateString(name), 1: _texts(builder, names)})
            for name, names in more["groups"].items()
        ]
        slots[8] = _vector(builder, groups)
    subgraph = _table(builder, 10, slots)
    model = _table(builder, 8, {0: builder.CreateString("by hand"), 3: _vector(builder, [subgraph])})
    builder.Finish(model, file_identifier=b"M001")
    return bytes(builder.Output())


def names(data: bytes, side: int) -> list[str] | None:
    """Return the names in the list of inputs (2) or outputs (3) of the first subgraph, None where there is no list."""
    subgraphs = _follow(data, _slot(data, _u32(data, 0), 3))
    subgraph = _follow(data, subgraphs + 4)
    place = _slot(data, subgraph, side)
    if not place:
        return None
    found = _follow(data, place)
    return [_name(data, _follow(data, found + 4 + 4 * number)) for number in range(_u32(data, found))]


def _name(data: bytes, table: int) -> str:
    place = _slot(data, table, 0)
    at = _follow(data, place) if place else 0
    return data[at + 4 : at + 4 + _u32(data, at)].decode() if place else ""


def _slot(data: bytes, table: int, number: int) -> int:
    """Return where a field of a table lies, 0 if it is absent."""
    vtable = table - int.from_bytes(data[table : table + 4], "little", signed=True)
    at = vtable + 4 + 2 * number
    size = int.from_bytes(data[vtable : vtable + 2], "little")
    offset = int.from_bytes(data[at : at + 2], "little") if at < vtable + size else 0
    return table + offset if offset else 0


def _follow(data: bytes, place: int) -> int:
    return place + _u32(data, place)


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _tables(builder: Any, items: Sequence[Mapping[str, Any]]) -> int:
    made = []
    for item in items:
        slots = {0: builder.CreateString(item["name"])}
        files = [
            _table(builder, 5, {0: builder.CreateString(name), 1: builder.CreateString("told")})
            for name in item.get("files", ())
        ]
        if files:
            slots[6] = _vector(builder, files)
        made.append(_table(builder, 7, slots))
    return _vector(builder, made)


def _texts(builder: Any, names: Sequence[str]) -> int:
    return _vector(builder, [builder.CreateString(name) for name in names])


def _table(builder: Any, count: int, slots: Mapping[int, int]) -> int:
    builder.StartObject(count)
    for slot, target in slots.items():
        builder.PrependUOffsetTRelativeSlot(slot, target, 0)
    return int(builder.EndObject())


def _vector(builder: Any, targets: Sequence[int]) -> int:
    builder.StartVector(4, len(targets), 4)
    for target in reversed(targets):
        builder.PrependUOffsetTRelative(target)
    return int(builder.EndVector())
