"""What makes an instance of an op likely to be accepted: ranks, constants and attributes that fit together."""

from __future__ import annotations

from graphsurgeon.model import DType, Shape
from graphsurgeon.ops import catalog
from tests.shapes.op_cases import (
    ATTRS,
    FITTED,
    INPUTS,
    SAME_LENGTH,
    Made,
    OpCase,
    matrix,
    permutation,
    scalar,
    vector,
    window,
)

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

STRIDED = ("Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv2DBackpropFilter", "MaxPool", "AvgPool",
           "MaxPoolGrad", "AvgPoolGrad", "MaxPoolGradGrad", "MaxPoolWithArgmax", "DepthwiseConv2dNativeBackpropInput",
           "DepthwiseConv2dNativeBackpropFilter", "Dilation2D", "Dilation2DBackpropInput", "Dilation2DBackpropFilter",
           "ExtractImagePatches", "QuantizedConv2D", "QuantizedMaxPool", "QuantizedAvgPool", "FusedPadConv2D",
           "FusedResizeAndPadConv2D", "QuantizedDepthwiseConv2D", "QuantizedConv2DPerChannel",
           "Conv2DBackpropInputV2", "Conv2DBackpropFilterV2")  # fmt: skip
STRIDED_3D = ("Conv3D", "MaxPool3D", "AvgPool3D", "MaxPool3DGrad", "AvgPool3DGrad", "MaxPool3DGradGrad",
              "Conv3DBackpropInputV2", "Conv3DBackpropFilterV2", "ExtractVolumePatches", "_QuantizedMaxPool3D",
              "_FusedConv3D", "Conv3DBackpropInput", "Conv3DBackpropFilter")  # fmt: skip
QUANTIZED = tuple(name for name in catalog.names() if name.startswith(("Quantized", "_Fused")) and "Conv2D" in name)
for op in STRIDED + STRIDED_3D + QUANTIZED:
    rank = 5 if op in STRIDED_3D else 4
    ATTRS[op] = {
        "strides": window(rank, 1, 3),
        "ksize": window(rank, 1, 3),
        "ksizes": window(rank, 1, 3),
        "dilations": (lambda r, rank=rank: [1] * rank if r.random() < 0.6 else window(rank, 1, 2)(r)),
        "rates": window(rank, 1, 2),
        "padding": PADDINGS,
        "data_format": FORMATS_3D if rank == 5 else FORMATS,
        "explicit_paddings": ([],),
    }
ATTRS["Conv2D"]["padding"] = (*PADDINGS, b"EXPLICIT")
ATTRS["Conv2D"]["explicit_paddings"] = ([], [0, 0, 1, 2, 0, 1, 0, 0], [0, 0, 0, 0, 1, 2, 0, 1])
ATTRS["MaxPool"]["padding"] = (*PADDINGS, b"EXPLICIT")
ATTRS["MaxPool"]["explicit_paddings"] = ([], [0, 0, 1, 2, 0, 1, 0, 0], [0, 0, 0, 0, 1, 2, 0, 1])
for op in ("MaxPoolV2", "MaxPoolGradV2", "MaxPoolGradGradV2"):
    last = 1 if op == "MaxPoolV2" else 3
    ATTRS[op] = {"data_format": FORMATS, "padding": PADDINGS}
    INPUTS[op] = {0: 4, last: (vector(4, 1, 1), vector(4, 1, 2), 1), last + 1: (vector(4, 1, 1), vector(4, 1, 2), 1)}
for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
    ATTRS[op] = {"data_format": FORMATS, "exponential_avg_factor": (1.0, 0.9)}

EQUATIONS = (b"ij,jk->ik", b"ij->ji", b"ij->", b"...ij,...jk->...ik", b"abc,acd->abd", b"i,i->", b"b...,b...->b...",
             b"...a->a...", b"ij,kl->ijkl", b"aij,jk->aik", b"ii->i", b"a...b->a...")  # fmt: skip
