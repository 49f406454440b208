"""Lists of tensors whose elements get the shapes that inputs give them; LiteRT runs recurrent layers of Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.bridges.converting.lists import ListsReport, static_lists
from graphsurgeon.formats import registry
from graphsurgeon.model import DType, FunctionRef, Model, Shape
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.shapes.infer import infer_shapes
from tests.cli.conftest import GS, gs
from tests.shapes.builder import FLOAT, INT32, Builder

__all__ = ["gs"]  # the fixture

VARIANT = DType.named("variant")
UNITS = 3


def model_of(build: Builder) -> Model:
    """Return the model of a graph."""
    model = Model(registry.GRAPH_DEF, "memory")
    model.metagraphs = [build.metagraph]
    return model


def recurrent(batch: int | None, *, width: int = UNITS, grows: bool = False) -> tuple[Model, Value]:
    """Return a model that adds a step to a state in each turn of a loop, and keeps the states in a list."""
    build = Builder()
    state = build.feed(batch, UNITS, name="x")
    spelled = build.const([-1, UNITS])
    made = build.op("TensorListReserve", spelled, build.const(4), name="made", element_dtype=FLOAT)
    rows = Shape([None, width])
    arguments = {"turn": (INT32, Shape([])), "states": (VARIANT, Shape([])), "state": (FLOAT, rows)}
    body = build.function("body", arguments)
    turn, states, before = body.graph.inputs
    after = body.op("ConcatV2", before, before, body.const(0), N=2) if grows else body.op("Tanh", before)
    kept = body.op("TensorListSetItem", states, turn, after, name="keep", element_dtype=FLOAT)
    body.returns(body.op("AddV2", turn, body.const(1), T=INT32), kept, after)
    condition = build.function("cond", arguments)
    condition.returns(condition.op("Less", condition.graph.inputs[0], condition.const(4), T=INT32))
    loop = build.op(
        "While",
        build.const(0),
        made,
        state,
        name="loop",
        T=[INT32, VARIANT, FLOAT],
        body=FunctionRef(body.graph),
        cond=FunctionRef(condition.graph),
        output_shapes=[Shape([]), Shape([]), rows],
    )
    assert loop.producer is not None
    states = loop.producer.output(1)
    stacked = build.op("TensorListStack", states, build.const([-1, UNITS]), name="stacked", element_dtype=FLOAT)
    return model_of(build), stacked


def spelled(model: Model, name: str, place: int) -> list[Any] | None:
    """Return the constant that a node spells the shape of elements with."""
    report = infer_shapes(model.metagraphs[0])
    return report.constant(node(model, name).inputs[place])


def node(model: Model, name: str) -> Node:
    """Return a node of the main graph."""
    return model.metagraphs[0].graph.node(name)


def test_what_is_put_in_says_what_the_elements_are() -> None:
    model, stacked = recurrent(2)
    assert static_lists(model) == ListsReport(2)
    assert spelled(model, "made", 0) == spelled(model, "stacked", 1) == [2, UNITS]
    assert node(model, "loop").attrs["output_shapes"] == [Shape([]), Shape([]), Shape([2, UNITS])]
    assert infer_shapes(model.metagraphs[0]).shape(stacked) == Shape([None, 2, UNITS])
    assert static_lists(model).told() == []


@pytest.mark.parametrize(("batch", "grows"), [(None, False), (2, True)])
def test_elements_of_any_shape_stay(batch: int | None, grows: bool) -> None:
    model, _ = recurrent(batch, grows=grows)
    assert static_lists(model) == ListsReport(0)
    assert spelled(model, "made", 0) == spelled(model, "stacked", 1) == [-1, UNITS]
    assert node(model, "loop").attrs["output_shapes"] == [Shape([]), Shape([]), Shape([None, UNITS])]


def test_a_list_of_two_shapes_stays() -> None:
    build = Builder()
    made = build.op("EmptyTensorList", build.const([-1, 3]), build.const(9), name="made", element_dtype=FLOAT)
    for rows in (1, 2):
        made = build.op("TensorListPushBack", made, build.feed(rows, 3), element_dtype=FLOAT)
    model = model_of(build)
    assert static_lists(model) == ListsReport(0)
    assert spelled(model, "made", 0) == [-1, 3]


def test_a_list_that_goes_where_nobody_follows_stays() -> None:
    build = Builder()
    made = build.op("EmptyTensorList", build.const([-1, 3]), build.const(9), name="made", element_dtype=FLOAT)
    full = build.op("TensorListPushBack", made, build.feed(1, 3), element_dtype=FLOAT)
    other = build.op("EmptyTensorList", build.const([]), build.const(9), name="other", element_dtype=VARIANT)
    build.op("TensorListPushBack", other, full, element_dtype=VARIANT)
    model = model_of(build)
    static_lists(model)
    assert spelled(model, "made", 0) == [-1, 3]


def test_slices_of_a_tensor_are_spelled_and_read() -> None:
    build = Builder()
    made = build.op("TensorListFromTensor", build.feed(4, 2, 3), build.const([-1, 3]), name="made", element_dtype=FLOAT)
    build.op("TensorListGetItem", made, build.const(0), build.const([-1, 3]), name="read", element_dtype=FLOAT)
    model = model_of(build)
    assert static_lists(model).told() == ["static shapes of elements for 2 ops on lists of tensors"]
    assert spelled(model, "made", 1) == spelled(model, "read", 2) == [2, 3]


@pytest.mark.tensorflow
@pytest.mark.litert
@pytest.mark.parametrize(("cell", "batch"), [("LSTM", 1), ("GRU", 2), ("SimpleRNN", 2)])
def test_recurrent_layers(cell: str, batch: int, gs: GS, tmp_path: Path) -> None:
    """Two directions with all states, and one with the last one; `gs convert` compares what LiteRT makes of them.

    A batch of 1 is what the command takes by itself where the converter asks for shapes.
    """
    keras = pytest.importorskip("keras")
    layer = getattr(keras.layers, cell)
    x = keras.Input((4, 3))
    y = layer(2)(keras.layers.Bidirectional(layer(5, return_sequences=True))(x))
    keras.Model(x, y).export(str(tmp_path / "m"), verbose=False)
    options = ("--batch", str(batch)) if batch > 1 else ()
    found = gs("convert", tmp_path / "m", tmp_path / "x.tflite", *options, "--json").json
    assert (found["verified"], found["written"], found["problem"]) == (True, True, "")
    assert any(step.endswith(f" to {batch}") for step in found["steps"])
    assert "static shapes of elements for 12 ops on lists of tensors" in found["steps"]


@pytest.mark.tensorflow
@pytest.mark.litert
def test_state_is_refused_by_name(gs: GS, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    x = keras.Input(batch_shape=(2, 4, 3))
    keras.Model(x, keras.layers.SimpleRNN(3, stateful=True)(x)).export(str(tmp_path / "m"), verbose=False)
    refusal = gs("convert", tmp_path / "m", tmp_path / "x.tflite", "--batch", "2")
    assert refusal.status == 4
    assert "has written to 'simple_rnn" in refusal.err
    assert "--no-verify" in refusal.err
    made = gs("convert", tmp_path / "m", tmp_path / "x.tflite", "--batch", "2", "--no-verify", "--json").json
    assert (made["verified"], made["written"]) == (False, True)
