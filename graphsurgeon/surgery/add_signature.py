"""Add and remove signatures, for session-style loaders (`signature_def`) and for `tf.saved_model.load` alike.

A model with an object graph gets a wrapper function there too, made of the main graph's nodes between inputs
and outputs, with its captures bound to their variables. A model without one needs `signature_def` only: both
loaders read that. A tensor inside a function is carried out to the main graph first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from graphsurgeon.analysis.candidates import by_shape
from graphsurgeon.analysis.names import INTERNAL, choose_metagraph, find_signature, find_value
from graphsurgeon.errors import UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import parameter_name
from graphsurgeon.model.shape import Shape
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.surgery.complete import check_servable, make_servable
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.fetchable import check_fetchable
from graphsurgeon.surgery.moves.functions.carry_out import Way, carry_out, find_way
from graphsurgeon.surgery.moves.functions.functionalize import PartBetween, bound_objects, captured_assets, part_between
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.moves.signatures.new_signature import (
    SignatureReport,
    add_to_objects,
    check_fed,
    make_signature,
    signature_report,
)
from graphsurgeon.surgery.moves.signatures.past_parser import PARSED, add_past_parser
from graphsurgeon.surgery.moves.signatures.signature_function import (
    check_input_keys,
    remove_wrapper,
)
from graphsurgeon.surgery.moves.signatures.signature_keys import METHODS, check_method, signature_key

DEFAULT = "serving_default"


@dataclass(frozen=True)
class RemovalReport:
    """Signatures that were removed, by key."""

    removed: list[str]
    notes: list[str] = field(default_factory=list)


@arguments.takes(
    outputs=arguments.keyed,
    inputs=arguments.keyed,
    outputs_by_shape=arguments.pairs,
    calls=arguments.names,
    assets=arguments.by_name,
    tags=arguments.names,
)
def add_signature(
    model: Model,
    outputs: Mapping[str, str] | None = None,
    *,
    inputs: Mapping[str, str] | None = None,
    past_parser: bool = False,
    signature: str | None = None,
    outputs_by_shape: Mapping[str, str] | None = None,
    name: str | None = None,
    method: str = "predict",
    calls: Sequence[str] = (),
    graph: str | None = None,
    assets: Mapping[str, str] | None = None,
    tags: Sequence[str] | None = None,
    replace: bool = False,
) -> SignatureReport:
    """Add a signature.

    Args:
        model: changed in place; a GraphDef or `.meta` gets what a servable SavedModel needs.
        outputs: key -> tensor; with `past_parser` those of `signature`, if none are given.
        inputs: key -> tensor; None takes every placeholder that the outputs need, by its name.
        past_parser: the inputs are the features that the model parses out of serialized `tf.train.Example`s, by their
            names; a sparse one is `K_indices`, `K_values` and `K_dense_shape`, a ragged one `K_values` and
            `K_row_splits`.
        signature: with `past_parser`: whose outputs; None for `serving_default`, or the only one that parses.
        outputs_by_shape: key -> shape pattern; the likeliest output of that shape, an empty key standing for one
            that the tensor's name gives.
        name: key of the new signature; None for `serving_default`, with `past_parser` for `parsed`.
        method: "predict", "classify" or "regress", checked against the rules of TensorFlow Serving.
        calls: nodes that call functions, to choose among several ways to a tensor inside a function.
        graph: limits the search for output tensors to one function.
        assets: for a GraphDef or `.meta`: name of an asset that the graph reads -> the file.
        tags: which MetaGraph of a SavedModel, or the tags to give one that has none.
        replace: the model may have a signature of that name.

    Raises:
        UsageError: a name is unknown or taken, a placeholder is left without a value, or the method's rules
            are broken.
        UnsupportedError: a tensor cannot be fed or fetched, or the object graph cannot take the signature.
    """
    name = (PARSED if past_parser else DEFAULT) if name is None else name
    metagraph = _metagraph(model, name, tags, replace=replace)
    outputs = outputs or {}
    if not name or not (outputs or outputs_by_shape or past_parser):
        raise UsageError("a signature needs a name and at least one output")
    if is_tflite(model, metagraph, "add-signature"):
        return _add_tflite(metagraph, name, dict(inputs or {}), outputs)
    shapes = infer_shapes(metagraph, on_demand=True)
    outputs = {**outputs, **_found_by_shape(metagraph, outputs_by_shape or {}, shapes)}
    values = {key: find_value(metagraph, text, graph=graph) for key, text in outputs.items()}
    if past_parser:
        if inputs is not None:
            raise UsageError("past the parser the inputs are the features", hint="leave out --input")
        report = add_past_parser(model, metagraph, values, signature, name, METHODS[method], shapes)
    else:
        report = _add(model, metagraph, values, inputs, name, METHODS[method], shapes, calls)
    if not model.traits.is_bare_graph:
        return report
    return dataclasses.replace(report, notes=[*report.notes, *make_servable(model, metagraph, tags, assets)])


@arguments.takes(names=arguments.names, tags=arguments.names)
def remove_signature(model: Model, names: Sequence[str], *, tags: Sequence[str] | None = None) -> RemovalReport:
    """Remove signatures from `signature_def` and the object graph.

    What the main graph has for sessions stays (`gs strip` removes it); a function that was there for the signature
    alone, as add_signature makes one, goes with it.

    Raises:
        UsageError: the model has no such signature, or loaders need it.
    """
    metagraph = choose_metagraph(model, tags)
    is_tflite(model, metagraph, "remove-signature")  # refuses models of others
    for name in names:
        find_signature(metagraph, name)
        if name.startswith(INTERNAL):
            raise UsageError(f"loaders run what the signature {name!r} names; without it the model may not work")
    for name in dict.fromkeys(names):
        del metagraph.signatures[name]
        remove_wrapper(metagraph, name)
    return RemovalReport(list(dict.fromkeys(names)))


def _add(
    model: Model,
    metagraph: MetaGraph,
    values: Mapping[str, Value],
    inputs: Mapping[str, str] | None,
    name: str,
    method: str,
    shapes: ShapeReport,
    calls: Sequence[str],
) -> SignatureReport:
    """Add the signature of some outputs, with the inputs as given or as needed."""
    plan = _plan(metagraph, values, shapes, calls)
    anchors = {key: planned.anchor for key, planned in plan.items()}
    facts = {key: (planned.dtype, planned.shape) for key, planned in plan.items()}
    feeds, part = _feeds(metagraph, inputs, list(anchors.values()))
    check_method(make_signature(metagraph, name, method, feeds, anchors, shapes, facts))
    if model.traits.is_bare_graph:
        check_servable(model, metagraph)
    bound = bound_objects(metagraph, part.handles, model.checkpoint) if metagraph.objects is not None else []
    targets, cloned = _carry(metagraph, plan)
    signature = make_signature(metagraph, name, method, feeds, targets, shapes, facts)
    if metagraph.objects is not None:
        part = part_between(metagraph.graph, list(feeds.values()), list(targets.values()), captured_assets(metagraph))
        add_to_objects(metagraph, metagraph.objects, signature, part, bound)
    metagraph.signatures[name] = signature
    return signature_report(signature, metagraph.objects is not None, cloned, [])


def _metagraph(model: Model, name: str, tags: Sequence[str] | None, *, replace: bool) -> MetaGraph:
    """Return the MetaGraph that gets the signature; the tags of a bare graph are those it is to have."""
    metagraph = choose_metagraph(model, None if model.traits.is_bare_graph else tags)
    if name in metagraph.signatures and not replace:
        raise UsageError(
            f"there already is a signature {name!r}", hint="--replace replaces it, --name NAME adds another"
        )
    return metagraph


def _found_by_shape(metagraph: MetaGraph, patterns: Mapping[str, str], shapes: ShapeReport) -> dict[str, str]:
    found = {}
    for key, pattern in patterns.items():
        value = by_shape(metagraph, pattern, shapes)
        found[key or signature_key(value.producer.name if value.producer else str(value))] = str(value)
    return found


class _Planned(NamedTuple):
    """An output that is to be.

    Attributes:
        value: the tensor.
        way: the calls that lead to its function; empty in the main graph.
        dtype, shape: of the tensor.
        is_reference: to a variable of TensorFlow 1, which `tf.saved_model.load` takes for no output.
    """

    value: Value
    way: Way
    dtype: DType
    shape: Shape
    is_reference: bool

    @property
    def anchor(self) -> Value:
        """The main-graph value that depends on the same inputs and variables."""
        return self.way[0].call.output() if self.way else self.value


def _plan(
    metagraph: MetaGraph, values: Mapping[str, Value], shapes: ShapeReport, calls: Sequence[str]
) -> dict[str, _Planned]:
    plan = {}
    for key, value in values.items():
        dtype = check_fetchable(value, shapes.dtype(value), allow_ref=metagraph.objects is None)
        way = find_way(metagraph, value.graph, None, calls)
        plan[key] = _Planned(value, way, dtype.base, shapes.shape(value), dtype.is_ref)
    return plan


def _carry(metagraph: MetaGraph, plan: Mapping[str, _Planned]) -> tuple[dict[str, Value], list[str]]:
    """Return the main-graph value of each output and the functions that were copied to carry it out.

    Of a reference that is what it holds, read by a new Identity.
    """
    values: dict[str, Value] = {}
    cloned: list[str] = []
    for key, (value, way, dtype, shape, is_reference) in plan.items():
        values[key] = value
        if is_reference and value.producer is not None:
            name = metagraph.graph.unique_name(f"{value.producer.name}/value")
            values[key] = metagraph.graph.add_node("Identity", name, [value], {"T": dtype}).output()
        if way:
            values[key], copies = carry_out(metagraph, way, value, key, dtype, shape)
            cloned += copies
    return values, cloned


def _feeds(
    metagraph: MetaGraph, inputs: Mapping[str, str] | None, outputs: list[Value]
) -> tuple[dict[str, Value], PartBetween]:
    """Return the inputs by key, as given or as needed, and the nodes between them and the outputs."""
    if inputs is not None:
        feeds = {key: find_value(metagraph, text, graph="main") for key, text in inputs.items()}
    else:
        part = part_between(metagraph.graph, [], outputs, captured_assets(metagraph))
        feeds = {_input_key(metagraph, node): node.output() for node in part.unfed}
    by_value: dict[Value, str] = {}
    for key, value in feeds.items():
        if value in by_value:
            raise UsageError(
                f"inputs {by_value[value]!r} and {key!r} are one tensor, {value}", hint="loaders refuse that: drop one"
            )
        by_value[value] = key
    if metagraph.objects is not None:
        check_input_keys(list(feeds))
        names = [parameter_name(key) for key in feeds]
        if len(set(names)) < len(names):
            raise UsageError("two inputs would have the same parameter name")
    part = part_between(metagraph.graph, list(feeds.values()), outputs, captured_assets(metagraph))
    check_fed(part)
    return feeds, part


def _input_key(metagraph: MetaGraph, node: Node) -> str:
    """Return the key that other signatures feed a placeholder by, as far as it is legal, else one made of its name."""
    for signature in metagraph.signatures.values():
        for key, entry in signature.inputs.items():
            if entry.mention is not None and entry.mention.node is node:
                return parameter_name(key) if metagraph.objects is not None else key
    return signature_key(node.name)


def _add_tflite(
    metagraph: MetaGraph, name: str, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> SignatureReport:
    """Add a signature of the main subgraph: its tensors must be inputs and outputs of it already."""
    graph = metagraph.graph
    feeds = {key: find_value(metagraph, text) for key, text in inputs.items()}
    if not inputs:
        feeds = {value.name or f"input_{value.port}": value for value in graph.inputs}
    fetches = {key: find_value(metagraph, text) for key, text in outputs.items()}
    for noun, values, known in (("input", feeds, graph.inputs), ("output", fetches, [o.value for o in graph.outputs])):
        for value in values.values():
            if not any(value is other for other in known):
                hint = "gs add-output makes it one" if noun == "output" else "choose one of gs inputs"
                raise UsageError(f"{value} is no {noun} of the subgraph", hint=hint)
    missing = [value for value in graph.inputs if not any(value is fed for fed in feeds.values())]
    if missing:
        raise UsageError(
            f"input {missing[0]} of the subgraph is not in the signature", hint=f"add --input {missing[0]}"
        )
    entries = [
        {
            key: SignatureEntry(Mention.of(value, f"signature {name}"), value.dtype, value.shape)
            for key, value in side.items()
        }
        for side in (feeds, fetches)
    ]
    signature = Signature(name, graph, entries[0], entries[1])
    metagraph.signatures[name] = signature
    return signature_report(signature, False, [], [])
