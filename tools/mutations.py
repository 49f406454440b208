"""Change files as their structure allows: what comes out is still a file of its kind, and says something else.

Protobuf messages lose, double, exchange and set fields; FlatBuffers get other numbers, lengths and targets in place;
an index of a checkpoint gets other entries, checksums right; texts lose, double and exchange lines and words. A part of
the changes is plain damage: bits, bytes, an early end.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from graphsurgeon.disk.files import open_source
from graphsurgeon.encoding.flatbuffer.read import BufferImage, Table
from graphsurgeon.encoding.sstable import SSTable, write_table
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats import schema
from graphsurgeon.formats.tflite.schema import schema as tflite_schema

Mutation = Callable[[bytes, random.Random], bytes]

NUMBERS = (0, 1, 2, 3, 7, 100, 127, 128, 255, 256, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1)
TEXTS = (
    "",
    "x",
    "a/b",
    "../../x",
    "/etc/passwd",
    "^x",
    "x:0",
    "x:99",
    ":0",
    "é",
    "\n",
    "a" * 300,
    "%s",
    "[red]",
    "loc:@x",
)
FLOATS = (0.0, -0.0, 1.0, -1.0, float("nan"), float("inf"), 1e300)
PLAIN_DAMAGE = 0.15  # of all changes
MESSAGES = {
    "saved_model.pb": "tensorflow.SavedModel",
    ".meta": "tensorflow.MetaGraphDef",
    ".pb": "tensorflow.GraphDef",
    ".onnx": "onnx.ModelProto",
}
TEXT_SUFFIXES = (".pbtxt", ".json", ".prototxt", ".txt", "checkpoint")


def mutated(path: Path, chance: random.Random) -> bytes:
    """Return the bytes of a file with one to four changes."""
    data = path.read_bytes()
    for _ in range(chance.choice((1, 1, 2, 4))):
        change = damage if chance.random() < PLAIN_DAMAGE else _mutation_for(path)
        data = change(data, chance) if data else chance.randbytes(8)
    return data


def _mutation_for(path: Path) -> Mutation:
    for ending, name in MESSAGES.items():
        if path.name.endswith(ending):
            return lambda data, chance: message(data, chance, name)
    if path.name.endswith(TEXT_SUFFIXES):
        return text
    if path.suffix == ".index":
        return lambda data, chance: index(data, chance, path)
    return flatbuffer if path.suffix == ".tflite" else damage


def damage(data: bytes, chance: random.Random) -> bytes:
    """Flip bits, overwrite bytes, put some in, or end early."""
    copy = bytearray(data)
    at = chance.randrange(len(copy))
    kind = chance.randrange(4)
    if kind == 0:
        del copy[at:]
    elif kind == 1:
        copy[at] ^= 1 << chance.randrange(8)
    elif kind == 2:
        copy[at : at + 4] = struct.pack("<I", chance.choice(NUMBERS) & 0xFFFFFFFF)
    else:
        copy[at:at] = copy[: chance.randrange(1, 64)]
    return bytes(copy)


def text(data: bytes, chance: random.Random) -> bytes:
    """Change lines, or a word or number."""
    lines = data.splitlines(keepends=True)
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    kind = chance.randrange(5)
    if kind == 0:
        del lines[first : first + chance.randrange(1, 4)]
    elif kind == 1:
        lines[first:first] = lines[second : second + chance.randrange(1, 20)]
    elif kind == 2:
        lines[first], lines[second] = lines[second], lines[first]
    else:
        return _other_word(data, chance)
    return b"".join(lines)


def _other_word(data: bytes, chance: random.Random) -> bytes:
    words = list(re.finditer(rb"[-\w./:]+", data))
    if not words:
        return data
    word = chance.choice(words)
    pool = (
        [str(number).encode() for number in NUMBERS]
        + [text.encode() for text in TEXTS]
        + [b"-1", b"null", b"[]", b"{}"]
    )
    new = chance.choice(words).group() if chance.random() < 0.5 else chance.choice(pool)
    return data[: word.start()] + new + data[word.end() :]


def message(data: bytes, chance: random.Random, name: str) -> bytes:
    """Change one field of one message in a tree of messages."""
    try:
        root = schema.parse(name, data)
    except GraphSurgeonError:
        return damage(data, chance)
    places = list(_messages(root))
    _change_field(chance.choice(places), places, chance)
    try:
        return bytes(root.SerializeToString(deterministic=True))
    except ValueError:  # a string that cannot be encoded
        return data


def _messages(root: Any) -> Iterator[Any]:
    waiting = [root]
    while waiting:
        found = waiting.pop()
        yield found
        for field, value in found.ListFields():
            if field.message_type is not None:
                waiting += _children(field, value)


def _children(field: Any, value: Any) -> list[Any]:
    if field.message_type.GetOptions().map_entry:
        is_message = field.message_type.fields_by_name["value"].message_type is not None
        return [value[key] for key in sorted(value)] if is_message else []
    return list(value) if _is_repeated(field) else [value]


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED)


def _change_field(place: Any, places: list[Any], chance: random.Random) -> None:
    there = [field for field, _ in place.ListFields()]
    fields = there if there and chance.random() < 0.8 else list(place.DESCRIPTOR.fields)
    if not fields:
        return
    field = chance.choice(fields)
    value = getattr(place, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _change_map(value, field, chance)
    elif _is_repeated(field):
        _change_list(value, field, places, chance)
    elif field.message_type is not None:
        _change_message(place, field, places, chance)
    elif chance.random() < 0.2:
        place.ClearField(field.name)
    else:
        setattr(place, field.name, _scalar(field, places, chance))


def _change_map(value: Any, field: Any, chance: random.Random) -> None:
    keys = sorted(value)
    if not keys or field.message_type.fields_by_name["value"].message_type is None:
        return
    first, second = chance.choice(keys), chance.choice(keys)
    kind = chance.randrange(4)
    if kind == 0:
        del value[first]
    elif kind == 1:
        value[first].CopyFrom(_copied(value[second]))
    elif kind == 2 and isinstance(first, str):
        value[chance.choice((*TEXTS, second + "_"))].CopyFrom(_copied(value[first]))
    else:
        value[first].Clear()


def _change_list(value: Any, field: Any, places: list[Any], chance: random.Random) -> None:
    if not value or chance.random() < 0.2:
        _append(value, field, places, chance)
        return
    first, second = chance.randrange(len(value)), chance.randrange(len(value))
    kind = chance.randrange(4)
    if kind == 0:
        del value[first]
    elif field.message_type is not None:
        copies = [_copied(item) for item in (value[first], value[second])]
        value[second].CopyFrom(copies[0])
        if kind > 1:
            value[first].CopyFrom(copies[1])
    elif kind == 1:
        value[first] = value[second]
    else:
        value[first] = _scalar(field, places, chance)


def _append(value: Any, field: Any, places: list[Any], chance: random.Random) -> None:
    times = chance.choice((1, 1, 1, 100))
    for _ in range(times):
        if field.message_type is None:
            value.append(_scalar(field, places, chance))
        else:
            alike = [place for place in places if place.DESCRIPTOR.full_name == field.message_type.full_name]
            copy = _copied(chance.choice(alike)) if alike else None  # it may hold the list that it is added to
            value.add().CopyFrom(copy) if copy is not None else value.add()


def _change_message(place: Any, field: Any, places: list[Any], chance: random.Random) -> None:
    alike = [other for other in places if other.DESCRIPTOR.full_name == field.message_type.full_name]
    kind = chance.randrange(3)
    if kind == 0 or not alike:
        place.ClearField(field.name)
    elif kind == 1:
        getattr(place, field.name).SetInParent()
    else:
        getattr(place, field.name).CopyFrom(_copied(chance.choice(alike)))


def _copied(message: Any) -> Any:
    """Return a message of its own: what is copied into a part of itself ends the process, now or later."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _scalar(field: Any, places: list[Any], chance: random.Random) -> Any:
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        found = _text(places, chance)
        return found if field.type == field.TYPE_STRING else found.encode()
    if kind == field.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return chance.choice(FLOATS)
    if kind == field.CPPTYPE_ENUM:
        return chance.choice([value.number for value in field.enum_type.values])
    bits = 64 if kind in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64) else 32
    number = chance.choice(NUMBERS) % (1 << bits)
    if kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
        return number
    return number - (1 << bits) if number >= 1 << (bits - 1) else number if chance.random() < 0.7 else -number