ATTRS["Einsum"] = {"equation": EQUATIONS, "N": (1, 2)}
ATTRS["FractionalMaxPool"] = {"pooling_ratio": ([1.0, 1.5, 1.2, 1.0], [1.0, 1.44, 1.73, 1.0])}
ATTRS["FractionalAvgPool"] = ATTRS["FractionalMaxPool"]
ATTRS["CTCBeamSearchDecoder"] = {"top_paths": (1, 2)}
ATTRS["SpaceToDepth"] = {"block_size": (2, 2, 4), "data_format": (b"NHWC", b"NCHW", b"NCHW_VECT_C")}
ATTRS["DepthToSpace"] = ATTRS["SpaceToDepth"]
ATTRS["SpaceToBatch"] = {"block_size": (2, 2, 1)}
ATTRS["BatchToSpace"] = {"block_size": (2, 2, 1)}
ATTRS["QuantizeV2"] = {"axis": (-1, -1, 0, 1)}
ATTRS["CombinedNonMaxSuppression"] = {"pad_per_class": (True, False)}
ATTRS["ApproxTopK"] = {"k": (1, 2, 3)}

SIZE = (vector(2, 1, 9), 1, [2])
INPUTS.update({
    "Conv2D": {0: 4, 1: 4},
    "DepthwiseConv2dNative": {0: 4, 1: 4},
    "Conv3D": {0: 5, 1: 5},
    "Conv2DBackpropInput": {0: (vector(4, 1, 8), vector(2, 1, 8), 1), 1: 4, 2: 4},
    "Conv2DBackpropFilter": {0: 4, 1: (vector(4, 1, 8), 1), 2: 4},
    "Conv3DBackpropInputV2": {0: (vector(5, 1, 8), 1), 1: 5, 2: 5},
    "Conv3DBackpropFilterV2": {0: 5, 1: (vector(5, 1, 8), 1), 2: 5},
    "DepthwiseConv2dNativeBackpropInput": {0: (vector(4, 1, 8), 1), 1: 4, 2: 4},
    "DepthwiseConv2dNativeBackpropFilter": {0: 4, 1: (vector(4, 1, 8), 1), 2: 4},
    "Dilation2D": {0: 4, 1: 3},
    "AvgPoolGrad": {0: (vector(4, 1, 8), 1), 1: 4},
    "AvgPool3DGrad": {0: (vector(5, 1, 8), 1), 1: 5},
    "FractionalAvgPoolGrad": {0: (vector(4, 1, 8), 1)},
    "FusedPadConv2D": {0: 4, 1: (matrix((4,), 2, 0, 2), [4, 2]), 2: 4},
    "FusedResizeAndPadConv2D": {0: 4, 1: SIZE, 2: (matrix((4,), 2, 0, 2), [4, 2]), 3: 4},
    "MatMul": {0: 2, 1: 2},
    "BatchMatMulV2": {0: (2, 3, 4), 1: (2, 3, 4)},
    "SparseTensorDenseMatMul": {0: 2, 1: 1, 2: (vector(2, 1, 4), 1), 3: 2},
    "CropAndResize": {0: 4, 1: [-1, 4], 2: 1, 3: SIZE},
    "CropAndResizeGradImage": {0: 4, 1: [-1, 4], 2: 1, 3: (vector(4, 1, 8), 1)},
    "ExtractGlimpse": {0: 4, 1: SIZE, 2: [-1, 2]},
    "ExtractGlimpseV2": {0: 4, 1: SIZE, 2: [-1, 2]},
    "ImageProjectiveTransformV2": {0: 4, 1: 2, 2: SIZE},
    "ImageProjectiveTransformV3": {0: 4, 1: 2, 2: SIZE, 3: 0},
    "ScaleAndTranslate": {0: 4, 1: SIZE, 2: [2], 3: [2]},
    "QuantizedResizeBilinear": {0: 4, 1: SIZE, 2: 0, 3: 0},
    "DecodeAndCropJpeg": {0: 0, 1: (vector(4, 1, 9), 1)},
    "NonMaxSuppression": {0: [-1, 4], 1: 1, 2: (scalar(1, 9), 0)},
    "NonMaxSuppressionV2": {0: [-1, 4], 1: 1, 2: (scalar(1, 9), 0), 3: 0},
    "NonMaxSuppressionV3": {0: [-1, 4], 1: 1, 2: (scalar(1, 9), 0), 3: 0, 4: 0},
    "NonMaxSuppressionV4": {0: [-1, 4], 1: 1, 2: (scalar(1, 9), 0), 3: 0, 4: 0},
    "NonMaxSuppressionV5": {0: [-1, 4], 1: 1, 2: (scalar(1, 9), 0), 3: 0, 4: 0, 5: 0},
    "NonMaxSuppressionWithOverlaps": {0: 2, 1: 1, 2: 0, 3: 0, 4: 0},
    "CombinedNonMaxSuppression": {0: [-1, -1, 1, 4], 1: 3, 2: (scalar(1, 9), 0), 3: (scalar(1, 9), 0), 4: 0, 5: 0},
    "GenerateBoundingBoxProposals": {0: 4, 1: 4, 2: 2, 3: 2, 4: 0, 5: 0, 6: 0},
    "SampleDistortedBoundingBox": {0: 1, 1: 3},
    "SampleDistortedBoundingBoxV2": {0: 1, 1: 3, 2: 0},
    "StatelessSampleDistortedBoundingBox": {0: 1, 1: 3, 2: 0, 3: 1},
    "SpaceToBatchND": {0: (3, 4), 1: (vector((1, 2), 1, 2), 1), 2: (matrix((1, 2), 2, 0, 2), 2)},
    "BatchToSpaceND": {0: (3, 4), 1: (vector((1, 2), 1, 2), 1), 2: (matrix((1, 2), 2, 0, 1), 2)},
    "SpaceToBatch": {0: 4, 1: (matrix((2,), 2, 0, 2), [2, 2])},
    "BatchToSpace": {0: 4, 1: (matrix((2,), 2, 0, 1), [2, 2])},
    "MatrixDiagV2": {0: (1, 2, 3), 1: (scalar(-2, 2), vector(1, -1, 1)), 2: scalar(-1, 6), 3: scalar(-1, 6), 4: 0},
    "MatrixDiagV3": {0: (1, 2, 3), 1: (scalar(-2, 2), vector(1, -1, 1)), 2: scalar(-1, 6), 3: scalar(-1, 6), 4: 0},
    "MatrixDiagPartV2": {0: (2, 3), 1: (scalar(-1, 1), vector(2, -1, 1)), 2: 0},
    "MatrixDiagPartV3": {0: (2, 3), 1: (scalar(-1, 1), vector(2, -1, 1)), 2: 0},
    "MatrixSetDiagV2": {0: (2, 3), 1: (1, 2), 2: (scalar(-1, 1), vector(2, -1, 1))},
    "MatrixSetDiagV3": {0: (2, 3), 1: (1, 2), 2: (scalar(-1, 1), vector(2, -1, 1))},
    "IRFFT": {1: (vector(1, 0, 9), [1])},
    "RFFT": {1: (vector(1, 0, 9), [1])},
    "RFFT2D": {0: (2, 3), 1: (vector(2, 0, 9), [2])},
    "IRFFT2D": {0: (2, 3), 1: (vector(2, 0, 9), [2])},
    "RFFT3D": {0: (3, 4), 1: (vector(3, 0, 9), [3])},
    "IRFFT3D": {0: (3, 4), 1: (vector(3, 0, 9), [3])},
    "TensorListReserve": {0: (vector((0, 1, 2), -1, 4), scalar(-1, -1), 1), 1: 0},
    "EmptyTensorList": {0: (vector((0, 1, 2), -1, 4), scalar(-1, -1), 1), 1: 0},
    "TensorListStack": {0: 0, 1: (vector((0, 1, 2), -1, 4), scalar(-1, -1), 1)},
    "TensorListGetItem": {0: 0, 1: 0, 2: (vector((0, 1, 2), -1, 4), scalar(-1, -1), 1)},
    "TensorListFromTensor": {0: (1, 2, 3), 1: (vector((1, 2), -1, -1), scalar(-1, -1), 1)},
    "TensorListGather": {0: 0, 1: 1, 2: (vector((0, 1, 2), -1, 4), scalar(-1, -1), 1)},
    "TensorListConcatV2": {0: 0, 1: (vector((1, 2), -1, 4), scalar(-1, -1), 1), 2: 1},
})  # fmt: skip
for op in ("ResizeArea", "ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeNearestNeighborGrad"):
    INPUTS[op] = {0: 4, 1: SIZE}

