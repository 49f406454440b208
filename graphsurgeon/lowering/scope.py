"""A graph of the source while its nodes are lowered, one after the other; functions in place, bodies as functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphsurgeon.errors import FileError, GraphSurgeonError
from graphsurgeon.lowering.builder import Builder, legal_name
from graphsurgeon.lowering.operand import Operand, is_held
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowering_functions
from graphsurgeon.model.graph import AttrValue, Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.stored import missing_bytes
from graphsurgeon.model.traversal import in_postorder
from graphsurgeon.ops import onnx
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.session import Session

MOST_DEPTH = 24  # of functions and bodies in each other


@dataclass(frozen=True)
class Refused:
    """A node that is not lowered.

    Attributes:
        node: its name, or what it yields; empty for what concerns the model.
        op: its op.
        why: the reason.
    """

    node: str
    op: str
    why: str


@dataclass
class LoweringWork:
    """What the scopes of one model share.

    Attributes:
        source: what is lowered.
        target: the new MetaGraph.
        keep_layout: leave every axis where it is.
        session: of the inference over the new graphs.
        refused: the nodes that were not lowered.
        notes: what the user should know.
        names: name of a value of the source -> name in the new graph, where they differ.
        turned: name of an input or output -> the axis of the source that each of its axes is, where these differ.
    """

    source: MetaGraph
    target: MetaGraph
    keep_layout: bool = False
    session: Session = field(default_factory=Session)
    refused: list[Refused] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    turned: dict[str, list[int]] = field(default_factory=dict)

    @property
    def opsets(self) -> Mapping[str, int]:
        """Domain -> version of ONNX's ops."""
        found = self.source.producer.get("opsets")
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Body:
    """A body of the source that has become a function.

    Attributes:
        function: the function: its arguments are the body's, then what it takes from outside.
        builder: what made its nodes.
        captured: what it takes from outside, in the order of the arguments.
        results: what its outputs have become, in it.
    """

    function: Graph
    builder: Builder
    captured: list[Operand]
    results: list[Operand]


