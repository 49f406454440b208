"""The table of mention sites: every field of a message beside the graph that names a node or a tensor.

One walk serves both directions: reading records the texts (and changes nothing), writing puts new ones in.
A field that names a node and is not listed here does not follow a rename: add it in the commit that finds it.
Found by renaming every node of real models and loading the result in both loaders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphsurgeon.formats import schema

Visit = Callable[[str, str, str], str]  # (path of the field, "node" or "tensor", text) -> text to put there

MENTION_SITES: dict[str, dict[str, str]] = {
    "TensorInfo": {"name": "tensor", "coo_sparse": "CooSparse", "composite_tensor": "CompositeTensor"},
    "CooSparse": {
        "values_tensor_name": "tensor", "indices_tensor_name": "tensor", "dense_shape_tensor_name": "tensor",
    },
    "CompositeTensor": {"components": "TensorInfo"},
    "AssetFileDef": {"tensor_info": "TensorInfo"},
    "SaverDef": {"filename_tensor_name": "tensor", "save_tensor_name": "tensor", "restore_op_name": "node"},
    "VariableDef": {
        "variable_name": "tensor", "initial_value_name": "tensor", "initializer_name": "node",
        "snapshot_name": "tensor",
    },
    "CondContextDef": {
        "pred_name": "tensor", "pivot_name": "tensor", "values_def": "ValuesDef",
        "nested_contexts": "ControlFlowContextDef",
    },
    "WhileContextDef": {
        "pivot_for_pred_name": "tensor", "pivot_for_body_name": "tensor", "pivot_name": "tensor",
        "loop_exit_names": "tensor", "loop_enter_names": "tensor", "maximum_iterations_name": "tensor",
        "values_def": "ValuesDef", "nested_contexts": "ControlFlowContextDef",
    },
    "ControlFlowContextDef": {"cond_ctxt": "CondContextDef", "while_ctxt": "WhileContextDef"},
    "ValuesDef": {"values": "tensor", "external_values": "map"},
    "QueueRunnerDef": {
        "queue_name": "node", "enqueue_op_name": "node", "close_op_name": "node", "cancel_op_name": "node",
    },
}  # fmt: skip

# Collections whose bytes are messages (`register_proto_function` in TensorFlow); others are tried as VariableDef.
COLLECTION_MESSAGES = {
    "cond_context": "CondContextDef",
    "while_context": "WhileContextDef",
    "queue_runners": "QueueRunnerDef",
    "savers": "SaverDef",
}
VARIABLE_MESSAGE = "VariableDef"


def visit(message: Any, type_name: str, see: Visit, path: str = "") -> None:
    """Show every site of a message to `see` and store what it returns where that differs."""
    for field, kind in MENTION_SITES[type_name].items():
        place = f"{path}.{field}" if path else field
        if kind == "map":
            _visit_map(getattr(message, field), see, place)
        elif kind in MENTION_SITES:
            _visit_messages(message, field, kind, see, place)
        else:
            _visit_texts(message, field, kind, see, place)


def parse(type_name: str, data: bytes) -> Any | None:
    """Parse the bytes of a collection's element; None if they are no such message."""
    from google.protobuf.message import DecodeError

    message = schema.message(f"tensorflow.{type_name}")()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    return message


def _visit_messages(message: Any, field: str, kind: str, see: Visit, place: str) -> None:
    inner = getattr(message, field)
    if not hasattr(inner, "DESCRIPTOR"):  # a repeated field
        for index, item in enumerate(inner):
            visit(item, kind, see, f"{place}[{index}]")
    elif message.HasField(field):
        visit(inner, kind, see, place)


def _visit_texts(message: Any, field: str, kind: str, see: Visit, place: str) -> None:
    value = getattr(message, field)
    if not isinstance(value, str):
        for index, text in enumerate(value):
            new = see(f"{place}[{index}]", kind, text)
            if new != text:
                value[index] = new
    elif value:
        new = see(place, kind, value)
        if new != value:
            setattr(message, field, new)


def _visit_map(mapping: Any, see: Visit, place: str) -> None:
    before = dict(mapping)
    after = {}
    for index, key in enumerate(sorted(before)):
        new_key = see(f"{place}[{index}].key", "tensor", key)
        after[new_key] = see(f"{place}[{index}]", "tensor", before[key])
    if after != before:
        mapping.clear()
        mapping.update(after)
