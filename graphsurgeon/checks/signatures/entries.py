"""Rules about signatures: what they name, and whether both worlds of loaders see the same ones."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.checks.graphs.ops import OutputTypes
from graphsurgeon.checks.places import is_present
from graphsurgeon.errors import plural
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectNode
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.kinds import PLACEHOLDERS

# Signatures that loaders run on their own; the object graph has no entry for them.
_INTERNAL = frozenset({"__saved_model_init_op", "__saved_model_train_op"})


def repeated_tags(model: Model) -> Iterator[Finding]:
    """Find MetaGraphs that no loader reaches, because one before them has the same tags."""
    seen: set[frozenset[str]] = set()
    for metagraph in model.metagraphs:
        tags = frozenset(metagraph.tags or ())
        if tags in seen:
            where = f"tags {','.join(sorted(tags)) or 'none'}"
            hint = "loaders take the first; gs rename --what tags gives it others"
            yield Finding("warning", where, "a second MetaGraph with the same tags", hint, "repeated-tags")
        elif model.traits.is_servable and metagraph.vocabulary == TENSORFLOW and not tags:
            what = "it has no tags: whoever asks for 'serve', as TensorFlow Serving does, does not find it"
            yield Finding("warning", "tags none", what, "gs rename --what tags none=serve", "no-tags")
        seen.add(tags)


def tensors(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find entries that name nothing, or that record another dtype or shape than the graph has."""
    types = OutputTypes()
    for signature in metagraph.signatures.values():
        for side, entries in (("input", signature.inputs), ("output", signature.outputs)):
            refused: Severity = "error" if side == "input" else "warning"  # the placeholder refuses what is fed
            for key, entry in entries.items():
                where = f"signature {signature.key}, {side} {key}"
                for mention in entry.mentions:
                    if mention.text and not is_present(mention.target):
                        what = f"it names {mention.text!r}, which the graph does not have"
                        yield Finding("error", where, what, "name a tensor of the graph", "signature-tensor")
                target = entry.mention.target if entry.mention is not None else None
                if isinstance(target, Value) and is_present(target):
                    yield from _agreement(where, entry, target, types, refused)


def _agreement(
    where: str, entry: SignatureEntry, value: Value, types: OutputTypes, shape_is: Severity
) -> Iterator[Finding]:
    node = value.producer
    outputs = types.all_of(node) if node is not None else None
    if outputs is not None and isinstance(value.port, int) and value.port >= len(outputs):
        what = f"it names output {value.port} of {node}, which has {len(outputs)}"
        yield Finding("error", where, what, "name an output that there is", "signature-tensor")
        return
    found = types.of(value)
    if found is not None and entry.dtype is not None and entry.dtype.number and found.base is not entry.dtype.base:
        what = f"it says {entry.dtype}, the tensor {value} is {found.base}"
        yield Finding("warning", where, what, "set the signature's dtype to that of the tensor", "signature-dtype")
    shape = _recorded_shape(value)
    if shape is not None and entry.shape is not None and not shape.is_compatible_with(entry.shape):
        what = f"it says {entry.shape}, the graph says {shape} of {value}"
        yield Finding(shape_is, where, what, "set the signature's shape to that of the tensor", "signature-shape")


def _recorded_shape(value: Value) -> Shape | None:
    """Return the shape that the producer records; an empty list stands for none in placeholders of old versions."""
    node = value.producer
    if node is None:
        return value.shape
    shapes = node.attrs.get("_output_shapes")
    if isinstance(shapes, list) and isinstance(value.port, int) and value.port < len(shapes):
        shape = shapes[value.port]
        return shape if isinstance(shape, Shape) else None
    return _placeholder_shape(node)


def _placeholder_shape(node: Node) -> Shape | None:
    shape = node.attrs.get("shape") if node.op in PLACEHOLDERS else None
    is_known = isinstance(shape, Shape) and shape.dims != ()
    return shape if isinstance(shape, Shape) and is_known else None


def both_worlds(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find signatures that only one world of loaders sees, or that both see differently."""
    objects = metagraph.objects
    if objects is None or not objects.nodes:
        return
    holder = objects.root.child("signatures")
    known = dict(holder.children) if holder is not None else {}
    stored = {key: item for key, item in metagraph.signatures.items() if key not in _INTERNAL}
    for key in sorted(stored.keys() - known.keys()) if holder is not None else ():
        what = "it is in signature_def but not in the object graph: tf.saved_model.load does not show it"
        yield Finding("warning", f"signature {key}", what, "gs add-signature adds it to both", "signature-worlds")
    for key in sorted(known.keys() - stored.keys()):
        what = "it is in the object graph but not in signature_def: session-style loaders do not show it"
        yield Finding("warning", f"signature {key}", what, "gs add-signature adds it to both", "signature-worlds")
    for key in sorted(known.keys() & stored.keys()):
        yield from _same_inputs(stored[key], known[key])


def _same_inputs(signature: Signature, wrapper: ObjectNode) -> Iterator[Finding]:
    where = f"signature {signature.key}"
    if wrapper.kind == "bare_concrete_function" and wrapper.argument_keywords:
        names, keys = sorted(wrapper.argument_keywords), sorted(signature.inputs)
        plain = all(entry.mention is not None for entry in signature.inputs.values())
        if plain and names != keys:
            what = f"its inputs are {', '.join(keys)} in signature_def, {', '.join(names)} in the object graph"
            yield Finding("warning", where, what, "gs rename --what keys changes both", "signature-worlds")
    function = wrapper.functions[0] if wrapper.functions else None
    plain_outputs = all(entry.mention is not None for entry in signature.outputs.values())
    if isinstance(function, Graph) and plain_outputs and len(function.outputs) != len(signature.outputs):
        count = plural(len(signature.outputs), "output")
        what = f"it has {count} in signature_def, {len(function.outputs)} in its function"
        yield Finding("warning", where, what, "gs add-signature makes both anew", "signature-worlds")
