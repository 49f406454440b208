"""The object graph: what `tf.saved_model.load` of TensorFlow 2.21 refuses is an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import surgery, write
from graphsurgeon.checks.check import check
from graphsurgeon.formats import read, schema

SAVED = Path(__file__).resolve().parents[2] / "fixtures" / "savedmodel" / "linear"


def of_kind(objects: Any, kind: str) -> Any:
    return next(getattr(node, kind) for node in objects.nodes if node.HasField(kind))


def a_function(objects: Any) -> Any:
    return objects.concrete_functions[sorted(objects.concrete_functions)[0]]


def first_capture(objects: Any) -> Any:
    return next(one for _, one in sorted(objects.concrete_functions.items()) if one.bound_inputs)


def set_capture(objects: Any, number: int) -> None:
    first_capture(objects).bound_inputs[0] = number


def set_field(message: Any, field: str, value: int) -> None:
    setattr(message, field, value)


# what is changed -> words of the finding
CHANGES: list[tuple[Callable[[Any], object], str]] = [
    (lambda objects: set_field(objects.nodes[0].children[0], "node_id", 9999), "is object 9999, which there is not"),
    (lambda objects: set_field(objects.nodes[0].children[0], "node_id", -1), "is object -1, which there is not"),
    (lambda objects: objects.nodes.add(), "of no kind"),
    (lambda objects: objects.nodes[0].dependencies.add(node_id=77), "dependency"),
    (lambda objects: set_capture(objects, 9999), "captures object 9999"),
    (lambda objects: set_capture(objects, 0), "no tensor"),
    (lambda objects: objects.ClearField("nodes"), "no objects"),
    (lambda objects: a_function(objects).ClearField("output_signature"), "how its outputs are structured"),
    (lambda objects: a_function(objects).ClearField("canonicalized_input_signature"), "how its inputs are structured"),
    (lambda objects: of_kind(objects, "function").ClearField("function_spec"), "which arguments it takes"),
    (lambda objects: set_field(of_kind(objects, "variable"), "dtype", 0), "has no dtype"),
    (lambda objects: set_field(of_kind(objects, "variable"), "aggregation", 99), "aggregation of the variable"),
    (lambda objects: set_field(of_kind(objects, "variable"), "synchronization", 99), "synchronization of the variable"),
]


def found(folder: Path, change: Callable[[Any], object] | None) -> list[str]:
    message = schema.message("tensorflow.SavedModel")()
    message.ParseFromString((SAVED / "saved_model.pb").read_bytes())
    if change is not None:
        change(message.meta_graphs[0].object_graph_def)
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    findings = check(read(folder), shapes=False)
    return [finding.what for finding in findings if finding.rule == "object-graph" and finding.severity == "error"]


def test_a_sound_one(tmp_path: Path) -> None:
    assert found(tmp_path, None) == []


@pytest.mark.parametrize("index", range(len(CHANGES)))
def test_refused(tmp_path: Path, index: int) -> None:
    change, words = CHANGES[index]
    assert any(words in what for what in found(tmp_path, change))


@pytest.mark.tensorflow
@pytest.mark.parametrize("tensor", ["serving_default_x", "StatefulPartitionedCall"])
def test_a_function_without_nodes_is_one(tmp_path: Path, tensor: str) -> None:
    """It yields its argument: TensorFlow loads it, and calls it."""
    import tensorflow as tf

    model = read(SAVED)
    surgery.add_signature(model, name="echo", inputs={"x": tensor}, outputs={"y": tensor})
    assert [found for found in check(model) if found.severity == "error"] == []
    write(model, tmp_path / "m")
    shape = [2, 4] if tensor == "serving_default_x" else [2, 3]
    (found,) = tf.saved_model.load(str(tmp_path / "m")).signatures["echo"](x=tf.ones(shape)).values()
    assert found.numpy().tolist() == tf.ones(shape).numpy().tolist()
