"""What a model is, what goes in, what comes out: the facts behind `gs show`.

Nodes are counted, not lifted, wherever counting is enough; weights are measured by dtype and shape, never read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from graphsurgeon.analysis.flow.placeholders import InputFact, placeholders
from graphsurgeon.analysis.interface.callables import CallableForm, callable_forms
from graphsurgeon.analysis.interface.composites import CompositePart, composite_parts
from graphsurgeon.analysis.stored_weights.weight_totals import (
    ConstantsSummary,
    VariablesSummary,
    summarize_constants,
    summarize_variables,
)
from graphsurgeon.analysis.tensors import TensorFact, stored_tensor
from graphsurgeon.model.calls import checked_call
from graphsurgeon.model.collector import collector_off
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import FormatName, Model, ModelMember, require_read_model
from graphsurgeon.model.objects import ObjectNode
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops import catalog, kinds

if TYPE_CHECKING:
    from graphsurgeon.shapes.report import ShapeReport

_MODULE = "XlaCallModule"
MOST_OUTPUTS = 10  # likely ones that are listed unless all are asked for
MOST_INFERRED = 30_000  # nodes of a graph whose shapes are inferred to show it: about three seconds
_INIT_SIGNATURE = "__saved_model_init_op"
_MAIN_OPS = {"saved_model_main_op": "main_op", "legacy_init_op": "legacy_init_op"}


class OutputFact(NamedTuple):
    """Something that comes out of a graph, and why it is thought to."""

    tensor: TensorFact
    why: Sequence[str] = ()


class SignatureTensor(NamedTuple):
    """An input or output of a signature.

    Attributes:
        components: the parts of a composite tensor, which has no name of its own.
    """

    tensor: TensorFact
    components: Sequence[str] = ()


class SignatureSummary(NamedTuple):
    """A signature.

    Attributes:
        function: the function whose results it yields; None if it names tensors of the graph itself.
        defaults: values for inputs that a caller leaves out.
        parts: of inputs that are parts of a ragged or sparse tensor, which.
    """

    method: str
    inputs: Mapping[str, SignatureTensor]
    outputs: Mapping[str, SignatureTensor]
    function: str | None
    defaults: Mapping[str, Tensor]
    parts: Mapping[str, str] = MappingProxyType({})


class LoadStep(NamedTuple):
    """Something that runs when the model is loaded.

    Attributes:
        kind: "restore", "init_op", "main_op", "legacy_init_op", "table" or "asset".
        name: the node; of an asset the file.
        op: of a table; empty otherwise.
    """

    kind: str
    name: str
    op: str = ""


class FunctionSummary(NamedTuple):
    """A function of the library."""

    name: str
    nodes: int


class ObjectChild(NamedTuple):
    """An attribute of what `tf.saved_model.load` returns.

    Attributes:
        kind: "function", "variable", "asset", "resource", "user_object" ... as the object graph has it.
        functions: the concrete functions behind it, by name.
        dtype, shape: of a variable.
        children: names of what it holds in turn.
    """

    name: str
    kind: str
    functions: Sequence[str] = ()
    dtype: DType | None = None
    shape: Shape | None = None
    children: Sequence[str] = ()


class GraphSummary(NamedTuple):
    """One MetaGraph, or one TFLite subgraph.

    Attributes:
        name: empty for the main graph of a MetaGraph.
        nodes: of the main graph.
        functions, function_nodes: of the library.
        ops: main graph and functions together, most frequent first.
        unknown_ops: ops that neither TensorFlow nor the library defines.
        inputs: placeholders in file order; inputs of a subgraph.
        outputs: likely outputs, best first; outputs of a subgraph.
        constants: None if there are none.
        callables: what the loaded object gives to be called; asked for where no signature tells it.
    """

    name: str
    tags: Sequence[str] | None
    nodes: int
    functions: int
    function_nodes: int
    ops: Mapping[str, int]
    unknown_ops: Sequence[str]
    inputs: Sequence[InputFact]
    outputs: Sequence[OutputFact]
    signatures: Mapping[str, SignatureSummary]
    on_load: Sequence[LoadStep] = ()
    largest_functions: Sequence[FunctionSummary] = ()
    constants: ConstantsSummary | None = None
    objects: Sequence[ObjectChild] | None = None
    callables: Sequence[CallableForm] = ()


class ModuleSummary(NamedTuple):
    """A program of another vocabulary inside nodes: a StableHLO module.

    Attributes:
        nodes: the nodes that hold it.
        version: of the portable artifact, None for plain bytecode.
        needs: the version of VHLO that its ops need.
        functions: name -> types of arguments and results.
        ops: of all functions and regions, most frequent first.
        constants: bytes that its constants take when they are made whole.
        custom_calls: what it calls outside -> how often.
    """

    nodes: Sequence[str]
    version: str | None
    needs: str | None
    functions: Mapping[str, str]
    ops: Mapping[str, int]
    constants: int
    custom_calls: Mapping[str, int]


class Summary(NamedTuple):
    """A whole model.

    Attributes:
        modules: programs inside nodes.
        members: of a bundle.
    """

    format: FormatName
    path: str
    bytes: int
    producer: Mapping[str, Any]
    graphs: Sequence[GraphSummary]
    variables: VariablesSummary | None
    assets: Sequence[str]
    notes: Sequence[str] = ()
    modules: Sequence[ModuleSummary] = ()
    members: Sequence[ModelMember] = ()


@checked_call
def summarize(
    model: Model,
    metagraphs: Sequence[MetaGraph] | None = None,
    *,
    with_objects: bool = False,
    all_outputs: bool = False,
) -> Summary:
    """Return what a model is, what goes in and what comes out. Reads no weights.

    Args:
        model: any model.
        metagraphs: those of its MetaGraphs to describe; None for all.
        with_objects: describe the object graph too.
        all_outputs: give every likely output, not only the best ten.
    """
    require_read_model("summarize", model)
    chosen = model.metagraphs if metagraphs is None else metagraphs
    with collector_off():  # what is made stays: nodes, and the sets that judge them
        graphs = [
            summary
            for metagraph in chosen
            for summary in _summarize_metagraph(metagraph, with_objects=with_objects, all_outputs=all_outputs)
        ]
    assets = dict.fromkeys(asset.filename for metagraph in chosen for asset in metagraph.assets)
    return Summary(
        format=model.format,
        path=model.path,
        bytes=model.num_bytes,
        producer=_producer(model),
        graphs=graphs,
        variables=None if model.checkpoint is None else summarize_variables(model.checkpoint),
        assets=list(assets),
        notes=list(dict.fromkeys([*model.notes, *_missing_variables(model, graphs)])),
        modules=_summarize_modules(chosen, graphs),
        members=model.members,
    )


def _missing_variables(model: Model, graphs: Sequence[GraphSummary]) -> list[str]:
    """Say that a model which is to be loaded with its variables has none of them."""
    has_them = model.checkpoint is not None or not model.traits.is_servable
    restores = any(step.kind == "restore" for graph in graphs for step in graph.on_load)
    if has_them or not restores or not any(op in graph.ops for graph in graphs for op in kinds.VARIABLES):
        return []
    return [model.unreadable or "its variables are missing: put the variables/ folder of the model beside its graph"]


def _summarize_modules(metagraphs: Sequence[MetaGraph], graphs: Sequence[GraphSummary]) -> list[ModuleSummary]:
    """Describe programs inside nodes; the ops, which are counted by now, say whether there can be any."""
    if not any(_MODULE in graph.ops for graph in graphs):
        return []
    return [_summarize_module(module) for metagraph in metagraphs for module in metagraph.modules]


def _summarize_module(module: MetaGraph) -> ModuleSummary:
    ops: Counter[str] = Counter()
    custom: Counter[str] = Counter()
    for graph in module.graphs:
        ops.update(graph.op_counts)
        for node in graph.peek(("stablehlo.custom_call",)):
            target = node.attrs.get("call_target_name")
            custom[target.decode("utf-8", "replace") if isinstance(target, bytes) else "?"] += 1
    tensors = [value.tensor for graph in module.graphs for value in graph.values if value.tensor is not None]
    return ModuleSummary(
        nodes=list(module.inside),
        version=module.producer.get("version"),
        needs=module.producer.get("needs"),
        functions={graph.name: _typed(graph) for graph in module.graphs if "/" not in graph.name},
        ops=_by_count(ops),
        constants=sum(tensor.nbytes for tensor in tensors),
        custom_calls=_by_count(custom),
    )


def _typed(graph: Graph) -> str:
    """Return types of arguments and results: `float32 [2,4] -> float32 [2,5]`."""
    sides = (graph.inputs, [output.value for output in graph.outputs])
    texts = (
        ", ".join(
            f"{value.dtype or (value.extra or {}).get('type', '?')} {value.shape or UNKNOWN_RANK}" for value in side
        )
        for side in sides
    )
    return " -> ".join(text or "()" for text in texts)


def _producer(model: Model) -> dict[str, Any]:
    found = {"tensorflow": None, "graph_version": None, "min_consumer": None, "description": None}
    for metagraph in model.metagraphs[:1]:
        found |= metagraph.producer
    return found


def _summarize_metagraph(metagraph: MetaGraph, *, with_objects: bool, all_outputs: bool) -> list[GraphSummary]:
    if metagraph.graph.kind == "subgraph":
        return [_summarize_subgraph(graph) for graph in metagraph.graphs]
    graph, functions = metagraph.graph, metagraph.functions
    own_ops = graph.op_counts
    function_ops = {name: function.op_counts for name, function in functions.items()}
    ops = Counter(own_ops)
    for counts in function_ops.values():
        ops.update(counts)
    signatures = _summarize_signatures(metagraph)
    return [
        GraphSummary(
            name="",
            tags=metagraph.tags,
            nodes=sum(own_ops.values()),
            functions=len(functions),
            function_nodes=sum(ops.values()) - sum(own_ops.values()),
            ops=_by_count(ops),
            unknown_ops=sorted(ops.keys() - catalog.names() - functions.keys()),
            inputs=placeholders(metagraph, _fed_by(signatures)),
            outputs=_outputs(metagraph, signatures, all_outputs=all_outputs),
            signatures=signatures,
            on_load=_load_steps(metagraph),
            largest_functions=_largest(function_ops),
            constants=summarize_constants(metagraph.graphs),
            objects=_object_children(metagraph) if with_objects else None,
            callables=[] if signatures.keys() - {_INIT_SIGNATURE} else callable_forms(metagraph),
        )
    ]


def _summarize_subgraph(graph: Graph) -> GraphSummary:
    ops = graph.op_counts
    signatures = _summarize_signatures(graph.metagraph, graph)
    fed_by: dict[int | None, list[str]] = {}
    for key, signature in signatures.items():
        for tensor, _ in signature.inputs.values():
            fed_by.setdefault(tensor.index, []).append(key)
    inputs = [stored_tensor(value) for value in graph.inputs]
    return GraphSummary(
        name=graph.name,
        tags=None,
        nodes=sum(ops.values()),
        functions=0,
        function_nodes=0,
        ops=ops,
        unknown_ops=(),
        inputs=[InputFact(tensor, fed_by=fed_by.get(tensor.index, ())) for tensor in inputs],
        outputs=[OutputFact(stored_tensor(output.value)) for output in graph.outputs],
        signatures=signatures,
        constants=summarize_constants([graph]),
    )


def _by_count(ops: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(ops.items(), key=lambda item: (-item[1], item[0])))


def _largest(function_ops: Mapping[str, Mapping[str, int]]) -> list[FunctionSummary]:
    summaries = [FunctionSummary(name, sum(counts.values())) for name, counts in function_ops.items()]
    return sorted(summaries, key=lambda function: -function.nodes)


def _summarize_signatures(metagraph: MetaGraph, graph: Graph | None = None) -> dict[str, SignatureSummary]:
    """Describe the signatures; with a graph only those that name its tensors."""
    chosen = [s for s in metagraph.signatures.values() if graph is None or s.graph is graph]
    calls = _calls(metagraph.graph) if chosen and graph is None else {}
    parts = {signature.key: composite_parts(metagraph, signature) for signature in chosen}
    return {signature.key: _summarize_signature(signature, calls, parts[signature.key]) for signature in chosen}


def _calls(graph: Graph) -> dict[str, str]:
    """Return the function that each calling node calls, by the node's name."""
    called = {}
    for node in graph.peek(kinds.CALLS | graph.metagraph.functions.keys()):
        target = node.attrs.get("f")
        called[node.name] = node.callee.name if node.callee is not None else getattr(target, "name", "")
    return called


