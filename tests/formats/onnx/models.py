"""Small ONNX models made of the schema, for tests that do without the onnx package."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphsurgeon.formats import schema

FLOAT, INT64, BOOL = 1, 7, 9


def new(type_name: str, /, **fields: Any) -> Any:
    return schema.message(f"onnx.{type_name}")(**fields)


def tensor(name: str, dims: Sequence[int], values: Sequence[float], **fields: Any) -> Any:
    raw = struct.pack(f"<{len(values)}f", *values)
    return new("TensorProto", name=name, dims=dims, data_type=FLOAT, raw_data=raw, **fields)


def value(name: str, dims: Sequence[int | str | None] | None, dtype: int = FLOAT) -> Any:
    found = new("ValueInfoProto", name=name)
    found.type.tensor_type.elem_type = dtype
    if dims is not None:
        found.type.tensor_type.shape.SetInParent()
    for dim in dims or ():
        added = found.type.tensor_type.shape.dim.add()
        if isinstance(dim, int):
            added.dim_value = dim
        elif dim is not None:
            added.dim_param = dim
    return found


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], name: str = "", **fields: Any) -> Any:
    return new("NodeProto", op_type=op, input=inputs, output=outputs, name=name, **fields)


def body(name: str, graph: Any) -> Any:
    """Return an attribute that holds a graph."""
    return new("AttributeProto", name=name, type=5, g=graph)


def graph(nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], **fields: Any) -> Any:
    return new("GraphProto", name="g", node=nodes, input=inputs, output=outputs, **fields)


def model(main: Any, *, ir_version: int = 8, opset: int = 17, **fields: Any) -> Any:
    opsets = [new("OperatorSetIdProto", domain="", version=opset)]
    return new("ModelProto", ir_version=ir_version, graph=main, opset_import=opsets, producer_name="tests", **fields)


def save(folder: Path, message: Any, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(message.SerializeToString())
    return path


def dense(inputs: Sequence[Any] = ()) -> Any:
    """Return `y = relu(x @ w + b)` with 6 by 100 weights, large enough to stay on disk."""
    weights = tensor("w", [6, 100], [number / 8 for number in range(600)])
    nodes = [
        node("MatMul", ["x", "w"], ["xw"], "mul"),
        node("Add", ["xw", "b"], ["sum"]),
        node("Relu", ["sum"], ["y"], "out"),
    ]
    main = graph(
        nodes,
        [value("x", ["batch", 6]), *inputs],
        [value("y", ["batch", 100])],
        initializer=[weights, tensor("b", [100], [0.5] * 100)],
        value_info=[value("xw", [None, 100])],
    )
    return model(main)
