"""Walks: what things lead to, and orders in which each comes behind what it needs.

Of a graph these follow edges. `upstream` goes to what is computed before, `downstream` to what comes after;
`controls` says whether waiting counts (a control edge) or only values that are read. Of anything else, functions that
run functions or objects that hold objects, `reached`, `nearest_first` and `in_postorder` are told what follows.

Nothing here recurses, and each thing is followed once: chains of any length and graphs with cycles are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator
from typing import TypeVar

from graphsurgeon.model.graph import Node, Value

T = TypeVar("T")

_VERY_MANY = 1 << 17  # ways: the largest object checkpoints that people make have some ten thousand


def reached(starts: Iterable[T], following: Callable[[T], Iterable[T]]) -> dict[T, None]:
    """Return some things and all that they lead to, the given ones first; `following` is asked once about each."""
    found = dict.fromkeys(starts)
    waiting = list(found)
    while waiting:
        for other in following(waiting.pop()):
            if other not in found:
                found[other] = None
                waiting.append(other)
    return found


def nearest_first(starts: Iterable[T], following: Callable[[T], Iterable[T]]) -> Iterator[T]:
    """Yield some things and all that they lead to, by the number of steps; only as far as somebody asks."""
    found = set(waiting := list(dict.fromkeys(starts)))
    for one in waiting:
        yield one
        for other in following(one):
            if other not in found:
                found.add(other)
                waiting.append(other)


def ways(
    start: T, steps: Callable[[T], Iterable[tuple[str, T]]], *, most: int, longest: int
) -> Iterator[tuple[T, tuple[tuple[T, str], ...]]]:
    """Yield what named steps lead to, with each way there, shorter ways first.

    A way is the (thing, name of the step from it) in order; it comes to nothing twice. At most `most` ways are
    followed to each thing, of at most `longest` steps, and one once there are very many in all: there can be
    exponentially many.
    """
    count: dict[T, int] = {}
    waiting: list[tuple[T, tuple[tuple[T, str], ...]]] = [(start, ())]
    for one, way in waiting:
        yield one, way
        passed = {thing for thing, _ in way}
        for name, other in steps(one) if len(way) < longest else ():
            allowed = most if len(waiting) < _VERY_MANY else 1
            if other is not one and other not in passed and count.get(other, 0) < allowed:
                count[other] = count.get(other, 0) + 1
                waiting.append((other, (*way, (one, name))))


def in_preorder(starts: Iterable[T], inside: Callable[[T], Iterable[T]]) -> Iterator[T]:
    """Yield the members of trees, each before what is inside it; `inside` is asked when the next one is."""
    waiting = list(starts)
    waiting.reverse()
    while waiting:
        one = waiting.pop()
        yield one
        waiting += reversed(list(inside(one)))


def in_postorder(starts: Iterable[T], before: Callable[[T], Iterable[T]]) -> dict[T, None]:
    """Return some things and all that they need, each behind what it needs, in the order in which they are named.

    Where things need each other, the one that is come to first stands behind the others.
    """
    order: dict[T, None] = {}
    entered: set[T] = set()
    for start in starts:
        waiting = [start]
        while waiting:
            one = waiting[-1]
            missing = () if one in entered else [other for other in before(one) if other not in entered]
            if missing:
                entered.add(one)
                waiting += reversed(missing)
            else:
                entered.add(one)
                order[one] = None
                waiting.pop()
    return order


def producers(values: Iterable[Value], fed: Container[object] = ()) -> list[Node]:
    """Return the nodes that compute some values, without those that are fed; arguments and the like have none."""
    return [value.producer for value in values if value.producer is not None and value not in fed]


def handed_on(value: Value, ops: Container[str]) -> Value:
    """Go back from a value through nodes of some ops, which hand their first input on, to where it comes from."""
    seen: set[Node] = set()  # nodes of a broken file may hand on to each other
    while (node := value.producer) is not None and node.op in ops and node.inputs and node not in seen:
        seen.add(node)
        value = node.inputs[0]
    return value


def upstream(nodes: Iterable[Node], *, controls: bool = True, fed: Container[object] = ()) -> dict[Node, None]:
    """Return some nodes and all that they need, the nodes themselves first.

    Args:
        nodes: of one graph.
        controls: whether a node also needs the nodes that it waits for.
        fed: values that are given, so that nobody needs what computes them.
    """
    found = dict.fromkeys(nodes)
    waiting = list(found)
    while waiting:
        node = waiting.pop()
        for value in node.inputs:
            other = value.producer
            if other is not None and other not in found and value not in fed:
                found[other] = None
                waiting.append(other)
        if controls:
            for other in node.controls:
                if other not in found:
                    found[other] = None
                    waiting.append(other)
    return found


def downstream(nodes: Iterable[Node], *, controls: bool, through: Callable[[Node], bool] | None = None) -> set[Node]:
    """Return some nodes and all that come after one of them.

    Args:
        nodes: of one graph.
        controls: whether a node that waits for another comes after it, or only one that reads of it.
        through: of what comes after, what is taken; what is not is not gone through either.
    """
    found = set(nodes)
    waiting = list(found)
    while waiting:
        node = waiting.pop()
        users = (*node.consumers, *node.control_consumers) if controls else node.consumers
        for user in users:
            if user not in found and (through is None or through(user)):
                found.add(user)
                waiting.append(user)
    return found


def in_order(nodes: Collection[Node], *, controls: bool, back_edges: Container[str] = ()) -> list[Node]:
    """Return nodes so that each follows what it needs of them; those that need nothing come in the order given.

    Of others, those come first whose last need comes first. A cycle is entered where it comes first among the nodes.

    Args:
        nodes: of one graph, in the order of the file.
        controls: whether a node also needs the nodes that it waits for.
        back_edges: ops that nobody waits for: they hand a value to the next turn of a loop (`kinds.BACK_EDGES`).
    """
    missing = _needs(nodes, controls, back_edges)
    order: dict[Node, None] = {}
    rest = iter(missing)
    ready = [node for node, count in missing.items() if not count]
    while True:
        for node in ready:  # which grows meanwhile
            if node in order:
                continue
            order[node] = None
            if node.op in back_edges:
                continue
            for user in dict.fromkeys((*node.consumers, *node.control_consumers)) if controls else node.consumers:
                left = missing.get(user)
                if left is not None:
                    missing[user] = left - 1
                    if left == 1 and user not in order:
                        ready.append(user)
        if len(order) == len(missing):
            return list(order)
        ready = [next(node for node in rest if node not in order)]


def _needs(nodes: Collection[Node], controls: bool, back_edges: Container[str]) -> dict[Node, int]:
    """Return how many other nodes each waits for."""
    waited_for = {node for node in nodes if node.op not in back_edges}
    missing: dict[Node, int] = {}
    for node in nodes:
        inputs = node.inputs
        if len(inputs) < 2 and not (controls and node.controls):  # as most are
            missing[node] = 1 if inputs and inputs[0].producer in waited_for else 0
            continue
        needed: set[Node | None] = {value.producer for value in inputs}
        if controls:
            needed.update(node.controls)
        missing[node] = len(needed & waited_for)
    return missing
