"""Kinds of TensorFlow 1 models that break freezing: control flow of the first kind, reference variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.oracle.freeze_builders import (
    Feeds,
    X,
    model,
    refused,
    save_v1,
    v1_control_flow,
    v1_input,
    v1_weights,
)


def _batch_norm(v1: Any, tf: Any, x: Any, training: Any, *, resource: bool) -> Any:
    mean = v1.get_variable(
        "moving_mean", [4], initializer=v1.ones_initializer(), trainable=False, use_resource=resource
    )
    variance = v1.get_variable(
        "moving_var", [4], initializer=v1.ones_initializer(), trainable=False, use_resource=resource
    )

    def train() -> Any:
        batch_mean, batch_variance = tf.nn.moments(x, [0])
        updates = [
            v1.assign_sub(mean, (mean - batch_mean) * 0.1),
            v1.assign_sub(variance, (variance - batch_variance) * 0.1),
        ]
        with tf.control_dependencies(updates):
            return tf.identity(batch_mean), tf.identity(batch_variance)

    used = v1.cond(training, train, lambda: (tf.identity(mean), tf.identity(variance)))
    return tf.nn.batch_normalization(x, *used, None, None, 1e-3)


def _v1_batch_norm(path: Path, *, resource: bool, control_v2: bool, feed: bool) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, training = v1_input(v1, tf), v1.placeholder(tf.bool, [], name="training")
        with v1_control_flow(v1, v2=control_v2):
            return {"x": x, "training": training}, {"y": _batch_norm(v1, tf, x, training, resource=resource)}

    return save_v1(path, build, x=X, training=np.array(feed))


@model
def v1_batch_norm_ref_training(path: Path) -> Feeds:
    return _v1_batch_norm(path, resource=False, control_v2=False, feed=True)


@model
def v1_batch_norm_ref_inference(path: Path) -> Feeds:
    return _v1_batch_norm(path, resource=False, control_v2=False, feed=False)


@model
def v1_batch_norm_resource_training(path: Path) -> Feeds:
    return _v1_batch_norm(path, resource=True, control_v2=False, feed=True)


@model
def v1_batch_norm_resource_inference(path: Path) -> Feeds:
    return _v1_batch_norm(path, resource=True, control_v2=False, feed=False)


@model
def v1_batch_norm_control_v2(path: Path) -> Feeds:
    return _v1_batch_norm(path, resource=True, control_v2=True, feed=True)


def _v1_while(path: Path, *, resource: bool, bump: bool, control_v2: bool = False) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, w = v1_input(v1, tf), v1_weights(v1, "w", [4, 4], resource=resource)
        step = v1.get_variable("step", [], initializer=v1.zeros_initializer(), use_resource=resource)

        def body(i: Any, y: Any, array: Any) -> Any:
            updates = [v1.assign_add(step, 1.0)] if bump else []
            with tf.control_dependencies(updates):
                y = tf.tanh(y @ w)
            return i + 1, y, array.write(i, y)

        with v1_control_flow(v1, v2=control_v2):
            array = tf.TensorArray(tf.float32, 3)
            _, y, array = v1.while_loop(lambda i, *_: i < 3, body, [0, x, array])
            return {"x": x}, {"y": y, "all": array.stack()}

    return save_v1(path, build)


@model
def v1_while_ref(path: Path) -> Feeds:
    return _v1_while(path, resource=False, bump=False)


@model
def v1_while_resource(path: Path) -> Feeds:
    return _v1_while(path, resource=True, bump=False)


@model
def v1_while_bumps_ref(path: Path) -> Feeds:
    return _v1_while(path, resource=False, bump=True)


@model
def v1_while_bumps_resource(path: Path) -> Feeds:
    return _v1_while(path, resource=True, bump=True)


@model
def v1_while_control_v2(path: Path) -> Feeds:
    return _v1_while(path, resource=True, bump=False, control_v2=True)


@model
def v1_gather_in_loop(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, table = v1_input(v1, tf), v1_weights(v1, "table", [5, 4], resource=True)

        def body(i: Any, y: Any) -> Any:
            row = v1.cond(i > 0, lambda: tf.gather(table, i), lambda: y[0])
            return i + 1, y + tf.gather(table, [i, 0, 1]) + row

        with v1_control_flow(v1, v2=False):
            return {"x": x}, {"y": v1.while_loop(lambda i, _: i < 3, body, [0, x])[1]}

    return save_v1(path, build)


@model
def v1_functions_in_control_flow(path: Path) -> Feeds:
    """A function with constants, called in a while body and in a branch, and one with a loop, called twice."""
    from tensorflow.python.framework import function

    def build(v1: Any, tf: Any) -> Any:
        x = v1_input(v1, tf)

        @function.Defun(tf.float32)
        def scaled(a: Any) -> Any:
            return tf.add(a * tf.constant(0.5), tf.constant(1.0))

        @function.Defun(tf.float32)
        def outer(a: Any) -> Any:
            return tf.maximum(scaled(a), tf.constant(0.25))

        def shaped(a: Any) -> Any:
            y = outer(a)
            y.set_shape([None, 4])
            return y

        @function.Defun(tf.float32)
        def looping(a: Any) -> Any:
            return v1.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, y * 1.5), [0, a])[1]

        @function.Defun(tf.float32)
        def constant_only(a: Any) -> Any:
            return tf.constant(3.0)

        with v1_control_flow(v1, v2=False):
            y = v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, shaped(y)), [0, x])[1]
            y = v1.cond(tf.reduce_sum(x) < 0.0, lambda: constant_only(x) * x, lambda: shaped(y))
            return {"x": x}, {"y": looping(y) + looping(x)}

    return save_v1(path, build)


@model
def v1_assert_in_branch(path: Path) -> Feeds:
    from tensorflow.python.framework import function

    def build(v1: Any, tf: Any) -> Any:
        x = v1_input(v1, tf)

        @function.Defun(tf.float32)
        def checked(a: Any) -> Any:
            with tf.control_dependencies([v1.assert_less(a, 100.0)]):
                return tf.identity(a) * 2.0

        with v1_control_flow(v1, v2=False):
            return {"x": x}, {"y": v1.cond(tf.reduce_sum(x) > 0.0, lambda: checked(x), lambda: x)}

    return save_v1(path, build)


@model
def v1_default_phase(path: Path) -> Feeds:
    """Dropout and batch norm under a phase that is false by default."""

    def build(v1: Any, tf: Any) -> Any:
        x = v1_input(v1, tf)
        phase = v1.placeholder_with_default(False, [], name="phase")
        with v1_control_flow(v1, v2=False):
            y = v1.cond(phase, lambda: v1.nn.dropout(x, rate=0.5), lambda: tf.identity(x))
            y = _batch_norm(v1, tf, y, phase, resource=False)
            y = v1.cond(tf.logical_not(phase), lambda: y * 2.0, lambda: y)
        return {"x": x}, {"y": y}

    return save_v1(path, build)


@refused("makes of variable")
def v1_output_of_assign_add(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, n = v1_input(v1, tf), v1.get_variable("n", [], initializer=v1.zeros_initializer(), use_resource=False)
        return {"x": x}, {"y": v1.assign_add(n, 1.0) + tf.reduce_sum(x)}

    return save_v1(path, build)


@model
def v1_ref_oddities(path: Path) -> Feeds:
    """A string variable, an update off the path, colocation, a device, partitions, a check for uninitialized."""

    def build(v1: Any, tf: Any) -> Any:
        x = v1_input(v1, tf)
        names = v1.get_variable("names", initializer=tf.constant(["a", "b"]), use_resource=False, trainable=False)
        table = v1_weights(v1, "table", [5, 4], resource=False)
        parts = v1.get_variable(
            "parts", [4, 6], partitioner=v1.fixed_size_partitioner(3, axis=1), use_resource=False,
            initializer=v1.random_normal_initializer(seed=1),
        )  # fmt: skip
        with tf.control_dependencies([tf.identity(table)]):
            v1.scatter_update(table, [0], [[9.0] * 4])
        with v1.device("/device:CPU:0"), v1.colocate_with(table):
            y = tf.gather(table, [1, 2, 3]) + x
        known = tf.cast(v1.is_variable_initialized(table), tf.float32)
        return {"x": x}, {"y": y @ tf.convert_to_tensor(parts) * known, "names": names + "?"}

    return save_v1(path, build)


@model
def v1_nested_loops_and_conds(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, w = v1_input(v1, tf), v1_weights(v1, "w", [4, 4], resource=False)
        r = v1_weights(v1, "rr", [4], resource=True)

        def inner(j: Any, z: Any) -> Any:
            return j + 1, v1.cond(tf.equal(j % 2, 0), lambda: tf.tanh(z @ w), lambda: z * r)

        def body(i: Any, y: Any) -> Any:
            return i + 1, v1.while_loop(lambda j, _: j < 3, inner, [0, y])[1]

        with v1_control_flow(v1, v2=False):
            return {"x": x}, {"y": v1.while_loop(lambda i, _: i < 2, body, [0, x])[1]}

    return save_v1(path, build)


@model
def v1_table_in_loop(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x = v1.placeholder(tf.int64, [None], name="k")
        keys = tf.constant([1, 2, 3], tf.int64)
        table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, keys * 10), -1)
        with v1_control_flow(v1, v2=False):
            return {"k": x}, {
                "y": v1.while_loop(lambda i, _: i < 2, lambda i, s: (i + 1, s + table.lookup(x)), [0, x])[1]
            }

    return save_v1(path, build, k=np.array([1, 3, 5], "int64"))
