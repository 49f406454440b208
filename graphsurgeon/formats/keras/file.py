"""Keras files: a whole model in HDF5, a `.keras` archive, weights alone in HDF5, an architecture in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsurgeon.disk.files import Rope, SourceFile, open_source
from graphsurgeon.encoding import hdf5
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats import registry
from graphsurgeon.formats.keras import lift
from graphsurgeon.formats.keras.archive import Archive, FileWindow, Readable
from graphsurgeon.formats.keras.source import KerasSource
from graphsurgeon.formats.keras.weights import is_weights, read_weights
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model

if TYPE_CHECKING:
    from graphsurgeon.formats.keras.mend import Mended

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MODEL_CONFIG, TRAINING_CONFIG = "model_config", "training_config"
_MOST_JSON = 16 << 20  # bytes of a configuration; those of the largest models have a few


def sniff(file: SourceFile) -> bool:
    """Say whether an HDF5 file holds a Keras model or weights, whose names stand anywhere in it."""
    try:
        found = hdf5.open_file(file)
        return MODEL_CONFIG in found.root.attributes or is_weights(found)
    except FormatError:  # too damaged to say: the answer is no
        return False


def read(path: Path) -> Model:
    """Read a Keras file. Values of weights stay in it; nothing in it is unpickled, unmarshalled or run.

    Raises:
        FormatError: the file is damaged.
        FileError: it is missing or unreadable.
        UnsupportedError: it is an HDF5 file of another kind.
    """
    source = open_source(path)
    start = source.read_at(0, min(source.size, 4))
    model = Model(registry.KERAS, str(path))
    model.files = {str(path): source.size}
    try:
        if start[:2] == b"PK":
            _read_archive(model, source)
        elif hdf5.is_hdf5(source):
            _read_hdf5(model, source)
        else:
            _lift(model, parse_config(source.read_at(0, _bounded(source.size)).decode("utf-8", "replace")), {})
    except FormatError as error:
        raise error.at(path) from error
    return model


def parse_config(text: str) -> Mapping[str, Any]:
    """Return the object of a configuration in JSON.

    Raises:
        FormatError: it is no JSON, or no object.
    """
    if len(text) > _MOST_JSON:
        raise FormatError(f"a configuration of {len(text)} characters is too long")
    try:
        found = json.loads(text)
        if isinstance(found, str):  # some writers encode it twice
            found = json.loads(found)
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FormatError(f"its configuration is no JSON: {what}") from error
    if not isinstance(found, dict):
        raise FormatError("its configuration is no JSON object")
    return found


def lower_for(model: Model, release: str) -> tuple[Rope, Mended]:
    """Return the pieces of the file as another release loads it, and what was changed; see `convert`."""
    from graphsurgeon.formats.keras import convert  # not needed to look at a model

    return convert.lower_for(model, release)


def _bounded(size: int) -> int:
    if size > _MOST_JSON:
        raise FormatError(f"a configuration of {size} bytes is too long")
    return size


def _read_hdf5(model: Model, source: SourceFile) -> None:
    window = FileWindow(source)
    file = hdf5.open_file(window)
    model.raw = file
    config = file.root.text(MODEL_CONFIG)
    if not config and not is_weights(file):
        raise UnsupportedError("this is an HDF5 file, but not one that Keras wrote", path=source.path)
    if config:
        training = file.root.text(TRAINING_CONFIG)
        facts = {"keras_version": file.root.text("keras_version"), "backend": file.root.text("backend")}
        _lift(model, parse_config(config), facts | {"training": parse_config(training) if training else None})
    _read_weights(model, file, window)


def _read_archive(model: Model, source: SourceFile) -> None:
    archive = Archive(source)
    if CONFIG not in archive.names:
        raise FormatError(f"the archive has no {CONFIG}, which every .keras file has", path=source.path)
    metadata = parse_config(archive.text(METADATA, _MOST_JSON)) if METADATA in archive.names else {}
    config = parse_config(archive.text(CONFIG, _MOST_JSON))
    training = {"compile_config": config.get("compile_config")} if config.get("compile_config") else None
    _lift(model, config, {"keras_version": metadata.get("keras_version", ""), "training": training})
    if WEIGHTS not in archive.names:
        others = [name for name in archive.names if name.startswith("model.weights")]
        model.unreadable = f"the weights are not in {WEIGHTS}" + (f" but in {', '.join(others[:5])}" if others else "")
        model.notes.append(model.unreadable)
        return
    window = archive.member(WEIGHTS)
    file = hdf5.open_file(window)
    model.raw = file
    _read_weights(model, file, window)


def _read_weights(model: Model, file: hdf5.File, window: Readable) -> None:
    model.checkpoint, notes = read_weights(file, window, model.path)
    model.notes += notes


def _lift(model: Model, config: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    inner = config.get("model_config", config)  # of older JSON files, beside the version
    if not isinstance(inner, Mapping) or not isinstance(inner.get("class_name"), str):
        raise FormatError("its configuration names no class of model")
    training = facts.get("training")
    version = facts.get("keras_version") or config.get("keras_version")
    metagraph = lift.lift(inner)
    known = version if isinstance(version, str) else ""
    metagraph.raw = KerasSource(inner, training if isinstance(training, Mapping) else None, known)
    backend = facts.get("backend") or config.get("backend")
    metagraph.producer = {
        "framework": "Keras",
        "version": version if isinstance(version, str) else None,
        "tensorflow": None,
        "description": _description(inner, backend, training),
    }
    model.metagraphs = [metagraph]
    model.notes += _notes(metagraph)


def _description(config: Mapping[str, Any], backend: Any, training: Any) -> str:
    kind = config["class_name"]
    parts = [("" if kind == "Model" else f"{kind} ") + "model" + (f" on {backend}" if backend else "")]
    if isinstance(training, Mapping):
        optimizer = _class_name(training.get("optimizer_config")) or _class_name(
            (training.get("compile_config") or {}).get("optimizer")
        )
        parts.append(f"compiled with {optimizer}" if optimizer else "compiled")
    return ", ".join(parts)


def _class_name(value: Any) -> str:
    found = value.get("class_name") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else ""


def _notes(metagraph: MetaGraph) -> list[str]:
    code = [node.name for graph in metagraph.graphs for node in graph.nodes if node.op == "Lambda"]
    if not code:
        return []
    which = f"layer {code[0]!r} is a Lambda" if len(code) == 1 else f"{len(code)} layers are Lambdas ({code[0]!r}, ...)"
    return [f"{which}: marshalled code of one version of Python, not portable; Keras runs it, gs does not"]