def _summarize_signature(
    signature: Signature, calls: Mapping[str, str], parts: Mapping[str, CompositePart]
) -> SignatureSummary:
    producers = {mention.node_name for entry in signature.outputs.values() for mention in entry.mentions}
    called = {calls[name] for name in producers if calls.get(name)}
    return SignatureSummary(
        method=signature.method,
        inputs={key: _signature_tensor(entry) for key, entry in signature.inputs.items()},
        outputs={key: _signature_tensor(entry) for key, entry in signature.outputs.items()},
        function=called.pop() if len(called) == 1 else None,
        defaults=signature.defaults,
        parts={key: str(part) for key, part in parts.items()},
    )


def _signature_tensor(entry: SignatureEntry) -> SignatureTensor:
    shape = entry.shape or UNKNOWN_RANK
    if entry.mention is None:
        return SignatureTensor(TensorFact(None, entry.dtype, shape), [mention.text for mention in entry.components])
    value = entry.mention.target if entry.mention.graph.kind == "subgraph" else None
    if isinstance(value, Value):
        return SignatureTensor(stored_tensor(value))
    return SignatureTensor(TensorFact(entry.mention.text, entry.dtype, shape))


def _fed_by(signatures: Mapping[str, SignatureSummary]) -> dict[str, list[str]]:
    feeding: dict[str, list[str]] = {}
    for key, signature in signatures.items():
        for tensor, components in signature.inputs.values():
            for name in components or [tensor.name or ""]:
                feeding.setdefault(name, []).append(key)
    return feeding


