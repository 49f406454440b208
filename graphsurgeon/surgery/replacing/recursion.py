"""Rules that would never end: their own replacement holds what they look for."""

from __future__ import annotations

from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.graph import AttrValue, Graph, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.patterns.match import Matcher
from graphsurgeon.patterns.subject import Subject
from graphsurgeon.patterns.syntax import Build, Expr, Op, Pattern, Rule, parts_of
from graphsurgeon.surgery.replacing.new_attrs import attr_of


def contains_itself(rule: Rule, words: MetaGraph) -> bool:
    """Say whether what a rule builds surely matches it again, whatever its captures are.

    Args:
        rule: a rule; one with conditions is not judged, since they may come to hold no longer.
        words: a MetaGraph of the model, for its vocabulary.
    """
    if rule.conditions or rule.predicates:
        return False
    metagraph = MetaGraph(vocabulary=words.vocabulary)
    if words.graph.kind == "subgraph":
        metagraph.graph = Graph(metagraph, "subgraph")
    sketch = _Sketch(metagraph.graph, rule)
    for build in rule.builds:
        sketch.value(build)
    return bool(Matcher(rule, Subject(metagraph, crosses=False)).find().matches)


class _Sketch:
    """A graph of what is built: captures are placeholders, numbers constants."""

    def __init__(self, graph: Graph, rule: Rule) -> None:
        self.graph = graph
        self.nodes = {part.name: part for root in rule.roots for part in _ops(root) if part.name is not None}
        self.named: dict[str, Value] = {}

    def value(self, build: Build) -> Value:
        found = self._new(build)
        if build.name is not None:
            self.named[build.name] = found
        return found

    def _new(self, build: Build) -> Value:
        if build.kind in ("value", "rest"):
            if build.value not in self.named:
                self.named[build.value] = self._leaf("Placeholder", {"dtype": FLOAT32})
            return self.named[build.value]
        if build.kind == "number":
            tensor = Tensor.of(FLOAT32, [], [build.value])
            if self.graph.kind == "subgraph":
                return self.graph.add_value("", FLOAT32, tensor.shape, tensor)
            return self._leaf("Const", {"dtype": FLOAT32, "value": tensor})
        if build.kind == "expr":
            return self._leaf("Placeholder", {"dtype": FLOAT32})
        inputs = [self.value(arg) for arg in build.args]
        node = self.graph.add_node(build.op, self._name(), inputs, self._attrs(build), checked=False)
        if self.graph.kind == "subgraph":
            node.set_outputs([self.graph.add_value("", FLOAT32, Tensor.of(FLOAT32, [], [0.0]).shape)])
            return node.outputs[0]
        return node.output(build.port or 0)

    def _leaf(self, op: str, attrs: dict[str, AttrValue]) -> Value:
        if self.graph.kind == "subgraph":
            return self.graph.add_value("", FLOAT32, Tensor.of(FLOAT32, [], [0.0]).shape)
        return self.graph.add_node(op, self._name(), [], attrs, checked=False).output()

    def _name(self) -> str:
        return f"n{len(self.graph)}" if self.graph.kind != "subgraph" else ""

    def _attrs(self, build: Build) -> dict[str, AttrValue]:
        """Return the attributes as far as the rule says them; copied ones are what the pattern asks of its node."""
        attrs: dict[str, AttrValue] = {}
        for attr in build.attrs:
            if attr.name == "*" and isinstance(attr.value, Expr):
                tests = self.nodes[attr.value.value].attrs
                attrs |= {test.name: attr_of(test.values[0], "") for test in tests if test.is_equal}
            elif not isinstance(attr.value, Expr):
                attrs[attr.name] = attr_of(attr.value, "")
        return attrs


def _ops(pattern: Pattern) -> list[Op]:
    found = [pattern] if isinstance(pattern, Op) else []
    for part in parts_of(pattern):
        found += _ops(part)
    return found
