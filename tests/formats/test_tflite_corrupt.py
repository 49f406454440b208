"""TFLite files that are cut, flipped or made to mislead: a right answer or one error, soon and in little memory."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.disk.files import rope_chunks
from graphsurgeon.errors import FormatError, GraphSurgeonError
from graphsurgeon.formats.tflite import file as tflite
from graphsurgeon.model import Model
from tests.formats.tflite_files import FILES, FIXTURES, corpus_files, packed_file, read, small_model
from tests.oracle import tflite_objects
from tests.work import bounded

flatbuffers = pytest.importorskip("flatbuffers", reason="builds the files")

pytestmark = pytest.mark.litert
STEPS = 20_000_000  # calls (and returns) that looking at a small damaged file may take


def look(path: Path) -> None:
    """Do with a model all that can be done, values and writing included."""
    model = tflite.read(path)
    for metagraph in model.metagraphs:
        for signature in metagraph.signatures.values():
            assert all(entry.mention is not None for entry in signature.entries)
        for graph in metagraph.graphs:
            assert sum(graph.op_counts.values()) == len(graph.nodes)
            for node in graph.nodes:
                assert node.attrs is not None
                assert node.functions is not None
    for read_one in values(model):
        with suppress(GraphSurgeonError):
            read_one()
    if model.graphs and model.graphs[0].values:
        model.graphs[0].values[0].name = "renamed"
        for piece in rope_chunks(tflite.lower(model)[""]):
            assert piece


def values(model: Model) -> Iterator[Any]:
    for graph in model.graphs:
        for value in graph.values:
            if value.tensor is not None:
                yield value.tensor.items if value.tensor.dtype.name == "string" else value.tensor.tobytes
    for metagraph in model.metagraphs:
        for collection in metagraph.collections.values():
            for item in collection.items:
                yield item.value.tobytes  # type: ignore[attr-defined]


def check(data: bytes, path: Path) -> bool:
    """Say whether the file gave an answer; anything but an answer or our own error fails the test."""
    path.write_bytes(data)
    failure: GraphSurgeonError | None = None
    try:
        with bounded(STEPS):
            look(path)
    except GraphSurgeonError as error:
        failure = error
    if failure is not None:
        assert str(path) in str(failure) or "subgraph" in str(failure)
    return failure is None


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return a file cut somewhere, with a few bits flipped, or with four bytes of nonsense."""
    kind = chance.randrange(4)
    if kind == 0:
        return data[: chance.randrange(len(data))]
    out = bytearray(data)
    if kind == 1:
        place = chance.randrange(max(len(out) - 4, 1)) // 4 * 4
        out[place : place + 4] = chance.choice(
            (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4), b"\x00\x00\x00\x80")
        )
        return bytes(out)
    for _ in range(chance.choice((1, 1, 2, 8))):
        out[chance.randrange(min(len(out), 4000) if kind == 2 else len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_a_damaged_fixture_gives_an_answer_or_an_error(path: Path, tmp_path: Path) -> None:
    chance, data = random.Random(path.name), path.read_bytes()
    answers = [check(damaged(data, chance), tmp_path / "damaged.tflite") for _ in range(30)]
    assert any(answers)


@pytest.mark.corpus
def test_damaged_files_of_the_corpus_give_an_answer_or_an_error(corpus: Path, tmp_path: Path) -> None:
    chance = random.Random(11)
    small = [path for path in corpus_files(corpus) if path.stat().st_size < 1_000_000]
    answers = [check(damaged(path.read_bytes(), chance), tmp_path / "damaged.tflite") for path in small]
    assert {*answers} == {True, False}


def test_flips_in_names_and_weights_still_give_an_answer(tmp_path: Path) -> None:
    data = (FIXTURES / "cnn_float.tflite").read_bytes()
    model = read("cnn_float.tflite")
    places = [data.index(value.name.encode()) for value in model.graphs[0].values if value.name]
    places += [v.tensor.source.place[0] + 1 for v in model.graphs[0].values if v.tensor]  # type: ignore[attr-defined]
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 0x80
        assert check(bytes(flipped), tmp_path / "flipped.tflite")


@pytest.mark.parametrize("length", [0, 1, 4, 7, 8, 20])
def test_a_few_bytes_are_no_model(length: int, tmp_path: Path) -> None:
    path = tmp_path / "short.tflite"
    path.write_bytes((FIXTURES / "float.tflite").read_bytes()[:length])
    with pytest.raises(FormatError) as caught:
        tflite.read(path)
    assert str(path) in str(caught.value)


def test_a_root_that_leads_into_itself_is_an_error(tmp_path: Path) -> None:
    data = bytearray((FIXTURES / "float.tflite").read_bytes())
    for target in (0, 4, 8, 1 << 31, (1 << 32) - 1):
        struct.pack_into("<I", data, 0, target)
        assert not check(bytes(data), tmp_path / "root.tflite")


def shared_tables(operators: int) -> bytes:
    """Return a model whose operators are one and the same, with one long vector of inputs."""
    builder = flatbuffers.Builder(1 << 20)
    builder.StartVector(4, 50_000, 4)
    for _ in range(50_000):
        builder.PrependInt32(0)
    inputs = builder.EndVector()
    builder.StartObject(3)
    builder.PrependUOffsetTRelativeSlot(1, inputs, 0)
    operator = builder.EndObject()
    vectors = []
    for _ in range(2):
        builder.StartVector(4, operators, 4)
        for _ in range(operators):
            builder.PrependUOffsetTRelative(operator)
        vectors.append(builder.EndVector())
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(3, vectors[0], 0)
    subgraph = builder.EndObject()
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(subgraph)
    subgraphs = builder.EndVector()
    builder.StartObject(3)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(2, subgraphs, 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    return bytes(builder.Output())


def test_operators_that_share_a_vector_over_and_over_are_a_trap(tmp_path: Path) -> None:
    assert not check(shared_tables(20_000), tmp_path / "shared.tflite")


def test_absurd_claims_take_neither_time_nor_memory(tmp_path: Path) -> None:
    """A sparse tensor that claims 2**60 elements, strings and shapes beyond the file, buffers of 4 GB."""
    objects, model = tflite_objects.generated(), small_model()
    tensor = model.subgraphs[0].tensors[1]
    tensor.shape = [1 << 30, 1 << 30]
    tensor.sparsity = objects.SparsityParametersT()
    tensor.sparsity.traversalOrder, tensor.sparsity.dimMetadata = [0, 1], []
    for _ in range(2):
        level = objects.DimensionMetadataT()
        level.denseSize = 1 << 30
        tensor.sparsity.dimMetadata.append(level)
    model.subgraphs[0].tensors[0].shape = [(1 << 31) - 1] * 60
    model.buffers.append(objects.BufferT())
    model.buffers[2].offset, model.buffers[2].size = 1 << 40, 1 << 62
    model.subgraphs[0].tensors[2].buffer = 2
    path = packed_file(tmp_path, model)
    code = (
        "import resource, sys\n"
        "sys.path.insert(0, '.')\n"
        "from pathlib import Path\n"
        "from tests.formats.test_tflite_corrupt import look\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n"
        f"    look(Path({str(path)!r}))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=FIXTURES.parents[1], capture_output=True, text=True, check=True
    )
    kind, kilobytes = answer.stdout.split()
    assert kind == "FormatError"  # of the write: there is data that cannot be copied
    assert int(kilobytes) < 50_000


def test_a_broken_subgraph_is_an_error_each_time_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "shared.tflite"
    path.write_bytes(shared_tables(100_000))
    graph = tflite.read(path).graphs[0]
    for _ in range(2):
        with pytest.raises(FormatError, match="over and over"):
            graph.nodes  # noqa: B018
    assert not graph.is_lifted
