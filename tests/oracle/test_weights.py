"""`gs weights --json --checksum` against the values that TensorFlow and the LiteRT interpreter read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle.commands import ask
from tests.oracle.litert_views import views
from tests.oracle.places import (
    FIXTURES,
    corpus_models,
    corpus_saved_models,
    fixture_saved_models,
    parameters,
)
from tests.oracle.protos import corpus_graph_files, graph_files, meta_graphs

GRAPHS = parameters([*fixture_saved_models(), *graph_files()], [*corpus_saved_models(), *corpus_graph_files()])
WITH_VALUES = [path for path in sorted((FIXTURES / "checkpoint").rglob("*.index")) if path.parent.name != "index_only"]
CHECKPOINTS = parameters(
    [*WITH_VALUES, *(path for path in sorted((FIXTURES / "savedmodel").rglob("variables.index")))],
    [path for path in corpus_models("checkpoint") if "IndexFiles" not in path.parts],
)


def digest(value: Any) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if value.dtype == object:
        return hashlib.sha256(b"".join(value.ravel().tolist())).hexdigest()
    return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", CHECKPOINTS)
def test_checkpoints(path: Path) -> None:
    import tensorflow as tf

    prefix = str(path).removesuffix(".index")
    if prefix.endswith("/"):
        pytest.skip("TensorFlow cannot name a checkpoint with an empty name")
    reader = tf.train.load_checkpoint(prefix)
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    shapes.pop("_CHECKPOINTABLE_OBJECT_GRAPH", None)
    weights = {weight["name"]: weight for weight in ask("weights", path, "--checksum")["weights"]}
    assert weights.keys() == shapes.keys()
    for name, weight in weights.items():
        assert (weight["dtype"], weight["shape"]) == (dtypes[name].name, shapes[name])
        assert weight["is_intact"] in (True, None)
        if dtypes[name] not in (tf.variant, tf.resource):
            assert weight["sha256"] == digest(reader.get_tensor(name)), name


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", GRAPHS)
def test_constants(path: Path) -> None:
    """Every constant of every graph, functions included."""
    import tensorflow as tf

    listed = [w for w in ask("weights", path, "--checksum", "--all")["weights"] if w["kind"] == "constant"]
    ours = sorted((weight["graph"], weight["name"], weight["dtype"], weight["shape"]) for weight in listed)
    sums = {(weight["graph"], weight["name"]): weight["sha256"] for weight in listed}
    theirs = []
    repeated = len(meta_graphs(path)) > 1  # the same name may then stand for different values
    for meta_graph in meta_graphs(path):
        library = meta_graph.graph_def.library.function
        graphs = [("", meta_graph.graph_def.node), *((f.signature.name, f.node_def) for f in library)]
        for graph, nodes in graphs:
            for node in nodes:
                if node.op != "Const" or "value" not in node.attr:
                    continue
                tensor = node.attr["value"].tensor
                shape = [dim.size for dim in tensor.tensor_shape.dim]
                theirs.append((graph, node.name, tf.as_dtype(tensor.dtype).name, shape))
                if not repeated:
                    assert sums[graph, node.name] == digest(tf.make_ndarray(tensor)), node.name
    assert ours == sorted(theirs)


@pytest.mark.litert
@pytest.mark.parametrize("source", ["fixtures", pytest.param("corpus", marks=pytest.mark.corpus)])
def test_tflite(source: str) -> None:
    files = sorted((FIXTURES / "tflite").rglob("*.tflite")) if source == "fixtures" else corpus_models("tflite")
    answers = views(files)
    assert len(answers) > len(files) * 0.8
    for path, view in answers.items():
        weights = {w["index"]: w for w in ask("weights", path, "--checksum", "--all")["weights"] if not w["graph"]}
        tensors = {tensor["index"]: tensor for tensor in view["tensors"]}
        sparse = {index for index, weight in weights.items() if is_sparse(path, index)}
        for index, weight in weights.items():
            if index not in tensors:  # the interpreter leaves out what has no name, or no type that it knows
                continue
            assert weight["name"] == tensors[index]["name"], path
            assert weight["shape"] == tensors[index]["shape"], path
            # What the interpreter holds of a sparse tensor are its stored elements only.
            if index not in sparse and (value := view.get("values", {}).get(str(index))) is not None:
                assert weight["sha256"] == value, (path, index)


def is_sparse(path: Path, index: int) -> bool:
    from graphsurgeon import read

    value = read(path).metagraphs[0].graph.values[index]
    return "sparsity" in (value.extra or {})
