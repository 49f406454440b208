"""How values look to a person: the op first, then the name, by graph; what all names begin with is told once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from graphsurgeon.analysis.select import FoundValue
from graphsurgeon.cli import output, terminal
from graphsurgeon.cli.output import mark, name, plural

Column = tuple[str, list[str]]  # title and cells


def columns_of(found: Sequence[FoundValue], *, with_graph: bool) -> list[Column]:
    """Return the columns of a list of values, those without the same or nothing in all rows."""
    columns: list[Column] = [("name", [value.name for value in found])]
    if any(value.index is not None for value in found):
        columns.insert(0, ("index", ["-" if value.index is None else f"#{value.index}" for value in found]))
    columns += [
        ("dtype", ["-" if value.shape is None else str(value.dtype or "?") for value in found]),
        ("shape", ["-" if value.shape is None else str(value.shape) for value in found]),
        ("op", [value.op for value in found]),
    ]
    if any(value.quantization is not None for value in found):
        columns.append(("quantization", [str(value.quantization or "") for value in found]))
    if with_graph and any(value.graph for value in found):
        columns.append(("graph", [value.graph or "main" for value in found]))
    if with_graph and len({tuple(value.tags or ()) for value in found}) > 1:
        columns.append(("tags", [",".join(value.tags or ()) or "none" for value in found]))
    return columns


def draw_values(found: Sequence[FoundValue], extra: Sequence[Sequence[object]] = ()) -> None:
    """Draw values on a terminal, in parts by the graph that they are in.

    Args:
        found: the values.
        extra: more cells for each row.
    """
    cells = list(extra) or [()] * len(found)
    pairs = list(zip(found, cells, strict=True))
    several_tags = len({tuple(value.tags or ()) for value in found}) > 1
    several = several_tags or any(value.graph for value in found)
    groups = [(place, list(of)) for place, of in groupby(pairs, key=lambda pair: _place(pair[0], tags=several_tags))]
    for number, (place, of) in enumerate(groups):
        if several:
            output.heading(place, apart=number > 0)
        _draw([value for value, _ in of], [more for _, more in of], indent=2 if several else 0, titled=number == 0)
    if found and not extra:
        output.line(mark(plural(len(found), "value"), "strong"))


def _place(value: FoundValue, *, tags: bool) -> str:
    where = value.graph or "main graph"
    return f"{where}, tags {','.join(value.tags or ()) or 'none'}" if tags else where


def _draw(found: Sequence[FoundValue], extra: Sequence[Sequence[object]], *, indent: int, titled: bool) -> None:
    columns = dict(columns_of(found, with_graph=False))
    if not any(columns["op"]):  # inputs and outputs of a TFLite subgraph that no operator yields
        del columns["op"]
    order = [title for title in ("index", "op", "name", "dtype", "shape", "quantization") if title in columns]
    widths = [max(len(title), *map(len, columns[title])) for title in order]
    widths += [max((len(str(row[number])) for row in extra), default=0) for number in range(len(extra[0]))]
    common = ""
    if sum(widths) + 2 * (len(widths) - 1) + indent > terminal.width():
        common = _common_scope(columns["name"])
    if common:
        output.line(" " * indent, mark("all in ", "title"), name(common))
    rows: list[list[object]] = []
    for number, more in enumerate(extra):
        row: list[object] = []
        for title in order:
            text = columns[title][number]
            row.append(name(text.removeprefix(common)) if title == "name" else text)
        rows.append([*row, *more])
    titles = [*order, *[""] * len(extra[0])]
    align: list[output.Align] = ["right" if title == "index" else "left" for title in titles]
    output.table(rows, titles=titles if titled else (), align=align, indent=indent)


def _common_scope(names: Sequence[str]) -> str:
    """Return the scope that all of several names begin with, with its `/`."""
    if len(names) < 2:
        return ""
    first, last = min(names), max(names)
    same = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[: first.rfind("/", 0, same) + 1]
