"""Joined models compute what the two compute one after the other, by every loader, and save what both save."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import UsageError, read
from graphsurgeon.cli.app import run
from graphsurgeon.edit import edit

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
WORDS = np.array([b"b", b"a", b"none"], dtype=object)

Build = Callable[[Path], None]


def tokenizer(path: Path) -> None:
    """Words to ids, by a vocabulary file, and to a weight of each."""
    import tensorflow as tf

    path.parent.mkdir(parents=True, exist_ok=True)
    vocabulary = path.parent / "vocab.txt"
    vocabulary.write_text("a\nb\nc\n", encoding="utf-8")

    class Tokenizer(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.file = tf.saved_model.Asset(str(vocabulary))
            initializer = tf.lookup.TextFileInitializer(
                self.file, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
            )
            self.table = tf.lookup.StaticHashTable(initializer, 3)
            self.weights = tf.Variable([1.0, 2.0, 3.0, 4.0], name="weights")

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])
        def serve(self, words: Any) -> dict[str, Any]:
            ids = self.table.lookup(words)
            return {"ids": ids, "weights": tf.gather(self.weights, ids)}

    module = Tokenizer()
    tf.saved_model.save(module, str(path), signatures=module.serve)


def embedder(path: Path) -> None:
    """Ids to vectors: its variable has the key, and its vocabulary the file name, of the tokenizer's."""
    import tensorflow as tf

    vocabulary = path.parent / "vocab.txt"
    vocabulary.write_text("x\ny\n", encoding="utf-8")

    class Embedder(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.file = tf.saved_model.Asset(str(vocabulary))
            initializer = tf.lookup.TextFileInitializer(
                self.file, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE
            )
            self.table = tf.lookup.StaticHashTable(initializer, "?")
            self.weights = tf.Variable(np.arange(8, dtype=np.float32).reshape(4, 2), name="weights")

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "ids"), tf.TensorSpec([], tf.float32, "scale")])
        def serve(self, ids: Any, scale: Any) -> dict[str, Any]:
            return {"vectors": tf.gather(self.weights, ids) * scale, "names": self.table.lookup(ids)}

    module = Embedder()
    tf.saved_model.save(module, str(path), signatures=module.serve)


def trained(path: Path, *, factor: float, use_resource: bool) -> None:
    """A SavedModel of TensorFlow 1 with a variable, a loop, and an op that runs on load."""
    import tensorflow.compat.v1 as tf1

    with tf1.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder(tf1.float32, [None, 3], "x")
        w = tf1.get_variable("w", initializer=np.full(3, factor, np.float32), use_resource=use_resource)
        tf1.disable_control_flow_v2()
        _, y = tf1.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * w), [0, x], name="loop")
        step = tf1.get_variable("step", initializer=np.float32(0), use_resource=use_resource)
        init = tf1.group(tf1.assign(step, factor), name="on_load")
        out = tf1.identity(y + step, "y")
        session.run(tf1.global_variables_initializer())
        builder = tf1.saved_model.builder.SavedModelBuilder(str(path))
        info = tf1.saved_model.build_tensor_info
        signature = tf1.saved_model.build_signature_def({"x": info(x)}, {"y": info(out)}, "tensorflow/serving/predict")
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, main_op=init)
        builder.save()


def frozen(path: Path) -> None:
    """A GraphDef: y = x * 2 + 1."""
    import tensorflow.compat.v1 as tf1

    with tf1.Graph().as_default() as graph:
        x = tf1.placeholder(tf1.float32, [None, None], "x")
        tf1.identity(x * 2.0 + 1.0, "y")
    path.write_bytes(graph.as_graph_def().SerializeToString())


def run_v1(path: Path, feeds: dict[str, Any], save: Path | None = None) -> dict[str, Any]:
    """Return what a session yields of `serving_default`; save the variables as its saver does."""
    import tensorflow.compat.v1 as tf1

    with tf1.Graph().as_default(), tf1.Session() as session:
        loaded = tf1.saved_model.load(session, ["serve"], str(path))
        signature = loaded.signature_def["serving_default"]
        if save is not None:
            saver = loaded.saver_def
            session.run(saver.save_tensor_name, {saver.filename_tensor_name: str(save)})
        outputs = {key: info.name for key, info in signature.outputs.items()}
        found: dict[str, Any] = session.run(outputs, {signature.inputs[key].name: one for key, one in feeds.items()})
        return found


