"""Small models of the kinds that break freezing, built by TensorFlow when a test asks for them.

Each builder saves a SavedModel and returns arrays to feed. `REFUSED` names those that must be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Feeds = Mapping[str, Any]
Builder = Callable[[Path], Feeds]
BUILDERS: dict[str, Builder] = {}
REFUSED: dict[str, str] = {}  # name -> what the message must hold

X = np.random.RandomState(0).rand(3, 4).astype("float32")


def model(builder: Builder) -> Builder:
    """Enter a builder under its name."""
    BUILDERS[builder.__name__] = builder
    return builder


def refused(text: str) -> Callable[[Builder], Builder]:
    """Enter a builder of a model that must be refused with a message that holds a text."""

    def enter(builder: Builder) -> Builder:
        REFUSED[builder.__name__] = text
        return model(builder)

    return enter


def _save(path: Path, module: Any, function: Any, **specs: Any) -> Feeds:
    """Save a module with one signature; return a feed for each argument."""
    import tensorflow as tf

    given = specs or {"x": X}
    traced = tf.function(function).get_concrete_function(
        **{
            key: tf.TensorSpec([None, *value.shape[1:]] if value.ndim else [], value.dtype, name=key)
            for key, value in given.items()
        }
    )
    tf.saved_model.save(module, str(path), signatures=traced)
    return given


def _module(*shapes: list[int], dtype: str = "float32") -> Any:
    """Make a module with variables v0, v1 ... of given shapes."""
    import tensorflow as tf

    module = tf.Module()
    random = np.random.RandomState(1)
    for number, shape in enumerate(shapes):
        setattr(module, f"v{number}", tf.Variable(np.asarray(random.rand(*shape), dtype)))
    return module


# -- TensorFlow 2 ------------------------------------------------------------------------------------------


@model
def plain(path: Path) -> Feeds:
    module = _module([4, 2], [2])
    return _save(path, module, lambda x: {"y": x @ module.v0 + module.v1})


@model
def read_then_assign_add(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4, 2])
    module.calls = tf.Variable(0.0)

    def serve(x: Any) -> Any:
        y = x @ module.v0 * (1.0 + module.calls)
        module.calls.assign_add(1.0)
        return {"y": y}

    return _save(path, module, serve)


@refused("is changed by")
def output_of_assign_add(path: Path) -> Feeds:
    import tensorflow as tf

    module = tf.Module()
    module.calls = tf.Variable(0.0)
    return _save(path, module, lambda x: {"y": module.calls.assign_add(1.0) + tf.reduce_sum(x)})


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

    return _save(path, module, serve)


@model
def cond_branch_assigns(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4, 4], [])

    def serve(x: Any) -> Any:
        def train() -> Any:
            module.v1.assign_sub(tf.reduce_mean(x))
            return x * 2.0

        return {"y": tf.cond(tf.reduce_sum(x) > 0.0, train, lambda: x @ module.v0)}

    return _save(path, module, serve)


@model
def api_implements_three_times(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4, 4])

    @tf.function(experimental_attributes={"api_implements": "layer_of_this_test"})
    def layer(x: Any) -> Any:
        return tf.tanh(x @ module.v0)

    return _save(path, module, lambda x: {"y": layer(layer(layer(x)))})


@model
def nested_control_flow(path: Path) -> Feeds:
    """While > cond > call + gather, a while in a while, all capturing."""
    import tensorflow as tf

    module = _module([4, 4], [5, 4])

    @tf.function
    def inner(y: Any) -> Any:
        return y @ module.v0 + tf.gather(module.v1, [1, 3, 0])[:, :4]

    def serve(x: Any) -> Any:
        def body(i: Any, y: Any) -> Any:
            y = tf.cond(i > 1, lambda: inner(y), lambda: y @ module.v0 * 0.5)
            _, y = tf.while_loop(lambda j, _: j < 2, lambda j, z: (j + 1, tf.tanh(z + module.v1[0])), [0, y])
            return i + 1, y

        return {"y": tf.while_loop(lambda i, _: i < 4, body, [0, x])[1]}

    return _save(path, module, serve)


@model
def one_while_function_two_variables(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4, 4], [4, 4])

    @tf.function
    def repeat(x: Any, handle: Any) -> Any:
        def read() -> Any:
            return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)

        return tf.while_loop(
            lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(tf.reshape(y @ read(), [-1, 4]))), [0, x]
        )[1]

    return _save(path, module, lambda x: {"y": repeat(repeat(x, module.v0.handle), module.v1.handle)})


@model
def gathers_and_shapes(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([6, 4], [2, 3, 4])

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

    return _save(path, module, serve)


@model
def gradient_inside(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([6, 4])

    def serve(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(module.v0, [1, 1, 2]) * x)
        gradient = tape.gradient(loss, module.v0)
        return {"loss": loss, "gradient": tf.convert_to_tensor(gradient)}

    return _save(path, module, serve)


@model
def keras_case_map_scan(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4, 4], [4])

    def serve(x: Any) -> Any:
        mapped = tf.map_fn(lambda row: tf.linalg.matvec(module.v0, row) + module.v1, x)
        scanned = tf.scan(lambda a, row: a * 0.5 + row * module.v1, x, initializer=module.v1)
        index = tf.cast(tf.reduce_sum(x), tf.int32) % 3
        branches = [lambda: x * module.v1, lambda: x + module.v1, lambda: x - module.v1]
        return {"mapped": mapped, "scanned": scanned, "case": tf.switch_case(index, branches)}

    return _save(path, module, serve)


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

    return _save(path, module, serve, w=np.array([b"c", b"x", b"a"], object))


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
    return _save(path, module, lambda w: {"ids": module.table.lookup(w)}, w=np.array([b"two", b"one", b"no"], object))


@model
def text_vectorization(path: Path) -> Feeds:
    import tensorflow as tf

    file = path.parent / "vocabulary.txt"
    file.write_text("the\nquick\nfox\n", encoding="utf-8")
    module = _module([5, 3])
    initializer = tf.lookup.TextFileInitializer(
        str(file), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    module.table = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=2)

    def serve(text: Any) -> Any:
        words = tf.strings.split(tf.strings.lower(text))
        ids = module.table.lookup(words).to_tensor(default_value=0)
        return {"vectors": tf.gather(module.v0, ids), "lengths": words.row_lengths()}

    return _save(path, module, serve, text=np.array([b"The quick fox", b"a dog", b"fox"], object))


@refused("changes a table")
def table_insert(path: Path) -> Feeds:
    import tensorflow as tf

    module = tf.Module()
    module.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)

    def serve(k: Any) -> Any:
        module.table.insert(k, k * 2)
        return {"y": module.table.lookup(k)}

    return _save(path, module, serve, k=np.array([1, 2], "int64"))


@model
def datasets_inside(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4], [])

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

    return _save(path, module, serve)


@model
def batch_function(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4, 2])

    @tf.nondifferentiable_batch_function(1, 8, 10)
    def batched(x: Any) -> Any:
        return x @ module.v0

    return _save(path, module, lambda x: {"y": batched(x)})


@model
def vectorized(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4, 4])
    return _save(path, module, lambda x: {"y": tf.vectorized_map(lambda row: tf.linalg.matvec(module.v0, row), x)})


@model
def map_defun(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4])

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

    return _save(path, module, serve)


@model
def xla_random_and_identity(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4, 2])

    @tf.function(jit_compile=True)
    def compiled(x: Any) -> Any:
        return x @ module.v0

    def serve(x: Any) -> Any:
        noise = tf.random.stateless_uniform([2], [1, 2])
        return {"y": compiled(x) + noise, "x": x, "same": tf.identity(x)}

    return _save(path, module, serve)


@model
def asserts(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4, 2])

    def serve(x: Any) -> Any:
        tf.debugging.assert_less(x, 10.0)
        checked = tf.debugging.check_numerics(x, "x")
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.ensure_shape(checked @ module.v0, [None, 2]), lambda: x[:, :2])
        return {"y": y}

    return _save(path, module, serve)


@model
def passed_through_functions(path: Path) -> Feeds:
    """A branch that returns one of two handles, and a loop that swaps them."""
    import tensorflow as tf

    module = _module([4, 4], [4, 4])

    def serve(x: Any) -> Any:
        chosen = tf.cond(tf.reduce_sum(x) > 0.0, lambda: module.v0.handle, lambda: module.v1.handle)
        y = x @ tf.raw_ops.ReadVariableOp(resource=chosen, dtype=tf.float32)
        return {"y": y}

    return _save(path, module, serve)


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

    return _save(path, module, serve)


@model
def tensor_list_and_ragged(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4])

    def serve(x: Any) -> Any:
        array = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[4])
        _, array = tf.while_loop(
            lambda i, _: i < tf.shape(x)[0], lambda i, a: (i + 1, a.write(i, x[i] * module.v0)), [0, array]
        )
        ragged = tf.RaggedTensor.from_row_lengths(tf.reshape(x, [-1]), tf.fill([tf.shape(x)[0]], 4))
        return {"stack": array.stack(), "ragged": tf.reduce_sum(ragged, axis=1) * module.v0[0]}

    return _save(path, module, serve)


@model
def recurrent_training_step(path: Path) -> Feeds:
    """A training signature: loss and updates by an optimizer written out."""
    import tensorflow as tf

    module = _module([4, 1])

    def serve(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(x @ module.v0))
        module.v0.assign_sub(0.1 * tape.gradient(loss, module.v0))
        return {"loss": loss}

    return _save(path, module, serve)


@model
def custom_gradient_and_recompute(path: Path) -> Feeds:
    import tensorflow as tf

    module = _module([4, 4])

    @tf.custom_gradient
    def clipped(x: Any) -> Any:
        return tf.clip_by_value(x, 0.0, 0.5), lambda up: up

    return _save(path, module, lambda x: {"y": clipped(x @ module.v0)})


# -- Keras ---------------------------------------------------------------------------------------------------


def _keras(path: Path, build: Callable[[Any], Any], **feeds: Any) -> Feeds:
    import keras

    keras.utils.set_random_seed(3)
    network = build(keras.layers)
    network.export(str(path), verbose=False)
    names = [tensor.name for tensor in network.inputs]
    return dict(zip(names, feeds.values(), strict=True))


@model
def keras_cnn(path: Path) -> Feeds:
    import keras

    def build(layers: Any) -> Any:
        image = keras.Input([12, 12, 3], name="image")
        y = layers.Conv2D(4, 3, padding="same")(image)
        y = layers.BatchNormalization()(y)
        y = layers.ReLU()(layers.SeparableConv2D(6, 3, strides=2)(y))
        y = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(y))
        return keras.Model(image, layers.Dense(3, "softmax")(y))

    return _keras(path, build, image=np.random.RandomState(2).rand(2, 12, 12, 3).astype("float32"))


@model
def keras_rnns(path: Path) -> Feeds:
    import keras

    def build(layers: Any) -> Any:
        tokens = keras.Input([6], dtype="int32", name="tokens")
        y = layers.Embedding(11, 4, mask_zero=True)(tokens)
        y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(y)
        y = layers.GRU(3)(y)
        return keras.Model(tokens, layers.Dense(2)(y))

    return _keras(path, build, tokens=np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 9]], "int32"))


@model
def keras_stacked_cells(path: Path) -> Feeds:
    import keras

    def build(layers: Any) -> Any:
        x = keras.Input([None, 4], name="x")
        y = layers.RNN([layers.SimpleRNNCell(3), layers.LSTMCell(2)], return_sequences=True)(x)
        return keras.Model(x, layers.TimeDistributed(layers.Dense(2))(y))

    return _keras(path, build, x=np.random.RandomState(2).rand(2, 5, 4).astype("float32"))


@model
def keras_transformer(path: Path) -> Feeds:
    import keras

    def build(layers: Any) -> Any:
        x = keras.Input([5, 8], name="x")
        y = layers.MultiHeadAttention(2, 4)(x, x)
        y = layers.LayerNormalization()(layers.Add()([x, y]))
        y = layers.Add()([y, layers.Dense(8)(layers.Dense(16, "gelu")(y))])
        return keras.Model(x, layers.LayerNormalization()(y))

    return _keras(path, build, x=np.random.RandomState(2).rand(2, 5, 8).astype("float32"))


# -- TensorFlow 1 --------------------------------------------------------------------------------------------


def _save_v1(path: Path, build: Callable[[Any, Any], tuple[dict[str, Any], dict[str, Any]]], **feeds: Any) -> Feeds:
    """Save a V1 graph: `build` gets `tf.compat.v1` and returns inputs and outputs of the signature."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(4)
        inputs, outputs = build(v1, tf)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        signature = v1.saved_model.signature_def_utils.predict_signature_def(inputs, outputs)
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=v1.tables_initializer()
        )
        builder.save()
    return feeds or {"x": X}


