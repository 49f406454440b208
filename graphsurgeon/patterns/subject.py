"""What a pattern is held against: the graphs of a MetaGraph, by op, with what is known of their values.

A value is looked at together with the call that leads to its graph, since arguments of a function are what the
caller passes. Of a function that a single plain call runs, the caller is known even where matching begins inside it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from contextlib import suppress
from typing import Any

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.dtype import RESOURCE, STRING, DType
from graphsurgeon.model.graph import Graph, Node, Port, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.patterns.vocabulary import Vocabulary, vocabulary_of
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.report import ShapeReport

_MOST_CALLS = 100  # around a value; deeper is recursion, or as good as that
_MOST_STEPS = 1000  # through ops that hand a value on, before it is taken for a cycle
MOST_LITERAL = 1 << 16  # elements of a constant that is compared with a number
_MOST_SAME = 4096  # bytes of constants that are compared with each other


class CallAround:
    """A call on the way to a value: the node, the function it runs, and the call around it."""

    __slots__ = ("depth", "function", "node", "outer")

    def __init__(self, node: Node, function: Graph, outer: CallAround | None) -> None:
        self.node = node
        self.function = function
        self.outer = outer
        self.depth: int = 1 if outer is None else outer.depth + 1


class Bound:
    """What a name stands for in a match.

    Attributes:
        value: the value, as what reads it in the match has it.
        call: the call that leads to its graph.
        subject: where more is known of it.
    """

    __slots__ = ("call", "subject", "value")

    def __init__(self, subject: Subject, value: Value, call: CallAround | None) -> None:
        self.subject = subject
        self.value = value
        self.call = call

    @property
    def node(self) -> Node | None:
        """The node that yields the value."""
        return self.value.producer

    @property
    def dtype(self) -> DType | None:
        """The dtype, None if unknown."""
        return self.subject.dtype(self.value)

    @property
    def shape(self) -> Shape:
        """The shape."""
        return self.subject.shape(self.value)

    def numpy(self) -> Any:
        """Return the elements of a constant, None of anything else. Reads the file."""
        return self.subject.array(self.value, self.call)

    def __repr__(self) -> str:
        return f"Bound({self.value})"


class Subject:
    """The graphs of a MetaGraph.

    Args:
        metagraph: what patterns are held against.
        crosses: whether values are followed through plain calls.
        shapes: what is known of shapes; inferred when first asked for.
    """

    def __init__(self, metagraph: MetaGraph, *, crosses: bool = True, shapes: ShapeReport | None = None) -> None:
        self.metagraph = metagraph
        self.crosses = crosses and bool(metagraph.functions)
        self._shapes = shapes
        self._index: dict[Graph, dict[str, list[Node]]] = {}
        self._calls: dict[tuple[Node, CallAround | None], CallAround | None] = {}
        self._sites: dict[Graph, list[Node]] | None = None
        self._constants: dict[tuple[Value, CallAround | None], Tensor | None] = {}
        self._numbers: dict[Tensor, Any] = {}
        self._signed: set[Value] | None = None

    # -- nodes by op -----------------------------------------------------------------------------------

    def ops(self, graph: Graph) -> dict[str, list[Node]]:
        """Return the nodes of a graph by op, in file order."""
        found = self._index.get(graph)
        if found is None:
            found = self._index[graph] = {}
            for node in graph.nodes:
                found.setdefault(node.op, []).append(node)
        return found

    def add(self, nodes: Iterable[Node]) -> None:
        """Take note of nodes that are new, or have another op than before."""
        for node in nodes:
            known = self._index.get(node.graph)
            if known is not None:
                known.setdefault(node.op, []).append(node)

    def forget(self) -> None:
        """Forget which values are constants: the graph has changed."""
        self._constants.clear()

    def vocabulary(self, graph: Graph) -> Vocabulary:
        """Return the vocabulary that a graph is written in."""
        return vocabulary_of(graph)

    # -- calls -----------------------------------------------------------------------------------------

    def sites(self, function: Graph) -> list[Node]:
        """Return the nodes that call a function plainly."""
        if self._sites is None:
            self._sites = {}
            for graph in self.metagraph.graphs if self.crosses else ():
                called = vocabulary_of(graph).call
                for node in graph.nodes:
                    target = called(node)
                    if target is not None:
                        self._sites.setdefault(target, []).append(node)
        return self._sites.get(function, [])

    def enter(self, node: Node, outer: CallAround | None) -> CallAround | None:
        """Return the call that a node makes, None if it makes none; the same object for the same call."""
        key = (node, outer)
        if key not in self._calls:
            function = vocabulary_of(node.graph).call(node) if self.crosses else None
            is_deep = outer is not None and outer.depth >= _MOST_CALLS
            self._calls[key] = None if function is None or is_deep else CallAround(node, function, outer)
        return self._calls[key]

    def around(self, graph: Graph) -> CallAround | None:
        """Return the only call that leads to a function, None if there is none, or several."""
        nodes: list[Node] = []
        while len(self.sites(graph)) == 1 and len(nodes) < _MOST_CALLS:
            nodes.append(self.sites(graph)[0])
            graph = nodes[-1].graph
        call: CallAround | None = None
        for node in reversed(nodes):
            call = self.enter(node, call)
        return call

    # -- where values come from ------------------------------------------------------------------------

    def before(self, value: Value, call: CallAround | None) -> tuple[Value, CallAround | None] | None:
        """Go back one step through what hands a value on; None where it is made."""
        node = value.producer
        if node is None:
            return self._argument(value, call)
        words = vocabulary_of(node.graph)
        if node.op in words.passing and node.inputs:
            port = value.port if node.op in words.passing_by_port else 0
            if isinstance(port, int) and port < len(node.inputs):
                return node.inputs[port], call
            return None
        if not self.crosses:
            return None
        inner = self.enter(node, call)
        if inner is None or not isinstance(value.port, int) or value.port >= len(inner.function.outputs):
            return None
        return inner.function.outputs[value.port].value, inner

    def _argument(self, value: Value, call: CallAround | None) -> tuple[Value, CallAround | None] | None:
        port = value.port
        if call is None or value.graph is not call.function or value.is_dangling or not isinstance(port, int):
            return None
        return (call.node.inputs[port], call.outer) if 0 <= port < len(call.node.inputs) else None

    def way(self, value: Value, call: CallAround | None) -> list[tuple[Value, CallAround | None]]:
        """Return a value, and what it is before everything that hands it on, one step after the other."""
        found = [(value, call)]
        while len(found) < _MOST_STEPS:
            earlier = self.before(*found[-1])
            if earlier is None:
                break
            found.append(earlier)
        return found

    def origin(self, value: Value, call: CallAround | None) -> tuple[Value, CallAround | None]:
        """Return where a value is made."""
        return self.way(value, call)[-1]

    def is_same(self, one: Bound, other: Bound) -> bool:
        """Say whether two values surely are equal: made at one place, or equal small constants."""
        origins = [self.origin(bound.value, bound.call) for bound in (one, other)]
        if origins[0] == origins[1]:
            return True
        first, second = (self.constant(*origin) for origin in origins)
        if first is None or second is None or first.dtype is not second.dtype or first.shape != second.shape:
            return False
        return first.nbytes <= _MOST_SAME and list(first.chunks()) == list(second.chunks())

    # -- who reads a value -----------------------------------------------------------------------------

    def outside_reader(self, value: Value, inside: Container[Node]) -> str:
        """Return what reads a value outside some nodes, data alone: a node's name, or what else; empty if nothing.

        What only hands the value on is no reader, but whoever reads that is. In a main graph something that hands
        on and that nobody reads is likely to be fetched, so it counts.
        """
        waiting = [value]
        seen = {value}
        while waiting:
            one = waiting.pop()
            if one in self.signed:
                return f"a signature ({one})"
            if any(output.value is one for output in one.graph.outputs):
                return f"a result of {one.graph.name or 'the subgraph'!r}"
            for node in one.consumers:
                if node in inside:
                    continue
                if node.op not in vocabulary_of(node.graph).passing:
                    return node.name or f"{node.op} of the subgraph"
                if node.graph.kind == "main" and not node.consumers:
                    return node.name
                fresh = [output for output in node.outputs if output not in seen]
                seen.update(fresh)
                waiting += fresh
        return ""

    @property
    def signed(self) -> set[Value]:
        """The values that signatures name."""
        if self._signed is None:
            entries = [entry for one in self.metagraph.signatures.values() for entry in one.entries]
            targets = [mention.target for entry in entries for mention in entry.mentions]
            self._signed = {target for target in targets if isinstance(target, Value)}
        return self._signed

    # -- what is known of values -----------------------------------------------------------------------

    def constant(self, value: Value, call: CallAround | None = None) -> Tensor | None:
        """Return the tensor that a value is, also behind what only gives a constant another shape or dtype."""
        key = (value, call)
        if key not in self._constants:
            self._constants[key] = None  # for the time being, against cycles
            self._constants[key] = self._constant(value, call)
        return self._constants[key]

    def _constant(self, value: Value, call: CallAround | None, depth: int = 20) -> Tensor | None:
        value, call = self.origin(value, call)
        words = vocabulary_of(value.graph)
        tensor = words.constant(value)
        node = value.producer
        if tensor is not None or node is None or node.op not in words.reshaping or not node.inputs:
            return tensor
        inner = self.constant(node.inputs[0], call)
        if inner is None or any(self.constant(other, call) is None for other in node.inputs[1:]):
            return None
        return self._reshaped(node, value, inner)

    def _reshaped(self, node: Node, value: Value, inner: Tensor) -> Tensor | None:
        """Return a constant with the shape and dtype that a node gives it: lazy unless the dtype changes."""
        dtype, shape = self.dtype(value), self._constant_shape(node, value, inner)
        if dtype is None or shape is None or not shape.is_static or shape.num_elements != inner.num_elements:
            return None
        if dtype is inner.dtype:
            return Tensor(dtype, shape, inner.source)
        if inner.num_elements > MOST_LITERAL or not (inner.dtype.bits and dtype.bits):
            return None
        try:
            return Tensor.of(dtype, [dim or 0 for dim in shape], [_cast(item, dtype) for item in inner.items()])
        except (GraphSurgeonError, ValueError, OverflowError, ArithmeticError, TypeError):
            return None

    def _constant_shape(self, node: Node, value: Value, inner: Tensor) -> Shape | None:
        if self.dtype(value) is not inner.dtype and len(node.inputs) == 1:
            return inner.shape  # a cast
        return self.shape(value)

    def items(self, tensor: Tensor) -> list[Any] | None:
        """Return the elements of a small constant of numbers; None of another. Reads the file once."""
        if tensor not in self._numbers:
            is_plain = tensor.dtype is not STRING and bool(tensor.dtype.bits)
            self._numbers[tensor] = None
            if is_plain and tensor.num_elements <= MOST_LITERAL:
                with suppress(GraphSurgeonError):
                    self._numbers[tensor] = tensor.items()
        found: list[Any] | None = self._numbers[tensor]
        return found

    def array(self, value: Value, call: CallAround | None = None) -> Any:
        """Return the elements of a constant as an array; None of anything else. Reads the file."""
        tensor = self.constant(value, call)
        return None if tensor is None else tensor.numpy()

    def is_weight(self, value: Value, call: CallAround | None) -> bool:
        """Say whether a value is a constant, or read from a variable."""
        if self.constant(value, call) is not None:
            return True
        value, call = self.origin(value, call)
        words = vocabulary_of(value.graph)
        node = value.producer
        return node is not None and (node.op in words.reads or node.op in words.variables)

    def variable(self, value: Value, call: CallAround | None) -> tuple[Value, CallAround | None] | None:
        """Return the variable that a value is or is read from, or the argument that stands for one; None if none."""
        value, call = self.origin(value, call)
        node = value.producer
        if node is not None and node.op in vocabulary_of(node.graph).reads and node.inputs:
            value, call = self.origin(node.inputs[0], call)
        if value.producer is None:
            return (value, call) if value.dtype is RESOURCE else None
        return (value, call) if value.producer.op in vocabulary_of(value.graph).variables else None

    def dtype(self, value: Value) -> DType | None:
        """Return the dtype of a value, None if unknown."""
        if value.dtype is not None:
            return value.dtype
        node = value.producer
        if node is None:
            return None
        dtypes = self._output_dtypes(node)
        port = value.port
        return dtypes[port] if dtypes is not None and isinstance(port, int) and port < len(dtypes) else None

    def port(self, value: Value) -> Port:
        """Return which output of its node a value is; the port of a TFLite tensor is its index among all tensors."""
        node = value.producer
        if node is None or node.graph.kind != "subgraph":
            return value.port
        return next((place for place, output in enumerate(node.outputs) if output is value), -1)

    def has_output(self, node: Node, port: int) -> bool:
        """Say whether a node may have an output of some number."""
        if node.graph.kind == "subgraph":
            return port < len(node.outputs)
        dtypes = self._output_dtypes(node)
        return dtypes is None or port < len(dtypes)

    def _output_dtypes(self, node: Node) -> list[DType] | None:
        if node.graph.raw is not None:
            return node.output_dtypes()
        definition = vocabulary_of(node.graph).definition(node.op)
        return definition.output_dtypes(node.attrs) if definition is not None else None

    @property
    def shapes(self) -> ShapeReport:
        """What inference says; inferred now if it has not been."""
        if self._shapes is None:
            self._shapes = infer_shapes(self.metagraph)
        return self._shapes

    def shape(self, value: Value) -> Shape:
        """Return the shape of a value; inferred when the first is asked for."""
        tensor = vocabulary_of(value.graph).constant(value)
        if tensor is not None:
            return tensor.shape
        if value.graph.kind == "subgraph":
            return value.shape or UNKNOWN_RANK
        return self.shapes.shape(value)

    def dims(self, value: Value) -> list[Any] | None:
        """Return the dimensions of a value: numbers, symbols that are equal where dimensions surely are, or None."""
        if value.graph.kind == "subgraph" or vocabulary_of(value.graph).constant(value) is not None:
            shape = self.shape(value)
            return None if shape.dims is None else list(shape.dims)
        dims = self.shapes.fact(value).dims
        return None if dims is None else list(dims)


def _cast(item: Any, dtype: DType) -> Any:
    if dtype.is_floating:
        return float(item)
    return bool(item) if dtype.name == "bool" else int(item)
