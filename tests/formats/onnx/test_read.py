"""ONNX files as models: names, edges, functions, bodies, types. Expected values are written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.errors import FormatError
from graphsurgeon.formats.onnx import file
from graphsurgeon.model.dtype import FLOAT32, INT64, DType
from graphsurgeon.model.graph import FunctionRef
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from tests.formats.onnx import models


def read(folder: Path, message: Any) -> Any:
    return file.read(models.save(folder, message))


def test_inputs_are_those_without_an_initializer(tmp_path: Path) -> None:
    model = read(tmp_path, models.dense([models.value("w", [6, 100])]))
    assert [str(value) for value in model.graph.inputs] == ["x"]
    assert [output.name for output in model.graph.outputs] == ["y"]
    assert model.graph.value("w").extra == {"is_input": True, "is_default": True}
    assert model.graph.op_counts == {"Add": 1, "MatMul": 1, "Relu": 1}


def test_before_ir_version_4_an_initializer_has_to_be_an_input_too(tmp_path: Path) -> None:
    message = models.dense([models.value("w", [6, 100])])
    message.ir_version = 3
    assert read(tmp_path, message).graph.value("w").extra == {"is_input": True}


def test_edges_and_names(tmp_path: Path) -> None:
    graph = read(tmp_path, models.dense()).graph
    multiply, add, relu = graph.nodes
    assert [node.name for node in graph.nodes] == ["mul", "", "out"]
    assert multiply.consumers == (add,)
    assert graph.value("sum").producer is add
    assert graph.value("sum").consumers == (relu,)
    assert graph.value("b").consumers == (add,)
    assert graph.node("out") is relu


def test_recorded_types(tmp_path: Path) -> None:
    graph = read(tmp_path, models.dense()).graph
    assert (graph.value("x").dtype, graph.value("x").shape) == (FLOAT32, Shape([None, 6]))
    assert graph.value("x").extra == {"dim_names": ("batch", None)}
    assert graph.value("xw").shape == Shape([None, 100])
    assert graph.value("sum").shape is None
    unknown = models.graph([], [models.value("x", None), models.value("s", [])], [])
    inner = read(tmp_path, models.model(unknown)).graph
    assert inner.value("x").shape == UNKNOWN_RANK
    assert inner.value("s").shape == Shape([])


def test_large_values_stay_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphsurgeon.formats.graph.protobuf.protofile.SMALL_FILE", 0)
    model = read(tmp_path, models.dense())
    tensor = model.graph.value("w").tensor
    assert tensor.shape == Shape([6, 100])
    assert len(tensor.source.message.raw_data) < 100
    assert tensor.items() == [number / 8 for number in range(600)]
    assert sum(map(len, tensor.source.ranges())) == 2400


def test_producer(tmp_path: Path) -> None:
    message = models.dense()
    message.producer_version = "7.1"
    message.opset_import.add(domain="ai.onnx.ml", version=3)
    message.metadata_props.add(key="author", value="somebody")
    model = read(tmp_path, message)
    producer = model.metagraphs[0].producer
    assert (producer["framework"], producer["version"]) == ("tests", "7.1")
    assert producer["opsets"] == {"ai.onnx": 17, "ai.onnx.ml": 3}
    assert model.metagraphs[0].collections["author"].items[0].value.items() == [b"somebody"]


def branching() -> Any:
    """Return a model whose If adds or multiplies what the graph around it computes."""
    then = models.graph([models.node("Add", ["h", "h"], ["t"])], [], [models.value("t", [2])])
    other = models.graph(
        [models.node("Mul", ["h", "k"], ["e"], "inner")],
        [],
        [models.value("e", [2])],
        initializer=[models.tensor("k", [2], [1.0, 2.0])],
    )
    nodes = [
        models.node("Relu", ["x"], ["h"], "relu"),
        models.node(
            "If", ["c"], ["y"], "choice",
            attribute=[models.body("then_branch", then), models.body("else_branch", other)],
        ),
    ]  # fmt: skip
    ends = [models.value("x", [2]), models.value("c", [], models.BOOL)]
    return models.model(models.graph(nodes, ends, [models.value("y", [2])]))


def test_bodies_see_what_is_outside(tmp_path: Path) -> None:
    metagraph = read(tmp_path, branching()).metagraphs[0]
    assert list(metagraph.functions) == ["choice/then_branch", "choice/else_branch"]
    relu, choice = metagraph.graph.nodes
    body = metagraph.functions["choice/else_branch"]
    captured = body.nodes[0].inputs[0]
    assert captured.extra == {"outer": metagraph.graph.value("h")}
    assert body.inputs == []
    assert body.value("k").tensor.items() == [1.0, 2.0]
    assert choice.controls == (relu,)  # no input says that it runs after it
    assert [ref.graph for ref in choice.function_refs] == list(metagraph.functions.values())
    assert isinstance(choice.attrs["then_branch"], FunctionRef)


def test_functions_of_the_model(tmp_path: Path) -> None:
    function = models.new(
        "FunctionProto", name="Twice", domain="mine", input=["a"], output=["b"], attribute=["alpha"],
        node=[models.node("Elu", ["a"], ["b"], attribute=[
            models.new("AttributeProto", name="alpha", ref_attr_name="alpha", type=1)])],
    )  # fmt: skip
    main = models.graph(
        [models.node("Twice", ["x"], ["y"], "call", domain="mine"), models.node("Odd", ["y"], ["z"], domain="theirs")],
        [models.value("x", [2])],
        [models.value("z", None)],
    )
    metagraph = read(tmp_path, models.model(main, functions=[function])).metagraphs[0]
    twice = metagraph.functions["mine.Twice"]
    assert metagraph.graph.nodes[0].callee is twice
    assert metagraph.graph.op_counts == {"mine.Twice": 1, "theirs.Odd": 1}
    assert [str(value) for value in twice.inputs] == ["a"]
    assert [output.name for output in twice.outputs] == ["b"]
    assert twice.nodes[0].attrs == {"alpha": "alpha"}


def test_what_is_missing_or_left_out(tmp_path: Path) -> None:
    nodes = [models.node("Clip", ["x", "", "nowhere"], ["y"]), models.node("Dropout", ["y"], ["z", ""])]
    graph = read(tmp_path, models.model(models.graph(nodes, [models.value("x", [1])], []))).graph
    first, second = graph.nodes
    assert first.inputs[1].is_absent
    assert (first.inputs[2].is_dangling, str(first.inputs[2])) == (True, "nowhere")
    assert second.outputs[1].is_absent


@pytest.mark.parametrize(
    ("name", "field", "expected"),
    [
        ("value_float", {"type": 1, "f": 1.5}, (FLOAT32, [], [1.5])),
        ("value_ints", {"type": 7, "ints": [3, 4]}, (INT64, [2], [3, 4])),
        ("value_string", {"type": 3, "s": b"ab"}, (DType.named("string"), [], [b"ab"])),
        ("value", {"type": 4, "t": models.tensor("", [2], [1.0, 2.0])}, (FLOAT32, [2], [1.0, 2.0])),
    ],
)
def test_constant_nodes_hold_a_tensor(tmp_path: Path, name: str, field: Any, expected: Any) -> None:
    attribute = models.new("AttributeProto", name=name, **field)
    nodes = [models.node("Constant", [], ["c"], attribute=[attribute])]
    found = read(tmp_path, models.model(models.graph(nodes, [], []))).graph.value("c")
    assert (found.dtype, found.shape, found.tensor.items()) == (expected[0], Shape(expected[1]), expected[2])


def test_element_types_that_stand_as_numbers(tmp_path: Path) -> None:
    cast = models.node("Cast", ["x"], ["y"], attribute=[models.new("AttributeProto", name="to", type=2, i=16)])
    graph = read(tmp_path, models.model(models.graph([cast], [models.value("x", [1])], []))).graph
    assert graph.nodes[0].attrs == {"to": DType.named("bfloat16")}


def test_types_that_are_no_tensors(tmp_path: Path) -> None:
    listed = models.new("ValueInfoProto", name="s")
    listed.type.sequence_type.elem_type.CopyFrom(models.value("", [None, 3]).type)
    table = models.new("ValueInfoProto", name="m")
    table.type.map_type.key_type = models.INT64
    table.type.map_type.value_type.CopyFrom(models.value("", None).type)
    graph = read(tmp_path, models.model(models.graph([], [listed, table], []))).graph
    assert [str(value.dtype) for value in graph.inputs] == ["sequence", "map"]
    assert [value.extra["type"] for value in graph.inputs] == ["sequence(float32[?,3])", "map(int64, float32)"]


def test_text_form(tmp_path: Path) -> None:
    path = tmp_path / "model.onnxtxt"
    path.write_text(
        'ir_version: 3 producer_name: "t" graph { name: "g" node { input: "x" output: "y" op_type: "Relu" } '
        'input { name: "x" type { tensor_type { elem_type: 1 shape { dim { dim_value: 2 } } } } } '
        'output { name: "y" } } '
        "opset_import { version: 7 }"
    )
    model = file.read(path, is_text=True)
    assert model.graph.inputs[0].shape == Shape([2])
    assert model.metagraphs[0].producer["opsets"] == {"ai.onnx": 7}


def test_a_name_that_is_no_utf_8_is_told(tmp_path: Path) -> None:
    path = models.save(tmp_path, models.dense())
    path.write_bytes(path.read_bytes().replace(b"mul", b"m\xffl"))
    model = file.read(path)
    assert model.graph.nodes[0].name == "m?l"
    assert any("no UTF-8" in note for note in model.notes)


def test_garbage_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(models.dense().SerializeToString()[:-40])
    with pytest.raises(FormatError, match=r"GraphProto|ModelProto"):
        file.read(path)
