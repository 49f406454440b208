"""Of which kind a node is that nothing needs: by its op, by scopes that programs use, by what it alone serves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from graphsurgeon.model.graph import Node
from graphsurgeon.ops import kinds as ops
from graphsurgeon.surgery.stripping.kinds import KINDS

# Scopes that tf.gradients, tf.GradientTape and tf.metrics open.
_GRADIENT_SCOPES = frozenset({"gradients", "gradient_tape"})
_METRIC_SCOPES = frozenset({"metrics", "metric", "accuracy", "precision", "recall", "auc", "streaming"})
_READS = ops.INITIALIZED | {"Identity", "ReadVariableOp"}


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
    owner = next((kind.name for kind in KINDS.values() if kind.owns is not None and kind.owns(op)), None)
    if owner is not None:
        return owner
    scopes = {re.sub(r"_\d+$", "", scope.lower()) for scope in node.name.split("/")[:-1]}
    if op in ops.VARIABLES:
        is_applied = any(ops.is_optimizer(user.op) for user in node.consumers)
        return "optimizers" if is_applied else "metrics" if scopes & _METRIC_SCOPES else None
    if scopes & _GRADIENT_SCOPES:
        return "gradients"
    target = node.inputs[0].producer if node.inputs and (op.startswith("Assign") or op in _READS) else None
    if target is not None and (target.op in ops.VARIABLES or target.op == "ReadVariableOp"):
        return _own_kind(target, known)
    return "metrics" if scopes & _METRIC_SCOPES else None
