"""Formats that are read and not written: an edit is refused, and what does it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.edit import edit
from graphsurgeon.errors import UnsupportedError

FOREIGN = Path(__file__).resolve().parents[2] / "fixtures" / "hostile" / "foreign"


@pytest.mark.parametrize(
    ("name", "tool"),
    [("model.onnx", "onnx-graphsurgeon"), ("model.safetensors", "safetensors"), ("weights.npz", "numpy")],
)
def test_an_edit_is_refused(name: str, tool: str, tmp_path: Path) -> None:
    target = (tmp_path / name).with_stem("out")
    with pytest.raises(UnsupportedError, match=r"not written|does not change") as error:
        edit(FOREIGN / name, [("strip", {})], output=target)
    assert tool in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_of_tensorflow_js_is_not_written_as_one(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"TensorFlow\.js graph model is read here and not written"):
        edit(FOREIGN / "tfjs" / "model.json", [], output=tmp_path / "out.json")
