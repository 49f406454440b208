"""What builds the small models of the freezing tests: a builder saves a SavedModel and returns arrays to feed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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


def save_module(path: Path, module: Any, function: Any, **specs: Any) -> Feeds:
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


def make_module(*shapes: list[int], dtype: str = "float32") -> Any:
    """Make a module with variables v0, v1 ... of given shapes."""
    import tensorflow as tf

    module = tf.Module()
    random = np.random.RandomState(1)
    for number, shape in enumerate(shapes):
        setattr(module, f"v{number}", tf.Variable(np.asarray(random.rand(*shape), dtype)))
    return module


def export_keras(path: Path, build: Callable[[Any], Any], **feeds: Any) -> Feeds:
    import keras

    keras.utils.set_random_seed(3)
    network = build(keras.layers)
    network.export(str(path), verbose=False)
    names = [tensor.name for tensor in network.inputs]
    return dict(zip(names, feeds.values(), strict=True))


def save_v1(path: Path, build: Callable[[Any, Any], tuple[dict[str, Any], dict[str, Any]]], **feeds: Any) -> Feeds:
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


def v1_input(v1: Any, tf: Any) -> Any:
    return v1.placeholder(tf.float32, [None, 4], name="x")


def v1_weights(v1: Any, name: str, shape: list[int], *, resource: bool) -> Any:
    return v1.get_variable(name, shape, initializer=v1.random_normal_initializer(seed=len(name)), use_resource=resource)


@contextmanager
def v1_control_flow(v1: Any, *, v2: bool) -> Iterator[None]:
    """Build V1 or V2 control flow within a block."""
    (v1.enable_control_flow_v2 if v2 else v1.disable_control_flow_v2)()
    try:
        yield
    finally:
        v1.enable_control_flow_v2()
