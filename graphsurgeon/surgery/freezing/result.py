"""Put a frozen graph into the place of the model's own, with one signature and nothing that is only for training."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.flow.restore_map import Restored
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.surgery.freezing.endpoints import Endpoint, Endpoints
from graphsurgeon.surgery.freezing.saver import add_saver, keep_entries

PREDICT = "tensorflow/serving/predict"
DEFAULT_SIGNATURE = "serving_default"
# What names other nodes, or was true of the graph before: a false `_output_shapes` does not load.
_STALE = ("_output_shapes", "_class")
# Asks sessions and optimizers to turn functional control flow into that of V1. Converters do not understand the
# result (tf2onnx finds no LSTM in it), but without it other kernels may run, whose last bits differ.
_LOWERS = "_lower_using_switch_merge"


def commit(
    model: Model,
    metagraph: MetaGraph,
    graph: Graph,
    endpoints: Endpoints,
    fed: Mapping[str, Value],
    fetched: Mapping[str, Value],
    *,
    kept: Mapping[Node, Restored],
    keep_devices: bool,
    no_lowering: bool,
) -> list[Graph]:
    """Make a frozen graph the model's only one; return the functions that it needs.

    Args:
        model: changed in place.
        metagraph: whose graph it was.
        graph: the frozen graph.
        endpoints: what was asked for.
        fed: feeds by key.
        fetched: fetches by key.
        kept: variables that stay, and where they are stored.
        keep_devices: leave device strings.
        no_lowering: let no session turn functional loops and branches into those of V1.
    """
    for node in graph.nodes:
        for key in _STALE:
            if key in node.attrs:
                del node.attrs[key]
    functions = _library(metagraph, graph)
    for node in (node for one in (graph, *functions) for node in one.nodes):
        if no_lowering and node.attrs.get(_LOWERS):
            node.attrs[_LOWERS] = False
        if not keep_devices:
            node.device = ""
    signature = _signature(graph, endpoints, fed, fetched)
    metagraph.graph = graph
    metagraph.signatures.clear()
    metagraph.signatures[signature.key] = signature
    metagraph.collections.clear()
    metagraph.saver = add_saver(graph, kept) if kept else None
    metagraph.assets = []
    metagraph.objects = None
    metagraph.tags = metagraph.tags if metagraph.tags is not None else ["serve"]
    model.metagraphs = [metagraph]
    if kept and model.checkpoint is not None:
        keep_entries(model.checkpoint, kept)
    else:
        model.checkpoint = None
    return functions


def _library(metagraph: MetaGraph, graph: Graph) -> list[Graph]:
    """Leave only the functions that the graph needs; the first of those made from one function keeps its name."""
    places = {name: place for place, name in enumerate(metagraph.functions)}
    functions = sorted(reached_functions([graph]), key=lambda function: places.get(function.name, len(places)))
    left = {function.name for function in functions}
    metagraph.gradients = {one: other for one, other in metagraph.gradients.items() if {one, other} <= left}
    metagraph.registered_gradients = {}  # of custom gradients, which nothing that is frozen asks for
    metagraph.functions = {}
    for function in functions:
        metagraph.functions[metagraph.unique_function_name(function.name)] = function
    metagraph.rename_functions({function: name for name, function in metagraph.functions.items()})
    return list(metagraph.functions.values())


def _signature(graph: Graph, endpoints: Endpoints, fed: Mapping[str, Value], fetched: Mapping[str, Value]) -> Signature:
    source = endpoints.signature
    if source is None:
        where = f"signature {DEFAULT_SIGNATURE}"
        inputs = _entries(fed, endpoints.feeds, {}, f"{where}, input")
        outputs = _entries(fetched, endpoints.fetches, {}, f"{where}, output")
        return Signature(DEFAULT_SIGNATURE, graph, inputs, outputs, method=PREDICT)
    where = f"signature {source.key}"
    inputs = _entries(fed, endpoints.feeds, source.inputs, f"{where}, input")
    outputs = _entries(fetched, endpoints.fetches, source.outputs, f"{where}, output")
    defaults = {key: tensor for key, tensor in source.defaults.items() if key in fed}
    return Signature(source.key, graph, inputs, outputs, method=source.method, defaults=defaults)


def _entries(
    values: Mapping[str, Value], endpoints: Mapping[str, Endpoint], source: Mapping[str, SignatureEntry], where: str
) -> dict[str, SignatureEntry]:
    entries: dict[str, SignatureEntry] = {}
    for key, value in values.items():
        endpoint = endpoints.get(key)
        whole = endpoint.whole if endpoint is not None else None
        mention = Mention.of(value, f"{where} {key}")
        if whole is None:
            entries[key] = SignatureEntry(mention, dtype_of(value), _shape(value, endpoint))
        elif whole in entries:
            entries[whole].components.append(mention)
        else:
            before = source[whole]
            entries[whole] = SignatureEntry(None, before.dtype, before.shape, components=[mention], raw=before.raw)
    return entries


def _shape(value: Value, endpoint: Endpoint | None) -> Shape:
    if endpoint is not None and endpoint.shape is not None:
        return endpoint.shape
    shape = value.producer.attrs.get("shape") if value.producer is not None else None
    return shape if isinstance(shape, Shape) else UNKNOWN_RANK
