"""Readers and writers, one folder or module per format. `read` and `write` choose among them by `registry.py`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from graphsurgeon.disk.places import RemotePath, path_of
from graphsurgeon.errors import FileError, FormatError, UsageError
from graphsurgeon.formats import registry
from graphsurgeon.model.calls import checked_call
from graphsurgeon.model.model import Model, require_read_model

if TYPE_CHECKING:
    from graphsurgeon.disk.files import Progress
    from graphsurgeon.formats.recognise.locate import Location
    from graphsurgeon.formats.writing import WriteReport


@checked_call
def read(path: str | os.PathLike[str], *, force_text: bool = False, listing: bool = False) -> Model:
    """Read a model: a SavedModel, GraphDef, MetaGraph, checkpoint or TFLite file, or a folder that holds one.

    The format is found from content. Values of weights stay on disk.

    Args:
        path: the file, folder, or prefix of a checkpoint.
        force_text: parse a text protobuf of more than 64 MiB too, which takes minutes.
        listing: of a bundle (a ZIP, a tar, a `.litertlm`) return what is in it, as `members` of a model without
            graphs; otherwise it stands for the only model that it holds.

    Raises:
        FileError: a file is missing or unreadable; its subclass FormatError: it is damaged.
        UnsupportedError: the file is of a format that is only recognised.
        UsageError: a folder holds no model, or several.
    """
    from graphsurgeon.disk.atomic import leftovers
    from graphsurgeon.disk.files import is_folder
    from graphsurgeon.formats.recognise import locate

    location = locate.locate(path_of(path), listing=listing)
    try:
        model: Model = registry.module_of(location.traits).read(
            location.path, **_options(location, force_text=force_text)
        )
    except FormatError as error:
        raise _diagnosed(error, location) from error
    except FileError as error:
        raise error.at(location.path) from error
    if model.checkpoint is not None:
        model.checkpoint.of_folder = is_folder(path_of(path))
    model.notes = [*location.notes, *model.notes, *leftovers(path_of(path))]
    if isinstance(location.path, RemotePath):
        from graphsurgeon.disk import remote

        remote.require_unchanged()
    return model


@checked_call
def new_model() -> Model:
    """Return a model with an empty main graph, to be filled with `graph.add_node` and written as any graph format."""
    from graphsurgeon.model.metagraph import MetaGraph

    model = Model(registry.GRAPH_DEF, "new model")
    model.metagraphs = [MetaGraph()]
    return model


@checked_call
def write(
    model: Model,
    target: str | os.PathLike[str],
    *,
    format: str | None = None,
    force: bool = False,
    in_place: bool = False,
    link: bool = False,
    progress: Progress | None = None,
) -> WriteReport:
    """Write a model, atomically: whatever was at the target stays until the new one is complete on disk.

    Args:
        model: what to write; parts that were not changed are copied byte for byte.
        target: where to. The suffix decides the format; no suffix means a SavedModel folder, or the prefix of a
            checkpoint.
        format: overrides the suffix: one of `registry.options()`.
        force: replace an existing model of the same kind.
        in_place: the target is the source, which is replaced.
        link: give unchanged files of a folder a second name (hard link) instead of copying them.
        progress: called with the bytes done and the bytes in all.

    Raises:
        UsageError: the target exists, or is the source, or its format is unclear.
        UnsupportedError: the model cannot be written in that format.
        FileError: the system refuses; nothing has changed.
    """
    from graphsurgeon.formats.writing import plan_write

    require_read_model("write", model)
    if not isinstance(target, str | os.PathLike):
        raise UsageError(f"write takes a path to write to, not {target!r}")
    plan = plan_write(model, target, format=format, force=force, in_place=in_place)
    return plan.write(link=link, progress=progress)


def _options(location: Location, *, force_text: bool) -> dict[str, Any]:
    given = {"is_text": location.is_text, "force_text": force_text}
    return {name: given[name] for name in location.traits.read_options}


def _diagnosed(error: FormatError, location: Location) -> FormatError:
    """Name the file, and add how it was probably damaged."""
    from graphsurgeon.disk.files import is_file, open_source
    from graphsurgeon.formats.recognise import foreign

    error.at(location.path)
    candidates = [path_of(error.path or location.path), *(location.path / name for name in location.traits.entries)]
    damaged = next((path for path in candidates if is_file(path)), None)
    if not error.hint and damaged is not None:
        error.hint = foreign.damage(open_source(damaged)) or "fetch or write it again"
    return error
