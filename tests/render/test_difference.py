"""Two models in one picture."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphsurgeon
from graphsurgeon.compare.diff.diff import diff
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.graph import Node
from graphsurgeon.model.model import Model
from graphsurgeon.render import View
from graphsurgeon.render.difference import draw_difference
from graphsurgeon.render.scene.scene import Scene

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def read(name: str) -> Model:
    return graphsurgeon.read(FIXTURES / name)


def scene_of(before: Model, after: Model) -> Scene:
    return draw_difference(before, after, diff(before, after), format="dot").scene


def marked(scene: Scene) -> dict[str, str]:
    return {box.title: mark for box in scene.boxes for mark in box.marks}


def replace_relu(model: Model, scope: str) -> Node:
    """Put a Tanh in the place of the Relu of a scope."""
    graphs = model.metagraphs[0].graphs
    (relu,) = [node for graph in graphs for node in graph.nodes if node.op == "Relu" and scope in node.name]
    tanh = relu.graph.add_node("Tanh", f"{relu.name}_new", [relu.inputs[0]], {"T": FLOAT32}, checked=False)
    relu.output(0).replace_with(tanh.output(0))
    relu.graph.remove_nodes([relu])
    return tanh


def test_added_removed_and_changed_nodes_are_marked() -> None:
    before, after = read("graphdef/face_detector.pb"), read("graphdef/face_detector.pb")
    replace_relu(after, "rnet")
    convolution = after.metagraphs[0].graph.node("onet/conv1/Conv2D")
    assert convolution is not None
    convolution.attrs["padding"] = b"VALID"
    scene = scene_of(before, after)
    assert marked(scene) == {"Relu": "removed", "Tanh": "added", "Reshape": "changed", "Conv2D": "changed"}
    boxes = {box.id: box for box in scene.boxes}
    (lost,) = [edge for edge in scene.edges if edge.kind == "removed"]
    assert (boxes[lost.source].title, boxes[lost.target].title) == ("Relu", "Reshape")
    assert any(boxes[edge.target].title == "Relu" and "removed" in boxes[edge.target].marks for edge in scene.edges)


def test_inside_functions() -> None:
    before, after = read("savedmodel/keras_export"), read("savedmodel/keras_export")
    for scope in ("stem_relu",):
        replace_relu(after, scope)
    assert {"Relu": "removed", "Tanh": "added"}.items() <= marked(scene_of(before, after)).items()


def test_a_changed_constant_marks_what_uses_it() -> None:
    before, after = read("graphdef/linear.pb"), read("graphdef/linear.pb")
    from graphsurgeon.model.tensor import Tensor

    node = after.metagraphs[0].graph.node("add/ReadVariableOp/resource")
    assert node is not None
    node.attrs["value"] = Tensor.of(FLOAT32, (3,), [1.0, 2.0, 3.0])
    assert "changed" in marked(scene_of(before, after)).values()


def test_an_added_output_is_drawn_though_no_signature_names_it() -> None:
    before, after = read("savedmodel/keras_export"), read("savedmodel/keras_export")
    call = next(node for node in after.metagraphs[0].graph.nodes if node.op == "StatefulPartitionedCall")
    after.metagraphs[0].graph.add_node("Identity", "extra", [call.output(0)], {"T": FLOAT32}, checked=False)
    scene = scene_of(before, after)
    (extra,) = [box for box in scene.boxes if box.marks]
    assert (extra.title, extra.name, extra.marks) == ("Identity", "extra", ("added",))
    assert any(edge.target == extra.id for edge in scene.edges)


def test_what_is_only_noted_down_marks_nothing() -> None:
    before, after = read("savedmodel/v1_keep_prob"), read("savedmodel/v1_keep_prob")
    nodes = [node for node in after.metagraphs[0].graph.nodes if "_output_shapes" in node.attrs]
    assert nodes
    for node in nodes:
        del node.attrs["_output_shapes"]
    assert marked(scene_of(before, after)) == {}


@pytest.mark.parametrize(
    "name", ["savedmodel/keras_rnn", "tflite/cnn_int8.tflite", "metagraph/training_text/model.meta"]
)
def test_equal_models_have_no_marks(name: str) -> None:
    assert marked(scene_of(read(name), read(name))) == {}


def test_what_was_never_drawn_is_not_put_back() -> None:
    before, after = read("metagraph/face_resnet/model-1.meta"), read("metagraph/face_resnet/model-1.meta")
    graph = after.metagraphs[0].graph
    graph.remove_nodes([node for node in graph.nodes if node.name.startswith("save/")])
    assert "removed" not in marked(scene_of(before, after)).values()


@pytest.mark.parametrize("format", ["svg", "html", "dot"])
def test_every_format(format: str) -> None:
    before, after = read("graphdef/face_detector.pb"), read("graphdef/face_detector.pb")
    replace_relu(after, "rnet")
    text = draw_difference(before, after, diff(before, after), format=format).content.decode()
    assert "removed" in text
    assert "added" in text


def test_a_freeze_is_told_as_one(tmp_path: Path) -> None:
    from graphsurgeon.edit import edit

    source = FIXTURES / "savedmodel/keras_export"
    target = tmp_path / "frozen.pb"
    edit(source, [("freeze", {})], output=target)
    scene = scene_of(graphsurgeon.read(source), graphsurgeon.read(target))
    assert all(box.marks == ("frozen",) for box in scene.boxes if box.parameters)
    others = {(box.kind, mark) for box in scene.boxes for mark in box.marks if not box.parameters}
    assert others <= {("input", "renamed")}  # as the frozen graph has no signature


def test_what_was_renamed_is_no_change() -> None:
    before, after = read("graphdef/face_detector.pb"), read("graphdef/face_detector.pb")
    (relu,) = [node for node in after.metagraphs[0].graph.nodes if node.op == "Relu" and "rnet" in node.name]
    relu.name = "rnet/other"
    assert marked(scene_of(before, after)) == {"Conv2D": "renamed"}  # the layer that it belongs to


def test_a_closed_box_opens_to_what_is_changed_within() -> None:
    from tests.render.test_page import data_of

    before, after = read("graphdef/face_detector.pb"), read("graphdef/face_detector.pb")
    replace_relu(after, "rnet")
    report = diff(before, after)
    page = draw_difference(before, after, report, format="html", view=View(depth=1)).content.decode()
    parts = data_of(page)["parts"]
    scope = next(part for part in parts if part.get("scope") and part["name"] == "rnet")
    assert {"added", "removed"} <= set(scope["marks"])
    inside = [part for part in parts if part["parent"] >= 0 and part.get("marks") and not part.get("scope")]
    assert {(part["title"], *part["marks"]) for part in inside} >= {("Tanh", "added"), ("Relu", "removed")}