class Scope:
    """One graph of the source, and what its values have become.

    Attributes:
        work: what is shared.
        graph: of the source.
        builder: where the nodes go.
        outer: the scope around a body.
    """

    def __init__(
        self,
        work: LoweringWork,
        graph: Graph,
        builder: Builder,
        outer: Scope | None = None,
        around: Mapping[str, AttrValue] | None = None,
        depth: int = 0,
    ) -> None:
        self.work = work
        self.graph = graph
        self.builder = builder
        self.outer = outer
        self.around = {**graph.attrs, **(around or {})}
        self.captured: list[Operand] = []
        self.depth = depth
        self.prefix = ""
        self._operands: dict[Value, Operand | None] = {}
        self._taken: dict[Value, Operand | None] = {}

    def define(self, value: Value, operand: Operand | None) -> None:
        """Say what a value of the source has become."""
        self._operands[value] = operand

    def operand(self, value: Value) -> Operand | None:
        """Return what a value has become, None for an input that is left out.

        Raises:
            LoweringError: nobody knows, since the node that yields it was refused or the name names nothing.
        """
        if value.is_absent:
            return None
        if value not in self._operands:
            self._operands[value] = self._found(value)
        found = self._operands[value]
        if found is None:
            raise LoweringError("an input is of a node that is not lowered")
        return found

    def _found(self, value: Value) -> Operand | None:
        if value.tensor is not None:
            name = self._prefixed(value.name or "")
            missing = missing_bytes(value.tensor)
            if missing:
                raise LoweringError(f"{value.name!r} has {missing}")
            return Operand.constant(value.tensor, name)
        outside = (value.extra or {}).get("outer")
        if isinstance(outside, Value) and self.outer is not None:
            return self._capture(outside)
        raise LoweringError(f"its input {value.name!r} is defined nowhere")

    def _prefixed(self, name: str) -> str:
        return f"{self.prefix}/{legal_name(name)}" if self.prefix else legal_name(name)

    def _capture(self, outside: Value) -> Operand | None:
        """Return a value of the scope around, as an argument of the function that this one goes to."""
        if outside not in self._taken:
            self._taken[outside] = self._captured(outside)
        return self._taken[outside]

    def _captured(self, outside: Value) -> Operand | None:
        assert self.outer is not None
        found = self.outer.operand(outside) if outside.graph is self.outer.graph else self.outer._capture(outside)
        if found is None or self.outer.builder is self.builder:
            return found
        if found.tensor is not None:
            return Operand(None, found.fact, tensor=found.tensor, name=found.name)
        if found.parts is not None:
            raise LoweringError("a body takes a sequence from outside")
        plain = self.outer.builder.plain(found)
        self.captured.append(plain)
        return add_argument(self.builder, plain.fact, legal_name(outside.name or "captured"))

    # -- nodes -----------------------------------------------------------------------------------------

    def run(self) -> list[Operand | None]:
        """Lower every node that leads to an output; return what the outputs have become."""
        ends = [output.value.producer for output in self.graph.outputs if output.value.producer is not None]
        for node in in_postorder(dict.fromkeys(ends), _before):
            self._lower(node)
        return [self._result(output) for output in self.graph.outputs]

    def _result(self, output: Output) -> Operand | None:
        try:
            return self.operand(output.value)
        except LoweringError as error:
            if not self.work.refused:
                self._refuse(output.name or str(output.value), "output", error)
            return None

    def _lower(self, node: Node) -> None:
        self.builder.scope = self._prefixed(_title(node, self.graph))
        self.builder.within = self
        try:
            results = self._results(node)
        except GraphSurgeonError as error:
            if isinstance(error, FileError) and error.path is not None:
                raise  # a file of weights that is not there, or not whole: no node's fault
            if not isinstance(error, _BehindError):
                self._refuse(_place(node), node.op, error)
            results = [self._stand_in(value) for value in node.outputs]
        for port, value in enumerate(node.outputs):
            if not value.is_absent:
                found = results[port] if port < len(results) else None
                self.define(value, self._recorded(value, found) if found is not None else None)

    def _results(self, node: Node) -> Sequence[Operand | None]:
        inputs = [self._input(value) for value in node.inputs]
        if node.callee is not None:
            return self._call(node, inputs)
        function, version = self._function(node)
        source = Source(node, version, inputs, self.around)
        found = function(self.builder, source)
        results = [found] if isinstance(found, Operand) else list(found)
        self._name(results)
        return results

    def _input(self, value: Value) -> Operand | None:
        try:
            return self.operand(value)
        except LoweringError as error:
            raise (_BehindError(error.message) if self.work.refused else error) from None

    def _function(self, node: Node):  # type: ignore[no-untyped-def]
        definition = onnx.get(node.op, self.work.opsets)
        functions = lowering_functions()
        if definition is None:
            if onnx.since(node.op) is not None:
                raise LoweringError(f"there is no {node.op} in the opset that the model imports")
            version = self.work.opsets.get(node.op.rpartition(".")[0])
            function = functions.get((node.op, version)) if version is not None else None
            if function is None or version is None:
                raise LoweringError("no op of ONNX")
            return function, version
        function = functions.get((node.op, definition.since))
        if function is not None:
            return function, definition.since
        if any(op == node.op for op, _ in functions):
            raise LoweringError(f"version {definition.since} of the op is not known here")
        raise LoweringError("there is nothing that makes TensorFlow of this op")

    def _call(self, node: Node, inputs: Sequence[Operand | None]) -> list[Operand | None]:
        """Lower a function of the model where it is called."""
        attrs = {key: self._resolved(value) for key, value in node.attrs.items()}
        assert node.callee is not None
        return self.inline(node.callee, inputs, around=attrs, outer=None)

    def _resolved(self, value: AttrValue) -> AttrValue:
        return self.around.get(value) if isinstance(value, str) else value

    def _name(self, results: Sequence[Operand | None]) -> None:
        """Give the node that yields the first result the name of the source's node."""
        first = next((result for result in results if result is not None), None)
        scope = self.builder.scope
        node = first.value.producer if first is not None and first.value is not None else None
        if node is not None and node.name.startswith(f"{scope}/") and node.op != "Const":
            node.name = self.builder.graph.unique_name(scope)

    def _refuse(self, place: str, op: str, error: GraphSurgeonError) -> None:
        self.work.refused.append(Refused(place, op, str(error)))

    def _stand_in(self, value: Value) -> Operand | None:
        """Return a placeholder of the type and shape that the file records, so that the nodes behind are judged too."""
        if value.is_absent or value.dtype is None or not is_held(value.dtype) or value.shape is None:
            return None
        name = self.builder.graph.unique_name(f"{self.builder.scope}/refused")
        node = self.builder.graph.add_node("Placeholder", name, (), {"dtype": value.dtype, "shape": value.shape})
        return Operand(node.output(0), self.builder.known.learn(node)[0])

    def _recorded(self, value: Value, operand: Operand) -> Operand:
        """Return an Operand with the rank that the file records, where inference knows none."""
        if operand.fact.dims is not None or operand.value is None or value.shape is None or value.shape.dims is None:
            return operand
        dims: Dims = tuple(self.work.session.new_symbol() if dim is None else dim for dim in value.shape.dims)
        return self.builder.learn(operand.value, operand.fact.with_dims(dims))

    # -- bodies ----------------------------------------------------------------------------------------

    def inline(
        self,
        graph: Graph,
        inputs: Sequence[Operand | None],
        *,
        around: Mapping[str, AttrValue] | None = None,
        outer: Scope | None,
    ) -> list[Operand | None]:
        """Lower a function or body into the graph at hand; return what its outputs become.

        Args:
            graph: of the source.
            inputs: what its inputs are.
            around: attributes that nodes in it refer to.
            outer: the scope whose names it sees: this one for a body, None for a function.
        """
        inner = Scope(self.work, graph, self.builder, outer, around, self._deeper())
        inner.prefix = self.builder.scope
        for value, operand in zip(graph.inputs, inputs, strict=False):
            inner.define(value, operand)
        name, within = self.builder.scope, self.builder.within
        try:
            return inner.run()
        finally:
            self.builder.scope, self.builder.within = name, within

    def function(self, graph: Graph, name: str, arguments: Sequence[Fact]) -> Body:
        """Lower a body into a function of its own.

        Args:
            graph: the body.
            name: of the function; made unique.
            arguments: type and shape of each of the body's inputs.

        Raises:
            LoweringError: something in it was refused.
        """
        target = self.work.target
        function = target.new_function(target.unique_function_name(_identifier(name)))
        builder = Builder(function, self.work.session)
        inner = Scope(self.work, graph, builder, self, None, self._deeper())
        for value, fact in zip(graph.inputs, arguments, strict=False):
            inner.define(value, add_argument(builder, fact, legal_name(value.name or "x")))
        before = len(self.work.refused)
        results = inner.run()
        known = [result for result in results if result is not None]
        if len(self.work.refused) > before or len(known) < len(results):
            raise _BehindError("something in its body is not lowered")
        return Body(function, builder, inner.captured, known)

    def _deeper(self) -> int:
        if self.depth >= MOST_DEPTH:
            raise LoweringError(f"more than {MOST_DEPTH} functions and bodies in each other")
        return self.depth + 1


