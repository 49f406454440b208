"""What people write who know onnx-graphsurgeon or TensorFlow: one line says what to do, and nothing changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon import GraphSurgeonError, surgery
from graphsurgeon.model import Model

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
LINEAR = FIXTURES / "graphdef" / "linear.pb"
KERNEL = "MatMul/ReadVariableOp/resource"

# What is written -> what the error says.
REFUSED = {
    # list, find
    "model.nodes": "model.graph.nodes",
    "model.inputs": "model.metagraphs[0].signatures",
    "graph.tensors()": "for value in node.outputs",
    "graph.get_operations()": "graph.nodes",
    "graph.get_tensor_by_name('Softmax:0')": 'graph.value("node:0")',
    "graph.nodse": "did you mean node or nodes",
    "graph['Sotfmax']": "has no node 'Sotfmax'",
    "node.attr": "node.attrs",
    "node.attrs.T": "attrs['T']",
    "node.i()": "node.inputs[0].producer",
    "node.dtype": "infer_shapes",
    "graphsurgeon.load('x.pb')": "graphsurgeon.read",
    "graphsurgeon.find(model, 'Softmax')": "by name: op=, name=",
    "graphsurgeon.find(model, ops='Softmax')": "did you mean op?",
    "graphsurgeon.find(graph, op='Softmax')": "find takes a model first, not Graph",
    "graphsurgeon.check('x.pb')": "check takes a model first, not 'x.pb'",
    "graphsurgeon.diff(model)": "diff needs after",
    "graphsurgeon.diff(model, 'x.pb')": "diff takes a model first",
    "graphsurgeon.summarize('x.pb')": "summarize takes a model first",
    "graphsurgeon.infer_shapes('x.pb')": "shapes of a model or graph are inferred",
    # rename
    "surgery.rename(model, 'Softmax', 'probs')": "by name: what=",
    "surgery.rename(model, old='Softmax', new='probs')": "takes no argument 'old'",
    "surgery.rename(model, {'Softmax': 'probs'}, what='node')": "what is one of nodes, functions",
    "setattr(node, 'name', None)": "cannot be called None",
    "setattr(node, 'name', 'a b')": "cannot be called 'a b'",
    "setattr(node, 'name', '')": "cannot be called ''",
    # insert, remove
    "graph.layer(op='Relu', inputs=['x'])": "graph.add_node(op, name, inputs)",
    "graph.add_node('Relu', ['x'])": "a node has an op and a name",
    "graph.add_node('Relu', 'r', ['x'], T='float32')": "takes no argument 'T'",
    "graph.add_node('Relu', 'r', ['x'], 'float32')": "attributes are a mapping",
    "graph.add_node(None, 'r', ['x'])": "a node has an op and a name",
    "graph.remove_node('NoOp')": "graph.remove_nodes(...)",
    "graph.remove_nodes(None)": "has no node None",
    "node.delete()": "graph.remove_nodes(node)",
    "setattr(node, 'inputs', None)": "has no value None",
    "node.set_input('logits', 'x')": "there is none of place logits",
    "node.output().replace_with('nosuch')": "has no value 'nosuch' for the readers of Softmax:0",
    "node.output().replace_with(None)": "has no value None",
    "node.output().replace_with(other.graph.value('x:0'))": "has no value 'x:0'",
    "setattr(graph, 'outputs', ['Softmax'])": "surgery.add_signature",
    # change a weight
    "graph[KERNEL].value": 'node.attrs["value"]',
    "graph[KERNEL].attrs.__setitem__('value', 'abc')": "float32 is wanted",
    "node.attrs.__setitem__('extra', [1, 'a'])": "a list of several kinds",
    "surgery.set_weights(model, {KERNEL: 0.5})": "by name: values=",
    "surgery.set_weights(model, value={KERNEL: 0.5})": "did you mean values?",
    # expose, cut, reshape, freeze
    "surgery.add_output(model, 'Softmax', 'probs')": "takes 2 of its arguments by position",
    "surgery.add_output(model)": "add_output needs outputs",
    "surgery.extract(model, ['x'], ['Softmax'])": "by name: inputs=",
    "surgery.extract(model, input='x', output='Softmax')": "did you mean inputs?",
    "surgery.set_input(model, 'x', [1, 4])": "by name: shapes=",
    "surgery.set_input(model, shape={'x': [1, 4]})": "did you mean shapes",
    "surgery.freeze(model, 'Softmax')": "by name: outputs=",
    "surgery.freeze(model, output='Softmax')": "did you mean outputs?",
    "surgery.strip(model, 'devices')": "by name: only=",
    "surgery.replace(model, None)": "one or several are needed",
    "surgery.merge(model, other)": "by name: checkpoint=",
    "surgery.optimize(model, onyl='fold')": "did you mean only?",
    "surgery.remove_nodes(model, 'x')": "model.graph.remove_nodes(...)",
    "surgery.set_output(tflite, {'output_0': 'int8'}, scale={'output_0': 1})": "a scale is a positive number",
    # write, build, edit
    "model.save('x.pb')": "graphsurgeon.write(model, path)",
    "graphsurgeon.write('x.pb', model)": "write takes a model first",
    "graphsurgeon.write(model, None)": "a path to write to",
    "graphsurgeon.Graph()": "graphsurgeon.new_model()",
    "graphsurgeon.new_model('x')": "by position",
    "graphsurgeon.catalog('folder')": "catalog needs out",
    "graphsurgeon.edit.edit(path, 'rename x=z', output='o.pb')": "a step is an operation and its arguments",
    "graphsurgeon.edit.edit(path, 'strip', outputs='o.pb')": "edit takes no argument 'outputs'; did you mean output?",
    "graphsurgeon.edit.edit(path, None, output='o.pb')": "a step is an operation and its arguments, not None",
    "graphsurgeon.edit.edit(path, [('rename', {'nmaes': {}})], output='o.pb')": "did you mean names?",
}


def names(model: Model) -> dict[str, Any]:
    graph = model.graph
    return {
        "model": model,
        "graph": graph,
        "node": graph.node("Softmax"),
        "other": graphsurgeon.read(LINEAR),
        "tflite": graphsurgeon.read(FIXTURES / "tflite" / "float.tflite"),
        "path": LINEAR,
    } | {"graphsurgeon": graphsurgeon, "surgery": surgery, "KERNEL": KERNEL}


@pytest.mark.parametrize("text", REFUSED)
def test_a_guess_is_answered_with_the_way(text: str) -> None:
    model = graphsurgeon.read(LINEAR)
    before = str(model.graph), dict(model.graph["Softmax"].attrs)
    with pytest.raises(GraphSurgeonError) as caught:
        eval(text, names(model))
    assert REFUSED[text] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (str(model.graph), dict(model.graph["Softmax"].attrs)) == before


def test_unknown_attributes_are_still_attribute_errors() -> None:
    model = graphsurgeon.read(LINEAR)
    assert not hasattr(model, "nodes")
    assert getattr(model.graph, "tensors", None) is None
    assert not hasattr(graphsurgeon, "load")


def test_what_is_meant_works() -> None:
    model = graphsurgeon.read(LINEAR)
    graph = model.graph
    assert graph["Softmax"] is graph.node("Softmax")
    assert "Softmax" in graph
    assert "Sotfmax" not in graph
    assert [one.name for one in graphsurgeon.find(model, dtype=np.float32, op="Softmax")] == ["Softmax:0"]
    assert repr(graph["Softmax"].attrs) == "{'T': float32}"
    added = graph.add_node("Relu", inputs=graph["add"])
    assert (added.name, added.inputs) == ("Relu", (graph.value("add:0"),))
    assert graph.value("add:0").replace_with(added, but=added) == 1  # type: ignore[union-attr]
    assert graph["Softmax"].inputs == (added.output(),)
    graph["Softmax"].inputs = "add"  # type: ignore[assignment]
    assert graph["Softmax"].inputs == (graph.value("add:0"),)


def test_a_weight_keeps_its_type() -> None:
    model = graphsurgeon.read(LINEAR)
    kernel = model.graph[KERNEL]
    kernel.attrs["value"] = np.full((4, 3), 0.5)  # type: ignore[assignment]  # float64
    assert np.asarray(kernel.attrs["value"]).dtype == np.float32
    assert np.array_equal(np.asarray(kernel.attrs["value"]), np.full((4, 3), 0.5, "f4"))
    assert graphsurgeon.check(model) == []


def test_an_edit_takes_a_step_alone(tmp_path: Path) -> None:
    graphsurgeon.edit.edit(LINEAR, ("rename", {"names": {"x": "z"}}), output=tmp_path / "a.pb")  # type: ignore[arg-type]
    graphsurgeon.edit.edit(LINEAR, [surgery.strip], output=tmp_path / "b.pb")  # type: ignore[list-item]
    assert "z" in graphsurgeon.read(tmp_path / "a.pb").graph
