"""The runner that verification is given: finds out how a file is loaded, and has a child process run the calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphsurgeon.bridges.child import ask, runtime_of
from graphsurgeon.bridges.probe import written
from graphsurgeon.compare.entries import OneRun, RunOutcome
from graphsurgeon.disk.files import is_folder
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats import read
from graphsurgeon.formats.recognise import locate
from graphsurgeon.formats.recognise.locate import Location
from graphsurgeon.model.format import TENSORFLOW, Format

_OF_LOADER = {"session": "tensorflow", "object": "tensorflow", "interpreter": "litert"}


def run_calls(
    path: Path,
    calls: Sequence[OneRun],
    *,
    tags: Sequence[str] | None = None,
    checkpoint: str | None = None,
    stand: Path | None = None,
) -> list[RunOutcome]:
    """Run calls on a model file, all in one child process.

    Args:
        path: the model.
        calls: what to run.
        tags: of the MetaGraph.
        checkpoint: prefix of the variables of a `.meta`; None looks beside it.
        stand: the folder that relative paths in the model start from; a scratch folder without one. What the model
            may do there is for the caller to ask: see `guard.require_allowed`.

    Raises:
        UnsupportedError: the extra is missing, the runtime crashes or cannot load the model, or it has no graph.
    """
    location = locate.locate(path)
    runtime = _runtime(location, calls, path)
    if runtime not in _OF_LOADER.values():
        if _is_read(location):
            return ask(runtime, {"path": str(_place(location))}, calls, stand=stand)
        with written(read(path)) as binary:
            return ask(runtime, {"path": str(binary)}, calls, stand=stand)
    if runtime == "litert":
        inside = any(call.signature is None for call in calls)
        return ask("litert", {"path": str(location.path), "inside": inside}, calls, stand=stand)
    source = _source(location, tags, checkpoint)
    is_read = location.traits.runtime == "tensorflow"
    if is_read and (not location.is_text or location.traits.layout == "folder"):
        return ask("tensorflow", source, calls, stand=stand)
    with written(read(path)) as binary:  # the runtime's own loaders read no text, and no other format
        return ask("tensorflow", {**source, "path": str(binary)}, calls, stand=stand)


def _runtime(location: Location, calls: Sequence[OneRun], path: Path) -> str:
    """Return what runs calls: their loader says it."""
    usual = runtime_of(location.traits, path, hint="gs diff compares its values")
    return _OF_LOADER.get(calls[0].loader, calls[0].loader) if calls else usual


def _is_read(location: Location) -> bool:
    """Say whether other runtimes read a file as it is: no graph of TensorFlow that is text, or in another wrapping."""
    return bool(location.traits.runtimes) and (not location.is_text or location.traits.vocabulary != TENSORFLOW)


def _place(location: Location) -> Path:
    is_entry = location.traits.layout == "folder" and not is_folder(location.path)
    return location.path.parent if is_entry else location.path


def _source(location: Location, tags: Sequence[str] | None, checkpoint: str | None) -> dict[str, Any]:
    path = location.path
    if location.traits.layout == "folder" and not is_folder(path):
        if path.name not in location.traits.entries:
            raise UnsupportedError(
                "TensorFlow loads a SavedModel from a folder only", path=path, hint="put it into one as saved_model.pb"
            )
        path = path.parent
    if location.traits.variables == "beside" and checkpoint is None:
        beside = str(path).removesuffix(".meta")
        checkpoint = beside if Path(f"{beside}.index").exists() or Path(beside).is_file() else None
    return {
        "path": str(path),
        "holds": _holds(location.traits),
        "tags": [tag for tag in tags or () if tag != "none"],
        "checkpoint": checkpoint,
    }


def _holds(traits: Format) -> str:
    if traits.layout == "folder":
        return "saved model"
    return "metagraph" if traits.variables == "beside" else "graph"
