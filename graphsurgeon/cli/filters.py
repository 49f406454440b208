"""Options that select values, the same for `find`, `inputs` and `outputs`, and what is said if nothing matches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from graphsurgeon.analysis.select import Filters
from graphsurgeon.cli.common import split_list, split_pair, split_pairs
from graphsurgeon.errors import UsageError
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from graphsurgeon.shapes.report import ShapeReport


class FilterOptions(NamedTuple):
    """What a user selects by: filters, and shapes to be assumed."""

    filters: Filters
    assume: dict[str | Value, Shape | Sequence[int | None]]

    @property
    def is_empty(self) -> bool:
        """Say whether no filter was given."""
        return self.filters._replace(depth=1, maybe=False) == NOTHING


NOTHING = Filters(ops=[], names=[], dtypes=[], consumers_of=[], producers_of=[])


def selection(
    op: Annotated[
        list[str] | None, typer.Option("--op", metavar="OP", help="Outputs of these ops: a name, a glob, re:REGEX.")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option("--name", metavar="NAME", help="Nodes or tensors: a name, a glob, re:REGEX.")
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            "--shape", metavar="SHAPE", help="Such as None,512: ? or None unknown, * any one, ... any number."
        ),
    ] = None,
    dtype: Annotated[
        list[str] | None, typer.Option("--dtype", metavar="DTYPE", help="Such as float32, int64, string.")
    ] = None,
    consumers_of: Annotated[
        list[str] | None, typer.Option("--consumers-of", metavar="NAME", help="What reads this node or tensor.")
    ] = None,
    producers_of: Annotated[
        list[str] | None, typer.Option("--producers-of", metavar="NAME", help="What this node reads.")
    ] = None,
    depth: Annotated[int, typer.Option("--depth", metavar="N", min=1, help="How many steps from there.")] = 1,
    maybe: Annotated[
        bool, typer.Option("--maybe", help="Also what may have the shape: unknown rank or dimensions.")
    ] = False,
    uninferred: Annotated[
        bool, typer.Option("--uninferred", help="Outputs of ops whose shapes are not inferred.")
    ] = False,
    assume: Annotated[
        list[str] | None,
        typer.Option("--assume", metavar="NAME=SHAPE", help="Take this shape for an input, such as x=1,224,224,3."),
    ] = None,
) -> FilterOptions:
    """Return what the options select. Names are taken whole, since those of TFLite tensors hold commas."""
    filters = Filters(
        ops=split_list(op),
        names=list(name or ()),
        shape=shape,
        dtypes=split_list(dtype),
        consumers_of=list(consumers_of or ()),
        producers_of=list(producers_of or ()),
        depth=depth,
        maybe=maybe,
        uninferred=uninferred,
    )
    return FilterOptions(filters, parse_assumptions(assume))


def cut_lists(filters: Filters, model: Model) -> Filters:
    """Cut lists of names at commas, except those of TFLite tensors."""
    if model.traits.has_free_names:
        return filters
    return filters._replace(
        names=split_list(filters.names),
        consumers_of=split_list(filters.consumers_of),
        producers_of=split_list(filters.producers_of),
    )


def parse_assumptions(
    pairs: Iterable[str] | None, option: str = "--assume"
) -> dict[str | Value, Shape | Sequence[int | None]]:
    """Return the shapes of `--assume NAME=SHAPE`, by name.

    Args:
        pairs: what was given.
        option: the option that was typed, for messages.

    Raises:
        UsageError: a pair has no `=`, or a dimension is none.
    """
    named = (split_pair(pair, "NAME=SHAPE") for pair in split_pairs(pairs))
    return {name: _shape(text, f"{option} {name}={text}") for name, text in named}


def _shape(text: str, where: str) -> Shape:
    try:
        return Shape.of(text)
    except ValueError as error:
        raise UsageError(f"{where}: {error}", hint="write a shape as 1,224,224,3") from None


def advice(metagraphs: Sequence[MetaGraph], filters: Filters, reports: Sequence[ShapeReport]) -> str:
    """Say what may have been meant by filters that nothing passes."""
    from graphsurgeon.analysis.patterns import suggest_name, suggest_pattern
    from graphsurgeon.analysis.select import value_filter, values_of

    graphs = [graph for metagraph in metagraphs for graph in metagraph.graphs]
    if filters.names:
        names = list(dict.fromkeys(node.name for graph in graphs for node in graph.nodes if node.name))
        names = names or [str(value) for graph in graphs for value in graph.values]
        return suggest_pattern(filters.names[0], names)
    if filters.ops:
        return suggest_name(filters.ops[0], sorted({op for graph in graphs for op in graph.op_counts}))
    if filters.shape is not None and not filters.maybe:
        tests = [value_filter(m, filters._replace(maybe=True), r) for m, r in zip(metagraphs, reports, strict=True)]
        count = sum(
            test(value)
            for metagraph, test in zip(metagraphs, tests, strict=True)
            for graph in metagraph.graphs
            for value in values_of(graph)
        )
        return f"{count} may have that shape: add --maybe, or --assume NAME=SHAPE for an input" if count else ""
    return ""
