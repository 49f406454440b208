"""How a conversion looks to a person: what was done, what was compared, and why nothing was written."""

from __future__ import annotations

from graphsurgeon.bridges.converting.request import ConversionReport
from graphsurgeon.cli import output
from graphsurgeon.cli.text.run import compared_row


def print_converted(report: ConversionReport, *, dry_run: bool) -> None:
    """Print the steps of a conversion, the outputs that were compared, and the verdict."""
    for step in report.steps:
        output.line(step)
    output.table([compared_row(item) for item in report.outputs], indent=2)
    for note in report.notes:
        output.line(f"note: {note}")
    if report.problem:
        output.line(f"nothing was written: {report.problem}")
        return
    done = "would write" if dry_run else "wrote"
    told = "" if report.verified else "; it was not compared with the source"
    output.line(f"{done} {report.output} ({output.size(report.bytes)}){told}")
