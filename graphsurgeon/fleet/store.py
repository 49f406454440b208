"""Where the rows of a catalog are kept while it is made, and the file that they become.

Rows are appended to `OUT.part.jsonl` as they come, so that a run that is ended loses none of them: a Parquet file
without its end cannot be read at all. OUT itself is written once, at the end, in the order of the paths, by rename.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from graphsurgeon.disk.append import Log
from graphsurgeon.disk.atomic import remove_file, scratch_folder
from graphsurgeon.disk.files import BLOCK, exists, is_folder, open_source
from graphsurgeon.disk.places import refuse_writing
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.export import export_file
from graphsurgeon.fleet.columns import COLUMNS
from graphsurgeon.fleet.row import Row
from graphsurgeon.formats.savedmodel import parts
from graphsurgeon.formats.target import AVOID

SUFFIXES = (".parquet", ".jsonl", ".csv")
_BATCH = 500  # rows that are turned into columns at once
_PART = ".part.jsonl"


def part_of(out: Path) -> Path:
    """Return the path of the rows that are kept while a catalog is made."""
    return out.with_name(out.name + _PART)


def require_writer(out: Path) -> None:
    """Refuse, before any work, a file that could not be written in the end.

    Raises:
        UsageError: its suffix is none of ours, it is a folder, or lies in a SavedModel, which holds nothing else.
        UnsupportedError: what writes it is not installed.
    """
    refuse_writing(out)
    if out.suffix not in SUFFIXES:
        raise UsageError("a catalog has no such suffix", path=out, hint=f"one of {', '.join(SUFFIXES)}")
    if is_folder(out):
        raise UsageError("is a folder", path=out, hint="name a file")
    folders = out.absolute().parents
    inside = next((folder for folder in folders if any(exists(folder / name) for name in parts.ENTRIES)), None)
    if inside is not None:
        raise UsageError(f"the output lies in the model {inside}", path=out, hint=AVOID)
    if out.suffix == ".parquet" and find_spec("pyarrow") is None:  # which is imported when all other work is done
        raise _no_parquet()


class Rows:
    """Rows in a file of JSON lines, found again by their path; memory holds where they lie, not what they say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[str, tuple[int, int]] = {}

    def load(self) -> None:
        """Find the rows that an earlier run left; a last line that was cut is passed over."""
        if not exists(self.path):
            return
        for offset, line in _lines(self.path):
            row = _row(line)
            if row is not None:
                self.places[row["path"]] = (offset, len(line))

    def adding(self, *, anew: bool = False) -> RowLog:
        """Return what appends rows, for a `with` statement; a later row of the same path counts."""
        log = RowLog(self, Log(self.path, anew=anew))
        if anew:
            self.places.clear()
        return log

    def ordered(self, paths: Iterable[str]) -> Iterator[Row]:
        """Yield the rows of some paths, sorted by path."""
        if not self.places:
            return
        source = open_source(self.path)
        for path in sorted(set(paths) & self.places.keys()):
            row = _row(source.read_at(*self.places[path]))
            if row is not None:
                yield row

    def remove(self) -> None:
        """Take the file away."""
        remove_file(self.path)


class RowLog:
    """Appends rows."""

    def __init__(self, rows: Rows, log: Log) -> None:
        self.rows = rows
        self.log = log

    def add(self, row: Row) -> None:
        """Append a row."""
        line = json.dumps(row).encode()
        self.rows.places[row["path"]] = (self.log.write(line + b"\n"), len(line))

    def flush(self) -> None:
        """Let rows be read."""
        self.log.flush()

    def __enter__(self) -> RowLog:
        self.log.write(b"\n" if self.log.end else b"")  # behind a line that was cut
        return self

    def __exit__(self, *error: object) -> None:
        self.log.__exit__(*error)


def read_rows(out: Path) -> Iterator[Row]:
    """Yield the rows of a catalog that was written.

    Raises:
        UsageError: the file is no catalog.
        UnsupportedError: what reads it is not installed.
    """
    if out.suffix == ".parquet":
        yield from _read_parquet(out)
        return
    if out.suffix == ".csv":
        yield from _read_csv(out)
        return
    for _, line in _lines(out):
        row = _row(line)
        if row is None:
            raise _no_catalog(out)
        yield row


