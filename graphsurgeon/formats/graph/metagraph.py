"""A MetaGraphDef (or a bare GraphDef) as a MetaGraph, and back.

Reading makes one unlifted Graph per function and leaves everything else to be lifted when asked for.
Lowering starts from a copy of the raw message and writes only what was looked at, so that nothing that
was not meant to change is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from graphsurgeon.encoding import protowire
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph import functiondef
from graphsurgeon.formats.graph.collections import lift_collections, lower_collections
from graphsurgeon.formats.graph.functiondef import FunctionSource
from graphsurgeon.formats.graph.graphdef import NodeListSource, OpDefs, has_debug_info, serialize_nodes
from graphsurgeon.formats.graph.mention_sites import parse
from graphsurgeon.formats.graph.protobuf.payloads import Payload
from graphsurgeon.formats.graph.signatures import lift_signatures, lower_signatures, lower_tensor_info
from graphsurgeon.formats.graph.values.attrs import Context
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Asset, Collection, MetaGraph, Saver, Signature, TakenIn
from graphsurgeon.model.objects import ObjectGraph

XLA_CALL = "XlaCallModule"
# Numbers of fields.
_GRAPH_DEF = 2  # of a MetaGraphDef
_NODES, _LIBRARY, _DEBUG_INFO = 1, 2, 5  # of a GraphDef
_FUNCTIONS = 1  # of a FunctionDefLibrary


class MetaGraphDefSource:
    """MetaGraphSource over a `MetaGraphDef`, or over a `GraphDef` with an empty one around it.

    Attributes:
        message: the MetaGraphDef; its `graph_def` is not looked at.
        graph_def: the GraphDef.
        context: functions and payloads of the file.
        read_asset: returns the content of a file under `assets/`; None where there is no folder.
        has_debug_folder: a folder with debug info lies beside the file.
    """

    __slots__ = ("context", "graph_def", "has_debug_folder", "message", "read_asset")

    def __init__(self, message: Any, graph_def: Any, context: Context) -> None:
        self.message = message
        self.graph_def = graph_def
        self.context = context
        self.read_asset: Callable[[str], bytes] | None = None
        self.has_debug_folder = False

    def signatures(self, metagraph: MetaGraph) -> dict[str, Signature]:
        """Lift `signature_def`."""
        return lift_signatures(self.message.signature_def, metagraph.graph, self.context)

    def collections(self, metagraph: MetaGraph) -> dict[str, Collection]:
        """Lift `collection_def`."""
        return lift_collections(self.message.collection_def, metagraph.graph)

    def saver(self, metagraph: MetaGraph) -> Saver | None:
        """Lift `saver_def`."""
        if not self.message.HasField("saver_def"):
            return None
        raw = self.message.saver_def
        names = (("tensor", "filename_tensor_name"), ("tensor", "save_tensor_name"), ("node", "restore_op_name"))
        mentions = [
            Mention("tensor" if kind == "tensor" else "node", getattr(raw, field), metagraph.graph, f"saver, {field}")
            for kind, field in names
        ]
        filename, save, restore = mentions
        return Saver(filename, save, restore, raw.version, raw)

    def assets(self, metagraph: MetaGraph) -> list[Asset]:
        """Lift `asset_file_def`."""
        listed = list(self.message.asset_file_def)
        assets = [
            Asset(raw.filename, Mention("tensor", raw.tensor_info.name, metagraph.graph, f"asset {raw.filename}"), raw)
            for raw in listed or _collected_assets(self.message)
        ]
        for asset in assets:
            asset.in_collection = not listed
        if self.read_asset is not None:
            for asset in assets:
                asset.content = partial(self.read_asset, asset.filename)
        return assets

    def objects(self, metagraph: MetaGraph) -> ObjectGraph | None:
        """Lift `object_graph_def`; a mere look at a missing one may set an empty one, which breaks loaders."""
        if not self.message.HasField("object_graph_def"):
            return None
        from graphsurgeon.formats.graph import objectgraph

        return objectgraph.lift_saved(self.message.object_graph_def, metagraph)

    def modules(self, metagraph: MetaGraph) -> list[MetaGraph]:
        """Lift the StableHLO modules in attributes; what cannot be read is left to `gs check`."""
        if not any(XLA_CALL in graph.op_counts for graph in metagraph.graphs):
            return []
        from graphsurgeon.formats.stablehlo.nodes import modules_of

        return modules_of(metagraph)

    def drop_debug_info(self, metagraph: MetaGraph) -> dict[str, int]:
        """Clear `debug_info` and the `experimental_debug_info` of nodes when this is written."""
        self.context.drops_debug_info = True
        counts = {graph.name: sum(map(has_debug_info, graph.nodes)) for graph in metagraph.graphs}
        counts[""] += self.graph_def.HasField("debug_info") or self.has_debug_folder
        return {name: count for name, count in counts.items() if count}

    def function_source(self) -> FunctionSource:
        """Return the source of a function that no file holds yet."""
        return FunctionSource(schema.message("tensorflow.FunctionDef")(), self.context, opdefs_of(self.message))

    def function_names(self) -> frozenset[str]:
        """Return the names that functions had when they were read, be they there still or not."""
        return frozenset(self.context.functions)

    def take_in(self, metagraph: MetaGraph, other: MetaGraph) -> TakenIn:
        """Enter nodes and functions of another MetaGraph."""
        from graphsurgeon.formats.graph.take_in import take_in

        return take_in(self, metagraph, other)

    def beside(self, metagraph: MetaGraph, other: MetaGraph) -> MetaGraph:
        """Return another MetaGraph as one of this file."""
        from graphsurgeon.formats.graph.take_in import beside

        return beside(metagraph, other)


def object_metadata(metagraph: MetaGraph) -> list[str]:
    """Return the texts that user objects of the object graph carry: early Keras 2 kept layers' configurations there."""
    source = _source(metagraph)
    if not source.message.HasField("object_graph_def"):
        return []
    nodes = source.message.object_graph_def.nodes
    return [node.user_object.metadata for node in nodes if node.HasField("user_object") and node.user_object.metadata]


