"""Where a picture begins and ends: the inputs and outputs of a signature, a function, or a graph without either."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphsurgeon.analysis.candidates import likely_outputs
from graphsurgeon.model.dtype import RESOURCE, DType
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import reached
from graphsurgeon.ops.kinds import ELEMENTS
from graphsurgeon.render.choose.flow import Drawn, Flow
from graphsurgeon.render.choose.select import select
from graphsurgeon.render.scene import families
from graphsurgeon.shapes import ShapeReport

_MOST_LIKELY = 8  # outputs of a graph without signatures
_CLOSE = 10.0  # points that a likely output may be behind the likeliest
_INTERNAL = "__saved_model"  # signatures that loading runs, not users


@dataclass(slots=True)
class End:
    """An input or output of what is drawn.

    Attributes:
        key: signature key, or the tensor's name where there is no signature.
        signatures: the signatures that have it, empty if none.
        values: the tensors: one, or the parts of a composite tensor.
        sources: the operations that yield them.
        conditions: the operations that choose among those.
        dtype, shape: as the signature records them; None if it does not.
    """

    key: str
    signatures: list[str]
    values: list[Value]
    sources: list[int]
    conditions: list[int] = field(default_factory=list)
    dtype: DType | None = None
    shape: Shape | None = None

    @property
    def starts(self) -> list[int]:
        """All operations that it depends on at once."""
        return [*self.sources, *self.conditions]


@dataclass(slots=True)
class Ends:
    """All inputs and outputs, and the graphs they are in.

    Attributes:
        starts: further operations that are drawn with all they depend on, though nobody asks for their values.
        kept: the same, also if they only hand on what they read.
        notes: what had to be guessed.
    """

    graphs: list[Graph]
    inputs: list[End] = field(default_factory=list)
    outputs: list[End] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def public_signatures(metagraph: MetaGraph) -> list[Signature]:
    """Return the signatures that are for callers."""
    return [signature for key, signature in metagraph.signatures.items() if not key.startswith(_INTERNAL)]


def signature_ends(flow: Flow, signatures: Sequence[Signature]) -> Ends:
    """Return the ends of signatures; one that computes the same as an earlier one shares its ends."""
    ends = Ends(list(flow.graphs))
    drawn: dict[object, tuple[list[End], list[End]]] = {}
    for signature in signatures:
        inputs = [_entry(flow, signature, key, entry) for key, entry in signature.inputs.items()]
        outputs = [_entry(flow, signature, key, entry) for key, entry in signature.outputs.items()]
        same = drawn.setdefault(_essence(flow, inputs, outputs), (inputs, outputs))
        if same[0] is inputs:
            ends.inputs += inputs
            ends.outputs += outputs
            continue
        for end in (*same[0], *same[1]):
            end.signatures.append(signature.key)
    ends.inputs, ends.outputs = _merged(ends.inputs), _merged(ends.outputs)
    return ends


def function_ends(flow: Flow, graph: Graph) -> Ends:
    """Return the arguments and results of a function or subgraph; captured variables are no inputs."""
    arguments = [value for value in graph.inputs if value.dtype is not RESOURCE]
    inputs = [_value_end(flow, str(value), value) for value in arguments]
    outputs = [_value_end(flow, output.name or str(output.value), output.value) for output in graph.outputs]
    return Ends([graph], inputs, outputs)


def graph_ends(flow: Flow, metagraph: MetaGraph, report: ShapeReport) -> Ends:
    """Return the ends of a main graph without signatures: its likely outputs, and what they depend on.

    A graph without a likely output is drawn whole.
    """
    ends = Ends(
        list(flow.graphs), outputs=[_value_end(flow, str(value), value) for value in _likely(metagraph, report)]
    )
    if ends.outputs:
        ends.notes.append("no signature: drawn are the likeliest outputs; `gs outputs` ranks all")
    else:
        ends.starts = loose_ends(flow)
    for index in _reached(flow, [*ends.starts, *(index for end in ends.outputs for index in end.starts)]):
        operation = flow.operations[index]
        if is_input(operation) and operation.node is not None:
            value = operation.node.output(0)
            ends.inputs.append(End(str(value), [], [value], [index]))
    return ends


def _likely(metagraph: MetaGraph, report: ShapeReport) -> list[Value]:
    candidates = likely_outputs(metagraph, report)
    best = [candidate.value for candidate in candidates if candidate.score > candidates[0].score - _CLOSE]
    # By-products of one operation (the statistics of a normalization) are no answers of their own.
    return list({value.producer: value for value in reversed(best[:_MOST_LIKELY])}.values())[::-1]


def is_input(operation: Drawn) -> bool:
    """Say whether values enter a graph here."""
    return operation.op in families.INPUTS or operation.op in ELEMENTS


def loose_ends(flow: Flow) -> list[int]:
    """Return the operations that nobody reads, constants and inputs aside."""
    read = {operand.source for operation in flow.operations for operand in operation.operands}
    aside = families.WEIGHTS | families.INPUTS
    return [o.index for o in flow.operations if o.node is not None and o.index not in read and o.op not in aside]


def _entry(flow: Flow, signature: Signature, key: str, entry: SignatureEntry) -> End:
    values = [target for mention in entry.mentions if isinstance(target := mention.target, Value)]
    end = End(key, [signature.key], values, *_origins(flow, values))
    end.dtype, end.shape = entry.dtype, entry.shape
    return end


def _value_end(flow: Flow, key: str, value: Value) -> End:
    end = End(key, [], [value], *_origins(flow, [value]))
    end.dtype, end.shape = value.dtype, value.shape
    return end


def _origins(flow: Flow, values: Iterable[Value]) -> tuple[list[int], list[int]]:
    """Return the operations that yield values, and those that choose between them."""
    found = [operand for value in values for operand in flow.sources(value)]
    chosen = dict.fromkeys(operand.source for operand in found if operand.role != "condition")
    return list(chosen), list(dict.fromkeys(o.source for o in found if o.role == "condition"))


def _essence(flow: Flow, inputs: Sequence[End], outputs: Sequence[End]) -> object:
    """Return what two signatures have in common if and only if they compute the same under the same keys."""
    starts = [index for end in inputs for index in end.sources]
    order = select(flow, [index for end in outputs for index in end.starts], starts).order
    fed = set(starts)
    nodes = frozenset(id(flow.operations[index].node) for index in order if index not in fed)
    keys = tuple(end.key for end in inputs), tuple(end.key for end in outputs)
    return (nodes, keys) if nodes else (tuple(id(value) for end in outputs for value in end.values), keys)


def _merged(ends: Iterable[End]) -> list[End]:
    """Join ends of one key and tensor that several signatures have."""
    found: dict[object, End] = {}
    for end in ends:
        same = found.setdefault((end.key, tuple(map(id, end.values))), end)
        if same is not end:
            same.signatures += end.signatures
    return list(found.values())


def _reached(flow: Flow, starts: Iterable[int]) -> list[int]:
    operations = flow.operations
    return sorted(reached(starts, lambda index: (operand.source for operand in operations[index].operands)))
