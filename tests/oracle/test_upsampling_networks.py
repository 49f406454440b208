"""Networks with UpSampling2D become graphs of transposed convolutions that compute the same and convert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read
from graphsurgeon.bridges.verify import verifier
from graphsurgeon.edit import edit

pytestmark = pytest.mark.tensorflow

RULE = "upsampling-to-conv-transpose"


def u_net(side: tuple[int, int], factor: int, interpolation: str) -> Any:
    """Return a small U-Net: one way down by pooling, one way up by upsampling, joined with what was before."""
    import keras
    from keras import layers

    image = layers.Input((*side, 3))
    before = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    inside = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D(factor)(before))
    up = layers.UpSampling2D(factor, interpolation=interpolation)(inside)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(layers.Concatenate()([up, before])))


def generator(side: tuple[int, int], factor: int, interpolation: str) -> Any:
    """Return the generator of a GAN: noise to a picture by two upsamplings."""
    import keras
    from keras import layers

    noise = layers.Input((8,))
    x = layers.Reshape((*side, 2))(layers.Dense(side[0] * side[1] * 2)(noise))
    for _ in range(2):
        x = layers.LeakyReLU()(
            layers.Conv2D(3, 3, padding="same")(layers.UpSampling2D(factor, interpolation=interpolation)(x))
        )
    return keras.Model(noise, layers.Conv2D(3, 1, activation="tanh")(x))


def frozen(model: Any, path: Path) -> Path:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    call = tf.function(lambda x: model(x, training=False))
    spec = tf.TensorSpec([2, *model.input_shape[1:]], tf.float32, name="x")
    graph = convert_variables_to_constants_v2(call.get_concrete_function(spec)).graph
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


@pytest.mark.litert
@pytest.mark.parametrize(
    ("build", "side", "factor", "interpolation"),
    [(u_net, (8, 12), 2, "nearest"), (u_net, (9, 3), 3, "bilinear"), (generator, (5, 7), 2, "bilinear")],
)
def test_a_network_computes_the_same_and_converts(
    build: Any, side: tuple[int, int], factor: int, interpolation: str, tmp_path: Path
) -> None:
    source = frozen(build(side, factor, interpolation), tmp_path / "network.pb")
    target = tmp_path / "transposed.pb"
    steps: list[Any] = [("optimize", {}), ("replace", {"rules": rules()})]
    report = edit(source, steps, output=target, verify=verifier(source))
    assert report.verdict is not None
    assert report.verdict.agrees
    ops = {node.op for node in read(target).graph.nodes}
    assert "Conv2DBackpropInput" in ops
    assert not {"ResizeNearestNeighbor", "ResizeBilinear", "Tile"} & ops
    np.testing.assert_allclose(converted(source), converted(target), atol=1e-5)


def rules() -> Any:
    from graphsurgeon.patterns.rules import rule_set

    return rule_set(RULE).rules


def converted(path: Path) -> Any:
    """Return what TFLite's converter makes of a graph yields for seeded numbers."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    graph = read(path).graph
    (out,) = (node.name for node in graph.nodes if not node.consumers and node.op == "Identity")
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(str(path), ["x"], [out])
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    (item,) = interpreter.get_input_details()
    interpreter.set_tensor(item["index"], np.random.default_rng(0).random(item["shape"], np.float32))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
