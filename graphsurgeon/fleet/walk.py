"""Which models there are below some paths: folders are listed side by side, each once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from graphsurgeon.disk.files import is_folder
from graphsurgeon.disk.places import path_of
from graphsurgeon.errors import GraphSurgeonError, UsageError
from graphsurgeon.fleet.pool import ItemLimits, as_they_come
from graphsurgeon.formats.recognise.search import as_folder, models_in

# A folder of a hundred thousand files takes minutes; one that hangs must not hold up the others for ever.
_LIMITS = ItemLimits(seconds=1800)


class WalkStep(NamedTuple):
    """What a path led to.

    Attributes:
        models, folders: to be read, and to be looked into.
        others: files that are no models.
        links: to folders, which are not followed.
        error: why the path could not be looked into.
    """

    path: str
    models: Sequence[str]
    folders: Sequence[str] = ()
    others: int = 0
    links: Sequence[str] = ()
    error: GraphSurgeonError | None = None


def walk(paths: Sequence[str], *, jobs: int) -> Iterator[WalkStep]:
    """Yield what lies at some paths and below them, level by level.

    Raises:
        UsageError: a path is given twice.
    """
    if len(set(paths)) < len(paths):
        raise UsageError("a path is given twice", hint="give each once")
    level = list(paths)
    while level:
        below: list[str] = []
        for number, answer in as_they_come(f"{__name__}:look", level, jobs=jobs, limits=_LIMITS):
            step = answer.result or WalkStep(level[number], (), error=answer.error)
            below += step.folders
            yield step
        level = sorted(below)


def models_below(path: str) -> Iterator[str]:
    """Yield the models at a path and below it, folder by folder, looked for in this process.

    Raises:
        FileError: it is, or holds, a folder that cannot be listed.
    """
    step = look(path)
    yield from step.models
    for folder in step.folders:
        yield from models_below(folder)


def look(path: str) -> WalkStep:
    """Say what lies at one path.

    Raises:
        FileError: it is a folder that cannot be listed.
    """
    place = as_folder(path_of(path))
    if not is_folder(place):
        return WalkStep(path, (path,))
    found = models_in(place)
    models, folders, links = ([str(one) for one in some] for some in (found.models, found.folders, found.links))
    return WalkStep(path, models, folders, found.others, links)
