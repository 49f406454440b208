"""MXNet's symbols and parameters, written here by the rules of its `NDArray::Save`; those of others by numpy."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.errors import FormatError
from graphsurgeon.formats import read as read_any
from graphsurgeon.formats.mxnet.file import read
from graphsurgeon.model import Graph, Shape
from tests.formats.damage import damaged, survives

FLAGS = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6, "bool": 7}


def array(value: np.ndarray, version: int = 2) -> bytes:
    """Return an array as one of the versions of MXNet saves it; 0 is that before all versions."""
    dims = value.shape
    tail = struct.pack("<3i", 1, 0, FLAGS[value.dtype.name]) + value.tobytes()
    if version == 0:
        return struct.pack(f"<{1 + len(dims)}I", len(dims), *dims) + tail
    head = struct.pack("<I", 0xF993FAC7 + version) + (struct.pack("<i", 0) if version > 1 else b"")
    return head + struct.pack(f"<i{len(dims)}q", len(dims), *dims) + tail


def rows(value: np.ndarray, shape: tuple[int, int], places: np.ndarray) -> bytes:
    """Return an array of which only some rows are stored."""
    head = struct.pack("<Ii", 0xF993FAC9, 1) + struct.pack("<i2q", 2, *value.shape) + struct.pack("<i2q", 2, *shape)
    head += struct.pack("<3i", 1, 0, FLAGS[value.dtype.name]) + struct.pack("<ii1q", 6, 1, len(places))
    return head + value.tobytes() + places.astype("<i8").tobytes()


def parameters(arrays: list[bytes], names: list[str]) -> bytes:
    data = struct.pack("<3Q", 0x112, 0, len(arrays)) + b"".join(arrays) + struct.pack("<Q", len(names))
    return data + b"".join(struct.pack("<Q", len(name)) + name.encode() for name in names)


def node(op: str, name: str, *inputs: int, **attrs: str) -> dict[str, Any]:
    return {"op": op, "name": name, "attrs": attrs, "inputs": [[number, 0, 0] for number in inputs]}


def symbol(*nodes: dict[str, Any], heads: list[Any]) -> str:
    return json.dumps(
        {"nodes": list(nodes), "arg_nodes": [], "heads": heads, "attrs": {"mxnet_version": ["int", 10901]}}
    )


NET = symbol(
    node("null", "data", __shape__="(0, 3, 8, 8)"),
    node("null", "conv_weight"),
    node("null", "conv_bias"),
    node("Convolution", "conv", 0, 1, 2, kernel="(3, 3)", num_filter="4", no_bias="False", layout="NCHW"),
    {"op": "SliceChannel", "name": "cut", "param": {"num_outputs": "2"}, "inputs": [[3, 0]]},
    {"op": "elemwise_add", "name": "sum", "attr": {"eps": "1e-3"}, "inputs": [[4, 0], [4, 1]]},
    heads=[[5, 0, 0]],
)


def shown(graph: Graph) -> dict[str, tuple[str, list[str]]]:
    return {node.name: (node.op, [str(value) for value in node.inputs]) for node in graph.nodes}


def test_a_symbol_alone(tmp_path: Path) -> None:
    (tmp_path / "net-symbol.json").write_text(NET)
    model = read(tmp_path / "net-symbol.json")
    assert shown(model.graph) == {
        "conv": ("Convolution", ["data", "conv_weight", "conv_bias"]),
        "cut": ("SliceChannel", ["conv"]),
        "sum": ("elemwise_add", ["cut", "cut:1"]),
    }
    assert [(str(value), value.shape) for value in model.graph.inputs] == [("data", Shape([None, 3, 8, 8]))]
    assert [str(output.value) for output in model.graph.outputs] == ["sum"]
    conv = model.graph.nodes[0].attrs
    assert dict(conv) == {"kernel": [3, 3], "num_filter": 4, "no_bias": False, "layout": b"NCHW"}
    assert [dict(node.attrs) for node in model.graph.nodes[1:]] == [{"num_outputs": 2}, {"eps": 0.001}]
    assert model.metagraphs[0].producer["version"] == "1.9.1"


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_weights_beside_a_symbol_are_those_of_the_last_epoch(tmp_path: Path, version: int) -> None:
    (tmp_path / "net-symbol.json").write_text(NET)
    weight, bias = np.random.default_rng(0).random((4, 3, 3, 3), "f4"), np.arange(4, dtype="f8")
    names = ["arg:conv_weight", "aux:conv_bias"]
    (tmp_path / "net-0001.params").write_bytes(b"no parameters")
    data = parameters([array(weight, version), array(bias, version)], names)
    (tmp_path / "net-0010.params").write_bytes(data)
    model = read(tmp_path / "net-symbol.json")
    assert "net-0010.params" in model.notes[0]
    tensors = {value.name: value.tensor.numpy() for value in model.graph.values if value.tensor is not None}
    assert np.array_equal(tensors["conv_weight"], weight)
    assert np.array_equal(tensors["conv_bias"], bias)


def test_parameters_alone(tmp_path: Path) -> None:
    values = [np.ones((2, 3), "f4"), np.zeros(3, "i8"), np.array([True]), np.ones((0, 2), "f2")]
    places = np.array([1, 5])
    arrays = [*map(array, values), rows(np.ones((2, 4), "f4"), (9, 4), places), array(np.array(7, "i4"), 3)]
    names = ["arg:a", "aux:b", "c", "d", "e", "f"]
    (tmp_path / "net.params").write_bytes(parameters(arrays, names))
    model = read(tmp_path / "net.params")
    assert model.checkpoint is not None
    variables = model.checkpoint.variables
    assert {key: (str(v.tensor.dtype), v.tensor.shape.to_json(), v.name) for key, v in variables.items()} == {
        "arg:a": ("float32", [2, 3], "a"),
        "aux:b": ("int64", [3], "b"),
        "c": ("bool", [1], "c"),
        "d": ("float16", [0, 2], "d"),
        "e": ("float32", [2, 4], "e"),
        "f": ("int32", [], "f"),
    }
    assert variables["f"].tensor.items() == [7]
    assert "1 of the arrays are sparse" in model.notes[0]


def test_a_long_symbol_is_recognised(tmp_path: Path) -> None:
    nodes = [node("null", "x"), *(node("Activation", f"layer{number}", number) for number in range(5000))]
    (tmp_path / "s.json").write_text(json.dumps({"nodes": nodes, "arg_nodes": [0], "heads": [[5000, 0, 0]]}))
    assert (tmp_path / "s.json").stat().st_size > 256 << 10
    assert len(read_any(tmp_path / "s.json").graph.nodes) == 5000


def test_graphs_of_control_flow_are_functions(tmp_path: Path) -> None:
    inner = json.loads(symbol(node("null", "i"), node("relu", "r", 0), heads=[[1, 0, 0]]))
    loop = node("_foreach", "loop", 0) | {"subgraphs": [inner]}
    (tmp_path / "s.json").write_text(symbol(node("null", "x"), loop, heads=[[1, 0, 0]]))
    metagraph = read(tmp_path / "s.json").metagraphs[0]
    assert list(metagraph.functions) == ["loop/subgraph0"]
    assert metagraph.graph.nodes[0].functions == [metagraph.functions["loop/subgraph0"]]


def test_what_points_at_nothing_dangles(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(symbol(node("relu", "r", 9), heads=[[0, 0, 0], [7, 0, 0]]))
    graph = read(tmp_path / "s.json").graph
    assert graph.nodes[0].inputs[0].is_dangling
    assert graph.outputs[1].value.is_dangling


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<3Q", 0x112, 0, 1 << 60),
        parameters([struct.pack("<Ii", 0xF993FAC9, 0) + struct.pack("<i2q", 2, 1 << 40, 1 << 40) + bytes(12)], ["a"]),
        parameters([struct.pack("<Ii", 0xF993FAC9, 0) + struct.pack("<i1q", 1, -5) + bytes(12)], ["a"]),
        parameters([array(np.ones(3, "f4"))], ["a", "b"]),
        parameters([array(np.ones(3, "f4"))], ["a"])[:-4],
    ],
)
def test_parameters_that_claim_what_is_not_there(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "net.params").write_bytes(data)
    with pytest.raises(FormatError):
        read(tmp_path / "net.params")


def test_damaged_files_end_in_an_error_of_ours(tmp_path: Path) -> None:
    data = parameters([array(np.ones((2, 3), "f4")), array(np.ones(3, "f8"), 1)], ["arg:a", "aux:b"])
    for content in (data, NET.encode()):
        answers, errors = survives(read, tmp_path / "x.params", damaged(content, 300))
        assert answers > 5
        assert errors > 5


@pytest.mark.corpus
def test_the_parameters_of_others(corpus: Path) -> None:
    folder = corpus / "opencv+open_model_zoo/tools/accuracy_checker/data/test_models"
    data = (folder / "samplenet-0000.params").read_bytes()
    checkpoint = read(folder / "samplenet-0000.params").checkpoint
    assert checkpoint is not None
    assert sum(variable.tensor.num_elements for variable in checkpoint.variables.values()) == 62006
    # The first array: behind magic, shape, device and type.
    first = next(iter(checkpoint.variables.values())).tensor
    dims = struct.unpack_from("<2q", data, 0x24)
    assert first.shape.to_json() == list(dims)
    assert np.array_equal(first.numpy().ravel(), np.frombuffer(data, "<f4", dims[0] * dims[1], 0x40))
    graph = read(folder / "samplenet-symbol.json").graph
    assert [str(value) for value in graph.inputs] == ["data"]
    assert sum(value.tensor.num_elements for value in graph.values if value.tensor is not None) == 62006


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "count"), [("mlp-symbol", 5), ("resnet18_v1-symbol", 68), ("squeezenet1.0-symbol", 66)]
)
def test_the_symbols_of_others(corpus: Path, name: str, count: int) -> None:
    (path,) = (corpus / "deepjavalibrary+djl").rglob(f"{name}.json")
    graph = read(path).graph
    nodes = json.loads(path.read_text())["nodes"]
    assert [node.op for node in graph.nodes] == [node["op"] for node in nodes if node["op"] != "null"]
    assert len(graph.nodes) == count
    assert [str(value) for value in graph.inputs] == ["data"]
