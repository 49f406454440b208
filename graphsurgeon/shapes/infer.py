"""Dtype and shape of every value of a model, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from graphsurgeon.errors import UsageError
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.report import ShapeReport, signature_findings
from graphsurgeon.shapes.session import Session

Assumptions: TypeAlias = Mapping[str | Value, Shape | Sequence[int | None]]


def infer_shapes(subject: Model | MetaGraph | Graph, *, assume: Assumptions | None = None) -> ShapeReport:
    """Infer dtype and shape of every value, small constants included.

    What the file records (`_output_shapes`, argument shapes) is used, and checked against what the ops say.
    Of a Model or MetaGraph every function is inferred too: for the argument shapes it records, or else for
    those it is called with. Of a Graph only its own values are reported; functions it calls are looked through.

    Args:
        subject: what to infer. Reads small constants from the file, never large ones.
        assume: shapes of values (placeholders, arguments, anything) to be taken instead of what is known of
            them; by value, or by name (`x`, `node:1`) in the main graph. What the file records about values
            that follow from these is then left aside, unless the assumed shape is one of those it records.

    Raises:
        UsageError: an assumed name names nothing.
    """
    report = ShapeReport()
    for graphs, metagraph in _scopes(subject):
        _infer_scope(report, graphs, metagraph, assume or {})
    return report


def _scopes(subject: Model | MetaGraph | Graph) -> list[tuple[list[Graph], MetaGraph | None]]:
    if isinstance(subject, Model):
        return [(metagraph.graphs, metagraph) for metagraph in subject.metagraphs]
    if isinstance(subject, MetaGraph):
        return [(subject.graphs, subject)]
    return [([subject], None)]


def _infer_scope(report: ShapeReport, graphs: list[Graph], metagraph: MetaGraph | None, assume: Assumptions) -> None:
    graphs = [graph for graph in graphs if graph.kind != "subgraph"]  # TFLite stores its shapes
    if not graphs:
        return
    session = Session(_resolve(graphs[0], assume))
    report.add(graphs[0], session.report_on(graphs[0]))
    done: dict[Graph, object] = {graphs[0]: None}
    graphs = callers_first(graphs) if len(graphs) > 1 else graphs
    waiting = graphs[1:]
    while waiting:
        for graph in waiting:
            done[graph] = session.called_with.get(graph)
            report.add(graph, session.report_on(graph))
        # Of functions that call themselves one comes first: what has since been called otherwise is inferred again.
        waiting = [graph for graph in graphs[1:] if session.called_with.get(graph) != done[graph]]
    report.findings += session.findings
    if metagraph is not None:
        report.findings += signature_findings(metagraph, report)


def callers_first(graphs: list[Graph]) -> list[Graph]:
    """Return graphs in their order, but each behind all that call it: what it is called with is known by then."""
    order: list[Graph] = []
    opened: set[Graph] = set()
    stack = [(graph, False) for graph in graphs]
    while stack:
        graph, is_done = stack.pop()
        if is_done:
            order.append(graph)
        elif graph not in opened:
            opened.add(graph)
            stack.append((graph, True))
            called = dict.fromkeys(function for node in graph.nodes for function in node.functions)
            stack += [(function, False) for function in called if function not in opened]
    listed = set(graphs)
    return [graph for graph in reversed(order) if graph in listed]


def _resolve(graph: Graph, assume: Assumptions) -> dict[Value, Dims | None]:
    assumed: dict[Value, Dims | None] = {}
    for name, shape in assume.items():
        value = graph.value(name) if isinstance(name, str) else name
        if value is None:
            raise UsageError(f"no tensor is named {name!r}", hint="`gs inputs MODEL` lists the inputs")
        assumed[value] = shape.dims if isinstance(shape, Shape) else Shape(shape).dims
    return assumed
