"""Inference over ONNX graphs: each node once, bodies and functions for what they are given.

A dimension's name (`dim_param`) stands for one number wherever it occurs. What a body sees of the graph around it
is what is known there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops import onnx
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.dims import Dims, Symbol
from graphsurgeon.shapes.fact import MOST_ELEMENTS, UNKNOWN, Fact, join
from graphsurgeon.shapes.onnx import registry
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.propagate import MOST_FLOATS, order_of

MOST_DEPTH = 24  # of bodies and functions in each other
MOST_CALLS = 64  # of one function that are followed; further ones are not looked into


class OnnxSession:
    """What the passes over the graphs of one model share.

    Attributes:
        opsets: domain -> version.
        assumed: shapes to take for granted, by value.
        findings: contradictions, in the order found.
        passes: the last pass over each graph.
    """

    def __init__(self, metagraph: MetaGraph, assumed: Mapping[Value, Dims | None] | None = None) -> None:
        found = metagraph.producer.get("opsets")
        self.opsets: Mapping[str, int] = found if isinstance(found, dict) else {}
        self.assumed = dict(assumed or {})
        self.findings: dict[Finding, None] = {}
        self.passes: dict[Graph, OnnxPass] = {}
        self._named: dict[str, Symbol] = {}
        self._last_symbol = 0
        self._running: list[Graph] = []
        self._calls: dict[Graph, int] = {}
        self._called_with: dict[Graph, list[Fact]] = {}

    def new_symbol(self) -> Symbol:
        """Return a symbol unlike any other."""
        self._last_symbol += 1
        return Symbol((self._last_symbol,))

    def named(self, name: str) -> Symbol:
        """Return the symbol that a dimension's name stands for."""
        if name not in self._named:
            self._named[name] = self.new_symbol()
        return self._named[name]

    def call(self, function: Graph, arguments: Sequence[Fact]) -> list[Fact]:
        """Return what is known of the results of a function of the model."""
        return self.run(function, arguments, {}, None)

    def run(
        self, graph: Graph, arguments: Sequence[Fact], around: Mapping[str, AttrValue], outer: OnnxPass | None
    ) -> list[Fact]:
        """Infer a function or body for what is known of its inputs; return what is known of its outputs."""
        count = self._calls[graph] = self._calls.get(graph, 0) + 1
        if graph in self._running or len(self._running) >= MOST_DEPTH or count > MOST_CALLS:
            return [UNKNOWN] * len(graph.outputs)
        before = self._called_with.get(graph)
        facts = list(arguments) if before is None or outer is not None else _joined(before, arguments)
        self._called_with[graph] = facts
        self._running.append(graph)
        try:
            results = OnnxPass(graph, self, arguments, around, outer).run()
            if facts != list(arguments):  # what is reported of a function holds for all its calls
                self.passes[graph] = OnnxPass(graph, self, facts, {}, outer).run()
            else:
                self.passes[graph] = results
        finally:
            self._running.pop()
        return [results.fact(output.value) for output in graph.outputs]

    def find(self, graph: Graph, where: str, what: str) -> None:
        """Keep a finding; the same one is kept once."""
        name = "" if graph is graph.metagraph.graph else graph.name
        self.findings[Finding("warning", where, what, graph=name)] = None


def infer(metagraph: MetaGraph, assumed: Mapping[Value, Dims | None] | None = None) -> OnnxSession:
    """Infer the main graph, and with it the bodies and functions that it reaches; then those that it does not."""
    session = OnnxSession(metagraph, assumed)
    session.run(metagraph.graph, [], {}, None)
    for graph in metagraph.functions.values():
        if graph not in session.passes:
            session.run(graph, [], {}, None)
    return session