def _outputs(
    metagraph: MetaGraph, signatures: Mapping[str, SignatureSummary], *, all_outputs: bool
) -> list[OutputFact]:
    """Return what the signatures yield; without any what probably comes out, which lifts the graph."""
    why: dict[str, list[str]] = {}
    facts: dict[str, TensorFact] = {}
    for key, signature in signatures.items():
        if key == _INIT_SIGNATURE:
            continue
        for name, (tensor, _) in signature.outputs.items():
            if tensor.name:
                facts.setdefault(tensor.name, tensor)
                why.setdefault(tensor.name, []).append(f"output {name} of signature {key}")
    outputs = [OutputFact(fact, why[name]) for name, fact in facts.items()] or _likely_outputs(metagraph)
    return outputs if all_outputs else outputs[:MOST_OUTPUTS]


def _likely_outputs(metagraph: MetaGraph) -> list[OutputFact]:
    from graphsurgeon.analysis.candidates import likely_outputs
    from graphsurgeon.shapes.infer import infer_shapes

    shapes = infer_shapes(metagraph.graph) if len(metagraph.graph) <= MOST_INFERRED else None
    return [
        OutputFact(_inferred_tensor(candidate.value, shapes), candidate.why)
        for candidate in likely_outputs(metagraph, shapes)
    ]


