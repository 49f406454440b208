"""Elements of collections of which Python cannot make what the collection is of: importing the graph fails there.

Sources: `meta_graph.py` (`import_scoped_meta_graph_with_return_elements`) and the `from_proto` functions that
collections are registered with, of TensorFlow 2.21.
"""

from __future__ import annotations

from graphsurgeon.model.metagraph import Collection, CollectionItem

_VARIABLES = frozenset({
    "local_variables", "metric_variables", "model_variables", "moving_average_variables", "trainable_variables",
    "variables",
})  # fmt: skip
_PARSED = _VARIABLES | {"cond_context", "global_step", "queue_runners", "savers", "while_context"}
# Fields that must name something, by the message that an element holds.
_NEEDED = {
    "CondContextDef": ("pred_name", "pivot_name"),
    "QueueRunnerDef": ("queue_name", "close_op_name", "cancel_op_name"),
    "SaverDef": ("save_tensor_name", "restore_op_name"),
    "VariableDef": ("variable_name", "initializer_name"),
    "WhileContextDef": ("pivot_for_pred_name", "pivot_for_body_name", "pivot_name"),
}


def collection_fault(collection: Collection, item: CollectionItem) -> str:
    """Say what keeps Python from making something of an element; empty if nothing does."""
    if collection.key not in _PARSED or collection.kind != "bytes_list":
        return ""
    if not item.type:
        return "its bytes are not what the collection holds"
    missing = next((field for field in _NEEDED.get(item.type, ()) if field not in item.mentions), "")
    return f"it names no {missing}" if missing else ""
