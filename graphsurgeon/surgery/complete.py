"""Give a MetaGraph that comes from a GraphDef or `.meta` what a SavedModel that servers load needs.

Tags, an op that initializes tables on load, and the asset files that tables read. Variables are restored by
the graph's own saver.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphsurgeon.analysis.flow.load_path import fills_on_load
from graphsurgeon.analysis.flow.restore_map import variable_nodes
from graphsurgeon.analysis.names import NO_TAGS, choose_metagraph, near_or_all
from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import Node
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Asset, Collection, CollectionItem, MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import TABLE_FILES
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.surgery.extract import ExtractReport
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.recorded_shapes import drop_stale_shapes
from graphsurgeon.surgery.moves.signatures.signature_keys import tensor_key

MAIN_OP = "saved_model_main_op"
INIT_COLLECTIONS = (MAIN_OP, "legacy_init_op", "saved_model_init_op")
ASSET_PATHS = "asset_filepaths"
SERVE = "serve"


@dataclass(frozen=True)
class CompletionReport:
    """What a bare graph was given, one line each."""

    notes: list[str]


@arguments.takes(tags=arguments.names)
def complete(
    model: Model, *, tags: Sequence[str] | None = None, assets: Mapping[str, str] | None = None
) -> CompletionReport:
    """Give a GraphDef or `.meta` what a SavedModel needs; other models have it. Once done it changes nothing.

    Args:
        model: changed in place.
        tags: for a graph that has none; `serve` by default.
        assets: name of an asset that the graph reads -> the file.

    Raises:
        UsageError: an asset has no file, or a file is given that the graph does not name.
        UnsupportedError: it has variables and no saver, or no checkpoint, to restore them.
    """
    if not model.traits.is_bare_graph:
        return CompletionReport([])
    metagraph = choose_metagraph(model)
    check_servable(model, metagraph)
    return CompletionReport(make_servable(model, metagraph, tags, assets))


def make_servable(
    model: Model,
    metagraph: MetaGraph,
    tags: Sequence[str] | None = None,
    asset_files: Mapping[str, str] | None = None,
) -> list[str]:
    """Complete a MetaGraph for a SavedModel; return notes on what was added.

    Args:
        model: what it is of.
        metagraph: changed in place.
        tags: for a MetaGraph that has none; `serve` by default.
        asset_files: name of an asset, as at the end of the path that the graph holds -> file to put there.

    Raises:
        UsageError: an asset file is given that the graph does not name.
    """
    notes = _add_assets(metagraph, asset_files or {})
    if metagraph.saver is not None and model.checkpoint is None:
        metagraph.saver = None
        notes.append("left out the saver: without variables loaders would look for a checkpoint in vain")
    if not metagraph.tags:
        given = list(tags or (SERVE,))
        metagraph.tags = [] if given == [NO_TAGS] else given
        notes.append(f"tagged {','.join(metagraph.tags) or NO_TAGS}")
    stale = drop_stale_shapes(metagraph.graph, infer_shapes(metagraph))
    if stale:
        notes.append(
            f"shapes recorded at {plural(stale, 'node')} contradict the ops and are left out: the model would not load"
        )
    initializers = fills_on_load(metagraph)
    if initializers and not any(key in metagraph.collections for key in INIT_COLLECTIONS):
        node = metagraph.graph.add_node("NoOp", metagraph.graph.unique_name("init_on_load"), controls=initializers)
        mention = Mention.of(node, f"collection {MAIN_OP}")
        item = CollectionItem("", {"": mention}, node.name.encode())
        metagraph.collections[MAIN_OP] = Collection(MAIN_OP, "node_list", [item])
        notes.append(f"{node.name} runs on load and initializes {plural(len(initializers), 'table')}")
    return notes


def signature_wanted(model: Model, path: str, reports: Sequence[object]) -> list[str]:
    """Return a note on the command that gives the part of a bare graph a signature: servers call nothing else.

    Args:
        model: of which a SavedModel is made.
        path: where that will be.
        reports: of the steps; the ends are those that the last extraction tells.
    """
    cut = next((report for report in reversed(reports) if isinstance(report, ExtractReport)), None)
    if cut is None or not cut.outputs or not model.traits.is_bare_graph or choose_metagraph(model).signatures:
        return []
    ends = []
    for option, facts in (("--input", cut.inputs), ("--output", cut.outputs)):
        used: set[str] = set()
        for name in (fact.name for fact in facts if fact.name):
            key = tensor_key(name)
            while key in used:
                key += "_"
            used.add(key)
            ends.append(f"{option} {shlex.quote(f'{key}={name}')}")
    return [f"no signature: gs add-signature {shlex.quote(path)} {' '.join(ends)} --in-place adds one"]


def _add_assets(metagraph: MetaGraph, files: Mapping[str, str]) -> list[str]:
    """Take the files of assets that the graph lists, and make assets of other paths that it holds.

    Of a path that no file is given for is told where it is read; an asset that is listed, a loader wants to find.
    """
    collection = metagraph.collections.get(ASSET_PATHS)
    mentions = [mention for item in collection.items for mention in item.mentions.values()] if collection else []
    listed = {asset.filename: asset for asset in metagraph.assets}
    known = {asset.mention.node for asset in metagraph.assets}
    paths = {
        name: node for node in (m.node for m in mentions) if node and (name := _asset_name(node)) and node not in known
    }
    paths |= {name: node for node in _table_paths(metagraph) if (name := _asset_name(node)) and node not in known}
    unknown = sorted(set(files) - {*paths, *listed})
    if unknown:
        raise UsageError(
            f"the graph names no asset {unknown[0]!r}", hint=near_or_all(unknown[0], sorted({*paths, *listed}))
        )
    missing = [name for name, asset in listed.items() if asset.source is None and name not in files]
    if missing:
        raise UsageError(
            f"the graph lists the asset {missing[0]!r}, whose file the model does not hold",
            hint=f"gs convert MODEL OUT/ --asset {missing[0]}=FILE takes it along",
        )
    for name, file in files.items():
        if name in listed:
            listed[name].source = file
        else:
            metagraph.assets.append(Asset(name, Mention.of(paths[name].output(), f"asset {name}"), source=file))
    lost = sorted(set(paths) - set(files))
    return [f"{name} is read from where the graph was built (give it with --asset {name}=FILE)" for name in lost]


def _table_paths(metagraph: MetaGraph) -> list[Node]:
    """Return the constants of a main graph that hold the path of a file by which a table is filled."""
    fills = (node for node in metagraph.graph.nodes if node.op in TABLE_FILES and len(node.inputs) > 1)
    return [node for fill in fills if (node := fill.inputs[1].producer) is not None]


def _asset_name(node: Node) -> str:
    tensor = node.attrs.get("value") if node.op == "Const" else None
    if not isinstance(tensor, Tensor) or tensor.dtype is not STRING or tensor.num_elements != 1:
        return ""
    return str(tensor.items()[0].decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2])


def check_servable(model: Model, metagraph: MetaGraph) -> None:
    """Refuse a graph whose variables no loader could restore.

    Raises:
        UnsupportedError: it has variables and no saver, or no checkpoint, to restore them.
    """
    variables = variable_nodes([metagraph.graph])
    if metagraph.objects is not None and model.checkpoint is None and not variables:
        raise UnsupportedError(
            "the graph has objects, which loaders restore even without variables, and there is no checkpoint beside it",
            hint="put NAME.index and its data files beside NAME.meta",
        )
    if not variables:
        return
    if metagraph.saver is None or metagraph.saver.restore.node is None:
        raise UnsupportedError(
            f"the graph has variables ({variables[0].name}, ...) and no saver that restores them",
            hint="start from the .meta file of the checkpoint, or from a frozen graph",
        )
    old = [node for node in metagraph.graph.nodes if node.op in ("RestoreSlice", "Restore")]
    if old:
        raise UnsupportedError(
            f"{old[0].name!r} ({old[0].op}) restores V1 checkpoints only",
            hint="freeze the graph first (gs freeze), then add the signature",
        )
    if model.checkpoint is None:
        raise UnsupportedError(
            f"the graph has variables ({variables[0].name}, ...) and there is no checkpoint beside it",
            hint="put NAME.index and its data files beside NAME.meta",
        )
