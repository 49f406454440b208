"""Dtype and shape of every value of a model, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from graphsurgeon.errors import UsageError
from graphsurgeon.model.calls import checked_call
from graphsurgeon.model.format import ONNX, TENSORFLOW, TFLITE, Vocabulary
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import in_postorder
from graphsurgeon.ops.kinds import BACK_EDGES
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.propagate import DemandPass
from graphsurgeon.shapes.report import ShapeReport, signature_findings
from graphsurgeon.shapes.session import Session

Assumptions: TypeAlias = Mapping[str | Value, Shape | Sequence[int | None]]


@checked_call
def infer_shapes(
    subject: Model | MetaGraph | Graph, *, assume: Assumptions | None = None, on_demand: bool = False
) -> ShapeReport:
    """Infer dtype and shape of every value, small constants included.

    What the file records (`_output_shapes`, argument shapes) is used, and checked against what the ops say.
    Of a Model or MetaGraph every function is inferred too: for the argument shapes it records, or else for
    those it is called with. Of a Graph only its own values are reported; functions it calls are looked through.

    Args:
        subject: what to infer. Reads small constants from the file, never large ones.
        assume: shapes of values (placeholders, arguments, anything) to be taken instead of what is known of
            them; by value, or by name (`x`, `node:1`) in the main graph. What the file records about values
            that follow from these is then left aside, unless the assumed shape is one of those it records.
        on_demand: of a MetaGraph: infer what a value of its main graph needs when the value is asked for, and the rest
            only if something else is. The MetaGraph must not change as long as the report is used.

    Raises:
        UsageError: an assumed name names nothing.
    """
    if not isinstance(subject, Model | MetaGraph | Graph):
        raise UsageError(f"shapes of a model or graph are inferred, not of {subject!r}", hint="graphsurgeon.read(path)")
    report = ShapeReport()
    if on_demand and isinstance(subject, MetaGraph) and _can_wait(subject):
        main = subject.graph
        waiting = DemandPass(main, Session(_resolve(main, assume or {})))
        report.start(main, waiting, lambda: infer_shapes(subject, assume=assume))
        return report
    for graphs, metagraph in _scopes(subject):
        _infer_scope(report, graphs, metagraph, assume or {})
    return report


def _can_wait(metagraph: MetaGraph) -> bool:
    """Say whether values can be inferred one by one: what goes round in a loop is known when all of it is."""
    main = metagraph.graph
    is_graph = main.vocabulary == TENSORFLOW and main.kind != "subgraph"
    return is_graph and BACK_EDGES.isdisjoint(main.op_counts)


def _scopes(subject: Model | MetaGraph | Graph) -> list[tuple[list[Graph], MetaGraph | None]]:
    if isinstance(subject, Model):
        return [(metagraph.graphs, metagraph) for metagraph in subject.metagraphs]
    if isinstance(subject, MetaGraph):
        return [(subject.graphs, subject)]
    return [([subject], None)]


def _infer_scope(report: ShapeReport, graphs: list[Graph], metagraph: MetaGraph | None, assume: Assumptions) -> None:
    first = graphs[0]
    is_restated = first.vocabulary == TFLITE and first.kind != "subgraph"  # by `tflite.py`, in ops of TensorFlow
    infer = _INFER.get(TENSORFLOW if is_restated else first.vocabulary)
    if infer is not None:
        infer(report, graphs, metagraph, assume)


def _infer_tensorflow(
    report: ShapeReport, graphs: list[Graph], metagraph: MetaGraph | None, assume: Assumptions
) -> None:
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
    report.add_findings(session.findings)
    if metagraph is not None:
        report.add_findings(signature_findings(metagraph, report))


def _infer_onnx(report: ShapeReport, graphs: list[Graph], metagraph: MetaGraph | None, assume: Assumptions) -> None:
    """Add what follows from the ops to what the file stores."""
    from graphsurgeon.shapes.onnx.graph_pass import infer

    owner = metagraph or graphs[0].metagraph
    session = infer(owner, _resolve(owner.graph, assume))
    for graph in graphs:
        if graph in session.passes:
            report.add(graph, session.passes[graph])
    report.add_findings(session.findings)


# Of other vocabularies, such as TFLite's, all there is to know is what the file stores.
_INFER: dict[Vocabulary, Callable[[ShapeReport, list[Graph], MetaGraph | None, Assumptions], None]] = {
    TENSORFLOW: _infer_tensorflow,
    ONNX: _infer_onnx,
}


def callers_first(graphs: list[Graph]) -> list[Graph]:
    """Return graphs in their order, but each behind all that call it: what it is called with is known by then."""

    def called(graph: Graph) -> dict[Graph, None]:
        return dict.fromkeys(function for node in graph.nodes for function in node.functions)

    listed = set(graphs)
    return [graph for graph in reversed(in_postorder(reversed(graphs), called)) if graph in listed]


def _resolve(graph: Graph, assume: Assumptions) -> dict[Value, Dims | None]:
    assumed: dict[Value, Dims | None] = {}
    for name, shape in assume.items():
        value = graph.value(name) if isinstance(name, str) else name
        if value is None:
            raise UsageError(f"no tensor is named {name!r}", hint="`gs inputs MODEL` lists the inputs")
        assumed[value] = shape.dims if isinstance(shape, Shape) else Shape(shape).dims
    return assumed
