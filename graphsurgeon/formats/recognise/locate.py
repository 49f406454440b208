"""Find the model that a path stands for, and its format: by content, never by suffix.

A folder is read as: `saved_model.pb` or `.pbtxt`; else a `checkpoint` file or the only `.index`, with the `.meta` of
that checkpoint if there is one; else numbered versions, of which the newest counts; else the only model file. A
checkpoint beside other models is ambiguous. Suffixes serve messages alone.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from graphsurgeon.disk.atomic import is_temporary, leftovers
from graphsurgeon.disk.files import SourceFile, contained, exists, folder_names, is_file, is_folder, open_source
from graphsurgeon.disk.places import MemberPath, RemotePath, bundle_folder, path_of
from graphsurgeon.encoding import sstable
from graphsurgeon.errors import FileError, FormatError, GraphSurgeonError, UsageError
from graphsurgeon.formats import registry
from graphsurgeon.formats.recognise import foreign, protobufs, texts
from graphsurgeon.formats.savedmodel import parts
from graphsurgeon.model.format import Format
from graphsurgeon.model.model import FormatName

_VARIABLES_INDEX = f"{parts.VARIABLES}/{parts.VARIABLES}.index"
# What lies beside models and is not worth an error of its own when a folder is searched.
BESIDE = {
    "text", "json", "json_error", "text_proto", "program", "html", "xml", "lfs", "image", "pdf", "label_map",
    "pipeline_config", "op_list", "notebook", "fingerprint", "keras_metadata", "debug_info", "hub_module",
    "hugging_face_config", "events", "tfrecord", "npy", "elf", "sqlite", "parquet",
}  # fmt: skip
_STATE_FILE = "checkpoint"
_ESTIMATOR_GRAPH = "graph.pbtxt"  # what an Estimator writes of the graph that is in the `.meta` too
_STATE = "checkpoint_state"  # the file that names the latest checkpoint of its folder
_DATA_FILE = re.compile(r".*\.data-\d{5}-of-\d{5}", re.DOTALL)
_V1_SHARD = re.compile(r"-\d{5}-of-\d{5}")
_LONGEST_MAGIC = 512  # bytes from the start that hold the marks of records
_MOST_FILES = 1000  # of a folder that are looked into


@dataclass(frozen=True)
class Location:
    """Where a model lies.

    Attributes:
        traits: the format that it is of.
        path: what to give to that reader: a file, a folder or the prefix of a checkpoint.
        is_text: a protobuf in text form.
        notes: how it was found, for the user.
    """

    traits: Format
    path: Path
    is_text: bool = False
    notes: tuple[str, ...] = ()

    @property
    def format(self) -> FormatName:
        """The name of the format."""
        return self.traits.name


def locate(path: Path, *, listing: bool = False) -> Location:
    """Find the model that a path stands for. Reads the head of files.

    Args:
        path: a file, a folder, the prefix of a checkpoint.
        listing: a bundle stands for itself, and not for the only model in it.

    Raises:
        FileError: there is nothing, or nothing readable.
        FormatError: the file is empty or of no format at all.
        UnsupportedError: the file is of a known format that is not read here.
        UsageError: a folder holds no model, or several.
    """
    path = path_of(path)
    if is_folder(path):
        return _in_folder(path)
    return _of_file(path, listing=listing) if exists(path) else _of_prefix(path)


def kind(file: SourceFile) -> str | None:
    """Name what a file holds: a format, "checkpoint_state", a key of `foreign.FOREIGN`, "text", or None."""
    return _kind_and_form(file)[0]


def _kind_and_form(file: SourceFile) -> tuple[str | None, bool]:
    found, is_text = _by_marks(file)
    sniffed = _by_structure(file, found or "")
    return (found, is_text) if sniffed is None else (sniffed, False)


def _by_marks(file: SourceFile) -> tuple[str | None, bool]:
    """Tell what a file is by what all its kind have in common, cheap marks first."""
    head = file.read_at(0, min(file.size, _LONGEST_MAGIC))
    for record in registry.formats():
        if any(head.startswith(magic, offset) for offset, magic in record.magic):
            return record.name, False
    if sstable.is_table(file):
        return registry.CHECKPOINT.name, False
    found = foreign.kind(file)
    if found is not None:
        return found, False
    head = file.read_at(0, min(file.size, texts.HEAD))
    text = texts.decode(head) if texts.decode(head[:512]) is not None else None
    in_text = texts.kind(text) if text is not None else None
    if in_text is not None and in_text not in ("text", "text_proto"):
        return in_text, True
    with file.view() as view:
        in_binary = protobufs.kind(view)
    if in_binary is not None:
        return in_binary, False
    return in_text, in_text is not None


def _by_structure(file: SourceFile, found: str) -> str | None:
    """Ask the formats whose files may look like this: a FlatBuffer whose identifier is damaged, some JSON, ..."""
    records = (record for record in registry.formats() if found in record.sniffed_among)
    return next((record.name for record in records if registry.module_of(record).sniff(file)), None)


def _of_file(path: Path, *, listing: bool = False) -> Location:
    file = open_source(path)
    if not file.size:
        raise FormatError("the file is empty", path=path, hint="fetch or write it again")
    if _DATA_FILE.fullmatch(path.name):
        return Location(registry.CHECKPOINT, path)
    found, is_text = _kind_and_form(file)
    record = registry.of_kind(found)
    if record is not None and record.holds_models and not listing:
        return _in_bundle(path)
    if record is not None:
        of_folder = found == _STATE or path.name in record.entries
        return Location(record, path.parent if of_folder else path, is_text)
    if found is None:
        raise unrecognised(file)
    raise foreign.text_error(file) if found == "text" else foreign.error(found, path)


def _in_folder(folder: Path) -> Location:
    names = [name for name in folder_names(folder) if not is_temporary(name)]
    for name in parts.ENTRIES:
        if name in names:
            return _saved_model(folder, name)
    if parts.CHUNKED in names:
        raise foreign.error("chunked", folder)
    if _is_checkpoint_folder(folder, names):
        return _checkpoint_folder(folder, names)
    versions = sorted((name for name in names if name.isdecimal() and is_folder(folder / name)), key=int)
    if versions:
        return _newest(folder, versions)
    other = foreign.folder_kind(names)
    if (record := registry.of_kind(other)) is not None:
        return Location(record, folder)
    if other is not None:
        raise foreign.error(other, folder)
    return _only_file(folder, names)


def _in_bundle(path: Path) -> Location:
    """Take the only model in a bundle.

    Raises:
        UsageError: it holds none, or several.
    """
    from graphsurgeon.formats.bundle import models_in

    models = models_in(path)
    if len(models) == 1:
        found = locate(models[0])
        name = models[0].relative_to(bundle_folder(path)).as_posix()
        return replace(found, notes=(f"{name} is the only model in {path}", *found.notes))
    if models:
        names = [model.relative_to(path).as_posix() for model in models]
        raise UsageError(f"the bundle holds {len(models)} models", path=path, hint=_choice(path, names))
    hint = f"gs show {shlex.quote(str(path))} lists what is in it"
    raise UsageError("the bundle holds no model", path=path, hint=hint)


def _saved_model(folder: Path, name: str) -> Location:
    """Take the folder for a SavedModel unless the file of that name is plainly something else."""
    file = open_source(contained(folder, name))
    if not file.size:
        raise FormatError("the file is empty", path=folder / name, hint="fetch or write it again")
    found, is_text = _kind_and_form(file)
    record = registry.of_kind(found)
    if found is None or record == registry.SAVED_MODEL:
        return Location(registry.SAVED_MODEL, folder, is_text)
    if record is not None:
        return replace(_of_file(folder / name), notes=(f"{name} holds no SavedModel but another format",))
    raise foreign.text_error(file) if found == "text" else foreign.error(found, folder / name)


def _is_checkpoint_folder(folder: Path, names: Sequence[str]) -> bool:
    if _STATE_FILE in names and is_file(folder / _STATE_FILE):
        file = open_source(contained(folder, _STATE_FILE))
        text = texts.decode(file.read_at(0, min(file.size, texts.HEAD)))
        if text is not None and texts.kind(text) == _STATE:
            return True
    return sum(name.endswith(".index") for name in names) == 1


def _checkpoint_folder(folder: Path, names: Sequence[str]) -> Location:
    """Take the checkpoint of a folder, as the variables of its `.meta` where that lies beside it.

    Raises:
        UsageError: other models lie there too.
    """
    from graphsurgeon.formats.checkpoint import find

    alone = Location(registry.CHECKPOINT, folder)
    try:
        _, files = find.locate(folder)
    except GraphSurgeonError:  # the reader says it again, and is asked in vain for what else is there
        return alone
    name = files[0].removesuffix(".index")
    meta = path_of(find.graph_beside(os.path.join(os.fspath(folder), name))).name  # a name may be empty: `.index`
    has_meta = meta in names and _kind_or_none(folder, meta) == registry.META_GRAPH.name
    others = _models_beside(folder, names, has_meta=has_meta)
    if others:
        what = f"the folder holds a checkpoint and {len(others)} other model{'s' if len(others) > 1 else ''}"
        raise UsageError(what, path=folder, hint=_choice(folder, [meta if has_meta else name, *others]))
    if not has_meta:
        return alone
    what = "with the checkpoint beside it" if meta == f"{name}.meta" else "is the graph"  # else reading says whose
    note = f"{meta} {what}; {shlex.quote(str(folder / (name or files[0])))} is the checkpoint alone"
    found = _of_file(folder / meta)
    return replace(found, notes=(note, *find.others_beside(folder, name)))


def _models_beside(folder: Path, names: Sequence[str], *, has_meta: bool) -> list[str]:
    """Return what a folder holds of models that are no part of its checkpoints and of their graphs."""
    skipped = {_STATE_FILE, *([_ESTIMATOR_GRAPH] if has_meta else [])}
    names = [name for name in names if not name.endswith((".index", ".meta")) and name not in skipped]
    found = [entry for entry in _models_of(folder, names)[0] if entry[0].holds_graph and entry[1] != _STATE]
    return without_parts(_most_telling(found))


def _newest(folder: Path, versions: Sequence[str]) -> Location:
    served = [name for name in versions if any(exists(folder / name / file) for file in parts.ENTRIES)]
    newest = (served or versions)[-1]
    note = f"version {newest}, the newest of {len(versions)}" if len(versions) > 1 else f"version {newest}"
    if served and newest != versions[-1]:
        note += f" that holds a SavedModel ({versions[-1]} does not)"
    found = locate(contained(folder, newest))
    return replace(found, notes=(note, *found.notes))


def _only_file(folder: Path, names: Sequence[str]) -> Location:
    found_models, others = _models_of(folder, names)
    models = without_parts(_most_telling(found_models))
    if len(models) == 1:
        location = locate(contained(folder, models[0]))
        return replace(location, notes=(f"{models[0]} is the only model in {folder}", *location.notes))
    if models:
        raise UsageError(f"the folder holds {len(models)} models", path=folder, hint=_choice(folder, models))
    if others:
        raise foreign.error(others[0][1], folder / others[0][0])
    raise _no_model(folder, names)


def _models_of(folder: Path, names: Sequence[str]) -> tuple[list[tuple[Format, str, str]], list[tuple[str, str]]]:
    """Return the models among files, by format, kind and name, and what is only recognised, by name and kind."""
    models: list[tuple[Format, str, str]] = []
    others: list[tuple[str, str]] = []
    for name in names[:_MOST_FILES]:
        if name.startswith(".") or _DATA_FILE.fullmatch(name) or not is_file(folder / name):
            continue
        found = _kind_or_none(folder, name)
        record = registry.of_kind(found)
        if record is not None:
            models.append((record, found or record.name, name))
        elif found is not None and found not in BESIDE:
            others.append((name, found))
    return models, others


def _most_telling(found: Sequence[tuple[Format, str, str]]) -> Sequence[tuple[Format, str, str]]:
    """Leave out files of weights that are only read, such as arrays, where a folder holds more than these."""
    return [entry for entry in found if entry[0].holds_graph or entry[0].can_write] or found


def without_parts(found: Sequence[tuple[Format, str, str]]) -> list[str]:
    """Return the models among files by format, kind and name: a part counts only where nothing is there to take it."""
    whole = {record.name for record, kind, _ in found if kind not in record.parts}
    return [
        name.removesuffix(".index") if record.layout == "group" else name
        for record, kind, name in found
        if kind not in record.parts or record.name not in whole
    ]


def _no_model(folder: Path, names: Sequence[str]) -> GraphSurgeonError:
    """Return the error for a folder in which nothing was recognised."""
    shards = [name for name in names if _DATA_FILE.fullmatch(name)]
    if shards:
        index = shards[0][: shards[0].rindex(".data-")] + ".index"
        return FileError(f"the index of this data file, {index}, is missing", path=folder / shards[0])
    if is_file(folder / _VARIABLES_INDEX):
        hint = f"its variables can be read: give {shlex.quote(str(folder / _VARIABLES_INDEX))}"
        return FileError("the folder is a SavedModel without its saved_model.pb", path=folder, hint=hint)
    for name in names:
        if is_file(folder / name):
            contained(folder, name)  # says that the model may be behind a link that is not followed
    inner = [name for name in names if any(exists(folder / name / file) for file in parts.ENTRIES)]
    hint = _choice(folder, inner) if inner else "give a SavedModel folder, or a .pb, .meta, .tflite or checkpoint file"
    return UsageError("the folder itself holds no model", path=folder, hint=hint)


def _kind_or_none(folder: Path, name: str) -> str | None:
    try:
        file = open_source(contained(folder, name))
        found = kind(file) if file.size else None
        file.close()
    except FileError:
        return None
    return found


def _choice(folder: Path, names: Sequence[str]) -> str:
    shown = [shlex.quote(str(folder / name)) for name in names[:20]]
    return "give one of " + " ".join(shown) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _of_prefix(path: Path) -> Location:
    """Take a path that names no file for the prefix of a checkpoint or of a network, or say what is missing."""
    if exists(path_of(f"{path}.index")):
        return Location(registry.CHECKPOINT, path)
    names = folder_names(path.parent) if is_folder(path.parent) else []
    rests = [name[len(path.name) :] for name in names if name.startswith(path.name)]
    if any(_DATA_FILE.fullmatch(rest) or _V1_SHARD.fullmatch(rest) for rest in rests):
        return Location(registry.CHECKPOINT, path)
    ends = (end for record in registry.formats() for end in record.named_by if f"{path.name}{end}" in names)
    found = next(ends, None)
    if found is not None and path.name:
        return _of_file(path.with_name(path.name + found))
    raise _missing(path, names)


def _missing(path: Path, names: Sequence[str]) -> GraphSurgeonError:
    if isinstance(path, MemberPath):
        open_source(path)  # says what there is
    interrupted = leftovers(path)
    if interrupted:
        return FileError("no such file or folder", path=path, hint="; ".join(interrupted))
    if not isinstance(path, RemotePath) and re.match(r"[a-z][a-z0-9+.-]+:/", str(path)) is not None:
        hint = "give an address as a text: pathlib takes one of its slashes away"
        return FileError("no such file or folder", path=path, hint=hint)
    if f"{path.name}.meta" in names:
        return FileError("no checkpoint of this prefix", path=path, hint=f"its graph is in {path}.meta")
    import difflib

    close = difflib.get_close_matches(path.name, names, n=3)
    hint = "did you mean " + " or ".join(str(path.parent / name) for name in close) + "?" if close else ""
    return FileError("no such file or folder", path=path, hint=hint)


def is_data_file(name: str) -> bool:
    """Say whether a file is a shard of a checkpoint, by its name."""
    return _DATA_FILE.fullmatch(name) is not None


def unrecognised(file: SourceFile) -> FormatError:
    """Return the error for a file of no known format."""
    start = file.read_at(0, min(file.size, 8)).hex(" ")
    expected = _EXPECTED.get(file.path.suffix)
    message = f"no model is recognised in its {file.size} bytes, which start with {start}"
    if expected is not None:
        message = f"{expected}, so it is damaged or cut off, or never was one ({file.size} bytes, from {start})"
    hint = foreign.damage(file) or "fetch or write it again"
    return FormatError(message, path=file.path, hint=hint)


_EXPECTED = {
    ".tflite": "it does not start like a TFLite model",
    ".index": "the footer of a checkpoint's index is missing",
    ".meta": "it does not start like a MetaGraphDef",
    ".pb": "it does not start like a SavedModel, GraphDef or MetaGraphDef",
}
