"""The one way a file is written that is no model: pictures, arrays, event files, what a run computed.

The guard is that of `edit`, in the same words: what exists stays unless it is to be replaced, and nothing is written
over a model that is read, nor into its folder. A relative path is one from where the user stands, and folders above
it are made, as for models.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from graphsurgeon.disk.atomic import Content, clear_leftovers, seen, write_file
from graphsurgeon.disk.files import Progress, exists, is_folder, make_folder, rope_size
from graphsurgeon.disk.places import path_of, refuse_writing
from graphsurgeon.errors import UsageError
from graphsurgeon.formats import registry
from graphsurgeon.formats.checkpoint import find
from graphsurgeon.formats.recognise.locate import locate
from graphsurgeon.formats.target import AVOID, EXISTS, checkpoint_files, lies_in, same_file
from graphsurgeon.model.model import Model


def export_file(
    target: Path,
    content: Content,
    *,
    sources: Iterable[Path],
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write one file, atomically; folders above it are made.

    Args:
        target: the file.
        content: what goes into it.
        sources: the models that it is made from, as they were named.
        force: replace an existing file, and take away what interrupted writes have left beside it.
        dry_run: refuse what would be refused, and write nothing.
        progress: called with the bytes done and the bytes in all.

    Raises:
        UsageError: as `require_free`.
        FileError: it cannot be written; an earlier file is as it was.
    """
    require_free(target, sources=sources, force=force)
    if dry_run:
        return
    before = seen([target])
    make_folder(target.parent)
    write_file(target, content, before=before, progress=progress)
    if force:
        clear_leftovers(target)


@dataclass(frozen=True)
class MendReport:
    """What was changed so that another release of the framework loads a model.

    Attributes:
        path: the file that was written.
        release: as `--for` takes it.
        bytes: of the file.
        changes: (where, what, what was done about it, the release that it comes from) of each.
    """

    path: str
    release: str
    bytes: int
    changes: Sequence[KerasChange]


class KerasChange(NamedTuple):
    """A change of the configuration."""

    where: str
    what: str
    edit: str
    since: str


def export_for(model: Model, target: Path, release: str, *, force: bool = False, dry_run: bool = False) -> MendReport:
    """Write a model as another release of its framework loads it, atomically.

    Args:
        model: as read.
        target: the file.
        release: one of the `releases` of the model's format.
        force: replace an existing file.
        dry_run: write nothing.

    Raises:
        UsageError: there is no such release; or as `require_free`.
        UnsupportedError: the format knows no releases, or the model holds what the release has no words for.
        FileError: it cannot be written; an earlier file is as it was.
    """
    known = model.traits.releases
    if not known:
        raise model.traits.refuse("is the same in every release", hint="--for is for Keras files").at(model.path)
    if release not in known:
        raise UsageError(f"--for {release!r} is no release that is known", hint=f"one of {', '.join(known)}")
    require_free(target, sources=[path_of(model.path)], force=force)
    rope, mended = registry.module_of(model.traits).lower_for(model, release)
    export_file(target, rope, sources=[path_of(model.path)], force=force, dry_run=dry_run)
    changes = [KerasChange(note.where, note.what, note.edit, note.since) for note in mended.changes]
    return MendReport(str(target), release, rope_size(rope), changes)


def require_free(target: Path, *, sources: Iterable[Path], force: bool = False) -> None:
    """Refuse to touch what must stay; ask before work is done whose result would have nowhere to go.

    Args:
        target: the file to be written.
        sources: the models that it is made from, as they were named.
        force: an existing file may be replaced.

    Raises:
        UsageError: the target exists and is not to be replaced, is a folder, or is or lies in a source.
        FileError: a source is not there.
    """
    refuse_writing(target)
    if any(_is_of(target, source) for source in sources):
        raise UsageError("the output is the model that is read, or lies in it", path=target, hint=AVOID)
    if is_folder(target):
        raise UsageError("is a folder, and a file is to be written", path=target, hint=AVOID)
    if exists(target) and not force:
        raise UsageError("already exists", path=target, hint=EXISTS)


def _is_of(target: Path, source: Path) -> bool:
    """Say whether a path is a file of a model, or lies in the folder of a SavedModel."""
    location = locate(source)
    if is_folder(location.path) and location.traits.layout == "folder":
        return lies_in(target, location.path)
    files = [location.path]
    if location.traits.layout == "group":
        folder, names = find.locate(location.path)
        files = [folder / name for name in names]
    prefixes = {file.with_suffix("") for file in files if file.suffix in (".meta", ".index")}
    files += [file for prefix in prefixes for file in checkpoint_files(prefix)]
    return any(same_file(target, file) for file in files)
