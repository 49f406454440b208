"""How the report of an edit looks to a person: facts, the first of each kind; all of them with `-v`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from graphsurgeon.cli import output
from graphsurgeon.cli.output import plural, size
from graphsurgeon.edit import EditReport, StepReport, Verdict

FEW = 10  # rows of one fact without -v


def print_edit(report: EditReport, *, verbose: bool = False) -> None:
    """Print what an edit did."""
    for step in report.steps:
        _print_step(step, verbose=verbose)
    for finding in report.warnings:
        output.line(f"warning: {finding.where}: {finding.what}" + (f"; {finding.hint}" if finding.hint else ""))
    for note in report.notes:
        output.line(f"note: {note}")
    if report.verdict is not None:
        _print_verdict(report.verdict)
    done = "wrote" if report.written else "would write" if report.verdict is None else "did not write"
    output.line(
        f"{done} {report.output} ({report.format}, {size(report.num_bytes)} in {plural(len(report.files), 'file')})"
    )


def _print_verdict(verdict: Verdict) -> None:
    from graphsurgeon.cli.text.run import print_equivalence
    from graphsurgeon.compare.equivalence import EquivalenceReport

    output.line("verified, by running both:")
    if isinstance(verdict, EquivalenceReport):
        print_equivalence(verdict)
    else:
        output.line("the same numbers" if verdict.agrees else "the numbers differ")


def _print_step(step: StepReport, *, verbose: bool) -> None:
    report: Any = step.report
    if not dataclasses.is_dataclass(report):
        if report is not None:
            output.line(f"{step.operation}: {report}")
        return
    for field in dataclasses.fields(report):
        value = getattr(report, field.name)
        if field.name == "notes":
            for note in value:
                output.line(f"note: {note}")
        else:
            _print_fact(field.name.replace("_", " "), value, verbose=verbose)


def _print_fact(name: str, value: object, *, verbose: bool) -> None:
    """Print a fact that says something: a text, a number, or how many there are and which."""
    if not value:
        return
    if isinstance(value, Mapping):
        value = [(key, item) for key, item in value.items()]
    if isinstance(value, str) or not isinstance(value, Sequence):
        output.line(name if value is True else f"{name}: {value}")
        return
    output.line(f"{name}: {len(value):,}")
    shown = value if verbose or len(value) <= FEW else value[: FEW - 1]
    output.table([_row(item) for item in shown], indent=2)
    if len(shown) < len(value):
        output.line(f"  {len(value) - len(shown):,} more (-v)")


def _row(item: object) -> list[object]:
    if dataclasses.is_dataclass(item):
        return [_cell(field.name, getattr(item, field.name)) for field in dataclasses.fields(item)]
    if isinstance(item, tuple | list):
        return [output.text_of(part) for part in item]
    return [output.text_of(item)]


def _cell(name: str, value: object) -> str:
    """Return a value as a cell; a bare number would not say what is counted, and 0 says nothing."""
    if type(value) is not int:
        return output.text_of(value)
    return f"#{value}" if name == "index" else f"{name.replace('_', ' ')} {value:,}" if value else ""
