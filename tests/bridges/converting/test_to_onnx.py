"""To ONNX: one case of each kind, with onnxruntime and numpy as what says whether it came out right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.bridges.converting import to_onnx
from graphsurgeon.bridges.converting.convert import convert
from graphsurgeon.errors import UnsupportedError, UsageError

DATA = np.random.default_rng(0).random((4, 4), "f4")


def save_graph(path: Path, build: Any) -> Path:
    """Write a GraphDef that a function builds."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        build(tf.compat.v1, tf)
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def answers(path: Path, **feeds: Any) -> dict[str, Any]:
    """Return what onnxruntime makes of a file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(zip([item.name for item in session.get_outputs()], session.run(None, feeds), strict=True))


@pytest.mark.onnx
@pytest.mark.tensorflow
def test_keys_of_a_signature_stay(fixtures_dir: Path, tmp_path: Path) -> None:
    report = convert(fixtures_dir / "savedmodel" / "keras_export", tmp_path / "out.onnx", settings={"opset": 13})
    assert (report.written, report.verified, report.problem) == (True, True, "")
    assert len(report.outputs) == 8  # two outputs at two sizes of the batch, by both loaders of TensorFlow
    found = answers(tmp_path / "out.onnx", image=np.ones((5, 8, 8, 3), "f4"))
    assert {name: array.shape for name, array in found.items()} == {"embedding": (5, 5), "probs": (5, 3)}
    import onnx

    assert [item.version for item in onnx.load(tmp_path / "out.onnx").opset_import if not item.domain] == [13]


@pytest.mark.onnx
@pytest.mark.tensorflow
def test_prepared_by_rules_defaults_and_switches(tmp_path: Path) -> None:
    def build(v1: Any, tf: Any) -> None:
        x = v1.placeholder("float32", (None, 4), name="x")
        scale = v1.placeholder_with_default(2.0, (), name="scale")
        keep = v1.placeholder("float32", (), name="keep_prob")
        tf.identity(tf.math.erfc(x) * scale * keep, name="y")

    model = save_graph(tmp_path / "m.pb", build)
    report = convert(model, tmp_path / "out.onnx")
    assert report.problem == ""
    assert "set the switch keep_prob to 1.0" in report.steps
    assert "rule erfc-by-erf: 1 place" in report.steps
    import tensorflow as tf

    [found] = answers(tmp_path / "out.onnx", x=DATA).values()
    np.testing.assert_allclose(found, 2 * tf.math.erfc(DATA).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.onnx
@pytest.mark.tensorflow
def test_weights_of_a_large_model_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_onnx, "LARGEST", 2000)
    weights = np.random.default_rng(1).random((4, 300), "f4")

    def build(v1: Any, tf: Any) -> None:
        tf.matmul(v1.placeholder("float32", (None, 4), name="x"), weights, name="y")

    report = convert(save_graph(tmp_path / "m.pb", build), tmp_path / "out.onnx")
    assert (report.problem, (tmp_path / "out.onnx.data").stat().st_size) == ("", weights.nbytes)
    [found] = answers(tmp_path / "out.onnx", x=DATA).values()
    np.testing.assert_allclose(found, DATA @ weights, rtol=1e-5)


def save_signature(path: Path, inputs: dict[str, str], outputs: dict[str, str]) -> Path:
    """Write a V1 SavedModel of two inputs `a`, `b` and two outputs `twice`, `more`, under given keys."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        for name in "ab":
            v1.placeholder("float32", (None, 4), name=name)
        graph = session.graph
        tf.multiply(graph.get_tensor_by_name("a:0"), 2.0, name="twice")
        tf.add(graph.get_tensor_by_name("b:0"), 1.0, name="more")
        ends = [
            {key: graph.get_tensor_by_name(f"{name}:0") for key, name in side.items()} for side in (inputs, outputs)
        ]
        builder = v1.saved_model.Builder(str(path))
        signature = v1.saved_model.predict_signature_def(*ends)
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return path


@pytest.mark.onnx
@pytest.mark.tensorflow
def test_an_input_that_the_outputs_do_not_need_stays(tmp_path: Path) -> None:
    model = save_signature(tmp_path / "m", {"x": "a", "mask": "b"}, {"y": "twice", "z": "more"})
    report = convert(model, tmp_path / "out.onnx", outputs=["y"])
    assert (report.problem, [output.name for output in report.outputs]) == ("", ["y", "y"])
    [found] = answers(tmp_path / "out.onnx", x=DATA, mask=DATA).values()
    np.testing.assert_array_equal(found, DATA * 2)


