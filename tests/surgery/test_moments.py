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
