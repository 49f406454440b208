"""Select values by op, name, shape, dtype and neighbourhood: the filters of `find`, `inputs` and `outputs`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from graphsurgeon.analysis.names import choose_graphs, find_node, find_value
from graphsurgeon.analysis.patterns import matcher
from graphsurgeon.analysis.tensors import quantization
from graphsurgeon.errors import UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.shape_pattern import shape_matcher
from graphsurgeon.shapes.report import ShapeReport


@dataclass(frozen=True)
class FoundValue:
    """A value as reports show it, or a node that has no outputs, such as a `NoOp`.

    Attributes:
        name: `node:0`; of a TFLite tensor the stored name; of a node without outputs its name.
        op: of the node that yields it; "" for inputs and constants of TFLite.
        graph: name of the function or subgraph, "" for the main graph.
        tags: of the MetaGraph; None where the format has none.
        node: name of the node; "" where nodes have none.
        dtype, shape: of the value; the shape of a node without outputs is None.
        index: TFLite: place among the subgraph's tensors.
        quantization: TFLite: None for a tensor that is not quantized.
    """

    name: str
    op: str
    graph: str
    tags: list[str] | None
    dtype: DType | None
    shape: Shape | None
    node: str
    index: int | None = None
    quantization: Quantization | None = None


class Filters(NamedTuple):
    """What to select; an empty filter lets everything through.

    Attributes:
        ops, names: globs over the whole op or name (of the node or the value), or `re:` expressions; any may match.
        shape: a pattern, see `shape_matcher`.
        dtypes: names of dtypes; any may match.
        consumers_of, producers_of: names of nodes or tensors; what reads them, or what they read.
        depth: how many steps from there.
        maybe: shapes match too if they are not known well enough to say.
        uninferred: only outputs of ops that inference knows nothing about.
    """

    ops: Sequence[str] = ()
    names: Sequence[str] = ()
    shape: str | None = None
    dtypes: Sequence[str] = ()
    consumers_of: Sequence[str] = ()
    producers_of: Sequence[str] = ()
    depth: int = 1
    maybe: bool = False
    uninferred: bool = False


def find_values(
    metagraph: MetaGraph, filters: Filters, shapes: ShapeReport, *, graph: str | None = None
) -> list[FoundValue]:
    """Return every output of every node that passes the filters; of TFLite every tensor. In file order.

    Nodes without outputs (`NoOp`, `AssignVariableOp`) pass where an op or a name is asked for, and no dtype or shape.

    Raises:
        UsageError: a filter is malformed, or names a node that is not there.
    """
    chosen = choose_values(metagraph, filters, shapes, graph=graph)
    return [_found_mute(one) if isinstance(one, Node) else found_value(one, shapes) for one in chosen]


def choose_values(
    metagraph: MetaGraph, filters: Filters, shapes: ShapeReport, *, graph: str | None = None
) -> Iterator[Value | Node]:
    """Yield what `find_values` tells of: values, and nodes without outputs. Only what filters ask for is inferred.

    Raises:
        UsageError: a filter is malformed, or names a node that is not there.
    """
    matches, wants_node = value_filter(metagraph, filters, shapes, graph=graph), _mute_filter(metagraph, filters, graph)
    is_op = _op_test(filters)
    for place in choose_graphs(metagraph, graph):
        if place.kind == "subgraph":
            yield from filter(matches, place.values)
        for node in place.nodes if wants_node is not None or place.kind != "subgraph" else ():
            if not is_op(node.op):
                continue
            outputs = node.outputs
            if wants_node is not None and not outputs and wants_node(node):
                yield node
            elif place.kind != "subgraph":
                yield from filter(matches, outputs)


def _op_test(filters: Filters) -> Callable[[str], bool]:
    """Return what says whether nodes of an op are looked at; asked once for each op."""
    tests = [matcher(pattern) for pattern in filters.ops]
    return cache(lambda op: not tests or any(test(op) for test in tests))


def _found_mute(node: Node) -> FoundValue:
    """Return the facts about a node without outputs."""
    tags = node.graph.metagraph.tags
    return FoundValue(node.name or node.op, node.op, _where(node.graph), tags, None, None, node.name)


def _mute_filter(metagraph: MetaGraph, filters: Filters, graph: str | None) -> Callable[[Node], bool] | None:
    """Return the test for nodes without outputs, None where they are not asked for."""
    of_values = filters.dtypes or filters.shape is not None or filters.uninferred
    if of_values or not (filters.ops or filters.names):
        return None
    ops, names = ([matcher(pattern) for pattern in patterns] for patterns in (filters.ops, filters.names))
    near = _neighbours(metagraph, filters, graph)

    def wants(node: Node) -> bool:
        is_op = not ops or any(test(node.op) for test in ops)
        is_named = not names or any(test(node.name) for test in names)
        return is_op and is_named and (near is None or node in near)

    return wants


def value_filter(
    metagraph: MetaGraph, filters: Filters, shapes: ShapeReport, *, graph: str | None = None
) -> Callable[[Value], bool]:
    """Return the test that the filters make.

    Raises:
        UsageError: a filter is malformed, or names a node that is not there.
    """
    tests = list(_tests(filters, shapes))
    near = _neighbours(metagraph, filters, graph)
    if near is not None:
        tests.append(lambda value: value.producer in near)
    return lambda value: all(test(value) for test in tests)


def found_value(value: Value, shapes: ShapeReport) -> FoundValue:
    """Return the facts about a value."""
    node, place = value.producer, value.graph
    is_stored = place.kind == "subgraph"
    return FoundValue(
        str(value),
        node.op if node is not None else "",
        _where(place),
        place.metagraph.tags,
        shapes.dtype(value),
        shapes.shape(value),
        node.name if node is not None else "",
        value.port if is_stored and isinstance(value.port, int) else None,
        quantization(value) if is_stored else None,
    )


def _where(graph: Graph) -> str:
    """Return the name of a graph, empty for a main one; of a program inside a node with that node in front."""
    inside = graph.metagraph.inside
    if inside:
        return f"{inside[0]}: {graph.name}"
    return "" if graph is graph.metagraph.graph else graph.name


def values_of(graph: Graph) -> Iterator[Value]:
    """Yield every output of every node; of a TFLite subgraph every tensor."""
    if graph.kind == "subgraph":
        yield from graph.values
        return
    for node in graph.nodes:
        yield from node.outputs


def _tests(filters: Filters, shapes: ShapeReport) -> Iterator[Callable[[Value], bool]]:
    if filters.ops:
        ops = [matcher(pattern) for pattern in filters.ops]
        yield lambda value: value.producer is not None and any(test(value.producer.op) for test in ops)
    if filters.names:
        names = [matcher(pattern) for pattern in filters.names]
        yield lambda value: any(test(name) for test in names for name in _names(value))
    if filters.dtypes:
        dtypes = {_dtype(name) for name in filters.dtypes}
        yield lambda value: shapes.dtype(value) in dtypes
    if filters.shape is not None:
        matches = shape_matcher(filters.shape, maybe=filters.maybe)
        yield lambda value: matches(shapes.shape(value))
    if filters.uninferred:
        unknown = set(shapes.uninferred)
        yield lambda value: value.producer in unknown


def _names(value: Value) -> list[str]:
    return [str(value)] if value.producer is None or not value.producer.name else [str(value), value.producer.name]


def _dtype(name: str) -> DType:
    try:
        return DType.named(name)
    except KeyError:
        raise UsageError(f"--dtype {name!r} is no dtype", hint="such as float32, int64, string") from None


def _neighbours(metagraph: MetaGraph, filters: Filters, graph: str | None) -> set[Node | None] | None:
    if not filters.consumers_of and not filters.producers_of:
        return None
    found: set[Node | None] = set()
    for name in filters.consumers_of:
        readers = _readers(metagraph, name, graph)
        found |= {*readers, *_within(readers, lambda node: node.consumers, filters.depth - 1)}
    for name in filters.producers_of:
        node = _producer(metagraph, name, graph)
        found |= _within([] if node is None else [node], _producers, filters.depth)
    return found


def _readers(metagraph: MetaGraph, name: str, graph: str | None) -> list[Node]:
    """Return what reads a tensor; of a node without an output number, what reads any of its outputs."""
    if metagraph.graph.kind == "subgraph" or ":" in name:
        return list(find_value(metagraph, name, graph=graph).consumers)
    return list(find_node(metagraph, name, graph=graph).consumers)


def _producer(metagraph: MetaGraph, name: str, graph: str | None) -> Node | None:
    if metagraph.graph.kind == "subgraph":
        return find_value(metagraph, name, graph=graph).producer
    return find_node(metagraph, name, graph=graph)


def _producers(node: Node) -> list[Node]:
    return [value.producer for value in node.inputs if value.producer is not None]


def _within(nodes: list[Node], step: Callable[[Node], Iterable[Node]], depth: int) -> set[Node]:
    found: set[Node] = set()
    edge = nodes
    for _ in range(depth):
        edge = [other for node in edge for other in step(node) if other not in found]
        found.update(edge)
        if not edge:
            break
    return found