def _input(v1: Any, tf: Any) -> Any:
    return v1.placeholder(tf.float32, [None, 4], name="x")


def _weights(v1: Any, name: str, shape: list[int], *, resource: bool) -> Any:
    return v1.get_variable(name, shape, initializer=v1.random_normal_initializer(seed=len(name)), use_resource=resource)


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
        x, training = _input(v1, tf), v1.placeholder(tf.bool, [], name="training")
        with _control_flow(v1, v2=control_v2):
            return {"x": x, "training": training}, {"y": _batch_norm(v1, tf, x, training, resource=resource)}

    return _save_v1(path, build, x=X, training=np.array(feed))


class _control_flow:  # noqa: N801
    """Build V1 or V2 control flow within a block."""

    def __init__(self, v1: Any, *, v2: bool) -> None:
        self._switch = v1.enable_control_flow_v2 if v2 else v1.disable_control_flow_v2
        self._restore = v1.enable_control_flow_v2

    def __enter__(self) -> None:
        self._switch()

    def __exit__(self, *_: object) -> None:
        self._restore()


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
        x, w = _input(v1, tf), _weights(v1, "w", [4, 4], resource=resource)
        step = v1.get_variable("step", [], initializer=v1.zeros_initializer(), use_resource=resource)

        def body(i: Any, y: Any, array: Any) -> Any:
            updates = [v1.assign_add(step, 1.0)] if bump else []
            with tf.control_dependencies(updates):
                y = tf.tanh(y @ w)
            return i + 1, y, array.write(i, y)

        with _control_flow(v1, v2=control_v2):
            array = tf.TensorArray(tf.float32, 3)
            _, y, array = v1.while_loop(lambda i, *_: i < 3, body, [0, x, array])
            return {"x": x}, {"y": y, "all": array.stack()}

    return _save_v1(path, build)


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
        x, table = _input(v1, tf), _weights(v1, "table", [5, 4], resource=True)

        def body(i: Any, y: Any) -> Any:
            row = v1.cond(i > 0, lambda: tf.gather(table, i), lambda: y[0])
            return i + 1, y + tf.gather(table, [i, 0, 1]) + row

        with _control_flow(v1, v2=False):
            return {"x": x}, {"y": v1.while_loop(lambda i, _: i < 3, body, [0, x])[1]}

    return _save_v1(path, build)


