"""Models that people train, for what strip has to leave alone and take out; made by TensorFlow when a test asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.oracle.sessions import session_config

Data = Any
BATCH = np.random.default_rng(3).random((4, 6), np.float32)
IMAGES = np.random.default_rng(4).random((3, 5, 5, 2), np.float32)


def save_graph(path: Path, build: Callable[[Any], Any], *, shape: tuple[int | None, ...] = (None, 6)) -> None:
    """Write a GraphDef with an input `x` and the output `y`, which a function makes of it."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        tf.identity(build(v1.placeholder(tf.float32, shape, name="x")), name="y")
    path.write_bytes(graph.as_graph_def().SerializeToString())


def old_dropout(x: Data, keep: Data) -> Data:
    """Dropout as TensorFlow built it before 1.13."""
    import tensorflow as tf

    keep = tf.convert_to_tensor(keep, tf.float32)
    return tf.divide(x, keep) * tf.floor(keep + tf.compat.v1.random_uniform(tf.shape(x)))


def middle_dropout(x: Data, rate: Data) -> Data:
    """Dropout as from 1.13 on."""
    import tensorflow as tf

    mask = tf.compat.v1.random_uniform(tf.shape(x)) >= rate
    return x * (1 / (1 - rate)) * tf.cast(mask, tf.float32)


def dropouts() -> dict[str, Callable[[Data], Data]]:
    """Return every form of dropout by a name; each lets `x` through when a model infers."""
    import tensorflow as tf

    v1 = tf.compat.v1

    def fed(default: float | None = None) -> Data:
        return v1.placeholder(tf.float32, [], "rate") if default is None else v1.placeholder_with_default(default, [])

    def in_loop(x: Data) -> Data:
        v1.disable_control_flow_v2()
        try:
            return v1.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, tf.nn.dropout(v, rate=0.4)), [0, x])[1]
        finally:
            v1.enable_control_flow_v2()

    def in_branch(x: Data) -> Data:
        v1.disable_control_flow_v2()
        try:
            return v1.cond(fed(1.0) > 0, lambda: old_dropout(x, 0.3), lambda: tf.identity(x))
        finally:
            v1.enable_control_flow_v2()

    return {
        "old": lambda x: old_dropout(x, 0.7),
        "old fed": lambda x: old_dropout(x, fed()),
        "old default": lambda x: old_dropout(x, fed(1.0)),
        "middle": lambda x: middle_dropout(x, 0.3),
        "middle fed": lambda x: middle_dropout(x, fed()),
        "middle keep": lambda x: middle_dropout(x, 1 - fed(1.0)),
        "v1": lambda x: v1.nn.dropout(x, keep_prob=0.6),
        "v1 fed": lambda x: v1.nn.dropout(x, keep_prob=fed()),
        "v2": lambda x: tf.nn.dropout(x, rate=0.6),
        "v2 fed": lambda x: tf.nn.dropout(x, rate=fed()),
        "v2 noise shape": lambda x: tf.nn.dropout(x, rate=0.4, noise_shape=[1, 6]),
        "stateless": lambda x: tf.nn.experimental.stateless_dropout(x, rate=0.35, seed=[1, 2]),
        "branch function": lambda x: v1.cond(fed(1.0) > 0, lambda: tf.nn.dropout(x, 0.3), lambda: tf.identity(x)),
        "loop function": lambda x: v1.while_loop(
            lambda i, _: i < 3, lambda i, v: (i + 1, tf.nn.dropout(v, rate=0.4)), [0, x]
        )[1],
        "branch": in_branch,
        "loop": in_loop,
    }


