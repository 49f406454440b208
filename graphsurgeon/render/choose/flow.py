"""The flow of values through a graph with its calls opened: every node that runs, and what it reads from where.

A call of a function is no operation of its own here: the function's nodes stand in its place, under the call's
name as a scope, once per call. Loops and branches (`While`, `If`, `Case`) are opened the same way. What cannot
be opened (a custom op's function, recursion, more nodes than the limit) stays one operation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, TypeAlias

from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.traversal import in_preorder
from graphsurgeon.render.choose.opening import BRANCH_NAME, PLAIN, Called, Wiring, calls

MOST_OPERATIONS = 400_000  # at 2 to 4 KB each some 1 GB
# Operations of functions that are opened again: so many, and so many times what the file itself holds.
MOST_REPEATED = 20_000
MOST_TIMES = 4
MOST_DEPTH = 40  # of calls within calls
MOST_SCOPES = 64  # of one name; what is deeper stands in the last of them
_MOST_AROUND = 256  # scopes around a call that is opened
_MOST_ALIKE = 8  # calls of one name that are told apart by marks, before they are by number
# Segments of names that say nothing.
_EMPTY_NAME = re.compile(r"(Stateful)?PartitionedCall(_\d+)?|condition|body|then|else")


class DrawnOperand(NamedTuple):
    """One value that an operation reads.

    Attributes:
        source: index of the operation that yields it.
        value: as its producer's graph knows it.
        read: the same value as the reader's graph knows it: an argument, or the output of a call.
        slot: index among the reader's inputs.
        role: "data", "loop" (the value of the previous turn), "shape" (only its shape matters) or "condition"
            (it chooses the branch that yields what is read).
    """

    source: int
    value: Value
    read: Value
    slot: int
    role: str = "data"


@dataclass(slots=True)
class Drawn:
    """A node as it runs, or a value that no node yields: an input, a constant of a TFLite model.

    Attributes:
        index: its place in `Flow.operations`.
        node: None for a value that no node yields.
        value: that value; None for a node.
        path: the scopes it stands in, its own name last.
        operands: what it reads, in the order of its inputs.
        controls: operations that must run before.
        op: the op, with its vocabulary (`Node.qualified_op`); of a value that no node yields `Const` or `Input`,
            of what ONNX calls `Constant` `Const` too.
    """

    index: int
    node: Node | None
    value: Value | None
    path: tuple[str, ...]
    operands: list[DrawnOperand] = field(default_factory=list)
    controls: list[int] = field(default_factory=list)
    op: str = field(init=False)

    def __post_init__(self) -> None:
        if self.node is not None:
            # An ONNX node of the op Constant is no more than its values.
            is_constant = self.node.op == "Constant" and any(value.tensor is not None for value in self.node.outputs)
            self.op = "Const" if is_constant else self.node.qualified_op
        else:
            self.op = "Const" if self.value is not None and self.value.tensor is not None else "Input"

    @property
    def label(self) -> str:
        """The op as the file names it."""
        return self.op if self.node is None else self.node.op

    @property
    def name(self) -> str:
        """Name in its graph, as users type it; of a TFLite operator the tensor that it yields."""
        if self.node is None:
            return str(self.value)
        return self.node.name or next((str(value) for value in self.node.outputs), self.node.op)

    @property
    def graph(self) -> Graph:
        """The graph it stands in."""
        if self.node is not None:
            return self.node.graph
        assert self.value is not None
        return self.value.graph


class OpenedCall(NamedTuple):
    """A scope that stands for a call.

    Attributes:
        node: the calling node.
        function: what it calls.
        kind: "call", "loop" (the body), "condition" (of a loop) or "branch".
    """

    node: Node
    function: Graph
    kind: str


class Removed(NamedTuple):
    """Nodes of another model that are shown among those of this one.

    Attributes:
        nodes: graph of this model -> nodes that would stand in it.
        image: value of the other model -> the same of this one, None if there is none.
    """

    nodes: Mapping[Graph, Sequence[Node]]
    image: Callable[[Value], Value | None]


@dataclass(slots=True)
class Flow:
    """All operations of a graph, those of opened functions included.

    Attributes:
        graphs: what was opened; operations of the second and later ones stand in a scope of the graph's name.
        operations: in file order, an opened function at the place of its call.
        scopes: path of a scope that stands for a call -> that call.
        closed: functions that stayed closed because the limit was reached.
        removed: operations whose nodes are of another model.
    """

    graphs: tuple[Graph, ...]
    operations: list[Drawn] = field(default_factory=list)
    scopes: dict[tuple[str, ...], OpenedCall] = field(default_factory=dict)
    closed: int = 0
    removed: list[int] = field(default_factory=list)
    _frames: dict[Graph, _Frame] = field(default_factory=dict)

    def sources(self, value: Value) -> list[DrawnOperand]:
        """Return what yields a value of one of the graphs: several operations behind a branch, none if unknown."""
        frame = self._frames.get(value.graph)
        return [] if frame is None else frame.sources(value, value)

    def insert(self, removed: Removed) -> None:
        """Add operations for nodes of another model, at every place where their graph runs; nobody reads them."""
        frames = list(self._frames.values())
        for frame in frames:
            frames += [inner for calls in frame.inner.values() for inner in calls]
            for node in removed.nodes.get(frame.graph, ()):
                self.removed.append(len(self.operations))
                frame.add_node(node)
        for frame in frames:
            for node in removed.nodes.get(frame.graph, ()):
                operation = self.operations[frame.by_node[node]]
                for slot, value in enumerate(node.inputs):
                    known = value if value.producer in frame.by_node else removed.image(value)
                    found = frame.sources(known, known) if known is not None else []
                    operation.operands += [operand._replace(slot=slot) for operand in found]

    def operation(self, node: Node) -> Drawn | None:
        """Return the operation of a node of one of the graphs; None for an opened call."""
        frame = self._frames.get(node.graph)
        return None if frame is None or node not in frame.by_node else self.operations[frame.by_node[node]]


def open_flow(*graphs: Graph, limit: int = MOST_OPERATIONS, repeated: int = MOST_REPEATED) -> Flow:
    """Return the flow of graphs that do not call each other; nodes are lifted, nothing is changed.

    Functions that call the next one twice, and so on, would make more operations than any machine has room for.
    Where there would be more than the limits allow, all calls are opened equally deep, as deep as these allow.

    Args:
        graphs: main graphs, functions or subgraphs.
        limit: beyond so many operations calls stay closed.
        repeated: as many of these may be of functions that are opened more than once, and four times as many
            as all graphs of the file have nodes.
    """
    known = {one for graph in graphs for one in graph.metagraph.graphs}
    repeated += MOST_TIMES * sum(map(len, known))
    flow = Flow(graphs)
    if not _enter_all(flow, _Limits(limit, repeated, MOST_DEPTH)):
        flow = Flow(graphs)
        _enter_all(flow, _Limits(limit, repeated, _depth_within(graphs, min(limit, repeated))))
    for frame in flow._frames.values():
        frame.connect()
    return flow


class _Frame:
    """One graph at one call: the operations its nodes became, and the frames of what it calls."""

    __slots__ = (
        "by_node", "by_value", "call", "depth", "flow", "graph", "inner", "outer", "positions", "prefix", "trail",
        "wiring",
    )  # fmt: skip

    def __init__(
        self,
        flow: Flow,
        graph: Graph,
        prefix: tuple[str, ...],
        outer: _Frame | None = None,
        call: Node | None = None,
        wiring: Wiring = PLAIN,
    ) -> None:
        self.flow = flow
        self.graph = graph
        self.outer = outer
        self.call = call
        self.prefix = prefix
        named = (segment for segment in prefix if not segment.startswith(BRANCH_NAME))
        self.trail = tuple(segment for segment in named if not is_empty_name(segment))
        self.wiring = wiring
        self.depth: int = 0 if outer is None else outer.depth + 1
        self.by_node: dict[Node, int] = {}
        self.by_value: dict[Value, int] = {}  # values that no node yields
        self.positions = {argument: index for index, argument in enumerate(graph.inputs)}
        self.inner: dict[Node, list[_Frame]] = {}

    def path(self, node: Node) -> tuple[str, ...]:
        """Return the scopes of a node and its name; those that its name repeats of the call's come once."""
        own = split_name(node)
        for length in range(min(len(self.trail), len(own) - 1), 0, -1):
            if self.trail[-length:] == own[:length]:
                return self.prefix + own[length:]
        return self.prefix + own

    def add_node(self, node: Node) -> None:
        operation = Drawn(len(self.flow.operations), node, None, self.path(node))
        self.flow.operations.append(operation)
        self.by_node[node] = operation.index

    def add_value(self, value: Value) -> int:
        index = self.by_value.get(value)
        if index is None:
            index = self.by_value[value] = len(self.flow.operations)
            self.flow.operations.append(Drawn(index, None, value, (*self.prefix, str(value))))
        return index

    def connect(self) -> None:
        """Give every operation of this frame and the frames within its operands."""
        for frame in in_preorder([self], lambda frame: chain.from_iterable(frame.inner.values())):
            for node, index in frame.by_node.items():
                operation = self.flow.operations[index]
                for slot, value in enumerate(node.inputs):
                    source = frame.by_node.get(value.producer) if value.producer is not None else None
                    if source is not None and value.producer not in frame.inner:  # nearly always
                        operation.operands.append(DrawnOperand(source, value, value, slot))
                        continue
                    operation.operands += [operand._replace(slot=slot) for operand in frame.sources(value, value)]
                operation.controls += [frame.by_node[other] for other in node.controls if other in frame.by_node]

    def sources(self, value: Value, read: Value) -> list[DrawnOperand]:
        """Return the operations that yield a value, through arguments and results of opened calls.

        What chooses between them, and what the turn of a loop before yields, have their roles.
        """
        found, chosen, turns = self._trace(value, read)
        for frame, choice in chosen:
            found += [operand._replace(role="condition") for operand in frame._trace(choice, choice)[0]]
        for body, position in turns:
            outputs = body.graph.outputs
            back = position - body.wiring.back
            if back < len(outputs) and outputs[back].value is not body.graph.inputs[position]:
                results = body._trace(outputs[back].value, read)[0]
                found += [operand._replace(role="loop") for operand in results if body.holds(operand.source)]
        return found

    def holds(self, index: int) -> bool:
        """Say whether an operation is one of this frame or of those within."""
        return self.flow.operations[index].path[: len(self.prefix)] == self.prefix

    def _trace(self, value: Value, read: Value) -> tuple[list[DrawnOperand], list[_Place], list[_Turn]]:
        """Return the operations that yield a value, what chooses whether they do, the loops whose argument it is."""
        found: dict[int, DrawnOperand] = {}
        chosen: dict[_Place, None] = {}
        turns: dict[_Turn, None] = {}
        seen: set[tuple[int, Value]] = set()
        waiting: list[_Place] = [(self, value)]
        while waiting:
            frame, value = waiting.pop()
            if (id(frame), value) in seen:
                continue
            seen.add((id(frame), value))
            origins = frame._step(value)
            if origins is None:
                source = frame._operation(value)
                if source is not None:
                    found.setdefault(source, DrawnOperand(source, value, read, -1))
                continue
            waiting += reversed(origins)
            chosen.update(dict.fromkeys(frame._choosing(value)))
            position = frame.positions.get(value, -1)
            if value.producer is None and position in frame.wiring.turning:
                turns[frame, position] = None
        return list(found.values()), list(chosen), list(turns)

    def _step(self, value: Value) -> list[_Place] | None:
        """Return where a value comes from at once; None if an operation of this frame yields it."""
        if value.producer is None:
            return self._argument(value)
        frames = self.inner.get(value.producer)
        if frames is None:
            return None
        # A TFLite tensor's port is its index in the subgraph, an ONNX value's its name.
        by_place = self.graph.kind == "subgraph" or not isinstance(value.port, int)
        port = value.producer.outputs.index(value) if by_place else int(value.port)
        results = [(f, f.graph.outputs, port + f.wiring.results) for f in frames if not f.is_condition()]
        return [(f, outputs[at].value) for f, outputs, at in results if at < len(outputs)]

    def is_condition(self) -> bool:
        """Say whether this only says how long a loop goes on."""
        return self.prefix in self.flow.scopes and self.flow.scopes[self.prefix].kind == "condition"

    def _choosing(self, value: Value) -> Iterator[_Place]:
        """Yield what decides whether the result of an opened node is this value, or counts up to what."""
        if value.producer is not None:
            for inner in self.inner.get(value.producer, ()):
                given = value.producer.inputs
                yield from ((self, given[at]) for at in inner.wiring.choosing if at < len(given))
                yield from ((inner, inner.graph.outputs[at].value) for at in inner.wiring.deciding)
        elif self.outer is not None and self.call is not None and self.positions.get(value) == self.wiring.counter:
            yield from ((self.outer, count) for count in self.call.inputs[:1])

    def _argument(self, value: Value) -> list[_Place] | None:
        outside = (value.extra or {}).get("outer")
        if isinstance(outside, Value):
            frame = self
            while frame.outer is not None and frame.graph is not outside.graph:
                frame = frame.outer
            return [(frame, outside)]
        if self.outer is None or self.call is None or value not in self.positions:
            return None
        inputs = self.call.inputs
        position = self.positions[value]
        is_given = position != self.wiring.counter and position + self.wiring.offset < len(inputs)
        return [(self.outer, inputs[position + self.wiring.offset])] if is_given else []

    def _operation(self, value: Value) -> int | None:
        if value.producer in self.by_node:
            return self.by_node[value.producer]
        if value.graph is not self.graph:  # a body that is shown alone reads it from outside
            return self.add_value(value)
        is_argument = self.outer is None and value in self.positions
        is_end = value.producer is None and (is_argument or value.tensor is not None)
        return self.add_value(value) if is_end else None


