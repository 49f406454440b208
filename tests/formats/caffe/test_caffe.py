"""Caffe nets in both forms. Binary files are put together field by field, as protobuf does it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats import read as read_any
from graphsurgeon.formats.caffe.file import read
from graphsurgeon.model import Graph, Shape
from tests.formats.damage import damaged, survives


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: Any) -> bytes:
    """Return a field: an int as varint, text and bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def blob(value: np.ndarray, *, old: bool = False, unpacked: bool = False) -> bytes:
    if old:
        dims = (1,) * (4 - value.ndim) + value.shape
        shape = b"".join(field(number + 1, dim) for number, dim in enumerate(dims))
    else:
        shape = field(7, field(1, b"".join(map(varint, value.shape))))
    if unpacked:
        return shape + b"".join(varint(5 << 3 | 5) + struct.pack("<f", item) for item in value.ravel())
    return shape + field(8 if value.dtype == np.float64 else 5, value.tobytes())


def layer(name: str, kind: str, bottoms: list[str], tops: list[str], *blobs: bytes, more: bytes = b"") -> bytes:
    parts = [field(1, name), field(2, kind), *(field(3, b) for b in bottoms), *(field(4, t) for t in tops)]
    return field(100, b"".join([*parts, *(field(7, b) for b in blobs), more]))


WEIGHT = np.random.default_rng(0).random((6, 3, 5, 5), "f4")
BIAS = np.arange(6, dtype="f8")
NET = (
    field(1, "net")
    + field(3, "data")
    + field(8, field(1, b"".join(map(varint, (1, 3, 32, 32)))))
    + layer("conv", "Convolution", ["data"], ["conv"], blob(WEIGHT), blob(BIAS), more=field(106, field(1, 6)))
    + layer("relu", "ReLU", ["conv"], ["conv"])
    + layer("own", "MyLayer", ["conv"], ["a", "b"], more=field(8266712, field(1, 3)))
)
TEXT = """
name: "net"  # a comment
input: "data"
input_dim: 1 input_dim: 3 input_dim: 32 input_dim: 32
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 pad: [1, 2] weight_filler { type: "xavier" std: 1e-2 } } }
layer { name: 'relu' type: 'ReLU' bottom: 'conv' top: 'conv' include: < phase: TEST > }
layer { name: "own" type: "MyLayer" bottom: "conv" top: "a" top: "b" my_param { x: -3; y: true, z: "a" "b\\n" } }
"""
OLD = """
layers { layer { name: "ip" type: "innerproduct" num_output: 3 } bottom: "x" top: "ip" }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "ip" bottom: "label" }
"""


def shown(graph: Graph) -> dict[str, tuple[str, list[str], list[str]]]:
    names = {node: ([*map(str, node.inputs)], [*map(str, node.outputs)]) for node in graph.nodes}
    return {node.name: (node.op, *names[node]) for node in graph.nodes}


def test_a_binary_net_with_weights(tmp_path: Path) -> None:
    (tmp_path / "net.caffemodel").write_bytes(NET)
    graph = read(tmp_path / "net.caffemodel").graph
    assert shown(graph) == {
        "conv": ("Convolution", ["data", "conv/weight", "conv/bias"], ["conv"]),
        "relu": ("ReLU", ["conv"], ["conv#1"]),
        "own": ("MyLayer", ["conv#1"], ["a", "b"]),
    }
    assert [(str(v), v.shape) for v in graph.inputs] == [("data", Shape([1, 3, 32, 32]))]
    assert [str(output.value) for output in graph.outputs] == ["a", "b"]
    tensors = {value.name: value.tensor.numpy() for value in graph.values if value.tensor is not None}
    assert np.array_equal(tensors["conv/weight"], WEIGHT)
    assert np.array_equal(tensors["conv/bias"], BIAS)
    assert dict(graph.nodes[0].attrs) == {"convolution_param.num_output": 6}
    assert "field_8266712" in graph.nodes[2].attrs


@pytest.mark.parametrize("options", [{"old": True}, {"unpacked": True}])
def test_older_ways_to_write_a_blob(tmp_path: Path, options: dict[str, bool]) -> None:
    value = WEIGHT[:2]
    (tmp_path / "net.caffemodel").write_bytes(layer("l", "InnerProduct", ["x"], ["y"], blob(value, **options)))
    (tensor,) = (v.tensor for v in read(tmp_path / "net.caffemodel").graph.values if v.tensor is not None)
    assert np.array_equal(tensor.numpy(), value)


