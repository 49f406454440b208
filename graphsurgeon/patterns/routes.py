"""From an op inside a pattern up to its root: where matches can be, without trying all nodes that can be roots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.traversal import reached
from graphsurgeon.patterns.op_names import OpSet
from graphsurgeon.patterns.subject import Subject
from graphsurgeon.patterns.syntax import Either, Op, Pattern, Through, parts_of

_WORTH = 2  # a rare op is begun with if the root's op is so many times as frequent


@dataclass(frozen=True)
class Route:
    """The ops from one op of a pattern up to the root.

    Attributes:
        ops: the op itself first, the root last; those of a `through` stand for any number of them.
        group: which alternative of the root it belongs to.
        is_needed: every match of that alternative has the op.
    """

    ops: tuple[OpSet, ...]
    group: int
    is_needed: bool


def routes_of(root: Pattern) -> list[Route]:
    """Return the routes of all ops of a pattern; that of a root before those inside it."""
    found: list[Route] = []
    for group, option in enumerate(_options(root)):
        _collect(option, (), group, True, found)
    return found


def _options(root: Pattern) -> Iterator[Pattern]:
    if isinstance(root, Either):
        for option in root.options:
            yield from _options(option)
    else:
        yield root


def _collect(pattern: Pattern, above: tuple[OpSet, ...], group: int, is_needed: bool, found: list[Route]) -> None:
    if isinstance(pattern, Op):
        above = (OpSet(pattern.ops), *above)
        found.append(Route(above, group, is_needed))
        needed = {id(arg) for arg in pattern.args}  # an optional input is not among them itself
        for part in parts_of(pattern):
            _collect(part, above, group, is_needed and id(part) in needed, found)
    elif isinstance(pattern, Either):
        for part in pattern.options:
            _collect(part, above, group, False, found)
    elif isinstance(pattern, Through):
        above = (OpSet(pattern.ops, is_repeated=True), *above)
        found.append(Route((OpSet(pattern.ops), *above), group, False))
        _collect(pattern.inner, above, group, is_needed, found)


def starts(subject: Subject, routes: Sequence[Route], graphs: Sequence[Graph]) -> Iterator[Node]:
    """Yield the nodes of some graphs that can be roots."""
    everywhere = subject.metagraph.graphs if subject.crosses else graphs
    for group in sorted({route.group for route in routes}):
        own = [route for route in routes if route.group == group and route.is_needed]
        counts = [_count(subject, route.ops[0], everywhere) for route in own]
        if not counts or 0 in counts:
            continue
        best = counts.index(min(counts))
        if counts[best] * _WORTH > counts[0]:
            yield from _nodes(subject, own[0].ops[0], graphs)
        else:
            yield from _climb(subject, own[best].ops, _nodes(subject, own[best].ops[0], everywhere))


def above(subject: Subject, routes: Sequence[Route], touched: Sequence[Node]) -> list[Node]:
    """Return the nodes that can be roots of a match with one of some nodes in it."""
    found: dict[Node, None] = {}
    for route in routes:
        inside = [node for node in touched if node.op in route.ops[0]]
        if inside:
            found.update(dict.fromkeys(_climb(subject, route.ops, inside)))
    return list(found)


def readers(subject: Subject, value: Value) -> Iterator[Node]:
    """Yield the nodes that read a value, also behind what hands it on, and in functions that it is passed to."""
    waiting = [value]
    seen = {value}
    while waiting:
        one = waiting.pop()
        fresh: list[Value] = []
        for node in one.consumers:
            yield node
            fresh += _handed_on(subject, node, one)
        if subject.crosses:
            sites = subject.sites(one.graph) if one.graph.kind == "function" else ()
            for port, output in enumerate(one.graph.outputs) if sites else ():
                fresh += [site.output(port) for site in sites if output.value is one]
        fresh = [new for new in fresh if new not in seen]
        seen.update(fresh)
        waiting += fresh


def _handed_on(subject: Subject, node: Node, value: Value) -> list[Value]:
    words = subject.vocabulary(node.graph)
    ports = [port for port, given in enumerate(node.inputs) if given is value]
    if node.op in words.passing:
        return [node.output(port) for port in ports] if node.op in words.passing_by_port else [node.output(0)]
    function = words.call(node) if subject.crosses else None
    return [function.inputs[port] for port in ports if port < len(function.inputs)] if function is not None else []


def _climb(subject: Subject, ops: Sequence[OpSet], nodes: Iterable[Node]) -> Iterable[Node]:
    level: dict[Node, None] = dict.fromkeys(nodes)
    for wanted in ops[1:]:
        if wanted.is_repeated:
            level = reached(level, partial(_readers_of, subject, wanted))
        else:
            level = {reader: None for node in level for reader in _readers_of(subject, wanted, node)}
    return level


def _readers_of(subject: Subject, ops: OpSet, node: Node) -> list[Node]:
    return [reader for value in node.outputs for reader in readers(subject, value) if reader.op in ops]


def _nodes(subject: Subject, ops: OpSet, graphs: Iterable[Graph]) -> Iterator[Node]:
    for graph in graphs:
        for op, nodes in list(subject.ops(graph).items()):
            if op in ops:
                yield from (node for node in nodes if node.op == op and node in graph)


def _count(subject: Subject, ops: OpSet, graphs: Iterable[Graph]) -> int:
    return sum(len(nodes) for graph in graphs for op, nodes in subject.ops(graph).items() if op in ops)
