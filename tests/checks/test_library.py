"""Versions and functions of a graph: what TensorFlow's importer refuses, and what it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.formats import read

RULES = ("versions", "repeated-function", "argument-type")
UNTYPED = 'input_arg { name: "a" }'
TYPED = 'input_arg { name: "a" type: DT_INT32 }'
NODE = 'node { name: "x" op: "NoOp" }'


def function(name: str, op: str = "NoOp", arg: str = "") -> str:
    return f'function {{ signature {{ name: "{name}" {arg} }} node_def {{ name: "r" op: "{op}" }} }}'


REFUSED = {
    f"{NODE} versions {{ producer: 1 min_consumer: 99999 }}": "versions",
    f"{NODE} versions {{ producer: 1 min_consumer: 2475 }}": "versions",
    f"{NODE} versions {{ producer: 1 bad_consumers: 3 bad_consumers: 2474 }}": "versions",
    f"{NODE} versions {{ producer: -5 }}": "versions",
    f"{NODE} library {{ {function('Relu')} }}": "repeated-function",
    f"{NODE} library {{ {function('f')} {function('f', 'ControlTrigger')} }}": "repeated-function",
    f"{NODE} library {{ {function('f', arg=UNTYPED)} }}": "argument-type",
}
TAKEN = [
    f"{NODE} versions {{ producer: 1 min_consumer: 2474 bad_consumers: 2475 }}",
    f"{NODE} versions {{ producer: 2147483647 }}",
    f"{NODE} library {{ {function('f')} {function('f')} }}",
    f"{NODE} library {{ {function('x')} }}",
    f"{NODE} library {{ {function('f', arg=TYPED)} }}",
]


def found(folder: Path, text: str) -> list[str]:
    path = folder / "g.pbtxt"
    path.write_text(text)
    return [finding.rule for finding in check(read(path)) if finding.rule in RULES]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == [REFUSED[text]]


@pytest.mark.parametrize("text", TAKEN)
def test_taken(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


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
        with pytest.raises((ValueError, TypeError, tf.errors.InvalidArgumentError)):
            tf.import_graph_def(graph_def)
