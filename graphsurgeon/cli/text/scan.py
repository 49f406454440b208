"""How `gs scan` tells what it found."""

from __future__ import annotations

from collections import Counter
from typing import Any

from graphsurgeon.cli import output
from graphsurgeon.cli.output import mark
from graphsurgeon.scanning.finding import SEVERITIES, Threat
from graphsurgeon.scanning.scan import ScanReport

_FIELDS = ("severity", "op", "what", "where", "when", "target", "kind", "count")


def to_json(report: ScanReport) -> dict[str, Any]:
    """Return a report as JSON has it."""
    return {
        "path": report.path,
        "format": report.format,
        "findings": [_finding(threat) for threat in report.findings],
        "allowed": [_finding(threat) for threat in report.allowed],
    }


def _finding(threat: Threat) -> dict[str, Any]:
    return {name: getattr(threat, name) for name in _FIELDS}


def print_scan(report: ScanReport, *, everything: bool) -> None:
    """Print a line of counts, and two lines for each finding: what it does to what, and when, on which way."""
    shown = [threat for threat in report.findings if everything or threat.severity != "info"]
    worst = min((_STYLES.index(one.severity) for one in report.findings if one.severity in _STYLES[:-1]), default=None)
    style = "done" if worst is None else _style(_STYLES[worst])
    output.line(mark(f"{report.path}: ", "heading"), mark(_counts(report), style))
    for threat in shown:
        times = f" ({threat.count} times)" if threat.count > 1 else ""
        target = (f": {threat.target}",) if threat.target else ()
        op = (mark(f"{threat.op}  ", "strong"),) if threat.op else ()
        output.line(
            "  ", mark(f"{threat.severity:<8}", _style(threat.severity)), "  ", *op, threat.what, *target, times
        )
        output.line(" " * 12, mark(f"{_when(threat)}: ", "strong"), mark(threat.where, "faint"))


_STYLES = ("critical", "high", "medium", "info")


def _style(severity: str) -> str:
    return {"critical": "error", "high": "error", "medium": "warning"}.get(severity, "faint")


def _counts(report: ScanReport) -> str:
    counts = Counter(threat.severity for threat in report.findings)
    parts = [f"{counts[severity]} {severity}" for severity in SEVERITIES if counts[severity] and severity != "info"]
    harmless = f"{counts['info']} harmless (--all shows them)" if counts["info"] else ""
    allowed = f"{len(report.allowed)} allowed" if report.allowed else ""
    found = ", ".join(filter(None, (*parts, harmless, allowed)))
    return found if parts else "nothing found" + (f", {found}" if found else "")


def _when(threat: Threat) -> str:
    kind, _, name = threat.when.partition(":")
    if kind == "load":
        return "on load"
    if kind == "signature":
        return f"when signature {name} is called"
    return f"when function {name} is called" if kind == "function" else "nothing known runs it"


__all__ = ["print_scan", "to_json"]
