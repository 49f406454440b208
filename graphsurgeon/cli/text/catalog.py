"""How `gs catalog` tells how far it is, and what it found."""

from __future__ import annotations

import sys
from collections import Counter as Counts
from time import monotonic

from graphsurgeon.cli import output
from graphsurgeon.cli.output import number, plural, size
from graphsurgeon.fleet.catalog import CatalogReport

_MOST = 10  # lines of each part
_EVERY = 0.5  # seconds between two looks at the clock


class Counter:
    """A line on stderr, where somebody looks, that says how many models are done, how fast, and how long it takes."""

    def __init__(self, *, quiet: bool) -> None:
        self._is_shown = not quiet and sys.stderr.isatty()
        self._begun = self._told = monotonic()

    def show(self, done: int, total: int) -> None:
        """Tell how far it is."""
        now = monotonic()
        if not self._is_shown or now - self._told < _EVERY:
            return
        self._told = now
        rate = done / max(now - self._begun, 1e-9)
        left = _span((total - done) / rate)
        print(f"\r\x1b[K{done:,} of {plural(total, 'model')}, {rate:.1f}/s, {left} left", end="", file=sys.stderr)

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *error: object) -> None:
        if self._is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def print_report(report: CatalogReport) -> None:
    """Print what a catalog holds, for people."""
    kept = f", {report.kept:,} as before" if report.kept else ""
    output.heading(f"{report.path}: {plural(report.models, 'model')}{kept}")
    output.line(
        f"  {size(report.bytes)}, {number(report.parameters)} parameters; {plural(report.others, 'other file')}"
    )
    _print_counts("formats", Counts({_title(one): count for one, count in report.formats.items()}))
    _print_counts("TensorFlow", report.versions)
    _print_counts("ops, in how many models", report.ops)
    _print_counts("ops that nobody defines", report.unknown_ops)
    _print_counts("worst finding", report.worst)
    if report.duplicates or report.near_duplicates:
        output.heading("duplicates", apart=True)
        output.line(f"  {report.duplicates:,} with the weights of another, {report.near_duplicates:,} of its structure")
    _print_counts("could not be looked at", report.failures)


def tell_links(report: CatalogReport) -> None:
    """Say on stderr that links were not followed: what they lead to is missing in the catalog."""
    if report.links:
        more = ", ..." if len(report.links) > 1 else ""
        links = "link to a folder is" if len(report.links) == 1 else "links to folders are"
        output.warn(
            f"{len(report.links):,} {links} not followed: {report.links[0]}{more}; "
            "what it leads to gets a row where it is given as a path"
        )


def _title(format: str) -> str:
    from graphsurgeon.formats import registry

    return registry.get(format).title


def _print_counts(title: str, counts: Counts[str]) -> None:
    if not counts:
        return
    output.heading(title, apart=True)
    rows = [(name, f"{count:,}") for name, count in counts.most_common(_MOST)]
    output.table(rows, align=("left", "right"), indent=2)
    if len(counts) > _MOST:
        output.line("  ", output.mark(f"{len(counts) - _MOST:,} more", "faint"))


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{round(seconds)} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
