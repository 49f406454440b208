"""Fields that TensorFlow does not know, wherever a tensor stands: nothing is believed of them, and they are kept.

Field 536870911 of a TensorProto is the largest number there is; 4 is `tensor_content`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import read, write
from graphsurgeon.errors import FormatError
from graphsurgeon.formats import schema

# Tag 536870911 << 3 as a varint, then 1, 0, 99 or 2**63: what was once taken for the number of another tensor's values.
UNKNOWN = [b"\xf8\xff\xff\xff\x0f" + value for value in (b"\x01", b"\x00", b"\x63", b"\x80" * 9 + b"\x01")]
VALUES = [1.5, 2.0, 42.0]


def tensor(unknown: bytes, size: int) -> Any:
    """VALUES, the last of them repeated up to a size, and an unknown field."""
    proto = schema.message("tensorflow.TensorProto")(dtype=1, float_val=VALUES + VALUES[-1:] * (size - 3))
    proto.tensor_shape.dim.add().size = size
    return schema.message("tensorflow.TensorProto").FromString(proto.SerializeToString() + unknown)


def model_with(unknown: bytes, size: int, padding: int) -> Any:
    """A SavedModel with such a tensor in every place where one can stand, and a constant of a size."""
    model = schema.message("tensorflow.SavedModel")(saved_model_schema_version=1)
    for tags in ("serve", "train"):
        meta = model.meta_graphs.add()
        meta.meta_info_def.tags.append(tags)
        proto = tensor(unknown, size)
        graph = meta.graph_def
        pad = graph.node.add(name="pad", op="Const").attr["value"].tensor
        pad.dtype, pad.tensor_content = 4, b"p" * padding
        pad.tensor_shape.dim.add().size = padding
        graph.node.add(name="c", op="Const").attr["value"].tensor.CopyFrom(proto)
        graph.node.add(name="l", op="X").attr["list"].list.tensor.add().CopyFrom(proto)
        graph.node.add(name="n", op="X").attr["f"].func.attr["inner"].tensor.CopyFrom(proto)
        function = graph.library.function.add()
        function.signature.name = "f"
        function.signature.attr.add(name="a").default_value.tensor.CopyFrom(proto)
        function.attr["attr"].tensor.CopyFrom(proto)
        function.node_def.add(name="w", op="Const").attr["value"].tensor.CopyFrom(proto)
        meta.signature_def["s"].defaults["x"].CopyFrom(proto)
        op = meta.meta_info_def.stripped_op_list.op.add(name="Mine")
        op.attr.add(name="a").default_value.tensor.CopyFrom(proto)
    return model


@pytest.mark.parametrize("unknown", UNKNOWN)
@pytest.mark.parametrize(("size", "padding"), [(3, 16), (3, 5 << 20), (2000, 5 << 20)])
def test_unknown_fields_of_tensors_are_kept_and_not_believed(
    tmp_path: Path, unknown: bytes, size: int, padding: int
) -> None:
    proto = model_with(unknown, size, padding)
    data = proto.SerializeToString(deterministic=True)
    assert data.count(unknown) >= 16  # eight places in each of two MetaGraphs
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "saved_model.pb").write_bytes(data)
    model = read(tmp_path / "m")
    for metagraph in model.metagraphs:
        constant = metagraph.graph.node("c").attrs["value"]
        function = metagraph.functions["f"].node("w").attrs["value"]
        nested = metagraph.graph.node("n").attrs["f"].attrs["inner"]
        for value in (constant, function, nested, *metagraph.graph.node("l").attrs["list"]):
            assert value.items() == VALUES + VALUES[-1:] * (size - 3)
        metagraph.graph.node("c").name = "renamed"
        metagraph.functions["f"].node("w").name = "renamed"
    write(model, tmp_path / "out")
    for meta in proto.meta_graphs:
        meta.graph_def.node[1].name = meta.graph_def.library.function[0].node_def[0].name = "renamed"
    assert (tmp_path / "out" / "saved_model.pb").read_bytes() == proto.SerializeToString(deterministic=True)


def test_no_text_names_a_mark(tmp_path: Path) -> None:
    value = "value { tensor { dtype: DT_FLOAT tensor_shape {} float_val: 42 gs_payload: 1 } }"
    (tmp_path / "g.pbtxt").write_text(f'node {{ name: "c" op: "Const" attr {{ key: "value" {value} }} }}')
    with pytest.raises(FormatError, match="gs_payload"):
        read(tmp_path / "g.pbtxt")


@pytest.mark.tensorflow
@pytest.mark.parametrize("unknown", UNKNOWN)
def test_tensorflow_reads_the_same_values(tmp_path: Path, unknown: bytes) -> None:
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.framework import tensor_util

    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "saved_model.pb").write_bytes(model_with(unknown, 2000, 5 << 20).SerializeToString())
    model = read(tmp_path / "m")
    model.metagraphs[0].graph.node("c").name = "renamed"
    write(model, tmp_path / "out")
    for path, name in ((tmp_path / "m", "c"), (tmp_path / "out", "renamed")):
        proto = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        constant = next(node for node in proto.meta_graphs[0].graph_def.node if node.name == name)
        expected = tensor_util.MakeNdarray(constant.attr["value"].tensor).tolist()
        assert read(path).metagraphs[0].graph.node(name).attrs["value"].items() == expected
