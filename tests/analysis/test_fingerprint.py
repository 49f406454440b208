"""The checksum of a structure: what two exports of one architecture share, and two architectures do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import new_model, read
from graphsurgeon.analysis.fingerprint import outline, structure
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor

FLOAT, INT = DType.named("float32"), DType.named("int32")


def make(names: tuple[str, str, str], *, weight: float = 1.0, axis: int = 0, op: str = "Relu") -> Model:
    """Make a small graph: a placeholder and a constant, joined, and an op behind them."""
    model = new_model()
    fed, constant, last = names
    graph = model.graph
    x = graph.add_node("Placeholder", fed, (), {"dtype": FLOAT}).outputs[0]
    w = graph.add_node("Const", constant, (), {"value": Tensor.of(FLOAT, (2,), [weight, 2.0]), "dtype": FLOAT}).outputs[
        0
    ]
    at = graph.add_node("Const", f"{last}/axis", (), {"value": Tensor.of(INT, (), [axis]), "dtype": INT}).outputs[0]
    joined = graph.add_node("ConcatV2", f"{last}/joined", (x, w, at), {"N": 2, "T": FLOAT, "Tidx": INT}).outputs[0]
    graph.add_node(op, last, (joined,), {"T": FLOAT})
    return model


def test_names_and_weights_do_not_count() -> None:
    one, other = make(("x", "w", "y")), make(("b/x", "a/kernel", "c/y_3"), weight=7.0)
    assert structure(one) == structure(other) is not None


def test_ops_and_small_integers_do() -> None:
    known = {structure(make(("x", "w", "y"), **options)) for options in ({}, {"axis": 1}, {"op": "Tanh"})}
    assert len(known) == 3


def test_nothing_has_no_checksum() -> None:
    assert structure(new_model()) is None
    assert outline(new_model(), []) is None


@pytest.mark.tensorflow
def test_exports_of_one_architecture(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    def built(units: int) -> keras.Model:
        layers = [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(units, 3), keras.layers.Flatten()]
        return keras.Sequential([*layers, keras.layers.Dense(5)])

    one, twin, wider = built(4), built(4), built(6)
    for name, model in {"one": one, "again": one, "twin": twin, "wider": wider}.items():
        model.export(str(tmp_path / name), verbose=False)
    found = {path.name: structure(read(path)) for path in tmp_path.iterdir()}
    assert found["one"] == found["again"] == found["twin"] != found["wider"]
    lite = {}
    for name in ("one", "twin", "wider"):
        target = tmp_path / f"{name}.tflite"
        target.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / name)).convert())
        lite[name] = structure(read(target))
    assert lite["one"] == lite["twin"] != lite["wider"]
