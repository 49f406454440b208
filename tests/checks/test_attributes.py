"""Attributes held to the definitions of their ops: what TensorFlow's importer refuses, and what it takes.

The verdicts are TensorFlow 2.21's (`tf.import_graph_def` of the same texts, `test_tensorflow_agrees`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.formats import read
from graphsurgeon.model.dtype import FLOAT32, DType

RULE = "attribute-kind"


def holder(attr: str, value: str, op: str = "Placeholder", more: str = "") -> str:
    return f'node {{ name: "x" op: "{op}" {more} attr {{ key: "{attr}" value {{ {value} }} }} }}'


def placeholder(shape: str) -> str:
    return holder("shape", f"shape {{ {shape} }}", more='attr { key: "dtype" value { type: DT_FLOAT } }')


QUEUE = ' attr { key: "component_types" value { list { type: DT_FLOAT } } }'

# text of a GraphDef -> words of the finding
REFUSED = {
    holder("dtype", 's: "float"'): "'dtype' is a string, and its kind is type",
    holder("dtype", ""): "'dtype' is empty",
    holder("dtype", "list { }"): "'dtype' is empty",
    holder("dtype", "list { type: DT_FLOAT }"): "'dtype' is a list(type)",
    holder("dtype", 'placeholder: "T"'): "'dtype' is left to a caller ('T')",
    holder("dtype", "type: DT_INVALID"): "'dtype' is the type 0",
    holder("dtype", "type: 77"): "'dtype' is the type 77",
    holder("dtype", "type: DT_FLOAT_REF"): "'dtype' is float32_ref",
    holder("component_types", "list { type: DT_FLOAT s: 'a' }", "FIFOQueueV2"): "a list(string) and list(type)",
    holder("component_types", "list { }", "FIFOQueueV2"): "'component_types' has 0 entries, at least 1 must be",
    holder("capacity", "f: 3", "FIFOQueueV2", QUEUE): "'capacity' is a float, and its kind is int",
    holder("shapes", "list { i: 3 }", "FIFOQueueV2", QUEUE): "'shapes' is a list(int), and its kind is list(shape)",
    placeholder("dim { size: -2 }"): "dimension below -1",
    placeholder("unknown_rank: true dim { size: 2 }"): "of unknown rank, and has dimensions",
    placeholder("dim { size: 4294967296 } dim { size: 4294967296 }"): "more than 2**63 - 1",
}
TAKEN = [
    placeholder("unknown_rank: true"),
    placeholder("dim { size: -1 } dim { size: 0 }"),
    holder("shapes", "list { }", "FIFOQueueV2", QUEUE),
    holder("shapes", "", "FIFOQueueV2", QUEUE),
    holder("_mine", 's: "x"', "NoOp"),
    holder("mine", "", "NoOp"),
    holder("component_types", "list { type: DT_FLOAT }", "FIFOQueueV2"),
]


def found(folder: Path, text: str) -> list[str]:
    path = folder / "g.pbtxt"
    path.write_text(text)
    return [finding.what for finding in check(read(path)) if finding.rule == RULE and finding.severity == "error"]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(tmp_path: Path, text: str) -> None:
    (what,) = found(tmp_path, text)
    assert all(word in what for word in REFUSED[text].split(" and "))


@pytest.mark.parametrize("text", TAKEN)
def test_taken(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


def test_a_function_may_leave_an_attribute_to_its_caller_but_not_empty(tmp_path: Path) -> None:
    def body(value: str) -> str:
        return (
            'node { name: "c" op: "NoOp" } library { function { signature { name: "f" }'
            f' node_def {{ name: "r" op: "Placeholder" attr {{ key: "dtype" value {{ {value} }} }} }} }} }}'
        )

    assert found(tmp_path, body('placeholder: "T"')) == []
    assert found(tmp_path, body("")) == ["its attribute 'dtype' is empty, and its kind is type"]
    assert len(found(tmp_path, body("i: 3"))) == 1


def test_what_was_changed_counts(tmp_path: Path) -> None:
    path = tmp_path / "g.pbtxt"
    path.write_text(holder("dtype", 's: "float"'))
    model = read(path)
    model.metagraphs[0].graph.nodes[0].attrs["dtype"] = FLOAT32
    assert check(model) == []


@pytest.mark.tensorflow
@pytest.mark.parametrize("text", [*REFUSED, *TAKEN])
def test_tensorflow_agrees(text: str) -> None:
    import tensorflow as tf
    from google.protobuf import text_format

    graph_def = text_format.Parse(text, tf.compat.v1.GraphDef())
    with tf.Graph().as_default():
        if text in TAKEN:
            tf.import_graph_def(graph_def)
            return
        with pytest.raises((ValueError, TypeError)):
            tf.import_graph_def(graph_def)


def test_nodes_that_an_edit_has_left_alone_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "g.pbtxt").write_text(
        holder("dtype", 's: "float"') + placeholder("dim { size: 2 }").replace('"x"', '"y"')
        + 'node { name: "z" op: "Identity" input: "y" attr { key: "T" value { type: DT_FLOAT } } }'
    )  # fmt: skip
    model = read(tmp_path / "g.pbtxt")
    node = model.graph.node("y")
    assert node is not None
    assert [finding.where for finding in check(model, shapes=False) if finding.rule == RULE] == ["node x"]
    assert RULE not in {finding.rule for finding in check(model, shapes=False, only_changed=True)}
    node.name = "renamed"
    assert RULE not in {finding.rule for finding in check(model, shapes=False, only_changed=True)}
    node.attrs["dtype"] = DType.named("float32_ref")
    changed = [finding.where for finding in check(model, shapes=False, only_changed=True) if finding.rule == RULE]
    assert changed == ["node renamed"]
