"""What is read of ONNX files is what the onnx package reads: nodes, edges, attributes, types, values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.formats.onnx import file
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

pytestmark = pytest.mark.onnx


def require_equal(path: Path, oracle: Any) -> None:
    model = file.read(path, is_text=path.suffix == ".onnxtxt")
    require_equal_graph(model.graph, oracle.graph, path.parent)
    opsets = {entry.domain or "ai.onnx": entry.version for entry in oracle.opset_import}
    assert model.metagraphs[0].producer["opsets"] == opsets


def require_equal_graph(graph: Graph, oracle: Any, folder: Path) -> None:
    names = [(f"{node.domain}." if node.domain not in ("", "ai.onnx") else "") + node.op_type for node in oracle.node]
    assert graph.op_counts == Counter(names)
    constants = {tensor.name for tensor in oracle.initializer}
    constants |= {tensor.values.name for tensor in oracle.sparse_initializer}
    assert [str(value) for value in graph.inputs] == [v.name for v in oracle.input if v.name not in constants]
    assert [output.name for output in graph.outputs] == [value.name for value in oracle.output]
    for node, expected in zip(graph.nodes, oracle.node, strict=True):
        assert [value.name or "" for value in node.inputs] == list(expected.input)
        assert [value.name or "" for value in node.outputs] == list(expected.output)
        for attribute in expected.attribute:
            require_equal_attribute(node.attrs[attribute.name], attribute, folder)
    for initializer in oracle.initializer:
        value = graph.value(initializer.name)
        assert value is not None
        assert value.tensor is not None
        require_equal_tensor(value.tensor, initializer, folder)
    require_equal_types(graph, [*oracle.input, *oracle.output, *oracle.value_info])


def require_equal_attribute(found: Any, attribute: Any, folder: Path) -> None:
    import onnx

    if attribute.ref_attr_name:
        assert found == attribute.ref_attr_name
    elif attribute.type == onnx.AttributeProto.GRAPH:
        require_equal_graph(found.graph, attribute.g, folder)
    elif attribute.type == onnx.AttributeProto.TENSOR:
        require_equal_tensor(found, attribute.t, folder)
    elif not isinstance(found, DType) and attribute.type in (1, 2, 3, 6, 7, 8):
        expected = onnx.helper.get_attribute_value(attribute)
        assert found == (list(expected) if isinstance(found, list) else expected)


def require_equal_tensor(found: Tensor, oracle: Any, folder: Path) -> None:
    import numpy as np
    from onnx import numpy_helper

    if not has_values(oracle, folder):  # some tools take weights out of models
        return
    expected = numpy_helper.to_array(oracle, str(folder))
    if oracle.data_type == oracle.STRING:
        assert found.items() == list(oracle.string_data)
        return
    assert (found.dtype.name, list(found.shape)) == (str(expected.dtype), list(expected.shape))
    ours = found.numpy()
    np.testing.assert_array_equal(ours, expected.astype(ours.dtype))


def has_values(oracle: Any, folder: Path) -> bool:
    """Say whether the values of a tensor are there: in the message, or in a file beside it."""
    if oracle.data_location == oracle.EXTERNAL:
        location = next(entry.value for entry in oracle.external_data if entry.key == "location")
        return (folder / location).exists()
    fields = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
    return 0 in oracle.dims or any(len(getattr(oracle, field)) for field in fields)


def require_equal_types(graph: Graph, infos: list[Any]) -> None:
    for info in infos:
        value = graph.value(info.name)
        if value is not None and value.tensor is None and info.type.HasField("tensor_type"):
            kind = info.type.tensor_type
            dims = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim]
            assert value.shape == Shape(dims if kind.HasField("shape") else None)


def load(path: Path) -> Any:
    import onnx
    from google.protobuf import text_format

    if path.suffix == ".onnxtxt":
        return text_format.Parse(path.read_text("utf-8"), onnx.ModelProto())
    return onnx.load(str(path), load_external_data=False)


@pytest.mark.corpus
def test_the_collection(corpus: Path) -> None:
    paths = [*corpus.rglob("*.onnx"), *corpus.rglob("*.onnxtxt")]
    assert len(paths) > 80
    for path in paths:
        require_equal(path, load(path))


def test_the_models_of_onnx_itself(tmp_path: Path) -> None:
    """One of each op and type: sequences, optionals, bodies, small floats, strings."""
    path = tmp_path / "model.onnx"
    for model in own_models():
        path.write_bytes(model.SerializeToString())
        require_equal(path, model)


def own_models() -> Iterator[Any]:
    import warnings

    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = [case for case in collect_testcases(None) if case.model is not None]
    assert len(cases) > 1000
    yield from (case.model for case in cases)
