"""Extract the part of a graph between given inputs and outputs; of a checkpoint the variables that match.

Tensors at which the graph is cut become placeholders with inferred dtype and shape. What the outputs then do
not need goes, as with `strip`: nodes, functions, variables, tables, assets, entries of collections. Of a
SavedModel the part becomes `serving_default`, the other signatures go.

Refused: cutting inside functions (`gs freeze` makes one graph of them first), and tensors that cannot be fed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphsurgeon.analysis.names import choose_metagraph, find_value
from graphsurgeon.analysis.patterns import matcher, suggest_pattern
from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.surgery.add_output import check_new_name
from graphsurgeon.surgery.add_signature import DEFAULT, add_signature, remove_signature
from graphsurgeon.surgery.fetchable import check_fetchable
from graphsurgeon.surgery.functionalize import part_between
from graphsurgeon.surgery.strip import strip

_PLACEHOLDERS = ("Placeholder", "PlaceholderWithDefault")


@dataclass(frozen=True)
class ExtractReport:
    """What was kept.

    Attributes:
        inputs, outputs: the tensors that go in and come out.
        nodes_before, nodes_after: number of nodes, those in functions included.
        variables: keys that were kept; of a checkpoint only.
    """

    inputs: list[TensorFact] = field(default_factory=list)
    outputs: list[TensorFact] = field(default_factory=list)
    nodes_before: int = 0
    nodes_after: int = 0
    variables: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def extract(
    model: Model,
    outputs: Mapping[str, str] | None = None,
    *,
    inputs: Mapping[str, str] | None = None,
    match: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> ExtractReport:
    """Keep what leads from inputs to outputs.

    Args:
        model: changed in place.
        outputs: tensor of the main graph -> name of an Identity that yields it; empty keeps its own name.
        inputs: tensor -> name of the placeholder; empty takes the tensor's name. None cuts nowhere.
        match: of a checkpoint: names of variables, globs, or `re:` expressions.
        tags: which MetaGraph of a SavedModel; it is the only one that is left.

    Raises:
        UsageError: a tensor is unknown, a name is taken, or a placeholder is left without a value.
        UnsupportedError: the model is a TFLite file, or a tensor cannot be fed or fetched.
    """
    if not model.metagraphs:
        return _extract_variables(model, match or ())
    if model.format == "tflite":
        raise UnsupportedError("parts of TFLite models are not extracted", hint="gs add-output exposes inner tensors")
    if not outputs:
        raise UsageError("nothing says what is to be kept", hint="give --outputs A,B (gs outputs lists likely ones)")
    metagraph = choose_metagraph(model, tags)
    before = sum(len(graph) for graph in metagraph.graphs)
    shapes = infer_shapes(metagraph)
    cuts, fetches = _plan(metagraph, inputs or {}, outputs, shapes)
    feeds = [_cut(metagraph.graph, value, name, shapes) for value, name in cuts.items()]
    fetched = [_named(metagraph.graph, value, name, shapes) for value, name in fetches.items()]
    model.metagraphs = [metagraph]
    if model.format == "saved_model":
        _sign(model, metagraph, feeds, fetched, tags)
    for key in ("saved_model_main_op", "legacy_init_op") if model.format != "saved_model" else ():
        metagraph.collections.pop(key, None)
    strip(model, outputs=[str(value) for value in fetched])
    part = part_between(metagraph.graph, [], fetched)
    shapes = infer_shapes(metagraph.graph)
    facts = [[_fact(value, shapes) for value in values] for values in ([n.output() for n in part.unfed], fetched)]
    return ExtractReport(facts[0], facts[1], before, sum(len(graph) for graph in metagraph.graphs))


def _plan(
    metagraph: MetaGraph, inputs: Mapping[str, str], outputs: Mapping[str, str], shapes: ShapeReport
) -> tuple[dict[Value, str], dict[Value, str]]:
    cuts = {find_value(metagraph, text, graph="main"): name for text, name in inputs.items()}
    fetches = {find_value(metagraph, text, graph="main"): name for text, name in outputs.items()}
    for value, name in (*cuts.items(), *fetches.items()):
        check_fetchable(value, shapes.dtype(value))
        if name:
            check_new_name(metagraph, name)
    part = part_between(metagraph.graph, list(cuts), list(fetches))
    unfed = [node for node in part.unfed if cuts]
    if unfed:
        names = ", ".join(node.name for node in unfed[:5])
        raise UsageError(f"the outputs also need {names}", hint=f"add {unfed[0].name} to --inputs")
    reached = {value for node in part.nodes for value in node.inputs} | set(fetches)
    lost = [value for value in cuts if value not in reached]
    if lost:
        raise UsageError(f"the outputs do not need {lost[0]}", hint="leave it out of --inputs")
    return cuts, fetches


def _cut(graph: Graph, value: Value, name: str, shapes: ShapeReport) -> Value:
    """Put a placeholder in the place of a tensor."""
    node = value.producer
    if node is not None and node.op in _PLACEHOLDERS and not name:
        return value
    dtype = shapes.dtype(value)
    assert dtype is not None
    attrs: dict[str, AttrValue] = {"dtype": dtype.base, "shape": shapes.shape(value)}
    if not name and node is not None and _yields_only(node, value):
        node.become("Placeholder", (), attrs)
        node.controls = ()
        return value
    base = name or (f"{node.name}_{value.port}" if node is not None else str(value))
    placeholder = graph.add_node("Placeholder", graph.unique_name(base), (), attrs)
    value.replace_with(placeholder.output())
    return placeholder.output()


def _yields_only(node: Node, value: Value) -> bool:
    others = [other for other in node.outputs if other is not value]
    return value.port == 0 and not any(other.consumers for other in others)


def _named(graph: Graph, value: Value, name: str, shapes: ShapeReport) -> Value:
    if not name:
        return value
    dtype = shapes.dtype(value)
    assert dtype is not None
    return graph.add_node("Identity", name, [value], {"T": dtype.base}).output()


def _sign(
    model: Model, metagraph: MetaGraph, feeds: list[Value], fetched: list[Value], tags: Sequence[str] | None
) -> None:
    """Make the part `serving_default`, in both worlds, and drop the other signatures."""
    keys = {_key(value): str(value) for value in fetched}
    inputs = {_key(value): str(value) for value in feeds} if feeds else None
    add_signature(model, keys, inputs=inputs, name=DEFAULT, tags=tags, replace=True)
    public = [key for key in metagraph.signatures if key != DEFAULT and not key.startswith("__saved_model")]
    remove_signature(model, public, tags=tags)


def _key(value: Value) -> str:
    name = value.producer.name if value.producer is not None else str(value)
    key = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name.rpartition("/")[2])
    key = key if key[:1].isalpha() else f"tensor_{key}"
    return f"{key}_{value.port}" if value.port else key


def _fact(value: Value, shapes: ShapeReport) -> TensorFact:
    return TensorFact(str(value), shapes.dtype(value), shapes.shape(value))


def _extract_variables(model: Model, patterns: Sequence[str]) -> ExtractReport:
    checkpoint = model.checkpoint
    assert checkpoint is not None
    if not patterns:
        raise UsageError("nothing says which variables are to be kept", hint="give --match NAME")
    kept: set[str] = set()
    for pattern in patterns:
        matches = matcher(pattern, lambda name: name in checkpoint.variables)
        found = {key for key in checkpoint.variables if matches(key)}
        if not found:
            hint = suggest_pattern(pattern, checkpoint.variables)
            raise UsageError(f"no variable matches {pattern!r}", hint=hint)
        kept |= found
    checkpoint.remove([key for key in checkpoint.variables if key not in kept])
    return ExtractReport(variables=[key for key in checkpoint.variables if key in kept])