def save_batch_norm(
    folder: Path,
    *,
    resource: bool,
    names: tuple[str, str] = ("moving_mean", "moving_variance"),
    update: str = "train",
    fused: bool = True,
) -> Data:
    """Write a training `.meta` with its checkpoint: batch norm, dropout, a loss, momentum; return what y should be.

    Args:
        folder: where `model.meta` goes.
        resource: variables are resources, not references.
        names: of the moving statistics.
        update: "train" beside the training step, "wait" where y waits for it, "" for none in the graph.
        fused: one op, else spelled out in many.
    """
    import tensorflow as tf
    from tensorflow.python.training import moving_averages

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session(config=session_config(optimize=False)) as session:
        x = v1.placeholder(tf.float32, [None, 5, 5, 2], name="x")
        with v1.variable_scope("layer/bn", use_resource=resource):
            gamma, beta = (v1.get_variable(name, [2]) for name in ("gamma", "beta"))
            mean, variance = (v1.get_variable(name, [2], trainable=False) for name in names)
            if fused:
                y, *batch = v1.nn.fused_batch_norm(x, gamma, beta, epsilon=1e-3, is_training=True)
            else:
                batch = tf.nn.moments(x, [0, 1, 2])
                y = tf.nn.batch_normalization(x, *batch, beta, gamma, 1e-3)
        updates = [
            moving_averages.assign_moving_average(one, value, 0.9, zero_debias=False)
            for one, value in zip((mean, variance), batch if update else (), strict=False)
        ]
        with tf.control_dependencies(updates if update == "wait" else []):
            y = tf.identity(y)
        y = tf.identity(v1.nn.dropout(y, rate=0.5), name="y")
        loss = tf.reduce_mean(tf.square(y))
        v1.summary.scalar("loss", loss)
        with tf.control_dependencies(updates):
            v1.train.MomentumOptimizer(0.1, 0.9).minimize(loss, global_step=v1.train.get_or_create_global_step())
        session.run(v1.global_variables_initializer())
        for number, variable in enumerate((gamma, beta, mean, variance)):
            variable.load(np.float32([0.5, 1.5]) + np.float32(number), session)
        v1.train.Saver().save(session, str(folder / "model"))
        g, b, m, v = session.run([gamma, beta, mean, variance])
        if fused:
            inferred, *_ = v1.nn.fused_batch_norm(x, g, b, m, v, epsilon=1e-3, is_training=False)
        else:
            inferred = tf.nn.batch_normalization(x, m, v, b, g, 1e-3)
        return session.run(inferred, {x: IMAGES})


def save_keras_batch_norm(folder: Path) -> Data:
    """Write a SavedModel that Keras 3 exports with its batch normalizations in training form; return what y should be.

    In training form Keras spells the normalization out, and assigns to the moving statistics when it is called.
    """
    import keras
    import tensorflow as tf

    image = keras.Input([5, 5, 2], name="image")
    layers = [keras.layers.BatchNormalization(), keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization()]
    trained, inferred = image, image
    for layer in layers:
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        trained = layer(trained, training=True) if is_norm else layer(trained)
        inferred = layer(inferred, training=False) if is_norm else layer(inferred)
        if is_norm:
            count = int(layer.moving_mean.shape[0])
            layer.moving_mean.assign(np.linspace(0.1, 0.4, count))
            layer.moving_variance.assign(np.linspace(0.5, 2.0, count))

    class Served(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.held = keras.Model(image, trained)
            self.values = self.held.variables

        @tf.function(input_signature=[tf.TensorSpec([None, 5, 5, 2], name="x")])
        def serve(self, x: Any) -> Any:
            return {"y": self.held(x)}

    served = Served()
    tf.saved_model.save(served, str(folder), signatures=served.serve)
    return np.asarray(keras.Model(image, inferred)(IMAGES))


def save_estimator_like(folder: Path) -> None:
    """Write a training `.meta` with a queue, a metric, summaries, checks and a step counter; its answer is `y`."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        queue = v1.train.input_producer(tf.constant(BATCH), num_epochs=None, shuffle=False, name="input")
        rows = v1.placeholder_with_default(queue.dequeue_many(2), [None, 6], name="x")
        rows = v1.Print(v1.check_numerics(rows, "rows"), [tf.shape(rows)])
        with tf.control_dependencies([v1.assert_greater_equal(tf.reduce_sum(rows), 0.0)]):
            hidden = v1.nn.dropout(tf.nn.relu(tf.matmul(rows, v1.get_variable("w1", [6, 4]))), rate=0.2)
        y = tf.nn.softmax(tf.matmul(hidden, v1.get_variable("w2", [4, 3])), name="y")
        labels = v1.placeholder(tf.int64, [None], name="labels")
        loss = tf.reduce_mean(-tf.math.log(tf.reduce_sum(y * tf.one_hot(labels, 3), 1)))
        v1.metrics.accuracy(labels, tf.argmax(y, 1))
        v1.summary.scalar("loss", loss)
        v1.summary.merge_all()
        step = v1.train.get_or_create_global_step()
        v1.train.AdamOptimizer(0.01).minimize(loss, global_step=step)
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        v1.train.Saver().save(session, str(folder / "model"))
