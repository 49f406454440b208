"""Programs inside nodes that take fixed shapes only, whatever the graph around them may be fed."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import MODULE_CALLS
from graphsurgeon.shapes.families.xla import module_arguments
from graphsurgeon.shapes.report import ShapeReport


def fixed_modules(metagraph: MetaGraph, report: ShapeReport) -> list[str]:
    """Return a note for each program that takes fewer shapes than it may be given, or cannot be read.

    TensorFlow asks at run time only.

    Args:
        metagraph: the graph and its functions.
        report: the shapes of all values.
    """
    nodes = [node for graph in metagraph.graphs for node in graph.nodes if node.op in MODULE_CALLS]
    return list(dict.fromkeys(note for node in nodes for note in _notes(node, report)))


def _notes(node: Node, report: ShapeReport) -> Iterator[str]:
    where = f" of function {node.graph.name!r}" if node.graph.name else ""
    name = f"{node.name!r} ({node.op}){where}"
    arguments = module_arguments(node)
    if not arguments:
        yield f"{name} holds a program that cannot be read here: it may take fixed shapes only"
    for number, (value, argument) in enumerate(zip(node.inputs, arguments, strict=False)):
        given = report.shape(value).dims
        taken = argument.shape.dims if argument.shape is not None else None
        if taken is None or None not in (given or (None,)):
            continue
        open_dims = given or (None,) * len(taken)
        is_fixed = any(one is None and other is not None for one, other in zip(open_dims, taken, strict=False))
        if is_fixed:
            other = f"no other shape; here it may be {report.shape(value)}"
            yield f"{name} takes {argument.shape} for input {number} and {other}"
