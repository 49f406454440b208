"""Classic machine learning of ONNX, lowered, gives in TensorFlow what ONNX Runtime gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle.lowered import LoweredModel, first_difference

pytestmark = [pytest.mark.tensorflow, pytest.mark.onnx]

ROWS = np.random.default_rng(0).standard_normal((7, 4)).astype("f4")
TREES: dict[str, Any] = {  # two trees over four features: of depth 2, and of depth 1
    "nodes_treeids": [0, 0, 0, 0, 0, 1, 1, 1], "nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2],
    "nodes_featureids": [0, 2, 0, 0, 0, 3, 0, 0], "nodes_values": [0.1, -0.3, 0.0, 0.0, 0.0, 0.2, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 3, 0, 0, 0, 1, 0, 0], "nodes_falsenodeids": [2, 4, 0, 0, 0, 2, 0, 0],
}  # fmt: skip
LEAVES = {"treeids": [0, 0, 0, 1, 1], "nodeids": [2, 3, 4, 1, 2], "ids": [0, 1, 2, 1, 0]}
WEIGHTS = [0.5, 1.5, -2.0, 0.25, 3.0]


def leaves(what: str) -> dict[str, Any]:
    return {f"{what}_{name}": items for name, items in LEAVES.items()} | {f"{what}_weights": WEIGHTS}


def agrees(path: Path, op: str, data: Any, outputs: int = 1, version: int = 3, **attrs: Any) -> None:
    """Compare a model of one node with ONNX Runtime, at two batch sizes."""
    onnx = pytest.importorskip("onnx")
    helper, runtime = onnx.helper, pytest.importorskip("onnxruntime")
    kind = onnx.helper.np_dtype_to_tensor_dtype(data.dtype) if data.dtype.kind != "O" else onnx.TensorProto.STRING
    names = [f"y{number}" for number in range(outputs)]
    node = helper.make_node(op, ["x"], names, domain="ai.onnx.ml", **attrs)
    given = [helper.make_tensor_value_info("x", kind, ["n", *data.shape[1:]])]
    graph = helper.make_graph([node], "one", given, [onnx.ValueInfoProto(name=name) for name in names])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", version)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    lowered = LoweredModel(path)
    for rows in (data, data[:1]):
        assert first_difference(lowered.run({"x": rows}), session.run(None, {"x": rows})) == ""


@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
def test_rows_by_their_size(tmp_path: Path, norm: str) -> None:
    rows = np.abs(ROWS)
    rows[2] = 0
    agrees(tmp_path / "m.onnx", "Normalizer", rows, norm=norm)


def test_features_are_scaled(tmp_path: Path) -> None:
    agrees(tmp_path / "m.onnx", "Scaler", ROWS, offset=[1.0, 2.0, 3.0, 4.0], scale=[0.5, 1.0, 2.0, 4.0])
    agrees(tmp_path / "m.onnx", "Scaler", (ROWS * 9).astype("i8"), offset=[1.0], scale=[0.5])
    agrees(tmp_path / "m.onnx", "Binarizer", ROWS, threshold=0.25)


def test_linear_models(tmp_path: Path) -> None:
    weights = {"coefficients": [number / 7 - 1 for number in range(12)], "intercepts": [0.1, -0.2, 0.3]}
    agrees(tmp_path / "m.onnx", "LinearRegressor", ROWS, targets=3, **weights)
    agrees(tmp_path / "m.onnx", "LinearRegressor", ROWS, coefficients=[1.0, 2.0, -3.0, 0.5])
    for kind in ("NONE", "SOFTMAX", "LOGISTIC"):
        agrees(
            tmp_path / "m.onnx", "LinearClassifier", ROWS, 2, classlabels_ints=[7, 3, 5], post_transform=kind, **weights
        )
    agrees(tmp_path / "m.onnx", "LinearClassifier", ROWS, 2, classlabels_strings=["a", "b", "c"], **weights)


def test_a_map_that_is_handed_out_is_a_tensor(tmp_path: Path) -> None:
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    helper, path = onnx.helper, tmp_path / "m.onnx"
    labels = ["cat", "dog", "cow"]
    weights = [number / 7 - 1 for number in range(12)]
    nodes = [
        helper.make_node(
            "LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", classlabels_strings=labels,
            coefficients=weights, intercepts=[0.1, -0.2, 0.3], post_transform="SOFTMAX",
        ),
        helper.make_node("ZipMap", ["scores"], ["maps"], domain="ai.onnx.ml", classlabels_strings=labels),
    ]  # fmt: skip
    row = helper.make_map_type_proto(8, helper.make_tensor_type_proto(1, []))
    ends = [
        helper.make_tensor_value_info("label", 8, ["n"]),
        helper.make_value_info("maps", helper.make_sequence_type_proto(row)),
    ]
    graph = helper.make_graph(nodes, "zip", [helper.make_tensor_value_info("x", 1, ["n", 4])], ends)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    label, maps = runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": ROWS})
    wanted = np.array([[one[name] for name in labels] for one in maps], "f4")
    lowered = LoweredModel(path)
    assert first_difference(lowered.run({"x": ROWS}), [label, wanted]) == ""
    assert "maps is a tensor, no map: its columns are cat, dog, cow" in lowered.report.notes


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
def test_trees_of_a_regression(tmp_path: Path, aggregate: str) -> None:
    ends = {**leaves("target"), "target_ids": [0] * 5}
    agrees(
        tmp_path / "m.onnx", "TreeEnsembleRegressor", ROWS, n_targets=1, aggregate_function=aggregate, **TREES, **ends
    )


def test_trees_of_several_targets_and_classes(tmp_path: Path) -> None:
    agrees(tmp_path / "m.onnx", "TreeEnsembleRegressor", ROWS, n_targets=3, **TREES, **leaves("target"))
    each = {**leaves("target"), "target_ids": [0, 0, 0, 1, 1]}  # one that no leaf names gets no base of ONNX Runtime
    agrees(tmp_path / "m.onnx", "TreeEnsembleRegressor", ROWS, n_targets=2, base_values=[1.0, 2.0], **TREES, **each)
    labels = {"classlabels_int64s": [4, 5, 6]}
    agrees(tmp_path / "m.onnx", "TreeEnsembleClassifier", ROWS, 2, **labels, **TREES, **leaves("class"))
    named = {"classlabels_strings": ["a", "b", "c"], "post_transform": "SOFTMAX"}
    agrees(tmp_path / "m.onnx", "TreeEnsembleClassifier", ROWS, 2, **named, **TREES, **leaves("class"))


def test_missing_values_lead_where_the_trees_say(tmp_path: Path) -> None:
    rows = ROWS.copy()
    rows[::2, 0] = rows[1::3, 2] = rows[3, 3] = np.nan
    tracks = {"nodes_missing_value_tracks_true": [1, 0, 0, 0, 0, 1, 0, 0]}
    agrees(tmp_path / "m.onnx", "TreeEnsembleRegressor", rows, n_targets=3, **TREES, **tracks, **leaves("target"))


def test_labels_by_a_table(tmp_path: Path) -> None:
    words = np.array([["b", "x"], ["a", "c"]], object)
    keys = ["a", "b", "c"]
    agrees(tmp_path / "m.onnx", "LabelEncoder", words, keys_strings=keys, values_int64s=[5, 6, 7], default_int64=-3)
    numbers = np.array([[1, 2], [9, 3]], "i8")
    agrees(tmp_path / "m.onnx", "LabelEncoder", numbers, keys_int64s=[1, 2, 3], values_strings=keys)
    agrees(tmp_path / "m.onnx", "LabelEncoder", numbers, keys_int64s=[1, 2, 3], values_floats=[0.5, 1.5, 2.5])
