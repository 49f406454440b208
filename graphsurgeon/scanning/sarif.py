"""Findings as SARIF 2.1.0, the form that code scanning of hosts takes.

Spec: docs.oasis-open.org/sarif/sarif/v2.1.0. A rule has one severity, so there is one for each kind and severity. Every
result has a physical location with a line, for without one whole files are rejected; logical locations tell the way to
the op. Fingerprints are made of names without the numbers that every export counts anew.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from graphsurgeon import __version__
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.scanning.finding import Threat
from graphsurgeon.scanning.scan import ScanReport

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "info": "note"}
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.0", "info": "2.0"}  # what GitHub sorts by, as texts
_WHEN = {"critical": "on load", "high": "when it is called", "medium": "perhaps", "info": "harmless"}
_NUMBER = re.compile(r"_\d+\b")
_MOST_RESULTS = 5000  # that GitHub keeps of a run

Result = tuple[Path, ScanReport | GraphSurgeonError]


def sarif_of(reports: Iterable[Result], *, base: Path | None = None) -> dict[str, Any]:
    """Return one SARIF log.

    Args:
        reports: path -> what was found there, or why it could not be read.
        base: the folder that paths are relative to; the current one without it.
    """
    rules: dict[str, dict[str, Any]] = {}
    results: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    root = base if base is not None else Path.cwd()
    for path, report in reports:
        uri = uri_of(path, root)
        if isinstance(report, GraphSurgeonError):
            problems.append({"level": "error", "message": {"text": str(report)}, "locations": [_place(uri)]})
            continue
        results += [_result(threat, uri, rules) for threat in report.findings]
        results += [_result(threat, uri, rules, _SUPPRESSED) for threat in report.allowed]
    numbers = {name: number for number, name in enumerate(rules)}
    for result in results:
        result["ruleIndex"] = numbers[result["ruleId"]]
    driver = {
        "name": "graphsurgeon",
        "version": __version__,
        "rules": list(rules.values()),
    }
    invocation = {"executionSuccessful": not problems, "toolExecutionNotifications": problems}
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results[:_MOST_RESULTS]}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def uri_of(path: Path, root: Path) -> str:
    """Return a relative URI for a path, each part of it with what means something in a URI spelled in percent."""
    text = os.fspath(path)
    if re.match(r"[a-z][a-z0-9+.-]+://", text):
        return text.partition("?")[0]  # a query may hold a secret
    absolute = os.path.abspath(text)
    inside = os.path.relpath(absolute, os.path.abspath(root))
    shown = absolute if inside.startswith("..") else inside
    parts = [quote(part, safe="") for part in Path(shown).parts if part != os.sep]
    return f"file:///{'/'.join(parts)}" if os.path.isabs(shown) else "/".join(parts) or "."


_SUPPRESSED = {"suppressions": [{"kind": "external"}]}  # by a list of what is allowed, outside the model


def _result(
    threat: Threat, uri: str, rules: dict[str, dict[str, Any]], more: dict[str, Any] | None = None
) -> dict[str, Any]:
    kind = threat.kind or "other"
    name = f"GS-{kind}-{threat.severity}"
    rules.setdefault(name, _rule(name, kind, threat))
    steps = threat.where.split(" > ")
    target = f": {threat.target}" if threat.target else ""
    text = f"{threat.op or 'the file'}: {threat.what}{target} (when: {threat.when}; where: {threat.where})"
    mark = _fingerprint(name, threat, steps)
    return {
        "ruleId": name,
        "level": _LEVELS[threat.severity],
        "message": {"text": text},
        "locations": [{**_place(uri), "logicalLocations": [{"fullyQualifiedName": threat.where, "kind": "member"}]}],
        "partialFingerprints": {"primaryLocationLineHash": mark, "gsFinding/v1": mark},
        "properties": {"op": threat.op, "when": threat.when, "target": threat.target, "count": threat.count},
        **(more or {}),
    }


def _rule(name: str, kind: str, threat: Threat) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": f"{kind}, {_WHEN[threat.severity]}"},
        "fullDescription": {"text": f"The model {threat.what}."},
        "defaultConfiguration": {"level": _LEVELS[threat.severity]},
        "properties": {"security-severity": _SCORES[threat.severity], "tags": ["security"]},
    }


def _place(uri: str) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}


def _fingerprint(rule: str, threat: Threat, steps: Sequence[str]) -> str:
    way = [_NUMBER.sub("", step) for step in steps]
    text = "\0".join([rule, threat.op or "", *way, threat.target or ""])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