def _inferred_tensor(value: Value, shapes: ShapeReport | None) -> TensorFact:
    if shapes is None:
        dtypes = value.producer.output_dtypes() if value.producer is not None else None
        dtype = dtypes[value.port] if dtypes and isinstance(value.port, int) else None
        return TensorFact(str(value), dtype, UNKNOWN_RANK)
    return TensorFact(str(value), shapes.dtype(value), shapes.shape(value))


def _load_steps(metagraph: MetaGraph) -> list[LoadStep]:
    steps = []
    if metagraph.saver is not None and metagraph.saver.restore.text:
        steps.append(LoadStep("restore", metagraph.saver.restore.text))
    main_ops: dict[str, str] = {}
    if _INIT_SIGNATURE in metagraph.signatures:
        for entry in metagraph.signatures[_INIT_SIGNATURE].outputs.values():
            main_ops |= {mention.text: "init_op" for mention in entry.mentions}
    for key, kind in _MAIN_OPS.items():
        if key in metagraph.collections:
            for item in metagraph.collections[key].items:
                main_ops |= {mention.text: kind for mention in item.mentions.values()}
    steps += [LoadStep(kind, name) for name, kind in main_ops.items()]
    steps += [LoadStep("table", node.name, node.op) for node in metagraph.graph.peek(kinds.TABLES)]
    steps += [LoadStep("asset", asset.filename) for asset in metagraph.assets]
    return steps


def _object_children(metagraph: MetaGraph) -> list[ObjectChild] | None:
    if metagraph.objects is None:
        return None
    return [_object_child(name, node) for name, node in metagraph.objects.root.children]


def _object_child(name: str, node: ObjectNode) -> ObjectChild:
    functions = [function if isinstance(function, str) else function.name for function in node.functions]
    children = [child for child, _ in node.children]
    return ObjectChild(name, node.kind or "container", functions, node.dtype, node.shape, children)
