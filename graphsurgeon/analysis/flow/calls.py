"""Follow values through function calls without inlining them.

A function's argument is whatever its caller passes, a call's output is what the function returns. A *place*
is a value together with the stack of calls that leads to its graph, since one function may be called twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from graphsurgeon.model.graph import FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import in_postorder, reached
from graphsurgeon.ops.kinds import CALLS, PLAIN_CALLS, SAME_VALUE

MAX_INSIDE = 200_000  # nodes seen through calls; calls of calls of calls can be made to grow without bound
MAX_CALLS = 200  # deeper stacks are recursion, or as good as that


class Call(NamedTuple):
    """A call on the way from the main graph to a place: the node, the function, and the call around it."""

    node: Node
    function: Graph
    outer: Call | None

    @property
    def depth(self) -> int:
        """Number of calls on the way, this one included."""
        depth, call = 1, self.outer
        while call is not None:
            depth, call = depth + 1, call.outer
        return depth


class Place(NamedTuple):
    """A value in the graph that a stack of calls leads to; no call for the main graph."""

    value: Value
    call: Call | None = None


def called_function(node: Node) -> Graph | None:
    """Return the function that a plain call runs on its inputs, as they are; None if it is no such call."""
    return run_function(node) if node.callee is not None or node.op in PLAIN_CALLS else None


def run_function(node: Node) -> Graph | None:
    """Return the function whose results a node yields as they are, on whatever device; None if it is no call.

    The function's arguments are the first inputs of the node: of a plain call all of them.
    """
    if node.callee is not None:
        return node.callee
    if node.qualified_op not in CALLS:
        return None
    target = node.attrs.get("f")
    return target.graph if isinstance(target, FunctionRef) else None


def enter(node: Node, outer: Call | None) -> Call | None:
    """Return the call that a node makes; None if it is no call, or too many lie around it."""
    function = run_function(node)
    if function is None or (outer is not None and outer.depth >= MAX_CALLS):
        return None
    return Call(node, function, outer)


def origin(place: Place, *, passing: frozenset[str] = SAME_VALUE) -> Place:
    """Go back to where a value comes from: through ops that hand their input on, arguments and results of calls."""
    seen: set[Place] = set()
    while place not in seen:
        seen.add(place)
        before = _step(place, passing)
        if before is None:
            return place
        place = before
    return place


def _step(place: Place, passing: frozenset[str]) -> Place | None:
    value, call = place
    node = value.producer
    if node is None:
        return None if call is None else _argument(value, call)
    if node.op in passing and node.inputs:
        return Place(node.inputs[0], call)
    inner = enter(node, call)
    if inner is not None and isinstance(value.port, int) and value.port < len(inner.function.outputs):
        return Place(inner.function.outputs[value.port].value, inner)
    return None


def _argument(value: Value, call: Call) -> Place | None:
    is_passed = isinstance(value.port, int) and value.port < len(call.node.inputs) and not value.is_dangling
    return Place(call.node.inputs[int(value.port)], call.outer) if is_passed else None


def nodes_inside(nodes: Sequence[Node], ops: Collection[str] | None = None) -> Iterator[tuple[Node, Call | None]]:
    """Yield nodes and, behind each call among them, those of the function it calls, each with its call.

    Args:
        nodes: of the main graph.
        ops: of these ops only; functions that hold none are not entered. None for all.

    Yields:
        Nodes with the innermost call around them; beside the given ones, no more than `MAX_INSIDE` are looked at.
    """
    known: dict[Graph, bool] = {}
    stack: list[tuple[Call | None, Iterator[Node]]] = [(None, iter(nodes))]
    active: set[Graph] = set()
    left = MAX_INSIDE + len(nodes)
    while stack and left:
        call, following = stack[-1]
        node = next(following, None)
        if node is None:
            stack.pop()
            if call is not None:
                active.discard(call.function)
            continue
        left -= 1
        if ops is None or node.op in ops:
            yield node, call
        function = run_function(node)
        if function is None or function in active or len(stack) > MAX_CALLS:
            continue
        if ops is None or _holds(function, ops, known):
            active.add(function)
            stack.append((Call(node, function, call), iter(function.nodes)))


def _holds(function: Graph, ops: Collection[str], known: dict[Graph, bool]) -> bool:
    """Say whether a function, or one that it calls, has nodes of some ops."""
    if function not in known:
        settle(
            function,
            known,
            lambda graph: any(op in graph.op_counts for op in ops),
            lambda graph: filter(None, map(run_function, graph.nodes)),
        )
    return known[function]


def reached_functions(graphs: Iterable[Graph]) -> list[Graph]:
    """Return every function that some graphs name, by calls or attributes, directly or through others."""
    starts = [graph for graph in graphs if graph.metagraph.functions]  # without any there is nothing to look for
    return list(reached((function for graph in reversed(starts) for function in run_by(graph)), run_by))


def run_by(graph: Graph) -> Iterator[Graph]:
    """Yield the functions that the nodes of a graph call or name, as often as they do."""
    return (function for node in graph.nodes for function in node.functions)


def needed_functions(metagraph: MetaGraph, graph: Graph) -> list[Graph]:
    """Return what `reached_functions` does for a graph, and the functions that compute the gradients of those."""
    found = reached_functions([graph])
    while True:
        names = [metagraph.gradients.get(function.name, "") for function in found]
        gradients = [metagraph.functions[name] for name in names if name in metagraph.functions]
        known = set(found)
        missing = [function for function in gradients if function not in known]
        if not missing:
            return found
        found = list(dict.fromkeys([*found, *missing, *reached_functions(missing)]))


def settle(
    start: Graph, known: dict[Graph, bool], own: Callable[[Graph], bool], inner: Callable[[Graph], Iterable[Graph]]
) -> None:
    """Enter into `known` whether something holds for a function: by itself, or for one that it runs.

    Args:
        start: the function; those that it reaches are entered too.
        known: what is known already.
        own: says it of a function by itself.
        inner: gives the functions that one runs.
    """
    runs: dict[Graph, list[Graph]] = {}

    def unknown(graph: Graph) -> list[Graph]:
        runs[graph] = list(inner(graph))
        return [function for function in runs[graph] if function not in known]

    reached([start] if start not in known else [], unknown)
    callers: dict[Graph, list[Graph]] = {}
    for graph, functions in runs.items():
        for function in functions:
            callers.setdefault(function, []).append(graph)
    holding = [graph for graph in runs if own(graph)] + [graph for graph in callers if known.get(graph)]
    true = reached(holding, lambda graph: callers.get(graph, ()))
    known.update((graph, graph in true) for graph in runs)


def nesting(graph: Graph) -> int:
    """Return how deep functions run functions below a graph, by calls or attributes; recursion counts once."""
    run: dict[Graph, list[Graph]] = {}

    def inner(function: Graph) -> list[Graph]:
        run[function] = list(dict.fromkeys(run_by(function)))
        return run[function]

    depth: dict[Graph, int] = {}
    for function in in_postorder([graph], inner):
        depth[function] = 1 + max((depth.get(one, 0) for one in run[function] if one is not function), default=0)
    return depth[graph] - 1


def inlined_size(function: Graph, known: dict[Graph, int]) -> int:
    """Return how many nodes a function has once every call in it is inlined; recursion counts once.

    Args:
        function: the function.
        known: sizes found before; those found now are entered.
    """
    run: dict[Graph, list[Graph]] = {}

    def called(graph: Graph) -> list[Graph]:
        run[graph] = [inner for node in graph.nodes if (inner := called_function(node)) is not None]
        return [inner for inner in run[graph] if inner not in known]

    for graph in in_postorder([function] if function not in known else [], called):
        known[graph] = len(graph) + sum(known.get(inner, 0) for inner in run[graph])
    return known[function]
