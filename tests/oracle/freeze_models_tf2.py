"""Kinds of TensorFlow 2 models that break freezing, built by TensorFlow when a test asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.oracle.freeze_builders import (
    Feeds,
    X,
    make_module,
    model,
    refused,
    save_module,
)


@model
def plain(path: Path) -> Feeds:
    module = make_module([4, 2], [2])
    return save_module(path, module, lambda x: {"y": x @ module.v0 + module.v1})


@model
def read_then_assign_add(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 2])
    module.calls = tf.Variable(0.0)

    def serve(x: Any) -> Any:
        y = x @ module.v0 * (1.0 + module.calls)
        module.calls.assign_add(1.0)
        return {"y": y}

    return save_module(path, module, serve)


@refused("is changed by")
def output_of_assign_add(path: Path) -> Feeds:
    import tensorflow as tf

    module = tf.Module()
    module.calls = tf.Variable(0.0)
    return save_module(path, module, lambda x: {"y": module.calls.assign_add(1.0) + tf.reduce_sum(x)})


@refused("is changed by 'while/AssignAddVariableOp'")
def assign_and_read_in_while(path: Path) -> Feeds:
    import tensorflow as tf

    module = tf.Module()
    module.total = tf.Variable(0.0)

    def serve(x: Any) -> Any:
        def body(i: Any, y: Any) -> Any:
            module.total.assign_add(1.0)
            return i + 1, y + module.total

        return {"y": tf.while_loop(lambda i, _: i < 3, body, [0, x])[1]}

    return save_module(path, module, serve)


@model
def cond_branch_assigns(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4], [])

    def serve(x: Any) -> Any:
        def train() -> Any:
            module.v1.assign_sub(tf.reduce_mean(x))
            return x * 2.0

        return {"y": tf.cond(tf.reduce_sum(x) > 0.0, train, lambda: x @ module.v0)}

    return save_module(path, module, serve)


@model
def api_implements_three_times(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4])

    @tf.function(experimental_attributes={"api_implements": "layer_of_this_test"})
    def layer(x: Any) -> Any:
        return tf.tanh(x @ module.v0)

    return save_module(path, module, lambda x: {"y": layer(layer(layer(x)))})


@model
def nested_control_flow(path: Path) -> Feeds:
    """While > cond > call + gather, a while in a while, all capturing."""
    import tensorflow as tf

    module = make_module([4, 4], [5, 4])

    @tf.function
    def inner(y: Any) -> Any:
        return y @ module.v0 + tf.gather(module.v1, [1, 3, 0])[:, :4]

    def serve(x: Any) -> Any:
        def body(i: Any, y: Any) -> Any:
            y = tf.cond(i > 1, lambda: inner(y), lambda: y @ module.v0 * 0.5)
            _, y = tf.while_loop(lambda j, _: j < 2, lambda j, z: (j + 1, tf.tanh(z + module.v1[0])), [0, y])
            return i + 1, y

        return {"y": tf.while_loop(lambda i, _: i < 4, body, [0, x])[1]}

    return save_module(path, module, serve)


@model
def one_while_function_two_variables(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4], [4, 4])

    @tf.function
    def repeat(x: Any, handle: Any) -> Any:
        def read() -> Any:
            return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)

        return tf.while_loop(
            lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(tf.reshape(y @ read(), [-1, 4]))), [0, x]
        )[1]

    return save_module(path, module, lambda x: {"y": repeat(repeat(x, module.v0.handle), module.v1.handle)})


@model
def gathers_and_shapes(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([6, 4], [2, 3, 4])

    def serve(x: Any) -> Any:
        ids = tf.cast(tf.argmax(x, axis=1), tf.int32)
        batch = tf.raw_ops.ResourceGather(
            resource=module.v1.handle, indices=tf.constant([[0, 2], [1, 1]]), dtype=tf.float32, batch_dims=1
        )
        shape = tf.raw_ops.VariableShape(input=module.v0.handle)
        shape64 = tf.raw_ops.VariableShape(input=module.v0.handle, out_type=tf.int64)
        return {
            "rows": tf.nn.embedding_lookup(module.v0, ids),
            "nd": module.v0.gather_nd([[0, 1], [5, 3]]),
            "batch": batch,
            "shape": shape + tf.cast(shape64, tf.int32),
            "initialized": tf.raw_ops.VarIsInitializedOp(resource=module.v0.handle),
        }

    return save_module(path, module, serve)


@model
def gradient_inside(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([6, 4])

    def serve(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(module.v0, [1, 1, 2]) * x)
        gradient = tape.gradient(loss, module.v0)
        return {"loss": loss, "gradient": tf.convert_to_tensor(gradient)}

    return save_module(path, module, serve)


@model
def keras_case_map_scan(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4], [4])

    def serve(x: Any) -> Any:
        mapped = tf.map_fn(lambda row: tf.linalg.matvec(module.v0, row) + module.v1, x)
        scanned = tf.scan(lambda a, row: a * 0.5 + row * module.v1, x, initializer=module.v1)
        index = tf.cast(tf.reduce_sum(x), tf.int32) % 3
        branches = [lambda: x * module.v1, lambda: x + module.v1, lambda: x - module.v1]
        return {"mapped": mapped, "scanned": scanned, "case": tf.switch_case(index, branches)}

    return save_module(path, module, serve)


@model
def tables(path: Path) -> Feeds:
    import tensorflow as tf

    module = tf.Module()
    words = tf.constant(["a", "b", "c"])
    module.static = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(words, tf.constant([7, 8, 9], tf.int64)), -1
    )
    module.mutable = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, default_value=[0.0, 0.0])
    module.mutable.insert(tf.constant([7, 9], tf.int64), tf.constant([[1.0, 2.0], [3.0, 4.0]]))
    module.dense = tf.lookup.experimental.DenseHashTable(
        tf.int64, tf.float32, default_value=[-1.0, -1.0, -1.0], empty_key=0, deleted_key=-1
    )
    module.dense.insert(tf.constant([7, 8], tf.int64), tf.reshape(tf.range(6.0), [2, 3]))

    def serve(w: Any) -> Any:
        ids = module.static.lookup(w)
        counted = tf.while_loop(lambda i, _: i < 2, lambda i, s: (i + 1, s + module.static.lookup(w)), [0, ids])[1]
        return {
            "ids": ids,
            "rows": module.mutable.lookup(ids),
            "dense": module.dense.lookup(ids + 2),
            "counted": counted,
        }

    return save_module(path, module, serve, w=np.array([b"c", b"x", b"a"], object))


@model
def table_with_columns(path: Path) -> Feeds:
    import tensorflow as tf

    file = path.parent / "columns.txt"
    file.write_text("skip me\nx one 1\r\ny two 2\nz three 3\n", encoding="utf-8")
    module = tf.Module()
    initializer = tf.lookup.TextFileInitializer(str(file), tf.string, 1, tf.int64, 2, delimiter=" ", vocab_size=2)
    try:
        module.table = tf.lookup.StaticHashTable(initializer, 0)
    except tf.errors.InvalidArgumentError:
        file.write_text("x one 1\ny two 2\n", encoding="utf-8")
        module.table = tf.lookup.StaticHashTable(initializer, 0)
    return save_module(
        path, module, lambda w: {"ids": module.table.lookup(w)}, w=np.array([b"two", b"one", b"no"], object)
    )


@model
def text_vectorization(path: Path) -> Feeds:
    import tensorflow as tf

    file = path.parent / "vocabulary.txt"
    file.write_text("the\nquick\nfox\n", encoding="utf-8")
    module = make_module([5, 3])
    initializer = tf.lookup.TextFileInitializer(
        str(file), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    module.table = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=2)

    def serve(text: Any) -> Any:
        words = tf.strings.split(tf.strings.lower(text))
        ids = module.table.lookup(words).to_tensor(default_value=0)
        return {"vectors": tf.gather(module.v0, ids), "lengths": words.row_lengths()}

    return save_module(path, module, serve, text=np.array([b"The quick fox", b"a dog", b"fox"], object))


@refused("changes a table")
def table_insert(path: Path) -> Feeds:
    import tensorflow as tf

    module = tf.Module()
    module.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)

    def serve(k: Any) -> Any:
        module.table.insert(k, k * 2)
        return {"y": module.table.lookup(k)}

    return save_module(path, module, serve, k=np.array([1, 2], "int64"))


@model
def datasets_inside(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4], [])

    def serve(x: Any) -> Any:
        rows = tf.data.Dataset.from_tensor_slices(x).map(lambda row: row * module.v0)
        rows = rows.filter(lambda row: tf.reduce_sum(row) > module.v1 * 0.0)
        rows = rows.interleave(lambda row: tf.data.Dataset.from_tensors(row + module.v0), cycle_length=2)
        windows = rows.scan(module.v0 * 0.0, lambda state, row: (state + row, state * module.v1 + row))
        total = windows.batch(2).reduce(tf.zeros([4]), lambda a, b: a + tf.reduce_sum(b, 0) * module.v1)
        groups = tf.data.Dataset.range(6).group_by_window(
            lambda i: i % 2, lambda key, window: window.batch(3).map(lambda b: tf.cast(b, tf.float32) * module.v1), 3
        )
        return {"total": total, "groups": groups.reduce(0.0, lambda a, b: a + tf.reduce_sum(b))}

    return save_module(path, module, serve)


@model
def batch_function(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 2])

    @tf.nondifferentiable_batch_function(1, 8, 10)
    def batched(x: Any) -> Any:
        return x @ module.v0

    return save_module(path, module, lambda x: {"y": batched(x)})


@model
def vectorized(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4])
    return save_module(
        path, module, lambda x: {"y": tf.vectorized_map(lambda row: tf.linalg.matvec(module.v0, row), x)}
    )


@model
def map_defun(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4])

    @tf.function(input_signature=[tf.TensorSpec([4], tf.float32), tf.TensorSpec([], tf.resource)])
    def scale(row: Any, handle: Any) -> Any:
        return row * tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)

    def serve(x: Any) -> Any:
        f = scale.get_concrete_function()
        f.add_to_graph()
        y = tf.raw_ops.MapDefun(
            arguments=[x], captured_inputs=[module.v0.handle], output_types=[tf.float32], output_shapes=[[4]], f=f
        )
        return {"y": y[0]}

    return save_module(path, module, serve)


@model
def xla_random_and_identity(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 2])

    @tf.function(jit_compile=True)
    def compiled(x: Any) -> Any:
        return x @ module.v0

    def serve(x: Any) -> Any:
        noise = tf.random.stateless_uniform([2], [1, 2])
        return {"y": compiled(x) + noise, "x": x, "same": tf.identity(x)}

    return save_module(path, module, serve)


@model
def asserts(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 2])

    def serve(x: Any) -> Any:
        tf.debugging.assert_less(x, 10.0)
        checked = tf.debugging.check_numerics(x, "x")
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.ensure_shape(checked @ module.v0, [None, 2]), lambda: x[:, :2])
        return {"y": y}

    return save_module(path, module, serve)


@model
def passed_through_functions(path: Path) -> Feeds:
    """A branch that returns one of two handles, and a loop that swaps them."""
    import tensorflow as tf

    module = make_module([4, 4], [4, 4])

    def serve(x: Any) -> Any:
        chosen = tf.cond(tf.reduce_sum(x) > 0.0, lambda: module.v0.handle, lambda: module.v1.handle)
        y = x @ tf.raw_ops.ReadVariableOp(resource=chosen, dtype=tf.float32)
        return {"y": y}

    return save_module(path, module, serve)


@model
def mixed_precision_and_integers(path: Path) -> Feeds:
    import tensorflow as tf

    module = tf.Module()
    module.half = tf.Variable(tf.cast(X[:, :2].T, tf.bfloat16))
    module.f16 = tf.Variable(tf.cast(X[0], tf.float16))
    module.steps = tf.Variable(tf.constant(5, tf.int64))
    module.flag = tf.Variable(True)
    module.name_list = tf.Variable(["a", "bc"])
    module.empty = tf.Variable(tf.zeros([0, 3]))

    def serve(x: Any) -> Any:
        y = tf.cast(tf.cast(x, tf.bfloat16)[:, :3] @ tf.transpose(module.half), tf.float32)
        z = tf.cast(tf.cast(x, tf.float16) * module.f16, tf.float32)
        return {"y": y, "z": z, "n": module.steps + 1, "flag": tf.logical_not(module.flag), "s": module.name_list + "!",
                "empty": tf.concat([module.empty, module.empty], 0)}  # fmt: skip

    return save_module(path, module, serve)


@model
def tensor_list_and_ragged(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4])

    def serve(x: Any) -> Any:
        array = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[4])
        _, array = tf.while_loop(
            lambda i, _: i < tf.shape(x)[0], lambda i, a: (i + 1, a.write(i, x[i] * module.v0)), [0, array]
        )
        ragged = tf.RaggedTensor.from_row_lengths(tf.reshape(x, [-1]), tf.fill([tf.shape(x)[0]], 4))
        return {"stack": array.stack(), "ragged": tf.reduce_sum(ragged, axis=1) * module.v0[0]}

    return save_module(path, module, serve)


@model
def recurrent_training_step(path: Path) -> Feeds:
    """A training signature: loss and updates by an optimizer written out."""
    import tensorflow as tf

    module = make_module([4, 1])

    def serve(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(x @ module.v0))
        module.v0.assign_sub(0.1 * tape.gradient(loss, module.v0))
        return {"loss": loss}

    return save_module(path, module, serve)


@model
def custom_gradient_and_recompute(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([4, 4])

    @tf.custom_gradient
    def clipped(x: Any) -> Any:
        return tf.clip_by_value(x, 0.0, 0.5), lambda up: up

    return save_module(path, module, lambda x: {"y": clipped(x @ module.v0)})