def repeated_functions(metagraph: MetaGraph) -> list[str]:
    """Return names that several functions of the library have as stored: of these only the first one is looked at."""
    names = Counter(raw.signature.name for raw in _source(metagraph).graph_def.library.function)
    return [name for name, count in names.items() if count > 1]


def repeated_gradients(metagraph: MetaGraph) -> list[str]:
    """Return functions for which the library as it was read has several gradients."""
    if not isinstance(metagraph.raw, MetaGraphDefSource):
        return []
    names = Counter(raw.function_name for raw in metagraph.raw.graph_def.library.gradient)
    return [name for name, count in names.items() if count > 1]


def broken_controls(function: Graph) -> list[str]:
    """Return the control outputs of a function that, as it was read, no node or no entry of `control_ret` makes."""
    if not isinstance(function.raw, FunctionSource):
        return []
    message = function.raw.message
    nodes = {raw.name for raw in message.node_def}
    declared = [name for name in message.signature.control_output if name not in message.control_ret]
    return declared + [name for name, node in message.control_ret.items() if node not in nodes]


def lift_metagraph(message: Any, payloads: list[Payload]) -> MetaGraph:
    """Return the MetaGraph of a `MetaGraphDef`."""
    metagraph = _lift(message, message.graph_def, payloads)
    info = message.meta_info_def
    metagraph.tags = list(info.tags)
    metagraph.producer["tensorflow"] = info.tensorflow_version or None
    return metagraph


def lift_graph_def(graph_def: Any, payloads: list[Payload]) -> MetaGraph:
    """Return a MetaGraph around a bare `GraphDef`."""
    return _lift(schema.message("tensorflow.MetaGraphDef")(), graph_def, payloads)


def serialize_graph_def(metagraph: MetaGraph) -> bytes:
    """Return the bytes of a `GraphDef`: the main graph, the library, and what was read around them.

    Node by node, so that the graph is not in memory as messages twice.
    """
    with _source(metagraph).context.settled():
        return _serialize_graph_def(metagraph)


def _serialize_graph_def(metagraph: MetaGraph) -> bytes:
    source = _source(metagraph)
    left_out = (_NODES, _LIBRARY, _DEBUG_INFO) if source.context.drops_debug_info else (_NODES, _LIBRARY)
    around = protowire.without(source.graph_def.SerializeToString(deterministic=True), left_out)
    library = _serialize_library(metagraph, source)
    if library is not None:
        around = protowire.insert(around, _LIBRARY, [library])
    if metagraph.graph.is_lifted or source.context.renamed_functions:
        # Lifts if need be, so that native calls and attributes follow the names of functions.
        return protowire.insert(around, _NODES, serialize_nodes(metagraph.graph, source.context))
    return protowire.only(source.graph_def.SerializeToString(deterministic=True), _NODES) + around


