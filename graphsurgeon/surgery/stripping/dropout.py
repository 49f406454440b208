"""Dropout, spelled out in the ops that TensorFlow makes of it, lets its input through.

What is recognised are the patterns of `patterns/rules/dropout-out.rules`. A mask that something else reads, such as
a gradient, is left alone: there the model is being trained.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.ops.kinds import PLACEHOLDERS
from graphsurgeon.patterns.match import Found as Search
from graphsurgeon.patterns.match import Matcher, in_order
from graphsurgeon.patterns.rules import rule_set
from graphsurgeon.patterns.subject import Bound, Subject
from graphsurgeon.surgery.stripping.bypass import Found, bound_nodes, let_through, remove_unread

_RULES = "dropout-out"


def bypass_dropout(graph: Graph, protected: Collection[Node]) -> list[Found]:
    """Let the input of every dropout through, and take out what made its mask; return the nodes with their ops."""
    bound = bound_nodes(graph, protected)
    kept = {*protected, *(node for node in graph.nodes if node.op in PLACEHOLDERS)}  # callers may go on feeding a rate
    found: list[Found] = []
    for node, data in dropouts(graph):
        before = [value.producer for value in node.inputs if value.producer is not None]
        found.append((node, node.op))
        let_through(node, data, bound)
        found += remove_unread(graph, before, kept)
    return found


def dropouts(graph: Graph) -> Iterator[tuple[Node, Value]]:
    """Yield the last node of every dropout, and what it drops from, as the graph is when it comes to it."""
    subject = Subject(graph.metagraph, crosses=False)
    for rule in rule_set(_RULES).rules:
        matcher = Matcher(rule, subject, [graph])
        for node in in_order(graph, matcher.compiled.roots_by_graph([graph])[graph]):
            match = matcher.at(node, Search()) if node in graph else None
            data = match.names["x"] if match is not None else None
            if isinstance(data, Bound):
                yield node, data.value
                subject.forget()
                matcher.compiled.forget()
