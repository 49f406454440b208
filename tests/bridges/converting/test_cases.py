"""Case by nested If: every index chooses what it chose, also where branches hold choices of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.bridges.converting.cases import NestReport, nest_cases
from graphsurgeon.bridges.converting.convert import convert
from graphsurgeon.edit import edit
from graphsurgeon.formats import read

DATA = np.random.default_rng(0).standard_normal((2, 4)).astype("f4")
INDICES = (-1, 0, 1, 2, 3, 7)


def choose(tf: Any, x: Any, index: Any) -> Any:
    """Choose among four, of which the first chooses among three, and one captures what is outside."""
    outside = tf.reduce_sum(x)

    def inner() -> Any:
        return tf.switch_case(index + 1, [lambda: x * 2.0, lambda: x * outside, lambda: x - 5.0])

    return tf.switch_case(index, [inner, lambda: x + 1.0, lambda: tf.nn.relu(x) * outside, lambda: -x])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tf = pytest.importorskip("tensorflow")

    class Module(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x"), tf.TensorSpec([], tf.int32, name="k")])
        def chosen(self, x: Any, k: Any) -> Any:
            return {"y": choose(tf, x, k)}

    module = Module()
    folder = tmp_path_factory.mktemp("cases") / "model"
    tf.saved_model.save(module, str(folder), signatures=module.chosen)
    return folder


@pytest.mark.tensorflow
def test_every_index_chooses_what_it_chose(model: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    target = tmp_path / "nested"
    (step,) = edit(model, [(nest_cases, {})], output=target).steps
    assert step.report == NestReport(2)
    assert not any("Case" in op for graph in read(target).graphs for op in graph.op_counts)
    before, after = (tf.saved_model.load(str(path)).signatures["serving_default"] for path in (model, target))
    for index in INDICES:
        feeds = {"x": tf.constant(DATA), "k": tf.constant(index)}
        np.testing.assert_array_equal(after(**feeds)["y"].numpy(), before(**feeds)["y"].numpy(), str(index))


@pytest.mark.tensorflow
@pytest.mark.onnx
def test_in_onnx(model: Path, tmp_path: Path) -> None:
    import onnxruntime
    import tensorflow as tf

    report = convert(model, tmp_path / "out.onnx")
    assert report.problem == ""
    session = onnxruntime.InferenceSession(str(tmp_path / "out.onnx"), providers=["CPUExecutionProvider"])
    source = tf.saved_model.load(str(model)).signatures["serving_default"]
    for index in INDICES:
        [found] = session.run(None, {"x": DATA, "k": np.array(index, "i4")})
        wanted = source(x=tf.constant(DATA), k=tf.constant(index))["y"].numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6, err_msg=str(index))