@model
def v1_functions_in_control_flow(path: Path) -> Feeds:
    """A function with constants, called in a while body and in a branch, and one with a loop, called twice."""
    from tensorflow.python.framework import function

    def build(v1: Any, tf: Any) -> Any:
        x = _input(v1, tf)

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

        with _control_flow(v1, v2=False):
            y = v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, shaped(y)), [0, x])[1]
            y = v1.cond(tf.reduce_sum(x) < 0.0, lambda: constant_only(x) * x, lambda: shaped(y))
            return {"x": x}, {"y": looping(y) + looping(x)}

    return _save_v1(path, build)


@model
def v1_assert_in_branch(path: Path) -> Feeds:
    from tensorflow.python.framework import function

    def build(v1: Any, tf: Any) -> Any:
        x = _input(v1, tf)

        @function.Defun(tf.float32)
        def checked(a: Any) -> Any:
            with tf.control_dependencies([v1.assert_less(a, 100.0)]):
                return tf.identity(a) * 2.0

        with _control_flow(v1, v2=False):
            return {"x": x}, {"y": v1.cond(tf.reduce_sum(x) > 0.0, lambda: checked(x), lambda: x)}

    return _save_v1(path, build)


@model
def v1_default_phase(path: Path) -> Feeds:
    """Dropout and batch norm under a phase that is false by default."""

    def build(v1: Any, tf: Any) -> Any:
        x = _input(v1, tf)
        phase = v1.placeholder_with_default(False, [], name="phase")
        with _control_flow(v1, v2=False):
            y = v1.cond(phase, lambda: v1.nn.dropout(x, rate=0.5), lambda: tf.identity(x))
            y = _batch_norm(v1, tf, y, phase, resource=False)
            y = v1.cond(tf.logical_not(phase), lambda: y * 2.0, lambda: y)
        return {"x": x}, {"y": y}

    return _save_v1(path, build)