class _BehindError(LoweringError):
    """A node behind one that was refused, and is named already."""


def add_argument(builder: Builder, fact: Fact, name: str) -> Operand:
    """Return a new argument of the function that a builder makes."""
    function = builder.graph
    value = Value(function, None, len(function.inputs), function.unique_name(_identifier(name)))
    value.dtype, value.shape = fact.dtype, Shape(None)
    function.inputs = [*function.inputs, value]
    return builder.learn(value, Fact(fact.dims, dtype=fact.dtype))


def _identifier(name: str) -> str:
    """Return a name that a function or an argument may have: letters, digits and _, a letter first."""
    found = "".join(c if c.isalnum() and c.isascii() else "_" for c in name.lower())
    return found if found[:1].isalpha() else f"x_{found}"


def _before(node: Node) -> list[Node]:
    return [*(value.producer for value in node.inputs if value.producer is not None), *node.controls]


def _title(node: Node, graph: Graph) -> str:
    """Return what the new node is called: as the output of the graph that it yields, as the node, as its value."""
    ends = {output.value for output in graph.outputs}
    if graph is graph.metagraph.graph:
        for value in node.outputs:
            if value in ends and value.name:
                return value.name
    return node.name or next((value.name for value in node.outputs if value.name), None) or node.op


def _place(node: Node) -> str:
    return node.name or next((value.name for value in node.outputs if value.name), None) or node.op
