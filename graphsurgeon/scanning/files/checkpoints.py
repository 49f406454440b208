"""What leads out of a checkpoint's folder: links that its files are, and what its file `checkpoint` names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from graphsurgeon.disk.files import can_list, folder_names, is_file, is_folder
from graphsurgeon.disk.places import path_of
from graphsurgeon.formats.checkpoint.state import INDEX, read_state
from graphsurgeon.model.checkpoint import STATE_FILE
from graphsurgeon.model.model import Model
from graphsurgeon.scanning.files.folder import leads_out, link
from graphsurgeon.scanning.finding import Severity, Threat

_PART = r"(\.index|\.meta|\.data-\d{5,}-of-\d{5,}|-\d{5,}-of-\d{5,})?"  # what follows the name of a checkpoint


def threats(model: Model) -> Iterator[Threat]:
    """Yield what leads out of the folder of the checkpoint that a model's variables come from; see `in_folder`."""
    if model.checkpoint is None:
        return
    folder, name = os.path.split(model.checkpoint.prefix)
    yield from in_folder(path_of(folder or "."), name, of_all=is_folder(path_of(model.path)))


def in_folder(folder: Path, name: str | None = None, *, of_all: bool = True) -> Iterator[Threat]:
    """Yield links out of a folder of checkpoints, and a latest checkpoint that its state file finds elsewhere.

    Args:
        folder: where the files lie.
        name: of the checkpoint that is read; None where that could not be found out, and any may be.
        of_all: tell of links too that are none of its files.
    """
    if not can_list(folder) or not is_folder(folder):
        return
    own = re.compile((re.escape(name) + _PART) if name is not None else f".+{_PART.removesuffix('?')}", re.DOTALL)
    for one in folder_names(folder):
        is_own = one == STATE_FILE or own.fullmatch(one) is not None
        if (is_own or of_all) and (folder / one).is_symlink() and leads_out(folder, one):
            yield link(folder, one, of_variables=is_own)
    yield from _named_elsewhere(folder)


def _named_elsewhere(folder: Path) -> Iterator[Threat]:
    """Yield the latest checkpoint of a state file that lies in another folder.

    Savers of TensorFlow 1 write absolute paths: where one leads nowhere, the folder was moved, and nothing is read.
    """
    state = read_state(folder)
    if state is None or not state.latest:
        return
    place = folder / state.latest
    if not place.name or Path(os.path.realpath(place.parent)).is_relative_to(os.path.realpath(folder)):
        return
    is_there = is_file(place.with_name(place.name + INDEX)) or is_file(place)
    is_read = is_there or ".." in PurePosixPath(state.latest).parts
    severity: Severity = "critical" if is_read else "info"
    what = "names a checkpoint out of the model's folder, from which variables are read"
    if not is_read:
        what = "names a checkpoint in another folder, which is not there"
    target = os.path.realpath(place) if is_there else state.latest
    yield Threat(severity, None, what, STATE_FILE, "load" if is_read else "unknown", target, "read")


def unreadable(path: Path) -> list[Threat]:
    """Return what leads out of a folder whose checkpoint cannot be read for that reason; nothing for others."""
    if not is_folder(path):
        return []
    return [threat for threat in in_folder(path) if threat.severity == "critical"]
