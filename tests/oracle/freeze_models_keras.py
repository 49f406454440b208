"""Keras networks that break freezing, or that converters look for patterns in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.oracle.freeze_builders import (
    Feeds,
    export_keras,
    model,
)


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

    return export_keras(path, build, image=np.random.RandomState(2).rand(2, 12, 12, 3).astype("float32"))


@model
def keras_rnns(path: Path) -> Feeds:
    import keras

    def build(layers: Any) -> Any:
        tokens = keras.Input([6], dtype="int32", name="tokens")
        y = layers.Embedding(11, 4, mask_zero=True)(tokens)
        y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(y)
        y = layers.GRU(3)(y)
        return keras.Model(tokens, layers.Dense(2)(y))

    return export_keras(path, build, tokens=np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 9]], "int32"))


@model
def keras_stacked_cells(path: Path) -> Feeds:
    import keras

    def build(layers: Any) -> Any:
        x = keras.Input([None, 4], name="x")
        y = layers.RNN([layers.SimpleRNNCell(3), layers.LSTMCell(2)], return_sequences=True)(x)
        return keras.Model(x, layers.TimeDistributed(layers.Dense(2))(y))

    return export_keras(path, build, x=np.random.RandomState(2).rand(2, 5, 4).astype("float32"))


@model
def keras_transformer(path: Path) -> Feeds:
    import keras

    def build(layers: Any) -> Any:
        x = keras.Input([5, 8], name="x")
        y = layers.MultiHeadAttention(2, 4)(x, x)
        y = layers.LayerNormalization()(layers.Add()([x, y]))
        y = layers.Add()([y, layers.Dense(8)(layers.Dense(16, "gelu")(y))])
        return keras.Model(x, layers.LayerNormalization()(y))

    return export_keras(path, build, x=np.random.RandomState(2).rand(2, 5, 8).astype("float32"))
