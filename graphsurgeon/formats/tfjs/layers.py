"""A TensorFlow.js layers model: a Keras configuration in JSON, its weights in shards beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphsurgeon.disk.files import Piece, SourceFile, open_source
from graphsurgeon.errors import FormatError
from graphsurgeon.formats import registry
from graphsurgeon.formats.keras import lift
from graphsurgeon.formats.tfjs import topology
from graphsurgeon.formats.tfjs.weights import ManifestWeight, Shards, pieces, read_manifest, strings
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor


def read(path: Path) -> Model:
    """Read `model.json` of a layers model; values stay in the shards.

    Raises:
        FormatError: the JSON is damaged, or names no class of model.
        FileError: the file is missing or unreadable.
    """
    source = open_source(path)
    content = topology.load(source)
    metagraph = lift.lift(_config(content.get("modelTopology")))
    metagraph.producer = _producer(content)
    model = Model(registry.TFJS_LAYERS, str(path))
    model.metagraphs = [metagraph]
    _add_weights(model, content.get("weightsManifest", []), source)
    return model


def read_weights(path: Path) -> Model:
    """Read a manifest of weights alone, as the first converters and some projects write it.

    Raises:
        FormatError: the JSON is damaged, or no manifest.
        FileError: the file is missing or unreadable.
    """
    source = open_source(path)
    model = Model(registry.TFJS_WEIGHTS, str(path))
    _add_weights(model, topology.load_any(source), source)
    return model


def _add_weights(model: Model, manifest: object, source: SourceFile) -> None:
    weights, shards = read_manifest(manifest, source.path.parent)
    variables = {name: Variable(name, _tensor(weight, shards)) for name, weight in weights.items()}
    model.checkpoint = Checkpoint(model.path, 2, variables)
    model.files = {model.path: source.size, **shards.sizes()}
    model.notes = topology.missing_shards(shards)


def _config(found: object) -> Mapping[str, Any]:
    """Return the configuration: of Keras's own files it stands beside versions and settings of the training."""
    inner = found.get("model_config", found) if isinstance(found, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("class_name"), str):
        raise FormatError("modelTopology names no class of model")
    return inner


def _producer(content: Mapping[str, Any]) -> dict[str, Any]:
    made, converted = content.get("generatedBy"), content.get("convertedBy")
    version = content["modelTopology"].get("keras_version")
    return {
        "framework": "TensorFlow.js" if isinstance(made, str) and made.startswith("TensorFlow.js") else "Keras",
        "version": version if isinstance(version, str) else None,
        "tensorflow": None,
        "description": converted if isinstance(converted, str) else None,
    }


def _tensor(weight: ManifestWeight, shards: Shards) -> Tensor:
    return Tensor(weight.dtype, Shape(weight.shape), WeightSource(weight, shards))


class WeightSource:
    """Elements of a weight, as a `TensorSource`."""

    __slots__ = ("shards", "weight")

    def __init__(self, weight: ManifestWeight, shards: Shards) -> None:
        self.weight = weight
        self.shards = shards

    @property
    def nbytes(self) -> int:
        """Bytes of the elements; of strings, whose length stands in a shard, none."""
        return self.weight.size * self.weight.dtype.itemsize

    def chunks(self) -> Iterator[bytes]:
        """Yield the elements. Reads the shards.

        Raises:
            FileError: a shard is missing or short.
        """
        for piece in self._pieces():
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from piece.chunks()

    def strings(self) -> list[bytes]:
        """Return the elements of a string tensor. Reads the shards."""
        return strings(self.weight, self.shards)

    def _pieces(self) -> list[Piece]:
        if self.weight.dtype is STRING:
            raise FormatError(f"weight {self.weight.name!r} holds strings")
        return pieces(self.weight, self.shards, self.weight.dtype)