@refused("makes of variable")
def v1_output_of_assign_add(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, n = _input(v1, tf), v1.get_variable("n", [], initializer=v1.zeros_initializer(), use_resource=False)
        return {"x": x}, {"y": v1.assign_add(n, 1.0) + tf.reduce_sum(x)}

    return _save_v1(path, build)


@model
def v1_ref_oddities(path: Path) -> Feeds:
    """A string variable, an update off the path, colocation, a device, partitions, a check for uninitialized."""

    def build(v1: Any, tf: Any) -> Any:
        x = _input(v1, tf)
        names = v1.get_variable("names", initializer=tf.constant(["a", "b"]), use_resource=False, trainable=False)
        table = _weights(v1, "table", [5, 4], resource=False)
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

    return _save_v1(path, build)


@model
def v1_nested_loops_and_conds(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, w = _input(v1, tf), _weights(v1, "w", [4, 4], resource=False)
        r = _weights(v1, "rr", [4], resource=True)

        def inner(j: Any, z: Any) -> Any:
            return j + 1, v1.cond(tf.equal(j % 2, 0), lambda: tf.tanh(z @ w), lambda: z * r)

        def body(i: Any, y: Any) -> Any:
            return i + 1, v1.while_loop(lambda j, _: j < 3, inner, [0, y])[1]

        with _control_flow(v1, v2=False):
            return {"x": x}, {"y": v1.while_loop(lambda i, _: i < 2, body, [0, x])[1]}

    return _save_v1(path, build)


@model
def v1_table_in_loop(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x = v1.placeholder(tf.int64, [None], name="k")
        keys = tf.constant([1, 2, 3], tf.int64)
        table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, keys * 10), -1)
        with _control_flow(v1, v2=False):
            return {"k": x}, {
                "y": v1.while_loop(lambda i, _: i < 2, lambda i, s: (i + 1, s + table.lookup(x)), [0, x])[1]
            }

    return _save_v1(path, build, k=np.array([1, 3, 5], "int64"))
