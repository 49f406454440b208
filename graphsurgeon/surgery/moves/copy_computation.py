"""Copy the computation of a value into another graph, through calls of functions.

For initial values of variables and contents of tables: small computations from constants, which a frozen
graph then repeats instead of an initializer that nobody runs.
"""

from __future__ import annotations

from typing import TypeAlias

from graphsurgeon.analysis.flow.calls import Call, Place, origin
from graphsurgeon.analysis.flow.effects import acts
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.traversal import in_postorder
from graphsurgeon.ops import catalog

Made: TypeAlias = dict[tuple[Node, "Call | None"], Node]

_MOST_NODES = 10_000  # that are copied for one value; what takes more is no vocabulary


def copy_computation(place: Place, graph: Graph, made: Made, what: str) -> Value:
    """Copy what a value is computed from; return the counterpart of the value.

    Args:
        place: the value, with the calls that lead to it.
        graph: where to copy it.
        made: what was copied already, so that a node is copied once; filled.
        what: what the value is for, as messages begin.

    Raises:
        UnsupportedError: it depends on something that is fed, drawn at random or read from elsewhere.
    """
    end = origin(place)
    for source in _in_order(end, what):
        _copy(source, graph, made, what)
    return _counterpart(end, made)


def _in_order(end: Place, what: str) -> list[Place]:
    """Return a value and everything that it needs, each behind what it needs."""
    seen = 0

    def before(place: Place) -> list[Place]:
        nonlocal seen
        seen += 1
        if place.value.producer is None:
            raise UnsupportedError(f"{what} depends on {str(place.value)!r}, which nothing here computes")
        if seen > _MOST_NODES:
            raise UnsupportedError(f"{what} is computed by more than {_MOST_NODES} nodes")
        return [origin(Place(value, place.call)) for value in place.value.producer.inputs]

    return list(in_postorder([end], before))


def _copy(place: Place, graph: Graph, made: Made, what: str) -> None:
    node = place.value.producer
    assert node is not None
    if (node, place.call) in made:
        return
    opdef = catalog.of(node)
    if opdef is None or opdef.is_stateful or acts(node.op) or node.op.startswith("Placeholder") or node.functions:
        raise UnsupportedError(
            f"{what} comes from {node.name!r} ({node.op}), which is computed when the model is loaded"
        )
    inputs = [_counterpart(origin(Place(value, place.call)), made) for value in node.inputs]
    copy = made[node, place.call] = graph.adopt(node, graph.unique_name(node.name))
    copy.inputs = inputs


def _counterpart(place: Place, made: Made) -> Value:
    assert place.value.producer is not None
    return made[place.value.producer, place.call].output(place.value.port)
