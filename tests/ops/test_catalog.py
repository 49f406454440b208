from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from graphsurgeon.errors import FormatError
from graphsurgeon.model.dtype import BOOL, FLOAT32, INT32, INT64, STRING, DType
from graphsurgeon.model.format import ONNX, TENSORFLOW, TFLITE
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops import catalog
from graphsurgeon.ops.opdef import ArgDef


def op(name: str) -> Any:
    found = catalog.get(name)
    assert found is not None
    return found


def test_conv2d() -> None:
    conv = op("Conv2D")
    assert [arg.name for arg in conv.inputs] == ["input", "filter"]
    assert conv.outputs == (ArgDef("output", type_attr="T"),)
    assert list(conv.attrs)[:2] == ["T", "strides"]
    assert conv.attrs["padding"].allowed == (b"SAME", b"VALID", b"EXPLICIT")
    assert conv.attrs["dilations"].default == [1, 1, 1, 1]
    assert not conv.is_stateful


def test_names() -> None:
    assert "MatMul" in catalog.names()
    assert "NoSuchOp" not in catalog.names()
    assert catalog.get("NoSuchOp") is None


def test_a_definition_is_that_of_the_graphs_vocabulary() -> None:
    found = {}
    for vocabulary in (TENSORFLOW, TFLITE, ONNX, "caffe"):
        metagraph = MetaGraph(vocabulary=vocabulary)
        graph = metagraph.graph = Graph(metagraph, "graph")
        found[vocabulary] = catalog.of(graph.add_node("Max", "m", checked=False))
    assert found == {
        TENSORFLOW: op("Max"),
        TFLITE: op("Max"),
        ONNX: None,
        "caffe": None,
    }  # restated graphs are TFLite's


def test_lengths_by_number_and_type_list() -> None:
    assert op("ConcatV2").input_lengths({"N": 3, "T": FLOAT32}) == [3, 1]
    assert op("IdentityN").output_lengths({"T": [FLOAT32, STRING]}) == [2]
    assert op("ConcatV2").input_lengths({}) is None


def test_missing_attribute_takes_the_default() -> None:
    assert op("ArgMax").output_dtypes({"T": FLOAT32}) == [INT64]
    assert op("VarHandleOp").attr({}, "shared_name") == b""


def test_dtypes() -> None:
    assert op("ConcatV2").input_dtypes({"N": 2, "T": FLOAT32, "Tidx": INT32}) == [FLOAT32, FLOAT32, INT32]
    assert op("IdentityN").output_dtypes({"T": [FLOAT32, STRING]}) == [FLOAT32, STRING]
    assert op("VariableV2").output_dtypes({"dtype": FLOAT32}) == [FLOAT32.ref]
    assert op("Less").output_dtypes({"T": FLOAT32}) == [BOOL]
    assert op("Less").input_dtypes({}) is None


@pytest.mark.parametrize("number", [-1, 1 << 40, b"3"])
def test_absurd_number_of_inputs(number: Any) -> None:
    assert op("AddN").input_dtypes({"N": number, "T": FLOAT32}) is None


def test_decode_by_hand() -> None:
    arg = b"\x0a\x01x\x22\x01T"
    attr = b"\x0a\x01T\x12\x04type\x1a\x02\x30\x03"
    decoded = catalog.decode(
        b"\x0a\x01F\x12" + bytes([len(arg)]) + arg + b"\x22" + bytes([len(attr)]) + attr + b"\x88\x01\x01"
    )
    assert decoded.name == "F"
    assert decoded.inputs == (ArgDef("x", type_attr="T"),)
    assert decoded.attrs["T"].default is INT32
    assert decoded.is_stateful


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",
        b"\x0a\x05ab",
        b"\x0a\x01\xff",
        b"\x0b",
        b"\x08\x01",
        b"\x0a" + b"\xff" * 11,
        b"\x22\x06\x1a\x04\x0a\x02\x22\x01",
    ],
)
def test_decode_damaged(data: bytes) -> None:
    with pytest.raises(FormatError):
        catalog.decode(data)


def test_import_loads_no_protobuf_or_numpy() -> None:
    code = (
        "import sys; from graphsurgeon.ops import catalog; catalog.get('Conv2D')\n"
        "sys.exit(any(name in sys.modules for name in ('google.protobuf', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.tensorflow
def test_equals_tensorflows_registry() -> None:
    pytest.importorskip("tensorflow")
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    registry = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    theirs = {op.name: op for op in registry.op}
    for name in theirs.keys() & catalog.names():
        assert as_dict(op(name)) == expected(theirs[name]), name
    # Another version of TensorFlow has some ops more or less; most are the same for years.
    assert len(theirs.keys() & catalog.names()) > 1500


def as_dict(ours: Any) -> dict[str, Any]:
    return {
        "args": [[tuple(getattr(arg, f) for f in ARG_FIELDS) for arg in args] for args in (ours.inputs, ours.outputs)],
        "attrs": [
            (a.name, a.type, a.has_default, a.default, a.allowed, a.minimum, a.has_minimum) for a in ours.attrs.values()
        ],
        "flags": [getattr(ours, flag) for flag in FLAGS],
        "deprecated_since": ours.deprecated_since,
    }


ARG_FIELDS = ("name", "type", "type_attr", "number_attr", "type_list_attr", "is_ref")
FLAGS = ("is_stateful", "is_commutative", "is_aggregate", "allows_uninitialized_input", "is_distributed_communication")


def expected(theirs: Any) -> dict[str, Any]:
    return {
        "args": [
            [tuple(getattr(arg, f) for f in ARG_FIELDS) for arg in args]
            for args in (theirs.input_arg, theirs.output_arg)
        ],
        "attrs": [
            (
                a.name,
                a.type,
                a.HasField("default_value"),
                plain(a.default_value),
                tuple(plain(a.allowed_values)) if a.HasField("allowed_values") else None,
                a.minimum,
                a.has_minimum,
            )
            for a in theirs.attr
        ],
        "flags": [getattr(theirs, flag) for flag in FLAGS],
        "deprecated_since": theirs.deprecation.version,
    }


def plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "list":
        return [item for field in "sifb" for item in getattr(value.list, field)] + [
            *map(DType.of, value.list.type),
            *map(shape, value.list.shape),
        ]
    if kind in (None, "tensor", "func"):
        return None
    found = getattr(value, kind)
    return DType.of(found) if kind == "type" else shape(found) if kind == "shape" else found


def shape(message: Any) -> Shape:
    return Shape(None) if message.unknown_rank else Shape(dim.size for dim in message.dim)
