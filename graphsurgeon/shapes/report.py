"""What inference found out, for every value of the graphs it looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph, SignatureEntry
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.shapes.fact import UNKNOWN, Fact


class Pass(Protocol):
    """What was found out about one graph."""

    @property
    def uninferred(self) -> Sequence[Node]:
        """Nodes whose op has no shape function and for which the file records no shapes."""

    def fact(self, value: Value) -> Fact:
        """Return what is known of a value."""

    def learn(self, node: Node) -> list[Fact]:
        """Infer a node that is new, and return what is known of its outputs."""


class ShapeReport:
    """Dtype, shape and, for small constants, elements of every value; for TFLite what the file stores.

    One that is made on demand infers what a value needs when the value is asked for, and everything when something is
    asked that only all of it tells. Until then the model must not change.
    """

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._passes: dict[Graph, Pass] = {}
        self._rest: Callable[[], ShapeReport] | None = None

    @property
    def findings(self) -> list[Finding]:
        """Contradictions between the ops, what the file records, and signatures."""
        self._complete()
        return self._findings

    def add_findings(self, findings: Iterable[Finding]) -> None:
        """Enter contradictions."""
        self._findings += findings

    @property
    def uninferred(self) -> list[Node]:
        """Nodes whose op has no shape function and for which the file records no shapes, in graph order."""
        self._complete()
        return [node for done in self._passes.values() for node in done.uninferred]

    def fact(self, value: Value) -> Fact:
        """Return everything known of a value; nothing for a value of a graph that was not inferred."""
        done = self._pass_of(value.graph)
        return done.fact(value) if done is not None else UNKNOWN

    def shape(self, value: Value) -> Shape:
        """Return the shape of a value."""
        if value.graph.kind == "subgraph" and value.graph not in self._passes:
            return value.shape or UNKNOWN_RANK
        return self.fact(value).shape

    def dtype(self, value: Value) -> DType | None:
        """Return the dtype of a value, None if unknown (the node's op is unknown)."""
        return self.fact(value).dtype or value.dtype

    def constant(self, value: Value) -> list[int | float | bool | None] | None:
        """Return the elements of a small constant, flat, None for those that are unknown; None if none is known."""
        items = self.fact(value).items
        return None if items is None else [item if isinstance(item, int | float) else None for item in items]

    def learn(self, graph: Graph, node: Node) -> list[Fact]:
        """Infer a node that is new among the values of a graph, and return what is known of its outputs.

        Args:
            graph: a graph that was inferred.
            node: reads values of it, or nodes that were learnt before; it need not be in the graph itself.
        """
        done = self._pass_of(graph)
        return done.learn(node) if done is not None else []

    def _pass_of(self, graph: Graph) -> Pass | None:
        if graph not in self._passes:
            self._complete()
        return self._passes.get(graph)

    def start(self, graph: Graph, done: Pass, rest: Callable[[], ShapeReport]) -> None:
        """Enter a graph whose values are inferred when they are asked for, and what infers everything."""
        self._passes[graph] = done
        self._rest = rest

    def _complete(self) -> None:
        if self._rest is not None:
            whole, self._rest = self._rest(), None
            self._passes, self._findings = whole._passes, whole._findings

    def add(self, graph: Graph, done: Pass) -> None:
        """Enter what is known of a graph."""
        self._passes[graph] = done


def signature_findings(metagraph: MetaGraph, report: ShapeReport) -> Iterator[Finding]:
    """Yield where a signature says another dtype or shape than the graph has."""
    for signature in metagraph.signatures.values():
        for role, entries in (("input", signature.inputs), ("output", signature.outputs)):
            for key, entry in entries.items():
                where = f"signature {signature.key}, {role} {key}"
                for what in _contradictions(entry, report):
                    yield Finding("warning", where, what, graph=signature.graph.name)


def _contradictions(entry: SignatureEntry, report: ShapeReport) -> Iterator[str]:
    value = entry.mention.target if entry.mention is not None else None
    if not isinstance(value, Value):
        return
    dtype, shape = report.dtype(value), report.shape(value)
    if entry.dtype is not None and dtype is not None and entry.dtype.base is not dtype.base:
        yield f"the signature says {entry.dtype}, the graph {dtype}"
    if entry.shape is not None and not entry.shape.is_compatible_with(shape):
        yield f"the signature says shape {entry.shape}, the graph {shape}"