def _text(places: list[Any], chance: random.Random) -> str:
    """Return a text that stands elsewhere in the file, or an odd one."""
    for _ in range(8 if chance.random() < 0.7 else 0):
        place = chance.choice(places)
        found = [value for field, value in place.ListFields() if isinstance(value, str)]
        if found:
            return str(chance.choice(found)) + chance.choice(("", "", ":1", "_1"))
    return chance.choice(TEXTS)


def index(data: bytes, chance: random.Random, path: Path) -> bytes:
    """Change, drop, double or rename an entry of a checkpoint's index; checksums of blocks are right again."""
    try:
        entries = dict(SSTable(open_source(path)))
    except GraphSurgeonError:
        return damage(data, chance)
    key = chance.choice(list(entries))
    kind = chance.randrange(4)
    if kind == 0:
        del entries[key]
    elif kind == 1:
        entries[chance.choice(TEXTS).encode()] = entries[key]
    else:
        name = "BundleEntryProto" if key else "BundleHeaderProto"
        entries[key] = message(entries[key], chance, f"tensorflow.{name}") if entries[key] else b"\x08\x01"
    return write_table(sorted(entries.items()))


def flatbuffer(data: bytes, chance: random.Random) -> bytes:
    """Change a number, a length or a target of one table, where it lies."""
    copy = bytearray(data)
    try:
        places = list(_tables(BufferImage(data, tflite_schema())))
        table = chance.choice(places)
        _change_table(copy, table, places, chance)
    except (GraphSurgeonError, struct.error):
        return damage(data, chance)
    return bytes(copy)


