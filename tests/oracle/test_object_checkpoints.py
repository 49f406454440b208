"""TensorFlow restores what was cut out of, or renamed in, checkpoints of objects, with equal values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read, write
from graphsurgeon.surgery.extract import extract

pytestmark = pytest.mark.tensorflow


def network(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(2)])


def saved(net: Any, path: Path) -> str:
    """Save a model beside its optimizer: the keys of its weights lie under the optimizer."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam()
    optimizer.build(net.trainable_variables)
    return str(tf.train.Checkpoint(model=net, optimizer=optimizer).save(str(path)))


def assert_same_weights(one: Any, other: Any) -> None:
    for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_all_weights_of_a_keras_model_are_extracted_by_path(tmp_path: Path) -> None:
    import tensorflow as tf

    net, fresh = network(1), network(2)
    model = read(saved(net, tmp_path / "ck"))
    extract(model, match=["model/*"])
    write(model, tmp_path / "part.ckpt")
    tf.train.Checkpoint(model=fresh).restore(str(tmp_path / "part.ckpt")).assert_consumed()
    assert_same_weights(net, fresh)


def test_what_was_left_out_is_missed(tmp_path: Path) -> None:
    """An edge to an object without a value would let both asserts pass over initial values."""
    import tensorflow as tf

    model = read(saved(network(1), tmp_path / "ck"))
    extract(model, match=["model/*/_kernel"])
    write(model, tmp_path / "part.ckpt")
    with pytest.raises(AssertionError, match="not bound"):
        tf.train.Checkpoint(model=network(2)).restore(str(tmp_path / "part.ckpt")).assert_consumed()
