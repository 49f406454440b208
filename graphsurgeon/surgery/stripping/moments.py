"""Batch normalization spelled out in single ops: statistics of a batch give way to the averages kept of them.

What is averaged into a variable, is a mean over data, and has the shape of the variable, is a statistic of the batch:
`patterns/rules/finding/moving-averages.rules` has the forms. Who else reads it reads the variable, and the update goes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.kinds import IDENTITIES, RESHAPES
from graphsurgeon.patterns.match import Matcher
from graphsurgeon.patterns.rules import finding_rules
from graphsurgeon.patterns.subject import Bound, Subject
from graphsurgeon.surgery.stripping.batch_norm import read_of
from graphsurgeon.surgery.stripping.bypass import Found, remove_unread, remove_waiting

_RULES = "moving-averages"
_SAME = IDENTITIES | RESHAPES | {"Cast"}


class _Average(NamedTuple):
    """An update of a variable by a statistic of the batch, and the nodes that lead from one to the other."""

    update: Node
    variable: Value
    statistic: Value
    way: frozenset[Node]


def infer_moments(
    graph: Graph, protected: Collection[Node], going: Collection[Node]
) -> tuple[list[Found], list[tuple[Node, str]]]:
    """Let moving averages take the place of what they average; return what changed or went, and those left.

    Args:
        graph: a main graph or function.
        protected: nodes that others know by name.
        going: nodes that nothing needs and that are going to be taken out.
    """
    flow = control_flow(graph)
    changed: list[Found] = []
    left = []
    for average in _averages(graph):
        update, node = average.update, average.statistic.producer
        others = [user for user in average.statistic.consumers if user not in average.way and user not in going]
        if node is None or not others:
            continue
        if any(one in flow.frames or one in flow.branches for one in (update, node)):
            left.append((node, "it lies in a loop or branch of the first kind"))
            continue
        if update in protected or update.consumers:
            left.append((node, "the result of its update is read"))
            continue
        changed += [(node, node.op), (update, update.op)]
        read = read_of(average.variable)
        for user in others:
            user.inputs = [read if value is average.statistic else value for value in user.inputs]
        before = [value.producer for value in update.inputs if value.producer is not None]
        remove_waiting(update, flow)
        changed += remove_unread(graph, [one for one in before if one is not read.producer], protected)
    return changed, left


def _averages(graph: Graph) -> list[_Average]:
    """Return the moving averages of statistics of a batch, in the order of the file."""
    subject = Subject(graph.metagraph, crosses=False)
    found: dict[Node, _Average] = {}
    for rule in finding_rules(_RULES):
        for match in Matcher(rule, subject, [graph]).find().matches:
            variable, statistic, data = (match.names[name] for name in ("moving", "statistic", "data"))
            assert isinstance(variable, Bound)
            assert isinstance(statistic, Bound)
            assert isinstance(data, Bound)
            if _has_rank(variable.value) and subject.variable(data.value, None) is None:
                value, way = _read_elsewhere(statistic.value, frozenset(match.inside()))
                found[match.root] = _Average(match.root, variable.value, value, way)
    return [found[node] for node in graph.nodes if node in found]


def _read_elsewhere(value: Value, inside: frozenset[Node]) -> tuple[Value, frozenset[Node]]:
    """Go back over what only the update reads, to the value that the normalization reads too."""
    passed: set[Node] = set()
    while value.producer is not None and value.producer.op in _SAME and set(value.consumers) <= inside | passed:
        if value.producer in passed:
            break
        passed.add(value.producer)
        value = value.producer.inputs[0]
    return value, inside | passed


def _has_rank(variable: Value) -> bool:
    """Say whether a variable is an array of floats: averages of a loss are scalars."""
    node = variable.producer
    if node is not None:
        shape, dtype = node.attrs.get("shape"), node.attrs.get("dtype")
        return isinstance(shape, Shape) and bool(shape.rank) and isinstance(dtype, DType) and dtype.is_floating
    known = (variable.extra or {}).get("resource") or [(None, None)]
    dtype, shape = known[0]
    return isinstance(shape, Shape) and bool(shape.rank) and isinstance(dtype, DType) and dtype.is_floating