_Place: TypeAlias = tuple[_Frame, Value]
_Turn: TypeAlias = tuple[_Frame, int]


class _Limits:
    """How much is opened.

    Attributes:
        operations: of the whole flow.
        repeated: how many more operations may be of functions that were opened before.
        depth: of calls within calls.
        opened: the functions that were.
        is_exceeded: a call stays closed because there would be too many operations.
    """

    __slots__ = ("depth", "is_exceeded", "opened", "operations", "repeated")

    def __init__(self, operations: int, repeated: int, depth: int) -> None:
        self.operations = operations
        self.repeated = repeated
        self.depth = depth
        self.opened: set[Graph] = set()
        self.is_exceeded = False

    def allow(self, flow: Flow, frame: _Frame, calls: Sequence[Called]) -> bool:
        """Say whether calls in a frame are opened; if so, they count."""
        if frame.depth >= self.depth or len(frame.prefix) > _MOST_AROUND or _recurs(frame, calls):
            return False
        again = sum(len(call.function) for call in calls if call.function in self.opened)
        size = sum(len(call.function) for call in calls)
        if len(flow.operations) + size > self.operations or again > self.repeated:
            self.is_exceeded = True
            return False
        self.repeated -= again
        self.opened.update(call.function for call in calls)
        return True


def _depth_within(graphs: Sequence[Graph], most: int) -> int:
    """Return how deep all calls can be opened for so many operations."""
    opened: dict[Graph, list[Graph]] = {}
    level = Counter(graphs)
    total = 0
    for depth in range(MOST_DEPTH + 1):
        total += sum(len(graph) * count for graph, count in level.items())
        if total > most:
            return max(depth - 1, 0)
        following: Counter[Graph] = Counter()
        for graph, count in level.items():
            if graph not in opened:
                opened[graph] = [called.function for node in graph.nodes for called in calls(node)]
            for function in opened[graph]:
                following[function] += count
        level = following
    return MOST_DEPTH


