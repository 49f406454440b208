"""Keras files: layers as nodes, models inside as functions, weights where they lie."""

from __future__ import annotations

import base64
import json
import marshal
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from graphsurgeon.analysis.stored_weights.variables import named_variables
from graphsurgeon.errors import FormatError, GraphSurgeonError, UnsupportedError
from graphsurgeon.formats.keras.file import read
from graphsurgeon.model import Graph, Shape
from tests.formats.damage import damaged, survives


def layer(kind: str, name: str, *inbound: Any, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": list(inbound)}


def functional(layers: list[dict[str, Any]], inputs: list[Any], outputs: list[Any], name: str = "m") -> dict[str, Any]:
    config = {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Model", "config": config}


def source(name: str, call: int = 0, output: int = 0) -> list[Any]:
    return [name, call, output, {}]


def small_model() -> dict[str, Any]:
    return functional(
        [
            layer("InputLayer", "x", batch_input_shape=[None, 4], dtype="float32", sparse=False),
            layer("Dense", "d", [source("x")], [source("d")], units=4, kernel_initializer={
                "class_name": "VarianceScaling", "config": {"scale": 1.0, "mode": "fan_avg", "seed": None}}),
            layer("Add", "sum", [source("x"), source("d", 1)]),
        ],
        [["x", 0, 0]],
        [["sum", 0, 0]],
    )  # fmt: skip


def write_h5(path: Path, config: Any = None, weights: dict[str, np.ndarray] | None = None) -> Path:
    """Write a file as Keras 2 does."""
    with h5py.File(path, "w") as file:
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
            file.attrs["keras_version"], file.attrs["backend"] = b"2.2.4", b"tensorflow"
            training = {"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.001}}, "loss": "mse"}
            file.attrs["training_config"] = json.dumps(training).encode()
        group = file if config is None else file.create_group("model_weights")
        group.attrs["layer_names"] = [b"x", b"d"]
        group.create_group("x").attrs["weight_names"] = np.array([], "S1")
        inner = group.create_group("d")
        inner.attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
        inner["d/kernel:0"], inner["d/bias:0"] = np.arange(16, dtype="f4").reshape(4, 4), np.ones(4, "f4")
        if config is not None:
            slots = file.create_group("optimizer_weights")
            slots.attrs["weight_names"] = [b"Adam/iterations:0", b"Adam/m_0:0"]
            slots["Adam/iterations:0"], slots["Adam/m_0:0"] = np.int64(7), np.zeros((4, 4), "f4")
    return path


def shown(graph: Graph) -> dict[str, tuple[str, list[str]]]:
    return {node.name: (node.op, [str(value) for value in node.inputs]) for node in graph.nodes}


def test_layers_are_nodes_and_one_called_twice_is_two(tmp_path: Path) -> None:
    model = read(write_h5(tmp_path / "m.h5", small_model()))
    assert shown(model.graph) == {
        "x": ("InputLayer", []),
        "d": ("Dense", ["x"]),
        "d#1": ("Dense", ["d"]),
        "sum": ("Add", ["x", "d#1"]),
    }
    assert [str(value) for value in model.graph.inputs] == ["x"]
    assert model.graph.inputs[0].shape == Shape([None, 4])
    assert [str(output.value) for output in model.graph.outputs] == ["sum"]
    assert dict(model.graph.nodes[1].attrs) == {
        "units": 4,
        "kernel_initializer": b"VarianceScaling",
        "kernel_initializer.scale": 1.0,
        "kernel_initializer.mode": b"fan_avg",
    }
    producer = model.metagraphs[0].producer
    assert (producer["framework"], producer["version"]) == ("Keras", "2.2.4")
    assert producer["description"] == "model on tensorflow, compiled with Adam"


def test_weights_have_their_names_and_slots_are_told_apart(tmp_path: Path) -> None:
    checkpoint = read(write_h5(tmp_path / "m.h5", small_model())).checkpoint
    assert checkpoint is not None
    assert [(named.key, named.name, named.kind) for named in named_variables(checkpoint)] == [
        ("model_weights/d/d/kernel:0", "d/kernel", "variable"),
        ("model_weights/d/d/bias:0", "d/bias", "variable"),
        ("optimizer_weights/Adam/iterations:0", "Adam/iterations", "variable"),
        ("optimizer_weights/Adam/m_0:0", "Adam/m_0", "slot"),
    ]
    kernel = checkpoint.variables["model_weights/d/d/kernel:0"].tensor
    assert np.array_equal(kernel.numpy(), np.arange(16, dtype="f4").reshape(4, 4))


def test_weights_alone_are_a_checkpoint_without_a_graph(tmp_path: Path) -> None:
    model = read(write_h5(tmp_path / "m.h5"))
    assert model.metagraphs == []
    assert model.checkpoint is not None
    assert list(model.checkpoint.variables) == ["d/d/kernel:0", "d/d/bias:0"]


def test_models_inside_are_functions(tmp_path: Path) -> None:
    inner = small_model() | {"name": "inner", "inbound_nodes": [[source("x")], [source("inner", 1)]]}
    wrapped = {"class_name": "Sequential", "config": {"name": "seq", "layers": [layer("Dense", "last", units=1)]}}
    model = read(
        write_h5(
            tmp_path / "m.h5",
            functional(
                [
                    layer("InputLayer", "x", batch_input_shape=[None, 4]),
                    inner,
                    layer("TimeDistributed", "each", [source("inner", 2)], layer=wrapped),
                ],
                [["x", 0, 0]],
                [["each", 0, 0]],
            ),
        )
    )
    graphs = model.metagraphs[0].functions
    assert list(graphs) == ["inner", "each.layer"]
    first, second = (model.graph.node(name) for name in ("inner", "inner#1"))
    assert first is not None
    assert second is not None
    assert first.functions == second.functions == [graphs["inner"]]
    assert shown(graphs["each.layer"]) == {"last": ("Dense", ["last_input"])}


def test_a_sequential_model_is_a_chain_whatever_wrote_it(tmp_path: Path) -> None:
    layers = [layer("Dense", "a", batch_input_shape=[None, 3], units=2), layer("Activation", "b", activation="relu")]
    for config in (layers, {"name": "s", "layers": layers}):
        model = read(write_h5(tmp_path / "m.h5", {"class_name": "Sequential", "config": config}))
        assert shown(model.graph) == {"a": ("Dense", ["a_input"]), "b": ("Activation", ["a"])}
        assert [(str(value), value.shape) for value in model.graph.inputs] == [("a_input", Shape([None, 3]))]


def keras_tensor(name: str, output: int = 0, **config: Any) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {**config, "keras_history": [name, 0, output]}}


def test_arguments_in_the_manner_of_keras_3(tmp_path: Path) -> None:
    call = {"args": [[keras_tensor("x", shape=[None, 4], dtype="float16")]], "kwargs": {"mask": keras_tensor("y", 1)}}
    config = functional(
        [
            {"class_name": "Custom>Two", "config": {"name": "y"}, "name": "y", "inbound_nodes": [{"args": []}]},
            {"class_name": "Dense", "config": {"name": "x"}, "name": "x", "inbound_nodes": [{"args": []}]},
            {"class_name": "Attention", "config": {"name": "z"}, "name": "z", "inbound_nodes": [call]},
        ],
        ["x", 0, 0],
        {"out": ["z", 0, 0]},  # type: ignore[arg-type]  # a dict of outputs
    )
    graph = read(write_h5(tmp_path / "m.h5", config)).graph
    assert shown(graph)["z"] == ("Attention", ["x", "y:1"])
    value = graph.node("x").outputs[0]  # type: ignore[union-attr]
    assert (str(value.dtype), value.shape) == ("float16", Shape([None, 4]))
    assert [str(output.value) for output in graph.outputs] == ["z"]


def test_a_layer_that_is_named_and_not_there_dangles(tmp_path: Path) -> None:
    config = functional([layer("Dense", "d", [source("gone")], units=1)], [["gone", 0, 0]], [["d", 0, 0]])
    graph = read(write_h5(tmp_path / "m.h5", config)).graph
    assert [(str(value), value.is_dangling) for value in graph.nodes[0].inputs] == [("gone:0:0", True)]


def test_lambdas_are_bytes_and_never_run(tmp_path: Path) -> None:
    code = marshal.dumps((lambda x: x).__code__)
    old = layer("Lambda", "f", [], function=[base64.encodebytes(code).decode(), None, None], function_type="lambda")
    new = layer("Lambda", "g", [], function={"class_name": "__lambda__", "config": {
        "code": base64.b64encode(code).decode()}})  # fmt: skip
    model = read(write_h5(tmp_path / "m.h5", functional([old, new], [], [["f", 0, 0], ["g", 0, 0]])))
    assert [node.attrs["function"] for node in model.graph.nodes] == [code, code]
    assert "2 layers are Lambdas" in model.notes[0]


def archive(path: Path, *, compressed: bool = False, config: Any = None, weights: bool = True) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        group = file.create_group("layers/dense/vars")
        group.attrs["name"] = "head"
        group["0"], group["1"] = np.ones((4, 2), "f4"), np.arange(2, dtype=">f4")
        file.create_group("optimizer/vars")["2"] = np.zeros((4, 2), "f4")
        half = file.create_dataset("layers/dense_1/vars/0", data=np.frombuffer(b"\x80\x3f\0\x40", "V2"))
        half.attrs["dtype"] = "bfloat16"
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as packed:
        packed.writestr("metadata.json", json.dumps({"keras_version": "3.1.0"}))
        packed.writestr("config.json", json.dumps(config or small_model()))
        if weights:
            packed.write(path.with_suffix(".h5"), "model.weights.h5")
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_an_archive_of_keras_3(tmp_path: Path, compressed: bool) -> None:
    model = read(archive(tmp_path / "m.keras", compressed=compressed))
    assert len(model.graph.nodes) == 4
    assert model.checkpoint is not None
    assert [(named.key, named.name, named.kind) for named in named_variables(model.checkpoint)] == [
        ("layers/dense/vars/0", "head/0", "variable"),
        ("layers/dense/vars/1", "head/1", "variable"),
        ("layers/dense_1/vars/0", "dense_1/0", "variable"),
        ("optimizer/vars/2", "optimizer/2", "slot"),
    ]
    tensors = {key: variable.tensor for key, variable in model.checkpoint.variables.items()}
    assert tensors["layers/dense/vars/1"].items() == [0.0, 1.0]
    half = tensors["layers/dense_1/vars/0"]
    assert (str(half.dtype), half.items()) == ("bfloat16", [1.0, 2.0])


def test_an_architecture_in_json(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps({**small_model(), "keras_version": "2.4.0", "backend": "tensorflow"}))
    model = read(path)
    assert model.checkpoint is None
    assert len(model.graph.nodes) == 4
    assert model.metagraphs[0].producer["version"] == "2.4.0"


def test_a_class_of_the_user_is_one_node(tmp_path: Path) -> None:
    config = {"class_name": "Mine", "config": {"width": 3, "shape": [2, None]}}
    graph = read(write_h5(tmp_path / "m.h5", config)).graph
    assert [(node.op, dict(node.attrs)) for node in graph.nodes] == [("Mine", {"width": 3, "shape": Shape([2, None])})]


def test_an_hdf5_file_of_another_kind_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["measurements"] = np.ones(3)
    with pytest.raises(UnsupportedError, match="not one that Keras wrote"):
        read(tmp_path / "m.h5")


def test_an_archive_without_weights_or_configuration(tmp_path: Path) -> None:
    model = read(archive(tmp_path / "m.keras", weights=False))
    assert model.checkpoint is None
    assert "not in model.weights.h5" in model.unreadable
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as packed:
        packed.writestr("model.weights.h5", b"")
    with pytest.raises(FormatError, match=r"no config\.json"):
        read(tmp_path / "empty.keras")


def test_an_archive_that_unpacks_to_more_than_it_claims(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", compressed=True, config={"class_name": "X", "config": {"a": "b" * 100_000}})
    data = bytearray(path.read_bytes())
    size = zipfile.ZipFile(path).getinfo("config.json").file_size.to_bytes(4, "little")
    at = data.rindex(size)
    data[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(FormatError, match="does not unpack to the 100 bytes"):
        read(path)


@pytest.mark.parametrize("depth", [200, 100_000])
def test_json_that_is_nested_too_deeply(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "m.json"
    inner = '{"class_name": "Model", "config": {"layers": [' * depth + "]}}" * depth
    path.write_text(inner)
    with pytest.raises(FormatError):
        read(path)


def test_names_that_lead_outside_are_names_only(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["layer_names"] = [b"../../etc", b"d"]
        file["link"] = h5py.ExternalLink("/etc/passwd", "/")
        file.create_group("d").attrs["weight_names"] = [b"../../../etc/passwd"]
        file["d/x"] = np.ones(3)
    checkpoint = read(tmp_path / "m.h5").checkpoint
    assert checkpoint is not None
    assert list(checkpoint.variables) == ["d/x"]


@pytest.mark.parametrize("name", ["m.h5", "m.keras", "m.json"])
def test_damaged_files_end_in_an_error_of_ours(tmp_path: Path, name: str) -> None:
    if name == "m.h5":
        path = write_h5(tmp_path / name, small_model())
    elif name == "m.keras":
        path = archive(tmp_path / name)
    else:
        path = tmp_path / name
        path.write_text(json.dumps(small_model()))
    answers, errors = survives(read, path, damaged(path.read_bytes(), 150))
    assert answers > 5
    assert errors > 5


@pytest.mark.parametrize("options", [{}, {"chunks": (8, 4)}, {"chunks": (8, 4), "compression": "gzip"}])
def test_values_that_nobody_wrote_are_not_made_without_end(tmp_path: Path, options: dict[str, Any]) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_group("d").attrs["weight_names"] = [b"huge", b"small"]
        file["d"].create_dataset("huge", shape=(1 << 40, 4), dtype="f4", **options)
        file["d"].create_dataset("small", shape=(20, 4), dtype="f4", fillvalue=2.0, **options)
    checkpoint = read(tmp_path / "m.h5").checkpoint
    assert checkpoint is not None
    assert np.array_equal(checkpoint.variables["d/small"].tensor.numpy(), np.full((20, 4), 2.0))
    with pytest.raises(FormatError, match="does not hold"):
        checkpoint.variables["d/huge"].tensor.tobytes()


def test_values_beyond_the_end_are_noted(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file["d/last"] = np.ones(10_000)
        end = file["d/last"].id.get_offset() + 80_000
    path.write_bytes(path.read_bytes()[: end - 8])
    model = read(path)
    assert "d/last" in model.notes[0]
    assert model.checkpoint is not None
    with pytest.raises(GraphSurgeonError):
        model.checkpoint.variables["d/last"].tensor.tobytes()