VARIABLE = Made("VarHandleOp", (("dtype", "dtype"),))
INPUTS.update({
    "Conv2DBackpropInputV2": {0: 4, 1: 4, 2: 4},
    "Conv2DBackpropFilterV2": {0: 4, 1: 4, 2: 4},
    "Conv3DBackpropInput": {0: 5, 1: 5, 2: 5},
    "Conv3DBackpropFilter": {0: 5, 1: 5, 2: 5},
    "ReadVariableOp": {0: VARIABLE},
    "ResourceGather": {0: VARIABLE},
    "ResourceGatherNd": {0: VARIABLE, 1: (1, 2, [-1, 1], [-1, 2])},
    "VariableShape": {0: Made("VarHandleOp")},
    "ResourceCountUpTo": {0: Made("VarHandleOp", (("dtype", "T"),))},
    "SparseTensorToCSRSparseMatrix": {0: [4, 2], 1: ([4], [None]), 2: (vector(2, 1, 5), [2], 1)},
    "DenseToCSRSparseMatrix": {0: (2, 3), 1: [-1, 2]},
    "EditDistance": {0: [2, 2], 1: [2], 2: [2], 3: [3, 2], 4: [3], 5: (vector(2, 1, 5), [2])},
    "SparseToSparseSetOperation": {0: [2, 2], 1: [2], 2: [2], 3: [3, 2], 4: [3], 5: (vector(2, 1, 5), [2])},
    "ParallelConcat": {0: [1, 3], 1: [1, 3], 2: [1, 3]},
    "BlockLSTMGrad": {0: 0, 1: 3, 2: 2, 3: 2, 4: 2, 5: 1, 6: 1, 7: 1, 8: 1},
    "BlockLSTMGradV2": {0: 0, 1: 3, 2: 2, 3: 2, 4: 2, 5: 1, 6: 1, 7: 1, 8: 1},
    "RandomUniformInt": {1: 0, 2: 0},
    "StatelessRandomUniformInt": {1: [2], 2: 0, 3: 0},
    "StatelessRandomUniformIntV2": {1: [1], 2: [2], 3: 0, 4: 0, 5: 0},
    "UniformQuantizedDot": {0: 2, 1: 2} | dict.fromkeys(range(2, 8), 0),
    "UniformQuantizedConvolution": {0: 4, 1: 4} | dict.fromkeys(range(2, 8), 0),
    "ParseExample": {0: 1, 1: 1} | dict.fromkeys(range(2, 9), 0),
    "ParseSingleExample": {0: 0},
    "ParseSingleSequenceExample": dict.fromkeys(range(12), 0) | {1: 1},
    "ParseSequenceExample": {0: 1, 1: 1},
    "ParseSequenceExampleV2": {0: (0, 1)} | dict.fromkeys(range(1, 9), 1),
    "ParseExampleV2": {0: (0, 1), 1: 1, 2: 1, 3: 1, 4: 1},
    "MaxPool3DGradGrad": {0: [2, 3, 3, 3, 2], 1: [2, 3, 3, 3, 2], 2: [2, 3, 3, 3, 2]},
    "_QuantizedMaxPool3D": {0: 5, 1: 0, 2: 0},
    "RaggedTensorToTensor": {0: (vector(2, -1, 4), vector(3, -1, 4), 1), 1: (1, 2), 2: 0} | dict.fromkeys((3, 4, 5), 1),
})  # fmt: skip
for op in QUANTIZED:
    INPUTS[op] = {0: [2, 8, 8, 4], 1: [3, 3, 4, 2]} | INPUTS.get(op, {})
