"""Keras files against Keras, and those of others against h5py: layers, parameters, shapes and values."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from graphsurgeon.analysis.stored_weights.variables import named_variables
from graphsurgeon.formats.keras.file import read
from graphsurgeon.model.checkpoint import Checkpoint


def models() -> dict[str, Any]:
    import keras

    layers = keras.layers
    x = keras.Input((8, 8, 3), name="x")
    shared = layers.Conv2D(4, 3, padding="same", activation="relu", name="shared")
    inner_in = keras.Input((8, 8, 4))
    inner = keras.Model(inner_in, layers.BatchNormalization()(layers.SeparableConv2D(4, 3, padding="same")(inner_in)))
    y = inner(shared(x))
    y = layers.Concatenate()([y, layers.DepthwiseConv2D(3, padding="same")(shared(x))])
    z = layers.Dense(3)(layers.Flatten()(layers.MaxPooling2D()(y)))
    functional = keras.Model(x, [z, layers.Softmax()(z)], name="functional")
    t = keras.Input((None, 5))
    u = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(t)
    u = layers.TimeDistributed(layers.Dense(2))(layers.GRU(3, return_sequences=True)(u))
    u = layers.MultiHeadAttention(2, 4)(u, u)
    recurrent = keras.Model(t, u, name="recurrent")
    sequential = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(10, 4),
            layers.Conv1D(3, 2),
            layers.GlobalAveragePooling1D(),
        ]
    )
    return {"functional": functional, "recurrent": recurrent, "sequential": sequential}


def parameters(checkpoint: Checkpoint) -> list[np.ndarray]:
    named = named_variables(checkpoint)
    not_weights = ("optimizer", "seed_generator")  # of which Keras does not save all
    kept = [one for one in named if one.kind == "variable" and not any(word in one.key for word in not_weights)]
    return [one.variable.tensor.numpy() for one in kept]


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["functional", "recurrent", "sequential"])
@pytest.mark.parametrize("suffix", [".h5", ".keras", ".weights.h5"])
def test_what_keras_saves(tmp_path: Path, name: str, suffix: str) -> None:
    model = models()[name]
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    path = tmp_path / f"m{suffix}"
    (model.save_weights if suffix == ".weights.h5" else model.save)(path)
    ours = read(path)
    assert ours.checkpoint is not None
    theirs = sorted(([*v.shape], float(np.sum(v.numpy()))) for v in model.weights)
    assert sorted(([*a.shape], float(np.sum(a))) for a in parameters(ours.checkpoint)) == theirs
    if suffix != ".weights.h5":
        assert [(node.name, node.op) for node in ours.graph.nodes if "#" not in node.name] == [
            (layer.name, type(layer).__name__) for layer in (model._layers if name == "sequential" else model.layers)
        ]
        inputs = [[None, *value.shape[1:]] for value in model.inputs]
        assert [value.shape.to_json() for value in ours.graph.inputs if value.shape] == inputs
        assert len(ours.graph.outputs) == len(model.outputs)


def corpus_files(corpus: Path) -> list[Path]:
    with (corpus / "MANIFEST.tsv").open(newline="") as rows:
        found = csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [corpus / row["path"] for row in found if row["format"] == "keras"]


@pytest.mark.corpus
def test_files_of_others_are_read_as_h5py_reads_them(corpus: Path) -> None:
    paths = corpus_files(corpus)
    assert len(paths) >= 7
    for path in paths:
        ours = read(path).checkpoint
        assert ours is not None, path
        if path.suffix == ".keras":
            assert sum(a.size for a in parameters(ours)) == 3 * 2 * 4 + 34, path
            continue
        theirs: dict[str, Any] = {}
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item, to=theirs: to.__setitem__(name, item[()]) if hasattr(item, "dtype") else None
            )
        assert set(ours.variables) == set(theirs), path
        for key, value in theirs.items():
            tensor = ours.variables[key].tensor
            assert tensor.dtype.name == value.dtype.name, (path, key)
            assert np.array_equal(tensor.numpy(), value), (path, key)
