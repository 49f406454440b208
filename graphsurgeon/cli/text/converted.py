"""How a conversion looks to a person: what was done, what was compared, and why nothing was written."""

from __future__ import annotations

from graphsurgeon.bridges.converting.accuracy import Measured
from graphsurgeon.bridges.converting.request import ConversionReport
from graphsurgeon.cli import output
from graphsurgeon.cli.output import mark
from graphsurgeon.cli.text.edit import print_notes
from graphsurgeon.cli.text.run import compared_row


def print_converted(report: ConversionReport, *, dry_run: bool) -> None:
    """Print the steps of a conversion, the outputs that were compared, and the verdict."""
    for step in report.steps:
        output.line(step)
    output.table([compared_row(item) for item in report.outputs], indent=2)
    _print_quantized(report.details.get("quantized"))
    print_notes(report.notes)
    if report.problem:
        output.line(mark("nothing was written", "error"), f": {report.problem}")
        return
    done = "would write" if dry_run else "wrote"
    told = "" if report.verified else "; it was not compared with the source"
    output.line(mark(done, "done"), " ", mark(report.output, "strong"), f" ({output.size(report.bytes)}){told}")


def _print_quantized(measured: Measured | None) -> None:
    """Print size and error of a quantized model beside the float one."""
    if measured is None:
        return
    output.line(f"quantized: {output.size(measured.bytes)}, as floats {output.size(measured.float_bytes)}")
    rows = [(one.name, f"{one.largest:.3g}", f"{one.range:.3g}") for one in measured.outputs]
    output.table([("output", "largest error", "range of the floats"), *rows] if rows else [], indent=2)