def _tables(image: BufferImage) -> Iterator[Table]:
    waiting, seen = [image.root("Model")], set[int]()
    while waiting:
        table = waiting.pop()
        if table.at in seen or table.type is None:
            continue
        seen.add(table.at)
        yield table
        for field in table.type.fields.values():
            if table.place_of(field) and field.kind in ("table", "tables", "union"):
                found = table.get(field.name)
                waiting += [found] if isinstance(found, Table) else list(found or ())


def _change_table(copy: bytearray, table: Table, places: list[Table], chance: random.Random) -> None:
    assert table.type is not None
    fields = [field for field in table.type.fields.values() if table.place_of(field)]
    if not fields:
        return
    field = chance.choice(fields)
    at = table.place_of(field)
    if field.kind == "scalar":
        _number(copy, at, field.size, chance)
        return
    target = table.image.follow(at)
    if field.kind in ("table", "union"):
        other = chance.choice([place for place in places if place.type is table.type] or places)
        struct.pack_into("<I", copy, at, max(other.at - at, 0))
        return
    (length,) = struct.unpack_from("<I", copy, target)
    if chance.random() < 0.3 or not length:
        struct.pack_into("<I", copy, target, chance.choice((0, max(length - 1, 0), length + 1, *NUMBERS[:6])))
        return
    place = target + 4 + field.size * chance.randrange(length)
    if field.kind in ("tables", "strings"):
        other_place = target + 4 + field.size * chance.randrange(length)
        (offset,) = struct.unpack_from("<I", copy, other_place)
        struct.pack_into("<I", copy, place, max(other_place + offset - place, 0))
    else:
        _number(copy, place, field.size, chance)


def _number(copy: bytearray, at: int, size: int, chance: random.Random) -> None:
    number = chance.choice((*NUMBERS[:8], *NUMBERS, int.from_bytes(copy[at : at + size], "little") + 1, -1, -2))
    copy[at : at + size] = (number % (1 << (8 * size))).to_bytes(size, "little")
