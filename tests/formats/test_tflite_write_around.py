"""Writing what surrounds the graphs of a TFLite model: metadata, archives, data behind, fields of newer schemas."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.disk.files import FileRange, Rope, open_source
from graphsurgeon.encoding.appended_zip import find_zip
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats.tflite import file as tflite
from graphsurgeon.formats.tflite import write_buffers as tflite_write_buffers
from graphsurgeon.formats.tflite.metadata import KIND, decode_edges
from graphsurgeon.model import (
    Collection,
    CollectionItem,
    DType,
    Node,
    Output,
    Shape,
    Tensor,
)  # fmt: skip
from tests.formats.tflite_files import (
    FIXTURES,
    old_model,
    read,
    reread,
    written,
)  # fmt: skip
from tests.oracle import tflite_objects

pytestmark = pytest.mark.litert
FLOAT32 = DType.named("float32")

# -- metadata ------------------------------------------------------------------------------------------------


def test_metadata_is_added_changed_renamed_and_removed(tmp_path: Path) -> None:
    model = read("metadata.tflite")
    collections = model.metagraphs[0].collections
    before = len(tflite_objects.tree((FIXTURES / "metadata.tflite").read_bytes())["buffers"])
    del collections["min_runtime_version"]
    kept = collections.pop("TFLITE_METADATA")
    collections["renamed"] = kept
    collections["new"] = Collection("new", KIND, [CollectionItem("", {}, b"value")])
    data = written(model)
    again = reread(data, tmp_path).metagraphs[0].collections
    assert list(again) == ["renamed", "new"]
    assert again["new"].items[0].value.tobytes() == b"value"  # type: ignore[attr-defined]
    assert again["renamed"].items[0].value.tobytes() == kept.items[0].value.tobytes()  # type: ignore[attr-defined]
    assert len(tflite_objects.tree(data)["buffers"]) == before + 1


def test_writing_again_and_again_does_not_let_metadata_grow(tmp_path: Path) -> None:
    data = written(renamed := read("composite.tflite"))
    sizes = []
    for number in range(4):
        renamed.graphs[0].values[0].name = f"name {number}"
        nodes = renamed.graphs[0].nodes
        nodes[-1].controls = [] if nodes[-1].controls else [nodes[0]]
        data = written(renamed)
        sizes.append(len(tflite_objects.tree(data)["buffers"]))
        renamed = reread(data, tmp_path)
    assert len(set(sizes)) == 1


def test_control_edges_follow_their_operators(tmp_path: Path) -> None:
    model = read("composite.tflite")
    graph = model.graphs[0]
    pairs = [(first.op, node.op) for node in graph.nodes for first in node.controls]
    assert pairs
    node = graph.add_node("NEG", "", [graph.inputs[0]])
    node.set_outputs([graph.add_value("negative", FLOAT32, graph.inputs[0].shape or Shape(None))])
    graph.nodes[0].set_input(0, node.outputs[0])
    again = reread(written(model), tmp_path)
    assert again.graphs[0].nodes[0].op == "NEG"
    assert [(first.op, node.op) for node in again.graphs[0].nodes for first in node.controls] == pairs


def test_control_edges_can_be_given_to_a_model_that_had_none(tmp_path: Path) -> None:
    model = read("cnn_float.tflite")
    nodes = model.graphs[0].nodes
    nodes[4].controls = [nodes[1]]
    data = written(model)
    entry = reread(data, tmp_path).metagraphs[0].collections["model_control_dependencies"].items[0]
    assert decode_edges(entry.value.tobytes()) == [[(1, 4)]]  # type: ignore[attr-defined]


def test_planned_arena_offsets_follow_their_tensors(tmp_path: Path) -> None:
    model = read("cnn_int8.tflite")
    count = len(model.graphs[0].values)
    plan = struct.pack(f"<{count + 3}i", 1, 0, count, *range(100, 100 + count))
    model.metagraphs[0].collections["OfflineMemoryAllocation"] = Collection(
        "OfflineMemoryAllocation", KIND, [CollectionItem("", {}, plan)]
    )
    planned = reread(written(model), tmp_path)
    graph = planned.graphs[0]
    first = graph.values.pop(0)
    graph.values.append(first)
    graph.add_value("new", FLOAT32, Shape([1]))
    again = reread(written(planned), tmp_path)
    item = again.metagraphs[0].collections["OfflineMemoryAllocation"].items[0]
    numbers = struct.unpack(f"<{count + 4}i", item.value.tobytes())  # type: ignore[attr-defined]
    assert numbers == (1, 0, count + 1, *range(101, 100 + count), 100, -1)


def test_compressed_models_are_not_renumbered() -> None:
    model = read("cnn_int8.tflite")
    item = CollectionItem("", {}, b"compressed")
    model.metagraphs[0].collections["COMPRESSION_METADATA"] = Collection("COMPRESSION_METADATA", KIND, [item])
    graph = model.graphs[0]
    graph.add_value("new", FLOAT32, Shape([1]))
    written(model)
    graph.values.insert(0, graph.values.pop())
    with pytest.raises(UnsupportedError, match="by index"):
        written(model)


# -- what lies behind ----------------------------------------------------------------------------------------


def archive(*entries: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, data in entries:
            made.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("appended", [True, False], ids=["counted from the file", "counted from the archive"])
def test_an_appended_archive_is_kept_and_its_places_counted_anew(tmp_path: Path, appended: bool) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes((FIXTURES / "float.tflite").read_bytes())
    entries = [("labels.txt", b"cat\ndog\n" * 400), ("vocab/ü.txt", b"words")]
    if appended:  # as the metadata library does it
        with zipfile.ZipFile(path, "a") as made:
            for name, data in entries:
                made.writestr(name, data)
    else:
        path.write_bytes(path.read_bytes() + archive(*entries))
    model = tflite.read(path)
    assert model.raw.archive.names == ["labels.txt", "vocab/ü.txt"]
    assert any("2 associated files" in note for note in model.notes)
    for length in (1, 100, 3000):
        model.graphs[0].values[0].name = "n" * length
        data = written(model)
        with zipfile.ZipFile(io.BytesIO(data)) as found:
            assert [(info.filename, found.read(info)) for info in found.infolist()] == entries
            places = [data.index(b"PK\3\4"), data.index(b"PK\3\4", data.index(b"PK\3\4") + 4)]
            assert [info.header_offset for info in found.infolist()] == places
        end = data.rindex(b"PK\5\6")
        directory = struct.unpack_from("<I", data, end + 16)[0]
        assert (data[directory : directory + 4] == b"PK\1\2") == appended


def test_bytes_that_only_look_like_an_archive_are_not_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for tail in (b"PK\5\6", b"PK\5\6" + bytes(18), b"PK\5\6" + bytes(8) + struct.pack("<2IH", 46, 5, 0)):
        path.write_bytes(bytes(100) + tail)
        assert find_zip(open_source(path)) is None


def test_other_bytes_behind_the_model_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes((FIXTURES / "float.tflite").read_bytes() + b"a note of somebody" * 9)
    model = tflite.read(path)
    model.graphs[0].values[0].name = "renamed"
    assert written(model).endswith(b"a note of somebody" * 9)


def test_data_behind_the_flatbuffer_stays_behind_it() -> None:
    model = read("large_buffers.tflite")
    model.graphs[0].values[0].name = "a name that moves everything that follows it" * 5
    data = written(model)
    before = tflite_objects.model((FIXTURES / "large_buffers.tflite").read_bytes())
    after = tflite_objects.model(data)
    places = [(buffer.offset, buffer.size) for buffer in after.buffers if buffer.offset > 1]
    assert len(places) == sum(buffer.offset > 1 for buffer in before.buffers) > 0
    for offset, size in places:
        assert offset % 16 == 0
        assert offset + size + 16 <= len(data)
    for operator in after.subgraphs[0].operators:
        assert operator.largeCustomOptionsOffset % 16 == 0


def test_data_goes_behind_where_a_flatbuffer_cannot_hold_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tflite_write_buffers, "LIMIT", 2000)
    monkeypatch.setattr(tflite_write_buffers, "_MARGIN", 0)
    model = read("dynamic_range.tflite")
    model.graphs[0].values[0].name = "renamed"
    data = written(model)
    large = [buffer for buffer in tflite_objects.model(data).buffers if buffer.offset > 1]
    assert large
    assert all(buffer.size >= 1024 and buffer.data is None for buffer in large)
    for before, after in zip(model.graphs, reread(data, tmp_path).graphs, strict=True):
        for old, new in zip(before.values, after.values, strict=True):
            assert (old.tensor.tobytes() if old.tensor else b"") == (new.tensor.tobytes() if new.tensor else b"")


def test_weights_are_moved_as_ranges_of_their_file(tmp_path: Path) -> None:
    source = tflite_objects.model((FIXTURES / "float.tflite").read_bytes())
    number = next(
        t.buffer for t in source.subgraphs[0].tensors if t.buffer and source.buffers[t.buffer].data is not None
    )
    source.buffers[number].data = np.zeros(3 << 20, "uint8")
    path = tmp_path / "large.tflite"
    path.write_bytes(tflite_objects.pack(source))
    model = tflite.read(path)
    model.graphs[0].values[0].name = "renamed"
    rope: Rope = tflite.lower(model)[""]
    assert [piece.length for piece in rope if isinstance(piece, FileRange)] == [3 << 20]
    assert sum(len(piece) for piece in rope if isinstance(piece, bytes)) < 10_000


def test_a_file_cut_short_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes((FIXTURES / "large_buffers.tflite").read_bytes()[:-70])
    model = tflite.read(path)
    model.graphs[0].values[0].name = "renamed"
    with pytest.raises(FormatError):
        written(model)


# -- what the schema does not know ---------------------------------------------------------------------------


def with_extra_fields(data: bytes) -> bytes:
    """Return a model whose `Model` and `Operator` tables have fields of a schema to come."""
    import flatbuffers

    objects = tflite_objects.generated()

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        """Appends a number and a string to the tables of chosen sizes."""

        def StartObject(self, fields: int) -> None:  # noqa: N802
            self.extra = fields in (10, 14)
            super().StartObject(fields + 3 if self.extra else fields)
            self.fields = fields

        def EndObject(self) -> int:  # noqa: N802
            if self.extra:
                self.PrependInt64Slot(self.fields, 123456789, 0)
                self.PrependUOffsetTRelativeSlot(self.fields + 1, self.text, 0)
                self.PrependInt16Slot(self.fields + 2, 777, 0)
            return int(super().EndObject())

    builder = Builder(1024)
    builder.text = builder.CreateString("from the future")
    builder.Finish(objects.ModelT.InitFromObj(objects.Model.GetRootAs(data, 0)).Pack(builder), b"TFL3")
    return bytes(builder.Output())


def extra_fields(table: Any, number: int) -> tuple[int, bytes, int]:
    import flatbuffers.number_types as kinds

    tab = table._tab
    places = [tab.Offset(4 + 2 * (number + k)) for k in range(3)]
    return (
        int(tab.Get(kinds.Int64Flags, places[0] + tab.Pos)),
        bytes(tab.String(places[1] + tab.Pos)),
        int(tab.Get(kinds.Int16Flags, places[2] + tab.Pos)),
    )


def test_fields_of_a_schema_to_come_survive_an_edit(tmp_path: Path) -> None:
    path = tmp_path / "future.tflite"
    path.write_bytes(with_extra_fields((FIXTURES / "cnn_int8.tflite").read_bytes()))
    model = tflite.read(path)
    graph = model.graphs[0]
    graph.outputs = [*graph.outputs, Output("", graph.nodes[0].outputs[0])]
    graph.nodes[1].attrs["stride_w"] = 2
    data = written(model)
    assert len(data) != path.stat().st_size
    root = tflite_objects.generated().Model.GetRootAs(data, 0)
    expected = (123456789, b"from the future", 777)
    assert extra_fields(root, 10) == expected
    operators = root.Subgraphs(0)
    assert operators.OperatorsLength() == 5
    for number in range(5):
        assert extra_fields(operators.Operators(number), 14) == expected


def test_schema_version_2_is_written_back(tmp_path: Path) -> None:
    model = tflite.read(old_model(tmp_path / "old.lite"))
    (piece,) = tflite.lower(model)[""]
    assert isinstance(piece, FileRange)
    graph = model.graphs[0]
    graph.values[0].name = "renamed"
    graph.values[1].tensor = Tensor.of(FLOAT32, [2], [9.0, 8.0])
    again = reread(written(model), tmp_path)
    assert [v.name for v in again.graphs[0].values] == ["renamed", "w", "y"]
    assert again.graphs[0].values[1].tensor.items() == [9.0, 8.0]  # type: ignore[union-attr]
    assert again.metagraphs[0].producer["schema_version"] == 2
    node: Node = again.graphs[0].nodes[0]
    assert [str(v) for v in node.inputs] == ["renamed", "w"]
