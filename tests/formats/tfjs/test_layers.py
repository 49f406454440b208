"""TensorFlow.js layers models: layers as nodes, weights of the shards as variables."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.errors import FileError, FormatError
from graphsurgeon.formats import read
from tests.formats.tfjs.test_graph import weight

DENSE = {"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [None, 1], "dtype": "float32"}}
SEQUENTIAL = {"class_name": "Sequential", "config": {"name": "s", "layers": [DENSE]}}


def save(folder: Path, topology: Any, data: bytes | None = None) -> Path:
    if data is not None:
        (folder / "a.bin").write_bytes(data)
    group = {"paths": ["a.bin"], "weights": [weight("d/kernel", [1, 2]), weight("d/bias", [2])]}
    content = {"modelTopology": topology, "weightsManifest": [group], "generatedBy": "TensorFlow.js tfjs-layers v1.3.2"}
    (folder / "model.json").write_text(json.dumps(content))
    return folder / "model.json"


@pytest.mark.parametrize("topology", [SEQUENTIAL, {"model_config": SEQUENTIAL, "keras_version": "2.3.0"}])
def test_layers_and_weights(tmp_path: Path, topology: Any) -> None:
    model = read(save(tmp_path, topology, struct.pack("<4f", 1, 2, 3, 4)))
    assert model.format == "tfjs_layers"
    assert model.graph.op_counts == {"Dense": 1}
    assert model.graph.nodes[0].attrs["units"] == 2
    assert model.checkpoint is not None
    assert {key: variable.tensor.items() for key, variable in model.checkpoint.variables.items()} == {
        "d/kernel": [1, 2],
        "d/bias": [3, 4],
    }
    assert model.notes == []


def test_a_missing_shard(tmp_path: Path) -> None:
    model = read(save(tmp_path, SEQUENTIAL))
    assert model.notes == ["1 shard of weights is missing: a.bin"]
    assert model.checkpoint is not None
    with pytest.raises(FileError):
        model.checkpoint.variables["d/bias"].tensor.tobytes()


def test_no_class_of_model(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="names no class"):
        read(save(tmp_path, {"class_name": 3, "config": {}}))


@pytest.mark.corpus
def test_the_collection(corpus: Path) -> None:
    count = 0
    for path in corpus.rglob("model.json"):
        content = json.loads(path.read_text("utf-8"))
        if "node" in content["modelTopology"]:
            continue
        model = read(path)
        assert model.checkpoint is not None
        entries = [entry for group in content["weightsManifest"] for entry in group["weights"]]
        assert [list(variable.tensor.shape) for variable in model.checkpoint.variables.values()] == [
            entry["shape"] for entry in entries
        ]
        assert all(len(v.tensor.tobytes()) == v.tensor.nbytes for v in model.checkpoint.variables.values())
        count += 1
    assert count > 1


def test_a_manifest_alone(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(struct.pack("<2f", 1, 2))
    path = tmp_path / "weights_manifest.json"
    path.write_text(json.dumps([{"paths": ["a.bin"], "weights": [weight("w", [2])]}]))
    model = read(path)
    assert (model.format, model.metagraphs) == ("tfjs_weights", [])
    assert model.checkpoint is not None
    assert model.checkpoint.variables["w"].tensor.items() == [1, 2]
