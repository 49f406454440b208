"""Make a signature of main-graph tensors, enter it into the object graph, and tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ConcreteFunction, ObjectGraph, ObjectNode, TensorSpec, parameter_name
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.surgery.moves.functions.functionalize import (
    PartBetween,
    bound_objects,
    captured_assets,
    make_function,
    part_between,
)
from graphsurgeon.surgery.moves.signatures.signature_function import (
    BARE_FUNCTION,
    SIGNATURE_MAP,
    SIGNATURES,
    check_input_keys,
    remove_wrapper,
    signature_map,
)
from graphsurgeon.surgery.moves.signatures.signature_keys import METHODS, signature_key

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


def enter_signature(
    model: Model, metagraph: MetaGraph, name: str, feeds: Mapping[str, Value], fetches: Mapping[str, Value]
) -> Signature:
    """Enter a signature of main-graph tensors, in place of one of that name, with its function where there are objects.

    Raises:
        UsageError: an output needs a placeholder that is not fed, or a key is none that both loaders take.
        UnsupportedError: a variable or table has no object.
    """
    shapes = infer_shapes(metagraph, on_demand=True)
    part = part_between(metagraph.graph, list(feeds.values()), list(fetches.values()), captured_assets(metagraph))
    check_fed(part)
    facts = {key: (_dtype(value, shapes), shapes.shape(value)) for key, value in fetches.items()}
    signature = make_signature(metagraph, name, METHODS["predict"], feeds, fetches, shapes, facts)
    if metagraph.objects is not None:
        check_input_keys(list(feeds))
        bound = bound_objects(metagraph, part.handles, model.checkpoint)
        remove_wrapper(metagraph, name)
        add_to_objects(metagraph, metagraph.objects, signature, part, bound)
    metagraph.signatures[name] = signature
    return signature


def check_fed(part: PartBetween) -> None:
    """Refuse outputs that need a placeholder which no input feeds.

    Raises:
        UsageError: with the first of them.
    """
    if part.unfed:
        names = ", ".join(node.name for node in part.unfed[:5])
        raise UsageError(
            f"the outputs need {names}, which no input feeds",
            hint=f"add --input {part.unfed[0].name}, or give it a value with gs set-input --set",
        )


def _dtype(value: Value, shapes: ShapeReport) -> DType:
    dtype = shapes.dtype(value)
    if dtype is None:
        raise UnsupportedError(f"the dtype of {value} is not known, since its op is in no catalog")
    return dtype.base


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