class OnnxPass:
    """What is known of every value of one graph, for what is known of its inputs.

    Attributes:
        facts: a fact per value.
        uninferred: nodes whose op has no shape function and whose shapes the file does not record.
    """

    def __init__(
        self,
        graph: Graph,
        session: OnnxSession,
        arguments: Sequence[Fact],
        around: Mapping[str, AttrValue],
        outer: OnnxPass | None,
    ) -> None:
        self.graph = graph
        self.session = session
        self.around = {**graph.attrs, **around}
        self.outer = outer
        self.facts: dict[Value, Fact] = {}
        self.uninferred: list[Node] = []
        self._shape_fns = registry.shape_functions()
        self._value_fns = registry.value_functions()
        for position, value in enumerate(graph.inputs):
            given = arguments[position] if position < len(arguments) else UNKNOWN
            self.facts[value] = self._with_recorded(value, given)

    def run(self) -> OnnxPass:
        """Infer every node. Returns self."""
        for value in self.graph.values:
            if value.producer is None and value not in self.facts:
                self.facts[value] = self._source(value)
        for node in order_of(self.graph.nodes):
            self._evaluate(node)
        return self

    def fact(self, value: Value) -> Fact:
        """Return what is known of a value."""
        return self.facts.get(value, UNKNOWN)

    def learn(self, node: Node) -> list[Fact]:
        """Infer a node that is new, and return what is known of its outputs."""
        self._evaluate(node)
        return [self.fact(value) for value in node.outputs]

    def _source(self, value: Value) -> Fact:
        outside = (value.extra or {}).get("outer")
        if isinstance(outside, Value):
            place: OnnxPass | None = self.outer
            while place is not None and place.graph is not outside.graph:
                place = place.outer
            return place.fact(outside) if place is not None else self._with_recorded(value, UNKNOWN)
        if value.tensor is not None:
            return Fact(tuple(value.tensor.shape), value.tensor, dtype=value.dtype)
        return self._with_recorded(value, UNKNOWN)

    def _evaluate(self, node: Node) -> None:
        inputs = [self.fact(value) for value in node.inputs]
        definition = onnx.get(node.op, self.session.opsets) if node.callee is None else None
        context = OnnxContext(
            node,
            inputs,
            self.session,
            version=definition.since if definition is not None else 0,
            around=self.around,
            run_body=lambda body, facts: self.session.run(body, facts, self.around, self),
        )
        results = self._infer(context)
        for port, value in enumerate(node.outputs):
            if value.is_absent:
                continue
            result = results[port] if results is not None and port < len(results) else UNKNOWN
            if value.tensor is not None:
                result = Fact(tuple(value.tensor.shape), value.tensor, dtype=value.dtype)
            self.facts[value] = self._with_recorded(value, result, node)
        if results is None and any(value.shape is None for value in node.outputs if not value.is_absent):
            self.uninferred.append(node)
        self._compute(context)

    def _infer(self, context: OnnxContext) -> Sequence[Fact] | None:
        """Return what the shape function says; None if there is none, nothing known if the node contradicts its op."""
        node = context.node
        if node.outputs and node.outputs[0].tensor is not None:
            return ()
        try:
            if node.callee is not None:
                return self.session.run(node.callee, context.inputs, self._resolved(node), None)
            function = self._shape_fns.get(node.op)
            return function(context) if function is not None else None
        except GraphSurgeonError as error:
            what = error.message
        except (LookupError, ArithmeticError, TypeError, ValueError):
            # A file may give a node any number of inputs and any attribute; what comes of it is not a crash.
            what = f"its inputs and attributes are not those of {node.op}"
        self.session.find(self.graph, _place(node), what)
        return ()

    def _resolved(self, node: Node) -> dict[str, AttrValue]:
        attrs = node.attrs.items()
        return {name: self.around.get(value) if isinstance(value, str) else value for name, value in attrs}

    def _compute(self, context: OnnxContext) -> None:
        """Add the elements of a small result, where they can be computed."""
        node = context.node
        function = self._value_fns.get(node.op)
        if function is None or not node.outputs or node.outputs[0].is_absent:
            return
        fact = self.facts[node.outputs[0]]
        size = dim.size(fact.dims)
        if size is None or fact.dtype is None or size > (MOST_FLOATS if fact.dtype.is_floating else MOST_ELEMENTS):
            return
        try:
            items = function(context)
        except (GraphSurgeonError, LookupError, ArithmeticError, TypeError, ValueError):
            return  # only the elements stay unknown: the shape function has said what there is to say
        if items is not None and len(items) == size:
            self.facts[node.outputs[0]] = Fact(fact.dims, items, dtype=fact.dtype)

    def _with_recorded(self, value: Value, fact: Fact, node: Node | None = None) -> Fact:
        """Return a fact with what the file records of a value, names for unknown dimensions included."""
        assumed = self.session.assumed
        if value in assumed:
            return self._symbolic(Fact(assumed[value], dtype=value.dtype or fact.dtype))
        recorded = _recorded(value, self.session) if not assumed else None
        dims = fact.dims
        if recorded is not None and self.graph.kind == "subgraph":
            try:
                dims = dim.merge(fact.dims, recorded)
            except dim.ShapeError:
                what = f"{value} has shape {dim.show(fact.dims)}, the file records {dim.show(recorded)}"
                self.session.find(self.graph, _place(node) if node is not None else str(value), what)
                dims = recorded
        if fact.dtype is not None and value.dtype is not None and fact.dtype is not value.dtype:
            what = f"{value} has type {fact.dtype}, the file records {value.dtype}"
            self.session.find(self.graph, _place(node) if node is not None else str(value), what)
        dtype = value.dtype or fact.dtype
        return self._symbolic(fact.with_dims(dims).with_dtype(dtype))

    def _symbolic(self, fact: Fact) -> Fact:
        """Return a fact in which every unknown dimension has a name of its own."""
        if fact.dims is None or None not in fact.dims:
            return fact
        return fact.with_dims(tuple(self.session.new_symbol() if size is None else size for size in fact.dims))


def _recorded(value: Value, session: OnnxSession) -> Dims | None:
    if value.shape is None or value.shape.dims is None:
        return None
    names: Sequence[str | None] = (value.extra or {}).get("dim_names") or (None,) * len(value.shape.dims)
    return tuple(
        session.named(name) if size is None and name else size
        for size, name in zip(value.shape.dims, names, strict=True)
    )


def _joined(first: Sequence[Fact], second: Sequence[Fact]) -> list[Fact]:
    return [join(a, b) for a, b in zip(first, second, strict=False)]


def _place(node: Node) -> str:
    return node.name or f"{node.op} that yields {next((str(v) for v in node.outputs if not v.is_absent), 'nothing')}"


def known_dtype(*dtypes: DType | None) -> DType | None:
    """Return the first dtype that is known."""
    return next((dtype for dtype in dtypes if dtype is not None), None)
