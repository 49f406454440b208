"""Bring what another MetaGraph has into one: nodes, functions and all that belongs to them, weights still on disk.

The other one is lowered as it is then, under names that are free in the first, and its messages are lifted anew over
the first one's graphs. So both are one file from there on: one list of payloads, one library, one set of names as read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsurgeon.formats import schema
from graphsurgeon.formats.graph import metagraph as graphs
from graphsurgeon.formats.graph.functiondef import FunctionSource
from graphsurgeon.formats.graph.graphdef import NodeListSource
from graphsurgeon.formats.graph.protobuf.payloads import Payload, rebased
from graphsurgeon.formats.graph.values.attrs import Context
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph, TakenIn

if TYPE_CHECKING:
    from graphsurgeon.formats.graph.metagraph import MetaGraphDefSource


def take_in(source: MetaGraphDefSource, metagraph: MetaGraph, other: MetaGraph) -> TakenIn:
    """Enter nodes and functions of another MetaGraph; return the rest of it, over the graphs of the first.

    Args:
        source: of the MetaGraph; its message gets the versions and op definitions that both need.
        metagraph: changed in place.
        other: as it is to be; none of its names is one of the first.
    """
    known = len(metagraph.graph.nodes)  # lifts it: what it names now is none of the new nodes
    message = moved(other, source.context.payloads)
    opdefs = graphs.opdefs_of(message)
    functions = _enter_functions(source.context, metagraph, message.graph_def.library, opdefs)
    _merge_facts(source, metagraph, message)
    own = metagraph.graph.raw
    nodes = NodeListSource(message.graph_def.node, source.context, opdefs)
    if isinstance(own, NodeListSource):
        own.opdefs.add(opdefs)
    nodes.lift(metagraph.graph)
    around = graphs.MetaGraphDefSource(message, message.graph_def, source.context)
    around.read_asset = getattr(other.raw, "read_asset", None)
    return TakenIn(
        list(metagraph.graph.nodes[known:]),
        functions,
        around.signatures(metagraph),
        around.collections(metagraph),
        around.saver(metagraph),
        around.assets(metagraph),
        around.objects(metagraph),
    )


def beside(metagraph: MetaGraph, other: MetaGraph) -> MetaGraph:
    """Return another MetaGraph as one of the same file, to stand beside the first."""
    payloads = graphs.payloads_of(metagraph)
    message = moved(other, payloads)
    found = graphs.lift_metagraph(message, payloads)
    if isinstance(found.raw, graphs.MetaGraphDefSource):
        found.raw.read_asset = getattr(other.raw, "read_asset", None)
    return found


def moved(other: MetaGraph, payloads: list[Payload]) -> Any:
    """Return a MetaGraph as a `MetaGraphDef` whose marks mean entries of another list, which gets them."""
    data = graphs.serialize_metagraph(other)
    message = schema.parse("tensorflow.MetaGraphDef", rebased(data, len(payloads)))
    payloads += graphs.payloads_of(other)
    return message


def _enter_functions(context: Context, metagraph: MetaGraph, library: Any, opdefs: Any) -> list[Graph]:
    made = []
    for raw in library.function:
        function = Graph(metagraph, "function", raw.signature.name, FunctionSource(raw, context, opdefs))
        if function.name not in context.functions:  # a broken library may hold one twice
            metagraph.add_function(function)
            context.functions[function.name] = function
            made.append(function)
    for raw in library.gradient:
        metagraph.gradients.setdefault(raw.function_name, raw.gradient_func)
    for raw in library.registered_gradients:
        gradient = context.functions.get(raw.gradient_func, raw.gradient_func)
        metagraph.registered_gradients.setdefault(raw.registered_op_type, gradient)
    return made


def _merge_facts(source: MetaGraphDefSource, metagraph: MetaGraph, message: Any) -> None:
    """Let the versions be those that both graphs need, and the op definitions those of both."""
    versions, others = source.graph_def.versions, message.graph_def.versions
    versions.producer = max(versions.producer, others.producer)
    versions.min_consumer = max(versions.min_consumer, others.min_consumer)
    versions.bad_consumers.extend(one for one in others.bad_consumers if one not in versions.bad_consumers)
    metagraph.producer["graph_version"] = versions.producer or None
    metagraph.producer["min_consumer"] = versions.min_consumer or None
    info, added = source.message.meta_info_def, message.meta_info_def
    names = {op.name for op in info.stripped_op_list.op}
    info.stripped_op_list.op.extend(op for op in added.stripped_op_list.op if op.name not in names)
    for name in sorted(added.function_aliases):
        if name not in info.function_aliases:
            info.function_aliases[name] = added.function_aliases[name]