def _enter_all(flow: Flow, limits: _Limits) -> bool:
    """Make the operations of all graphs of a flow; say whether the limits allowed it, or as soon as they do not."""
    for number, graph in enumerate(flow.graphs):
        prefix = (graph.name or "main",) if number else ()
        frame = flow._frames[graph] = _Frame(flow, graph, prefix)
        for value in graph.inputs:
            frame.add_value(value)
        _enter(flow, frame, limits)
    return not limits.is_exceeded


def _enter(flow: Flow, frame: _Frame, limits: _Limits) -> None:
    """Make an operation of every node, in order; nodes of an opened call stand at the call's place."""
    stack: list[tuple[_Frame, Iterator[Node]]] = [(frame, iter(frame.graph.nodes))]
    while stack:
        frame, nodes = stack[-1]
        node = next(nodes, None)
        if node is None:
            stack.pop()
            continue
        called = calls(node)
        fits = bool(called) and limits.allow(flow, frame, called)
        flow.closed += bool(called) and not fits
        if not called or not fits:
            frame.add_node(node)
            continue
        frame.inner[node] = [_open(flow, frame, node, call) for call in called]
        stack += [(inner, iter(inner.graph.nodes)) for inner in reversed(frame.inner[node])]


def _open(flow: Flow, frame: _Frame, node: Node, called: Called) -> _Frame:
    segments = (called.segment,) if called.segment else ()
    prefix = (*frame.path(node), *segments)
    for number in range(_MOST_ALIKE):  # two operators of one stored name
        if prefix not in flow.scopes:
            break
        mark = "'" if number + 1 < _MOST_ALIKE else str(len(flow.scopes))
        prefix = (*prefix[:-1], prefix[-1] + mark)
    flow.scopes[prefix] = OpenedCall(node, called.function, called.kind)
    return _Frame(flow, called.function, prefix, frame, node, called.wiring)


def _recurs(frame: _Frame, calls: Sequence[Called]) -> bool:
    functions = {call.function for call in calls}
    outer: _Frame | None = frame
    while outer is not None:
        if outer.graph in functions:
            return True
        outer = outer.outer
    return False


def is_empty_name(segment: str) -> bool:
    """Say whether a segment of a name says nothing about what it names."""
    return _EMPTY_NAME.fullmatch(segment) is not None


def split_name(node: Node) -> tuple[str, ...]:
    """Return the scopes that a node's name consists of."""
    name = node.name or _stored_name(node)
    return tuple(segment for segment in name.split("/", MOST_SCOPES - 1) if segment) or (name,)


def _stored_name(node: Node) -> str:
    """Name a TFLite operator by the tensor it yields; the converter joins the names of what it fused with `;`."""
    names = [value.name or "" for value in node.outputs]
    return (names[0].split(";")[0] if names else "") or node.op
