"""What is inferred for ONNX is what `onnx.shape_inference` infers, on ONNX's own models and the collection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.formats.onnx import file
from graphsurgeon.formats.onnx.types import dtype_of
from graphsurgeon.model.graph import Value
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.report import ShapeReport
from tests.formats.onnx.test_oracle import own_models

pytestmark = pytest.mark.onnx


def without_records(oracle: Any) -> Any:
    """Return a model without what it records of anything but its inputs."""
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(oracle)
    del bare.graph.value_info[:]
    for output in bare.graph.output:
        output.ClearField("type")
    return bare


def compare(oracle: Any, folder: Path) -> tuple[list[str], int, int]:
    """Return what contradicts the oracle, and how many shapes of how many are as well known as there."""
    import onnx

    path = folder / "model.onnx"
    path.write_bytes(without_records(oracle).SerializeToString())
    model = file.read(path)
    report = infer_shapes(model)
    inferred = onnx.shape_inference.infer_shapes(oracle, data_prop=True)
    known = {info.name: info for info in (*inferred.graph.output, *inferred.graph.value_info)}
    wrong, equal, every = [], 0, 0
    for value in (value for node in model.graph.nodes for value in node.outputs if not value.is_absent):
        info = known.get(value.name or "")
        if info is None or not info.type.HasField("tensor_type"):
            continue
        fault, is_equal = judge(value, report, info.type.tensor_type)
        wrong += [f"{value}: {fault}"] if fault else []
        every, equal = every + 1, equal + is_equal
    return wrong, equal, every


def judge(value: Value, report: ShapeReport, oracle: Any) -> tuple[str, bool]:
    dtype, ours = report.dtype(value), report.shape(value).to_json()
    if dtype is not None and oracle.elem_type and dtype is not dtype_of(oracle.elem_type):
        return f"{dtype} instead of {dtype_of(oracle.elem_type)}", False
    if not oracle.HasField("shape") or ours is None:
        return "", not oracle.HasField("shape")
    theirs = [dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None for dim in oracle.shape.dim]
    if len(ours) != len(theirs) or any(None not in (a, b) and a != b for a, b in zip(ours, theirs, strict=False)):
        return f"{ours} instead of {theirs}", False
    return "", all(a is not None or b is None for a, b in zip(ours, theirs, strict=True))


def totals(models: Iterator[Any], folder: Path) -> tuple[list[str], float]:
    wrong, equal, every = [], 0, 0
    for model in models:
        found = compare(model, folder)
        wrong += found[0]
        equal, every = equal + found[1], every + found[2]
    return wrong, equal / every


def test_onnx_itself(tmp_path: Path) -> None:
    """What is unknown to us and recorded there follows from data that only a run has."""
    wrong, known = totals(own_models(), tmp_path)
    assert wrong == []
    assert known > 0.9


def is_standard(model: Any) -> bool:
    """Say whether the oracle takes a model: it gives up at an op of a domain that is not imported, or not ONNX's."""
    imported = {entry.domain for entry in model.opset_import} & {"", "ai.onnx.ml"}
    return imported >= {node.domain for node in model.graph.node}


# Of three files the records themselves are false: 2 behind a Dropout of 1, scalars everywhere, 5 broadcast to 0.
FALSE = ("renamable.onnx", "residual_block.onnx", "empty_tensor_expand.onnx")


@pytest.mark.corpus
def test_the_collection(corpus: Path, tmp_path: Path) -> None:
    import onnx

    paths = [path for path in corpus.rglob("*.onnx") if path.name not in FALSE]
    loaded = [onnx.load(str(path), load_external_data=False) for path in paths]
    models = (model for model in loaded if is_standard(model))
    wrong, known = totals(models, tmp_path)
    assert wrong == []
    assert known > 0.9
