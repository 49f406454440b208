"""Shapes in a TFLite subgraph, and in those that it runs, once its inputs have other shapes than the file stores.

The body of a loop and the branches of an IF are inferred for what they are given; a loop keeps the shapes of its states
where its body makes others of them, that is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.shapes.infer import infer_shapes
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.shapes.tflite import Restated


@dataclass(frozen=True)
class SubgraphShapes:
    """What follows from other shapes of inputs.

    Attributes:
        shapes: tensors whose shape is another now.
        findings: operators that do not take what they are given; `where` is `operator #3 (RESHAPE)`.
        unknown: operators that are given other shapes than before, and of which nothing is known.
    """

    shapes: dict[Value, Shape]
    findings: list[Finding]
    unknown: list[str]


def infer_subgraph(graph: Graph, inputs: Mapping[Value, Shape]) -> SubgraphShapes:
    """Infer the shapes of a TFLite subgraph, and of those that it runs, for other shapes of its inputs.

    Reads small constants from the file. What is found in a subgraph that is run stands behind `subgraph NAME: `.

    Args:
        graph: the subgraph; it is not changed.
        inputs: input -> its new shape.
    """
    restated = Restated(graph)
    before = infer_shapes(restated.graph)
    for value, shape in inputs.items():
        restated.reshape(value, shape)
    after = infer_shapes(restated.graph)
    inner: dict[str, SubgraphShapes] = {}
    for name, node in restated.calls.items():
        inner[name] = _infer_called(restated, node, after)
        if _give_back(restated, node, inner[name]):
            after = infer_shapes(restated.graph)
    twins = restated.values.items()
    shapes = {value: after.shape(twin) for value, twin in twins if before.shape(twin) != after.shape(twin)}
    shapes |= inputs
    known = set(before.findings)
    findings = [found for found in after.findings if found not in known]
    unknown = [name for name, node in restated.unknown.items() if any(value in shapes for value in node.inputs)]
    for name, found in inner.items():
        shapes = {**found.shapes, **shapes}
        unknown += found.unknown
        findings += [*found.findings, *_loop_findings(restated, restated.calls[name], name, found, after)]
    return SubgraphShapes(shapes, findings, unknown)


def _infer_called(restated: Restated, node: Node, report: ShapeReport) -> SubgraphShapes:
    """Infer the subgraphs that an operator runs, for the shapes that it is given."""
    given = node.inputs if node.op == "WHILE" else node.inputs[1:]  # an IF is given its condition first
    found = SubgraphShapes({}, [], [])
    for called in node.functions:
        changed = {}
        for argument, value in zip(called.inputs, given, strict=False):
            now = report.shape(restated.value(value))
            if now.dims is not None and argument.shape is not None and now != argument.shape:
                changed[argument] = now
        if changed:
            one = infer_subgraph(called, changed)
            found.shapes.update(one.shapes)
            found.unknown.extend(one.unknown)
            found.findings.extend(inside(called, finding) for finding in one.findings)
    return found


def inside(graph: Graph, finding: Finding) -> Finding:
    """Return what was found in a subgraph that another one runs, with its name."""
    return replace(finding, where=f"subgraph {graph.name}: {finding.where}")


def _give_back(restated: Restated, node: Node, found: SubgraphShapes) -> bool:
    """Let an IF yield what its first branch does now; say whether that is another shape."""
    if node.op != "IF" or not node.functions:
        return False
    changed = False
    for value, output in zip(node.outputs, node.functions[0].outputs, strict=False):
        if output.value in found.shapes:
            restated.reshape(value, found.shapes[output.value])
            changed = True
    return changed


def _loop_findings(
    restated: Restated, node: Node, name: str, found: SubgraphShapes, report: ShapeReport
) -> Iterator[Finding]:
    """Find what a loop does not keep the shape of: its body yields a batch where it starts with one example."""
    if node.op != "WHILE" or not node.functions:
        return
    for place, (value, output) in enumerate(zip(node.inputs, node.functions[-1].outputs, strict=False)):
        given = report.shape(restated.value(value))
        made = found.shapes.get(output.value, output.value.shape or UNKNOWN_RANK)
        if made.dims is not None and given.dims is not None and not _fits(made, given):
            what = f"it starts with {given} as its input {place}, and its body makes {made} of it"
            yield Finding("error", name, what, "", "loop-shape")


def _fits(made: Shape, given: Shape) -> bool:
    pairs = zip(made.dims or (), given.dims or (), strict=False)
    return made.rank == given.rank and all(None in pair or pair[0] == pair[1] for pair in pairs)
