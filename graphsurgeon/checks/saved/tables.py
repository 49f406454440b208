"""Rules about lookup tables: whether something fills them on load, and from which file.

A table of a fixed content (`HashTableV2`) is filled once, by an op that a loader has to run; a lookup in one that is
empty fails with "Table not initialized" (`initializable_lookup_table.cc`).
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.analysis.flow.calls import Place, nodes_inside, origin
from graphsurgeon.analysis.flow.load_path import LoadPath, ResourceKey
from graphsurgeon.analysis.flow.restore_map import resource_key
from graphsurgeon.analysis.names import INTERNAL
from graphsurgeon.checks.places import place as named
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops.kinds import CONSTANTS, FIXED_TABLES, TABLE_FILES, TABLE_FILLS, TABLE_READS


def tables(model: Model) -> Iterator[Finding]:
    """Find lookups of signatures in tables that nothing fills on load, and files outside that fill tables."""
    for metagraph in model.metagraphs:
        if metagraph.vocabulary == TENSORFLOW:
            yield from _files(metagraph)
            if model.traits.is_servable:
                yield from _unfilled(metagraph)


def _unfilled(metagraph: MetaGraph) -> Iterator[Finding]:
    public = [signature for key, signature in metagraph.signatures.items() if not key.startswith(INTERNAL)]
    if not any(graph.peek(FIXED_TABLES) for graph in metagraph.graphs):
        return
    fills = ((node, call) for node, call in LoadPath(metagraph).nodes if node.op in TABLE_FILLS | TABLE_FILES)
    filled = {_table(Place(node.inputs[0], call)) for node, call in fills if node.inputs}
    for signature in public:
        for table in dict.fromkeys(_read(signature)):
            if table is not None and table not in filled:
                what = f"it looks up in the table {table[1]}, which nothing fills on load: every run of it fails"
                hint = "make the model anew with its table initializer as the main op"
                yield Finding("error", f"signature {signature.key}", what, hint, "table-unfilled")


def _read(signature: Signature) -> Iterator[ResourceKey | None]:
    nodes = [mention.node for entry in signature.outputs.values() for mention in entry.mentions if mention.node]
    for node, call in nodes_inside(list(upstream(nodes))):
        if node.op in TABLE_READS and node.inputs:
            yield _table(Place(node.inputs[0], call))


def _table(handle: Place) -> ResourceKey | None:
    """Return what a fixed table is known by, None for one of another kind or of unknown origin."""
    node = origin(handle).value.producer
    return resource_key(node) if node is not None and node.op in FIXED_TABLES else None


def _files(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find paths that no asset stands for: that file must lie there wherever the model is loaded."""
    assets = {asset.mention.node for asset in metagraph.assets}
    for graph in metagraph.graphs:
        for node in graph.nodes:
            source = node.inputs[1].producer if node.op in TABLE_FILES and len(node.inputs) > 1 else None
            path = _path(source) if source is not None and source not in assets else ""
            if path:
                what = f"needs the file {path!r}, which is no part of the model: a table is filled from it"
                hint = "gs add-signature --asset carries it along, in a SavedModel"
                yield Finding("needs", named(graph, node), what, hint, "file-outside")


def _path(node: Node) -> str:
    value = node.attrs.get("value") if node.op in CONSTANTS else None
    items = list(value.items()) if isinstance(value, Tensor) and value.num_elements == 1 else []
    return items[0].decode(errors="replace") if items and isinstance(items[0], bytes) else ""
