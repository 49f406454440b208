"""FlatBuffers by hand: what is read, what is refused, and what a rewrite keeps of fields that nobody knows."""

from __future__ import annotations

import struct
from array import array
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.disk.files import FileRange, open_source, rope_chunks, rope_size
from graphsurgeon.encoding.flatbuffer.read import BufferImage, Table
from graphsurgeon.encoding.flatbuffer.schema import Schema
from graphsurgeon.encoding.flatbuffer.unknown import UnknownFields
from graphsurgeon.encoding.flatbuffer.write import Payload, Record, emit
from graphsurgeon.errors import FormatError, UnsupportedError
from tests.work import at_most

flatbuffers = pytest.importorskip("flatbuffers", reason="builds the files")

# What a newer writer knows, and the part of it that an older reader knows.
NEWER = Schema("""
enum Color RED=0 GREEN=1
union Shape Circle=1 Square=2 Text=3
table Circle radius:int32
table Square side:float64 corners:[int32]
table Text lines:[string] data:[uint8]@16
table Leaf name:string size:int64
table Root version:uint32 name:string numbers:[int32] color:int8:Color=1 leaf:Leaf leaves:[Leaf] shape:Shape\
 flag:bool big:int64 title:string extras:[Leaf] one:Leaf words:[string] doubles:[float64] bytes:[uint8]@16
""")
OLDER = Schema("""
enum Color RED=0
union Shape Circle=1
table Circle radius:int32
table Leaf name:string
table Root version:uint32 name:string numbers:[int32] color:int8:Color=1 leaf:Leaf leaves:[Leaf] shape:Shape
""")

BY_HAND = bytes.fromhex(
    "10000000"  # the root table is at 16
    "41424344"  # identifier
    "0600 0c00 0400 0000"  # vtable at 8: 6 bytes, table of 12, field 0 at 4; padding
    "08000000"  # table at 16: its vtable is 8 bytes before
    "2a000000"  # field 0: 42
    "ffffffff"
)


def image(data: bytes, schema: Schema = NEWER) -> BufferImage:
    return BufferImage(data, schema)


def leaf(builder: Any, name: str, size: int) -> int:
    text = builder.CreateString(name)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, text, 0)
    builder.PrependInt64Slot(1, size, 0)
    return builder.EndObject()


def vector(builder: Any, items: list[int], size: int, prepend: str) -> int:
    builder.StartVector(size, len(items), size)
    for item in reversed(items):
        getattr(builder, prepend)(item)
    return builder.EndVector()


def square(builder: Any) -> int:
    corners = vector(builder, [7, 8, 9], 4, "PrependInt32")
    builder.StartObject(2)
    builder.PrependFloat64Slot(0, 2.5, 0)
    builder.PrependUOffsetTRelativeSlot(1, corners, 0)
    return builder.EndObject()


def newer_file(**left_out: bool) -> bytes:
    """Return a file with every kind of field, by the builder of the flatbuffers package."""
    builder = flatbuffers.Builder(64)
    name, title = builder.CreateString("model"), builder.CreateString("newer title")
    offsets = {
        1: name,
        2: vector(builder, [1, 2, 3], 4, "PrependInt32"),
        4: leaf(builder, "only", 5),
        5: vector(builder, [leaf(builder, text, 9) for text in ("a", "bb")], 4, "PrependUOffsetTRelative"),
        7: square(builder),
        10: title,
        11: vector(
            builder, [leaf(builder, text, 1 << 40) for text in ("x", "yy", "zzz")], 4, "PrependUOffsetTRelative"
        ),
        12: leaf(builder, "one", -1),
        13: vector(builder, [builder.CreateString(t) for t in ("some", "", "words")], 4, "PrependUOffsetTRelative"),
        14: vector(builder, [1, 2], 8, "PrependFloat64"),
        15: builder.CreateByteVector(bytes(range(50))),
    }
    builder.StartObject(16)
    for number, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(number, offset, 0)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependInt8Slot(3, 0, 1)
    builder.PrependUint8Slot(6, 2, 0)
    builder.PrependBoolSlot(8, True, False)
    builder.PrependInt64Slot(9, 1 << 40, 0)
    builder.Finish(builder.EndObject(), b"ABCD")
    return bytes(builder.Output())


