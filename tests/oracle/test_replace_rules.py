"""Every shipped rule: what it makes of a graph computes in TensorFlow what the graph computed, as near as it says."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.patterns.rules import rule_names, rule_set
from tests.oracle.rule_cases import CASES
from tests.oracle.rule_graphs import WIDE, fake_quantized, normal, raw, replaced
from tests.oracle.strip_models import dropouts

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(("rule", "number"), [(rule, n) for rule, cases in CASES.items() for n in range(len(cases))])
def test_a_rule_computes_what_was_computed(tmp_path: Path, rule: str, number: int) -> None:
    case = CASES[rule][number]
    before, after, ops, count = replaced(tmp_path, case.build, case.feeds, rule, dims=case.dims)
    assert count >= 1
    assert case.gone not in ops
    if case.bound:
        np.testing.assert_allclose(before, after, rtol=case.bound, atol=case.bound * np.nanmax(np.abs(before)))
    else:
        np.testing.assert_array_equal(before, after)


def test_erfc(tmp_path: Path) -> None:
    import tensorflow as tf

    x = np.linspace(-8, 8, 4001).astype("float32")
    before, after, ops, _ = replaced(tmp_path, tf.math.erfc, [x], "erfc-to-erf")
    assert "Erfc" not in ops
    np.testing.assert_allclose(before, after, rtol=0, atol=4e-7)
    scale = np.float32(0.70710678)
    before, after, ops, count = replaced(tmp_path, lambda x: 0.5 * x * tf.math.erfc(-x * scale), [x], "erfc-to-erf")
    assert count == 1
    assert ops.count("Erf") == 1
    np.testing.assert_allclose(before, after, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["old", "middle", "v1", "v2", "v2 noise shape", "stateless"])
def test_dropout_out(tmp_path: Path, name: str) -> None:
    x = normal(4, 6)
    _, after, ops, count = replaced(tmp_path, dropouts()[name], [x], "dropout-out")
    assert count == 1
    assert not any("Random" in op for op in ops)
    np.testing.assert_array_equal(after, x)


def test_rounding_out(tmp_path: Path) -> None:
    def round_trip(x: Any) -> Any:
        q = raw().QuantizeV2(input=x, min_range=-9.0, max_range=9.0, T="quint8")
        return raw().Dequantize(input=q.output, min_range=q.output_min, max_range=q.output_max)

    builds = [fake_quantized, round_trip]
    builds.append(lambda x: raw().QuantizeAndDequantizeV3(input=x, input_min=-9.0, input_max=9.0, num_bits=8))
    for build in builds:
        _, after, ops, count = replaced(tmp_path, build, [WIDE], "quantize-pairs-out")
        assert count == 1
        assert not any("Quant" in op for op in ops)
        np.testing.assert_array_equal(after, WIDE)


def test_openvino_takes_what_it_lacked(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    taken = []
    for case in CASES["for-openvino"]:
        expected, _, _, _ = replaced(tmp_path, case.build, case.feeds, "for-openvino")
        with contextlib.suppress(openvino.frontend.OpConversionFailure):
            openvino.convert_model(str(tmp_path / "a.pb"))
            taken.append(case.gone)
        model = core.compile_model(
            openvino.convert_model(str(tmp_path / "b.pb")), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )
        feeds = {
            next(i for i in model.inputs if f"in{n}:0" in i.get_names()): feed for n, feed in enumerate(case.feeds)
        }
        (found,) = model(feeds).values()
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    assert taken == []


def test_all_rules_have_a_test_here() -> None:
    here = Path(__file__).parent
    lite = (here.parent / "surgery" / "tflite" / name for name in ("test_rules.py", "test_optimize.py"))
    text = "".join(path.read_text("utf-8") for path in (*here.glob("test_replace_*.py"), here / "rule_cases.py", *lite))
    assert [name for name in rule_names() if f'"{name}"' not in text] == []
    assert all(rule.exactness for name in rule_names() for rule in rule_set(name).rules)
