"""How the matches of a pattern look to a person: a line for each, and under it what its names stand for."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from graphsurgeon.analysis.matches import FoundMatch, PatternReport
from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.cli import output
from graphsurgeon.cli.output import mark, plural


def print_matches(reports: Sequence[PatternReport]) -> None:
    """Print each match: its root, how many nodes, where; then each capture with dtype and shape."""
    matches = [match for report in reports for match in report.matches]
    many_tags = len({tuple(match.tags or ()) for match in matches}) > 1
    for match in matches:
        where = f"  in {match.graph}" if match.graph else ""
        tags = f"  tags {','.join(match.tags or ()) or 'none'}" if many_tags else ""
        output.line(output.name(match.root), f"  {plural(len(match.nodes), 'node')}{where}{tags}")
        output.table(list(_rows(match)), indent=2)
    if sys.stdout.isatty() and matches:
        output.line(mark(plural(len(matches), "match"), "strong"))


def _rows(match: FoundMatch) -> list[list[object]]:
    rows: list[list[object]] = []
    for name, bound in match.captures.items():
        several = isinstance(bound, tuple)
        tensors: Sequence[TensorFact] = bound if isinstance(bound, tuple) else (bound,)
        if several and not tensors:
            rows.append([name, "nothing", None, None])
        for place, tensor in enumerate(tensors):
            text = f"#{tensor.index}" if tensor.index is not None and not tensor.name else tensor.name
            rows.append([f"{name}[{place}]" if several else name, output.name(text), tensor.dtype or "?", tensor.shape])
    return rows
