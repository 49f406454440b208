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
