"""Batch normalization that is spelled out: moving averages take the place of what they average.

By hand: in `y = (x - mean) / std`, `mean` is the batch's, and `moving -= (moving - mean) * rate` follows it. For
inference y is made with `moving`, and the update goes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.model import Model
from graphsurgeon.surgery.strip import strip
from tests.surgery.graphs import FLOAT, constant, graph_model, node, placeholder, read_variable, spelled, variable

AXES = node(
    "axes", "Const", dtype="type: DT_INT32",
    value="tensor { dtype: DT_INT32 tensor_shape { dim { size: 1 } } int_val: 0 }",
)  # fmt: skip
MEAN = {**FLOAT, "Tidx": "type: DT_INT32", "keep_dims": "b: false"}
STEPS = ["AssignSub", "AssignSubVariableOp"]


def normalized(folder: Path, step: str) -> Model:
    """Make the graph, with a variable of references or a resource as the op that steps takes it."""
    is_ref = step == "AssignSub"
    read = node("old", "Identity", "moving", **FLOAT) if is_ref else read_variable("old", "moving")
    kind = {**FLOAT, "use_locking": "b: false"} if is_ref else {"dtype": "type: DT_FLOAT"}
    return graph_model(
        folder, placeholder("x", dims="-1,2"), AXES, node("mean", "Mean", "x", "axes", **MEAN),
        variable("moving", "VariableV2" if is_ref else "VarHandleOp"), read, constant("rate", "float_val: 0.01"),
        node("off", "Sub", "old", "mean", **FLOAT), node("change", "Mul", "off", "rate", **FLOAT),
        node("update", step, "moving", "change", **kind), node("y", "Sub", "x", "mean", **FLOAT),
        values={"moving": [1.0, 2.0]},
    )  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_moving_average_takes_the_place_of_the_mean(tmp_path: Path, step: str) -> None:
    model = normalized(tmp_path, step)
    strip(model, outputs=["y"], inference=True)
    after = spelled(model.metagraphs[0].graph)
    assert after["y"] == ["Sub", "x:0", "old:0"]
    assert {"update", "change", "off", "mean"}.isdisjoint(after)


@pytest.mark.parametrize("step", STEPS)
def test_without_being_asked_for_the_mean_stays(tmp_path: Path, step: str) -> None:
    model = normalized(tmp_path, step)
    strip(model, outputs=["y"])
    assert spelled(model.metagraphs[0].graph)["y"] == ["Sub", "x:0", "mean:0"]


SQUEEZE = {"T": "type: DT_FLOAT", "squeeze_dims": "list { i: 0 }"}
ADDITIONS = ["AddV2", "Add"]


def test_what_only_the_update_reads_is_gone_back_over(tmp_path: Path) -> None:
    """Moments keep their dimensions and are squeezed for the update: the normalization reads them unsqueezed."""
    model = graph_model(
        tmp_path, placeholder("x", dims="-1,2"), AXES, node("mean", "Mean", "x", "axes", **MEAN),
        node("flat", "Squeeze", "mean", **SQUEEZE), node("same", "Identity", "flat", **FLOAT),
        variable("moving"), read_variable("old", "moving"), constant("rate", "float_val: 0.01"),
        node("off", "Sub", "old", "same", **FLOAT), node("change", "Mul", "rate", "off", **FLOAT),
        node("update", "AssignSubVariableOp", "moving", "change", dtype="type: DT_FLOAT"),
        node("y", "Sub", "x", "mean", **FLOAT), values={"moving": [1.0, 2.0]},
    )  # fmt: skip
    strip(model, outputs=["y"], inference=True)
    after = spelled(model.metagraphs[0].graph)
    assert after["y"] == ["Sub", "x:0", "old:0"]
    assert {"update", "change", "off", "mean", "flat", "same"}.isdisjoint(after)


@pytest.mark.parametrize("add", ADDITIONS)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_weighted_sum_keeps_an_average_too(tmp_path: Path, add: str, is_first: bool) -> None:
    """As Keras 3 does: moving = moving * m + mean * (1 - m), in whichever order."""
    products = ("kept", "new") if is_first else ("new", "kept")
    factors = ("mean", "rest") if is_first else ("rest", "mean")
    model = graph_model(
        tmp_path, placeholder("x", dims="-1,2"), AXES, node("mean", "Mean", "x", "axes", **MEAN),
        variable("moving"), read_variable("old", "moving"), read_variable("again", "moving"),
        constant("m", "float_val: 0.99"), constant("rest", "float_val: 0.01"),
        node("kept", "Mul", "again", "m", **FLOAT), node("new", "Mul", *factors, **FLOAT),
        node("sum", add, *products, **FLOAT),
        node("update", "AssignVariableOp", "moving", "sum", dtype="type: DT_FLOAT"),
        node("y", "Sub", "x", "mean", **FLOAT), values={"moving": [1.0, 2.0]},
    )  # fmt: skip
    strip(model, outputs=["y"], inference=True)
    after = spelled(model.metagraphs[0].graph)
    assert after["y"] == ["Sub", "x:0", "old:0"]
    assert {"update", "sum", "kept", "new", "mean"}.isdisjoint(after)


@pytest.mark.parametrize("what", ["another variable", "a mean of a variable", "a scalar"])
def test_what_is_no_moving_average(tmp_path: Path, what: str) -> None:
    averaged = "weights" if what == "a mean of a variable" else "x"
    model = graph_model(
        tmp_path, placeholder("x", dims="-1,2"), AXES, variable("other"), read_variable("weights", "other"),
        node("mean", "Mean", averaged, "axes", **MEAN),
        variable("moving").replace("dim { size: 2 }", "") if what == "a scalar" else variable("moving"),
        read_variable("old", "other" if what == "another variable" else "moving"), constant("rate", "float_val: 0.01"),
        node("off", "Sub", "old", "mean", **FLOAT), node("change", "Mul", "off", "rate", **FLOAT),
        node("update", "AssignSubVariableOp", "moving", "change", dtype="type: DT_FLOAT"),
        node("y", "Sub", "x", "mean", **FLOAT), values={"moving": [1.0, 2.0], "other": [1.0, 2.0]},
    )  # fmt: skip
    strip(model, outputs=["y"], inference=True)
    assert spelled(model.metagraphs[0].graph)["y"] == ["Sub", "x:0", "mean:0"]
