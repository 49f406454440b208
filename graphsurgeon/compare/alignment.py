"""Which node of one graph corresponds to which of another: by name first, by structure where names changed.

Structure is what a node computes and from what (forward), and what becomes of it (backward), as hashes in which
nodes that are paired already stand for themselves, so that a difference does not spread beyond the nearest pairs.
Then pairs hand on: what feeds the same input of two paired nodes is a pair, and what alone reads the same output.
Linear in nodes and edges; values of large constants are not read.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from graphsurgeon.analysis.flow.calls import called_function
from graphsurgeon.formats.graph.alike import stated
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Port, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import in_order

SHARED_NAME = "shared_name"
SMALL = 1024  # bytes of a constant that are looked at to tell it from others

Pairs = Mapping[Graph, Graph]
_Item = TypeVar("_Item", Node, Value)


class Alignment:
    """The pairs of two graphs.

    Attributes:
        before, after: the graphs.
        nodes: node of the first -> node of the second.
        sources: value without producer (argument, TFLite input or constant) of the first -> of the second.
    """

    def __init__(self, before: Graph, after: Graph) -> None:
        self.before = before
        self.after = after
        self.nodes: dict[Node, Node] = {}
        self.sources: dict[Value, Value] = {}

    def image(self, value: Value) -> Value | None:
        """Return the value of the second graph that corresponds to one of the first, None if there is none."""
        if value.producer is None:
            return self.sources.get(value)
        node = self.nodes.get(value.producer)
        return None if node is None else _output(node, value)

    def left(self) -> tuple[list[Node], list[Node]]:
        """Return the nodes of either graph that have no partner."""
        taken = set(self.nodes.values())
        return (
            [node for node in self.before.nodes if node not in self.nodes],
            [node for node in self.after.nodes if node not in taken],
        )


def align(before: Graph, after: Graph, functions: Pairs) -> Alignment:
    """Pair the nodes and sources of two graphs.

    Args:
        before, after: the graphs.
        functions: pairs of functions known so far, by which calls are told apart.
    """
    alignment = Alignment(before, after)
    _pair_sources(alignment)
    _pair_names(alignment, same_op=True)
    if all(alignment.left()):
        _pair_structures(alignment, functions)
        _hand_on(alignment)
    _pair_names(alignment, same_op=False)
    _pair_read_sources(alignment)
    return alignment


def label(node: Node) -> str:
    """Return what a node is called: its name; of a TFLite operator the name of its first output."""
    if node.graph.kind != "subgraph":
        return node.name
    return next((str(value) for value in node.outputs if not value.is_absent), "")


def output_place(value: Value) -> int:
    """Return which output of its TFLite operator a tensor is."""
    outputs = value.producer.outputs if value.producer is not None else ()
    return next((place for place, output in enumerate(outputs) if output is value), 0)


def sources(graph: Graph) -> list[Value]:
    """Return the values that no node yields: arguments of a function, inputs and constants of a TFLite subgraph."""
    return [value for value in (graph.values or graph.inputs) if value.producer is None]


# -- by name -------------------------------------------------------------------------------------------


def _pair_names(alignment: Alignment, *, same_op: bool) -> None:
    left, right = alignment.left()
    known = _by_unique_name(right, label)
    for name, node in _by_unique_name(left, label).items():
        other = known.get(name)
        if other is not None and (not same_op or (node.op == other.op or None not in (node.callee, other.callee))):
            alignment.nodes[node] = other


def _pair_sources(alignment: Alignment) -> None:
    """Pair arguments and stored tensors by name where that is unique, other arguments by place."""
    before, after = alignment.before, alignment.after
    known = _by_unique_name(sources(after), _stored_name)
    for name, value in _by_unique_name(sources(before), _stored_name).items():
        if name in known and (value.tensor is None) == (known[name].tensor is None):
            alignment.sources[value] = known[name]
    taken = set(alignment.sources.values())
    for value, other in zip(before.inputs, after.inputs, strict=False):
        if value not in alignment.sources and other not in taken and value.dtype is other.dtype:
            alignment.sources[value] = other
    alignment.sources[before.absent] = after.absent


def _pair_read_sources(alignment: Alignment) -> None:
    """Pair the TFLite constants that paired operators read at the same place."""
    if alignment.before.kind != "subgraph":
        return
    taken = set(alignment.sources.values())
    for node, partner in alignment.nodes.items():
        for value, other in zip(node.inputs, partner.inputs, strict=False):
            is_free = value not in alignment.sources and other not in taken
            if is_free and value.producer is None and other.producer is None and not other.is_dangling:
                alignment.sources[value] = other
                taken.add(other)


def _by_unique_name(items: Iterable[_Item], name_of: Callable[[_Item], str]) -> dict[str, _Item]:
    """Return the items by name, without those that have none or share it."""
    listed = [(name_of(item), item) for item in items]
    counts = Counter(name for name, _ in listed)
    return {name: item for name, item in listed if name and counts[name] == 1}


def _stored_name(value: Value) -> str:
    return value.name or ""


# -- by structure --------------------------------------------------------------------------------------


def _pair_structures(alignment: Alignment, functions: Pairs) -> None:
    """Pair nodes that are alike in both directions, then those alike in one, where no other is like them."""
    for with_shared_names in (True, False):
        left, right = alignment.left()
        if not left or not right:
            return
        tokens = _Tokens(alignment, functions)
        first = _Hashes(left, tokens.before, with_shared_names=with_shared_names)
        second = _Hashes(right, tokens.after, with_shared_names=with_shared_names)
        both = _Groups(alignment, left, right)
        both.pair(first.both, second.both, several=True)
        for direction in ("forward", "backward"):
            one, other = getattr(first, direction), getattr(second, direction)
            both.pair(one.__getitem__, other.__getitem__, several=False)


class _Groups:
    """Nodes without a partner, to be paired by keys."""

    def __init__(self, alignment: Alignment, left: Sequence[Node], right: Sequence[Node]) -> None:
        self.alignment = alignment
        self.left = left
        self.right = right

    def pair(self, key: Callable[[Node], Hashable], other_key: Callable[[Node], Hashable], *, several: bool) -> None:
        """Pair the nodes of equal keys; `several` also pairs as many with as many, in file order."""
        groups: dict[Hashable, tuple[list[Node], list[Node]]] = {}
        for node in self.left:
            groups.setdefault(key(node), ([], []))[0].append(node)
        for node in self.right:
            groups.setdefault(other_key(node), ([], []))[1].append(node)
        for ours, theirs in groups.values():
            if len(ours) == len(theirs) and (several or len(ours) == 1):
                self.alignment.nodes.update(zip(ours, theirs, strict=True))
        self.left, self.right = self.alignment.left()


class _Tokens:
    """What stands for a node, function or source in hashes of either graph: the same for both of a pair."""

    def __init__(self, alignment: Alignment, functions: Pairs) -> None:
        self.before = _SideTokens()
        self.after = _SideTokens()
        for number, (node, other) in enumerate(alignment.nodes.items()):
            self.before.nodes[node] = self.after.nodes[other] = number
        for number, (value, source) in enumerate(alignment.sources.items()):
            self.before.sources[value] = self.after.sources[source] = number
        for number, (function, partner) in enumerate(functions.items()):
            self.before.functions[function] = self.after.functions[partner] = number
        _anchor(self.before, alignment.before)
        _anchor(self.after, alignment.after)


class _SideTokens:
    """The tokens of one graph.

    Attributes:
        nodes, sources, functions: number of the pair.
        anchors: what mentions a node from outside (signature entries, results of the function).
    """

    def __init__(self) -> None:
        self.nodes: dict[Node, int] = {}
        self.sources: dict[Value, int] = {}
        self.functions: dict[Graph, int] = {}
        self.anchors: dict[Node, list[str]] = {}
        self._bases: dict[tuple[str, bytes], Hashable] = {}

    def base(self, node: Node, *, with_shared_name: bool) -> Hashable:
        """Return what a node is by itself, with the name that it shares its resource under or without."""
        said = stated(node) if node.callee is None else None
        if said is None or SHARED_NAME.encode() in said:
            return self._base(node, with_shared_name=with_shared_name)
        key = (node.op, said)
        if key not in self._bases:
            self._bases[key] = self._base(node, with_shared_name=with_shared_name)
        return self._bases[key]

    def _base(self, node: Node, *, with_shared_name: bool) -> Hashable:
        callee = node.callee
        op = node.op if callee is None else ("call", self.functions.get(callee))
        # The file order of attributes says nothing, and those with an underscore are hints.
        keys = [key for key in sorted(node.attrs) if key[:1] != "_" and key != SHARED_NAME]
        shared = _shared_name(node) if with_shared_name else None
        return (op, shared, tuple((key, self.attr(node.attrs[key])) for key in keys))

    def attr(self, value: AttrValue) -> Hashable:
        """Return what an attribute is, large values by dtype and shape only."""
        if isinstance(value, FunctionRef):
            return ("function", self.functions.get(value.graph) if value.graph is not None else value.name)
        if isinstance(value, Tensor):
            small = 0 < value.nbytes <= SMALL
            return ("tensor", value.dtype.name, value.shape, b"".join(value.chunks()) if small else value.nbytes)
        if isinstance(value, Value):
            return ("value", self.sources.get(value))
        return tuple(self.attr(item) for item in value) if isinstance(value, list) else value

    def source(self, value: Value) -> Hashable:
        """Return what a value without producer is."""
        if value in self.sources:
            return ("source", self.sources[value])
        return ("other", value.name if value.is_dangling else (value.dtype, value.shape))


def _shared_name(node: Node) -> AttrValue:
    """Return the name that a resource is shared under: an empty one stands for the node's own."""
    return node.attrs[SHARED_NAME] or node.name.encode() if SHARED_NAME in node.attrs else None


