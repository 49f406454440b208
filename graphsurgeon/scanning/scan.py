"""Look at a model file as a whole: its graphs, and what lies around them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from graphsurgeon.disk.files import is_folder
from graphsurgeon.disk.places import path_of
from graphsurgeon.errors import FileError, GraphSurgeonError, UnsupportedError, UsageError
from graphsurgeon.formats import read, registry
from graphsurgeon.formats.graph.graphbytes import metagraph_of
from graphsurgeon.formats.savedmodel import folder as saved_model
from graphsurgeon.model.format import TENSORFLOW, TFLITE
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.scanning import other_ops
from graphsurgeon.scanning.allow import is_allowed
from graphsurgeon.scanning.files import checkpoints, folder, foreign, tflite_file
from graphsurgeon.scanning.finding import Threat, gathered
from graphsurgeon.scanning.flow.variables import in_variables, stored
from graphsurgeon.scanning.graphs import Surroundings, judge_graphs, judge_metagraph


@dataclass(frozen=True)
class ScanReport:
    """What a model file could do.

    Attributes:
        path: as given.
        format: of the model, or what a file of another kind is.
        findings: the worst first.
        allowed: findings that were allowed, and are not among the others.
    """

    path: str
    format: str
    findings: tuple[Threat, ...]
    allowed: tuple[Threat, ...] = ()


def scan(path: str | os.PathLike[str], *, allow: Sequence[str] = (), force_text: bool = False) -> ScanReport:
    """Say what a model file could do to the machine that loads or runs it. Nothing of it is run.

    Args:
        path: a model of any format, or a file that holds code beside a model (an archive, a pickle).
        allow: `OP`, `OP:PATH` with a glob, of findings that are known and wanted.
        force_text: parse a text protobuf of more than 64 MiB too.

    Raises:
        FileError: a file is missing, unreadable or damaged.
        UsageError: a folder holds no model, or several.
    """
    kind = foreign.kind(path_of(path))
    if kind is not None:
        return _report(path, kind, foreign.threats(path_of(path), kind), allow)
    try:
        model = read(path, force_text=force_text)
    except UnsupportedError as error:
        what = f"could not be looked into: {error.message}"
        return _report(path, "unknown", [Threat("medium", None, what, path_of(path).name, kind="unseen")], allow)
    except (FileError, UsageError):  # where a link is not followed, that is what is to be told
        leading_out = checkpoints.unreadable(path_of(path))
        if not leading_out:
            raise
        return _report(path, registry.CHECKPOINT.name, leading_out, allow)
    return scan_read(path, model, allow=allow, force_text=force_text)


def scan_read(
    path: str | os.PathLike[str], model: Model, *, allow: Sequence[str] = (), force_text: bool = False
) -> ScanReport:
    """Say what a model that was read from a path could do, and what lies beside it there; see `scan`."""
    return _report(path, model.format, [*scan_model(model), *_beside(path_of(path), model, force_text)], allow)


def _beside(path: Path, model: Model, force_text: bool) -> Iterator[Threat]:
    """Yield what other graphs could do that a loader may take instead: older versions, a second form of the graph."""
    for place in folder.others(path, model):
        name = place.name
        try:
            other = read(place, force_text=force_text) if is_folder(place) else saved_model.read(place)
        except GraphSurgeonError as error:
            yield Threat("medium", None, f"could not be looked into: {error.message}", name, kind="unseen")
            continue
        yield from (replace(threat, where=f"{name} > {threat.where}") for threat in scan_model(other))


def scan_model(model: Model) -> list[Threat]:
    """Return what a model that was read could do."""
    return gathered(_threats(model))


def _threats(model: Model) -> Iterator[Threat]:
    if model.traits.vocabulary not in ("", TENSORFLOW, TFLITE):
        yield from other_ops.threats(model)
        return
    around = surroundings(model)
    found = judge_graphs(model, around)
    yield from found
    if model.traits.layout == "folder":
        yield from folder.threats(model)
        yield from folder.keras_objects(model)
        yield from folder.unread_assets(dict(around.outside), {text for threat in found for text in threat.targets})
    elif model.traits.vocabulary == TFLITE:
        yield from tflite_file.threats(model)
    else:
        yield from checkpoints.threats(model)
    yield from in_variables(model, metagraph_of)


def surroundings(model: Model, fetched: Iterable[Node] = ()) -> Surroundings:
    """Return what the graphs of a model are judged with."""
    custom = None
    if model.traits.vocabulary == TFLITE:
        from graphsurgeon.formats.tflite.file import custom_ops

        custom = custom_ops(model)
    outside = folder.outside_assets(model)
    return Surroundings(
        metagraph_of, model.traits.layout != "folder", outside, 0, custom, stored(model), tuple(fetched)
    )


def judge_run(model: Model, metagraph: MetaGraph, fetched: Iterable[Node]) -> list[Threat]:
    """Return what loading a model and asking for some nodes does to the machine."""
    if model.traits.vocabulary not in (TENSORFLOW, TFLITE):
        return []
    found = judge_metagraph(metagraph, surroundings(model, fetched))
    whens = ("load", "function:run")
    return [threat for threat in found if threat.when in whens or model.traits.vocabulary == TFLITE]


def _report(path: str | os.PathLike[str], format: str, threats: Iterable[Threat], allow: Sequence[str]) -> ScanReport:
    found = gathered(threats)
    allowed = tuple(threat for threat in found if is_allowed(threat, allow))
    return ScanReport(os.fspath(path), format, tuple(threat for threat in found if threat not in allowed), allowed)


__all__ = ["ScanReport", "judge_graphs", "judge_run", "scan", "scan_model", "surroundings"]
