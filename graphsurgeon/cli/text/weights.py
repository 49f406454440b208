"""How `gs weights` looks to a person and to a program, and what it exports."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsurgeon.analysis.stored_weights.weight_totals import FEW_ELEMENTS, second_keys
from graphsurgeon.analysis.stored_weights.weights import Statistics, Weight
from graphsurgeon.cli import output
from graphsurgeon.cli.output import number, plural, size
from graphsurgeon.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from graphsurgeon.cli.commands.look.weights import Row

FEW = 20  # rows that a terminal gets without --all


def print_rows(
    rows: Sequence[Row], *, with_checksum: bool, with_stats: bool, as_json: bool, path: Path | None = None,
    left_out: int = 0, everything: bool = False,
) -> None:  # fmt: skip
    """Print a list of weights with its totals and how many it leaves out, and the path of one model of several."""
    if as_json:
        named = {} if path is None else {"path": str(path)}
        output.print_json({**named, "weights": rows}, compact=path is not None)
        return
    if path is not None:
        output.heading(f"{path}:")
    if sys.stdout.isatty():
        _draw_rows(rows, with_checksum=with_checksum, with_stats=with_stats, left_out=left_out, everything=everything)
        return
    columns = _columns(rows, with_checksum=with_checksum, with_stats=with_stats)
    cells = [[cell(row) for _, _, cell in columns] for row in rows]
    output.table(cells, align=[align for _, align, _ in columns])
    output.wrapped(_totals(rows, left_out), between="; ")


def _draw_rows(
    rows: Sequence[Row], *, with_checksum: bool, with_stats: bool, left_out: int, everything: bool
) -> None:  # fmt: skip
    """Draw the list for a person: the name that people use first, no more rows than they read, sums below."""
    columns = _columns(rows, with_checksum=with_checksum, with_stats=with_stats)
    hides_keys = any(row.variable not in (None, row.name) for row in rows)
    hides_graphs = any(title == "graph" for title, _, _ in columns)
    columns = [column for column in columns if column[0] not in ("name", "variable", "graph")]
    at = 1 if columns and columns[0][0] == "index" else 0
    columns.insert(at, ("name", "left", lambda row: output.name(row.variable or row.name)))
    copies = second_keys((row.name, (row.variable, row.dtype, row.shape)) for row in rows if row.kind == "variable")
    first = [row for row in rows if row.kind != "variable" or row.name not in copies]
    shown = first if everything or len(first) <= FEW else first[: FEW - 1]
    cells = [[_faint_kind(title, cell(row)) for title, _, cell in columns] for row in shown]
    rest = [_rest_row(columns, len(first) - len(shown))] if len(shown) < len(first) else []
    sums = [_total_row(columns, *total) for total in _sums(rows, copies)]
    titles = [title for title, _, _ in columns]
    output.table(cells, titles=titles, align=[align for _, align, _ in columns], totals=[*rest, *sums])
    if not rows:
        output.line("no weights")
    if left_out:
        output.line(output.mark(_small(left_out), "faint"))
    hides = [*(["keys of the checkpoint"] if hides_keys else []), *(["graphs"] if hides_graphs else [])]
    if hides:
        output.line(output.mark(f"{' and '.join(hides)}: in a pipe, and with --json", "faint"))


def _faint_kind(title: str, cell: object) -> object:
    return output.mark(cell, "faint") if title == "kind" and cell != "variable" else cell


def _rest_row(columns: Sequence[tuple[str, output.Align, Any]], count: int) -> list[object]:
    return [output.mark(f"{count:,} more (--all)", "faint"), *[""] * (len(columns) - 1)]


def _total_row(
    columns: Sequence[tuple[str, output.Align, Any]], what: str, elements: int, num_bytes: int
) -> list[object]:  # fmt: skip
    sums = [size(num_bytes) if title == "size" else "" for title, _, _ in columns]
    return [f"{what}, {_elements(elements)}", *sums[1:]]


def print_values(weight: Weight, part: str | None, *, as_json: bool) -> None:
    """Print the values of one weight as numpy does, or as nested lists."""
    array = weight.tensor.numpy()
    shown = array if part is None else _sliced(array, part)
    if as_json:
        output.print_json(_values_to_json(weight, shown))
        return
    import numpy as np

    output.line(f"{weight.name}  {weight.dtype}  {weight.shape}" + (f"  [{part}]" if part is not None else ""))
    print(np.array2string(shown, separator=", ") if isinstance(shown, np.ndarray) else repr(shown))


def export(
    weights: Sequence[Weight],
    model: Path,
    path: Path,
    *,
    force: bool,
    as_json: bool,
    dry_run: bool = False,
    quiet: bool = False,
) -> None:
    """Write weights of a model to an `.npz` or `.safetensors` file.

    Raises:
        UsageError: the file is to stay as it is, or the suffix is neither.
    """
    from graphsurgeon.disk.files import rope_size
    from graphsurgeon.export import export_file
    from graphsurgeon.formats.exports import arrays as arrayfiles

    rope = arrayfiles.lower({name: weight.tensor for name, weight in _named(weights)}, path.suffix)
    with output.progress_bar("writing", quiet=as_json or quiet) as progress:
        export_file(path, rope, sources=[model], force=force, dry_run=dry_run, progress=progress)
    if as_json:
        output.print_json(
            {"path": str(path), "bytes": rope_size(rope), "weights": [name for name, _ in _named(weights)]}
        )
    elif not quiet:
        output.wrote(path, f"{plural(len(weights), 'weight')}, {size(rope_size(rope))}", dry_run=dry_run)


def _columns(rows: Sequence[Row], *, with_checksum: bool, with_stats: bool) -> list[tuple[str, output.Align, Any]]:
    columns: list[tuple[str, output.Align, Any]] = [("name", "left", lambda row: row.name)]
    if any(row.index is not None for row in rows):
        columns.insert(0, ("index", "right", lambda row: f"#{row.index}" if row.index is not None else ""))
    if any(row.variable not in (None, row.name) for row in rows):
        columns.append(("variable", "left", lambda row: row.variable))
    if len({row.graph for row in rows if row.kind == "constant"}) > 1:
        columns.append(("graph", "left", lambda row: row.graph))
    columns += [
        ("dtype", "left", lambda row: row.dtype),
        ("shape", "left", lambda row: row.shape),
        ("size", "right", lambda row: size(row.bytes)),
        ("kind", "left", lambda row: row.kind),
    ]
    if with_checksum:
        columns.append(("sha256", "left", lambda row: row.sha256))
    if with_stats:
        names = ("min", "max", "mean", "std", "zeros", "nan", "inf")
        columns += [(name, "right", lambda row, name=name: _statistic(row.stats, name)) for name in names]
    return columns


def _statistic(stats: Statistics | None, name: str) -> str:
    value = getattr(stats, name, None)
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _sums(rows: Sequence[Row], copies: Collection[str] = ()) -> list[tuple[str, int, int]]:
    """Return for each kind of weight what it is and how many there are, its elements and its bytes; then for all."""
    kinds: dict[str, list[Row]] = {"variable": [], "second copy": [], "optimizer slot": [], "constant": []}
    for row in rows:
        is_copy = row.kind == "variable" and row.name in copies
        kinds["optimizer slot" if row.kind == "slot" else "second copy" if is_copy else row.kind].append(row)
    found = [(_count(kind, len(of_kind)), *_size(of_kind)) for kind, of_kind in kinds.items() if of_kind]
    return [*found, ("total", *_size(rows))] if len(found) > 1 else found


def _count(kind: str, count: int) -> str:
    return f"{count:,} second copies" if kind == "second copy" and count > 1 else plural(count, kind)


def _elements(count: int) -> str:
    return f"{number(count)} element{'' if count == 1 else 's'}"


def _size(rows: Sequence[Row]) -> tuple[int, int]:
    return sum(row.tensor.num_elements for row in rows), sum(row.bytes for row in rows)


def _totals(rows: Sequence[Row], left_out: int) -> list[str]:
    parts = []
    for what, elements, num_bytes in _sums(rows):
        if what != "total":
            parts.append(f"{what}, {_elements(elements)}, {size(num_bytes)}")
    return [*parts, *([_small(left_out)] if left_out else [])] or ["no weights"]


def _small(count: int) -> str:
    return f"{plural(count, 'constant')} of fewer than {FEW_ELEMENTS} elements (--all)"


def _sliced(array: np.ndarray[Any, Any], text: str) -> Any:
    try:
        return array[tuple(_index(item) for item in text.strip("[]").split(","))]
    except (IndexError, TypeError, ValueError) as error:
        raise UsageError(f"--slice {text} does not fit the shape {list(array.shape)}: {error}") from None


def _index(text: str) -> Any:
    text = text.strip()
    if text == "...":
        return ...
    if ":" not in text:
        return int(text)
    return slice(*(int(part) if part.strip() else None for part in text.split(":")))


def _values_to_json(weight: Weight, values: Any) -> dict[str, object]:
    import numpy as np

    array = np.asarray(values)
    not_finite = 0
    if array.dtype.kind == "c":
        return {
            "name": weight.name,
            "dtype": weight.dtype,
            "shape": array.shape,
            "values": np.vectorize(str)(array).tolist(),
        }
    if array.dtype.kind == "f":
        not_finite = int(array.size - np.count_nonzero(np.isfinite(array)))
    return {
        "name": weight.name,
        "dtype": weight.dtype,
        "shape": array.shape,
        "values": array.tolist(),
        "not_finite": not_finite,
    }


def _named(weights: Sequence[Weight]) -> list[tuple[str, Weight]]:
    """Give each weight a name of its own in the exported file: that in the model where it is unique."""
    taken: set[str] = set()
    named = []
    for weight in weights:
        name = weight.name
        if name in taken or not name:
            place = f"#{weight.index}" if weight.index is not None else weight.name
            name = f"{weight.graph}/{place}" if weight.graph else place
        number = 1
        base = name
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        named.append((name, weight))
    return named
