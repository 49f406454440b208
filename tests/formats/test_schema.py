from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest

from graphsurgeon.formats import schema

TOP_LEVEL = (
    "CheckpointState",
    "CondContextDef",
    "Event",
    "FingerprintDef",
    "FunctionDef",
    "GraphDebugInfo",
    "GraphDef",
    "MetaGraphDef",
    "QueueRunnerDef",
    "SavedModel",
    "SavedObjectGraph",
    "SavedTensorSlices",
    "SaverDef",
    "StructuredValue",
    "Summary",
    "TensorProto",
    "TrackableObjectGraph",
    "VariableDef",
    "VariantTensorDataProto",
    "WhileContextDef",
)
OTHERS = (
    "tensorflow.AssetFileDef",
    "tensorflow.BundleEntryProto",
    "tensorflow.BundleHeaderProto",
    "tensorflow.CollectionDef",
    "tensorflow.OpList",
    "tensorflow.proto_splitter.ChunkMetadata",
    "google.protobuf.Any",
    "google.protobuf.BoolValue",
)


def fill(message: Any, depth: int = 4) -> Any:
    """Set every field, nested messages down to a depth, so that no field number or type goes untried."""
    for field in message.DESCRIPTOR.fields:
        content = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            fill_map(content, field.message_type.fields_by_name, depth)
        elif field.message_type is not None:
            if depth:
                fill(content.add() if is_repeated(field) else content, depth - 1)
        elif is_repeated(field):
            content.append(sample(field))
        else:
            setattr(message, field.name, sample(field))
    return message


def fill_map(entries: Any, parts: Any, depth: int) -> None:
    if parts["value"].message_type is None:
        entries[sample(parts["key"])] = sample(parts["value"])
    elif depth:
        fill(entries[sample(parts["key"])], depth - 1)


def sample(field: Any) -> Any:
    return {field.TYPE_BYTES: b"\xff", field.TYPE_STRING: "x"}.get(field.type, 1)


def is_repeated(field: Any) -> bool:
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED)


@pytest.mark.parametrize("name", [f"tensorflow.{name}" for name in TOP_LEVEL] + list(OTHERS))
def test_message_survives_serialization(name: str) -> None:
    message = fill(schema.message(name)())
    data = message.SerializeToString(deterministic=True)
    assert data
    assert schema.message(name).FromString(data) == message


def test_message_bytes_by_hand() -> None:
    node = schema.message("tensorflow.NodeDef")(name="a", op="B", input=["^c"])
    assert node.SerializeToString() == b"\x0a\x01a\x12\x01B\x1a\x02^c"


def test_message_class_is_made_once() -> None:
    assert schema.message("tensorflow.GraphDef") is schema.message("tensorflow.GraphDef")


def test_unknown_message() -> None:
    with pytest.raises(KeyError):
        schema.message("tensorflow.NoSuchMessage")


def test_no_field_is_ours() -> None:
    names = [field.name for field in schema.message("tensorflow.TensorProto").DESCRIPTOR.fields]
    assert not [name for name in names if name.startswith("gs_")]


def test_import_loads_no_protobuf() -> None:
    code = "import sys, graphsurgeon.formats.schema; sys.exit('google.protobuf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.tensorflow
def test_bytes_equal_tensorflows() -> None:
    pytest.importorskip("tensorflow")
    modules = {
        "GraphDef": "core.framework.graph_pb2",
        "SavedModel": "core.protobuf.saved_model_pb2",
        "MetaGraphDef": "core.protobuf.meta_graph_pb2",
        "SavedObjectGraph": "core.protobuf.saved_object_graph_pb2",
        "TrackableObjectGraph": "core.protobuf.trackable_object_graph_pb2",
        "BundleEntryProto": "core.protobuf.tensor_bundle_pb2",
        "BundleHeaderProto": "core.protobuf.tensor_bundle_pb2",
        "SavedTensorSlices": "core.util.saved_tensor_slice_pb2",
        "CheckpointState": "python.training.checkpoint_state_pb2",
        "FingerprintDef": "core.protobuf.fingerprint_pb2",
        "Event": "core.util.event_pb2",
        "VariableDef": "core.framework.variable_pb2",
        "WhileContextDef": "core.protobuf.control_flow_pb2",
        "QueueRunnerDef": "core.protobuf.queue_runner_pb2",
        "GraphDebugInfo": "core.framework.graph_debug_info_pb2",
    }
    for name, module in modules.items():
        theirs = fill(getattr(importlib.import_module(f"tensorflow.{module}"), name)(), depth=5)
        ours = fill(schema.message(f"tensorflow.{name}")(), depth=5)
        data = theirs.SerializeToString(deterministic=True)
        assert ours.SerializeToString(deterministic=True) == data, name
        assert schema.message(f"tensorflow.{name}").FromString(data) == ours, name
