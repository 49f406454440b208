"""Checkpoints: finding the files that a path stands for, reading them, and lowering them.

A path may be a prefix, an `.index`, a data file, a V1 file, or a folder with a `checkpoint` file. Values stay
in the files. See `bundle_read.py` (V2) and `checkpoint_v1.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from graphsurgeon.disk.files import (
    Progress,
    Rope,
    SourceFile,
    contained,
    folder_names,
    is_file,
    is_folder,
    open_source,
)
from graphsurgeon.disk.places import MemberPath, path_of
from graphsurgeon.encoding.sstable import SSTable, is_table
from graphsurgeon.errors import FileError, UsageError
from graphsurgeon.formats import registry
from graphsurgeon.formats.checkpoint import bundle_check, bundle_read, bundle_write
from graphsurgeon.formats.checkpoint import v1 as checkpoint_v1
from graphsurgeon.formats.checkpoint.bundle_read import HEADER_KEY, Bundle, BundleSource
from graphsurgeon.formats.checkpoint.slices import SlicedSource
from graphsurgeon.formats.checkpoint.state import INDEX, latest, read_state
from graphsurgeon.formats.checkpoint.v1 import TableSet
from graphsurgeon.model.checkpoint import STATE_FILE, Checkpoint, StateFile
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor

VARIABLES = "variables"  # the prefix inside a SavedModel
MAX_STATE_FILE = 1 << 20  # bytes
MAX_LISTED = 10  # candidates in a message, errors in notes
Located: TypeAlias = tuple[Path, list[str]]  # folder, and names of the files to open
_DATA_FILE = re.compile(r"(.*)\.data-\d{5,}-of-\d{5,}", re.DOTALL)
_V1_SHARD = re.compile(r"(.*)-\d{5}-of-(\d{5})", re.DOTALL)


def sniff(file: SourceFile) -> bool:
    """Say whether a file is the index of a V2 checkpoint, or a V1 checkpoint."""
    return is_table(file)


def read(path: Path) -> Model:
    """Read a checkpoint: prefix, `.index`, data file, V1 file, or a folder that holds one.

    Raises:
        FileError: a file is missing or unreadable.
        FormatError: the index is damaged.
        UsageError: the folder holds several.
    """
    checkpoint = read_checkpoint(path)
    look_at_state(checkpoint)
    model = Model(registry.CHECKPOINT, str(path), checkpoint)
    model.checkpoint = checkpoint
    model.files = {str(file.path): file.size for file in source_files(checkpoint)}
    errors = [str(problem) for problem in problems(checkpoint) if problem.severity == "error"]
    more = len(errors) - MAX_LISTED
    model.notes = others_beside(path, os.path.basename(checkpoint.prefix)) if is_folder(path) else []
    model.notes += state_faults(checkpoint)
    model.notes += errors[:MAX_LISTED] + ([f"{more} more errors of this kind: see `gs check`"] if more > 0 else [])
    return model


def others_beside(folder: Path, name: str) -> list[str]:
    """Say which checkpoint of a folder was taken, if it holds several; `name` is that of its prefix."""
    others = [other for other in folder_names(folder) if other.endswith(INDEX) and other != name + INDEX]
    more = f" and {len(others) - MAX_LISTED} more" if len(others) > MAX_LISTED else ""
    listed = ", ".join(other.removesuffix(INDEX) for other in others[:MAX_LISTED]) + more
    return [f"{name}, which the file {STATE_FILE!r} names; here too: {listed}"] if others else []


def look_at_state(checkpoint: Checkpoint) -> None:
    """Let a checkpoint know what the state file in its folder says."""
    checkpoint.state = read_state(path_of(os.path.dirname(checkpoint.prefix) or "."))


def state_faults(checkpoint: Checkpoint) -> list[str]:
    """Say what the file `checkpoint` beside a checkpoint names that is not there; empty if nothing."""
    import shlex

    state = checkpoint.state
    mend = f"gs rename {shlex.quote(checkpoint.prefix)} --what state --in-place mends it"
    if state is None:
        return []
    if state.problem:
        return [f"the file {STATE_FILE!r} {state.problem}; {mend}"]
    right = state.wrong.get(state.latest, state.latest)
    if right != state.latest and not leads_nowhere(state):
        what = f"names {state.latest}, in another folder, which tf.train.latest_checkpoint returns in place of {right}"
        return [f"the file {STATE_FILE!r} {what}; {mend}"]
    if right != state.latest:
        what = f"names {state.latest}, which is not there, so that tf.train.latest_checkpoint finds nothing"
        return [f"the file {STATE_FILE!r} {what}; {mend}"]
    others = [path for path in state.wrong if path != state.latest]
    more = f"{len(others)} of the kept checkpoints, {others[0] if others else ''}"
    return [f"the file {STATE_FILE!r} names what is not there: {more}; {mend}"] if others else []


def leads_nowhere(state: StateFile) -> bool:
    """Say whether TensorFlow finds no checkpoint by a state file: it says nothing, or names what is not there."""
    right, is_elsewhere = state.wrong.get(state.latest, state.latest), os.path.isabs(state.latest)
    return bool(state.problem) or (
        right != state.latest and not (is_elsewhere and right and os.path.exists(state.latest + INDEX))
    )


def lower(model: Model, *, basename: str | None = None) -> dict[str, Rope]:
    """Return the files of a checkpoint by name, its `.index` last.

    Args:
        basename: what the names begin with; None keeps it.
    """
    assert model.checkpoint is not None
    return lower_checkpoint(model.checkpoint, basename)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read the checkpoint that a path stands for. Reads the index; values stay on disk.

    Raises:
        FileError: a file is missing or unreadable.
        FormatError: the index is damaged.
        UsageError: the path is a folder that holds several.
    """
    return _read(locate(path), path_of(path) if is_folder(path_of(path)) else None)


