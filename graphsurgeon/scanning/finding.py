"""What a scan says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["critical", "high", "medium", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "info")


@dataclass(frozen=True)
class Threat:
    """Something that a model could do.

    Attributes:
        severity: "critical" where it happens on load, "high" where a call makes it happen, "medium" where nothing
            known does, or where it could not be looked into; "info" for what is there and harmless.
        op: the operation; None for what is no operation of a graph.
        what: what it does, in words.
        where: names from a signature, or from loading, to the node, joined by " > ".
        when: "load", "signature:NAME", "function:NAME", or "unknown".
        target: the path, address or name that it acts on, "whatever the caller passes (KEY)", or None.
        kind: of the table of ops ("read", "write", "network", "code", ...), or what a container holds ("archive", ...).
        count: how many nodes this stands for.
        targets: all that it acts on outside the model, each by itself.
    """

    severity: Severity
    op: str | None
    what: str
    where: str
    when: str = "unknown"
    target: str | None = None
    kind: str = ""
    count: int = 1
    targets: tuple[str, ...] = ()


def at_least(severity: Severity, bound: Severity) -> bool:
    """Say whether a severity is a bound or above it."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(bound)


def gathered(threats: Iterable[Threat]) -> list[Threat]:
    """Return findings, worst first; those that differ in their node only are one, with a count."""
    groups: dict[tuple[str | None, ...], list[Threat]] = {}
    for threat in threats:
        key = (threat.severity, threat.op, threat.what, threat.when, threat.target, threat.kind)
        groups.setdefault(key, []).append(threat)
    found = [replace(group[0], count=sum(threat.count for threat in group)) for group in groups.values()]
    return sorted(found, key=lambda threat: SEVERITIES.index(threat.severity))