def serialize_metagraph(metagraph: MetaGraph) -> bytes:
    """Return the bytes of a `MetaGraphDef`."""
    source = _source(metagraph)
    raw = source.message.SerializeToString(deterministic=True)
    out = schema.message("tensorflow.MetaGraphDef").FromString(protowire.without(raw, (_GRAPH_DEF,)))
    del raw
    _lower_around(metagraph, out, source)
    return protowire.insert(out.SerializeToString(deterministic=True), _GRAPH_DEF, [serialize_graph_def(metagraph)])


def _lower_around(metagraph: MetaGraph, out: Any, source: MetaGraphDefSource) -> None:
    """Bring everything but the graph up to date."""
    if metagraph.tags is not None and list(out.meta_info_def.tags) != metagraph.tags:
        del out.meta_info_def.tags[:]
        out.meta_info_def.tags.extend(metagraph.tags)
    if not metagraph.graph.is_lifted and not _looked_at(metagraph):
        return
    lower_signatures(metagraph, out.signature_def, source.context)
    lower_collections(metagraph, out.collection_def)
    _lower_saver(metagraph, out)
    _lower_assets(metagraph, out)
    _lower_objects(metagraph, out)
    for old, new in source.context.renamed_functions.items():
        if old in out.meta_info_def.function_aliases:
            out.meta_info_def.function_aliases[new] = out.meta_info_def.function_aliases.pop(old)


def asset_names(metagraph: MetaGraph) -> list[str]:
    """Return the file names of the assets as they were read, without lifting them."""
    message = _source(metagraph).message
    return [raw.filename for raw in list(message.asset_file_def) or _collected_assets(message)]


def payloads_of(metagraph: MetaGraph) -> list[Payload]:
    """Return the list that payload markers in the lowered messages point into."""
    return _source(metagraph).context.payloads


def _lift(message: Any, graph_def: Any, payloads: list[Payload]) -> MetaGraph:
    context = Context(payloads)
    opdefs = opdefs_of(message)
    metagraph = MetaGraph(MetaGraphDefSource(message, graph_def, context))
    metagraph.graph = Graph(metagraph, "main", "", NodeListSource(graph_def.node, context, opdefs))
    for raw in graph_def.library.function:
        function = Graph(metagraph, "function", raw.signature.name, FunctionSource(raw, context, opdefs))
        metagraph.functions.setdefault(function.name, function)
    context.functions = dict(metagraph.functions)
    metagraph.gradients = {raw.function_name: raw.gradient_func for raw in graph_def.library.gradient}
    metagraph.registered_gradients = {
        raw.registered_op_type: context.functions.get(raw.gradient_func, raw.gradient_func)
        for raw in graph_def.library.registered_gradients
    }
    metagraph.producer = {
        "tensorflow": None,
        "graph_version": graph_def.versions.producer or None,
        "min_consumer": graph_def.versions.min_consumer or None,
        "description": None,
    }
    return metagraph


def opdefs_of(message: Any) -> OpDefs:
    """Return the op definitions in reach of a `MetaGraphDef`."""
    return OpDefs(message.meta_info_def.stripped_op_list.op)


def _source(metagraph: MetaGraph) -> MetaGraphDefSource:
    if not isinstance(metagraph.raw, MetaGraphDefSource):
        empty = schema.message("tensorflow.MetaGraphDef")()
        empty.graph_def.versions.producer = metagraph.producer.get("graph_version") or 0
        metagraph.raw = MetaGraphDefSource(empty, empty.graph_def, Context([]))
    return metagraph.raw


def _looked_at(metagraph: MetaGraph) -> bool:
    is_lifted = any(function.is_lifted for function in metagraph.functions.values())
    return is_lifted or bool(metagraph.made_parts) or bool(_source(metagraph).context.renamed_functions)