def _anchor(side: _SideTokens, graph: Graph) -> None:
    for position, output in enumerate(graph.outputs):
        if output.value.producer is not None:
            side.anchors.setdefault(output.value.producer, []).append(f"result {position}")
    for mention in graph.metagraph.mentions():
        node = mention.node if mention.graph is graph else None
        if node is not None:
            side.anchors.setdefault(node, []).append(mention.where)


class _Hashes:
    """Forward and backward hashes of nodes without a partner."""

    def __init__(self, nodes: Sequence[Node], side: _SideTokens, *, with_shared_names: bool) -> None:
        self._side = side
        base = {node: hash(side.base(node, with_shared_name=with_shared_names)) for node in nodes}
        order = in_order(nodes, controls=True)
        self.forward: dict[Node, int] = {}
        self.backward: dict[Node, int] = {}
        for node in order:
            inputs = tuple(self._input(value) for value in node.inputs)
            self.forward[node] = hash((base[node], inputs, self._all(node.controls, self.forward)))
        for node in reversed(order):
            readers = tuple(sorted(self._readers(node)))
            anchors = tuple(sorted(side.anchors.get(node, ())))
            self.backward[node] = hash((base[node], readers, self._all(node.control_consumers, self.backward), anchors))

    def both(self, node: Node) -> Hashable:
        """Return the hashes of both directions."""
        return self.forward[node], self.backward[node]

    def _input(self, value: Value) -> Hashable:
        if value.producer is None:
            return hash(self._side.source(value))
        return (self._node(value.producer, self.forward), _port(value))

    def _readers(self, node: Node) -> Iterable[int]:
        for value in node.outputs:
            for reader in value.consumers:
                token = self._node(reader, self.backward)
                yield from (
                    hash((token, place, _port(value))) for place, other in enumerate(reader.inputs) if other is value
                )

    def _node(self, node: Node, hashes: Mapping[Node, int]) -> Hashable:
        pair = self._side.nodes.get(node)
        return hashes.get(node, 0) if pair is None else ("pair", pair)

    def _all(self, nodes: Iterable[Node], hashes: Mapping[Node, int]) -> Hashable:
        return tuple(sorted(hash(self._node(node, hashes)) for node in nodes))


