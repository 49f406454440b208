"""What lies in a SavedModel's folder beside its graphs: links, assets, the metadata of Keras, programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from graphsurgeon.disk.files import contained, exists, folder_names, is_folder, open_source, tree_names
from graphsurgeon.disk.places import path_of
from graphsurgeon.errors import FileError, FormatError, GraphSurgeonError
from graphsurgeon.formats.graph.metagraph import object_metadata
from graphsurgeon.formats.savedmodel import parts
from graphsurgeon.formats.savedmodel.keras_metadata import NAME as KERAS_METADATA
from graphsurgeon.model.model import Model
from graphsurgeon.scanning.files import foreign, keras
from graphsurgeon.scanning.files.magic import HEAD, program
from graphsurgeon.scanning.finding import Severity, Threat, at_least

_MOST_FILES = 10_000


def threats(model: Model) -> Iterator[Threat]:
    """Yield what the files of a SavedModel hold, its graphs aside."""
    folder = path_of(model.path)
    if not is_folder(folder):
        return
    names = tree_names(folder)
    if len(names) > _MOST_FILES:
        what = f"{len(names)} files, the last of which could not be looked into"
        yield Threat("medium", None, what, str(folder.name), "unknown", None, "unseen")
    for name in names[:_MOST_FILES]:
        if (folder / name).is_symlink() and leads_out(folder, name):
            yield link(folder, name, of_variables=name.split("/")[0] == "variables")
        elif name == KERAS_METADATA:
            yield from keras.in_metadata(open_source(folder / name), name)
        elif not name.endswith("/") and not name.startswith(("variables/", "saved_model.")):
            yield from _file(folder, name)


def others(path: Path, model: Model) -> list[Path]:
    """Return other models that a loader of the same path may take: versions, and a second form of the graph.

    Args:
        path: as given.
        model: what was read of it.
    """
    taken = path_of(model.path)
    if not is_folder(taken):
        return []
    forms = [taken / name for name in parts.MESSAGES if exists(taken / name)]
    if path == taken or not is_folder(path):
        return forms[1:]
    versions = [path / name for name in folder_names(path) if name.isdecimal()]
    found = [version for version in versions if any(exists(version / name) for name in parts.MESSAGES)]
    return [version for version in found if version.name != taken.name] + forms[1:]


def outside_assets(model: Model) -> dict[str, str]:
    """Return assets whose names, or links, lead out of the model's folder: name -> where to."""
    if model.traits.layout != "folder":
        return {}
    folder = path_of(model.path) if is_folder(path_of(model.path)) else path_of(model.path).parent
    names = {asset.filename for metagraph in model.metagraphs for asset in metagraph.assets}
    out = [name for name in names if PurePosixPath(name).is_absolute() or leads_out(folder, f"assets/{name}")]
    return {name: where(folder, f"assets/{name}") for name in out}


def keras_objects(model: Model) -> Iterator[Threat]:
    """Yield what the configurations of layers hold that early Keras 2 kept in the object graph."""
    for metagraph in model.metagraphs:
        for text in object_metadata(metagraph):
            yield from keras.in_bytes(text.encode("utf-8", "surrogateescape"), "object graph")


def unread_assets(outside: dict[str, str], threatened: set[str]) -> Iterator[Threat]:
    """Yield assets that lead out of the folder and that no finding of the graphs names."""
    for name, target in outside.items():
        if target not in threatened:
            what = f"the asset {name} leads out of the model's folder"
            yield Threat("medium", None, what, f"assets > {name}", "unknown", target, "read")


def leads_out(folder: Path, name: str) -> bool:
    """Say whether a name in a folder, or a link on its way, leads out of it."""
    try:
        contained(folder, name)
    except FormatError:
        return True
    return False


def where(folder: Path, name: str) -> str:
    """Return where a name leads: to the end of a link, else as the model spells it."""
    path = folder / name
    return os.path.realpath(path) if path.is_symlink() else name.removeprefix("assets/")


def link(folder: Path, name: str, *, of_variables: bool) -> Threat:
    """Return the finding for a link that leads out of a folder."""
    severity: Severity = "critical" if of_variables else "medium"
    what = "a link out of the model's folder" + (", from which variables are read" if of_variables else "")
    return Threat(severity, None, what, name, "load" if of_variables else "unknown", where(folder, name), "read")


def _file(folder: Path, name: str) -> Iterator[Threat]:
    try:
        source = open_source(folder / name)
        head = source.read_at(0, min(HEAD, source.size))
    except FileError:  # a link that leads nowhere: no file
        return
    what = program(head)
    if what is not None:
        yield Threat(
            "medium", None, f"{what} beside the model, which nothing in it loads", name, "unknown", None, "file"
        )
    elif foreign.is_looked_into(folder / name, head):
        for threat in _scanned(folder / name):
            if at_least(threat.severity, "high"):
                said = f"{threat.what}, in a file beside the model, which nothing in it loads"
                yield replace(threat, severity="medium", what=said, where=f"{name} > {threat.where}", when="unknown")


def _scanned(path: Path) -> Iterator[Threat]:
    from graphsurgeon.scanning.scan import scan

    with suppress(GraphSurgeonError):  # it is no model
        yield from scan(path).findings
