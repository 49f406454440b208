"""Float models beside their quantized builds: errors of real numbers, beside those that are computed from LiteRT's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.bridges.verify import verify
from graphsurgeon.cli.app import run
from graphsurgeon.edit import edit
from tests.oracle.places import FIXTURES

pytestmark = pytest.mark.litert

FLOAT = FIXTURES / "tflite" / "cnn_float.tflite"
INT8 = FIXTURES / "tflite" / "cnn_int8.tflite"


def outputs(path: Path, image: Any) -> dict[str, Any]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path)).get_signature_runner()
    (entry,) = runner.get_input_details().values()
    scale, zero = entry["quantization"]
    given = image if not scale else np.clip(np.floor(image / scale + 0.5) + zero, -128, 127).astype(np.int8)
    found = runner(image=given)
    details = runner.get_output_details()
    real = {key: details[key]["quantization"] for key in found}
    return {key: (a.astype("f8") - real[key][1]) * real[key][0] if real[key][0] else a for key, a in found.items()}


@pytest.mark.parametrize("turned", [False, True])
def test_the_errors_are_those_of_the_numbers_that_litert_yields(turned: bool, tmp_path: Path) -> None:
    image = np.random.RandomState(3).random((1, 8, 8, 3)).astype("f4")
    pair = (INT8, FLOAT) if turned else (FLOAT, INT8)
    report = verify(*pair, feeds={"image": image}, dequantize=True)
    ours, theirs = (outputs(path, image) for path in pair)
    assert report.agrees
    assert {item.name for item in report.outputs} == set(ours)
    for item in report.outputs:
        gaps = np.abs(ours[item.name].astype("f8") - theirs[item.name].astype("f8"))
        assert item.largest == pytest.approx(gaps.max(), abs=1e-7)
        assert item.mean == pytest.approx(gaps.mean(), abs=1e-7)
        assert item.range == pytest.approx(np.ptp(ours[item.name]), abs=1e-6)
    assert max(item.largest or 0 for item in report.outputs) > 0


def test_a_model_that_is_quantized_wrongly_is_found_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.tflite"
    turned = [[0.58] * 4, *([[-0.58] * 4] * 4)]  # one unit yields much, the others little
    edit(INT8, [("set-weights", {"values": {"MatMul": turned, "Conv2D": 1}, "clip": True})], output=wrong)
    assert run(["verify", str(FLOAT), str(wrong), "--dequantize"]) == 1
    assert "too much" in capsys.readouterr().out
    assert run(["verify", str(FLOAT), str(INT8), "--dequantize"]) == 0
    assert "% of its range" in capsys.readouterr().out
    assert run(["verify", str(FLOAT), str(INT8)]) == 1
    assert "--dequantize compares what integers stand for" in capsys.readouterr().out
    assert run(["verify", str(FLOAT), str(INT8), "--dequantize", "--atol", "1e-9", "--rtol", "0"]) == 1
