"""What differs between two model files, the files that no message describes included."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from graphsurgeon.compare.diff.diff import DiffReport, diff
from graphsurgeon.disk.files import FileRange, contained, is_folder, open_source
from graphsurgeon.disk.places import path_of
from graphsurgeon.formats import read
from graphsurgeon.model.model import Model


def difference(
    before: str | os.PathLike[str],
    after: str | os.PathLike[str],
    *,
    values: bool = True,
    match: Sequence[str] = (),
    force_text: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> DiffReport:
    """Read two models of any formats and compare them.

    Args:
        before, after: files, folders, or prefixes of checkpoints.
        values: compare the values of weights, block by block.
        match: compare these variables alone, by any of their names.
        force_text: read text protobufs of more than 64 MiB.
        progress: called with the bytes of variables done and in all.

    Raises:
        FileError: a file is missing, unreadable or damaged.
        UnsupportedError: the two have nothing in common.
    """
    first, second = read(before, force_text=force_text), read(after, force_text=force_text)
    ours, theirs = _places(first), _places(second)
    report = diff(
        first,
        second,
        values=values,
        match=match,
        same_file=lambda name: name in ours and name in theirs and same_content(ours[name], theirs[name]),
        progress=progress,
    )
    if report.equal and values and not match and first.format == second.format and not _same_files(ours, theirs):
        return replace(report, notes=[*report.notes, "the files are not the same byte for byte, but say the same"])
    return report


def same_content(first: Path, second: Path) -> bool:
    """Say whether two files are the same byte for byte. Reads them up to the first difference.

    Raises:
        FileError: one cannot be read.
    """
    one, other = open_source(first), open_source(second)
    if one.size != other.size:
        return False
    blocks = (FileRange(file, 0, file.size).chunks() for file in (one, other))
    return all(block == twin for block, twin in zip(*blocks, strict=True))


def _places(model: Model) -> dict[str, Path]:
    """Return the path of each file of a model by its name in it."""
    path = path_of(model.path)
    folder = path if is_folder(path) else path.parent
    # Files of a folder are named within it, a single file and those of a checkpoint by the path that was given.
    return {
        name: path_of(name) if path_of(name).is_relative_to(folder) else contained(folder, name) for name in model.files
    }


def _same_files(ours: Mapping[str, Path], theirs: Mapping[str, Path]) -> bool:
    first, second = sorted(ours.values()), sorted(theirs.values())
    return len(first) == len(second) and all(map(same_content, first, second))