def test_a_text(tmp_path: Path) -> None:
    (tmp_path / "deploy.prototxt").write_text(TEXT)
    graph = read(tmp_path / "deploy.prototxt", is_text=True).graph
    assert list(shown(graph)) == ["conv", "relu", "own"]
    assert graph.inputs[0].shape == Shape([1, 3, 32, 32])
    assert dict(graph.nodes[0].attrs) == {
        "convolution_param.num_output": 6,
        "convolution_param.pad": [1, 2],
        "convolution_param.weight_filler.type": b"xavier",
        "convolution_param.weight_filler.std": 0.01,
    }
    assert dict(graph.nodes[1].attrs) == {"include.phase": b"TEST"}
    assert dict(graph.nodes[2].attrs) == {"my_param.x": -3, "my_param.y": True, "my_param.z": b"ab\n"}


def test_the_weights_of_a_text_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(TEXT)
    (tmp_path / "net.caffemodel").write_bytes(NET)
    model = read(tmp_path / "net.prototxt", is_text=True)
    assert [str(value) for value in model.graph.nodes[0].inputs] == ["data", "conv/weight", "conv/bias"]
    assert len(model.files) == 2


def test_a_solver_is_named_with_the_net_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "solver.prototxt").write_text('net: "train_val.prototxt"\nbase_lr: 0.01\nmax_iter: 100\n')
    with pytest.raises(UnsupportedError, match=r"solver.*train_val\.prototxt"):
        read_any(tmp_path / "solver.prototxt")


def test_a_net_with_dimensions_of_its_input_is_recognised(tmp_path: Path) -> None:
    dims = b"".join(field(4, dim) for dim in (1, 3, 8, 8))
    (tmp_path / "net").write_bytes(field(1, "n") + field(3, "data") + dims + layer("l", "ReLU", ["data"], ["y"]))
    assert read_any(tmp_path / "net").graph.inputs[0].shape == Shape([1, 3, 8, 8])


def test_older_layers_are_those_of_today(tmp_path: Path) -> None:
    (tmp_path / "old.prototxt").write_text(OLD)
    graph = read(tmp_path / "old.prototxt", is_text=True).graph
    assert shown(graph) == {
        "ip": ("InnerProduct", ["x"], ["ip"]),
        "loss": ("SoftmaxWithLoss", ["ip", "label"], []),
    }


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("layer {", "line 1: '}' is missing"),
        ("layer }", "nothing follows"),
        ("a: 1\n}", "line 2: '}' closes nothing"),
        ("a:", "line 1: a value is missing at the end"),
        ("a { " * 100 + "} " * 100, "nested more than 40 deep"),
        ('a: "open\n', "line 1"),
    ],
)
def test_texts_that_are_none(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "x.prototxt").write_text(text)
    with pytest.raises(FormatError, match=what):
        read(tmp_path / "x.prototxt", is_text=True)


def test_damaged_files_end_in_an_error_of_ours(tmp_path: Path) -> None:
    small = field(1, "net") + layer("conv", "Convolution", ["data"], ["conv"], blob(np.ones((2, 3), "f4")), blob(BIAS))
    answers, errors = survives(read, tmp_path / "x.caffemodel", damaged(small, 200))
    assert answers > 5
    assert errors > 5
    text_answers, text_errors = survives(
        lambda path: read(path, is_text=True), tmp_path / "x.prototxt", damaged(TEXT.encode(), 200)
    )
    assert text_answers > 5
    assert text_errors > 5


@pytest.mark.corpus
def test_the_nets_of_others(corpus: Path) -> None:
    """Text and binary of one net say the same; its shapes are those of its text, its bytes those behind its tags."""
    folder = corpus / "opencv+open_model_zoo/tools/accuracy_checker/data/test_models"
    binary, text = read(folder / "SampLeNet.caffemodel").graph, read(folder / "SampLeNet.prototxt", is_text=True).graph
    assert [(n.op, [str(v) for v in n.outputs]) for n in binary.nodes] == [
        (n.op, [str(v) for v in n.outputs]) for n in text.nodes
    ]
    shapes = {v.name: v.tensor.shape.to_json() for v in binary.values if v.tensor is not None}
    assert shapes["conv1/weight"] == [6, 3, 5, 5]
    assert sum(v.tensor.num_elements for v in binary.values if v.tensor is not None) == 62006
    for path in (corpus / "opencv+open_model_zoo/models").rglob("*.prototxt"):
        graph = read(path, is_text=True).graph
        assert len(graph.nodes) == path.read_text().count("\nlayer")
