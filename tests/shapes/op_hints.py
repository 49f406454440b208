"""What makes an instance of an op likely to be accepted: ranks, constants and attributes that fit together."""

from __future__ import annotations

from graphsurgeon.model import DType, Shape
from tests.shapes.op_cases import ATTRS, INPUTS, matrix, permutation, scalar, vector

MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
FORMATS = (b"NHWC", b"NCHW")
FORMATS_3D = (b"NDHWC", b"NCDHW")
PADDINGS = (b"SAME", b"VALID")
FLOAT, INT32, INT64, STRING = (DType.named(n) for n in ("float32", "int32", "int64", "string"))

INPUTS.update({
    "ExpandDims": {1: (scalar(-3, 3), vector(1, -2, 2), 0)},
    "Transpose": {0: (2, 3, 4), 1: (permutation(2, 3, 4), permutation(3), 1)},
    "ConjugateTranspose": {0: (2, 3, 4), 1: (permutation(2, 3, 4), permutation(3), 1)},
    "Reshape": {1: (vector((1, 2, 3), -1, 8), vector((0, 1), -1, 4), 1)},
    "Fill": {0: (vector((0, 1, 2, 3), 0, 5), 1), 1: 0},
    "Empty": {0: (vector((0, 1, 2, 3), 0, 5), 1)},
    "BroadcastTo": {1: (vector((1, 2, 3, 4), 1, 4), 1)},
    "OneHot": {1: (scalar(-1, 5), 0), 2: 0, 3: 0},
    "Range": {0: (scalar(0, 3), 0), 1: (scalar(0, 9), 0), 2: (scalar(1, 3), scalar(-2, 2), 0)},
    "LinSpace": {0: 0, 1: 0, 2: (scalar(0, 9), 0)},
    "UnravelIndex": {1: (vector((1, 2, 3), 1, 4), 1)},
    "EditDistance": {0: 2, 1: 1, 2: (vector((2, 3), 1, 5), 1), 3: 2, 4: 1, 5: (vector((2, 3), 1, 5), 1)},
    "Tile": {1: (vector((1, 2, 3, 4), 0, 3), 1)},
    "ReverseV2": {1: (vector((1, 2), -2, 3), 1)},
    "ReverseSequence": {0: (2, 3, 4), 1: 1},
    "Roll": {1: (0, 1), 2: (0, 1)},
    "Pad": {1: (matrix((1, 2, 3, 4), 2, 0, 3), 2)},
    "PadV2": {1: (matrix((1, 2, 3, 4), 2, 0, 3), 2), 2: 0},
    "MirrorPad": {1: (matrix((1, 2, 3, 4), 2, 0, 1), 2)},
    "MirrorPadGrad": {1: (matrix((1, 2, 3, 4), 2, 0, 1), 2)},
    "Split": {0: (scalar(-2, 3), 0), 1: (1, 2, 3, 4)},
    "SplitV": {0: (1, 2, 3), 1: (vector((1, 2, 3), -1, 4), 1), 2: (scalar(-2, 2), 0)},
    "Slice": {0: (1, 2, 3), 1: (vector((1, 2, 3), 0, 2), 1), 2: (vector((1, 2, 3), -1, 2), 1)},
    "Concat": {0: (scalar(0, 2), 0)},
    "ConcatV2": {1: 2, 2: (scalar(-2, 2), 2)},
    "ConcatOffset": {0: (scalar(0, 2), 0), 1: 1, 2: 1, 3: 1},
    "UniqueV2": {1: (vector((0, 1), -1, 2), 1)},
    "UniqueWithCountsV2": {1: (vector((0, 1), -1, 2), 1)},
    "InvertPermutation": {0: (permutation(2, 3), 1)},
    "GatherV2": {0: (1, 2, 3, 4), 1: (0, 1, 2, 3), 2: (scalar(-2, 2), scalar(0, 1), 0)},
    "GatherNd": {0: (1, 2, 3), 1: ([1], [-1, 2], [-1, -1], [-1, -1, 1])},
    "ResourceGatherNd": {0: 0},
    "ResourceGather": {0: 0},
    "ScatterNd": {0: ([4, 1], [-1, 2], 2), 1: (1, 2, 3, Shape(None)), 2: (vector((1, 2, 3), 1, 5), 1)},
    "ArgMax": {1: (scalar(-2, 2), 0)},
    "ArgMin": {1: (scalar(-2, 2), 0)},
    "TopK": {0: (1, 2, 3)},
    "TopKV2": {0: (1, 2, 3), 1: (scalar(0, 3), 0)},
    "NthElement": {0: (1, 2, 3), 1: (scalar(0, 1), 0)},
    "InTopK": {0: 2, 1: 1},
    "InTopKV2": {0: 2, 1: 1, 2: 0},
    "Bincount": {1: (scalar(0, 5), 0)},
    "DenseBincount": {0: (1, 2), 1: (scalar(0, 5), 0)},
    "SparseBincount": {0: 2, 1: 1, 2: (vector((1, 2), 1, 5), 1), 3: (scalar(0, 5), 0)},
    "RaggedBincount": {0: 1, 1: (1, 2), 2: (scalar(0, 5), 0)},
    "HistogramFixedWidth": {1: [2], 2: (scalar(0, 9), 0)},
    "Cumsum": {1: 0},
    "Cumprod": {1: 0},
    "UnsortedSegmentJoin": {0: (1, 2), 1: (1, 2), 2: (scalar(0, 5), 0)},
    "DynamicPartition": {0: (1, 2, 3), 1: (1, 2)},
})  # fmt: skip

