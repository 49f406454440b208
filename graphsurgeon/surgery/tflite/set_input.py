"""Other shapes for the inputs of a TFLite model, and for every tensor that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphsurgeon.analysis.names import suggestion
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.shapes.tflite import infer_subgraph
from graphsurgeon.surgery.moves.reports import Contradiction, InputChange, SetInputReport


def set_tflite_inputs(metagraph: MetaGraph, shapes: Mapping[str, Shape], others: Sequence[str]) -> SetInputReport:
    """Change shapes of the first subgraph's inputs, and of what is computed from them.

    Args:
        metagraph: a TFLite model.
        shapes: input, or key of a signature -> new shape.
        others: what else is asked for, which there is not.

    Raises:
        UsageError: there is no such input.
        UnsupportedError: a shape cannot be followed through an operator.
    """
    if others:
        raise UnsupportedError("of a TFLite model only shapes of inputs can be set, its other tensors are typed")
    graph = metagraph.graph
    changed = {_input(metagraph, name): shape for name, shape in shapes.items()}
    found = infer_subgraph(graph, changed)
    if found.unknown:
        raise UnsupportedError(
            f"{found.unknown[0]} would be given other shapes, and it is not known what it then yields",
            hint="let the interpreter resize the input when it runs the model",
        )
    lost = [value for value, shape in found.shapes.items() if shape.dims is None]
    if lost and not found.findings:
        raise UnsupportedError(f"the shape of tensor {lost[0].name!r} (#{lost[0].port}) would depend on data")
    told = [_told(value, shape) for value, shape in changed.items()]
    count = 0
    for value, shape in found.shapes.items():
        if shape.dims is not None and shape != value.shape:
            count += value not in changed
            value.shape = shape
    affected = [s.key for s in metagraph.signatures.values() if s.graph is graph]
    contradictions = tuple(Contradiction(one.where, one.what) for one in found.findings)
    return SetInputReport(tuple(told), tuple(affected), contradictions, (), count)


def _input(metagraph: MetaGraph, name: str) -> Value:
    graph = metagraph.graph
    entries = [s.inputs[name] for s in metagraph.signatures.values() if name in s.inputs and s.graph is graph]
    targets = [e.mention.target for e in entries if e.mention is not None and isinstance(e.mention.target, Value)]
    named = [value for value in graph.inputs if name in (value.name, f"#{value.port}")]
    if named or targets:
        return (named or targets)[0]
    known = [value.name or "" for value in graph.inputs] + [
        key for s in metagraph.signatures.values() for key in s.inputs
    ]
    raise UsageError(f"the model has no input {name!r}", hint=suggestion(name, known))


def _told(value: Value, shape: Shape) -> InputChange:
    if shape.dims is None:
        raise UnsupportedError(f"{value.name!r}: a TFLite tensor of unknown rank cannot be allocated")
    dtype = value.dtype.name if value.dtype is not None else ""
    return InputChange(value.name or f"#{value.port}", dtype, shape, dtype, value.shape or UNKNOWN_RANK)
