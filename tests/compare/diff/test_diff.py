"""What `diff` tells of one change made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon import surgery
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model import Shape, Tensor
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import BytesSource


@pytest.fixture
def linear(fixtures_dir: Path) -> Callable[[], Model]:
    return lambda: graphsurgeon.read(fixtures_dir / "graphdef" / "linear.pb")


def told(before: Model, after: Model) -> list[tuple[str, str, str, str | None]]:
    report = graphsurgeon.diff(before, after)
    return [(change.kind, change.part, change.name, change.new_name) for change in report.changes]


def test_nothing(linear: Callable[[], Model]) -> None:
    report = graphsurgeon.diff(linear(), linear())
    assert (report.changes, report.equal) == ([], True)


def test_a_new_name(linear: Callable[[], Model]) -> None:
    after = linear()
    surgery.rename(after, "Softmax=scores")  # type: ignore[arg-type]
    assert told(linear(), after) == [("renamed", "node", "Softmax", "scores")]


def test_a_node_between(linear: Callable[[], Model]) -> None:
    after = linear()
    logits = after.graph.node("add").output()  # type: ignore[union-attr]
    relu = after.graph.add_node("Relu", "relu", logits)
    logits.replace_with(relu.output(), but=[relu])
    assert sorted(told(linear(), after)) == [
        ("added", "node", "relu", None),
        ("rewired", "node", "Softmax", None),
    ]


def test_a_weight(linear: Callable[[], Model]) -> None:
    after = linear()
    after.graph.node("add/ReadVariableOp/resource").attrs["value"] = np.zeros(3, np.float32)  # type: ignore[union-attr, assignment]
    [change] = graphsurgeon.diff(linear(), after).changes
    assert (change.kind, change.part, change.name) == ("changed", "node", "add/ReadVariableOp/resource")
    assert change.details[0].field.startswith("value: 3 of 3 elements differ")


def test_an_attribute(linear: Callable[[], Model]) -> None:
    after = linear()
    after.graph.node("MatMul").attrs["transpose_b"] = True  # type: ignore[union-attr]
    [change] = graphsurgeon.diff(linear(), after).changes
    assert [(d.field, d.before, d.after) for d in change.details] == [("transpose_b", "False", "True")]


def test_variables(fixtures_dir: Path) -> None:
    path = fixtures_dir / "checkpoint" / "name_based"
    before, after = graphsurgeon.read(path), graphsurgeon.read(path)
    assert after.checkpoint is not None
    after.checkpoint.remove(["beta1_power"])
    assert told(before, after) == [("removed", "variable", "beta1_power", None)]


def test_a_graph_and_a_tflite_model_have_nothing_in_common(linear: Callable[[], Model], fixtures_dir: Path) -> None:
    other = graphsurgeon.read(fixtures_dir / "tflite" / "float.tflite")
    with pytest.raises(UnsupportedError, match="have nothing in common"):
        graphsurgeon.diff(linear(), other)


def test_nan_that_signal_are_compared_without_a_word_of_numpy(linear: Callable[[], Model]) -> None:
    """The suite takes warnings for errors; numpy warns of such a NaN where it becomes a double."""
    signalling = b"\x01\x00\x80\x7f"
    pair = linear(), linear()
    for model, data in zip(pair, (signalling + bytes(4), bytes(4) + signalling), strict=True):
        value = Tensor(FLOAT32, Shape([2]), BytesSource(data))
        model.graph.add_node("Const", "nan", [], {"dtype": FLOAT32, "value": value})
    assert [name for _, _, name, _ in told(*pair)] == ["nan"]
