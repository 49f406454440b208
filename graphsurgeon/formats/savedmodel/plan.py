"""Gather the files of a SavedModel that is to be written: what changed, and what is only carried along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphsurgeon.disk.atomic import Content, copied_from, is_temporary
from graphsurgeon.disk.files import (
    can_list,
    contained,
    exists,
    folder_names,
    is_file,
    is_folder,
    open_source,
    tree_names,
)
from graphsurgeon.disk.places import path_of
from graphsurgeon.formats import registry
from graphsurgeon.formats.checkpoint import find as checkpoint
from graphsurgeon.formats.savedmodel import folder as savedmodel
from graphsurgeon.formats.savedmodel import keras_metadata, parts
from graphsurgeon.formats.target import Target
from graphsurgeon.formats.writing import WritePlan, lower
from graphsurgeon.model.model import Model

_VARIABLES = f"{parts.VARIABLES}/"
_FINGERPRINT_NOTE = f"{parts.FINGERPRINT} was left out: after a change it would be false"


def plan(model: Model, target: Target, *, force: bool, in_place: bool) -> WritePlan:
    """Return all files of a SavedModel; its protobuf alone where that is replaced in its folder."""
    folder = _folder_of(model)
    names = {asset.filename for graph in model.metagraphs for asset in graph.assets if asset.source is None}
    savedmodel.require_inside(folder or target.path, sorted(names))
    files = lower(model, target)
    variables = _variables(model, folder)
    found = WritePlan(target, files)
    is_changed = bool(variables) or not all(map(copied_from, files.values()))
    if folder is None:
        found.files |= variables
    elif in_place and len(files) == 1 and not (variables or _beside_changes(model, folder)):
        return _plan_protobuf_alone(folder, files, is_changed=is_changed)
    else:
        found.files |= _carried(model, folder, found, everything=in_place)
        found.files |= _keras_metadata(model, folder)
        if variables:
            found.files = {name: item for name, item in found.files.items() if not name.startswith(_VARIABLES)}
            found.files |= variables
        if is_changed and found.files.pop(parts.FINGERPRINT, None) is not None:
            found.notes.append(_FINGERPRINT_NOTE)
    found.files |= _new_assets(model)
    if not any(name.startswith(_VARIABLES) for name in found.files):
        found.files[_VARIABLES] = []  # the folder is what loaders of TensorFlow 1 look for
    return found


def _plan_protobuf_alone(folder: Path, files: dict[str, Content], *, is_changed: bool) -> WritePlan:
    """Replace the protobuf in its folder, where variables and assets stay as they are."""
    (name, content), *_ = files.items()
    obsolete = [other for other in parts.MESSAGES if other != name and exists(folder / other)]
    found = WritePlan(Target(registry.SAVED_MODEL, folder / name, None, "file"), {"": content}, obsolete)
    if is_changed and exists(folder / parts.FINGERPRINT):
        found.obsolete.append(parts.FINGERPRINT)
        found.notes.append(_FINGERPRINT_NOTE)
    return found


def _variables(model: Model, folder: Path | None) -> dict[str, Content]:
    """Return the files of the variables, none where those of the source folder can be carried along."""
    if model.checkpoint is None:
        return {}
    is_own = folder is not None and path_of(model.checkpoint.prefix).parent == folder / parts.VARIABLES
    if is_own and checkpoint.is_untouched(model.checkpoint):
        return {}
    return {
        f"{_VARIABLES}{name}": rope
        for name, rope in checkpoint.lower_checkpoint(model.checkpoint, parts.VARIABLES).items()
    }


def _folder_of(model: Model) -> Path | None:
    folder = path_of(model.path)
    return folder if model.traits.layout == "folder" and is_folder(folder) else None


def _carried(model: Model, folder: Path, found: WritePlan, *, everything: bool) -> dict[str, Content]:
    """Return the files of a SavedModel folder that no message describes: assets, variables, files beside them."""
    left_out = {f"{parts.ASSETS}/{name}" for name in _dropped_assets(model)}
    names = [name for name in folder_names(folder) if not is_temporary(name)]
    unknown = [name for name in names if name not in parts.PARTS]
    strangers = [name for name in unknown if name.startswith(".") or is_folder(folder / name)]
    if strangers and not everything:
        found.notes.append(f"not copied, for they do not belong to a SavedModel: {', '.join(strangers[:5])}")
        unknown = [name for name in unknown if name not in strangers]
    tops = [*sorted(parts.PARTS.difference(parts.MESSAGES)), *unknown]
    if model.checkpoint is None and not model.unreadable:
        tops.remove(parts.VARIABLES)
    if _drops_debug_info(model):
        tops.remove(parts.DEBUG)
    below = [name for top in tops for name in _below(folder, top) if name not in left_out]
    if not can_list(folder):
        below += [
            name for name in (f"{parts.ASSETS}/{asset}" for asset in _listed_assets(model)) if name not in left_out
        ]
        found.notes.append("of a server only the files that the model names are copied")
    return {name: [] if name.endswith("/") else contained(folder, name) for name in below}


def _keras_metadata(model: Model, folder: Path) -> dict[str, Content]:
    """Return what Keras 2 keeps of the objects, if it is there and their numbers have changed."""
    if not is_file(folder / keras_metadata.NAME):
        return {}
    data = keras_metadata.renumbered(open_source(contained(folder, keras_metadata.NAME)), model.metagraphs[0])
    return {keras_metadata.NAME: [data]} if data is not None else {}


def _beside_changes(model: Model, folder: Path) -> bool:
    drops_folder = _drops_debug_info(model) and is_folder(folder / parts.DEBUG)
    return bool(_new_assets(model) or _dropped_assets(model) or _keras_metadata(model, folder)) or drops_folder


def _drops_debug_info(model: Model) -> bool:
    contexts = [getattr(graph.raw, "context", None) for graph in model.metagraphs]
    return any(context is not None and context.drops_debug_info for context in contexts)


def _below(folder: Path, top: str) -> list[str]:
    if not is_folder(contained(folder, top)):
        return [top] if exists(folder / top) else []
    return [f"{top}/{name}" for name in tree_names(folder / top)] or [f"{top}/"]


def _new_assets(model: Model) -> dict[str, Content]:
    """Return the files that became assets since the model was read."""
    assets = [asset for graph in model.metagraphs for asset in graph.assets]
    return {f"{parts.ASSETS}/{asset.filename}": Path(asset.source) for asset in assets if asset.source is not None}


def _dropped_assets(model: Model) -> set[str]:
    """Return the names of assets that the file listed and the model no longer does."""
    return _listed_assets(model) - {asset.filename for graph in model.metagraphs for asset in graph.assets}


def _listed_assets(model: Model) -> set[str]:
    """Return the names of assets that the file lists."""
    sources: list[Any] = [graph.raw for graph in model.metagraphs if graph.raw is not None]
    return {asset.filename for source in sources for asset in source.message.asset_file_def}
