"""Each shape function against TensorFlow's own, on random instances: attributes, shapes, unknown dimensions, constants.

What TensorFlow refuses is repaired in the direction its message points to, or dropped. Of what it accepts, our
answer may be the same or say more; never less, and never something else.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tests.shapes.op_hints
from graphsurgeon.ops import catalog
from graphsurgeon.shapes import registry
from tests.shapes.op_cases import OpCase, draw, repaired
from tests.shapes.oracle import REFUSED, Comparison, compare_op

pytestmark = pytest.mark.tensorflow

assert tests.shapes.op_hints  # fills the tables of op_cases
ROUNDS = 12
REPAIRS = 6

# TensorFlow's own shape functions crash on some instances of these.
CRASHING = {
    "BoostedTreesExampleDebugOutputs", "BoostedTreesPredict", "BoostedTreesTrainingPredict",
    "FakeQuantWithMinMaxVarsPerChannelGradient", "InfeedDequeueTuple", "XlaCallModule", "_SwitchN",
}  # fmt: skip

# Where TensorFlow says more, which we do not follow: it is wrong at run time (fractional pooling), depends on the
# device (ApproxTopK), mixes up axes (Conv3D), or comes from a broken node that only a kernel would refuse.
LESS_IS_RIGHT = {
    "ApproxTopK", "Conv2DBackpropFilterV2", "Conv2DBackpropInputV2", "Conv3D", "Dilation2D", "EncodeProto",
    "ExtractVolumePatches", "FractionalAvgPool", "FractionalMaxPool", "GatherV2", "MatrixDiagV3", "MatrixSetDiag",
    "MatrixSetDiagV3", "QuantizeV2", "QuantizedConv2DPerChannel", "ResourceGatherNd", "SoftmaxCrossEntropyWithLogits",
    "SplitV", "StringNGrams", "TPUDummyInput", "UniformQuantizedConvolutionHybrid", "_FusedBatchNormGradEx",
}  # fmt: skip


def families() -> dict[str, list[str]]:
    """Return the ops of each family that TensorFlow has."""
    found: dict[str, list[str]] = {}
    for op, function in registry.shape_functions().items():
        if op in catalog.names() and op not in CRASHING:
            found.setdefault(function.__module__.rpartition(".")[2], []).append(op)
    return found


FAMILIES = families()


def accepted(op: str, rng: random.Random) -> tuple[OpCase, Comparison]:
    """Draw an instance and compare it; a refused one is repaired a few times."""
    case = draw(op, rng)
    comparison = compare_op(case)
    for _ in range(REPAIRS):
        if comparison.theirs is not None or not repaired(case, comparison.message, rng):
            break
        comparison = compare_op(case)
    return case, comparison


def check(op: str, rng: random.Random) -> str:
    """Compare one instance; return the verdict."""
    case, comparison = accepted(op, rng)
    verdict = comparison.verdict
    allowed = {"equal", "more", REFUSED} | ({"less"} if op in LESS_IS_RIGHT else set())
    assert verdict in allowed, f"{verdict}: {case}\nTensorFlow {comparison.theirs}\nours {comparison.ours}"
    return verdict


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_agrees(family: str) -> None:
    rng = random.Random(family)
    verdicts = Counter(check(op, rng) for op in FAMILIES[family] for _ in range(ROUNDS))
    assert verdicts["equal"] + verdicts["more"] > 0


COMMON = (
    "AddV2", "AvgPool", "BatchMatMulV2", "BiasAdd", "BroadcastTo", "ConcatV2", "Conv2D", "Conv2DBackpropInput",
    "DepthwiseConv2dNative", "Einsum", "ExpandDims", "Fill", "FusedBatchNormV3", "GatherNd", "GatherV2", "MatMul",
    "MaxPool", "Mean", "OneHot", "Pack", "Pad", "Range", "Reshape", "ResizeBilinear", "Select", "SelectV2", "Shape",
    "Slice", "Split", "SplitV", "Squeeze", "StridedSlice", "Sum", "Tile", "TopKV2", "Transpose", "Unpack", "Where",
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(op=st.sampled_from(COMMON), rng=st.randoms(use_true_random=False))
def test_ops_of_most_models_agree(op: str, rng: random.Random) -> None:
    check(op, rng)
