"""`gs inputs` and `gs outputs`: the likely ones, best first, with reasons."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.cli import output
from graphsurgeon.cli.common import All, Json, Model, Tags, expanding, parse_tags
from graphsurgeon.cli.filters import FilterOptions, advice, cut_lists, selection

if TYPE_CHECKING:
    from graphsurgeon.analysis.candidates import Candidate
    from graphsurgeon.shapes.report import ShapeReport

FEW = 10  # candidates that are listed unless all are asked for


@expanding(select=selection)
def inputs(
    model: Model,
    select: FilterOptions,
    everything: All = False,
    tags: Tags = None,
    as_json: Json = False,
) -> None:
    """List what goes into a model: what callers feed first, then switches, defaults and input pipelines.

    Examples:
        gs inputs model.pb
        gs inputs model/ --dtype float32 --json
    """
    _show("inputs", model, select, tags, everything=everything, as_json=as_json)


@expanding(select=selection)
def outputs(
    model: Model,
    select: FilterOptions,
    everything: All = False,
    tags: Tags = None,
    as_json: Json = False,
) -> None:
    """List what probably comes out of a model, the likeliest first, with reasons.

    With a filter every value that could be fetched is ranked, not only those that look like an answer.

    Examples:
        gs outputs model.pb
        gs outputs model.meta --shape None,512
        gs outputs model.pb --name '*embed*' --all
    """
    _show("outputs", model, select, tags, everything=everything, as_json=as_json)


def _show(
    side: Literal["inputs", "outputs"],
    path: Path,
    select: FilterOptions,
    tags: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    from graphsurgeon.analysis.candidates import likely_inputs, likely_outputs, stored_ends
    from graphsurgeon.analysis.select import value_filter
    from graphsurgeon.formats import read
    from graphsurgeon.shapes.infer import infer_shapes

    file = read(path)
    metagraph = choose_metagraph(file, parse_tags(tags))
    report = infer_shapes(metagraph, assume=select.assume)
    filters = cut_lists(select.filters, file)
    if metagraph.graph.kind == "subgraph":
        candidates = stored_ends(metagraph, side)
    elif side == "inputs":
        candidates = likely_inputs(metagraph)
    else:
        candidates = likely_outputs(metagraph, report, all_values=not select.is_empty)
    passes = value_filter(metagraph, filters, report)
    found = [candidate for candidate in candidates if passes(candidate.value)]
    shown = found if everything else found[:FEW]
    _print(side, shown, report, more=len(found) - len(shown), as_json=as_json)
    if not found:
        hint = "gs find lists every value" if select.is_empty else advice([metagraph], filters, [report])
        output.warn(f"no likely {side}" + (f"; {hint}" if hint else ""))
        raise typer.Exit(1)


def _print(side: str, shown: Sequence[Candidate], report: ShapeReport, *, more: int, as_json: bool) -> None:
    from graphsurgeon.analysis.select import found_value
    from graphsurgeon.cli.commands.look.find import print_values

    values = [found_value(candidate.value, report) for candidate in shown]
    reasons = ["; ".join(candidate.why) for candidate in shown]
    if as_json:
        rows = [output.to_json(value) for value in values]
        for row, candidate in zip(rows, shown, strict=True):
            row |= {"role": candidate.role} if side == "inputs" else {}
            row |= {"score": candidate.score, "why": candidate.why}
        output.print_json({side: rows})
    elif side == "inputs" and not sys.stdout.isatty():
        print_values(values, [(candidate.role, why) for candidate, why in zip(shown, reasons, strict=True)])
    elif side == "inputs":
        told = zip(shown, reasons, strict=True)
        print_values(values, [(f"{candidate.role}: {why}" if why else candidate.role,) for candidate, why in told])
    else:
        print_values(values, [(why,) for why in reasons])
    if more and not as_json:
        output.warn(f"{more} more with --all", prefix="note")
