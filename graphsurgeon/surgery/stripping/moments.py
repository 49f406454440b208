"""Batch normalization spelled out in single ops: statistics of a batch give way to the averages kept of them.

    moving -= (moving - mean) * rate            AssignSub, as TensorFlow 1 and Keras 2 update
    moving = moving * m + mean * (1 - m)        AssignVariableOp, as Keras 3 does

What is averaged so, is a mean over data, and has the shape of the variable, is a statistic of the batch. Who else
reads it reads the variable, and the update goes.

This is no pattern of `patterns/`: what is looked for is which variable an update changes and what reads the same one,
through arguments of functions that are called more than once, and a way back to a mean over any corrections. A pattern
knows values that are equal, not reads of one variable, and has no "any number of these ops".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.kinds import ADDS, CORRECTIONS, IDENTITIES, STEPS, UPDATES
from graphsurgeon.surgery.stripping.batch_norm import handle_of, read_of, variable_of
from graphsurgeon.surgery.stripping.bypass import Found, remove_unread, remove_waiting

_T = TypeVar("_T")

_CAST = IDENTITIES | {"Cast"}
_SAME = _CAST | {"Squeeze", "Reshape"}
_DEPTH = 8  # ops between a mean and what is kept of it: casts, reshapes, the correction for the batch's size


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
    for average in [found for node in graph.nodes if node.op in UPDATES for found in _averages(node)]:
        update, node = average.update, average.statistic.producer
        others = [user for user in average.statistic.consumers if user not in average.way and user not in going]
        if node is None or not others:
            continue
        if any(one in flow.frames or one in flow.branches for one in (update, node)):
            left.append((node, "it lies in a loop or branch of the first kind; gs set-input decides a branch"))
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


def _averages(update: Node) -> Iterator[_Average]:
    """Yield the one reading of an update as a moving average, if there is one."""
    variable = handle_of(update.inputs[0]) if len(update.inputs) > 1 else None
    if variable is None or not _has_rank(variable):
        return
    value, way = _back(update.inputs[1], frozenset({update}))
    node = value.producer
    if node is None or len(node.inputs) != 2:
        return
    if update.op in STEPS and node.op == "Mul":
        parts = _step(node, variable)
    elif update.op in ("Assign", "AssignVariableOp") and node.op in ADDS:
        parts = _weighted_sum(node, variable)
    else:
        return
    for statistic, between in parts:
        if _is_statistic(statistic):
            yield _Average(update, variable, *_statistic(statistic, way | {node, *between}))
            return


def _step(product: Node, variable: Value) -> Iterator[tuple[Value, list[Node]]]:
    """Yield what the variable is compared with in `(variable - statistic) * rate`, and the nodes on the way."""
    for factor in product.inputs:
        difference = factor.producer
        if difference is not None and difference.op == "Sub":
            for own, other in _both_ways(difference.inputs):
                if variable_of(own) is variable:
                    yield other, [difference]


def _weighted_sum(total: Node, variable: Value) -> Iterator[tuple[Value, list[Node]]]:
    """Yield what is added to the variable in `variable * m + statistic * (1 - m)`, and the nodes on the way."""
    products = [node for node in (value.producer for value in total.inputs) if node is not None and node.op == "Mul"]
    if len(products) < len(total.inputs):
        return
    for own, other in _both_ways(products):
        if any(variable_of(value) is variable for value in own.inputs):
            yield from ((value, [own, other]) for value in other.inputs)


def _both_ways(pair: Sequence[_T]) -> Iterable[tuple[_T, _T]]:
    return (pair[0], pair[1]), (pair[1], pair[0])


def _statistic(value: Value, way: frozenset[Node]) -> tuple[Value, frozenset[Node]]:
    """Go back over what only the update reads, to the value that the normalization reads too."""
    while (
        value.producer is not None
        and value.producer.op in _SAME
        and value.producer not in way
        and set(value.consumers) <= way
    ):
        way |= {value.producer}
        value = value.producer.inputs[0]
    return value, way


def _back(value: Value, way: frozenset[Node]) -> tuple[Value, frozenset[Node]]:
    while value.producer is not None and value.producer.op in _CAST and value.producer not in way:
        way |= {value.producer}
        value = value.producer.inputs[0]
    return value, way


def _is_statistic(value: Value, depth: int = _DEPTH) -> bool:
    """Say whether a value is a mean over something that is computed."""
    node = value.producer
    if node is None or not depth:
        return False
    if node.op == "Mean":
        return variable_of(node.inputs[0]) is None
    if node.op in _SAME:
        return _is_statistic(node.inputs[0], depth - 1)
    return node.op in CORRECTIONS and any(_is_statistic(given, depth - 1) for given in node.inputs)


def _has_rank(variable: Value) -> bool:
    """Say whether a variable is an array of floats: averages of a loss are scalars."""
    node = variable.producer
    if node is not None:
        shape, dtype = node.attrs.get("shape"), node.attrs.get("dtype")
        return isinstance(shape, Shape) and bool(shape.rank) and isinstance(dtype, DType) and dtype.is_floating
    known = (variable.extra or {}).get("resource") or [(None, None)]
    dtype, shape = known[0]
    return isinstance(shape, Shape) and bool(shape.rank) and isinstance(dtype, DType) and dtype.is_floating
