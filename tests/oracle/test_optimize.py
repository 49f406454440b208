"""Optimized fixtures compute in TensorFlow what they computed, to the bit, and load in both loaders."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.bridges.verify import verifier
from graphsurgeon.edit import edit

pytestmark = pytest.mark.tensorflow

FIXTURES = Path(__file__).parents[2] / "fixtures"
MODELS = [
    "graphdef/cnn.pb", "graphdef/encoder.pb", "graphdef/face_detector.pb", "graphdef/lowered.pb",
    "graphdef/functional.pb", "savedmodel/keras_export", "savedmodel/control_flow", "savedmodel/v1_while",
    "savedmodel/v1_cond_batch_norm_ref", "savedmodel/table_asset",
]  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_fixture_computes_the_same_to_the_bit(tmp_path: Path, name: str) -> None:
    source = FIXTURES / name
    target = tmp_path / f"out{source.suffix}"
    report = edit(source, [("optimize", {})], output=target, verify=verifier(source))
    outcome = report.steps[0].report
    assert outcome.nodes_after < outcome.nodes_before
    assert report.verdict is not None
    assert report.verdict.agrees
    assert all(output.identical for output in report.verdict.outputs)
