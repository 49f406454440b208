"""Graphs written as expressions, for tests of patterns: `G("Mul(x, Relu(x))")` is a graph with a placeholder `x`."""

from __future__ import annotations

from graphsurgeon.model import DType, MetaGraph, Shape, Tensor
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.patterns.builders import as_rule
from graphsurgeon.patterns.match import Found, Match, Matcher
from graphsurgeon.patterns.parser import dtype_named
from graphsurgeon.patterns.rule_parser import RuleReader
from graphsurgeon.patterns.subject import Subject
from graphsurgeon.patterns.syntax import Build, Word

FLOAT = DType.named("float32")


class G:
    """A graph; statements are separated by `;`, and `y = Relu(x)` gives a value a name.

    A name alone is a placeholder `f32[2,3]` (`x`), a number is a constant of its own.
    """

    def __init__(self, text: str = "", graph: Graph | None = None) -> None:
        self.graph = graph if graph is not None else MetaGraph().graph
        self.metagraph = self.graph.metagraph
        self.names: dict[str, Value] = {}
        if text:
            self.add(text)

    def add(self, text: str) -> Value:
        """Add some statements; return the value of the last."""
        last = None
        for statement in filter(str.strip, text.split(";")):
            last = self._value(RuleReader(statement).build())
        assert last is not None
        return last

    def node(self, name: str) -> Node:
        node = self.graph.node(name)
        assert node is not None, name
        return node

    def find(self, pattern: str, **options: object) -> list[Match]:
        return self.search(pattern, **options).matches

    def search(self, pattern: str, *, crosses: bool = True) -> Found:
        return Matcher(as_rule(pattern), Subject(self.metagraph, crosses=crosses)).find()

    def const(self, items: object, dims: list[int], dtype: DType = FLOAT, name: str = "") -> Value:
        """Add a constant."""
        flat = items if isinstance(items, list) else [items]
        attrs: dict[str, AttrValue] = {"dtype": dtype, "value": Tensor.of(dtype, dims, flat)}
        return self._add("Const", [], attrs, name).output()

    def _value(self, build: Build) -> Value:
        if build.kind == "number":
            return self.const(build.value, [])
        if build.kind == "value":
            if build.value not in self.names:
                shape = Shape([2, 3])
                placed = self._add("Placeholder", [], {"dtype": FLOAT, "shape": shape}, build.value)
                self.names[build.value] = placed.output()
            value = self.names[build.value]
            value = value if build.port is None or value.producer is None else value.producer.output(build.port)
        else:
            inputs = [self._value(arg) for arg in build.args]
            attrs = {attr.name: _attr(attr.value) for attr in build.attrs}
            if build.op in self.metagraph.functions:
                node = self._add(self.metagraph.functions[build.op], inputs, {}, build.name or "")
            else:
                node = self._add(build.op, inputs, {"T": FLOAT, **attrs}, build.name or "")
            value = node.output(build.port or 0)
        if build.name:
            self.names[build.name] = node.output(0) if build.kind == "op" else value
        return value

    def _add(self, op: str | Graph, inputs: list[Value], attrs: dict[str, AttrValue], name: str) -> Node:
        text = op if isinstance(op, str) else op.name
        return self.graph.add_node(op, name or f"{text}_{len(self.graph)}", inputs, attrs, checked=False)


def _attr(item: object) -> AttrValue:
    if isinstance(item, Word):
        words = {"true": True, "false": False}
        return words[item.text] if item.text in words else dtype_named(item.text) or item.text.encode()
    if isinstance(item, tuple):
        return [_attr(one) for one in item]
    assert isinstance(item, int | float | str)
    return item.encode() if isinstance(item, str) else item


def function(metagraph: MetaGraph, name: str, arguments: list[str], text: str) -> Graph:
    """Add a function of some float arguments that yields the last statement."""
    from graphsurgeon.model.graph import Output

    graph = Graph(metagraph, "function", name)
    inside = G(graph=graph)
    for position, argument in enumerate(arguments):
        value = Value(graph, None, position, argument)
        value.dtype, value.shape = FLOAT, Shape([2, 3])
        graph.inputs.append(value)
        inside.names[argument] = value
    result = inside.add(text)
    graph.outputs = [Output("out", result, FLOAT)]
    metagraph.add_function(graph)
    return graph
