"""Branches that are decided: a Switch, If, Case or Select whose predicate is a constant loses the branch not taken."""

from __future__ import annotations

from graphsurgeon.model.graph import Graph, Node


def fold_predicates(graph: Graph) -> list[Node]:
    """Decide what a constant decides; return the calls that took the place of branches that are functions."""
    return []
