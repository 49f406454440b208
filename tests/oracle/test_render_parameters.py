"""What a picture counts as parameters, against what Keras counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphsurgeon
from graphsurgeon.render import View, draw

pytestmark = pytest.mark.tensorflow


def network() -> Any:
    """Return two towers with one encoder, a recurrent layer, normalizations, and constants that are not learnt."""
    import keras
    from keras import layers

    encoder = keras.Sequential(
        [layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.GlobalAveragePooling2D()]
    )
    left, right = keras.Input((8, 8, 2), name="left"), keras.Input((8, 8, 2), name="right")
    steps = keras.Input((5,), dtype="int32", name="steps")
    scaled = layers.Rescaling(1 / 255.0, offset=[0.5, 0.25])(left)
    read = layers.Bidirectional(layers.LSTM(3))(layers.Embedding(11, 6)(steps))
    joined = layers.Concatenate()([encoder(scaled), encoder(right), layers.LayerNormalization()(read)])
    return keras.Model([left, right, steps], layers.Dense(1, name="score")(joined))


def test_parameters_are_those_that_keras_counts(tmp_path: Path) -> None:
    model = network()
    model.export(tmp_path / "saved", verbose=False)
    read = graphsurgeon.read(tmp_path / "saved")
    coarse = draw(read, format="dot", view=View(depth=1)).scene
    assert coarse.facts[0] == f"{model.count_params()} parameters"
    scene = draw(read, format="dot").scene
    boxes = [box for box in scene.boxes if box.parameters]
    recurrent = [box for box in boxes if box.title == "LSTM"]
    assert [box.lines[0] for box in recurrent] == ["3 units · 5 steps"] * 2
    layer = next(layer for layer in model.layers if layer.name.startswith("bidirectional"))
    assert sum(box.parameters for box in recurrent) == layer.count_params()
    twice = [box for box in boxes if any(line.endswith("shared") for line in box.lines)]
    assert len([box for box in twice if box.title.startswith("Conv2D")]) == 2
