"""Each shape function against TensorFlow's own, on random instances: attributes, shapes, unknown dimensions, constants.

What TensorFlow refuses is repaired in the direction its message points to, or dropped. Of what it accepts, our
answer may be the same or say more; never less, and never something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphsurgeon.ops import catalog
from graphsurgeon.shapes import registry
from tests.shapes.oracle_process import OracleProcess

pytestmark = pytest.mark.tensorflow

ROUNDS = 10

# Where TensorFlow says more, which we do not follow: it is wrong at run time (fractional pooling), depends on the
# device (ApproxTopK), mixes up axes (Conv3D), or comes from a broken node that only a kernel would refuse.
LESS_IS_RIGHT = {
    "ApproxTopK", "AudioMicrofrontend", "Conv2DBackpropFilterV2", "Conv2DBackpropInputV2", "Conv3D", "Dilation2D",
    "EncodeProto", "ExtractVolumePatches", "FractionalAvgPool", "FractionalMaxPool", "GatherV2", "InfeedDequeueTuple",
    "MatrixDiagV3", "MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3", "QuantizeV2", "QuantizedConv2DPerChannel",
    "RandomIndexShuffle", "ResourceGatherNd", "SoftmaxCrossEntropyWithLogits", "SplitV", "StringNGrams",
    "TPUDummyInput", "UniformQuantizedConvolution", "UniformQuantizedConvolutionHybrid", "XlaSpmdShardToFullShape",
    "_FusedBatchNormGradEx",
}  # fmt: skip


def families() -> dict[str, list[str]]:
    """Return the ops of each family that TensorFlow has."""
    found: dict[str, list[str]] = {}
    for op, function in registry.shape_functions().items():
        if op in catalog.names():
            found.setdefault(function.__module__.rpartition(".")[2], []).append(op)
    return found


FAMILIES = families()


@pytest.fixture(scope="module")
def oracle() -> Iterator[OracleProcess]:
    """TensorFlow in a process of its own."""
    process = OracleProcess()
    yield process
    process.stop()


def verdicts(oracle: OracleProcess, op: str, rounds: int) -> Iterator[str]:
    """Compare instances of an op; yield what came of those that TensorFlow accepts."""
    for seed in range(rounds):
        verdict, text = oracle.compare(op, seed)
        if verdict == "crash":
            return  # TensorFlow's own shape function is not up to broken nodes of this op
        allowed = {"equal", "more", "refused"} | ({"less"} if op in LESS_IS_RIGHT else set())
        assert verdict in allowed, f"{verdict}: {text}"
        yield verdict


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_agrees(family: str, oracle: OracleProcess) -> None:
    found = Counter(verdict for op in FAMILIES[family] for verdict in verdicts(oracle, op, ROUNDS))
    assert found["equal"] + found["more"] > 0


COMMON = (
    "AddV2", "AvgPool", "BatchMatMulV2", "BiasAdd", "BroadcastTo", "ConcatV2", "Conv2D", "Conv2DBackpropInput",
    "DepthwiseConv2dNative", "Einsum", "ExpandDims", "Fill", "FusedBatchNormV3", "GatherNd", "GatherV2", "MatMul",
    "MaxPool", "Mean", "OneHot", "Pack", "Pad", "Range", "Reshape", "ResizeBilinear", "Select", "SelectV2", "Shape",
    "Slice", "Split", "SplitV", "Squeeze", "StridedSlice", "Sum", "Tile", "TopKV2", "Transpose", "Unpack", "Where",
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(op=st.sampled_from(COMMON), seed=st.integers(min_value=ROUNDS, max_value=1 << 32))
def test_ops_of_most_models_agree(oracle: OracleProcess, op: str, seed: int) -> None:
    verdict, text = oracle.compare(op, seed)
    assert verdict in ({"equal", "more", "refused"} | ({"less"} if op in LESS_IS_RIGHT else set())), text
