"""Exports for a TPU or for TensorRT become what any machine runs.

A call on a TPU is a call of the same function; an engine stands for a function of the library, from which TensorRT
made it and which it falls back on itself (its *native segment*). Everything is looked at before the first change.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from graphsurgeon.analysis.flow.calls import Place, origin
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Port
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectNode
from graphsurgeon.model.traversal import reached
from graphsurgeon.ops.kinds import (
    ACROSS_REPLICAS,
    TPU_CALLS,
    TPU_OPS,
    TPU_REPLICATED,
    TPU_SETTINGS,
    TRT_ENGINES,
    TRT_RESOURCES,
)
from graphsurgeon.surgery.moves.functions.unused_functions import unused_functions
from graphsurgeon.surgery.stripping.work import Stripped, StripWork

TPU_TAG = "tpu"
_TPU_DEVICE = re.compile(r"tpu", re.IGNORECASE)
_GPU_DEVICE = re.compile(r"gpu", re.IGNORECASE)

# Attributes that say which part of a graph is for which TPU.
_TPU_ATTRS = frozenset({
    "_tpu_replicate", "_replication_info", "_xla_compile_device_type", "_tpu_compilation_status",
    "_xla_outside_compilation", "_tpu_input_identity", "_tpu_output_identity", "_pre_partitioned",
})  # fmt: skip


def tpu(work: StripWork) -> None:
    """Turn what runs on a TPU into what runs anywhere, in every graph."""
    _drop_twins(work)
    graphs = work.graphs_with(TPU_OPS)
    _check_replicas(work, graphs)
    for graph in graphs:
        for node in graph.nodes:
            _without_tpu(work, node)
        _take_out(work, "tpu", [node for node in graph.nodes if node.op in TPU_SETTINGS], "sets up a TPU")
    for graph in work.metagraph.graphs:
        _clear_devices(work, "tpu", graph, _TPU_DEVICE)
        for node in graph.nodes:
            for key in [key for key in node.attrs if key in _TPU_ATTRS]:
                del node.attrs[key]
                work.note("tpu", node, "says how a TPU runs it", key)
    if work.metagraph.tags and TPU_TAG in work.metagraph.tags:
        work.metagraph.tags = [tag for tag in work.metagraph.tags if tag != TPU_TAG]
        work.removed.append(Stripped("tpu", TPU_TAG, "tag", "", "the MetaGraph runs anywhere now"))


def trt(work: StripWork) -> None:
    """Turn every engine of TensorRT into a call of the function it was made of."""
    graphs = work.graphs_with(TRT_ENGINES)
    segments = {node: _segment(work.metagraph, node) for graph in graphs for node in graph.nodes if _is_engine(node)}
    for node, segment in segments.items():
        work.note("trt", node, f"an engine made of function {segment.name}, which runs in its place")
        _call_segment(node, segment)
    _drop_caches(work)
    if segments:
        for graph in work.metagraph.graphs:
            _clear_devices(work, "trt", graph, _GPU_DEVICE)


def tpu_twins(model: Model) -> list[MetaGraph]:
    """Return the MetaGraphs for a TPU of which there is one for any machine too."""
    plain = [frozenset(one.tags or ()) for one in model.metagraphs]
    for_tpu = [one for one in model.metagraphs if TPU_TAG in (one.tags or ())]
    return [one for one in for_tpu if frozenset(one.tags or ()) - {TPU_TAG} in plain]


def _drop_twins(work: StripWork) -> None:
    """Take out the MetaGraphs for a TPU of which there is one for any machine too."""
    twins = tpu_twins(work.model)
    if work.metagraph in twins:
        raise UnsupportedError(
            f"the model has a MetaGraph without the tag {TPU_TAG!r} that does the same",
            hint=f"strip that one: --tags {','.join(sorted(set(work.metagraph.tags or ()) - {TPU_TAG}))}",
        )
    for one in twins:
        work.model.metagraphs.remove(one)
        tags = ",".join(one.tags or ())
        work.removed.append(Stripped("tpu", tags, "MetaGraph", "", "a MetaGraph without the tag does the same"))


def _check_replicas(work: StripWork, graphs: Iterable[Graph]) -> None:
    """Refuse several replicas that do not all compute the same, so that none could stand for all."""
    replicated = [
        node for graph in graphs for node in graph.nodes if node.op in TPU_REPLICATED and _replicas(node) != 1
    ]
    for node in replicated:
        fed = {origin(Place(value)): str(value) for value in node.inputs}
        if node.op == "TPUReplicatedInput" and len(fed) != 1:
            told = " and ".join([*fed.values()][:2])
            raise UnsupportedError(
                f"{node.name!r} ({node.op}) feeds {_replicas(node)!r} replicas different values, {told}, and one"
                " machine runs one",
                hint="export the model for inference: it has one replica then",
            )
    across = [node for graph in work.graphs_with(ACROSS_REPLICAS) for node in graph.nodes if node.op in ACROSS_REPLICAS]
    if replicated and across:
        count = _replicas(replicated[0])
        raise UnsupportedError(
            f"{across[0].name!r} ({across[0].op}) tells {count!r} replicas apart, and one machine runs one",
            hint="export the model for inference: it has one replica then",
        )


def _replicas(node: Node) -> AttrValue:
    return node.attrs.get("num_replicas" if node.op == "TPUReplicatedOutput" else "N", 1)


def _without_tpu(work: StripWork, node: Node) -> None:
    if node.op in TPU_REPLICATED:
        count = _replicas(node)
        why = "stands for one replica" if count == 1 else f"one replica stands for {count!r}, which compute the same"
        work.note("tpu", node, why)
        if node.op == "TPUReplicatedOutput" and isinstance(count, int) and count > 1:
            of_each: list[AttrValue] = [node.attrs["T"]] * count
            node.become("IdentityN", [node.inputs[0]] * count, {"T": of_each})  # whoever names an output still may
        else:
            node.become("Identity", node.inputs[:1], {"T": node.attrs["T"]})
    elif node.op in TPU_CALLS:
        work.note("tpu", node, "calls a function on a TPU")
        kept = {key: node.attrs[key] for key in node.attrs if key in {"f", "Tin", "Tout", "_output_shapes"}}
        node.become("StatefulPartitionedCall", node.inputs[:-1], kept)


def _take_out(work: StripWork, kind: str, nodes: Collection[Node], why: str) -> None:
    """Take out nodes that nobody reads; one that something names by its name does nothing from now on."""
    for node in nodes:
        if node.consumers:
            work.notes.append(f"{node.name} ({node.op}) stays: {node.consumers[0].name} reads it")
            continue
        work.note(kind, node, why)
        if node in work.protected or node in node.graph.control_outputs.values():
            node.become("NoOp", [], {})
        else:
            node.graph.take_out([node])


def _clear_devices(work: StripWork, kind: str, graph: Graph, of: re.Pattern[str]) -> None:
    for node in graph.nodes:
        if node.device and of.search(node.device):
            work.note(kind, node, "asks for a device that is not everywhere", node.device)
            node.device = ""


def _is_engine(node: Node) -> bool:
    return node.op in TRT_ENGINES


def _segment(metagraph: MetaGraph, node: Node) -> Graph:
    """Return the function that an engine was made of: an attribute names it, as a function or (before 1.15) as text."""
    named = node.attrs.get("segment_func")
    if isinstance(named, FunctionRef) and named.graph is not None:
        return named.graph
    text = node.attrs.get("segment_funcdef_name")
    name = text.decode("utf-8", "replace") if isinstance(text, bytes) and text else f"{node.name}_native_segment"
    if name not in metagraph.functions:
        raise UnsupportedError(
            f"{node.name!r} ({node.op}): the function that it was made of, {name!r}, is not in the library",
            hint="take the model from which TensorRT made this one",
        )
    return metagraph.functions[name]


def _call_segment(node: Node, segment: Graph) -> None:
    named = [port for port in node.known_outputs if isinstance(port, str)]
    ports: dict[Port, Port] = {port: int(port.partition(":")[2] or 0) for port in named}
    attrs: dict[str, AttrValue] = {
        "f": FunctionRef(segment),
        "Tin": _types(node, "InT", [value.dtype for value in segment.inputs]),
        "Tout": _types(node, "OutT", [output.dtype for output in segment.outputs]),
    }
    node.become("PartitionedCall", node.inputs, attrs)
    node.move_outputs(ports)


def _types(node: Node, key: str, own: list[DType | None]) -> AttrValue:
    stored = node.attrs.get(key)
    return stored if isinstance(stored, list) else [dtype for dtype in own if dtype is not None]


def _drop_caches(work: StripWork) -> None:
    """Take out the resources that hold engines: objects, the functions that make and fill them, and calls of these."""
    metagraph = work.metagraph
    functions = {one for one in metagraph.functions.values() if any(op in TRT_RESOURCES for op in one.op_counts)}
    users = [node for graph in metagraph.graphs for node in graph.nodes if functions.intersection(node.functions)]
    _take_out(work, "trt", users, "makes or fills a cache of engines")
    for graph in work.graphs_with(TRT_RESOURCES):
        if graph not in functions:
            _take_out(work, "trt", [node for node in graph.nodes if node.op in TRT_RESOURCES], "a cache of engines")
    if not functions:
        return
    objects = metagraph.objects
    if objects is not None:
        caches = {node for node in objects.nodes if node.kind == "resource" and _runs(node, functions)}
        gone = set(reached(caches, lambda node: (child for _, child in node.children if child.functions)))
        functions |= {one for node in gone for one in node.functions if isinstance(one, Graph)}
        objects.leave_out(gone)
        objects.nodes = [node for node in objects.nodes if node not in gone]
        objects.concrete_functions = [one for one in objects.concrete_functions if one.function not in functions]
    for function in functions & set(unused_functions(metagraph)):
        work.removed.append(Stripped("trt", function.name, "", "", "makes or fills a cache of engines"))
        del metagraph.functions[function.name]


def _runs(resource: ObjectNode, functions: Collection[Graph]) -> bool:
    return any(one in functions for _, child in resource.children for one in child.functions)
