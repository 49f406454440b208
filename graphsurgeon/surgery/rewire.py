"""Let whatever reads one tensor read another, as `tf.import_graph_def(input_map=...)` does.

Readers are nodes and, of a function, those who call it. What a signature names, a caller fetches: it goes on naming the
first tensor, and a note says so. Both tensors stay; `gs strip` takes out what nothing needs any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphsurgeon.analysis.flow.frames import ControlFlow, control_flow
from graphsurgeon.analysis.names import choose_metagraph, find_value
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.graph import Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.traversal import in_postorder, producers, reached
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import BACK_EDGES
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.moves.recorded_shapes import record_shapes


@dataclass(frozen=True)
class Rewired:
    """A tensor that nobody reads any more.

    Attributes:
        tensor: its name.
        reads: the tensor that is read in its place.
        graph: the function or subgraph of both; empty for the main graph.
        nodes: number of nodes that read it.
        results: number of results of the function that it was.
    """

    tensor: str
    reads: str
    graph: str
    nodes: int
    results: int = 0


@dataclass(frozen=True)
class RewireReport:
    """What was rewired, in the order given."""

    rewired: list[Rewired]
    notes: list[str] = field(default_factory=list)


@arguments.takes(tensors=arguments.pairs, tags=arguments.names)
def rewire(
    model: Model,
    tensors: Mapping[str, str],
    *,
    graph: str | None = None,
    tags: Sequence[str] | None = None,
) -> RewireReport:
    """Let whatever reads a tensor read another one.

    Several are rewired at once: each reader gets what stands for the tensor that it read before.

    Args:
        model: changed in place.
        tensors: tensor -> tensor to be read in its place; both of one graph.
        graph: function or subgraph of the tensors; None looks in the main graph first.
        tags: which MetaGraph of a SavedModel.

    Raises:
        UsageError: a name is unknown, nothing reads the tensor, or the two differ in dtype, shape or quantization.
        UnsupportedError: a cycle would be closed, or the two lie in different loops or branches.
    """
    metagraph = choose_metagraph(model, tags)
    is_tflite(model, metagraph, "rewire")  # refuses the ops of others
    if not tensors:
        raise UsageError("nothing says what is to be read", hint="give A=B: whatever read A reads B")
    pairs = {
        find_value(metagraph, old, graph=graph): find_value(metagraph, new, graph=graph) for old, new in tensors.items()
    }
    shapes = infer_shapes(metagraph)
    for old, new in pairs.items():
        _check_pair(metagraph, old, new, shapes)
    for place in dict.fromkeys(old.graph for old in pairs):
        _check_order(place, {old: new for old, new in pairs.items() if old.graph is place})
    changed = [new for old, new in pairs.items() if shapes.shape(old) != shapes.shape(new)]
    rewired = _rewire(metagraph, pairs)
    if model.traits.vocabulary == TFLITE:
        for place in dict.fromkeys(old.graph for old in pairs):
            place.arrange(in_postorder(place.nodes, lambda node: producers(node.inputs)))
    elif changed:
        record_shapes(changed, infer_shapes(metagraph))
    return RewireReport(rewired, _notes(metagraph, pairs))


def _check_pair(metagraph: MetaGraph, old: Value, new: Value, shapes: ShapeReport) -> None:
    if old is new:
        raise UsageError(f"{old} is to stand for itself")
    if old.graph is not new.graph:
        raise UsageError(
            f"{old} lies in {_title(old.graph)}, {new} in {_title(new.graph)}",
            hint="a node reads tensors of its own graph: gs add-output carries a tensor out of a function",
        )
    if not old.consumers and not any(output.value is old for output in _results(metagraph, old.graph)):
        raise UsageError(f"nothing reads {old}", hint=f"gs find lists who reads what; {new}={old} is the other way")
    one, other = shapes.dtype(old), shapes.dtype(new)
    if one is not None and other is not None and one.base is not other.base:
        raise UsageError(f"{old} is {one}, {new} is {other}", hint="name a tensor of the same dtype")
    if one is not None and other is not None and one.is_ref and not other.is_ref:
        _check_references(old, new)
    before, after = shapes.shape(old), shapes.shape(new)
    if not before.is_compatible_with(after) or (metagraph.vocabulary == TFLITE and before != after):
        raise UsageError(f"{old} has the shape {before}, {new} {after}", hint="name a tensor of the same shape")
    if _quantization(old) != _quantization(new):
        raise UsageError(f"{old} and {new} are quantized differently", hint="their numbers mean different values")


def _quantization(value: Value) -> object:
    return (value.extra or {}).get("quantization")


def _title(graph: Graph) -> str:
    return f"{graph.kind} {graph.name!r}" if graph.name else "the main graph"


def _check_references(old: Value, new: Value) -> None:
    """Refuse to put a value where an op assigns to what it reads."""
    for node in old.consumers:
        opdef = catalog.of(node)
        lengths = opdef.input_lengths(node.attrs) if opdef is not None else None
        if opdef is None or lengths is None:
            continue
        is_ref = [arg.is_ref for arg, length in zip(opdef.inputs, lengths, strict=True) for _ in range(length)]
        if any(value is old and ref for value, ref in zip(node.inputs, is_ref, strict=False)):
            raise UsageError(f"{node.name!r} ({node.op}) assigns to {old}, and {new} is no variable")


def _check_order(graph: Graph, pairs: Mapping[Value, Value]) -> None:
    """Refuse a cycle, and a tensor of another loop or branch."""

    def before(node: Node) -> list[Node]:
        if node.op in BACK_EDGES:
            return []
        values = [pairs.get(value, value) for value in node.inputs]
        return [*(value.producer for value in values if value.producer is not None), *node.controls]

    flow = control_flow(graph)
    for old, new in pairs.items():
        needed = reached([new.producer] if new.producer is not None else [], before)
        closing = next((node for node in old.consumers if node in needed and node.op not in BACK_EDGES), None)
        if closing is not None:
            raise UnsupportedError(
                f"{new} is computed from {closing.name or closing.op!r}, which reads {old}: that would be a cycle",
                hint=f"name a tensor that does not depend on the readers of {old}",
            )
        if _frame(flow, old) != _frame(flow, new):
            raise UnsupportedError(f"{old} and {new} lie in different loops", hint="name a tensor of the same loop")
        if _branch(flow, new) is not None and _branch(flow, old) is not _branch(flow, new):
            raise UnsupportedError(
                f"{new} lies in a branch that is not always taken",
                hint=f"name a tensor that has a value wherever {old} has one",
            )


def _frame(flow: ControlFlow, value: Value) -> object:
    enter = flow.frames.get(value.producer) if value.producer is not None else None
    return enter.attrs.get("frame_name") if enter is not None else None


def _branch(flow: ControlFlow, value: Value) -> Value | None:
    """Return the predicate of the branch that a value lies in."""
    switch = flow.branches.get(value.producer) if value.producer is not None else None
    return switch.inputs[-1] if switch is not None else None


def _results(metagraph: MetaGraph, graph: Graph) -> list[Output]:
    """Return the results that whoever calls a graph reads; what is fetched through a signature is none."""
    is_fetched = graph is metagraph.graph or any(one.graph is graph for one in metagraph.signatures.values())
    return [] if is_fetched else graph.outputs


def _rewire(metagraph: MetaGraph, pairs: Mapping[Value, Value]) -> list[Rewired]:
    metagraph.resolve_mentions()
    readers = {old: old.consumers for old in pairs}
    for node in dict.fromkeys(node for nodes in readers.values() for node in nodes):
        node.inputs = [pairs.get(value, value) for value in node.inputs]
    results = dict.fromkeys(pairs, 0)
    for graph in dict.fromkeys(old.graph for old in pairs):
        for output in _results(metagraph, graph):
            old = output.value
            if old in pairs:
                output.value = pairs[old]
                results[old] += 1
    places = {old: "" if old.graph is metagraph.graph else old.graph.name for old in pairs}
    return [Rewired(str(old), str(new), places[old], len(readers[old]), results[old]) for old, new in pairs.items()]


def _notes(metagraph: MetaGraph, pairs: Mapping[Value, Value]) -> list[str]:
    notes = []
    for signature in metagraph.signatures.values():
        for key, entry in signature.outputs.items():
            value = entry.mention.target if entry.mention is not None else None
            if isinstance(value, Value) and value in pairs:
                notes.append(f"signature {signature.key} still yields {value} as {key}")
    if metagraph.objects is not None and any(old.graph is metagraph.graph for old in pairs):
        notes.append("tf.saved_model.load runs functions: for it rewire there, with --graph")
    return notes
