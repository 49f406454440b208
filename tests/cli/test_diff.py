"""`gs diff` from the folder of the models, where paths are relative."""

from __future__ import annotations

import pytest

from tests.cli.conftest import GS


@pytest.mark.parametrize(
    "path",
    [
        "checkpoint/v1/model.ckpt",
        "checkpoint/snappy",
        "graphdef/linear.pb",
        "savedmodel/linear",
        "tflite/cnn_int8.tflite",
    ],
)
def test_a_model_equals_itself(gs: GS, path: str) -> None:
    result = gs("diff", path, path, "--quiet")
    assert (result.status, result.out, result.err) == (0, "", "")


def test_a_variable_is_called_as_its_program_calls_it(gs: GS) -> None:
    pair = "checkpoint/object_graph/ckpt-1", "checkpoint/object_graph/ckpt-2"
    said = gs("diff", *pair).out
    assert "changed  kernel (model/alias)" in said
    assert "changed  bias/Adam (model/heads/0/bias/.OPTIMIZER_SLOT/optimizer/m)" in said
    changes = {change["name"]: change["variable"] for change in gs("diff", *pair, "--json").json["changes"]}
    assert changes["model/alias/.ATTRIBUTES/VARIABLE_VALUE"] == "kernel"
