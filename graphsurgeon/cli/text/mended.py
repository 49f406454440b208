"""How `gs convert --for` looks."""

from __future__ import annotations

from graphsurgeon.cli import output
from graphsurgeon.cli.output import plural, size
from graphsurgeon.export import MendReport


def print_mended(report: MendReport, *, dry_run: bool = False) -> None:
    """Print what was changed, one line for each kind of change."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for where, what, edit, since in report.changes:
        grouped.setdefault((what, edit, since), []).append(where)
    for (what, edit, since), places in grouped.items():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        output.line(f"  {what}: {edit}, in {places[0]}{more} ({since})")
    changed = plural(len(report.changes), "change") if report.changes else "nothing to change"
    done = "would write" if dry_run else "wrote"
    written = f" for {report.release} ({size(report.bytes)}): {changed}; weights as they were"
    output.line(output.mark(done, "done"), " ", output.mark(report.path, "strong"), written)
