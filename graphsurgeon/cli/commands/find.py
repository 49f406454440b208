"""`gs find`: values by op, name, shape, dtype and neighbourhood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.analysis.select import FoundValue, find_values
from graphsurgeon.cli import output
from graphsurgeon.cli.common import GraphName, Json, Model, Tags, expanding, parse_tags
from graphsurgeon.cli.filters import Selection, advice, cut_lists, require_graph, selection


@expanding(select=selection)
def find(
    model: Model,
    select: Selection,
    count: Annotated[bool, typer.Option("--count", help="Print how many there are.")] = False,
    tags: Tags = None,
    graph: GraphName = None,
    as_json: Json = False,
) -> None:
    """List values by op, name, shape, dtype or neighbourhood; of all graphs and functions unless told otherwise.

    A value is one output of one node. Filters of different kinds must all match; of one kind, any. Shapes are
    inferred where the file does not record them. Exit status 1 if nothing matches.

    Examples:
        gs find model.pb --shape None,512
        gs find model/ --op Conv2D --graph main
        gs find model.pb --name '*logits*' --dtype float32
        gs find model.pb --consumers-of conv1/Relu --depth 2
        gs find model.tflite --shape 1,...,3 --json
    """
    from graphsurgeon.formats import read
    from graphsurgeon.shapes.infer import infer_shapes

    file = read(model)
    require_graph(file)
    metagraphs = file.metagraphs if tags is None else [choose_metagraph(file, parse_tags(tags))]
    filters = cut_lists(select.filters, file)
    reports = [infer_shapes(metagraph, assume=select.assume) for metagraph in metagraphs]
    pairs = list(zip(metagraphs, reports, strict=True))
    found = [value for metagraph, report in pairs for value in find_values(metagraph, filters, report, graph=graph)]
    _print(found, count=count, as_json=as_json)
    if not found:
        hint = advice(metagraphs, filters, reports)
        output.warn("nothing matches" + (f"; {hint}" if hint else ""))
        raise typer.Exit(1)


def _print(found: Sequence[FoundValue], *, count: bool, as_json: bool) -> None:
    if as_json:
        output.print_json({"count": len(found)} if count else {"values": found})
    elif count:
        output.line(len(found))
    else:
        print_values(found)


def print_values(found: Sequence[FoundValue], extra: Sequence[Sequence[object]] = ()) -> None:
    """Print values as rows; columns that would be empty or the same everywhere are left out.

    Args:
        found: the values.
        extra: more cells for each row.
    """
    columns = [("name", [value.name for value in found])]
    if any(value.index is not None for value in found):
        columns.insert(0, ("index", [f"#{value.index}" for value in found]))
    columns += [
        ("dtype", [str(value.dtype or "?") for value in found]),
        ("shape", [str(value.shape) for value in found]),
        ("op", [value.op for value in found]),
    ]
    if any(value.graph for value in found):
        columns.append(("graph", [value.graph or "main" for value in found]))
    if len({tuple(value.tags or ()) for value in found}) > 1:
        columns.append(("tags", [",".join(value.tags or ()) or "none" for value in found]))
    rows = [list(row) for row in zip(*(cells for _, cells in columns), strict=True)]
    for row, more in zip(rows, extra, strict=False):
        row += [str(cell) for cell in more]
    titles = [title for title, _ in columns] + [""] * (len(extra[0]) if extra else 0)
    output.table(rows, titles=titles)