def content(table: Table) -> dict[str, Any]:
    """Return everything that a table says."""
    assert table.type is not None
    found: dict[str, Any] = {}
    for name in table.type.fields:
        value = table.get(name)
        if isinstance(value, Table):
            value = content(value) if value.type else "unknown"
        elif table.type.fields[name].kind == "tables" and value is not None:
            value = [content(item) for item in value]
        found[name] = value.tolist() if isinstance(value, array) else value
    return found


EXPECTED = {
    "version": 3,
    "name": b"model",
    "numbers": [1, 2, 3],
    "color": 0,
    "leaf": {"name": b"only", "size": 5},
    "leaves": [{"name": b"a", "size": 9}, {"name": b"bb", "size": 9}],
    "shape_type": 2,
    "shape": {"side": 2.5, "corners": [7, 8, 9]},
    "flag": 1,
    "big": 1 << 40,
    "title": b"newer title",
    "extras": [{"name": text, "size": 1 << 40} for text in (b"x", b"yy", b"zzz")],
    "one": {"name": b"one", "size": -1},
    "words": [b"some", b"", b"words"],
    "doubles": [1.0, 2.0],
    "bytes": list(range(50)),
}


def rewritten(data: bytes, schema: Schema, change: dict[str, Any]) -> bytes:
    root = image(data, schema).root("Root")
    record = Record(schema.table("Root"), root)
    for name, value in change.items():
        record.set(name, value)
    return b"".join(rope_chunks(emit(record, b"ABCD", UnknownFields(root, len(data)))))


def test_bytes_by_hand_are_read() -> None:
    table = image(BY_HAND).root("Root")
    assert table.get("version") == 42
    assert table.get("color") == 1  # absent: the default
    assert table.get("name") is None
    assert table.text("title") == ""
    assert list(table.tables("leaves")) == []


def test_every_kind_of_field_is_read() -> None:
    assert content(image(newer_file()).root("Root")) == EXPECTED


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, 4000, "beyond the end"),  # the root
        (16, -4000, "vtable"),
        (16, 4000, "vtable"),
        (8, 0xFFFF000C, "a vtable of 12 bytes for a table of 65535"),
        (8, 0x000C0005, "a vtable of 5 bytes"),
        (12, 12, "places a field outside its table"),
    ],
)
def test_a_broken_structure_is_an_error_that_says_where(at: int, value: int, message: str) -> None:
    data = bytearray(BY_HAND)
    struct.pack_into("<i" if value < 0 else "<I", data, at, value)
    with pytest.raises(FormatError) as caught:
        image(bytes(data)).root("Root").get("version")
    assert "byte" in str(caught.value)
    if "65535" not in message:
        assert message in str(caught.value)


@pytest.mark.parametrize("length", range(0, 28, 3))
def test_a_file_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(FormatError, match="beyond the end"):
        image(BY_HAND[:length]).root("Root")


def test_a_length_beyond_the_file_is_refused_before_anything_is_made() -> None:
    data = bytearray(newer_file())
    root = image(bytes(data)).root("Root")
    at = root.image.follow(root.place("numbers"))
    struct.pack_into("<I", data, at, 0x7FFFFFFF)
    with pytest.raises(FormatError, match="beyond the end"):
        image(bytes(data)).root("Root").get("numbers")


def test_tables_that_share_a_vector_over_and_over_are_a_trap() -> None:
    builder = flatbuffers.Builder(64)
    text = builder.CreateString("x" * 60_000)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, text, 0)
    one = builder.EndObject()
    leaves = vector(builder, [one] * 5000, 4, "PrependUOffsetTRelative")
    builder.StartObject(6)
    builder.PrependUOffsetTRelativeSlot(5, leaves, 0)
    builder.Finish(builder.EndObject())
    data = bytes(builder.Output())
    with pytest.raises(FormatError, match="over and over"), at_most(500_000):
        content(image(data).root("Root"))
    record = Record(NEWER.table("Root"), image(data).root("Root"))
    with pytest.raises(FormatError, match="over and over"), at_most(500_000):
        emit(record, b"")


def test_pages_are_read_as_they_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "large"
    filling = 3 << 20
    path.write_bytes(newer_file() + bytes(filling))
    file = open_source(path)
    reads: list[int] = []

    class Counting:
        size, path = file.size, file.path

        def read_at(self, offset: int, length: int) -> bytes:
            reads.append(length)
            return file.read_at(offset, length)

    assert content(BufferImage(Counting(), NEWER).root("Root")) == EXPECTED  # type: ignore[arg-type]
    assert sum(reads) <= 2 * 4096


