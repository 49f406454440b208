"""How `gs weights` looks to a person and to a program, and what it exports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsurgeon.analysis.weight_totals import FEW_ELEMENTS
from graphsurgeon.analysis.weights import Statistics, Weight
from graphsurgeon.cli import output
from graphsurgeon.cli.output import number, plural, size
from graphsurgeon.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from graphsurgeon.cli.commands.look.weights import Row


def print_rows(
    rows: Sequence[Row], *, with_checksum: bool, with_stats: bool, as_json: bool, path: Path | None = None,
    left_out: int = 0,
) -> None:  # fmt: skip
    """Print a list of weights with its totals and how many it leaves out, and the path of one model of several."""
    if as_json:
        named = {} if path is None else {"path": str(path)}
        output.print_json({**named, "weights": rows}, compact=path is not None)
        return
    if path is not None:
        output.heading(f"{path}:")
    columns = _columns(rows, with_checksum=with_checksum, with_stats=with_stats)
    titles = [title for title, _, _ in columns]
    cells = [[cell(row) for _, _, cell in columns] for row in rows]
    output.table(cells, titles=titles, align=[align for _, align, _ in columns])
    output.wrapped(_totals(rows, left_out), between="; ")


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
        done = "would write" if dry_run else "wrote"
        output.line(f"{done} {plural(len(weights), 'weight')} to {path} ({size(rope_size(rope))})")


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


def _totals(rows: Sequence[Row], left_out: int) -> list[str]:
    parts = []
    for kind in ("variable", "slot", "constant"):
        of_kind = [row for row in rows if row.kind == kind]
        if of_kind:
            what = "optimizer slot" if kind == "slot" else kind
            elements = sum(row.tensor.num_elements for row in of_kind)
            total = size(sum(row.bytes for row in of_kind))
            parts.append(
                f"{plural(len(of_kind), what)}, {number(elements)} element{'' if elements == 1 else 's'}, {total}"
            )
    if left_out:
        parts.append(f"{plural(left_out, 'constant')} of fewer than {FEW_ELEMENTS} elements (--all)")
    return parts or ["no weights"]


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
