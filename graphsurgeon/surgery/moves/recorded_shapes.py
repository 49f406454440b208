"""Shapes that a file records beside the ops, brought in line with what is inferred after a change.

In a main graph a recorded shape that contradicts the ops does not load. In functions it is believed: a stale
one gives wrong constants. Shapes of arguments are only ever widened, since other callers may rely on them.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.traversal import downstream
from graphsurgeon.shapes.propagate import RECORDS
from graphsurgeon.shapes.report import ShapeReport

OUTPUT_SHAPES = "_output_shapes"
RECORDED = (OUTPUT_SHAPES, "output_shapes")


def record_shapes(changed: Iterable[Value], report: ShapeReport) -> int:
    """Write inferred shapes over those recorded for what follows from changed values; return how many nodes changed.

    Args:
        changed: values of a main graph.
        report: what was inferred with their new shapes.
    """
    nodes = downstream([user for value in changed for user in value.consumers], controls=True)
    nodes |= {value.producer for value in changed if value.producer is not None}
    count = sum(_record(node, report, widen=False) for node in nodes)
    graphs = {node.graph for node in nodes}
    has_functions = any(graph.metagraph.functions for graph in graphs)
    functions = reached_functions(graphs) if has_functions and any(node.functions for node in nodes) else []
    for function in functions:
        _widen_arguments(function, report)
        count += sum(_record(node, report, widen=True) for node in function.nodes)
    return count


def drop_stale_shapes(graph: Graph, report: ShapeReport) -> int:
    """Remove recorded shapes that contradict the ops from a main graph; return of how many nodes.

    TensorFlow versions differ in the shapes of a few outputs (those of FusedBatchNormGrad), and none loads a graph
    that says other than it infers itself.
    """
    if not any(RECORDS in finding.what for finding in report.findings):
        return 0
    stale = [node for node in graph.nodes if OUTPUT_SHAPES in node.attrs and _contradicts(node, report)]
    for node in stale:
        del node.attrs[OUTPUT_SHAPES]
    return len(stale)


def _contradicts(node: Node, report: ShapeReport) -> bool:
    recorded = node.attrs[OUTPUT_SHAPES]
    if not isinstance(recorded, list) or len(recorded) != len(node.outputs):
        return False
    pairs = zip(recorded, node.outputs, strict=True)
    return any(isinstance(shape, Shape) and not shape.is_compatible_with(report.shape(value)) for shape, value in pairs)


def _record(node: Node, report: ShapeReport, *, widen: bool) -> bool:
    is_changed = False
    for key in RECORDED:
        if key == "output_shapes" and "Dataset" in node.op:
            continue  # the shapes of elements, not of outputs
        before = node.attrs.get(key)
        outputs = node.outputs if isinstance(before, list) else ()
        if not isinstance(before, list) or len(before) != len(outputs):
            continue
        after = [_recorded(old, report.shape(value), widen=widen) for old, value in zip(before, outputs, strict=True)]
        if after != before:
            node.attrs[key] = list(after)
            is_changed = True
    return is_changed


def _recorded(before: object, inferred: Shape, *, widen: bool) -> Shape:
    if not isinstance(before, Shape):
        return inferred
    if not widen:
        return inferred if inferred.dims is not None or not before.is_compatible_with(inferred) else UNKNOWN_RANK
    return join(before, inferred)


def join(first: Shape, second: Shape) -> Shape:
    """Return the narrowest shape that both are instances of."""
    if first.dims is None or second.dims is None or len(first.dims) != len(second.dims):
        return UNKNOWN_RANK
    return Shape(a if a == b else None for a, b in zip(first.dims, second.dims, strict=True))


def _widen_arguments(function: Graph, report: ShapeReport) -> None:
    shapes = function.attrs.get("_input_shapes")
    listed = list(shapes) if isinstance(shapes, list) else []
    for place, argument in enumerate(function.inputs):
        inferred = report.shape(argument)
        if argument.shape is not None:
            argument.shape = join(argument.shape, inferred)
        before = listed[place] if place < len(listed) else None
        if isinstance(before, Shape):
            listed[place] = join(before, inferred)
    if listed and listed != shapes:
        function.attrs["_input_shapes"] = listed
