"""Rules about lookup tables: whether something fills them on load, and from which file.

A table of a fixed content (`HashTableV2`) is filled once, by an op that a loader has to run; a lookup in one that is
empty fails with "Table not initialized" (`initializable_lookup_table.cc`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from graphsurgeon.analysis.flow.calls import Call, Place, nodes_inside, origin
from graphsurgeon.analysis.flow.load_path import TABLE_INITIALIZERS, LoadPath
from graphsurgeon.analysis.flow.restore_map import ResourceKey, resource_key
from graphsurgeon.analysis.names import INTERNAL
from graphsurgeon.checks.places import place as named
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
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
    on_load = set(_filled(LoadPath(metagraph).nodes))
    # Some programs run the steps of that collection themselves.
    severity: Severity = "warning" if TABLE_INITIALIZERS in metagraph.collections else "error"
    for signature in public:
        mentions = [mention for entry in signature.outputs.values() for mention in entry.mentions]
        run = list(nodes_inside(list(upstream([mention.node for mention in mentions if mention.node is not None]))))
        read = (_table(Place(node.inputs[0], call)) for node, call in run if node.op in TABLE_READS and node.inputs)
        filled = on_load | set(_filled(run))  # some lookups wait for what fills the table
        for table in dict.fromkeys(read):
            if table is not None and table not in filled:
                what = f"it looks up in the table {table.name}, which nothing fills on load: every run of it fails"
                hint = "make the model anew with its table initializer as the main op"
                yield Finding(severity, f"signature {signature.key}", what, hint, "table-unfilled")


def _filled(nodes: Iterable[tuple[Node, Call | None]]) -> Iterator[ResourceKey | None]:
    for node, call in nodes:
        if node.op in TABLE_FILLS | TABLE_FILES and node.inputs:
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
                name = shlex.quote(path.replace("\\", "/").rpartition("/")[2])
                hint = f"gs add-signature MODEL --output KEY=TENSOR --asset {name}=FILE -o OUT/ carries it along"
                yield Finding("needs", named(graph, node), what, hint, "file-outside")


def _path(node: Node) -> str:
    value = node.attrs.get("value") if node.op in CONSTANTS else None
    items = list(value.items()) if isinstance(value, Tensor) and value.num_elements == 1 else []
    return items[0].decode(errors="replace") if items and isinstance(items[0], bytes) else ""