for op in catalog.names():
    arguments = [arg.name for arg in catalog.get(op).inputs]
    if op.startswith(("SparseMatrix", "CSRSparseMatrix")) and op != "SparseMatrixZeros":
        shared = next(((("T", name),) for name in ("T", "type") if name in catalog.get(op).attrs), ())
        matrices = {0: Made("SparseTensorToCSRSparseMatrix", shared)}
        if op in ("SparseMatrixAdd", "SparseMatrixSparseMatMul", "SparseMatrixSoftmaxGrad"):
            matrices[1] = matrices[0]
        INPUTS[op] = matrices | {index: 0 for index, name in enumerate(arguments) if name in ("alpha", "beta", "index")}
    if "record_defaults" in arguments:
        INPUTS[op] = dict.fromkeys(range(arguments.index("record_defaults"), 12), (0, [1], [0]))
        if op.startswith("CSVDataset"):
            INPUTS[op] = {0: (0, 1)} | dict.fromkeys(range(1, 12), 0) | {6 + (op == "CSVDatasetV2"): 1}

SAME_LENGTH.update({
    "ParseExample": (("Nsparse", "sparse_types"), ("Ndense", "Tdense", "dense_shapes")),
    "ParseSingleExample": (("num_sparse", "sparse_keys", "sparse_types"), ("dense_keys", "Tdense", "dense_shapes")),
    "ParseExampleV2": (("num_sparse", "sparse_types"), ("Tdense", "dense_shapes"),
                       ("ragged_value_types", "ragged_split_types")),
    "DTensorRestoreV2": (("input_shapes", "input_layouts", "dtypes"),),
    "_VarHandlesOp": (("containers", "shared_names", "N", "dtypes", "shapes"),),
    "RaggedCross": (("ragged_values_types", "ragged_splits_types"), ("Nsparse", "sparse_values_types")),
    "MapDefun": (("output_types", "output_shapes"),),
})  # fmt: skip
for op in ("ParseSequenceExample", "ParseSequenceExampleV2", "ParseSingleSequenceExample"):
    SAME_LENGTH[op] = (
        ("Ncontext_sparse", "context_sparse_keys", "context_sparse_types"),
        ("Ncontext_dense", "context_dense_keys", "Tcontext_dense", "context_dense_shapes"),
        ("Nfeature_list_sparse", "feature_list_sparse_keys", "feature_list_sparse_types"),
        ("Nfeature_list_dense", "feature_list_dense_keys", "feature_list_dense_types", "feature_list_dense_shapes"),
        ("context_ragged_value_types", "context_ragged_split_types"),
        ("feature_list_ragged_value_types", "feature_list_ragged_split_types"),
    )


