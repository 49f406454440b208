"""Inputs that were changed, tried in TensorFlow: as servers load models, and by `tf.saved_model.load`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.edit import edit
from graphsurgeon.surgery.set_input import SetInputReport
from tests.oracle import sessions

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("default")]

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
X = np.random.RandomState(0).rand(2, 4).astype("float32")


def change(source: Path, target: Path, **arguments: Any) -> SetInputReport:
    report = edit(source, [("set-input", arguments)], output=target).steps[0].report
    assert isinstance(report, SetInputReport)
    return report


def both_loaders(path: Path, feeds: Mapping[str, Any], key: str = "serving_default") -> list[dict[str, Any]]:
    """Run a signature in a session and by `tf.saved_model.load`."""
    import tensorflow as tf

    with sessions.saved_model(path, ["serve"], optimize=True) as model:
        inputs, outputs = model.signature(key)
        fed = {inputs[name].name: value for name, value in feeds.items()}
        first = model.run({name: endpoint.name for name, endpoint in outputs.items()}, fed)
    signature = tf.saved_model.load(str(path)).signatures[key]
    second = signature(**{name: tf.constant(value) for name, value in feeds.items()})
    return [first, {name: value.numpy() for name, value in second.items()}]


def save(path: Path, function: Callable[..., Any], *specs: Any) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.w = tf.Variable(np.random.RandomState(1).rand(4, 4).astype("float32"))
    traced = tf.function(lambda *args: function(module, *args)).get_concrete_function(*specs)
    tf.saved_model.save(module, str(path), signatures=traced)


@pytest.mark.parametrize("key", ["image", "serving_default_image"])
def test_a_batch_size_is_fixed(key: str, tmp_path: Path) -> None:
    import tensorflow as tf

    source = FIXTURES / "savedmodel" / "keras_export"
    report = change(source, tmp_path / "fixed", shapes={key: [1, 8, 8, 3]})
    assert report.contradictions == ()
    image = np.random.RandomState(2).rand(1, 8, 8, 3).astype("float32")
    before, after = both_loaders(source, {"image": image}), both_loaders(tmp_path / "fixed", {"image": image})
    for expected, found in zip(before, after, strict=True):
        assert all(sessions.close(expected[name], found[name]) for name in expected)
    signature = tf.saved_model.load(str(tmp_path / "fixed")).signatures["serving_default"]
    assert signature.structured_input_signature[1]["image"].shape == [1, 8, 8, 3]
    assert signature.structured_outputs["probs"].shape == [1, 3]


def test_a_batch_size_is_freed(tmp_path: Path) -> None:
    import tensorflow as tf

    def serve(module: Any, x: Any) -> Any:
        y = tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, tf.tanh(y @ module.w)), [0, x])[1]
        return {"y": tf.cond(tf.reduce_sum(y) > 0, lambda: y * 2.0, lambda: y), "rows": tf.shape(x)[0]}

    save(tmp_path / "model", serve, tf.TensorSpec([1, 4], tf.float32, name="x"))
    report = change(tmp_path / "model", tmp_path / "free", shapes={"x": [None, 4]})
    assert report.signatures == ("serving_default",)
    one, both = both_loaders(tmp_path / "model", {"x": X[:1]}), both_loaders(tmp_path / "free", {"x": X})
    for expected, found in zip(one, both, strict=True):
        assert found["y"].shape == (2, 4)
        assert sessions.close(expected["y"], found["y"][:1])
    assert both[0]["rows"] == 1  # traced as a constant, which nothing tells from one that was meant


def test_a_batch_size_baked_into_a_reshape_is_reported(tmp_path: Path) -> None:
    import tensorflow as tf

    save(
        tmp_path / "model",
        lambda module, x: {"y": tf.reshape(x @ module.w, [1, 2, 2])},
        tf.TensorSpec([1, 4], name="x"),
    )
    report = change(tmp_path / "model", tmp_path / "two", shapes={"x": [2, 4]}, allow_contradictions=True)
    assert any("Reshape" in found.where for found in report.contradictions)
    assert all("__inference" in found.where for found in report.contradictions if "Reshape" in found.where)


def test_pictures_come_as_bytes(tmp_path: Path) -> None:
    source = FIXTURES / "savedmodel" / "keras_export"
    change(source, tmp_path / "bytes", dtypes={"image": "uint8"})
    image = np.random.RandomState(2).randint(0, 255, [2, 8, 8, 3]).astype("uint8")
    before = both_loaders(source, {"image": image.astype("float32")})
    for expected, found in zip(before, both_loaders(tmp_path / "bytes", {"image": image}), strict=True):
        assert all(sessions.close(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("training", [False, True])
def test_a_flag_of_nested_functions_is_set(training: bool, tmp_path: Path) -> None:
    import tensorflow as tf

    @tf.function
    def layer(y: Any, flag: Any) -> Any:
        return tf.cond(
            flag,
            lambda: y * 0.5,
            lambda: tf.while_loop(lambda i, _: i < 2, lambda i, z: (i + 1, step(z, flag)), [0, y])[1],
        )

    @tf.function
    def step(y: Any, flag: Any) -> Any:
        return tf.cond(tf.logical_not(flag), lambda: tf.tanh(y), lambda: y - 1.0)

    def serve(module: Any, x: Any, training: Any) -> Any:
        return {"y": layer(x @ module.w, training) + step(x, training)}

    save(tmp_path / "model", serve, tf.TensorSpec([None, 4], name="x"), tf.TensorSpec([], tf.bool, name="training"))
    report = change(tmp_path / "model", tmp_path / "set", set_values={"training": training})
    assert report.removed_nodes
    before = both_loaders(tmp_path / "model", {"x": X, "training": np.array(training)})
    for expected, found in zip(before, both_loaders(tmp_path / "set", {"x": X}), strict=True):
        assert sessions.close(expected["y"], found["y"])
    from graphsurgeon.analysis.flow.calls import reached_functions
    from graphsurgeon.formats import read

    model = read(tmp_path / "set").metagraphs[0]
    call = model.signatures["serving_default"].outputs["y"].mention
    assert call is not None
    assert call.node is not None
    called = [*call.node.functions, *reached_functions(call.node.functions)]
    ops = {node.op for function in called for node in function.nodes}
    assert ops.isdisjoint({"If", "StatelessIf"})


@pytest.mark.parametrize("training", [False, True])
def test_a_phase_of_a_training_graph_is_set(training: bool, tmp_path: Path) -> None:
    source = FIXTURES / "metagraph" / "face_resnet" / "model-1.meta"
    phases = {"train_phase": training, "train_phase_last": training}
    report = change(source, tmp_path / "model-1.meta", set_values=phases)
    assert len(report.removed_nodes) > 100
    for name in ("model-1.index", "model-1.data-00000-of-00001"):
        (tmp_path / name).write_bytes((source.parent / name).read_bytes())
    image = {"input_image:0": np.random.RandomState(5).rand(4, 16, 16, 3).astype("float32")}
    with sessions.meta_graph(source, optimize=False) as model:
        expected = model.run({"y": "E_BN2/Reshape_1:0"}, image | {f"{name}:0": value for name, value in phases.items()})
    with sessions.meta_graph(tmp_path / "model-1.meta", optimize=False) as model:
        found = model.run({"y": "E_BN2/Reshape_1:0"}, image)
    assert sessions.same_bits(expected["y"], found["y"])


def test_a_constant_leaves_the_signature(tmp_path: Path) -> None:
    source = FIXTURES / "savedmodel" / "v1_cond_batch_norm_ref"
    with sessions.saved_model(source, ["serve"], optimize=False) as model:
        inputs, outputs = model.signature("serving_default")
        feeds = sessions.generate(inputs)
        switch = next(key for key, endpoint in inputs.items() if endpoint.dtype.is_bool)
        feeds[switch] = np.zeros_like(feeds[switch])
        fetches = {name: endpoint.name for name, endpoint in outputs.items()}
        expected = model.run(fetches, {inputs[name].name: value for name, value in feeds.items()})
    change(source, tmp_path / "set", set_values={switch: False})
    with sessions.saved_model(tmp_path / "set", ["serve"], optimize=False) as model:
        inputs, outputs = model.signature("serving_default")
        assert switch not in inputs
        fetches = {name: endpoint.name for name, endpoint in outputs.items()}
        found = model.run(fetches, {inputs[name].name: feeds[name] for name in inputs})
    assert all(sessions.same_bits(expected[name], found[name]) for name in expected)


def test_defaults_as_constants_and_as_placeholders(tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        keep = v1.placeholder_with_default(np.float32(0.5), [], name="keep")
        training = v1.placeholder_with_default(False, [], name="training")
        scale = v1.placeholder_with_default(tf.add(keep, 1.0), [], name="scale")
        tf.identity(tf.cond(training, lambda: x * 0.0, lambda: x * keep) * scale, name="y")
    source = tmp_path / "g.pb"
    source.write_bytes(graph.as_graph_def().SerializeToString())
    before = sessions.run_graph_def(source, {"y": "y:0"}, {"x:0": X}, optimize=False)["y"]
    constants, placeholders = tmp_path / "constants.pb", tmp_path / "placeholders.pb"
    change(source, constants, defaults="constants")
    change(source, placeholders, defaults="placeholders")
    after = sessions.run_graph_def(constants, {"y": "y:0"}, {"x:0": X}, optimize=False)["y"]
    assert np.array_equal(before, after)
    feeds = {"x:0": X, "keep:0": np.float32(0.5), "training:0": np.bool_(False), "scale:0": np.float32(1.5)}
    fed = sessions.run_graph_def(placeholders, {"y": "y:0"}, feeds, optimize=False)["y"]
    assert np.array_equal(before, fed)
    del feeds["keep:0"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must feed a value"):
        sessions.run_graph_def(placeholders, {"y": "y:0"}, feeds, optimize=False)
    ops = {node.op for node in v1.GraphDef.FromString(constants.read_bytes()).node}
    assert "PlaceholderWithDefault" not in ops
