"""Carry a value from inside nested functions out to the main graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, count, islice

from graphsurgeon.analysis.flow.calls import called_function
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import handed_on, reached
from graphsurgeon.surgery.moves.functions.call_nodes import insert_output, result_name, retarget, users_of
from graphsurgeon.surgery.moves.functions.clone_function import clone_function, twin
from graphsurgeon.surgery.moves.signatures.signature_function import Wrapper

MAX_WAYS = 200  # more ways than that to one function are not listed
_MOST_VISITS = 20_000  # functions passed on all ways; where functions call each other, most ways lead nowhere
_MOST_CHOICES = 200  # sets of calls that are tried to tell ways apart


@dataclass(frozen=True)
class Step:
    """One call on the way from the main graph: the calling node and the function it calls."""

    call: Node
    function: Graph

    @property
    def label(self) -> str:
        """Name of the call, with that of the function it lies in: `function:node`."""
        place = self.call.graph.name
        return f"{place}:{self.call.name}" if place else self.call.name


Way = tuple[Step, ...]


def find_way(metagraph: MetaGraph, graph: Graph, target: Signature | None, calls: Sequence[str]) -> Way:
    """Return the calls that lead from the main graph to a function, outermost first; empty for the main graph.

    Args:
        metagraph: where to look.
        graph: the function.
        target: only ways through a call that this signature's outputs come from.
        calls: names of nodes that the way must pass, as `node` or `function:node`.

    Raises:
        UnsupportedError: only loops, branches or dataset functions lead there, or nothing does.
        UsageError: several ways lead there; with the nodes to choose from.
    """
    if graph is metagraph.graph:
        return ()
    users: dict[Graph, list[Node]] = {}
    for node in (node for place in metagraph.graphs for node in place.nodes):
        for function in dict.fromkeys(node.functions):
            users.setdefault(function, []).append(node)
    called = _called_from(metagraph.graph)  # elsewhere no way can begin
    callers = {function: [node for node in nodes if node.graph in called] for function, nodes in users.items()}
    ways = [way for way in _ways(metagraph, graph, callers, (), count()) if not _is_save_path(metagraph, way)]
    names = set(calls)
    # With several tensors a call may be meant for one of them only.
    ways = [way for way in ways if names <= {text for step in way for text in (step.call.name, step.label)}] or ways
    if target is not None:
        sources = _sources(target)
        ways = [way for way in ways if way[0].call in sources] or ways
    if not ways:
        raise _no_way(graph, users)
    if len(ways) > 1:
        ways = [way for way in ways if _serves(metagraph, way)] or ways
    if len(ways) > 1:
        raise _ambiguous(graph, ways)
    return ways[0]


def carry_out(
    metagraph: MetaGraph,
    way: Way,
    value: Value,
    name: str,
    dtype: DType,
    shape: Shape,
    *,
    wrapper: Wrapper | None = None,
) -> tuple[Value, list[str]]:
    """Return the main-graph value that yields a value inside a function, and the names of the functions copied.

    Args:
        metagraph: changed in place.
        way: as `find_way` gave it; functions on it that an earlier call copied are found again.
        value: inside the innermost function of the way.
        name: of the new results.
        dtype, shape: of the value.
        wrapper: a signature's own wrapper, called first on the way: it is changed itself, and gets the result
            at the place that the key `name` has among its sorted keys.
    """
    metagraph.resolve_mentions()
    calls, copies = _own_functions(metagraph, way, wrapper)
    innermost = called_function(calls[-1])
    assert innermost is not None
    inside = value if innermost is value.graph else twin(value, way[-1].function, innermost)
    for depth in range(len(calls) - 1, -1, -1):
        function = called_function(calls[depth])
        assert function is not None
        place = len(function.outputs) if depth or wrapper is None else wrapper.position_of(name)
        if any(output.value is inside for output in function.outputs):
            # TensorFlow names results after their nodes when it loads: one value twice confuses native calls.
            inside = function.add_node(
                "Identity", function.unique_name(f"{name}_again"), [inside], {"T": dtype}
            ).output()
        function.outputs.insert(place, Output(result_name(function, name), inside, dtype))
        inside = insert_output(calls[depth], place, dtype, shape)
    return inside, copies


def _own_functions(metagraph: MetaGraph, way: Way, wrapper: Wrapper | None) -> tuple[list[Node], list[str]]:
    """Make every function on the way one that only this way uses; return the calls as they are then."""
    copies: list[str] = []
    calls = [way[0].call]
    for depth in range(len(way)):
        call = calls[-1]
        function = called_function(call)
        assert function is not None
        if not _is_exclusive(metagraph, function, call, keep=wrapper is not None and function is wrapper.function):
            copy = clone_function(metagraph, function)
            retarget(call, function, copy)
            copies.append(copy.name)
            function = copy
        if depth + 1 < len(way):
            inner = function.node(way[depth + 1].call.name)
            assert inner is not None
            calls.append(inner)
    return calls, copies


def _called_from(graph: Graph) -> set[Graph]:
    """Return a graph and the functions that plain calls lead to from it."""
    return set(reached([graph], lambda one: filter(None, map(called_function, one.nodes))))


def _ways(
    metagraph: MetaGraph, graph: Graph, users: dict[Graph, list[Node]], inner: Way, visits: Iterator[int]
) -> Iterator[Way]:
    if len(inner) > 100 or any(step.function is graph for step in inner) or next(visits) > _MOST_VISITS:
        return
    found = 0
    for node in users.get(graph, ()):
        if called_function(node) is not graph:
            continue
        way = (Step(node, graph), *inner)
        for whole in [way] if node.graph is metagraph.graph else _ways(metagraph, node.graph, users, way, visits):
            found += 1
            if found > MAX_WAYS:
                return
            yield whole


def _sources(target: Signature) -> set[Node]:
    found: set[Node] = set()
    for entry in target.outputs.values():
        node = entry.mention.node if entry.mention is not None else None
        source = handed_on(node.output(0), ("Identity",)).producer if node is not None else None
        if source is not None:
            found.add(source)
    return found


def _is_save_path(metagraph: MetaGraph, way: Way) -> bool:
    saver = metagraph.saver
    roots = [saver.restore.node, saver.save.node] if saver is not None else []
    return way[0].call in roots


def _serves(metagraph: MetaGraph, way: Way) -> bool:
    default = metagraph.signatures.get("serving_default")
    return default is not None and way[0].call in _sources(default)


def _is_exclusive(metagraph: MetaGraph, function: Graph, call: Node, *, keep: bool) -> bool:
    """Say whether a function may be changed itself: only this call uses it, and no loaded object is it."""
    if users_of(metagraph, function) != [call]:
        return False
    objects = metagraph.objects
    return keep or objects is None or objects.concrete(function) is None


def _no_way(graph: Graph, users: dict[Graph, list[Node]]) -> UnsupportedError:
    others = [node for node in users.get(graph, ()) if called_function(node) is not graph]
    seen = {graph}
    waiting = list(users.get(graph, ()))
    while not others and waiting:
        node = waiting.pop()
        if node.graph not in seen:
            seen.add(node.graph)
            above = users.get(node.graph, ())
            others = [user for user in above if called_function(user) is not node.graph]
            waiting += above
    if others:
        where = f" in function {others[0].graph.name}" if others[0].graph.name else ""
        return UnsupportedError(
            f"{others[0].name!r} ({others[0].op}){where} runs function {graph.name!r}, never or often",
            hint=f"the outputs of {others[0].name!r} can be had",
        )
    return UnsupportedError(
        f"nothing in the main graph calls function {graph.name!r}",
        hint="choose a function that runs (gs find lists which have the node), or take this one by itself: gs extract",
    )


def _ambiguous(graph: Graph, ways: Sequence[Way]) -> UsageError:
    choices = ", or ".join(filter(None, (_distinct(way, ways) for way in ways[:6])))
    more = ", ..." if len(ways) > 6 else ""
    return UsageError(
        f"{len(ways)} ways lead to function {graph.name!r}", hint=f"choose {choices}{more}" if choices else ""
    )


def _distinct(way: Way, ways: Sequence[Way]) -> str:
    """Return the fewest calls, as options, that only one of several ways passes."""
    passed = [{step.call for step in rival} for rival in ways]
    for number in range(1, min(len(way), 3) + 1):
        for steps in islice(combinations(way, number), _MOST_CHOICES):
            if sum(rival.issuperset(step.call for step in steps) for rival in passed) == 1:
                return " ".join(f"--call {step.label}" for step in steps)
    return ""
