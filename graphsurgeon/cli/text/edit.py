"""How the report of an edit looks to a person: what was done, in sentences; all there is to tell with `-v`."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.cli import output
from graphsurgeon.cli.output import mark, plural, size
from graphsurgeon.cli.text.steps import print_step
from graphsurgeon.edit import EditReport, Verdict


def print_edit(report: EditReport, *, verbose: bool = False) -> None:
    """Print what an edit did."""
    for number, step in enumerate(report.steps):
        if len(report.steps) > 1:
            output.heading(f"{number + 1}. {step.operation}")
        print_step(step, verbose=verbose)
    for finding in report.warnings:
        hint = f"; {finding.hint}" if finding.hint else ""
        output.line(mark("warning: ", "warning"), f"{finding.where}: {finding.what}{hint}")
    print_notes(report.notes)
    if report.verdict is not None:
        _print_verdict(report.verdict)
    _print_written(report)


def print_notes(notes: Sequence[str]) -> None:
    """Print what else the user should know, a line each."""
    for note in notes:
        output.line(mark("note: ", "note"), note)


def _print_written(report: EditReport) -> None:
    from graphsurgeon.formats import registry

    done = "wrote" if report.written else "would write" if report.verdict is None else "did not write"
    files = f" in {plural(len(report.files), 'file')}" if len(report.files) != 1 else ""
    title = registry.get(report.format).title
    if report.member:
        title = f"{title} {report.member!r} in a bundle"
    style = "done" if report.written else "warning" if report.verdict is not None else "strong"
    output.line(mark(done, style), " ", mark(report.output, "strong"), f" ({title}, {size(report.num_bytes)}{files})")


def _print_verdict(verdict: Verdict) -> None:
    from graphsurgeon.cli.text.run import print_equivalence
    from graphsurgeon.compare.equivalence import EquivalenceReport

    output.line("verified, by running both:")
    if isinstance(verdict, EquivalenceReport):
        print_equivalence(verdict)
    elif verdict.agrees:
        output.line(mark("the same numbers", "done"))
    else:
        output.line(mark("the numbers differ", "error"))
