"""Compiled modules (`XlaCallModule`): which native functions they call by name.

`call_targets.tsv` lists what JAX, XLA and StableHLO call; functions of the model that a module calls back
(`function_list`) are judged like others.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats.stablehlo.calls import calls_of
from graphsurgeon.model.graph import Node
from graphsurgeon.scanning.finding import Severity, Threat
from graphsurgeon.scanning.flow.strings import texts_of
from graphsurgeon.scanning.judge import Judge, severity_at
from graphsurgeon.scanning.words import readable

OP = "XlaCallModule"


def threats(judge: Judge) -> Iterator[Threat]:
    """Yield what modules inside attributes call."""
    for graph in judge.metagraph.graphs:
        for node in graph.nodes:
            if node.op == OP:
                yield from _of_node(judge, node)


def _of_node(judge: Judge, node: Node) -> Iterator[Threat]:
    module = texts_of(node.attrs.get("module"))
    try:
        calls = calls_of(module[0]) if module else None
    except (FormatError, UnsupportedError) as error:
        yield _threat(judge, node, "medium", f"runs a module that could not be looked into: {error.message}", None)
        return
    if calls is None or not calls.is_complete:
        what = "runs a module that calls native code by names that could not be read"
        yield _threat(judge, node, _called(judge, node), what, None)
        return
    for target in sorted(calls.targets):
        verdict, what = verdict_of(target)
        severity: Severity = "info" if verdict == "known" else "medium"
        if verdict == "unknown":
            severity = _called(judge, node)
        yield _threat(judge, node, severity, what, target)


def _called(judge: Judge, node: Node) -> Severity:
    labels = judge.reach.labels(node)
    return severity_at(labels[0].stage if labels else None)


def _threat(judge: Judge, node: Node, severity: Severity, what: str, target: str | None) -> Threat:
    labels = judge.reach.labels(node)
    label = labels[0] if labels else None
    where = " > ".join(judge.reach.path(node, label))
    when = label.when if label is not None else "unknown"
    shown = None if target is None else readable(target.encode("utf-8", "surrogateescape"))
    return Threat(severity, node.op, what, where, when, shown, "code", targets=() if shown is None else (shown,))


def verdict_of(target: str) -> tuple[str, str]:
    """Return what a name of native code is ("known", "compiled" or "unknown"), and what calling it does."""
    for pattern, verdict, what in _targets():
        if fnmatchcase(target, pattern):
            return verdict, f"calls {what}" if verdict == "known" else f"runs {what}"
    return "unknown", "calls native code by name"


@cache
def _targets() -> list[tuple[str, str, str]]:
    lines = Path(__file__).with_name("call_targets.tsv").read_text("utf-8").splitlines()[1:]
    return [(pattern, verdict, what) for pattern, verdict, what in (line.split("\t") for line in lines)]
