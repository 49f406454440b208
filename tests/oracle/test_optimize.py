"""Optimized fixtures compute in TensorFlow what they computed, to the bit, and load in both loaders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.bridges.verify import verifier
from graphsurgeon.edit import edit
from graphsurgeon.surgery import optimize
from tests.oracle import sessions
from tests.oracle.signature_runs import LoadedSource

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


def test_inlined_calls_compute_the_same_to_the_bit(tmp_path: Path) -> None:
    source = FIXTURES / "savedmodel" / "nested_calls"
    passes = ["calls", "functions", "branches", "dead"]
    report = edit(source, [("optimize", {"only": passes})], output=tmp_path / "out", verify=verifier(source))
    assert report.steps[0].report.passes["calls"] >= 1
    assert report.verdict is not None
    assert report.verdict.agrees
    assert all(output.identical for output in report.verdict.outputs)


def test_only_sums_that_tensorflow_puts_together_itself_differ(tmp_path: Path) -> None:
    """Its arithmetic optimizer adds up otherwise once no control edge holds the addends: with it off no bit differs."""
    source, target = FIXTURES / "savedmodel" / "nested_calls", tmp_path / "out"
    edit(source, [("optimize", {})], output=target)
    before = LoadedSource(source, "serving_default")
    after = LoadedSource(target, "serving_default", before.feeds)
    for optimized, same in ((False, sessions.same_bits), (True, sessions.close)):
        for name, value in before.expected[optimized].items():
            assert same(value, after.expected[optimized][name]), name


# -- functions that write --------------------------------------------------------------------------------------------


def save_writing(folder: Path) -> None:
    """Save a model whose signature calls functions that call functions, all of which read and write two variables."""
    import tensorflow as tf

    module = tf.Module()
    module.v, module.w = tf.Variable([1.0, 2.0]), tf.Variable(0.5)

    @tf.function
    def add(x: Any) -> Any:
        before = module.v.read_value()
        module.v.assign_add(x * module.w)
        return before - module.v

    @tf.function
    def scale(x: Any) -> Any:
        module.w.assign(tf.reduce_sum(add(x)) + module.w)
        if module.w < 0.0:
            module.w.assign(-module.w / 3.0)
        return module.v * module.w

    @tf.function
    def turns(x: Any) -> Any:
        for _ in tf.range(3):
            module.v.assign(module.v * 0.75 + x)
            x = x - module.v
        return x

    def serve(x: Any) -> Any:
        first = module.v.read_value()
        second = scale(x)
        module.v.assign_sub(second * 0.5)
        third = turns(x + module.v)
        module.w.assign_add(tf.reduce_max(third) / 7.0)
        return {"first": first, "second": second, "third": third, "v": module.v, "w": module.w}

    module.serve = tf.function(serve, input_signature=[tf.TensorSpec([2], tf.float32, name="x")])
    tf.saved_model.save(module, str(folder), signatures=module.serve)


def loaded_runs(folder: Path, feeds: list[Any]) -> list[dict[str, Any]]:
    """Return what one run after the other yields in `tf.saved_model.load`, TensorFlow's optimizer off."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
        return [{name: v.numpy() for name, v in signature(x=tf.constant(x)).items()} for x in feeds]
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def session_runs(folder: Path, feeds: list[Any]) -> list[dict[str, Any]]:
    """Return the same of a session."""
    with sessions.saved_model(folder, ["serve"], optimize=False) as model:
        inputs, outputs = model.signature("serving_default")
        fetches = {name: endpoint.name for name, endpoint in outputs.items()}
        return [model.run(fetches, {inputs["x"].name: x}) for x in feeds]


