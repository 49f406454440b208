"""Where a pattern matches, as reports show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphsurgeon.analysis.names import choose_graphs
from graphsurgeon.analysis.tensors import TensorFact, quantization
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.patterns.match import Found, Match, Matcher
from graphsurgeon.patterns.subject import Bound, Subject
from graphsurgeon.patterns.syntax import Rule
from graphsurgeon.shapes.report import ShapeReport


@dataclass(frozen=True)
class FoundMatch:
    """One match as reports show it.

    Attributes:
        graph: name of the function or subgraph, "" for the main graph.
        tags: of the MetaGraph; None where the format has none.
        root: the tensor that the pattern stands for; of several roots the first. The node, if it yields nothing.
        nodes: names of the nodes that the pattern's ops are, the root last; `#3` of TFLite is the place of an operator.
            A node of another graph is `name@function`.
        captures: what each name is bound to; a list for `NAME...`.
    """

    graph: str
    tags: list[str] | None
    root: str
    nodes: tuple[str, ...]
    captures: dict[str, TensorFact | tuple[TensorFact, ...]]


@dataclass(frozen=True)
class PatternReport:
    """Where a pattern matches.

    Attributes:
        matches: in the order of the graphs, and of computation in each; none shares a node with one before.
        undecided: names of the nodes that were given up after many steps.
    """

    matches: tuple[FoundMatch, ...]
    undecided: tuple[str, ...] = ()


def find_pattern(
    metagraph: MetaGraph, rule: Rule, *, graph: str | None = None, shapes: ShapeReport | None = None
) -> PatternReport:
    """Return where a pattern matches, captures with their shapes.

    Args:
        metagraph: where to look: main graph and functions, or subgraphs.
        rule: the pattern, of `patterns.parse_pattern` or `patterns.find_rule`.
        graph: limits the search to one function or subgraph: a name, a glob, or `main`.
        shapes: what is known of shapes; inferred if there is a match, or a pattern asks for shapes.

    Raises:
        PatternError: the pattern names an op that there is not.
        UsageError: there is no such graph.
    """
    subject = Subject(metagraph, shapes=shapes)
    found = search(subject, rule, choose_graphs(metagraph, graph))
    reporter = _Reporter(subject)
    return PatternReport(
        tuple(reporter.match(match) for match in found.matches), tuple(reporter.node(node) for node in found.undecided)
    )


def search(subject: Subject, rule: Rule, graphs: Sequence[Graph]) -> Found:
    """Return the matches of a pattern in some graphs, without what reports add."""
    return Matcher(rule, subject, graphs).find()


class _Reporter:
    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._places: dict[Graph, dict[Node, int]] = {}

    def match(self, match: Match) -> FoundMatch:
        metagraph = self.subject.metagraph
        graph = match.graph
        return FoundMatch(
            "" if graph is metagraph.graph else graph.name,
            metagraph.tags,
            str(match.roots[0]) if match.root.outputs else match.root.name,
            tuple(self.node(node, graph) for node in match.nodes),
            {name: self._capture(bound, graph) for name, bound in match.names.items()},
        )

    def node(self, node: Node, graph: Graph | None = None) -> str:
        name = node.name or f"#{self._place(node)}"
        return name if graph is None or node.graph is graph else f"{name}@{node.graph.name or 'main'}"

    def _place(self, node: Node) -> int:
        if node.graph not in self._places:
            self._places[node.graph] = {one: place for place, one in enumerate(node.graph.nodes)}
        return self._places[node.graph][node]

    def _capture(self, bound: Bound | list[Bound], graph: Graph) -> TensorFact | tuple[TensorFact, ...]:
        if isinstance(bound, list):
            return tuple(self._tensor(one.value, graph) for one in bound)
        return self._tensor(bound.value, graph)

    def _tensor(self, value: Value, graph: Graph) -> TensorFact:
        name = str(value) if value.graph is graph else f"{value}@{value.graph.name or 'main'}"
        is_stored = value.graph.kind == "subgraph" and isinstance(value.port, int)
        index = int(value.port) if is_stored else None
        shape, dtype = self.subject.shape(value), self.subject.dtype(value)
        return TensorFact(name, dtype, shape, index, quantization(value) if is_stored else None)