@pytest.mark.onnx
@pytest.mark.tensorflow
def test_keys_that_are_one_tensor_and_one_key_for_two(tmp_path: Path) -> None:
    model = save_signature(tmp_path / "m", {"x": "a", "again": "a", "key": "b"}, {"y": "twice", "key": "b", "x": "a"})
    report = convert(model, tmp_path / "out.onnx")
    assert report.problem == ""
    assert {output.name for output in report.outputs} == {"y", "key", "x"}
    assert "output 'key' is called 'key_output': ONNX has one name for one value" in report.notes


@pytest.mark.onnx
@pytest.mark.tensorflow
def test_a_part_between_tensors(fixtures_dir: Path, tmp_path: Path) -> None:
    ends = {"inputs": ["functional_1/stem_relu_1/Relu:0"], "outputs": ["functional_1/pointwise_1/convolution:0"]}
    report = convert(fixtures_dir / "graphdef" / "cnn.pb", tmp_path / "out.onnx", **ends)
    assert (report.problem, report.verified) == ("", True)


@pytest.mark.onnx
@pytest.mark.tensorflow
@pytest.mark.litert
def test_tflite(fixtures_dir: Path, tmp_path: Path) -> None:
    report = convert(fixtures_dir / "tflite" / "cnn_float.tflite", tmp_path / "out.onnx")
    assert (report.problem, report.verified) == ("", True)


@pytest.mark.onnx
@pytest.mark.tensorflow
def test_another_answer_is_not_written(tmp_path: Path) -> None:
    def build(v1: Any, tf: Any) -> None:
        tf.add(v1.placeholder("float32", (None, 4), name="x"), tf.random.uniform((4,)), name="y")

    model = save_graph(tmp_path / "m.pb", build)
    report = convert(model, tmp_path / "out.onnx")
    assert report.problem.startswith("output 'y:0': ")
    assert not report.written
    assert not (tmp_path / "out.onnx").exists()
    unverified = convert(model, tmp_path / "out.onnx", verify=False)
    assert (unverified.written, unverified.verified) == (True, False)


@pytest.mark.onnx
@pytest.mark.tensorflow
def test_a_source_that_does_not_run_cannot_be_compared(tmp_path: Path) -> None:
    def build(v1: Any, tf: Any) -> None:
        x = v1.placeholder("float32", (None, None), name="x")
        tf.reshape(x, (7, 3), name="y")

    report = convert(save_graph(tmp_path / "m.pb", build), tmp_path / "out.onnx")
    assert "could not be compared with the source" in report.problem
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.onnx
@pytest.mark.tensorflow
def test_one_size_decides_where_the_source_runs_with_no_other(tmp_path: Path) -> None:
    def build(v1: Any, tf: Any) -> None:
        x = v1.placeholder("float32", (None, 4), name="x")
        tf.reshape(x, (1, 2, 2), name="y")

    report = convert(save_graph(tmp_path / "m.pb", build), tmp_path / "out.onnx")
    assert report.problem == ""
    assert any("the first model does not run with x=[3,4]" in note for note in report.notes)


@pytest.mark.tensorflow
@pytest.mark.onnx
def test_what_nobody_converts_is_named_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(v1: Any, tf: Any) -> None:
        x = v1.placeholder("string", (None,), name="x")
        tf.strings.to_hash_bucket_fast(x, 10, name="bucket")

    monkeypatch.setattr(to_onnx, "ask", None)
    with pytest.raises(UnsupportedError, match="nothing for StringToHashBucketFast \\(node 'bucket'\\)"):
        convert(save_graph(tmp_path / "m.pb", build), tmp_path / "out.onnx")


def test_what_is_there_stays(fixtures_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphsurgeon.bridges.converting.table.require_extra", lambda *_: None)
    target = tmp_path / "out.onnx"
    target.write_bytes(b"mine")
    with pytest.raises(UsageError, match="already exists"):
        convert(fixtures_dir / "graphdef" / "linear.pb", target)
    assert target.read_bytes() == b"mine"


def test_the_list_of_ops() -> None:
    known = to_onnx.known_ops()
    assert {"Conv2D", "MatMul", "StatelessWhile", "Merge"} <= known
    assert not {"StringToHashBucketFast", "Erfc"} & known
