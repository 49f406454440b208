"""Find every model in a folder: a SavedModel is one, and so is a checkpoint with its parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from graphsurgeon.disk.atomic import is_temporary
from graphsurgeon.disk.files import contained, folder_names, is_file, is_folder, is_link, open_source
from graphsurgeon.disk.places import bundle_folder, path_of
from graphsurgeon.errors import FileError
from graphsurgeon.formats import registry
from graphsurgeon.formats.recognise import locate
from graphsurgeon.model.format import Format

# Of files of no known format, those with such names were meant to be models.
_MEANT = frozenset((".pb", ".tflite", ".lite", ".meta", ".h5", ".hdf5", ".keras", ".onnx", ".ckpt", ".safetensors"))
_V1_SHARD = re.compile(r"(.*)-\d{5}-of-\d{5}", re.DOTALL)


class FolderModels(NamedTuple):
    """What lies in a folder.

    Attributes:
        models: paths to read, sorted.
        folders: below this one, that may hold more; bundles are folders, too.
        others: number of files that are no models.
        links: to folders, which are not followed.
    """

    models: list[Path]
    folders: list[Path]
    others: int
    links: list[Path]


def models_in(folder: Path) -> FolderModels:
    """Find the models in a folder, without those in folders below. Reads heads of files; links out are not followed.

    Raises:
        FileError: the folder cannot be listed.
    """
    names = [name for name in folder_names(folder) if not is_temporary(name)]
    folders = [name for name in names if is_folder(folder / name)]
    links = [name for name in folders if is_link(folder / name)]
    below = [name for name in folders if name not in links]
    entry = next((record for record in map(registry.of_entry, names) if record is not None), None)
    if entry is not None:
        return FolderModels([folder], [folder / name for name in below if name not in entry.folder_parts], 0, [])
    files = [name for name in names if name not in folders and is_file(folder / name)]
    models, bundles = _models(folder, files)
    others = len(files) - len(models) - len(bundles)
    deeper = [*(folder / name for name in below), *(bundle_folder(folder / name) for name in bundles)]
    return FolderModels([folder / name for name in models], deeper, others, [folder / name for name in links])


def as_folder(path: Path) -> Path:
    """Return a bundle as the folder that it stands for, any other path as it is."""
    if not is_file(path):
        return path
    record = registry.of_kind(_kind(path.parent, path.name))
    return bundle_folder(path) if record is not None and record.holds_models else path


def _models(folder: Path, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the models among files, and the bundles."""
    bundles: list[str] = []
    known: list[tuple[Format, str, str]] = []
    others: list[str] = []
    for name in names:
        if locate.is_data_file(name):
            continue
        found = _kind(folder, name)
        record = registry.of_kind(found)
        if found == "checkpoint_state":
            continue
        if record is not None and record.holds_models:
            bundles.append(name)
        elif record is not None:
            known.append((record, found or record.name, name))
        elif found not in locate.BESIDE and (found is not None or path_of(name).suffix in _MEANT):
            others.append(name)
    models = locate.without_parts(known)
    return sorted([*_grouped(models), *others]), bundles


def _kind(folder: Path, name: str) -> str | None:
    try:
        file = open_source(contained(folder, name))
        found = locate.kind(file) if file.size else None
        file.close()
    except FileError:
        return None
    return found


def _grouped(names: Sequence[str]) -> list[str]:
    """Leave out a checkpoint whose graph lies beside it, which reads both, and all but one shard of a V1 checkpoint."""
    graphs = {name.removesuffix(".meta") for name in names if name.endswith(".meta")}
    first: dict[str, str] = {}
    for name in sorted(names):
        shard = _V1_SHARD.fullmatch(name)
        prefix = shard[1] if shard else name
        if prefix not in graphs:
            first.setdefault(prefix, name)
    return list(first.values())
