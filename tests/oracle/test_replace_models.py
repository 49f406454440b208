"""Replacing in branches and loops of TensorFlow 1, and in whole models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.patterns.rules import rule_set
from graphsurgeon.surgery import replace
from tests.oracle.rule_graphs import normal, raw, tf, values

pytestmark = pytest.mark.tensorflow


def written(tmp_path: Path, build: Callable[[], Any]) -> Path:
    """Write a graph with an output `out`."""
    with tf().Graph().as_default() as graph:
        tf().identity(build(), name="out")
        path = tmp_path / "graph.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


@pytest.mark.parametrize("rule", ["Mul(x, Neg(x)) => 0", "Mul(x, Neg(x)) => Sub(Mul(x, 3), 3)", "Neg(x) => Mul(x, -1)"])
def test_a_branch_of_tensorflow_1(tmp_path: Path, rule: str) -> None:
    """A constant in the branch not taken must not be alive: the Merge would take it."""

    def build() -> Any:
        x = tf().compat.v1.placeholder("float32", [], name="x")
        pred = tf().compat.v1.placeholder("bool", [], name="pred")
        switch = raw().Switch(data=x, pred=pred)
        taken = raw().Mul(x=switch.output_true, y=raw().Neg(x=switch.output_true))
        return raw().Merge(inputs=[taken, raw().Identity(input=switch.output_false)]).output

    path = written(tmp_path, build)
    model = graphsurgeon.read(path)
    assert len(replace(model, [rule]).replaced) == 1
    graphsurgeon.write(model, tmp_path / "after.pb")
    after = tmp_path / "after.pb"
    assert values(after, {"x:0": 4.0, "pred:0": False}) == 4.0
    expected = {"0": 0.0, "Sub": 9.0, "Mul": -16.0}[rule.split("=> ")[1].partition("(")[0]]
    assert values(after, {"x:0": 4.0, "pred:0": True}) == expected


def test_a_loop_of_tensorflow_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant read in a frame must be of that frame."""
    from tensorflow.python.ops import control_flow_util

    monkeypatch.setattr(control_flow_util, "ENABLE_CONTROL_FLOW_V2", False)

    def build() -> Any:
        x = tf().compat.v1.placeholder("float32", [3], name="x")
        step = lambda i, y: (i + 1, tf().math.erfc(y))  # noqa: E731
        return tf().compat.v1.while_loop(lambda i, y: i < 3, step, [tf().constant(0), x])[1]

    path = written(tmp_path, build)
    x = np.array([-0.5, 0.25, 1.0], "float32")
    before = values(path, {"x:0": x})
    model = graphsurgeon.read(path)
    assert model.graph.op_counts["Enter"] >= 2
    assert len(replace(model, ["Erfc(x) => Sub(1, Erf(x))"]).replaced) == 1
    graphsurgeon.write(model, tmp_path / "after.pb")
    np.testing.assert_allclose(before, values(tmp_path / "after.pb", {"x:0": x}), atol=1e-6)


def test_a_unet_of_keras_becomes_one_of_transposed_convolutions(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12, 10, 3))
    down = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    deep = layers.MaxPool2D(2)(down)
    deep = layers.Conv2D(6, 3, padding="same", activation="relu")(deep)
    up = layers.UpSampling2D(2, interpolation="bilinear")(deep)
    up = layers.Concatenate()([up, down])
    up = layers.UpSampling2D(3, interpolation="nearest")(up)
    outputs = layers.Conv2D(1, 1)(up)
    keras.Model(inputs, outputs).export(tmp_path / "unet", verbose=False)

    from graphsurgeon.edit import edit

    edit(tmp_path / "unet", [("freeze", {})], output=tmp_path / "frozen.pb")
    steps = [("replace", {"rules": list(rule_set("upsampling-to-conv-transpose").rules)})]
    report = edit(tmp_path / "frozen.pb", steps, output=tmp_path / "out.pb")
    assert sum(report.steps[0].report.rules.values()) == 2
    ops = graphsurgeon.read(tmp_path / "out.pb").graph.op_counts
    assert ops["Conv2DBackpropInput"] == 2
    assert not {"ResizeBilinear", "Tile"} & set(ops)
    x = normal(2, 12, 10, 3)
    results = []
    for name in ("frozen.pb", "out.pb"):
        model = graphsurgeon.read(tmp_path / name)
        feed = next(node.name for node in model.graph.nodes if node.op == "Placeholder")
        fetch = next(node.name for node in model.graph.nodes[::-1] if not node.consumers and node.inputs)
        graph_def = tf().compat.v1.GraphDef.FromString((tmp_path / name).read_bytes())
        with tf().Graph().as_default() as graph:
            tf().import_graph_def(graph_def, name="")
            with tf().compat.v1.Session(graph=graph) as session:
                results.append(session.run(f"{fetch}:0", {f"{feed}:0": x}))
    np.testing.assert_allclose(*results, rtol=0, atol=1.5e-6 * np.abs(results[0]).max())
