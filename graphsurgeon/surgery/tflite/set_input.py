"""Other shapes for the inputs of a TFLite model, and for every tensor that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from graphsurgeon.analysis.names import near_or_all
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.traversal import in_postorder
from graphsurgeon.shapes.tflite_flow import SubgraphShapes, infer_subgraph
from graphsurgeon.surgery.moves.inlining.inline import MOST_REPEATED
from graphsurgeon.surgery.moves.reports import Contradiction, InputChange, SetInputReport
from graphsurgeon.surgery.tflite.batch_shapes import settle
from graphsurgeon.surgery.tflite.fix_reshapes import batch_axis, batch_of, fix_reshapes, operators_of, state_tensors
from graphsurgeon.surgery.tflite.set_types import Scale, plan_types


@dataclass(frozen=True)
class TypeChanges:
    """What is asked beside shapes.

    Attributes:
        dtypes: input -> element type.
        scale: of integers that a float input is to become.
        allow_contradictions: write shapes that operators do not take, or that keep a batch of 1.
        fix_reshapes: change operators that a batch of 1 was folded into.
    """

    dtypes: Mapping[str, str | DType]
    scale: Scale | None = None
    allow_contradictions: bool = False
    fix_reshapes: bool = False


def set_tflite_inputs(
    metagraph: MetaGraph, shapes: Mapping[str, Shape], others: Sequence[str], asked: TypeChanges
) -> SetInputReport:
    """Change shapes and element types of the first subgraph's inputs, and shapes of what is computed from them.

    Args:
        metagraph: a TFLite model.
        shapes: input, or key of a signature -> new shape.
        others: what else is asked for, which there is not.
        asked: element types, and what is allowed.

    Raises:
        UsageError: there is no such input.
        UnsupportedError: a shape cannot be followed through an operator, or contradicts one; a type cannot be had.
    """
    if others:
        raise UnsupportedError("of a TFLite model only shapes and dtypes of inputs can be set, not their values")
    retyped = plan_types(metagraph, asked.dtypes, "input", asked.scale)
    fixed: list[str] = []
    told, contradictions, count = _reshape(metagraph, shapes, asked, fixed) if shapes else ([], (), 0)
    told += [change() for change in retyped]
    affected = [s.key for s in metagraph.signatures.values() if s.graph is metagraph.graph]
    return SetInputReport(tuple(told), tuple(affected), contradictions, (), count, tuple(fixed))


def _reshape(
    metagraph: MetaGraph, shapes: Mapping[str, Shape], asked: TypeChanges, fixed: list[str]
) -> tuple[list[InputChange], tuple[Contradiction, ...], int]:
    """Change shapes; return what is told of the inputs, contradictions, and how many other tensors changed.

    What was fixed is added to `fixed`.
    """
    graph = metagraph.graph
    _require_bounded(graph)
    changed = {_input(metagraph, name): shape for name, shape in shapes.items()}
    told = [_told(value, shape) for value, shape in changed.items()]
    trial = {value: _doubled(value, shape) for value, shape in changed.items()}
    computed: list[Value] = []
    is_open = any(shape != trial[value] for value, shape in changed.items())
    if asked.fix_reshapes:
        find = partial(_found, graph)
        told_fixes, computed = fix_reshapes(graph, trial, find, slices=asked.allow_contradictions, is_open=is_open)
        fixed += told_fixes
    found = infer_subgraph(graph, changed)
    tried = infer_subgraph(graph, trial) if trial != changed else found
    _require_followed(found)
    _require_followed(tried)
    contradictions = _contradictions(graph, found, tried, trial) or _at_three(graph, found, changed, trial)
    if not contradictions:
        _require_ranks(found)
    if contradictions and not asked.allow_contradictions:
        raise refused_contradictions(contradictions)
    count = 0
    for value, shape in found.shapes.items():
        if shape.dims is not None and shape != value.shape:
            count += value not in changed
            value.shape = shape
    for value in () if is_open else computed:
        settle(value)
    return told, contradictions, count


def _require_bounded(graph: Graph) -> None:
    """Refuse subgraphs that run themselves, or each other so often that there would be no end of operators."""
    sizes: dict[Graph, int] = {}
    for one in in_postorder([graph], lambda one: (called for node in one.nodes for called in node.functions)):
        called = [other for node in one.nodes for other in node.functions]
        circle = next((other for other in called if other not in sizes), None)
        if circle is not None:
            raise UnsupportedError(
                f"subgraph {circle.name or 'main'!r} runs itself, at some depth: its shapes have no end",
                hint="gs check names the subgraphs",
            )
        sizes[one] = len(one.nodes) + sum(sizes[other] for other in called)
        if sizes[one] > MOST_REPEATED:
            raise UnsupportedError(
                f"subgraph {one.name or 'main'!r} runs others so often that they make {sizes[one]:,} operators",
                hint=f"up to {MOST_REPEATED:,} are followed",
            )


def _contradictions(
    graph: Graph, found: SubgraphShapes, tried: SubgraphShapes, trial: Mapping[Value, Shape]
) -> tuple[Contradiction, ...]:
    """Return what does not fit the shapes, whatever sizes are fed where they are unknown.

    A size that is unknown contradicts nothing, so such an input is also tried at twice the size that is stored: what
    was folded for that size is found there.
    """
    told = {one.where: Contradiction(one.where, one.what) for one in found.findings}
    said = "; ".join(f"{value.name or f'#{value.port}'} of {shape}" for value, shape in trial.items())
    for one in tried.findings:
        told.setdefault(one.where, Contradiction(one.where, f"{one.what} (at {said})"))
    return (*told.values(), *_kept_batches(graph, tried), *_kept_states(graph, tried))


def _at_three(
    graph: Graph, found: SubgraphShapes, changed: Mapping[Value, Shape], trial: Mapping[Value, Shape]
) -> tuple[Contradiction, ...]:
    """Try an open batch at another size: a constant may have the one that was tried first by chance."""
    other = {value: _third(value, shape, trial[value]) for value, shape in changed.items()}
    return () if other == trial else _contradictions(graph, found, infer_subgraph(graph, other), other)


def _require_followed(found: SubgraphShapes) -> None:
    if found.unknown and any(name in found.unknown[0] for name in _ONE_EXAMPLE):
        raise UnsupportedError(
            f"{found.unknown[0]} takes one example at a time: its kernel refuses any other batch",
            hint="cut the model before it: gs extract MODEL --outputs ...",
        )
    if found.unknown:
        raise UnsupportedError(
            f"{found.unknown[0]} would be given other shapes, and it is not known what it then yields",
            hint="let the interpreter resize the input when it runs the model",
        )


def _require_ranks(found: SubgraphShapes) -> None:
    lost = [value for value, shape in found.shapes.items() if shape.dims is None]
    if lost:
        raise UnsupportedError(f"the shape of tensor {lost[0].name!r} (#{lost[0].port}) would depend on data")


def _found(graph: Graph, trial: Mapping[Value, Shape]) -> list[Contradiction]:
    """Return what contradicts shapes that are all known, in the order of operators."""
    tried = infer_subgraph(graph, trial)
    _require_followed(tried)
    found = _contradictions(graph, tried, tried, trial)
    if not found:
        _require_ranks(tried)
    order = {where: number for number, where in enumerate(operators_of(graph))}
    return sorted(found, key=lambda one: order.get(one.where, 0))


def _doubled(value: Value, shape: Shape) -> Shape:
    """Return a shape with sizes for its unknown dimensions: twice as many as there were."""
    if shape.dims is None or value.shape is None or value.shape.rank != shape.rank:
        return shape
    pairs = zip(shape.dims, value.shape.dims or (), strict=True)
    return Shape([2 * was if dim is None and was is not None else dim for dim, was in pairs])


def _third(value: Value, shape: Shape, tried: Shape) -> Shape:
    """Return the shape that was tried with three times the batch that there was, where that is open."""
    was = _first(value.shape)
    if not shape.dims or shape.dims[0] is not None or not tried.dims or was is None:
        return tried
    return Shape([3 * was, *tried.dims[1:]])


def _kept_batches(graph: Graph, found: SubgraphShapes) -> list[Contradiction]:
    """Return the operators that yield one element of a batch, or none of it, where they are given more.

    No interpreter complains: a shape `[1,-1,16]` puts the further elements into another dimension, a slice `0:1` drops
    them. That a slice may be meant so the file does not say.
    """
    told = []
    for where, node in operators_of(graph).items():
        how = _KEEPS_ONE.get(node.op)
        if how is None or len(node.inputs) <= _DATA.get(node.op, 0) or not node.outputs:
            continue
        given, made = node.inputs[_DATA.get(node.op, 0)], node.outputs[0]
        now = found.shapes.get(given, given.shape), found.shapes.get(made, made.shape)
        is_kept = _first(given.shape) == _first(made.shape) == _first(now[1]) == 1 != (_first(now[0]) or 1)
        if is_kept and (
            now[1] is None or batch_axis(made.shape, now[1]) is None
        ):  # else it has become another dimension
            told.append(Contradiction(where, how))
    return told


_KEEPS_ONE = {
    "RESHAPE": "its shape keeps a batch of 1, the rest goes into another dimension",
    "SLICE": "it takes the first element of the batch alone",
    "STRIDED_SLICE": "it takes the first element of the batch alone",
    "TRANSPOSE_CONV": "it yields a batch of 1, as its constant shape says",
    "BROADCAST_TO": "it yields a batch of 1, as its constant shape says",
}
_DATA = {"TRANSPOSE_CONV": 2}  # which input has the batch, where it is not the first
_ONE_EXAMPLE = ("TFLite_Detection_PostProcess",)  # `kBatchSize` in LiteRT's detection_postprocess.cc


def _kept_states(graph: Graph, found: SubgraphShapes) -> list[Contradiction]:
    """Return the operators that keep a state for one example, where they are given more: states are not resized."""
    told = []
    for where, node in operators_of(graph).items():
        states = state_tensors(node)
        shape = found.shapes.get(node.inputs[0]) if states else None
        batch = batch_of(node, shape)
        if batch is not None and any(_first(value.shape) != batch for value in states):
            told.append(Contradiction(where, "it keeps a state for one example"))
    return told


def _first(shape: Shape | None) -> int | None:
    return shape.dims[0] if shape is not None and shape.dims else None


def refused_contradictions(contradictions: Sequence[Contradiction]) -> UnsupportedError:
    """Return the error that names the first contradiction and how many more there are."""
    first = contradictions[0]
    more = f" (and {len(contradictions) - 1} more)" if len(contradictions) > 1 else ""
    return UnsupportedError(f"{first.where}: {first.what}{more}", hint="--allow-contradictions writes it all the same")


def _input(metagraph: MetaGraph, name: str) -> Value:
    graph = metagraph.graph
    entries = [s.inputs[name] for s in metagraph.signatures.values() if name in s.inputs and s.graph is graph]
    targets = [e.mention.target for e in entries if e.mention is not None and isinstance(e.mention.target, Value)]
    named = [value for value in graph.inputs if name in (value.name, f"#{value.port}")]
    if named or targets:
        return (named or targets)[0]
    known = [value.name or f"#{value.port}" for value in graph.inputs] + [
        key for s in metagraph.signatures.values() for key in s.inputs
    ]
    raise UsageError(f"the model has no input {name!r}", hint=near_or_all(name, known))


def _told(value: Value, shape: Shape) -> InputChange:
    if shape.dims is None:
        raise UnsupportedError(f"{value.name!r}: a TFLite tensor of unknown rank cannot be allocated")
    dtype = value.dtype.name if value.dtype is not None else ""
    return InputChange(value.name or f"#{value.port}", dtype, shape, dtype, value.shape or UNKNOWN_RANK)
