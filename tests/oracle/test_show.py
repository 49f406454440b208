"""`gs show --json` against the same files parsed, and imported, by TensorFlow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.commands import ask
from tests.oracle.places import (
    FIXTURES,
    corpus_models,
    corpus_saved_models,
    fixture_saved_models,
    parameters,
)
from tests.oracle.protos import corpus_graph_files, graph_files, meta_graphs

pytestmark = pytest.mark.tensorflow

GRAPHS = parameters([*fixture_saved_models(), *graph_files()], [*corpus_saved_models(), *corpus_graph_files()])
CHECKPOINTS = parameters(sorted((FIXTURES / "checkpoint").rglob("*.index")), corpus_models("checkpoint"))


def shape_of(message: Any) -> list[int | None] | None:
    return None if message.unknown_rank else [None if dim.size < 0 else dim.size for dim in message.dim]


def dtype_of(number: int) -> str | None:
    import tensorflow as tf

    return tf.as_dtype(number).name if number else None


def signature_of(message: Any) -> dict[str, Any]:
    def entry(info: Any) -> dict[str, Any]:
        shape = shape_of(info.tensor_shape) if info.HasField("tensor_shape") else None
        return {"name": info.name or None, "dtype": dtype_of(info.dtype), "shape": shape}

    return {
        "method": message.method_name,
        "inputs": {key: entry(info) for key, info in message.inputs.items()},
        "outputs": {key: entry(info) for key, info in message.outputs.items()},
    }


def plain(signature: dict[str, Any]) -> dict[str, Any]:
    sides = ("inputs", "outputs")
    tensors = {
        side: {
            key: {name: tensor[name] for name in ("name", "dtype", "shape")} for key, tensor in signature[side].items()
        }
        for side in sides
    }
    return {"method": signature["method"], **tensors}


@pytest.mark.parametrize("path", GRAPHS)
def test_graphs(path: Path) -> None:
    summary = ask("show", path)
    expected = meta_graphs(path)
    assert len(summary["graphs"]) == len(expected)
    for graph, meta_graph in zip(summary["graphs"], expected, strict=True):
        nodes, functions = meta_graph.graph_def.node, meta_graph.graph_def.library.function
        inside = [node for function in functions for node in function.node_def]
        assert graph["nodes"] == len(nodes)
        assert graph["functions"] == len(functions)
        assert graph["function_nodes"] == len(inside)
        assert graph["ops"] == Counter(node.op for node in [*nodes, *inside])
        assert graph["tags"] in (None, list(meta_graph.meta_info_def.tags))
        signatures = {key: signature_of(message) for key, message in meta_graph.signature_def.items()}
        assert {key: plain(signature) for key, signature in graph["signatures"].items()} == signatures
        versions = meta_graph.graph_def.versions
        if meta_graph is expected[0]:
            assert summary["producer"]["graph_version"] == (versions.producer or None)
            assert summary["producer"]["tensorflow"] == (meta_graph.meta_info_def.tensorflow_version or None)


@pytest.mark.parametrize("path", GRAPHS)
def test_inputs(path: Path) -> None:
    """Every placeholder, with the dtype and shape that TensorFlow gives it."""
    import tensorflow as tf

    summary = ask("show", path)
    for graph, meta_graph in zip(summary["graphs"], meta_graphs(path), strict=True):
        placeholders = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
        names = [f"{node.name}:0" for node in meta_graph.graph_def.node if node.op in placeholders]
        ours = {fact["name"]: fact for fact in graph["inputs"] if fact["role"] != "iterator"}
        assert list(ours) == names
        imported = tf.Graph()
        with imported.as_default():
            try:
                tf.import_graph_def(meta_graph.graph_def, name="")
            except (ValueError, TypeError, tf.errors.OpError):  # some graphs TensorFlow does not import any more
                continue
        for name in names:
            tensor = imported.get_tensor_by_name(name)
            shape = tensor.shape.as_list() if tensor.shape.rank is not None else None
            assert (ours[name]["dtype"], ours[name]["shape"]) == (tensor.dtype.name, shape)


@pytest.mark.parametrize("path", CHECKPOINTS)
def test_variables(path: Path) -> None:
    import tensorflow as tf

    prefix = str(path).removesuffix(".index")
    if prefix.endswith("/"):
        pytest.skip("TensorFlow cannot name a checkpoint with an empty name")
    shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    shapes.pop("_CHECKPOINTABLE_OBJECT_GRAPH", None)
    assert ask("show", path)["variables"]["count"] == len(shapes)