def run_v2(path: Path, feeds: dict[str, Any]) -> dict[str, Any]:
    """Return what `tf.saved_model.load` yields of `serving_default`."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    found = loaded.signatures["serving_default"](**{key: tf.constant(one) for key, one in feeds.items()})
    return {key: value.numpy() for key, value in found.items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def join(first: Path, second: Path, out: Path, **arguments: Any) -> Any:
    (step,) = edit(first, [("join", {"other": second, **arguments})], output=out).steps
    return step.report


@pytest.mark.tensorflow
def test_tables_assets_and_variables_of_both(tmp_path: Path) -> None:
    first, second, out = tmp_path / "a" / "tokenizer", tmp_path / "embedder", tmp_path / "both"
    tokenizer(first)
    embedder(second)
    report = join(first, second, out, connect={"ids": "ids"})
    assert set(report.inputs) == {"words", "scale"}
    assert set(report.outputs) == {"weights", "vectors", "names"}
    ids = run_v2(first, {"words": WORDS})
    expected = run_v2(second, {"ids": ids.pop("ids"), "scale": np.float32(3)})
    feeds = {"words": WORDS, "scale": np.float32(3)}
    assert same(run_v1(out, feeds, tmp_path / "saved"), {**ids, **expected})
    assert same(run_v2(out, feeds), {**ids, **expected})
    import tensorflow as tf

    saved, stored = (tf.train.load_checkpoint(str(path)) for path in (tmp_path / "saved", out / "variables/variables"))
    assert saved.get_variable_to_shape_map() == stored.get_variable_to_shape_map()
    for key in saved.get_variable_to_shape_map():
        assert np.array_equal(saved.get_tensor(key), stored.get_tensor(key))
    again = tf.saved_model.load(str(out))
    assert np.array_equal(again.embedder.weights.numpy(), np.arange(8, dtype=np.float32).reshape(4, 2))
    assert np.array_equal(again.weights.numpy(), [1, 2, 3, 4])


@pytest.mark.tensorflow
@pytest.mark.parametrize("use_resource", [False, True])
def test_loops_variables_and_what_runs_on_load_of_tensorflow_1(tmp_path: Path, use_resource: bool) -> None:
    first, second, out = tmp_path / "one", tmp_path / "two", tmp_path / "both"
    trained(first, factor=2.0, use_resource=use_resource)
    trained(second, factor=3.0, use_resource=use_resource)
    x = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
    middle = run_v1(first, x)["y"]
    join(first, second, out, connect=["y=x"], keep="y")
    found = run_v1(out, x, tmp_path / "saved")
    assert same(found, {"y": middle, "two_y": run_v1(second, {"x": middle})["y"]})
    import tensorflow as tf

    values = {
        name: tf.train.load_checkpoint(str(tmp_path / "saved")).get_tensor(name).tolist()
        for name, _ in tf.train.list_variables(str(tmp_path / "saved"))
    }
    assert values == {"w": [2.0] * 3, "step": 2.0, "two/w": [3.0] * 3, "two/step": 3.0}


@pytest.mark.tensorflow
def test_a_graph_before_and_behind_a_saved_model(tmp_path: Path) -> None:
    graph, model = tmp_path / "pre.pb", tmp_path / "model"
    frozen(graph)
    trained(model, factor=2.0, use_resource=True)
    x = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
    join(graph, model, tmp_path / "before", connect={"y": "x"})
    assert same(run_v1(tmp_path / "before", x), run_v1(model, {"x": x["x"] * 2 + 1}))
    join(model, graph, tmp_path / "behind", connect={"y": "x"})
    assert same(run_v1(tmp_path / "behind", x), {"y": run_v1(model, x)["y"] * 2 + 1})


@pytest.mark.tensorflow
def test_a_graph_behind_a_model_of_objects(tmp_path: Path) -> None:
    graph, model, out = tmp_path / "post.pb", FIXTURES / "savedmodel" / "linear", tmp_path / "out"
    frozen(graph)
    join(model, graph, out, connect={"output_0": "x"})
    x = {"x": np.arange(8, dtype=np.float32).reshape(2, 4)}
    expected = {"y": run_v2(model, x)["output_0"] * 2 + 1}
    assert same(run_v1(out, x), expected)
    assert same(run_v2(out, x), expected)


@pytest.mark.tensorflow
@pytest.mark.parametrize("share", [False, True])
def test_a_second_set_of_tags(tmp_path: Path, share: bool) -> None:
    import tensorflow.compat.v1 as tf1

    first, second, out = tmp_path / "one", tmp_path / "two", tmp_path / "both"
    trained(first, factor=2.0, use_resource=True)
    trained(second, factor=3.0, use_resource=True)
    join(first, second, out, as_tags="train", share_variables=share)
    x = np.ones((1, 3), np.float32)
    assert same(run_v1(out, {"x": x}), run_v1(first, {"x": x}))
    with tf1.Graph().as_default(), tf1.Session() as session:
        tf1.saved_model.load(session, ["train"], str(out))
        assert np.array_equal(session.run("y:0", {"x:0": x}), x * (2.0 if share else 3.0) ** 3 + 3.0)


def run_lite(path: Path, feeds: list[Any]) -> list[Any]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), feeds, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


@pytest.mark.litert
@pytest.mark.parametrize("name", ["cnn_int8", "control_flow", "sparse", "strings", "variables"])
def test_two_tflite_models_side_by_side(tmp_path: Path, name: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model = FIXTURES / "tflite" / f"{name}.tflite"
    details = Interpreter(str(model)).get_input_details()
    feeds = [
        np.full(one["shape"], b"a", dtype=object)
        if one["dtype"] is np.bytes_
        else (np.arange(np.prod(one["shape"])).reshape(one["shape"]) % 5).astype(one["dtype"])
        for one in details
    ]
    out = tmp_path / "both.tflite"
    join(model, model, out, prefix="second")
    found, expected = run_lite(out, feeds * 2), run_lite(model, feeds) * 2
    assert len(found) == len(expected)
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.litert
def test_two_halves_of_a_tflite_model_are_the_model(tmp_path: Path) -> None:
    model = FIXTURES / "tflite" / "cnn_int8.tflite"
    middle, later = "Relu6;Conv2D", "Relu;depthwise"
    head, tail, other, out = (tmp_path / f"{name}.tflite" for name in ("head", "tail", "other", "out"))
    edit(model, [("extract", {"outputs": {middle: ""}})], output=head)
    edit(
        model,
        [
            (
                "extract",
                {
                    "inputs": {middle: ""},
                    "outputs": list(read(model).metagraphs[0].signatures["serving_default"].outputs),
                },
            )
        ],
        output=tail,
    )
    edit(model, [("extract", {"inputs": {later: ""}, "outputs": ["probs"]})], output=other)
    join(head, tail, out, connect={middle: middle})
    image = [(np.arange(192).reshape(1, 8, 8, 3) % 251 - 125).astype(np.int8)]
    assert sorted(map(bytes, run_lite(out, image))) == sorted(map(bytes, run_lite(model, image)))
    with pytest.raises(UsageError, match=r"has scale .*, and .* scale"):
        join(head, other, tmp_path / "refused.tflite", connect={middle: later})
    with pytest.raises(UsageError, match=r"shapes do not fit: .* of .*cnn_int8.tflite is int8 \[1,5\], and .* takes"):
        join(model, model, tmp_path / "refused.tflite", connect={"probs": "image"})


@pytest.mark.litert
def test_a_recipe_with_a_join_is_verified_in_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second, steps = FIXTURES / "tflite" / "cnn_float.tflite", tmp_path / "steps.txt"
    lines = ["rename --what keys serving_default.probs=p", f"join {second}", "rename --what keys serving_default.p=q"]
    steps.write_text("\n".join(lines))
    assert run(["apply", str(steps), str(second), "-o", str(tmp_path / "out.tflite"), "--verify", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)["verdict"]
    names = [item["name"] for item in verdict["outputs"]]  # p and pooled, with those of the second, twice
    assert sorted(names) == sorted(["pooled", "probs", *2 * ["p", "pooled", "probs", f"{second.stem}_pooled"]])
    assert all(item["identical"] for item in verdict["outputs"])
    assert "compared in 3 parts: rename; join; rename" in verdict["notes"]
