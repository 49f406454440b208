"""Give a MetaGraph that comes from a GraphDef or `.meta` what a SavedModel that servers load needs.

Tags, an op that initializes tables on load, and the asset files that tables read. Variables are restored by
the graph's own saver.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.analysis.names import NO_TAGS
from graphsurgeon.analysis.restore_map import variable_nodes
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import Node
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Collection, CollectionItem, MetaGraph
from graphsurgeon.model.model import Model

MAIN_OP = "saved_model_main_op"
INIT_COLLECTIONS = (MAIN_OP, "legacy_init_op", "saved_model_init_op")
TABLE_INITIALIZERS = "table_initializer"
SERVE = "serve"


def make_servable(model: Model, metagraph: MetaGraph, tags: Sequence[str] | None = None) -> list[str]:
    """Complete a MetaGraph for a SavedModel; return notes on what was added.

    Raises:
        UnsupportedError: it has variables and no saver, or no checkpoint, to restore them.
    """
    _check_variables(model, metagraph)
    notes = []
    if not metagraph.tags:
        given = list(tags or (SERVE,))
        metagraph.tags = [] if given == [NO_TAGS] else given
        notes.append(f"tagged {','.join(metagraph.tags) or NO_TAGS}")
    initializers = _table_initializers(metagraph)
    if initializers and not any(key in metagraph.collections for key in INIT_COLLECTIONS):
        node = metagraph.graph.add_node("NoOp", metagraph.graph.unique_name("init_on_load"), controls=initializers)
        mention = Mention.of(node, f"collection {MAIN_OP}")
        item = CollectionItem("", {"": mention}, node.name.encode())
        metagraph.collections[MAIN_OP] = Collection(MAIN_OP, "node_list", [item])
        notes.append(f"{node.name} runs on load and initializes {len(initializers)} tables")
    return notes


def _check_variables(model: Model, metagraph: MetaGraph) -> None:
    variables = variable_nodes([metagraph.graph])
    if not variables:
        return
    if metagraph.saver is None or metagraph.saver.restore.node is None:
        raise UnsupportedError(
            f"the graph has variables ({variables[0].name}, ...) and no saver that restores them",
            hint="start from the .meta file of the checkpoint, or from a frozen graph",
        )
    if model.checkpoint is None:
        raise UnsupportedError(
            f"the graph has variables ({variables[0].name}, ...) and there is no checkpoint beside it",
            hint="put NAME.index and its data files beside NAME.meta",
        )


def _table_initializers(metagraph: MetaGraph) -> list[Node]:
    collection = metagraph.collections.get(TABLE_INITIALIZERS)
    found = [mention.node for item in collection.items for mention in item.mentions.values()] if collection else []
    if not found:
        found = [node for node in metagraph.graph.nodes if node.op.startswith("InitializeTable")]
    return [node for node in found if node is not None]
