"""Models that repeat: recurrent networks of both TensorFlows, map and scan, gradients of loops, datasets.

Each builder saves a SavedModel and returns arrays to feed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.oracle.freeze_builders import (
    Builder,
    Feeds,
    export_keras,
    make_module,
    save_module,
    save_v1,
    v1_control_flow,
    v1_input,
    v1_weights,
)

LOOPS: dict[str, Builder] = {}
STEPS = np.random.RandomState(2).rand(2, 6, 4).astype("float32")


def loop_model(builder: Builder) -> Builder:
    """Enter a builder under its name."""
    LOOPS[builder.__name__] = builder
    return builder


# -- Keras ---------------------------------------------------------------------------------------------------


def _recurrent(path: Path, make: Callable[[Any, Any], Any], x: Any = STEPS) -> Feeds:
    import keras

    def build(layers: Any) -> Any:
        given = keras.Input(x.shape[1:], name="x")
        return keras.Model(given, make(layers, given))

    return export_keras(path, build, x=x)


@loop_model
def keras_lstm(path: Path) -> Feeds:
    return _recurrent(path, lambda layers, x: layers.LSTM(3, return_sequences=True, return_state=True)(x))


@loop_model
def keras_lstm_unrolled(path: Path) -> Feeds:
    return _recurrent(path, lambda layers, x: layers.LSTM(3, unroll=True)(x))


@loop_model
def keras_gru(path: Path) -> Feeds:
    return _recurrent(path, lambda layers, x: layers.GRU(3, go_backwards=True)(layers.Masking()(x)))


@loop_model
def keras_gru_with_dropout(path: Path) -> Feeds:
    """Its seed is a variable that the function updates."""
    return _recurrent(path, lambda layers, x: layers.GRU(3, reset_after=False, recurrent_dropout=0.2)(x))


@loop_model
def keras_bidirectional(path: Path) -> Feeds:
    return _recurrent(path, lambda layers, x: layers.Bidirectional(layers.GRU(3), merge_mode="sum")(x))


@loop_model
def keras_convolutional_lstm(path: Path) -> Feeds:
    frames = np.random.RandomState(2).rand(2, 3, 8, 8, 2).astype("float32")
    return _recurrent(path, lambda layers, x: layers.ConvLSTM2D(2, 3)(x), frames)


@loop_model
def keras_stateful_lstm(path: Path) -> Feeds:
    """Its states are variables: read, then assigned."""
    import keras

    keras.utils.set_random_seed(1)
    given = keras.Input(batch_shape=STEPS.shape, name="x")
    keras.Sequential([given, keras.layers.LSTM(3, stateful=True)]).export(str(path), verbose=False)
    return {"x": STEPS}


# -- TensorFlow 2 --------------------------------------------------------------------------------------------


@loop_model
def map_scan_fold(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4], [4])

    def serve(x: Any) -> Any:
        weights, bias = module.v0, module.v1
        return {
            "map": tf.map_fn(lambda row: tf.linalg.matvec(weights, row) + bias, x),
            "scan": tf.scan(lambda sum_, row: sum_ * bias + row, x),
            "left": tf.foldl(lambda sum_, row: sum_ + row * bias, x),
            "right": tf.foldr(lambda sum_, row: sum_ - row * bias, x),
            "all": tf.vectorized_map(lambda row: tf.cond(row[0] > 0.5, lambda: row * bias, lambda: row), x),
        }

    return save_module(path, module, serve)


@loop_model
def gradients_of_loops(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4], [4])

    def serve(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y @ module.v0) + module.v1), [0, x])[1]
            z = tf.map_fn(lambda row: tf.cond(row[0] > 0.0, lambda: row * module.v1, lambda: row), y)
        return dict(zip("xab", tape.gradient(z, [x, module.v0, module.v1]), strict=True))

    return save_module(path, module, serve)


@loop_model
def breaks_and_arrays(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4], [])

    def body(i: Any, y: Any, array: Any) -> Any:
        row = tf.cond(i % 2 == 0, lambda: y @ module.v0, lambda: y + module.v1)
        return i + 1, row, array.write(i, row)

    def serve(x: Any) -> Any:
        array = tf.TensorArray(tf.float32, 0, dynamic_size=True)
        _, y, array = tf.while_loop(lambda _, y, __: tf.reduce_sum(y) < 100.0, body, [0, x, array])
        return {"y": y, "all": array.stack()}

    return save_module(path, module, serve)


@loop_model
def branches_with_lookups(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4], [4, 4], [6, 4])

    def serve(x: Any) -> Any:
        number = tf.cast(tf.reduce_sum(x), tf.int32) % 3
        ways = [lambda: x @ module.v0, lambda: x @ module.v1, lambda: tf.gather(module.v2, tf.argmax(x, 1))]
        return {"y": tf.switch_case(number, ways)}

    return save_module(path, module, serve)


@loop_model
def iteration_over_a_dataset(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4], [4])

    @tf.function
    def total(x: Any) -> Any:
        found = tf.zeros([4])
        for rows in tf.data.Dataset.from_tensor_slices(x).map(lambda row: row * module.v1).batch(2).prefetch(1):
            found += tf.reduce_sum(rows @ module.v0, 0)
        return found

    return save_module(path, module, lambda x: {"y": total(x)})


@loop_model
def dataset_functions(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4], [4])
    data = tf.data.Dataset

    @tf.function
    def total(x: Any) -> Any:
        rows = data.from_tensor_slices(x).flat_map(lambda row: data.from_tensors(row * module.v1).repeat(2))
        rows = rows.filter(lambda row: tf.reduce_sum(row * module.v1) > 0.1)
        rows = rows.scan(tf.zeros([4]), lambda sum_, row: (sum_ + row * module.v1, sum_))
        rows = rows.interleave(lambda row: data.from_tensors(row + module.v1), cycle_length=2)
        rows = rows.group_by_window(
            lambda _: tf.constant(0, tf.int64),
            lambda _, window: window.batch(2).map(lambda some: some @ module.v0),
            window_size=2,
        )
        return rows.reduce(tf.zeros([4]), lambda sum_, some: sum_ + tf.reduce_sum(some, 0) * module.v1)

    return save_module(path, module, lambda x: {"y": total(x)})


# -- TensorFlow 1 --------------------------------------------------------------------------------------------


class _Cell:
    """A cell as `dynamic_rnn` asks for it; those of TensorFlow need Keras 2."""

    output_size = state_size = 3

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        import tensorflow as tf

        return tf.zeros([batch_size, self.state_size], dtype)

    def __call__(self, x: Any, state: Any, scope: Any = None) -> Any:
        import tensorflow as tf

        v1 = tf.compat.v1
        with v1.variable_scope(scope or "cell", reuse=v1.AUTO_REUSE):
            start = v1.random_normal_initializer(seed=1)
            weights = v1.get_variable(
                "weights", [int(x.shape[1]) + self.state_size, self.state_size], initializer=start
            )
        out = tf.tanh(tf.concat([x, state], 1) @ weights)
        return out, out


def _dynamic(path: Path, *, resource: bool, control_v2: bool, both_ways: bool = False) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, lengths = v1.placeholder(tf.float32, [None, None, 4], name="x"), v1.placeholder(tf.int32, [None], name="n")
        with v1_control_flow(v1, v2=control_v2), v1.variable_scope("net", use_resource=resource):
            if both_ways:
                both, _ = v1.nn.bidirectional_dynamic_rnn(_Cell(), _Cell(), x, lengths, dtype=tf.float32)
                y = tf.concat(both, -1)
            else:
                y, _ = v1.nn.dynamic_rnn(_Cell(), x, lengths, dtype=tf.float32)
        return {"x": x, "n": lengths}, {"y": y}

    return save_v1(path, build, x=STEPS, n=np.array([6, 3], "int32"))


@loop_model
def v1_dynamic_rnn_of_references(path: Path) -> Feeds:
    return _dynamic(path, resource=False, control_v2=False)


@loop_model
def v1_dynamic_rnn_of_resources(path: Path) -> Feeds:
    return _dynamic(path, resource=True, control_v2=False, both_ways=True)


@loop_model
def v1_dynamic_rnn_control_v2(path: Path) -> Feeds:
    return _dynamic(path, resource=True, control_v2=True)


@loop_model
def v1_raw_rnn(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x = v1.placeholder(tf.float32, [6, None, 4], name="x")
        rows, cell = tf.TensorArray(tf.float32, 6).unstack(x), _Cell()

        def turn(time: Any, out: Any, state: Any, _: Any) -> Any:
            count = tf.shape(x)[1]
            done = tf.fill([count], time >= 6)
            given = v1.cond(tf.reduce_all(done), lambda: tf.zeros([count, 4]), lambda: rows.read(time))
            given.set_shape([None, 4])
            return done, given, cell.zero_state(count, tf.float32) if out is None else state, out, None

        with v1_control_flow(v1, v2=False), v1.variable_scope("net", use_resource=False):
            outputs, state, _ = v1.nn.raw_rnn(cell, turn)
        return {"x": x}, {"y": outputs.stack(), "state": state}

    return save_v1(path, build, x=STEPS.transpose(1, 0, 2).copy())


@loop_model
def v1_gradients_of_loops(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, handle = v1_input(v1, tf), v1_weights(v1, "handle", [4, 4], resource=True)
        reference = v1_weights(v1, "reference", [4, 4], resource=False)
        with v1_control_flow(v1, v2=False):
            y = v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y @ handle) @ reference), [0, x])[1]
            return {"x": x}, dict(zip("xab", v1.gradients(y, [x, handle, reference]), strict=True))

    return save_v1(path, build)


@loop_model
def v1_updates_in_a_branch_of_a_loop(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, weights = v1_input(v1, tf), v1_weights(v1, "w", [4, 4], resource=False)
        count = v1.get_variable("count", [], initializer=v1.zeros_initializer(), use_resource=False)

        def counted(y: Any) -> Any:
            with tf.control_dependencies([v1.assign_add(count, 1.0)]):
                return tf.identity(y) * 2.0

        with v1_control_flow(v1, v2=False):
            y = v1.while_loop(
                lambda i, _: i < 3,
                lambda i, y: (i + 1, v1.cond(i > 1, lambda: counted(y), lambda: y @ weights)),
                [0, x],
            )[1]
        return {"x": x}, {"y": y}

    return save_v1(path, build)