def find(prefix: str | os.PathLike[str], root: Path | None = None) -> Checkpoint | None:
    """Read the checkpoint of a prefix, which may end in a slash for an empty name; None if there is none.

    Args:
        prefix: what the names of its files begin with.
        root: the model's folder, where the checkpoint lies below it.

    Raises:
        FileError: it is unreadable.
        FormatError: it is damaged.
    """
    folder, name = os.path.split(os.fspath(prefix))
    located = _by_prefix(path_of(folder), name) if is_folder(path_of(folder)) else None
    return _read(located, root) if located is not None else None


def names_beside(graph: Path) -> list[str]:
    """Return the names of checkpoints beside a `NAME.meta` that may be its own, though none is called `NAME`.

    Those that begin with its name (`NAME.ckpt-100`); of a folder with one `.meta` all. Among several the state file
    chooses.
    """
    names = folder_names(graph.parent)
    prefixes = sorted(name.removesuffix(INDEX) for name in names if name.endswith(INDEX))
    stem = graph.name.removesuffix(".meta")
    found = [name for name in prefixes if name.startswith((f"{stem}.", f"{stem}-"))]
    if not found and sum(name.endswith(".meta") for name in names) == 1:
        found = prefixes
    state = read_state(graph.parent) if len(found) > 1 else None
    newest = os.path.basename(state.latest) if state is not None else ""
    return [newest] if newest in found else found


def graph_beside(prefix: str | os.PathLike[str]) -> str:
    """Return the path of the `.meta` of a checkpoint: its own, else the only one that would take it; empty if none."""
    folder, name = os.path.split(os.fspath(prefix))
    names = folder_names(path_of(folder or "."))
    taking = [other for other in names if other == f"{name}.meta"] or [
        other
        for other in names
        if other.endswith(".meta") and names_beside(path_of(os.path.join(folder, other))) == [name]
    ]
    return str(path_of(os.path.join(folder, taking[0]))) if len(taking) == 1 else ""


def find_variables(root: Path) -> Checkpoint | None:
    """Read the variables of a SavedModel in its folder; early ones are V1 checkpoints of several names.

    Raises:
        FileError: they are unreadable.
        FormatError: they are damaged, or a link leads outside the folder.
    """
    folder = contained(root, VARIABLES)
    if not is_folder(folder):
        return None
    found = find(folder / VARIABLES, root)
    if found is not None:
        return found
    sets = _v1_sets(folder, [name for name in folder_names(folder) if is_file(folder / name)], root)
    return _read((folder, sets[0]), root) if len(sets) == 1 else None


