"""What inference does not need, by kind: how a node, once nothing that stays needs it, is recognised and explained."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from graphsurgeon.errors import UsageError
from graphsurgeon.model.graph import Node
from graphsurgeon.ops import kinds as ops

# kind -> what it is, in the order in which kinds are reported.
KINDS: Mapping[str, str] = {
    "gradients": "gradients of a loss",
    "optimizers": "updates of variables by an optimizer, and what it keeps beside them",
    "savers": "saving and restoring of what is gone, and further savers",
    "summaries": "values written for a dashboard",
    "queues": "input pipelines: queues, readers, datasets, iterators",
    "metrics": "metrics and what they count",
    "assertions": "checks that stop a run",
    "prints": "Print and CheckNumerics; whoever read them reads what they let through",
    "dropout": "dropout in the ops it is spelled out in; its input goes through",
    "batch-norms": "batch normalizations in training form, which become inference form (asked for by --inference)",
    "identities": "Identity, Snapshot, StopGradient and PreventGradient that only hand a value on",
    "unreachable": "nodes that neither outputs, signatures nor loading need",
    "functions": "functions that nothing calls",
    "defaults": "attributes that say what the op's definition says",
    "devices": "device strings",
    "colocation": "wishes to be placed together",
    "recorded-shapes": "shapes that are noted down beside the ops, `_output_shapes` (asked for alone)",
    "debug": "where nodes come from: names before optimization, source lines",
    "internals": "counters that a checkpoint keeps for itself",
}

_OTHER_NUMBERS = frozenset({"batch-norms"})  # other numbers come out, so not by default
# Nor these: of ops that nobody knows, recorded shapes are all that is known.
_ASKED_FOR = _OTHER_NUMBERS | {"recorded-shapes"}
_GRADIENT_SCOPES = frozenset({"gradients", "gradient_tape"})
_METRIC_SCOPES = frozenset({"metrics", "metric", "accuracy", "precision", "recall", "auc", "streaming"})
_ASSERTIONS = frozenset({"Assert"})
_READS = ops.INITIALIZED | {"Identity", "ReadVariableOp"}

_WHY = {
    "gradients": "part of a gradient",
    "optimizers": "updates a variable, or is kept for that",
    "savers": "saves or restores what is gone",
    "summaries": "yields a summary",
    "queues": "belongs to an input pipeline",
    "metrics": "computes a metric",
    "assertions": "checks a condition that nothing that stays depends on",
    "unreachable": "nothing that stays needs it",
}


def choose_kinds(only: Iterable[str] | None, keep: Iterable[str] | None, *, inference: bool = False) -> frozenset[str]:
    """Return the kinds that are asked for: all but the kept ones, or some alone.

    Raises:
        UsageError: there is no such kind, or nothing is left to do.
    """
    wanted, kept = list(only or ()), list(keep or ())
    unknown = [kind for kind in (*wanted, *kept) if kind not in KINDS]
    if unknown:
        from graphsurgeon.analysis.names import suggestion

        hint = suggestion(unknown[0], KINDS) or f"the kinds are {', '.join(KINDS)}"
        raise UsageError(f"there is no kind {unknown[0]!r} of thing to strip", hint=hint)
    chosen = frozenset(wanted or KINDS.keys() - _ASKED_FOR) - frozenset(kept)
    if inference:
        chosen |= {*_OTHER_NUMBERS, "dropout"} - {*kept}
    if not chosen:
        raise UsageError("every kind that could be stripped is to be kept")
    return chosen


def why(kind: str) -> str:
    """Return the reason for which a node of a kind goes."""
    return _WHY[kind]


def sort_nodes(unneeded: Iterable[Node], known: Mapping[Node, str]) -> dict[Node, str]:
    """Return the kind of each node that is not needed; what serves nodes of one kind alone is of that kind.

    Args:
        unneeded: nodes of one graph.
        known: variables whose kind is known.
    """
    nodes = list(unneeded)
    kinds = {node: kind for node in nodes if (kind := _own_kind(node, known)) is not None}
    members = set(nodes)
    waiting = [before for node in kinds for before in _before(node)]
    while waiting:
        node = waiting.pop()
        if node in members and node not in kinds:
            users = {kinds.get(user) for user in (*node.consumers, *node.control_consumers)}
            if len(users) == 1 and (kind := users.pop()) is not None:
                kinds[node] = kind
                waiting += _before(node)
    return {node: kinds.get(node, "unreachable") for node in nodes}


def _before(node: Node) -> list[Node]:
    return [*(value.producer for value in node.inputs if value.producer is not None), *node.controls]


def _own_kind(node: Node, known: Mapping[Node, str]) -> str | None:
    op = node.op
    if node in known:
        return known[node]
    scopes = {re.sub(r"_\d+$", "", scope.lower()) for scope in node.name.split("/")[:-1]}
    if ops.is_optimizer(op):
        return "optimizers"
    if op in ops.VARIABLES:
        is_applied = any(ops.is_optimizer(user.op) for user in node.consumers)
        return "optimizers" if is_applied else "metrics" if scopes & _METRIC_SCOPES else None
    if ops.is_saver(op):
        return "savers"
    if ops.is_summary(op):
        return "summaries"
    if ops.is_pipeline(op):
        return "queues"
    if op in _ASSERTIONS:
        return "assertions"
    if ops.is_gradient(op) or scopes & _GRADIENT_SCOPES:
        return "gradients"
    target = node.inputs[0].producer if node.inputs and (op.startswith("Assign") or op in _READS) else None
    if target is not None and (target.op in ops.VARIABLES or target.op == "ReadVariableOp"):
        return _own_kind(target, known)
    return "metrics" if scopes & _METRIC_SCOPES else None
