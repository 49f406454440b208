"""Moving averages in place of weights: as `variables_to_restore` and Keras put them there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import UsageError, edit, read
from tests.oracle import sessions

pytestmark = pytest.mark.tensorflow
X = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)


def trained(folder: Path, name: str = "ExponentialMovingAverage") -> tuple[Path, dict[str, np.ndarray], np.ndarray]:
    """Train a V1 graph with averages; return its prefix, what variables_to_restore gives, and the output with it."""
    import tensorflow as tf

    v1 = tf.compat.v1
    prefix = folder / "model.ckpt"
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        with v1.variable_scope("net"):
            w = v1.get_variable("w", initializer=tf.ones([2, 2]))
            p = v1.get_variable("p", initializer=tf.ones([2, 2]))
            b = v1.get_variable("b", initializer=tf.zeros([2]))
        y = tf.add(tf.matmul(tf.matmul(x, w), p), b, name="y")
        step = v1.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(tf.square(y)))
        ema = tf.train.ExponentialMovingAverage(0.5, name=name)
        with tf.control_dependencies([step]):
            train = ema.apply([w, p])
        session.run(v1.global_variables_initializer())
        for _ in range(3):
            session.run(train, {x: X})
        saver = v1.train.Saver()
        saver.save(session, str(prefix))
        restored = ema.variables_to_restore([w, p])
        v1.train.Saver(restored).restore(session, str(prefix))
        values = {one.op.name: value for one, value in zip([w, p, b], session.run([w, p, b]), strict=True)}
        return prefix, values, session.run(y, {x: X})


@pytest.mark.parametrize("name", ["ExponentialMovingAverage", "avg"])
def test_checkpoint_has_what_variables_to_restore_gives(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    prefix, values, _ = trained(tmp_path, name)
    out, again = tmp_path / "out.ckpt", tmp_path / "again.ckpt"
    edit.edit(prefix, [("rename", {"ema": True})], output=out)
    reader, before = tf.train.load_checkpoint(str(out)), tf.train.load_checkpoint(str(prefix))
    for key, value in values.items():
        assert np.array_equal(reader.get_tensor(key), value), key
    assert not np.array_equal(before.get_tensor("net/w"), values["net/w"])
    edit.edit(out, [("rename", {"ema": True})], output=again)
    back = tf.train.load_checkpoint(str(again))
    for key in before.get_variable_to_shape_map():
        assert np.array_equal(back.get_tensor(key), before.get_tensor(key)), key


def test_frozen_graph_computes_with_averages(tmp_path: Path) -> None:
    prefix, _, expected = trained(tmp_path)
    out = tmp_path / "frozen.pb"
    report = edit.edit(f"{prefix}.meta", [("freeze", {"outputs": ["y"], "ema": True})], output=out)
    found = sessions.run_graph_def(out, {"y": "y:0"}, {"x:0": X}, optimize=False)
    assert np.array_equal(found["y"], expected)
    assert any("moving average; without one: net/b" in note for note in report.steps[0].report.notes)


def test_averages_in_variables_that_stay(tmp_path: Path) -> None:
    import tensorflow as tf

    prefix, _, expected = trained(tmp_path)
    options = {"outputs": ["y"], "keep_vars": ".*"}
    with pytest.raises(UsageError, match="gs rename --ema puts the averages into the checkpoint first"):
        edit.edit(f"{prefix}.meta", [("freeze", {**options, "ema": True})], output=tmp_path / "frozen")
    edit.edit(f"{prefix}.meta", [("rename", {"ema": True})], output=tmp_path / "averaged.meta")
    edit.edit(tmp_path / "averaged.meta", [("freeze", options)], output=tmp_path / "frozen")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "frozen"))
        assert np.array_equal(session.run("y:0", {"x:0": X}), expected)


def test_keras_weights_and_averages_change_places(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    def built() -> tuple[Any, Any]:
        net = keras.Sequential([keras.Input([2]), keras.layers.Dense(3), keras.layers.BatchNormalization()])
        net.compile(keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5), "mse")
        return net, tf.train.Checkpoint(model=net, optimizer=net.optimizer)

    net, checkpoint = built()
    for _ in range(3):  # `fit` would put the averages into the weights at its end
        net.train_on_batch(X, np.ones([2, 3]))
    prefix = checkpoint.save(str(tmp_path / "ck"))
    out = tmp_path / "out.ckpt"
    edit.edit(prefix, [("rename", {"ema": True})], output=out)
    raw = [one.numpy() for one in net.trainable_variables]
    averages = [one.numpy() for one in net.optimizer._model_variables_moving_average]
    other, restored = built()
    other.optimizer.build(other.trainable_variables)
    restored.restore(str(out)).assert_consumed()
    for one, value in zip(other.trainable_variables, averages, strict=True):
        assert np.array_equal(one.numpy(), value)
    for one, value in zip(other.optimizer._model_variables_moving_average, raw, strict=True):
        assert np.array_equal(one.numpy(), value)
    assert not np.array_equal(raw[0], averages[0])


def test_statistics_are_no_averages_of_weights(tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    prefix = tmp_path / "m.ckpt"
    with v1.Graph().as_default(), v1.Session() as session:
        for name in ("bn/gamma", "bn/moving_mean", "bn/ema/hidden", "bn/ema/average"):
            v1.get_variable(name, initializer=tf.ones([2]))
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(prefix))
    with pytest.raises(UsageError, match="no moving averages"):
        edit.edit(prefix, [("rename", {"ema": True})], output=tmp_path / "out.ckpt")


def test_averages_are_stripped_when_named(tmp_path: Path) -> None:
    prefix, _, _ = trained(tmp_path)
    out = tmp_path / "out.ckpt"
    edit.edit(prefix, [("rename", {"ema": True}), ("strip", {"only": ["averages"]})], output=out)
    checkpoint = read(out).checkpoint
    assert checkpoint is not None
    assert not [key for key in checkpoint.variables if "Average" in key]
    assert "net/w" in checkpoint.variables