def locate(path: str | os.PathLike[str]) -> Located:
    """Return the folder and the names of the files to open: an index, or the files of a V1 checkpoint.

    Raises:
        FileError: there is no such checkpoint.
        UsageError: the path is a folder that holds several.
    """
    text = os.fspath(path)
    if is_folder(path_of(text)):
        return _in_folder(path_of(text))
    place = path_of(text)  # its folder may be a bundle, whose own path is that of a file
    folder = place.parent if isinstance(place, MemberPath) else path_of(os.path.dirname(text))
    found = _by_prefix(folder, os.path.basename(text))
    if found is None:
        hint = "name a prefix, an .index file, or the folder with its `checkpoint` file"
        raise FileError("no checkpoint of that name", path=path, hint=hint)
    return found


def _read(located: Located, root: Path | None) -> Checkpoint:
    folder, names = located
    files = [open_source(contained(folder, name, root)) for name in names]
    header = SSTable(files[0]).get(HEADER_KEY) or b""
    if not checkpoint_v1.is_v1(header):
        return bundle_read.read_bundle(files[0], folder, names[0].removesuffix(INDEX), root)
    shard = _V1_SHARD.fullmatch(names[0])
    checkpoint = checkpoint_v1.read_v1(files, os.path.join(folder, shard[1] if shard else names[0]))
    if shard and len(names) != int(shard[2]):
        checkpoint.raw.report(shard[1], f"{len(names)} of its {int(shard[2])} files are there")
    return checkpoint


def _by_prefix(folder: Path, name: str) -> Located | None:
    """Return the files that a name in a folder stands for; None if there are none."""
    data = _DATA_FILE.fullmatch(name)
    index = name if name.endswith(INDEX) else (data[1] if data else name) + INDEX
    if is_file(folder / index):
        return folder, [index]
    if data is not None and is_file(folder / name):
        raise FileError(f"the index of this data file, {index}, is missing", path=folder / name)
    shard = _V1_SHARD.fullmatch(name)
    if is_file(folder / name):
        return (folder, _v1_shards(folder, shard[1], shard[2])) if shard else (folder, [name])
    shards = _v1_shards(folder, name) if is_folder(folder) else []
    return (folder, shards) if shards else None


def _v1_shards(folder: Path, prefix: str, count: str | None = None) -> list[str]:
    """Return the files of a sharded V1 checkpoint, `PREFIX-00000-of-00002` and so on, if there is just one such set."""
    matches = [match for match in map(_V1_SHARD.fullmatch, folder_names(folder)) if match and match[1] == prefix]
    names = [match[0] for match in matches if count in (None, match[2])]
    return names if len({match[2] for match in matches if match[0] in names}) == 1 else []


def _in_folder(folder: Path) -> Located:
    """Return the files of the checkpoint in a folder: the one its `checkpoint` file names, else the only one."""
    named = _named_by_state(folder) if is_file(folder / STATE_FILE) else None
    if named is not None:
        return named
    names = [name for name in folder_names(folder) if is_file(folder / name)]
    found = [[name] for name in names if name.endswith(INDEX)] or _v1_sets(folder, names)
    if not found:
        raise FileError("the folder holds no checkpoint", path=folder)
    if len(found) > 1:
        import shlex

        listed = ", ".join(shlex.quote(str(folder / files[0])) for files in found[:MAX_LISTED])
        what = f"the folder holds {len(found)} checkpoints"
        if is_file(folder / STATE_FILE):
            what += f", none of which its file {STATE_FILE!r} names"
        raise UsageError(what, path=folder, hint=f"name one of {listed}")
    return folder, found[0]


def _v1_sets(folder: Path, names: list[str], root: Path | None = None) -> list[list[str]]:
    sets: dict[str, list[str]] = {}
    for name in names:
        if is_table(open_source(contained(folder, name, root))):
            shard = _V1_SHARD.fullmatch(name)
            sets.setdefault(shard[1] if shard else name, []).append(name)
    return list(sets.values())