def _serialize_library(metagraph: MetaGraph, source: MetaGraphDefSource) -> bytes | None:
    """Return the bytes of a `FunctionDefLibrary`, None where there is none."""
    functions = metagraph.functions.values()
    is_there = source.graph_def.HasField("library")
    if not functions and not is_there:
        return None
    raw = source.graph_def.library.SerializeToString(deterministic=True)
    out = schema.message("tensorflow.FunctionDefLibrary").FromString(protowire.without(raw, (_FUNCTIONS,)))
    _lower_gradients(metagraph, out, source)
    bodies = (functiondef.serialize(function, source.context) for function in functions)
    data = protowire.insert(out.SerializeToString(deterministic=True), _FUNCTIONS, bodies)
    return data if data or is_there else None


def _lower_gradients(metagraph: MetaGraph, library: Any, source: MetaGraphDefSource) -> None:
    """Write which function computes which gradient; drop entries whose function is gone, which loaders refuse."""
    before = source.context.functions.values()
    gone = {function.name for function in before} - metagraph.functions.keys()
    pairs = [(k, v) for k, v in metagraph.gradients.items() if not {k, v} & gone]
    if pairs != [(raw.function_name, raw.gradient_func) for raw in library.gradient]:
        del library.gradient[:]
        for function, gradient in pairs:
            library.gradient.add(function_name=function, gradient_func=gradient)
    custom = [
        (function if isinstance(function, str) else function.name, op_type)
        for op_type, function in metagraph.registered_gradients.items()
        if isinstance(function, str) or metagraph.functions.get(function.name) is function
    ]
    if custom != [(raw.gradient_func, raw.registered_op_type) for raw in library.registered_gradients]:
        del library.registered_gradients[:]
        for name, op_type in custom:
            library.registered_gradients.add(gradient_func=name, registered_op_type=op_type)


def _lower_saver(metagraph: MetaGraph, out: Any) -> None:
    saver = metagraph.saver
    if saver is None:
        out.ClearField("saver_def")
        return
    out.saver_def.SetInParent()
    out.saver_def.filename_tensor_name = saver.filename.text
    out.saver_def.save_tensor_name = saver.save.text
    out.saver_def.restore_op_name = saver.restore.text
    out.saver_def.version = saver.version


def _lower_objects(metagraph: MetaGraph, out: Any) -> None:
    out.ClearField("object_graph_def")
    if metagraph.objects is not None:
        from graphsurgeon.formats.graph import objectgraph

        objectgraph.lower_saved(metagraph.objects, out.object_graph_def)


def _collected_assets(message: Any) -> list[Any]:
    """Return the `AssetFileDef`s that the first SavedModels kept in a collection."""
    key = "saved_model_assets"
    if key not in message.collection_def:
        return []
    items = message.collection_def[key].any_list.value
    parsed = [parse("AssetFileDef", item.value) for item in items if item.type_url.endswith("tensorflow.AssetFileDef")]
    return [asset for asset in parsed if asset is not None]


def _lower_assets(metagraph: MetaGraph, out: Any) -> None:
    copies = []
    for asset in metagraph.assets:
        if asset.in_collection:
            continue
        message = schema.message("tensorflow.AssetFileDef")()
        if asset.raw is not None:
            message.CopyFrom(asset.raw)
        message.filename = asset.filename
        lower_tensor_info(message.tensor_info, asset.mention)
        copies.append(message)
    if copies != list(out.asset_file_def):
        del out.asset_file_def[:]
        out.asset_file_def.extend(copies)


class GraphHeader(NamedTuple):
    """What a graph says beside its nodes and functions, as it was read.

    Attributes:
        producer, min_consumer: versions of graphs.
        bad_consumers: versions that are not to load it.
        repeated: names of functions that the library has twice, each with whether the two are equal.
    """

    producer: int
    min_consumer: int
    bad_consumers: list[int]
    repeated: dict[str, bool]


def header(metagraph: MetaGraph) -> GraphHeader | None:
    """Return what a graph that was read says beside its nodes; None for one made here."""
    if not isinstance(metagraph.raw, MetaGraphDefSource):
        return None
    graph_def = metagraph.raw.graph_def
    versions = graph_def.versions
    repeated = {}
    for name in repeated_functions(metagraph):
        first, *others = (one for one in graph_def.library.function if one.signature.name == name)
        repeated[name] = all(other == first for other in others)
    return GraphHeader(versions.producer, versions.min_consumer, list(versions.bad_consumers), repeated)