for op in ("Sum", "Mean", "Prod", "Max", "Min", "Any", "All", "EuclideanNorm", "ReduceJoin"):
    INPUTS[op] = {1: (scalar(-2, 2), vector((0, 1, 2), -3, 2), vector(1, -1, 1), (0, 1))}
for op in ("UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd", "UnsortedSegmentSum", "SegmentMaxV2",
           "SegmentMinV2", "SegmentProdV2", "SegmentSumV2"):  # fmt: skip
    INPUTS[op] = {0: (1, 2, 3), 1: (1, 2), 2: (scalar(0, 6), 0)}
for op in ("SegmentMax", "SegmentMean", "SegmentMin", "SegmentProd", "SegmentSum"):
    INPUTS[op] = {0: (1, 2, 3), 1: 1}
for op in ("SparseSegmentMean", "SparseSegmentSqrtN", "SparseSegmentSum"):
    INPUTS[op] = {0: (1, 2, 3), 1: 1, 2: 1}
    for suffix in ("WithNumSegments", "Grad", "GradV2"):
        INPUTS[op + suffix] = {0: (1, 2, 3), 1: 1, 2: 1, 3: (scalar(0, 6), 0)}
for op in ("StridedSlice", "StridedSliceAssign", "TensorStridedSliceUpdate"):
    length = (vector(1, -2, 3), vector(2, -2, 3), vector(3, -2, 3), 1)
    INPUTS[op] = {0: (1, 2, 3, 4), 1: length, 2: length, 3: (vector(1, -1, 2), vector(2, 1, 2), vector(3, 1, 1))}
INPUTS["StridedSlice2"] = {}

ATTRS.update({
    "GatherV2": {"batch_dims": (0, 0, 0, 1, -1)},
    "Squeeze": {"squeeze_dims": ([], [0], [-1], [1, 2], [0, -1])},
    "Bitcast": {"T": tuple(map(DType.named, ("float32", "uint8", "int64", "float64", "int32"))),
                "type": tuple(map(DType.named, ("float32", "uint8", "int64", "float64", "complex64")))},
    "Pack": {"axis": (0, 0, 1, -1, 2)},
    "Unpack": {"axis": (0, 0, 1, -1)},
    "ReverseSequence": {"seq_dim": (0, 1, 2), "batch_dim": (0, 1)},
    "StridedSlice": dict.fromkeys(MASKS, (0, 0, 0, 1, 2, 4, 5)),
    "ParallelConcat": {"shape": (Shape([2, 3]), Shape([3, 2, 2]))},
    "PlaceholderV2": {"dtype": (FLOAT,)},
    "TopK": {"k": (0, 1, 2)},
})  # fmt: skip
