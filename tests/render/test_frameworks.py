"""Families of ops of other frameworks."""

from __future__ import annotations

import pytest

from graphsurgeon.render.scene import families

CASES = {
    "onnx: Conv": "convolution", "onnx: Max": "math", "onnx: ReduceMax": "reduction", "onnx: Gemm": "dense",
    "onnx: If": "control", "onnx: com.microsoft.Conv": "other", "keras: Conv2DTranspose": "convolution",
    "keras: GlobalAveragePooling2D": "pooling", "keras: BatchNormalization": "normalization", "mxnet: max": "reduction",
    "mxnet: elemwise_add": "math", "caffe: InnerProduct": "dense", "caffe: Scale": "normalization",
    "caffe2: SpatialBN": "normalization", "mmdnn: FullyConnected": "dense", "stablehlo: dot_general": "dense",
    "toy: Conv": "other", "toy: Max": "other", "ScatterNd": "lookup", "SCATTER_ND": "lookup",
    "ScatterNdUpdate": "recurrent", "ResourceScatterNdAdd": "recurrent", "TensorScatterUpdate": "lookup",
}  # fmt: skip


@pytest.mark.parametrize("op", CASES)
def test_families_of_other_frameworks(op: str) -> None:
    assert families.family(op) == CASES[op]


def test_an_op_that_nobody_knows_may_differ_from_run_to_run() -> None:
    assert families.is_stateful("toy: Conv")
    assert families.is_stateful("onnx: RandomNormal")
    assert not families.is_stateful("onnx: Conv")