def test_functions_that_write_do_so_in_their_order(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    save_writing(source)
    report = edit(source, [("optimize", {})], output=target).steps[0].report
    assert report.passes["calls"] >= 2
    left = {name.rsplit("_", 1)[0] for name in graphsurgeon.read(target).metagraphs[0].functions}
    assert not {"__inference_add", "__inference_scale", "__inference_turns"} & left
    feeds = [np.array(x, "float32") for x in ([0.5, -1.25], [3.0, 0.125], [-2.0, 1.5])]
    for runs in (loaded_runs, session_runs):
        before = runs(source, feeds)
        assert not np.array_equal(before[0]["v"], before[1]["v"])
        for number, values in enumerate(runs(target, feeds)):
            for name, value in values.items():
                np.testing.assert_array_equal(value, before[number][name], err_msg=f"{name} of run {number}")


@pytest.mark.parametrize("stateless", [True, False])
def test_a_loop_that_never_turns_yields_what_it_was_given(tmp_path: Path, *, stateless: bool) -> None:
    import tensorflow as tf

    op = tf.raw_ops.StatelessWhile if stateless else tf.raw_ops.While
    types = [tf.TensorSpec([], tf.int32), tf.TensorSpec([3], tf.float32)]
    with tf.Graph().as_default() as graph:
        cond = tf.function(lambda i, y: i * 2 < 3).get_concrete_function(*types)
        body = tf.function(lambda i, y: (i + 1, y * 2.0)).get_concrete_function(*types)
        y = tf.compat.v1.placeholder("float32", [3], name="x")
        for start in (2, 0):  # never, twice
            count, y = op(input=[tf.constant(start), y], cond=cond, body=body)
            y = tf.abs(y) + tf.cast(count, tf.float32)
        tf.identity(y, name="out")
    graph_def = graph.as_graph_def()
    source, target = tmp_path / "a.pb", tmp_path / "b.pb"
    source.write_bytes(graph_def.SerializeToString())
    model = graphsurgeon.read(source)
    assert optimize(model).passes["branches"] == 1
    assert sum(node.op.endswith("While") for node in model.graph.nodes) == 1
    graphsurgeon.write(model, target)
    x = np.array([1.5, -2.0, 0.25], "float32")
    after = ran(tf.compat.v1.GraphDef.FromString(target.read_bytes()), x)
    np.testing.assert_array_equal(after, ran(graph_def, x))
    np.testing.assert_array_equal(after, (np.abs(x) + 2) * 4 + 2)


# -- transposes that move --------------------------------------------------------------------------------------------


def turned(x: Any) -> Any:
    import tensorflow as tf

    return tf.transpose(x, [0, 3, 1, 2])


def back(x: Any) -> Any:
    import tensorflow as tf

    return tf.transpose(x, [0, 2, 3, 1])


def chain(x: Any) -> Any:
    import tensorflow as tf

    y = tf.nn.relu6(turned(x) * np.arange(7, dtype="f4").reshape(7, 1, 1) + 0.25)
    return back(tf.tanh(tf.sqrt(tf.abs(y)) - tf.maximum(y, tf.constant([[[[0.5]]]]))))


def joined(x: Any) -> Any:
    import tensorflow as tf

    y = tf.pad(tf.concat([turned(x), tf.nn.relu(turned(-x))], -3), [[0, 0], [0, 2], [1, 0], [3, 1]])
    return back(tf.reduce_max(tf.tile(tf.slice(y, [0, 1, 0, 0], [-1, 12, -1, 3]), [1, 2, 1, 1]), [-1], keepdims=True))


def parts(x: Any) -> Any:
    import tensorflow as tf

    first, second = tf.split(turned(x), [4, 3], axis=1)
    left, right = tf.split(tf.reverse(tf.concat([second, first], 1), [2]), 2, axis=3)
    return back(tf.concat([left + right, tf.where(left > 0, right, -left)], 2))


def summed(x: Any) -> Any:
    import tensorflow as tf

    y = tf.reduce_mean(tf.nn.sigmoid(turned(x)), [2, 3], keepdims=True)
    return back(tf.exp(y) * turned(x))


def cut(x: Any) -> Any:
    import tensorflow as tf

    y = tf.nn.bias_add(turned(x), np.arange(7, dtype="f4") / 3, data_format="NCHW")
    y = tf.concat([y[:, 1::2, -2:0:-1], tf.nn.relu(y)[:, ::2, 1:-1][:, :3, ::-1]], 2)
    return tf.reduce_max(tf.nn.bias_add(y, np.array([0.5, 1, 2], "f4"), data_format="NCHW"), [2, 3])


def last(x: Any) -> Any:
    import tensorflow as tf

    y = tf.transpose(x, [0, 2, 1, 3])
    return (
        tf.reduce_min(tf.nn.bias_add(y[:, ::-2], np.arange(7, dtype="f4")), [1])
        + tf.reduce_max(y[:, :, :, 1:], [1, -1])[..., None]
    )


def placed(x: Any) -> Any:
    import tensorflow as tf

    y = tf.maximum(turned(x), turned(tf.abs(x) - 1))
    best = tf.cast(tf.argmax(tf.round(y), 1) * 10 + tf.argmin(tf.round(y), -3), "float32")
    return best[..., None] + tf.transpose(tf.reduce_max(y, [2]), [0, 2, 1])[:, None]


def averaged(x: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.relu(turned(x)), [2, 3])


def ran(graph_def: Any, x: Any) -> Any:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        config = tf.compat.v1.ConfigProto()
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        with tf.compat.v1.Session(graph=graph, config=config) as session:
            return session.run("out:0", {"x:0": x})


@pytest.mark.parametrize(
    ("build", "left", "passes"),
    [
        (chain, 0, None),
        (joined, 0, None),
        (parts, 0, None),
        (cut, 0, None),
        (last, 0, None),
        (placed, 0, None),
        (summed, 0, ["transposes-close", "dead"]),
        (averaged, 0, ["transposes-close", "dead"]),
    ],
)
def test_transposes_move_and_the_numbers_stay(
    tmp_path: Path, build: Callable[[Any], Any], left: int, passes: list[str] | None
) -> None:
    import tensorflow as tf

    x = np.random.default_rng(3).normal(size=(2, 5, 6, 7)).astype("float32")
    with tf.Graph().as_default() as graph:
        tf.identity(build(tf.compat.v1.placeholder("float32", [None, 5, 6, 7], name="x")), name="out")
        before = graph.as_graph_def()
    source, target = tmp_path / "a.pb", tmp_path / "b.pb"
    source.write_bytes(before.SerializeToString())
    model = graphsurgeon.read(source)
    report = optimize(model, only=passes)
    assert report.passes["transposes-close" if passes else "transposes"] >= 1
    assert optimize(model, only=passes).passes == {}
    graphsurgeon.write(model, target)
    assert graphsurgeon.read(target).graph.op_counts.get("Transpose", 0) == left
    after = tf.compat.v1.GraphDef.FromString(target.read_bytes())
    if passes:
        np.testing.assert_allclose(ran(before, x), ran(after, x), rtol=1e-6)
    else:
        np.testing.assert_array_equal(ran(before, x), ran(after, x))


def layers(x: Any, *, is_first: bool) -> Any:
    """Layers with the channels second between transposes, or the same ones with the channels last."""
    import tensorflow as tf

    form = "NCHW" if is_first else "NHWC"

    def sides(*numbers: int) -> list[int]:
        return [1, 1, *numbers] if is_first else [1, *numbers, 1]

    def weights(*dims: int) -> Any:
        return np.random.default_rng(len(dims)).normal(size=dims).astype("f4")

    y = turned(x) if is_first else x
    pads = [[0, 0], [1, 2]]
    explicit = [[0, 0], *pads[:1], [1, 0], [2, 1]] if is_first else [[0, 0], [1, 0], [2, 1], [0, 0]]
    y = tf.nn.conv2d(y, weights(3, 2, 7, 6), sides(2, 1), explicit, data_format=form)
    y = tf.nn.bias_add(y, weights(6), data_format=form)
    y = tf.nn.depthwise_conv2d(y, weights(2, 2, 6, 2), sides(1, 1), "SAME", data_format=form)
    y, _, _ = tf.compat.v1.nn.fused_batch_norm(
        tf.nn.relu(y), weights(12), weights(12) + 1, weights(12), np.abs(weights(12)) + 1, 1e-3, form, is_training=False
    )
    y = tf.nn.max_pool2d(y, [2, 1], [1, 1], "SAME", form) + tf.nn.avg_pool2d(y, [1, 3], [1, 1], "SAME", form)
    size = tf.constant([2, 5, 6, 16] if is_first else [2, 6, 16, 5])
    y = tf.nn.conv2d_transpose(y, weights(3, 2, 5, 12), size, sides(2, 2), "SAME", form)
    return back(y) if is_first else y


def test_layers_with_the_channels_second_compute_what_they_do_with_them_last(tmp_path: Path) -> None:
    """With the channels second TensorFlow has no such kernels for a CPU."""
    import tensorflow as tf

    x = np.random.default_rng(3).normal(size=(2, 7, 6, 7)).astype("float32")
    graphs = []
    for is_first in (True, False):
        with tf.Graph().as_default() as graph:
            tf.identity(layers(tf.compat.v1.placeholder("float32", x.shape, name="x"), is_first=is_first), name="out")
            graphs.append(graph.as_graph_def())
    source, target = tmp_path / "a.pb", tmp_path / "b.pb"
    source.write_bytes(graphs[0].SerializeToString())
    model = graphsurgeon.read(source)
    optimize(model, only=["transposes-close", "dead"])
    graphsurgeon.write(model, target)
    assert "Transpose" not in graphsurgeon.read(target).graph.op_counts
    after = tf.compat.v1.GraphDef.FromString(target.read_bytes())
    np.testing.assert_array_equal(ran(after, x), ran(graphs[1], x))


# -- constants that TensorFlow computes -------------------------------------------------------------------------------


def test_what_has_no_kernel_here_is_computed_by_tensorflow(tmp_path: Path) -> None:
    import tensorflow as tf

    from graphsurgeon.bridges.fold import with_tensorflow

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder("float32", [3], name="x")
        sums = tf.cumsum(tf.exp(tf.constant([0.1, 0.2, 0.3])))
        best, place = tf.math.top_k(sums * 2.0, 2)
        words = tf.strings.join([tf.constant(["a", "b"]), tf.constant(["c", "d"])])
        half = tf.cast(tf.sin(tf.constant(0.5)), tf.bfloat16)
        wrong = tf.gather_nd(sums, tf.constant([[7]]))  # does not compute
        large = tf.fill([300, 300], tf.sin(tf.constant(0.25)))
        random = tf.random.uniform([3], seed=1) * 0.0
        y = x * sums + tf.reduce_sum(best) + tf.cast(place[0], "float32") + tf.cast(half, "float32") + large[0, 0]
        tf.identity(y + random, name="out")
        tf.identity(words, name="words")
        tf.identity(wrong, name="wrong")
    source, target = tmp_path / "a.pb", tmp_path / "b.pb"
    source.write_bytes(graph.as_graph_def().SerializeToString())
    model = graphsurgeon.read(source)
    report = optimize(model, only=["fold", "fold-with-tensorflow", "dead"], compute=with_tensorflow)
    assert report.passes["fold-with-tensorflow"] >= 5
    graphsurgeon.write(model, target)
    ops = graphsurgeon.read(target).graph.op_counts
    assert {"Fill", "RandomUniform", "GatherNd"} <= set(ops)
    assert not {"Exp", "Cumsum", "TopKV2", "StringJoin", "Sin"} & set(ops)
    values = np.array([1.0, -2.0, 3.0], "float32")
    before, after = (tf.compat.v1.GraphDef.FromString(path.read_bytes()) for path in (source, target))
    np.testing.assert_array_equal(ran(before, values), ran(after, values))
