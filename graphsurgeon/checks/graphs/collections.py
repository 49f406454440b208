"""Rules about collections: what Python makes of them while it imports a MetaGraph.

Sources: `meta_graph.py` (`import_scoped_meta_graph_with_return_elements`), the `from_proto` functions that collections
are registered with, and `loader_impl.py` of TensorFlow 2.21. The loader of version 1 and `import_meta_graph` read every
collection; `tf.saved_model.load` those of a model without objects.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.analysis.flow.load_path import INIT_COLLECTIONS, INIT_SIGNATURE
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.metagraph import Collection, CollectionItem, MetaGraph
from graphsurgeon.model.model import Model

VARIABLES = frozenset({
    "local_variables", "metric_variables", "model_variables", "moving_average_variables", "trainable_variables",
    "variables",
})  # fmt: skip
_RESTORED = "variables"  # what a Saver without a definition saves, and what a model of version 1 is made of
_PARSED = VARIABLES | {"cond_context", "global_step", "queue_runners", "savers", "while_context"}
# Fields that must name something, by the message that an element holds.
_NEEDED = {
    "CondContextDef": ("pred_name", "pivot_name"),
    "QueueRunnerDef": ("queue_name", "close_op_name", "cancel_op_name"),
    "SaverDef": ("save_tensor_name", "restore_op_name"),
    "VariableDef": ("variable_name", "initializer_name"),
    "WhileContextDef": ("pivot_for_pred_name", "pivot_for_body_name", "pivot_name"),
}


def collections(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find elements that are not the messages which their collection is made of."""
    for collection in metagraph.collections.values():
        if collection.key in _PARSED and collection.kind == "bytes_list":
            for index, item in enumerate(collection.items):
                what = _fault(item)
                if what:
                    yield _finding(collection, f"collection {collection.key}[{index}]", what)


def _finding(collection: Collection, where: str, what: str) -> Finding:
    hint = f"gs strip takes the collection {collection.key} out"
    return Finding("error", where, what, hint, "collection")


def _fault(item: CollectionItem) -> str:
    if not item.type:
        return "its bytes are not what the collection holds"
    missing = next((field for field in _NEEDED.get(item.type, ()) if field not in item.mentions), "")
    return f"it names no {missing}" if missing else ""


def init_ops(model: Model) -> Iterator[Finding]:
    """Find collections that do not name one init op, as session loaders want; an imported `.meta` runs none."""
    for metagraph in model.metagraphs if model.traits.is_servable else ():
        if INIT_SIGNATURE not in metagraph.signatures:
            yield from _not_one(metagraph)


def _not_one(metagraph: MetaGraph) -> Iterator[Finding]:
    for key in INIT_COLLECTIONS:
        collection = metagraph.collections.get(key)
        if collection is not None:
            count = len(collection.items) if collection.kind == "node_list" else 0
            if count != 1:
                what = f"it names {count} ops; loaders take exactly one to run on load"
                hint = "group them by one NoOp" if count else f"gs strip takes the collection {key} out"
                yield Finding("error", f"collection {key}", what, hint, "init-op")
            return


def plain_variables(model: Model) -> Iterator[Finding]:
    """Find variables that are listed by name alone, of which Python makes no variables."""
    for metagraph in model.metagraphs:
        collection = metagraph.collections.get(_RESTORED)
        if collection is None or collection.kind == "bytes_list" or not collection.items:
            continue
        if metagraph.objects is None or not metagraph.objects.nodes:
            what = f"it is a {collection.kind}, and Python wants variables"
            yield _finding(collection, f"collection {collection.key}", what)
