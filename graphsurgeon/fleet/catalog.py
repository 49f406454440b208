"""A row for each model below some paths, of ten thousand models as of one: `gs catalog`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graphsurgeon import __version__
from graphsurgeon.disk.files import exists, make_folder, stamp
from graphsurgeon.disk.places import path_of
from graphsurgeon.errors import FileError, GraphSurgeonError
from graphsurgeon.fleet.pool import Answer, ItemLimits, as_they_come
from graphsurgeon.fleet.row import Row, Wanted, failed
from graphsurgeon.fleet.store import (
    RowLog,
    Rows,
    part_of,
    read_rows,
    require_writer,
    write_rows,
)
from graphsurgeon.fleet.walk import walk
from graphsurgeon.model.calls import checked_call

Progress = Callable[[int, int], None]
_TRIED_AGAIN = ("time", "memory", "died")
MOST_SECONDS = 300.0  # for one model, unless the caller says otherwise
MOST_MEMORY = 4 << 30  # bytes


@dataclass
class CatalogReport:
    """What a catalog holds.

    Attributes:
        path: the file.
        models: rows in it; `kept` of them are from an earlier run.
        others: files below the paths that are no models.
        links: below the paths, to folders; they are not followed.
        bytes, parameters: of all models.
        formats, versions, ops, unknown_ops, worst, failures: how many models have what; a version is that of
            TensorFlow, worst is the severity of the worst finding, a failure its kind.
        duplicates, near_duplicates: models that are, or look, like an earlier one.
        seconds: that models took, on all processes together.
    """

    path: str
    models: int = 0
    kept: int = 0
    others: int = 0
    links: list[str] = field(default_factory=list)
    bytes: int = 0
    parameters: int = 0
    formats: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    ops: Counter[str] = field(default_factory=Counter)
    unknown_ops: Counter[str] = field(default_factory=Counter)
    worst: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    near_duplicates: int = 0
    seconds: float = 0.0


@checked_call
def catalog(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    jobs: int = 1,
    checksum: bool = False,
    findings: bool = True,
    seconds: float | None = MOST_SECONDS,
    memory: int | None = MOST_MEMORY,
    retry: bool = False,
    force: bool = False,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> CatalogReport:
    """Find the models below some paths, and write a row for each to a `.parquet`, `.jsonl` or `.csv` file.

    A catalog that is there is continued: rows of models whose files have the size and time that they had stay. So does
    what an interrupted run has left in `OUT.part.jsonl`.

    Args:
        paths: models, and folders that hold some at any depth; links to folders are not followed.
        out: the file; folders above it are made.
        jobs: how many processes.
        checksum: read all weights, so that those without stored checksums compare, too.
        findings: run `check` and `scan` on each model.
        seconds: how long one model may take; its row then says so. None for as long as it takes.
        memory: bytes that a process may allocate for one model, on Linux; None for any.
        retry: try again what took too long, needed too much, or ended its process.
        force: begin anew, whatever the file holds.
        scheduler: address of a Dask scheduler whose workers see the same paths; `jobs` is then for finding alone.
        progress: called with the models done and the models in all.

    Raises:
        UsageError: the file is there and no catalog, its place or suffix is none for one, or a path is given twice.
        UnsupportedError: what writes or distributes is not installed.
        FileError: the file cannot be written, or the scheduler cannot be reached.
    """
    target, wanted = Path(out), Wanted(checksum, findings)
    require_writer(target)
    make_folder(target.parent)
    report = CatalogReport(str(target))
    rows = Rows(part_of(target))
    earlier = _earlier(target, rows, force=force)
    with rows.adding(anew=force) as log:
        for row in earlier:
            log.add(row)
        models = _found(paths, jobs, wanted, log, report)
        log.flush()
        kept = {row["path"] for row in rows.ordered(models) if _is_current(row, wanted, retry=retry)}
        report.kept = len(kept)
        todo = sorted(models.keys() - kept)
        answers = _answers(todo, wanted, jobs, ItemLimits(seconds, memory), scheduler)
        for done, (number, answer) in enumerate(answers, 1):
            log.add(_row(todo[number], answer, wanted))
            if progress is not None:
                progress(done, len(todo))
    write_rows(target, _counted(_compared(rows, models), report))
    rows.remove()
    return report


def _found(
    paths: Sequence[str | os.PathLike[str]], jobs: int, wanted: Wanted, log: RowLog, report: CatalogReport
) -> dict[str, None]:
    """Return the models below some paths, and what could not be looked into, which gets its row here."""
    models: dict[str, None] = {}
    for step in walk([os.fspath(path) for path in paths], jobs=jobs):
        report.others += step.others
        report.links += step.links
        models |= dict.fromkeys(step.models)
        if step.error is not None:
            models[step.path] = None
            log.add(_failure(step.path, step.error, wanted))
    return models


def _earlier(target: Path, rows: Rows, *, force: bool) -> Iterator[Row]:
    """Yield the rows of an earlier run; those that an interrupted one has left are newer, and found in their place."""
    if force:
        return
    rows.load()
    if exists(target):
        yield from (row for row in list(read_rows(target)) if row["path"] not in rows.places)


def _answers(
    todo: Sequence[str], wanted: Wanted, jobs: int, limits: ItemLimits, scheduler: str | None
) -> Iterator[tuple[int, Answer]]:
    if not todo:
        return iter(())
    if scheduler is not None:
        from graphsurgeon.fleet.cluster import on_cluster

        return on_cluster(scheduler, todo, wanted, limits)
    items = [(path, wanted) for path in todo]
    return as_they_come("graphsurgeon.fleet.row:describe_item", items, jobs=jobs, limits=limits)


def _row(path: str, answer: Answer, wanted: Wanted) -> Row:
    if answer.error is not None:
        return _failure(path, answer.error, wanted)
    return {**answer.result, "made_by": _made_by(wanted)}


def _failure(path: str, error: GraphSurgeonError, wanted: Wanted) -> Row:
    return {**failed(path, error), "made_by": _made_by(wanted)}


def _made_by(wanted: Wanted) -> str:
    return f"graphsurgeon {__version__}, checksum={wanted.checksum}, findings={wanted.findings}"


def _is_current(row: Row, wanted: Wanted, *, retry: bool) -> bool:
    """Say whether a row is what would be found again: its files are as they were, and so is what is asked."""
    if row["made_by"] != _made_by(wanted) or not row["files"]:
        return False
    if retry and row["error_kind"] in _TRIED_AGAIN:
        return False
    try:
        return all(stamp(path_of(file["name"])) == (file["bytes"], file["mtime_ns"]) for file in row["files"])
    except FileError:
        return False


def _compared(rows: Rows, paths: Iterable[str]) -> Iterator[Row]:
    """Yield rows by path, with the first earlier one that has the same weights, or looks the same."""
    chosen = list(paths)
    alike: dict[tuple[str, ...], str] = {}
    for row in rows.ordered(chosen):
        path, structure, weights, outline = (row[name] for name in ("path", "structure", "weights", "outline"))
        same = ("same", structure or "", weights) if weights else None
        near = [("structure", structure)] if structure else []
        near += [("outline", outline)] if outline else []
        row["duplicate_of"] = alike.get(same) if same else None
        near_ones = [alike[key] for key in near if key in alike]
        row["near_duplicate_of"] = near_ones[0] if near_ones and row["duplicate_of"] is None else None
        for key in [*([same] if same else []), *near]:
            alike.setdefault(key, path)
        yield row


def _counted(rows: Iterable[Row], report: CatalogReport) -> Iterator[Row]:
    for row in rows:
        report.models += 1
        report.bytes += row["bytes"] or 0
        report.parameters += row["parameters"] or 0
        report.formats[row["format"] or "none"] += 1
        if row["error_kind"]:
            report.failures[row["error_kind"]] += 1
        if row["tensorflow"]:
            report.versions[row["tensorflow"]] += 1
        report.ops.update(row["op_names"] or ())
        report.unknown_ops.update([*(row["unknown_ops"] or ()), *(row["custom_ops"] or ())])
        if row["worst"]:
            report.worst[row["worst"]] += 1
        report.duplicates += row["duplicate_of"] is not None
        report.near_duplicates += row["near_duplicate_of"] is not None
        report.seconds += row["seconds"] or 0.0
        yield row
