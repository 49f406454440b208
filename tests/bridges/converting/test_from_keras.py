"""From Keras: what is refused before Keras starts, and an export that computes the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.bridges.converting import from_keras
from graphsurgeon.bridges.converting.convert import convert
from graphsurgeon.errors import UnsupportedError, UsageError
from tests.cli.conftest import GS, gs

__all__ = ["gs"]  # the fixture


def architecture(path: Path, layer: str, config: dict[str, Any]) -> Path:
    """Write a model of one layer as JSON."""
    layers = [{"class_name": layer, "config": {"name": "only", **config}}]
    whole = {"class_name": "Sequential", "config": {"name": "model", "layers": layers}, "keras_version": "2.11.0"}
    path.write_text(json.dumps(whole), "utf-8")
    return path


@pytest.fixture(autouse=True)
def all_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphsurgeon.bridges import child

    monkeypatch.setattr(child, "NEEDS", dict.fromkeys(child.NEEDS, child.Need("it", "it", ())))


def test_an_architecture_alone(tmp_path: Path) -> None:
    source = architecture(tmp_path / "model.json", "Dense", {"units": 2, "activation": "relu"})
    with pytest.raises(UnsupportedError, match=r"loads \.keras and \.h5 files only"):
        convert(source, tmp_path / "out")


def test_options_of_graphs(tmp_path: Path) -> None:
    source = architecture(tmp_path / "model.json", "Dense", {"units": 2})
    with pytest.raises(UsageError, match="--outputs is not for Keras files"):
        convert(source, tmp_path / "out", outputs=["a"])


def test_layers_of_the_browser(tmp_path: Path) -> None:
    layers = [{"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3]}}]
    topology = {"model_config": {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}}
    whole = {"format": "layers-model", "modelTopology": topology, "weightsManifest": []}
    (tmp_path / "model.json").write_text(json.dumps(whole), "utf-8")
    with pytest.raises(UnsupportedError, match="tensorflowjs_converter"):
        convert(tmp_path / "model.json", tmp_path / "out")


@pytest.mark.tensorflow
def test_an_old_file_becomes_a_saved_model(gs: GS, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(3, activation="relu", name="d")])
    for name in ("model.h5", "model.keras"):
        model.save(tmp_path / name)
        found = gs("convert", tmp_path / name, tmp_path / name.replace(".", "_"), "--json").json
        assert (found["verified"], found["written"], found["format"]) == (True, True, "saved_model")
        assert all(row["agrees"] for row in found["outputs"])
    assert (tmp_path / "model_h5" / "saved_model.pb").exists()
    assert gs("convert", tmp_path / "model.h5", tmp_path / "model_h5").status == 2


@pytest.mark.tensorflow
def test_code_is_not_loaded(gs: GS, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Lambda(lambda x: x * 2)])
    model.save(tmp_path / "model.h5")
    done = gs("convert", tmp_path / "model.h5", tmp_path / "out")
    assert done.status == 4
    assert "it holds code: " in done.err


def test_without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> str:
        raise from_keras.PackageNotFoundError

    monkeypatch.setattr(from_keras, "version", missing)
    with pytest.raises(UnsupportedError, match="needs Keras 3"):
        from_keras._keras(Path("x"))
