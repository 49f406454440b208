"""Weights taken out of a message and put back; expected bytes by hand and from protobuf itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsurgeon.disk.files import FileRange, open_source, rope_chunks
from graphsurgeon.encoding import protowire
from graphsurgeon.errors import FormatError
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.protobuf import payloads as wire
from graphsurgeon.formats.graph.protobuf.payloads import Payload


def reduced(path: Path, data: bytes, message: str = "GraphDef") -> tuple[bytes, list[Payload]]:
    path.write_bytes(data)
    payloads: list[Payload] = []
    return wire.reduce(open_source(path), message, payloads), payloads


def constant_graph(*contents: bytes) -> object:
    graph = schema.message("tensorflow.GraphDef")()
    for number, content in enumerate(contents):
        node = graph.node.add(name=f"c{number}", op="Const")
        node.attr["dtype"].type = 4
        tensor = node.attr["value"].tensor
        tensor.dtype = 4
        tensor.tensor_shape.dim.add().size = len(content)
        tensor.tensor_content = content
    return graph


def field(number: int, data: bytes) -> bytes:
    return protowire.encode_varint(number << 3 | 2) + protowire.encode_varint(len(data)) + data


def test_varint_bytes() -> None:
    assert [protowire.encode_varint(n) for n in (0, 1, 127, 128, 300, 2**63)] == [
        b"\x00", b"\x01", b"\x7f", b"\x80\x01", b"\xac\x02", b"\x80" * 9 + b"\x01",
    ]  # fmt: skip


def test_small_values_stay(tmp_path: Path) -> None:
    data = constant_graph(b"x" * 900).SerializeToString()
    assert reduced(tmp_path / "g", data) == (data, [])


def test_large_value_becomes_a_range(tmp_path: Path) -> None:
    content = bytes(range(256)) * 8
    data = constant_graph(b"small", content).SerializeToString()
    short, payloads = reduced(tmp_path / "g", data)
    graph = schema.message("tensorflow.GraphDef").FromString(short)
    assert wire.marked(graph.node[1].attr["value"].tensor.tensor_content) == 1
    assert graph.node[0].attr["value"].tensor.tensor_content == b"small"
    [[piece]] = payloads
    assert isinstance(piece, FileRange)
    # tag of field 4, length 2048 as a varint, the bytes
    assert piece.read() == b"\x22\x80\x10" + content


@given(
    sizes=st.lists(st.integers(0, 5000), max_size=8),
    floats=st.lists(st.floats(width=32, allow_nan=False), max_size=600),
)
def test_expand_undoes_reduce(tmp_path_factory: pytest.TempPathFactory, sizes: list[int], floats: list[float]) -> None:
    graph = constant_graph(*(bytes([size % 256]) * size for size in sizes))
    function = graph.library.function.add()  # type: ignore[attr-defined]
    function.signature.name = "f"
    inner = function.node_def.add(name="w", op="Const").attr["value"].tensor
    inner.dtype = 1
    inner.float_val.extend(floats)
    nested = function.node_def.add(name="call", op="X").attr["list"].list
    nested.tensor.add(dtype=4, tensor_content=b"y" * 3000)
    data = graph.SerializeToString()  # type: ignore[attr-defined]
    short, payloads = reduced(tmp_path_factory.mktemp("wire") / "g", data)
    assert len(short) < 1200 * (len(sizes) + 3)
    again = b"".join(rope_chunks(wire.expand(short, "GraphDef", payloads)))
    assert schema.message("tensorflow.GraphDef").FromString(again) == graph
    assert len(again) == len(data)


def test_a_mark_is_other_bytes_in_each_process() -> None:
    code = "from graphsurgeon.formats.graph.protobuf import payloads; print(payloads.mark(1).hex())"
    found = {subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout for _ in range(2)}
    assert len(found) == 2
    assert wire.marked(wire.mark(7)) == 7
    assert [wire.marked(content) for content in (b"", bytes(24), wire.mark(7) + b"x", wire.mark(7)[:-1])] == [0] * 4


def test_a_tensor_in_two_parts_is_merged_by_protobuf(tmp_path: Path) -> None:
    """A field that occurs twice is one message: repeated fields follow each other (encoding guide, "Last one wins")."""
    one, two = (schema.message("tensorflow.TensorProto")(dtype=3, int_val=[number] * 2000) for number in (1, 2))
    parts = [field(8, part.SerializeToString()) for part in (one, two)]
    entry = field(1, b"value") + field(2, b"".join(parts))
    data = field(1, field(1, b"c") + field(2, b"Const") + field(5, entry))
    short, payloads = reduced(tmp_path / "g", data)
    tensor = schema.message("tensorflow.GraphDef").FromString(short).node[0].attr["value"].tensor
    assert list(tensor.int_val) == [1] * 2000 + [2] * 2000
    assert b"".join(rope_chunks(wire.expand(short, "GraphDef", payloads))) == data


@pytest.mark.parametrize("cut", [1, 5, 100, 1500])
def test_cut_files_are_refused(tmp_path: Path, cut: int) -> None:
    data = constant_graph(b"x" * 3000).SerializeToString()
    with pytest.raises(FormatError, match="byte"):
        reduced(tmp_path / "g", data[:-cut])


def test_a_length_beyond_the_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"runs .* bytes past its end"):
        reduced(tmp_path / "g", b"\x0a\xff\xff\xff\xff\x7f")
