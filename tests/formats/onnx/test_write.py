"""ONNX models that are written: weights beside the model where a message could not hold them."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.edit import edit
from graphsurgeon.errors import UsageError
from graphsurgeon.formats import read
from graphsurgeon.formats.onnx import write
from tests.lowering.answers import assert_close, unpack


def test_weights_that_are_too_many_lie_beside_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "MAX_MESSAGE", write._SPARE)
    network, _, _ = unpack("caffe", "inner_product", tmp_path)
    target = tmp_path / "out" / "net.onnx"
    report = edit(network, [("convert", {"format": "onnx"})], output=target)
    assert set(report.files) == {"net.onnx", "net.onnx.data"}
    values = {value.name: value for value in read(target).metagraphs[0].graph.values}
    sources = {value.name: value for value in read(network).metagraphs[0].graph.values}
    for name, is_beside in (("layer/weight", True), ("layer/bias", False)):
        assert bool((values[name].extra or {}).get("external")) == is_beside
        assert values[name].tensor.tobytes() == sources[name].tensor.tobytes()  # type: ignore[union-attr]
    target.unlink()
    with pytest.raises(UsageError, match="already exists"):
        edit(network, [("convert", {"format": "onnx"})], output=target)


@pytest.mark.onnx
def test_onnx_runtime_takes_weights_beside_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(write, "MAX_MESSAGE", write._SPARE)
    network, inputs, expected = unpack("caffe", "inner_product", tmp_path)
    target = tmp_path / "out" / "net.onnx"
    edit(network, [("convert", {"format": "onnx"})], output=target)
    session = runtime.InferenceSession(target, providers=["CPUExecutionProvider"])
    assert_close(session.run(None, inputs), expected)