def test_an_untouched_record_is_unchanged_and_rewrites_to_the_same_content() -> None:
    root = image(newer_file()).root("Root")
    record = Record(NEWER.table("Root"), root)
    record.set("name", b"model")
    record.set("numbers", array("i", [1, 2, 3]))
    record.parts["leaves"] = [Record(NEWER.table("Leaf"), item) for item in root.tables("leaves")]
    assert not record.is_changed()
    data = b"".join(rope_chunks(emit(record, b"ABCD")))
    assert content(image(data).root("Root")) == EXPECTED
    assert data[4:8] == b"ABCD"


def test_changes_are_written_and_nothing_else() -> None:
    changes = {"version": 9, "name": "längerer Name".encode(), "numbers": array("i", [5]), "title": None, "flag": None}
    data = rewritten(newer_file(), NEWER, changes)
    expected = {**EXPECTED, **changes, "numbers": [5], "flag": 0}
    assert content(image(data).root("Root")) == expected


def test_fields_that_were_absent_are_added_aligned() -> None:
    root = image(BY_HAND).root("Root")
    record = Record(NEWER.table("Root"), root)
    record.set("big", -5)
    record.set("name", b"new")
    record.set("doubles", array("d", [0.5]))
    record.set("bytes", b"abc")
    record.parts["leaves"] = [Record(NEWER.table("Leaf"))]
    record.parts["leaves"][0].set("size", 1 << 50)
    data = b"".join(rope_chunks(emit(record, b"ABCD")))
    table = image(data).root("Root")
    assert table.get("version") == 42
    assert (table.get("big"), table.get("name"), list(table.get("doubles"))) == (-5, b"new", [0.5])
    assert content(table.tables("leaves")[0]) == {"name": None, "size": 1 << 50}  # type: ignore[index]
    assert table.place("big") % 8 == 0
    assert table.extent("doubles")[0] % 8 == 0  # type: ignore[index]
    assert table.extent("bytes")[0] % 16 == 0  # type: ignore[index]


def test_fields_unknown_to_the_reader_survive_a_change() -> None:
    """Scalars, strings, tables, vectors of each, and the member of a union that the reader does not know."""
    data = newer_file()
    assert content(image(data, OLDER).root("Root"))["shape"] == "unknown"
    changed = rewritten(data, OLDER, {"name": b"another name", "numbers": array("i", range(300))})
    expected = {**EXPECTED, "name": b"another name", "numbers": list(range(300))}
    assert content(image(changed).root("Root")) == expected


def test_an_unknown_field_that_may_be_either_is_refused() -> None:
    """A field that leads to zeros between two objects: an empty vector, or a number that happens to."""
    builder = flatbuffers.Builder(64)
    empty = vector(builder, [], 4, "PrependInt32")
    builder.StartObject(9)
    builder.PrependUOffsetTRelativeSlot(8, empty, 0)
    builder.Finish(builder.EndObject())
    with pytest.raises(UnsupportedError, match="newer"):
        rewritten(bytes(builder.Output()), OLDER, {"name": b"x"})


def test_a_large_vector_stays_in_its_file_and_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(bytes(range(256)) * 16)
    payload = Payload.of(FileRange(open_source(path), 0, 4096))
    record = Record(NEWER.table("Root"))
    record.parts["leaves"] = []
    record.changes = {"bytes": payload, "shape": Record(NEWER.table("Text")), "shape_type": 3}
    record.changes["shape"].changes["data"] = payload
    rope = emit(record, b"ABCD")
    assert [piece for piece in rope if isinstance(piece, FileRange)] == payload.pieces
    data = b"".join(rope_chunks(rope))
    table = image(data).root("Root")
    assert bytes(table.get("bytes")) == bytes(table.get("shape").get("data")) == path.read_bytes()
    assert table.extent("bytes")[0] % 16 == 0  # type: ignore[index]
    assert rope_size(rope) == len(data)


def test_a_place_behind_the_flatbuffer_is_told_by_a_scalar(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"w" * 100)
    record = Record(NEWER.table("Root"))
    record.changes = {"big": Payload.of(FileRange(open_source(path), 10, 50)), "version": 1}
    data = b"".join(rope_chunks(emit(record, b"ABCD")))
    place = image(data).root("Root").get("big")
    assert place % 16 == 0
    assert data[place : place + 50] == b"w" * 50
    assert len(data) >= place + 50 + 16  # kernels may read beyond the last element