def _named_by_state(folder: Path) -> Located | None:
    """Return the files of the latest checkpoint; a folder that was moved is searched for its last name."""
    file = open_source(contained(folder, STATE_FILE))
    if file.size > MAX_STATE_FILE or is_table(file):
        return None
    named = PurePosixPath(latest(file.read_at(0, file.size)).replace("\\", "/"))
    inside = not named.is_absolute() and ".." not in named.parts
    for parent in (folder / named.parent, folder) if inside else (folder,):
        found = _by_prefix(parent, named.name) if named.name else None
        if found is not None:
            return found
    return None


def lower_checkpoint(
    checkpoint: Checkpoint, basename: str | None = None, *, avoid: frozenset[str] = frozenset()
) -> dict[str, Rope]:
    """Return the files of a V2 checkpoint by name, its `.index` last. A V1 checkpoint becomes a V2 one.

    Args:
        checkpoint: as read, or changed since.
        basename: what the names begin with; None keeps it.
        avoid: names that no data file gets.

    Raises:
        FileError: a shard is missing.
        FormatError: an entry cannot be carried over.
    """
    if basename is None:
        basename = os.path.basename(checkpoint.prefix)
    return bundle_write.lower_bundle(checkpoint, basename, avoid=avoid)


def is_untouched(checkpoint: Checkpoint) -> bool:
    """Say whether a checkpoint is still what was read, so that its files, missing ones or not, need no writing."""
    source = checkpoint.raw
    if isinstance(source, Bundle):
        return bundle_write.is_untouched(checkpoint, source)
    if not isinstance(source, TableSet) or checkpoint.objects is not None:
        return False
    tensors = {key: variable.tensor for key, variable in checkpoint.variables.items()}
    return tensors.keys() == source.tensors.keys() and all(tensors[key] is source.tensors[key] for key in tensors)


def source_files(checkpoint: Checkpoint) -> list[SourceFile]:
    """Return the files that a checkpoint was read from, missing shards left out."""
    if isinstance(checkpoint.raw, Bundle):
        return bundle_check.source_files(checkpoint.raw)
    return list(checkpoint.raw.files) if isinstance(checkpoint.raw, TableSet) else []


def problems(checkpoint: Checkpoint) -> list[Finding]:
    """Return what is wrong with the files of a checkpoint. Looks at their sizes, reads no values."""
    if isinstance(checkpoint.raw, Bundle):
        return bundle_check.problems(checkpoint)
    return list(checkpoint.raw.problems) if isinstance(checkpoint.raw, TableSet) else []


def orphans(checkpoint: Checkpoint) -> list[str]:
    """Return how the slices are told that no variable asks for."""
    bundle = checkpoint.raw
    return [bundle_read.label(part.key) for part in bundle.orphans()] if isinstance(bundle, Bundle) else []


def stored_checksums(tensor: Tensor) -> list[int] | None:
    """Return the masked CRC32C of a variable's bytes, of each slice of a partitioned one; None if none is stored."""
    source = tensor.source
    if isinstance(source, SlicedSource):
        parts = [part.source for part in source.slices]
        return sorted(part.entry.checksum for part in parts if isinstance(part, BundleSource)) or None
    return [source.entry.checksum] if isinstance(source, BundleSource) else None


def verify_checksums(
    checkpoint: Checkpoint, keys: Iterable[str] | None = None, *, progress: Progress | None = None
) -> list[Finding]:
    """Compare stored values with their checksums, block by block; return what does not match. Reads the files.

    Args:
        checkpoint: as it was read; new variables have no stored values and are passed over.
        keys: the variables to look at, by their present names; None for everything, the object graph included.
        progress: called with the bytes done and the bytes in all.
    """
    if isinstance(checkpoint.raw, TableSet):
        return checkpoint_v1.verify_tables(checkpoint.raw, progress)
    return bundle_check.verify_checksums(checkpoint, keys, progress)
