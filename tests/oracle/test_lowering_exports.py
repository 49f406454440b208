"""Small networks that PyTorch has exported, lowered, give in TensorFlow what ONNX Runtime gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle.lowered import LoweredModel, first_difference

pytestmark = [pytest.mark.tensorflow, pytest.mark.onnx]

RANDOM = np.random.default_rng(5)


def mask(*dims: int) -> Any:
    return RANDOM.integers(0, 2, dims) | (np.arange(dims[1]) == 0)  # the first word always counts


def numbers(*dims: int) -> Any:
    return RANDOM.standard_normal(dims).astype("f4")


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("pools", [(numbers(1, 3, 17, 22),), (numbers(2, 3, 20, 13),), (numbers(1, 3, 9, 40),)]),
        ("lstm", [(numbers(2, 6, 5),), (numbers(1, 3, 5),), (numbers(3, 21, 5),)]),
        ("attention", [(numbers(2, 6, 8), mask(2, 6)), (numbers(1, 1, 8), mask(1, 1)), (numbers(3, 9, 8), mask(3, 9))]),
    ],
)
def test_an_export_gives_what_onnx_runtime_gives(fixtures_dir: Path, name: str, runs: list[tuple[Any, ...]]) -> None:
    runtime = pytest.importorskip("onnxruntime")
    path = fixtures_dir / "onnx" / f"{name}.onnx"
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    lowered = LoweredModel(path)
    for inputs in runs:
        feeds = {f"x{number}": array for number, array in enumerate(inputs)}
        assert first_difference(lowered.run(feeds), session.run(None, feeds)) == ""