def fit_padding(case: OpCase) -> None:
    """Pad explicitly only where `padding` says so."""
    if case.attrs["padding"] != b"EXPLICIT":
        case.attrs["explicit_paddings"] = []
    elif not case.attrs["explicit_paddings"]:
        case.attrs["explicit_paddings"] = [0, 0, 1, 2, 0, 1, 0, 0]
        case.attrs["data_format"] = b"NHWC"


def fit_concatenation(case: OpCase) -> None:
    """Give the first dimension the number of inputs."""
    case.attrs["shape"] = Shape([case.attrs["N"], 3])


def fit_template(case: OpCase) -> None:
    """Put as many placeholders into the template as there are inputs."""
    case.attrs["placeholder"] = b"%s"
    case.attrs["template"] = b"%s " * len(case.attrs["T"])


def fit_crossed(case: OpCase) -> None:
    """Take as many inputs of each kind as `input_order` says."""
    kinds = ("ragged_values_types", b"R"), ("sparse_values_types", b"S"), ("dense_types", b"D")
    case.attrs["input_order"] = b"".join(letter * len(case.attrs[name]) for name, letter in kinds)


def fit_shapes(case: OpCase) -> None:
    """Leave no shape of a feature open: TensorFlow takes an unknown rank for a scalar there."""
    for name, value in case.attrs.items():
        if name.endswith("dense_shapes"):
            case.attrs[name] = [Shape([2]) if shape.dims is None else shape for shape in value]


def fit_partitions(case: OpCase) -> None:
    """Say what each row partition is."""
    kinds = [b"FIRST_DIM_SIZE", b"VALUE_ROWIDS", b"VALUE_ROWIDS"][: case.attrs["num_row_partition_tensors"]]
    case.attrs["row_partition_types"] = kinds if len(kinds) > 1 else [b"ROW_SPLITS"]


FITTED.update({
    "ParseSequenceExample": fit_shapes,
    "ParseSequenceExampleV2": fit_shapes,
    "ParseSingleSequenceExample": fit_shapes,
    "RaggedTensorToTensor": fit_partitions,
    "Conv2D": fit_padding,
    "MaxPool": fit_padding,
    "ParallelConcat": fit_concatenation,
    "StringFormat": fit_template,
    "RaggedCross": fit_crossed,
})  # fmt: skip
ATTRS["SparseMatrixMul"] = {"T": (FLOAT,)}
DOTS = (b"\n\x01\x01\x12\x01\x00", b'\n\x01\x02\x12\x01\x01\x1a\x01\x00"\x01\x00', b"\x08\x01\x10\x00", b"")
for op in ("XlaDot", "XlaDotV2"):
    ATTRS[op] = {"dimension_numbers": DOTS}
    INPUTS[op] = {0: [2, 3, 4], 1: ([2, 4, 5], [3, 5])}
INPUTS["XlaPad"] = {
    0: (2, 3),
    1: 0,
    2: (vector((2, 3), 0, 2), 1),
    3: (vector((2, 3), -1, 2), 1),
    4: (vector((2, 3), 0, 2), 1),
}
SAME_LENGTH["XlaCustomCallV2"] = (("result_dtypes", "result_shapes"),)
ATTRS["XlaEinsum"] = {"equation": (b"ij,jk->ik", b"ab,cb->ac")}
INPUTS["XlaEinsum"] = {0: 2, 1: 2}