def write_rows(out: Path, rows: Iterable[Row]) -> None:
    """Write a catalog, atomically.

    Raises:
        FileError: it cannot be written; an earlier one is as it was.
    """
    with scratch_folder(out) as folder:
        made = folder / out.name
        if out.suffix == ".parquet":
            _write_parquet(made, rows)
        else:
            _write_text(made, out.suffix, rows)
        export_file(out, [open_source(made).whole()], sources=[], force=True)


def _no_catalog(out: Path) -> UsageError:
    return UsageError("is there, and no catalog of this version", path=out, hint="--force replaces it")


def _row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.keys() == COLUMNS.keys() else None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its offset. Reads the file in blocks."""
    rest, begin = b"", 0
    for chunk in open_source(path).whole().chunks():
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield begin, line
            begin += len(line) + 1
    if rest:
        yield begin, rest


# -- text ----------------------------------------------------------------------------------------------


def _write_text(path: Path, suffix: str, rows: Iterable[Row]) -> None:
    with Log(path) as file:
        if suffix == ".csv":
            file.write(_csv_line(COLUMNS))
        for row in rows:
            cells = {name: row[name] for name in COLUMNS}
            file.write(
                _csv_line(map(_cell, cells.values())) if suffix == ".csv" else json.dumps(cells).encode() + b"\n"
            )


def _csv_line(cells: Iterable[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _read_csv(out: Path) -> Iterator[Row]:
    source = open_source(out)
    text = source.read_at(0, source.size).decode("utf-8", "replace")
    csv.field_size_limit(BLOCK * 16)
    reader = csv.reader(io.StringIO(text, newline=""))
    if next(reader, None) != list(COLUMNS):
        raise _no_catalog(out)
    for cells in reader:
        pairs = zip(COLUMNS.items(), cells, strict=False)
        yield {name: _uncelled(kind, cell) for (name, kind), cell in pairs}


def _uncelled(kind: Any, cell: str) -> Any:
    if not cell:
        return None
    if kind == "text":
        return cell
    return {"int": int, "real": float}.get(kind, json.loads)(cell) if isinstance(kind, str) else json.loads(cell)


# -- Parquet -------------------------------------------------------------------------------------------


def _parquet() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise _no_parquet() from error
    return pyarrow


def _no_parquet() -> UnsupportedError:
    return UnsupportedError(
        "a .parquet file needs pyarrow", hint="pip install 'tf-graphsurgeon[fleet]', or give a .jsonl or .csv"
    )


def _schema(arrow: Any) -> Any:
    """Return the types of all columns; those of the first rows would not do for the next: a list may be empty."""
    return arrow.schema([(name, _type(arrow, kind)) for name, kind in COLUMNS.items()])


def _type(arrow: Any, kind: Any) -> Any:
    if isinstance(kind, list):
        return arrow.list_(_type(arrow, kind[0]))
    if isinstance(kind, dict):
        return arrow.struct([(name, _type(arrow, inner)) for name, inner in kind.items()])
    return {"text": arrow.string, "int": arrow.int64, "real": arrow.float64}[kind]()


def _write_parquet(path: Path, rows: Iterable[Row]) -> None:
    arrow = _parquet()
    schema = _schema(arrow)
    with arrow.parquet.ParquetWriter(str(path), schema) as writer:
        batch: list[Row] = []
        for row in rows:
            batch.append(_sound(row))
            if len(batch) == _BATCH:
                writer.write_table(arrow.Table.from_pylist(batch, schema))
                batch = []
        writer.write_table(arrow.Table.from_pylist(batch, schema))


def _sound(value: Any) -> Any:
    """Return a value whose texts are UTF-8, and whose integers have 64 bits: names in files need not be either."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_sound(item) for item in value]
    if isinstance(value, dict):
        return {name: _sound(item) for name, item in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, -(1 << 63)), (1 << 63) - 1)
    return value


def _read_parquet(out: Path) -> Iterator[Row]:
    arrow = _parquet()
    try:
        file = arrow.parquet.ParquetFile(str(out))
        if file.schema_arrow.names != list(COLUMNS):
            raise _no_catalog(out)
        for batch in file.iter_batches(_BATCH):
            yield from batch.to_pylist()
    except (arrow.ArrowException, OSError) as error:
        raise _no_catalog(out) from error
