"""TFLite files for the tests of reading and writing: where they are, small ones made by hand, ways to compare."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphsurgeon.disk.files import rope_chunks
from graphsurgeon.formats.tflite import file as tflite
from graphsurgeon.formats.tflite.write import ModelLowering, emit_model
from graphsurgeon.model import Graph, Model, Value
from tests.oracle import tflite_objects

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tflite"
FILES = sorted(FIXTURES.rglob("*.tflite"))


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(FIXTURES).as_posix() for path in paths]


def read(name: str) -> Model:
    return tflite.read(FIXTURES / name)


def value(graph: Graph, name: str) -> Value:
    found = graph.value(name)
    assert found is not None
    return found


def corpus_files(corpus: Path) -> Iterator[Path]:
    for line in (corpus / "MANIFEST.tsv").read_text().splitlines():
        path, kind, *_ = line.split("\t")
        if kind == "tflite":
            yield corpus / path


def packed_file(tmp_path: Path, model: Any, *, identifier: bytes = b"TFL3") -> Path:
    """Write a `ModelT`."""
    data = tflite_objects.pack(model)
    path = tmp_path / "model.tflite"
    path.write_bytes(data[:4] + identifier + data[8:])
    return path


def small_model() -> Any:
    """Return a `ModelT` of one ADD, `y = x + w`."""
    objects = tflite_objects.generated()
    model, graph, code, operator = objects.ModelT(), objects.SubGraphT(), objects.OperatorCodeT(), objects.OperatorT()
    model.version, model.description, model.subgraphs, model.operatorCodes = 3, "by hand", [graph], [code]
    model.buffers = [objects.BufferT(), objects.BufferT()]
    model.buffers[1].data = np.frombuffer(struct.pack("<2f", 1.5, -2), "uint8")
    graph.name, graph.inputs, graph.outputs, graph.operators = "main", [0], [2], [operator]
    graph.tensors = []
    for name, buffer in (("x", 0), ("w", 1), ("y", 0)):
        tensor = objects.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, [2], buffer
        graph.tensors.append(tensor)
    operator.inputs, operator.outputs, operator.opcodeIndex = [0, 1], [2], 0
    return model


def old_model(path: Path) -> Path:
    """Write a model of schema version 2, where a tensor holds its own data."""
    import flatbuffers

    builder = flatbuffers.Builder(64)

    def table(size: int, offsets: dict[int, int], **ints: int) -> int:
        builder.StartObject(size)
        for number, offset in offsets.items():
            builder.PrependUOffsetTRelativeSlot(number, offset, 0)
        for number, item in ints.items():
            builder.PrependInt32Slot(int(number[1:]), item, 0)
        return int(builder.EndObject())

    def tables(items: list[int]) -> int:
        builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            builder.PrependUOffsetTRelative(item)
        return int(builder.EndVector())

    def numbers(items: list[int]) -> int:
        return int(builder.CreateNumpyVector(np.int32(items)))

    tensors = []
    for name in ("x", "w", "y"):
        fields = {0: numbers([2]), 3: builder.CreateString(name)}
        if name == "w":
            fields[2] = builder.CreateByteVector(struct.pack("<2f", 1.5, -2))
        tensors.append(table(5, fields))
    operator = table(5, {1: numbers([0, 1]), 2: numbers([2])})
    graph = {
        0: tables(tensors),
        1: numbers([0]),
        2: numbers([2]),
        3: tables([operator]),
        4: builder.CreateString("old"),
    }
    subgraph = tables([table(5, graph)])
    code = tables([table(2, {})])
    builder.Finish(table(4, {1: code, 2: subgraph, 3: builder.CreateString("version two")}, _0=2))
    path.write_bytes(bytes(builder.Output()))
    return path


def written(model: Model) -> bytes:
    return b"".join(rope_chunks(tflite.lower(model)[""]))


def rewritten(model: Model) -> bytes:
    """Return the file as it is laid out anew, though nothing has changed."""
    lowering = ModelLowering(model)
    record = lowering.record()
    lowering.buffers.place()
    return b"".join(rope_chunks(emit_model(record, model.raw)))


def reread(data: bytes, tmp_path: Path) -> Model:
    path = tmp_path / "again.tflite"
    path.write_bytes(data)
    return tflite.read(path)


def look_at_everything(model: Model) -> None:
    for metagraph in model.metagraphs:
        assert metagraph.signatures is not None
        assert metagraph.collections is not None
        for graph in metagraph.graphs:
            for node in graph.nodes:
                assert node.attrs is not None


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where two trees differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before:
            yield from differences(before[key], after[key], f"{path}.{key}" if path else key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif before != after:
        yield path, before, after


def changed(before: bytes, after: bytes) -> dict[str, Any]:
    """Return path -> new value of everything that differs."""
    return {path: new for path, _, new in differences(tflite_objects.tree(before), tflite_objects.tree(after))}
