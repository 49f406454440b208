"""Each shape function against TensorFlow's own, on random instances: attributes, shapes, unknown dimensions, constants.

What TensorFlow refuses is repaired in the direction its message points to, or dropped; of every op it accepts some.
Of what it accepts, our answer may be the same or say more; never less, and never something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from graphsurgeon.ops import catalog
from graphsurgeon.shapes import registry
from tests.shapes.oracle_process import OracleProcess, Verdict

pytestmark = pytest.mark.tensorflow

INSTANCES = 4  # of each op that TensorFlow accepts
INSTANCES_OF_COMMON = 20

# Where TensorFlow says more, which we do not follow, and why.
LESS_IS_RIGHT = {
    "ApproxTopK": "how many it keeps depends on the device",
    "AudioMicrofrontend": "it counts with negative windows",
    "Conv3D": "it takes the dilations of other axes in NCDHW",
    "_FusedConv3D": "it takes the dilations of other axes in NCDHW",
    "Dilation2D": "a filter larger than the image is refused by the kernel",
    "ExtractVolumePatches": "it forgets a dimension where the size is unknown",
    "FractionalAvgPool": "the kernel gives one border more than it says",
    "FractionalMaxPool": "the kernel gives one border more than it says",
    "GatherV2": "batch dimensions beyond those of the indices are refused by the kernel",
    "MatrixDiagV3": "it counts with an unknown length of the diagonals as with -1",
    "MatrixSetDiag": "it takes a diagonal of another batch for the rest of a matrix, which the kernel refuses",
    "SoftmaxCrossEntropyWithLogits": "operands are broadcast, and it knows one of them only",
    "SplitV": "it takes an unknown axis for the last",
    "TPUDummyInput": "it takes an unknown shape for a scalar",
    "UniformQuantizedConvolution": "the filter has more dimensions than dilations, which the kernel refuses",
    "UniformQuantizedConvolutionHybrid": "the filter has more dimensions than dilations, which the kernel refuses",
    "XlaCustomCall": "it takes an unknown shape for a scalar",
    "XlaCustomCallV2": "it takes an unknown shape for a scalar",
    "XlaRecv": "it takes an unknown shape for a scalar",
    "XlaSpmdShardToFullShape": "it takes an unknown shape for a scalar",
}

# Whose shape function in TensorFlow brings the process down, on sound instances too.
CRASHES = {
    "BoostedTreesExampleDebugOutputs": "removed from TensorFlow but for its name",
    "BoostedTreesPredict": "removed from TensorFlow but for its name",
    "BoostedTreesTrainingPredict": "removed from TensorFlow but for its name",
    "_QuantizedMatMul": "internal to oneDNN, made when a graph runs: in no file",
}

COMMON = frozenset((
    "AddV2", "AvgPool", "BatchMatMulV2", "BiasAdd", "BroadcastTo", "ConcatV2", "Conv2D", "Conv2DBackpropInput",
    "DepthwiseConv2dNative", "Einsum", "ExpandDims", "Fill", "FusedBatchNormV3", "GatherNd", "GatherV2", "MatMul",
    "MaxPool", "Mean", "OneHot", "Pack", "Pad", "Range", "Reshape", "ResizeBilinear", "Select", "SelectV2", "Shape",
    "Slice", "Split", "SplitV", "Squeeze", "StridedSlice", "Sum", "Tile", "TopKV2", "Transpose", "Unpack", "Where",
))  # fmt: skip


def families() -> dict[str, list[str]]:
    """Return the ops of each family."""
    found: dict[str, list[str]] = {}
    for op, function in registry.shape_functions().items():
        found.setdefault(function.__module__.rpartition(".")[2], []).append(op)
    return found


FAMILIES = families()


@pytest.fixture(scope="module")
def oracle() -> Iterator[OracleProcess]:
    """TensorFlow in a process of its own."""
    process = OracleProcess()
    yield process
    process.stop()


def disagreements(verdicts: list[Verdict]) -> list[str]:
    """Return what is neither the same nor more, nor refused by TensorFlow."""
    return [
        f"{verdict}: {text}"
        for op, verdict, text in verdicts
        if verdict not in ("equal", "more", "refused") and not (verdict == "less" and op in LESS_IS_RIGHT)
    ]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_agrees(family: str, oracle: OracleProcess) -> None:
    asked = [op for op in FAMILIES[family] if op not in CRASHES]
    rare, common = [op for op in asked if op not in COMMON], [op for op in asked if op in COMMON]
    verdicts = oracle.compare(rare, INSTANCES)
    if common:
        verdicts += oracle.compare(common, INSTANCES_OF_COMMON)
    assert not disagreements(verdicts)
    accepted = Counter(verdict.op for verdict in verdicts if verdict.verdict != "refused")
    assert [op for op in asked if not accepted[op]] == []  # no op whose every instance is refused


def test_every_op_with_a_shape_function_is_one_of_the_catalog() -> None:
    registered = set(registry.shape_functions())
    assert registered <= set(catalog.names())
    assert sum(map(len, FAMILIES.values())) == len(registered) >= 1372
    assert COMMON | set(CRASHES) | set(LESS_IS_RIGHT) <= registered
