"""Loops and branches that a batch of 1 was folded into: TensorFlow's converter makes them, LiteRT runs them mended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read, surgery, write

pytestmark = [pytest.mark.tensorflow, pytest.mark.litert]


def loop(tf: Any) -> tuple[Any, list[int]]:
    weights = tf.constant(np.random.RandomState(0).rand(8, 8).astype("f") / 8)

    def step(number: Any, state: Any, x: Any) -> Any:
        return number + 1, tf.tanh(tf.reshape(tf.matmul(state, weights), [1, 8]) + x)

    def run(x: Any) -> Any:
        start = [tf.constant(0), tf.zeros([1, 8])]
        return tf.while_loop(lambda number, _: number < 3, lambda number, state: step(number, state, x), start)[1]

    return run, [1, 8]


def branches(tf: Any) -> tuple[Any, list[int]]:
    def run(x: Any) -> Any:
        large = tf.reduce_max(x) > 0.99
        return tf.cond(large, lambda: tf.reshape(x, [1, 4, 2]) * 2.0, lambda: tf.reshape(x, [1, 4, 2]) + 1.0)

    return run, [1, 8]


def filled(tf: Any) -> tuple[Any, list[int]]:
    """What is filled for one example with a number that no batch changes, which the converter does not know."""

    def run(x: Any) -> Any:
        five = tf.reduce_min(tf.maximum(x, 5.0))
        return tf.concat([x, tf.fill([1, 4], five)], 1) * tf.fill([1, 12], five)

    return run, [1, 8]


def tiled(tf: Any) -> tuple[Any, list[int]]:
    def run(x: Any) -> Any:
        five = tf.reshape(tf.reduce_min(tf.maximum(x, 5.0)), [1, 1])
        return tf.tile(tf.concat([x, tf.tile(five, [1, 4])], 1), [1, 2])

    return run, [1, 8]


def layers(*added: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, list[int]]]:
    def make(tf: Any) -> tuple[Any, list[int]]:
        tf.keras.utils.set_random_seed(0)
        return tf.keras.Sequential([tf.keras.Input((5, 3), batch_size=1), *(one(tf) for one in added)]), [1, 5, 3]

    return make


MODELS: dict[str, Callable[[Any], tuple[Any, list[int]]]] = {
    "loop": loop,
    "branches": branches,
    "filled": filled,
    "tiled": tiled,
    "every step": layers(lambda tf: tf.keras.layers.GRU(4, return_sequences=True), lambda tf: tf.keras.layers.Dense(2)),
    "last step": layers(lambda tf: tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(4))),
}


def converted(case: str, path: Path) -> list[int]:
    """Convert a model with its variables frozen; return the shape of its input."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function, shape = MODELS[case](tf)
    traced = tf.function(lambda x: function(x), autograph=False).get_concrete_function(tf.TensorSpec(shape))
    frozen = convert_variables_to_constants_v2(traced)
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert())
    return shape


def run(path: Path, feed: Any, *, plain: bool) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else OpResolverType.AUTO
    interpreter = Interpreter(str(path), experimental_op_resolver_type=kernels)
    (item,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(item["index"], feed.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(item["index"], feed)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


_HOLDS = {"filled": "FILL", "tiled": "TILE"}  # what the converter might have computed


@pytest.mark.parametrize("case", MODELS)
def test_two_examples_are_what_each_is_alone(case: str, tmp_path: Path) -> None:
    before, after = tmp_path / "before.tflite", tmp_path / "after.tflite"
    shape = converted(case, before)
    if case in _HOLDS:
        assert _HOLDS[case] in {node.op for node in read(before).graph}
    feed = np.random.RandomState(1).rand(2, *shape[1:]).astype("f")
    alone = np.concatenate([run(before, feed[number : number + 1], plain=True) for number in range(2)])
    for batch in (None, 2):
        model = read(before)
        place = f"#{model.graph.inputs[0].port}"
        surgery.set_input(model, shapes={place: [batch, *shape[1:]]}, fix_reshapes=True)
        write(model, after, force=True)
        stored = read(after).graph.outputs[0].value.shape
        assert stored is not None
        assert (stored.dims or ())[0] == batch
        for plain in (True, False):
            found = run(after, feed, plain=plain)
            assert found.shape == alone.shape
            assert np.allclose(found, alone, rtol=0, atol=2e-7)
