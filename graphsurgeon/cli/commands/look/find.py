"""`gs find`: values by op, name, shape, dtype and neighbourhood."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from graphsurgeon.analysis.names import choose_graphs, choose_metagraph, require_graph
from graphsurgeon.analysis.select import FoundValue, choose_values, find_values
from graphsurgeon.cli import output
from graphsurgeon.cli.common import GraphName, Json, Model, Tags, expanding, parse_tags
from graphsurgeon.cli.filters import FilterOptions, advice, cut_lists, selection
from graphsurgeon.cli.output import plural
from graphsurgeon.cli.text import values as values_text
from graphsurgeon.errors import UsageError
from graphsurgeon.model.metagraph import MetaGraph

if TYPE_CHECKING:
    from graphsurgeon.analysis.matches import PatternReport


@expanding(select=selection)
def find(
    model: Model,
    select: FilterOptions,
    pattern: Annotated[
        str | None,
        typer.Option(
            "--pattern", metavar="PATTERN", help="A construct, such as 'Mul(x, Sigmoid(x))'; see docs/patterns.md."
        ),
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Print how many there are.")] = False,
    tags: Tags = None,
    graph: GraphName = None,
    as_json: Json = False,
) -> None:
    """List values by op, name, shape, dtype or neighbourhood; of all graphs and functions unless told otherwise.

    A value is one output of one node; a node without outputs is listed where --op or --name asks. Filters of
    different kinds must all match; of one kind, any. Shapes are inferred where the file does not record them. With
    --pattern constructs of several nodes are listed, with what each name in the pattern stands for. Exit status 1 if
    nothing matches.

    Examples:
        gs find model.pb --shape None,512
        gs find model/ --op Conv2D --graph main
        gs find model.pb --name '*logits*' --dtype float32
        gs find model.pb --consumers-of conv1/Relu --depth 2
        gs find model.tflite --shape 1,...,3 --json
        gs find model/ --pattern 'Relu|Relu6(BiasAdd(Conv2D(x, const(w)), b))'
    """
    from graphsurgeon.formats import read
    from graphsurgeon.shapes.infer import infer_shapes

    file = read(model)
    require_graph(file)
    metagraphs = file.metagraphs if tags is None else [choose_metagraph(file, parse_tags(tags))]
    if pattern is not None:
        _find_pattern(pattern, metagraphs, select, graph, count=count, as_json=as_json)
        return
    filters = cut_lists(select.filters, file)
    if graph is None and not filters.consumers_of and not filters.producers_of and not select.assume:
        metagraphs = [*metagraphs, *(module for metagraph in metagraphs for module in metagraph.modules)]
    reports = [infer_shapes(metagraph, assume=select.assume, on_demand=True) for metagraph in metagraphs]
    pairs = list(zip(metagraphs, reports, strict=True))
    if count:  # what there is to know of each is not asked
        number = sum(1 for one, report in pairs for _ in choose_values(one, filters, report, graph=graph))
        _print_count(number, as_json=as_json)
    else:
        found = [value for one, report in pairs for value in find_values(one, filters, report, graph=graph)]
        number = len(found)
        output.print_json({"values": found}) if as_json else print_values(found)
    if not number:
        hint = advice(metagraphs, filters, reports)
        output.warn("nothing matches" + (f"; {hint}" if hint else ""))
        raise typer.Exit(1)


def _find_pattern(
    text: str, metagraphs: Sequence[MetaGraph], select: FilterOptions, graph: str | None, *, count: bool, as_json: bool
) -> None:
    from graphsurgeon.analysis.matches import find_pattern, search
    from graphsurgeon.cli.text.matches import print_matches
    from graphsurgeon.patterns import parse_pattern
    from graphsurgeon.patterns.subject import Subject
    from graphsurgeon.shapes.infer import infer_shapes

    if not select.is_empty:
        raise UsageError("--pattern and the filters of values do not go together", hint="--graph and --tags do")
    rule = parse_pattern(text)
    if count:  # what names stand for is not asked, so nothing needs to be inferred
        searched = [search(Subject(one), rule, choose_graphs(one, graph)) for one in metagraphs]
        number, given_up = sum(len(one.matches) for one in searched), sum(len(one.undecided) for one in searched)
        _print_count(number, as_json=as_json)
    else:
        shapes = [infer_shapes(one, assume=select.assume) if select.assume else None for one in metagraphs]
        pairs = list(zip(metagraphs, shapes, strict=True))
        reports = [find_pattern(one, rule, graph=graph, shapes=known) for one, known in pairs]
        number, given_up = (sum(len(found) for found in kinds) for kinds in zip(*map(_both, reports), strict=True))
        if as_json:
            output.print_json({"matches": [match for report in reports for match in report.matches]})
        else:
            print_matches(reports)
    if given_up:
        output.warn(f"{plural(given_up, 'node')} given up after too many steps: a simpler pattern may say more")
    if not number:
        output.warn("nothing matches")
        raise typer.Exit(1)


def _both(report: PatternReport) -> tuple[Sequence[object], Sequence[object]]:
    return report.matches, report.undecided


def _print_count(number: int, *, as_json: bool) -> None:
    output.print_json({"count": number}) if as_json else output.line(number)


def print_values(found: Sequence[FoundValue], extra: Sequence[Sequence[object]] = ()) -> None:
    """Print values as rows; columns that would be empty or the same everywhere are left out.

    Args:
        found: the values.
        extra: more cells for each row.
    """
    if sys.stdout.isatty():
        values_text.draw_values(found, extra)
        return
    columns = values_text.columns_of(found, with_graph=True)
    rows = [[str(part) for part in row] for row in zip(*(cells for _, cells in columns), strict=True)]
    for row, more in zip(rows, extra, strict=False):
        row += [str(cell) for cell in more]
    output.table(rows)
