"""Make a signature of main-graph tensors, enter it into the object graph, and tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.objects import ConcreteFunction, ObjectGraph, ObjectNode, TensorSpec, parameter_name
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.surgery.moves.functionalize import PartBetween, make_function
from graphsurgeon.surgery.moves.signature_function import BARE_FUNCTION, SIGNATURE_MAP, SIGNATURES, signature_map
from graphsurgeon.surgery.moves.signature_keys import signature_key

Facts = Mapping[str, tuple[DType, Shape]]  # dtype and shape of a signature's outputs


@dataclass(frozen=True)
class SignatureReport:
    """A signature that was added.

    Attributes:
        key, method: of the signature.
        inputs, outputs: key -> tensor.
        in_object_graph: `tf.saved_model.load` finds it through the object graph too.
        cloned: functions that were copied to carry a tensor out.
    """

    key: str
    method: str
    inputs: dict[str, TensorFact]
    outputs: dict[str, TensorFact]
    in_object_graph: bool
    cloned: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_signature(
    metagraph: MetaGraph,
    name: str,
    method: str,
    inputs: Mapping[str, Value],
    outputs: Mapping[str, Value],
    shapes: ShapeReport,
    facts: Facts,
) -> Signature:
    """Return a signature; `facts` are those of the outputs, which may not be inferred yet."""
    feeds = {
        key: _entry(inputs[key], shapes.dtype(inputs[key]), shapes.shape(inputs[key]), f"signature {name}, input {key}")
        for key in sorted(inputs)
    }
    fetches = {key: _entry(outputs[key], *facts[key], f"signature {name}, output {key}") for key in sorted(outputs)}
    return Signature(name, metagraph.graph, feeds, fetches, method=method)


def _entry(value: Value, dtype: DType | None, shape: Shape, where: str) -> SignatureEntry:
    if dtype is None:
        raise UnsupportedError(f"the dtype of {value} is not known, since its op is in no catalog")
    return SignatureEntry(Mention.of(value, where), dtype.base, shape)


def add_to_objects(
    metagraph: MetaGraph, objects: ObjectGraph, signature: Signature, part: PartBetween, bound: list[ObjectNode]
) -> None:
    """Enter a function that computes a signature, in place of one of that key; its captures are bound as given."""
    inputs = {key: _target(signature.inputs[key]) for key in sorted(signature.inputs, key=parameter_name)}
    outputs = {key: _target(signature.outputs[key]) for key in sorted(signature.outputs)}
    function = make_function(metagraph, f"signature_wrapper_{signature_key(signature.key)}", part, inputs, outputs)
    concrete = ConcreteFunction(function, bound)
    concrete.input_signature = ((), {key: _spec(key, signature.inputs[key]) for key in inputs})
    concrete.output_signature = {key: _spec(key, signature.outputs[key]) for key in outputs}
    objects.concrete_functions.append(concrete)
    bare = ObjectNode(BARE_FUNCTION)
    bare.functions = [function]
    bare.argument_keywords = list(inputs)
    objects.nodes.append(bare)
    signatures = signature_map(objects)
    if signatures is None:
        signatures = ObjectNode("user_object")
        signatures.identifier = SIGNATURE_MAP
        objects.nodes.append(signatures)
        objects.root.children.append((SIGNATURES, signatures))
    signatures.children = [(key, child) for key, child in signatures.children if key != signature.key]
    signatures.children.append((signature.key, bare))


def _target(entry: SignatureEntry) -> tuple[Value, DType]:
    target = entry.mention.target if entry.mention is not None else None
    assert isinstance(target, Value)
    assert entry.dtype is not None
    return target, entry.dtype


def _spec(key: str, entry: SignatureEntry) -> TensorSpec:
    assert entry.dtype is not None
    return TensorSpec(key, entry.shape or UNKNOWN_RANK, entry.dtype)


def signature_report(signature: Signature, in_objects: bool, cloned: list[str], notes: list[str]) -> SignatureReport:
    """Return what is told of a signature that was added."""
    facts = [
        {
            key: TensorFact(
                str(entry.mention.target) if entry.mention else None, entry.dtype, entry.shape or UNKNOWN_RANK
            )
            for key, entry in side.items()
        }
        for side in (signature.inputs, signature.outputs)
    ]
    return SignatureReport(signature.key, signature.method, facts[0], facts[1], in_objects, cloned, notes)
