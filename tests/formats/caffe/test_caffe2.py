"""Caffe2 nets: operators in one file, weights in the other."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from graphsurgeon.formats.caffe.caffe2 import read
from tests.formats.caffe.test_caffe import field, varint
from tests.formats.damage import damaged, survives


def argument(name: str, number: int, *values: float | int | bytes) -> bytes:
    parts = b""
    for value in values:
        if isinstance(value, float):
            parts += varint(number << 3 | 5) + struct.pack("<f", value)
        else:
            parts += field(number, value)
    return field(5, field(1, name) + parts)


def operator(kind: str, inputs: list[str], outputs: list[str], *arguments: bytes) -> bytes:
    return field(
        2, b"".join([*(field(1, i) for i in inputs), *(field(2, o) for o in outputs), field(4, kind), *arguments])
    )


INIT = (
    field(1, "init")
    + operator("GivenTensorFill", [], ["w"], argument("shape", 6, 2, 2), argument("values", 5, 1.0, 2.0, 3.0, 4.0))
    + operator("GivenTensorInt64Fill", [], ["n"], argument("shape", 6, 2), argument("values", 6, -1, 5))
)
BODY = operator("Relu", ["w"], ["r"])
PREDICT = (
    field(1, "net")
    + operator("FC", ["x", "w"], ["y"], argument("axis", 3, -1), argument("order", 4, b"NCHW"))
    + operator("If", ["y"], ["z"], argument("then_net", 8, field(1, "body") + BODY))
    + field(7, "x") + field(7, "w") + field(8, "z")
)  # fmt: skip


def test_operators_with_the_weights_of_the_file_beside(tmp_path: Path) -> None:
    (tmp_path / "my_predict_net.pb").write_bytes(PREDICT)
    (tmp_path / "my_init_net.pb").write_bytes(INIT)
    model = read(tmp_path / "my_predict_net.pb")
    graph = model.graph
    assert [(n.op, [str(v) for v in n.inputs], [str(v) for v in n.outputs]) for n in graph.nodes] == [
        ("FC", ["x", "w"], ["y"]),
        ("If", ["y"], ["z"]),
    ]
    assert [str(value) for value in graph.inputs] == ["x"]
    assert [str(output.value) for output in graph.outputs] == ["z"]
    assert dict(graph.nodes[0].attrs) == {"axis": -1, "order": b"NCHW"}
    (function,) = graph.nodes[1].functions
    assert [node.op for node in function.nodes] == ["Relu"]
    tensor = graph.nodes[0].inputs[1].tensor
    assert tensor is not None
    assert np.array_equal(tensor.numpy(), [[1, 2], [3, 4]])


def test_a_net_that_fills_weights_in(tmp_path: Path) -> None:
    (tmp_path / "init_net.pb").write_bytes(INIT)
    graph = read(tmp_path / "init_net.pb").graph
    values = {value.name: value.tensor for value in graph.values if value.tensor is not None}
    assert {name: (str(t.dtype), t.items()) for name, t in values.items()} == {
        "w": ("float32", [1.0, 2.0, 3.0, 4.0]),
        "n": ("int64", [-1, 5]),
    }


@pytest.mark.parametrize("count", [60, 300_000])
def test_numbers_that_are_not_packed_stay_in_the_file(tmp_path: Path, count: int) -> None:
    values = np.random.default_rng(0).random(count, "f4")
    floats = b"".join(b"\x2d" + value.tobytes() for value in values)
    filled = field(5, field(1, "values") + floats)
    last = operator("GivenTensorFill", [], ["v"], argument("shape", 6, 2), argument("values", 5, 1.0, 2.0))
    net = operator("GivenTensorFill", [], ["w"], argument("shape", 6, count), filled) + last
    (tmp_path / "init_net.pb").write_bytes(net)
    tensors = {v.name: v.tensor for v in read(tmp_path / "init_net.pb").graph.values if v.tensor is not None}
    assert np.array_equal(tensors["w"].numpy(), values)
    assert tensors["v"].items() == [1.0, 2.0]


def test_damaged_files_end_in_an_error_of_ours(tmp_path: Path) -> None:
    for data in (INIT, PREDICT):
        answers, errors = survives(read, tmp_path / "x.pb", damaged(data, 200))
        assert answers > 5
        assert errors > 5


@pytest.mark.corpus
def test_the_nets_of_others(corpus: Path) -> None:
    folder = corpus / "pytorch+glow/tests/models/caffe2Models"
    for path in folder.glob("*.pbtxt"):
        assert len(read(path, is_text=True).graph.nodes) == path.read_text().count("op {")
    graph = read(folder / "conv_nhwc_predict_net.pbtxt", is_text=True).graph
    (node,) = graph.nodes
    assert [value.tensor.items() for value in node.inputs if value.tensor is not None] == [[1.0] * 4, [2.0]]