def _port(value: Value) -> Hashable:
    return output_place(value) if value.graph.kind == "subgraph" else value.port


# -- from pair to pair ---------------------------------------------------------------------------------


def _hand_on(alignment: Alignment) -> None:
    """Pair what feeds, and what alone reads, the same place of nodes that are paired, until there is no more."""
    taken = set(alignment.nodes.values())
    waiting = deque(alignment.nodes.items())
    while waiting:
        node, partner = waiting.popleft()
        for one, other in _neighbours(node, partner, alignment.nodes, taken):
            if one not in alignment.nodes and other not in taken and one.op == other.op:
                alignment.nodes[one] = other
                taken.add(other)
                waiting.append((one, other))


def _neighbours(node: Node, partner: Node, nodes: Mapping[Node, Node], taken: set[Node]) -> Iterable[tuple[Node, Node]]:
    for value, other in zip(node.inputs, partner.inputs, strict=False):
        if value.producer is not None and other.producer is not None and _port(value) == _port(other):
            yield value.producer, other.producer
    around = [(node.controls, partner.controls), (node.control_consumers, partner.control_consumers)]
    for value in node.outputs:
        counterpart = _output(partner, value)
        if counterpart is not None:
            around.append((value.consumers, counterpart.consumers))
    for ours, theirs in around:
        left = [one for one in ours if one not in nodes]
        right = [one for one in theirs if one not in taken] if left else []
        yield from _alone(left, right)


def _output(node: Node, like: Value) -> Value | None:
    """Return the output of a node that corresponds to one of its partner: of calls the result of that name."""
    if node.graph.kind != "subgraph":
        return node.output(_result_place(like, node))
    place = output_place(like)
    return node.outputs[place] if place < len(node.outputs) else None


def _result_place(value: Value, node: Node) -> Port:
    before = called_function(value.producer) if value.producer is not None else None
    after = called_function(node) if before is not None else None
    if before is None or after is None or not isinstance(value.port, int) or value.port >= len(before.outputs):
        return value.port
    name = before.outputs[value.port].name
    places = [place for place, output in enumerate(after.outputs) if output.name == name]
    return places[0] if len(places) == 1 else value.port


def _alone(left: Sequence[Node], right: Sequence[Node]) -> Iterable[tuple[Node, Node]]:
    """Yield the nodes whose op no other node of their side has."""
    ops, other_ops = Counter(node.op for node in left), Counter(node.op for node in right)
    by_op = {node.op: node for node in right}
    for node in left:
        if ops[node.op] == other_ops[node.op] == 1:
            yield node, by_op[node.op]
