"""Batch normalization in training form becomes inference form: it normalizes by its moving statistics.

In training form `FusedBatchNorm` yields the statistics of the batch, and updates of two variables follow from
them. These variables take the place of the statistics, and the updates go. Where no update is left in the graph,
the variables are found by the names that layers give them beside `gamma` and `beta`.

There is nothing here for a pattern of `patterns/`: the construct is one op, and the rest is which variables follow from
it, by name, or forwards over whatever a moving average is spelled in. One update may follow from many (the towers of a
training on several devices), and a match, which begins at the update, would tell of one. What is spelled out in
single ops is a construct, and found by patterns: `moments.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from graphsurgeon.analysis.flow.attributes import attribute
from graphsurgeon.analysis.flow.calls import Place, origin
from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.analysis.flow.restore_map import resource_name
from graphsurgeon.model.dtype import FLOAT32, RESOURCE, DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.traversal import reached
from graphsurgeon.ops.kinds import BATCH_NORMS, MOVING_AVERAGE, REF_VARIABLES, UPDATES, VARIABLES
from graphsurgeon.surgery.stripping.bypass import Found, remove_unread, remove_waiting

_MEAN, _VARIANCE = 1, 2  # outputs of the op; its inputs 3 and 4 are the statistics to normalize by
_NAMES = (("moving_mean", "moving_variance"), ("running_mean", "running_var"), ("moving_mean", "moving_var"))
_LEVELS = 3  # scopes to go up from a node to its layer


class _Statistics(NamedTuple):
    """The variables (or handles) that a batch normalization is to normalize by, and the updates that then go."""

    mean: Value
    variance: Value
    updates: list[Node]


def infer_batch_norms(
    graph: Graph, protected: Collection[Node], going: Collection[Node]
) -> tuple[list[Found], list[tuple[Node, str]]]:
    """Turn batch normalizations into inference form; return what changed or went, and those left with the reason.

    Args:
        graph: a main graph or function.
        protected: nodes that others know by name.
        going: nodes that nothing needs and that are going to be taken out.
    """
    flow = control_flow(graph)
    found: dict[Node, _Statistics] = {}
    left = []
    for node in _in_training(graph):
        statistics = _statistics(node)
        if node in flow.frames:
            left.append((node, "it lies in a loop"))
        elif any(user.op.endswith(("Grad", "GradV2", "GradV3")) and user not in going for user in node.consumers):
            left.append((node, "a gradient needs the statistics of the batch"))
        elif statistics is None:
            left.append((node, "its moving statistics were not found"))
        else:
            found[node] = statistics
    # An update whose result is read stays: in inference form it averages a statistic with itself.
    known = dict.fromkeys(update for one in found.values() for update in one.updates)
    updates = [update for update in known if update not in protected and not update.consumers]
    before = [value.producer for update in updates for value in update.inputs if value.producer is not None]
    changed = [(update, update.op) for update in updates]
    changed += [(node, node.op) for node in found]
    for node, statistics in found.items():
        _convert(node, statistics)
    for update in updates:
        remove_waiting(update, flow)
    return changed + remove_unread(graph, before, protected), left


def _in_training(graph: Graph) -> list[Node]:
    nodes = (node for node in graph.nodes if node.op in BATCH_NORMS and len(node.inputs) == 5)
    return [node for node in nodes if attribute(node, "is_training") is True]


def _statistics(node: Node) -> _Statistics | None:
    """Return what a batch normalization updates, else what it reads already, else what lies beside it by name."""
    updated = [_updated(node.output(port)) for port in (_MEAN, _VARIANCE)]
    updates = [update for one in updated for nodes in one.values() for update in nodes]
    targets = [[target for target in one if target not in other] for one, other in (updated, updated[::-1])]
    pairs = [(targets[0][0], targets[1][0])] if all(len(found) == 1 for found in targets) else []
    read = [variable_of(value) for value in node.inputs[3:]]
    if read[0] is not None and read[1] is not None:
        pairs.append((read[0], read[1]))
    pairs += _named(node)
    wanted = attribute(node, "U") if "V" in node.op[-2:] else attribute(node, "T")
    for mean, variance in pairs:
        if _dtype(mean) is wanted and _dtype(variance) is wanted and mean is not variance:
            return _Statistics(mean, variance, updates)
    return None


def _updated(statistic: Value) -> dict[Value, list[Node]]:
    """Return each variable (or handle) that is updated by a statistic of the batch, with the updates."""
    found: dict[Value, list[Node]] = {}
    for node in reached(statistic.consumers, lambda node: node.consumers if node.op in MOVING_AVERAGE else ()):
        target = handle_of(node.inputs[0]) if node.op in UPDATES else None
        if target is not None:
            found.setdefault(target, []).append(node)
    return found


def variable_of(value: Value) -> Value | None:
    """Return the variable (or handle) that a value is read from."""
    value = origin(Place(value)).value
    node = value.producer
    if node is not None and node.op == "ReadVariableOp":
        value = node.inputs[0]
    return handle_of(value)


def handle_of(value: Value) -> Value | None:
    """Return the variable that a value is, or the argument that stands for one."""
    value = origin(Place(value)).value
    if value.producer is None:
        return value if value.dtype is RESOURCE else None
    return value if value.producer.op in VARIABLES else None


def _named(node: Node) -> Iterator[tuple[Value, Value]]:
    """Yield the pairs of variables that have the names of moving statistics in the scope of the layer."""
    variables = {resource_name(one): one for one in node.graph.nodes if one.op in VARIABLES}
    for scope in dict.fromkeys(_scopes(node)):
        for names in _NAMES:
            found = [variables.get(f"{scope}/{name}") for name in names]
            if found[0] is not None and found[1] is not None:
                yield found[0].output(0), found[1].output(0)


def _scopes(node: Node) -> Iterable[str]:
    for value in node.inputs[1:3]:
        parameter = variable_of(value)
        if parameter is not None and parameter.producer is not None:
            yield resource_name(parameter.producer).rpartition("/")[0]
    scope = node.name
    for _ in range(_LEVELS):
        scope = scope.rpartition("/")[0]
        yield from (scope, re.sub(r"_\d+$", "", scope)) if scope else ()


def _dtype(variable: Value) -> DType | None:
    """Return the type of the value behind a variable or handle."""
    node = variable.producer
    if node is not None:
        dtype = node.attrs.get("dtype")
        return dtype if isinstance(dtype, DType) else None
    reads = [user.attrs.get("dtype") for user in variable.consumers if user.op == "ReadVariableOp"]
    known = reads[0] if reads else FLOAT32  # statistics are float32 whatever the data are
    return known if isinstance(known, DType) else None


def _convert(node: Node, statistics: _Statistics) -> None:
    inputs = [*node.inputs[:3], read_of(statistics.mean), read_of(statistics.variance)]
    before = [value.producer for value in node.inputs[3:]]
    node.inputs = inputs
    node.attrs["is_training"] = False
    node.attrs.pop("exponential_avg_factor", None)
    gone = [one for one in before if one is not None and not one.consumers and not one.control_consumers]
    node.graph.take_out([one for one in dict.fromkeys(gone) if one.op == "Const"])


def read_of(variable: Value) -> Value:
    """Return the value of a variable: a read that is there and waits for nothing, else a new one."""
    is_ref = variable.producer is not None and variable.producer.op in REF_VARIABLES
    op = "Identity" if is_ref else "ReadVariableOp"
    for user in variable.consumers:
        if user.op == op and not user.controls:
            return user.output(0)
    graph, dtype = variable.graph, _dtype(variable)
    assert dtype is not None
    name = variable.producer.name if variable.producer is not None else str(variable)
    read = graph.add_node(op, graph.unique_name(f"{name}/inference"), [variable], {"T" if is_ref else "dtype": dtype})
    return read.output(0)
