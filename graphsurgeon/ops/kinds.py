"""Kinds of TensorFlow ops, each set once and under the name the field has for it.

A set is what the ops have in common for *us*, so it says which question it answers. Forms that differ in nothing
that matters to the question stand together: those on references (`RefMerge`), those that the runtime makes while it
prepares a graph (`_While`, `_If`, `_SwitchN`, `_Arg`), and earlier versions (`FusedBatchNorm`). Source of the facts,
where no other is named: the op definitions in `tensorflow/core/ops/*.cc`.

Names of other frameworks' ops are others: who reads such graphs adds them where they are needed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# -- control flow, first kind: one graph, in which values are alive or dead --------------------------------
# `tensorflow/core/ops/control_flow_ops.cc`; the executor's rules are in `tensorflow/core/common_runtime/executor.cc`.

ENTERS = frozenset({"Enter", "RefEnter"})  # into the frame of a loop
EXITS = frozenset({"Exit", "RefExit"})
SWITCHES = frozenset({"Switch", "RefSwitch", "_SwitchN"})  # all outputs but one are dead
TWO_WAY_SWITCHES = frozenset({"Switch", "RefSwitch"})  # by a bool: output 0 is the false side
MERGES = frozenset({"Merge", "RefMerge"})  # run as soon as one input is alive
BACK_EDGES = frozenset({"NextIteration", "RefNextIteration"})  # whose consumers run in the next turn: no dependency
CONTROL_FLOW = ENTERS | EXITS | SWITCHES | MERGES | BACK_EDGES | {"LoopCond"}
# An op on references -> the op on values that does the same.
VALUE_FORMS = {
    "RefSwitch": "Switch", "RefMerge": "Merge", "RefEnter": "Enter", "RefExit": "Exit",
    "RefNextIteration": "NextIteration", "RefIdentity": "Identity",
}  # fmt: skip

# -- control flow, second kind: ops that run functions ----------------------------------------------------

PLAIN_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})  # inputs are the arguments, no more
# Attribute `f` is the function, outputs are its results, and the first inputs its arguments: `TPUPartitionedCall`
# takes the number of a device behind them. What it calls is compiled for that device, so it is not opened in place.
CALLS = PLAIN_CALLS | {"TPUPartitionedCall"}
LOOPS = frozenset({"While", "StatelessWhile", "_While"})  # attributes `cond` and `body`, one list of types `T`
IFS = frozenset({"If", "StatelessIf", "_If"})  # `then_branch` and `else_branch`; input 0 is the condition
CASES = frozenset({"Case", "StatelessCase"})  # `branches`; input 0 is the index
BRANCHES = IFS | CASES
# The same as XLA has them, with arguments of other names; `For` counts and has no condition.
XLA_FLOW = frozenset({"XlaWhile", "XlaIf", "For"})
# Run functions on their inputs when they run themselves, and do nothing else.
RUNNERS = CALLS | LOOPS | BRANCHES | {"BatchFunction", "MapDefun", "ReduceDataset", "RemoteCall", "SymbolicGradient"}
# Whose outputs are the results of their function, or of each of several.
YIELD_RESULTS = CALLS | LOOPS | BRANCHES | XLA_FLOW | {"BatchFunction", "RemoteCall"}
# How these pass their inputs on is not told by lists of arguments in their definitions.
IRREGULAR_RUNNERS = frozenset({
    "ChooseFastestBranchDataset", "XlaLaunch", "XlaLaunchV2", "XlaCallModule", "_TPUReplicate",
})  # fmt: skip

# -- what only another machine runs ---------------------------------------------------------------------------

TPU_CALLS = frozenset({"TPUPartitionedCall"})  # run their function on the TPU that the last input numbers
# One input and one output for each replica: with one replica they hand a value on (`tpu_replication_ops.cc`), and so
# they do where all replicas are fed one value, unless ops in them tell replicas apart.
TPU_REPLICATED = frozenset({"TPUReplicatedInput", "TPUReplicatedOutput"})
# Say how a TPU is set up, which one is meant, or that a program compiles; no number of a model comes from them.
TPU_SETTINGS = frozenset({
    "TPUOrdinalSelector", "TPURoundRobin", "TPUReplicateMetadata", "TPUCompilationResult", "ConfigureDistributedTPU",
    "ShutdownDistributedTPU", "ShutdownTPUSystem", "ConfigureAndInitializeGlobalTPU", "_ConfigureDistributedTPU",
    "_WaitForDistributedTPU", "_SetGlobalTPUArray", "_InitializeHostForDistributedTPU",
    "_DisconnectHostFromDistributedTPUSystem",
})  # fmt: skip
ACROSS_REPLICAS = frozenset({
    "AllToAll", "CollectivePermute", "CrossReplicaSum", "XlaAllReduce", "XlaReduceScatter", "XlaReplicaId",
    "CollectiveAllToAllV2", "CollectiveAllToAllV3", "CollectiveBcastRecv", "CollectiveBcastRecvV2",
    "CollectiveBcastSend", "CollectiveBcastSendV2", "CollectiveGather", "CollectiveGatherV2", "CollectiveReduce",
    "CollectiveReduceScatterV2", "CollectiveReduceV2", "CollectiveReduceV3", "NcclAllReduce",
})  # fmt: skip
TPU_OPS = TPU_CALLS | TPU_REPLICATED | TPU_SETTINGS
TRT_ENGINES = frozenset({"TRTEngineOp"})  # a segment that TensorRT compiled; the function it was made of stands beside
# Make, fill and write the cache of engines that a SavedModel keeps as a resource.
TRT_RESOURCES = frozenset({"CreateTRTResourceHandle", "InitializeTRTResource", "SerializeTRTResource"})

MODULE_CALLS = frozenset({"XlaCallModule"})  # run a program of StableHLO that they hold

# -- what goes in -------------------------------------------------------------------------------------------

MUST_BE_FED = frozenset({"Placeholder", "PlaceholderV2"})
PLACEHOLDERS = MUST_BE_FED | {"PlaceholderWithDefault"}
CONSTANTS = frozenset({"Const", "HostConst"})
ITERATED = frozenset({"IteratorGetNext", "IteratorGetNextSync"})
# Yield the next element of an input pipeline: what a training graph has in place of a placeholder.
ELEMENTS = ITERATED | {
    "QueueDequeue", "QueueDequeueV2", "QueueDequeueMany",
    "QueueDequeueManyV2", "QueueDequeueUpTo", "QueueDequeueUpToV2", "ReaderRead", "ReaderReadV2",
}  # fmt: skip
ELEMENTS_BY_TYPES = ITERATED | {"DatasetToSingleElement", "OptionalGetValue"}  # `output_types`, `output_shapes`
QUEUES_BY_TYPES = frozenset({  # `component_types`, `shapes`
    "FIFOQueue", "FIFOQueueV2", "PaddingFIFOQueueV2", "RandomShuffleQueue", "RandomShuffleQueueV2",
})  # fmt: skip
PARSERS = frozenset({"ParseExample", "ParseExampleV2", "ParseSingleExample"})  # of serialized `tf.train.Example`
SEQUENCE_PARSERS = frozenset({"ParseSequenceExample", "ParseSequenceExampleV2", "ParseSingleSequenceExample"})
IMAGE_DECODERS = frozenset({"DecodeImage", "DecodeJpeg", "DecodePng", "DecodeAndCropJpeg", "ExtractJpegShape"})
RANDOM_UNIFORM = frozenset({"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"})

# -- what hands a value on ----------------------------------------------------------------------------------

# Same elements, same shape, and nothing else happens: the last two only change what is differentiated.
IDENTITIES = frozenset({"Identity", "Snapshot", "PreventGradient", "StopGradient"})
SAME_VALUE = IDENTITIES | {"RefIdentity"}  # the same for a reference
CHECKED_VALUE = frozenset({"Print", "CheckNumerics", "CheckNumericsV2"})  # the same value, said or looked at on the way
SAYING = CHECKED_VALUE | {"Assert", "NoOp", "PrintV2"}  # stateful for what they say, and keep nothing
RESHAPES = frozenset({"Squeeze", "Reshape", "ExpandDims"})  # the same elements in the same order
# What comes out has the shape of the first input, and each element of it comes of one element of each input.
ELEMENT_BY_ELEMENT = _words(
    """
    Abs Acos Acosh Angle Asin Asinh Atan Atanh BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0
    BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Ceil ComplexAbs Conj Cos Cosh Dawsn Digamma Elu Erf Erfc Erfinv
    Exp Expint Expm1 Floor FresnelCos FresnelSin Imag Inv Invert IsFinite IsInf IsNan LeakyRelu Lgamma Log Log1p
    LogicalNot Ndtri Neg OnesLike PopulationCount Real Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin
    Sinh Softplus Softsign Spence Sqrt Square Tan Tanh ZerosLike _UnaryOpsComposition RiscAbs RiscCast RiscCeil
    RiscCos RiscExp RiscFloor RiscImag RiscIsFinite RiscLog RiscLogicalNot RiscNeg RiscReal RiscSign RiscUnary
    RiscBinaryArithmetic ClipByValue InvGrad ReciprocalGrad RsqrtGrad SigmoidGrad SqrtGrad TanhGrad
    """
)
# The same of two inputs that broadcast.
BROADCASTING = _words(
    """
    Add AddV2 Atan2 BitwiseAnd BitwiseOr BitwiseXor Complex Div DivNoNan FloorDiv FloorMod Greater GreaterEqual
    Igamma IgammaGradA Igammac LeftShift Less LessEqual LogicalAnd LogicalOr Maximum Minimum Mod Mul MulNoNan
    NextAfter Polygamma Pow RealDiv RightShift SquaredDifference Sub TruncateDiv TruncateMod Xdivy Xlog1py Xlogy
    Zeta
    """
)
# Of which TensorFlow gives the same bits wherever in a tensor an element lies (measured on 2.21); others take the last
# few of many by other code.
SAME_ANYWHERE = IDENTITIES | {
    "Abs", "Add", "AddN", "AddV2", "Cast", "Ceil", "ClipByValue", "Div", "Equal", "Erf", "Floor", "FloorDiv",
    "Greater", "GreaterEqual", "LeakyRelu", "Less", "LessEqual", "LogicalAnd", "LogicalNot", "LogicalOr", "Maximum",
    "Minimum", "Mul", "Neg", "NotEqual", "RealDiv", "Relu", "Relu6", "Rint", "Round", "SelectV2", "Sign", "Sqrt",
    "Square", "SquaredDifference", "Sub", "Tanh",
}  # fmt: skip
EXTREMES = frozenset({"Max", "Min", "All", "Any"})  # reductions of which the order does not matter
SUMS = frozenset({"Mean", "Sum", "Prod"})  # of floats it does, in the last bits
PLACES = frozenset({"ArgMax", "ArgMin"})  # where an extreme is: the first of equal ones along one axis


class AxesOfInputs(NamedTuple):
    """Which inputs of an op are data, which have a row for each axis of them, and which names axes."""

    data: slice
    per_axis: tuple[int, ...] = ()
    axes: int | None = None


# Compute the same in any order of the axes, if what is said of axes follows (masks and formats in attributes too).
PERMUTED = {
    "ConcatV2": AxesOfInputs(slice(0, -1), axes=-1),
    "Pad": AxesOfInputs(slice(0, 1), (1,)),
    "PadV2": AxesOfInputs(slice(0, 1), (1,)),
    "MirrorPad": AxesOfInputs(slice(0, 1), (1,)),
    "Slice": AxesOfInputs(slice(0, 1), (1, 2)),
    "StridedSlice": AxesOfInputs(slice(0, 1), (1, 2, 3)),
    "BiasAdd": AxesOfInputs(slice(0, 1)),
    "Tile": AxesOfInputs(slice(0, 1), (1,)),
    "Split": AxesOfInputs(slice(1, 2), axes=0),
    "SplitV": AxesOfInputs(slice(0, 1), axes=2),
    "ReverseV2": AxesOfInputs(slice(0, 1), axes=1),
}
REDUCED = AxesOfInputs(slice(0, 1), axes=1)
# Of which the attribute `data_format` says where the channels of the data are. That of a maximum is exact either way.
POOLED_MOST = {"MaxPool": AxesOfInputs(slice(0, 1)), "MaxPool3D": AxesOfInputs(slice(0, 1))}
FORMATTED = dict.fromkeys(
    ("Conv2D", "Conv3D", "DepthwiseConv2dNative", "AvgPool", "AvgPool3D",
     "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), AxesOfInputs(slice(0, 1)),
) | {"Conv2DBackpropInput": AxesOfInputs(slice(2, 3), (0,))}  # fmt: skip
# Hand on their first input, or elements of it: a path or a text in what comes out was in what went in.
ELEMENTS_OF_FIRST = _words(
    """
    Identity IdentityN StopGradient PreventGradient Snapshot Reshape ExpandDims Squeeze EnsureShape GuaranteeConst
    DeepCopy BroadcastTo Tile Enter RefEnter Exit RefExit NextIteration RefNextIteration Switch RefSwitch
    RefIdentity Gather GatherV2 GatherNd Slice StridedSlice Unpack Unstage RandomShuffle Transpose Print
    DebugIdentity DebugIdentityV2 DebugIdentityV3 Copy CopyHost ReverseV2 CheckNumerics UnicodeTranscode Bitcast
    TensorListFromTensor TensorListStack TensorListGetItem Unique UniqueV2 SplitV OptionalFromValue
    OptionalGetValue Unbatch Batch
    """
)
# Hand on elements of each of their inputs.
ELEMENTS_OF_ALL = MERGES | {"Pack", "ParallelConcat", "DynamicStitch", "ParallelDynamicStitch"}
# From one input to one output, reference or value, wherever control flow puts it.
ONE_TO_ONE = frozenset({"Identity", "RefIdentity"}) | ENTERS | EXITS | BACK_EDGES
# Hand a variable's handle or reference on: each output is one of the inputs.
HANDS_ON = ONE_TO_ONE | SWITCHES | MERGES | {"IdentityN"}
# The output is the first input: its elements if not its place, whichever turn or branch it is alive in.
FIRST_INPUT = SAME_VALUE | ONE_TO_ONE | SWITCHES | {
    "IdentityN", "ReadVariableOp", "CheckNumerics", "CheckNumericsV2", "EnsureShape", "DeepCopy", "DebugIdentity",
    "DebugIdentityV2", "XlaSharding", "_Arg", "_Retval",
}  # fmt: skip
# Ops on references that hand the reference, or a fact about it, on; any other op that takes one may change it.
REFERENCE_ONLY = frozenset(VALUE_FORMS) | {"RefSelect", "IsVariableInitialized"}

# -- variables ----------------------------------------------------------------------------------------------

RESOURCE_VARIABLES = frozenset({"VarHandleOp"})
# `AutoReloadVariable` has no definition in public; TensorFlow's own optimizer knows it (`grappler/op_types.cc`).
REF_VARIABLES = frozenset({"VariableV2", "Variable", "AutoReloadVariable"})
VARIABLES = RESOURCE_VARIABLES | REF_VARIABLES
ASSIGNMENTS = frozenset({"Assign", "AssignVariableOp"})
STEPS = frozenset({"AssignAdd", "AssignSub", "AssignAddVariableOp", "AssignSubVariableOp"})  # by a difference
UPDATES = ASSIGNMENTS | STEPS
INITIALIZED = frozenset({"VarIsInitializedOp", "IsVariableInitialized"})  # whether a variable holds a value
SHAPE_READS = INITIALIZED | {"VariableShape"}  # do not look at the value
VALUE_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd"})
READS = SHAPE_READS | VALUE_READS
# On the way from a variable to a saver's file, or from there, as `tf.saved_model.save` traces it.
TRACED_SAVER = frozenset({
    "ReadVariableOp", "DisableCopyOnRead", "AssignVariableOp", "VarIsInitializedOp", "Identity", "Reshape", "NoOp",
})  # fmt: skip

# -- lookup tables ------------------------------------------------------------------------------------------
# Without "V2" they yield and take references to a table's name, with it handles.

FIXED_TABLES = frozenset({"HashTable", "HashTableV2"})  # filled once
DENSE_TABLES = frozenset({"MutableDenseHashTable", "MutableDenseHashTableV2"})
TABLES = FIXED_TABLES | DENSE_TABLES | {
    "MutableHashTable", "MutableHashTableV2", "MutableHashTableOfTensors", "MutableHashTableOfTensorsV2",
}  # fmt: skip
TABLE_IMPORTS = frozenset({"LookupTableImport", "LookupTableImportV2"})
TABLE_FILLS = TABLE_IMPORTS | {"InitializeTable", "InitializeTableV2"}  # from tensors: inputs 1 and 2
TABLE_FILES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
TABLE_READS = frozenset({"LookupTableFind", "LookupTableFindV2", "LookupTableSize", "LookupTableSizeV2"})
TABLE_CHANGES = frozenset({"LookupTableInsert", "LookupTableInsertV2", "LookupTableRemoveV2"})
# Which have a form of the same arguments on handles: the name with "V2" behind it. `MutableDenseHashTableV2` has one
# argument more, the key that stands for what is deleted.
TABLES_BY_REFERENCE = frozenset({
    "HashTable", "MutableHashTable", "MutableHashTableOfTensors", "LookupTableFind", "LookupTableSize",
    "LookupTableImport", "LookupTableExport", "InitializeTable",
})  # fmt: skip

# -- files --------------------------------------------------------------------------------------------------


class SaveLayout(NamedTuple):
    """Where an op that saves has its tensors, the constants that list them, and the attribute with their types."""

    first: int
    lists: tuple[int, ...]
    types: str


SAVES = {
    "SaveV2": SaveLayout(3, (1, 2), "dtypes"),
    "SaveSlices": SaveLayout(3, (1, 2), "T"),
    "Save": SaveLayout(2, (1,), "T"),
}
RESTORES = frozenset({"RestoreV2", "Restore", "RestoreSlice"})

# -- what acts, though it yields nothing ----------------------------------------------------------------------

SUMMARY_WRITERS = frozenset({
    "WriteSummary", "WriteScalarSummary", "WriteHistogramSummary", "WriteImageSummary", "WriteAudioSummary",
    "WriteGraphSummary", "WriteRawProtoSummary", "FlushSummaryWriter", "CloseSummaryWriter",
    "CreateSummaryFileWriter", "CreateSummaryDbWriter", "ImportEvent",
})  # fmt: skip
# Lists of tensors: which input spells the shape of an element, of what makes a list and of what reads one (input 0);
# and which one is put into the list (input 0).
EMPTY_LISTS = {"TensorListReserve": 0, "EmptyTensorList": 0}
FILLED_LISTS = {"TensorListFromTensor": 1}
LIST_READERS = {"TensorListStack": 1, "TensorListGetItem": 2, "TensorListGather": 2, "TensorListPopBack": 1}
LIST_ITEMS = {"TensorListSetItem": 2, "TensorListPushBack": 1}
SHAPE_OPS = frozenset({"Shape", "ShapeN", "Size", "Rank"})  # look at the shape of a value alone
# Not marked stateful, and yet more than a function of their inputs: they read files, or make what is written to later.
QUIETLY_IMPURE = frozenset({
    "ReadFile", "MatchingFiles", "ImmutableConst", "TensorListReserve", "EmptyTensorList", "EmptyTensorMap",
})  # fmt: skip
# Functions of their inputs and nothing else, beside those that take elements one by one and those with a kernel here.
PURE = _words(
    """
    AddN ArgMax ArgMin AsString BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpaceND BiasAdd Bincount Bitcast
    Bucketize Conv2D Cumprod Cumsum DepthToSpace DepthwiseConv2dNative Diag DiagPart DynamicStitch Einsum
    EuclideanNorm GatherNd LRN L2Loss LinSpace LogSoftmax LowerBound MatMul MatrixBandPart MatrixDiag
    MatrixDiagPartV3 MatrixDiagV3 MatrixSetDiagV3 MaxPool Mean MirrorPad OneHot Pad PadV2 Prod ReduceJoin
    RegexReplace ResizeBilinear ResizeNearestNeighbor ReverseSequence Roll ScatterNd SegmentSum Softmax
    SpaceToBatchND SpaceToDepth SparseToDense SplitV StringJoin StringLength StringLower StringStrip StringToNumber
    StringUpper Substr TensorScatterUpdate TopK TopKV2 Unique UnravelIndex UnsortedSegmentSum UpperBound Where
    """
)
TFLITE_RANDOM = frozenset({"RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL", "MULTINOMIAL"})  # other numbers at each run
# What they compute is output 0; the others are means, variances, indices for their own gradients.
BY_PRODUCTS = MERGES | {
    "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "_FusedBatchNormEx", "MaxPoolWithArgmax",
    "SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits", "BatchNormWithGlobalNormalization",
    "LRN", "CTCLoss", "CTCLossV2",
}  # fmt: skip
PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})  # need the Python process that made the graph
# Stateful by their definition, yet nobody notices that they ran unless he uses the result: they read, make handles,
# draw numbers. `is_stateful` in the definitions covers these too, so that they are neither merged nor folded.
QUIET = _words(
    """
    VarHandleOp _VarHandlesOp Variable VariableV2 AutoReloadVariable TemporaryVariable ReadVariableOp _ReadVariablesOp
    ReadVariableXlaSplitND ResourceGather ResourceGatherNd VariableShape VarIsInitializedOp IsVariableInitialized
    DisableCopyOnRead LookupTableFind LookupTableFindV2 LookupTableSize LookupTableSizeV2 LookupTableExport
    LookupTableExportV2 Multinomial ParameterizedTruncatedNormal TruncatedNormal NonDeterministicInts
    StatelessRandomGetAlg SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 Restore RestoreSlice RestoreV2
    Iterator IteratorV2 AnonymousIterator AnonymousIteratorV2 AnonymousIteratorV3 OneShotIterator DeviceIndex Empty
    GuaranteeConst DeepCopy Timestamp GlobalIterId _Arg _Retval FIFOQueue FIFOQueueV2 PaddingFIFOQueue
    PaddingFIFOQueueV2 PriorityQueue PriorityQueueV2 RandomShuffleQueue RandomShuffleQueueV2 FakeQueue QueueSizeV2
    QueueIsClosedV2 Barrier MutexV2 GraphDefVersion LoadAndRemapMatrix Skipgram Bucketize PyFuncStateless
    """
)
QUIET_PREFIXES = (
    "Random", "TensorArray", "Stack", "Collective", "IteratorToStringHandle", "IteratorFromStringHandle",
)  # fmt: skip
QUIET_PARTS = ("HashTable", "Dataset", "CandidateSampler", "Iterator")
# Of names that would be quiet: they write files, fill tables, or take an element away from others.
LOUD = frozenset({
    "DatasetToTFRecord", "ExperimentalDatasetToTFRecord", "SaveDataset", "SaveDatasetV2", "MakeIterator",
    "InitializeTableFromDataset", "IteratorGetNext", "IteratorGetNextSync",
})  # fmt: skip

# -- what networks are built of -------------------------------------------------------------------------------

ADDS = frozenset({"Add", "AddV2"})
DIVISIONS = frozenset({"RealDiv", "Div"})
SELECTS = frozenset({"Select", "SelectV2"})
# Slide a window over an image of rank 4, a volume of rank 5; lists among their attributes have an entry a dimension.
WINDOWS_OF_IMAGES = frozenset({
    "AvgPool", "Conv2D", "Conv2DBackpropInput", "DepthwiseConv2dNative", "Dilation2D", "ExtractImagePatches", "MaxPool",
    "MaxPoolWithArgmax",
})  # fmt: skip
WINDOWS_OF_VOLUMES = frozenset({"AvgPool3D", "Conv3D", "MaxPool3D"})
BATCH_NORMS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
PADS = frozenset({"Pad", "PadV2", "MirrorPad"})
SHAPE_SOURCES = frozenset({"Shape", "ShapeN", "Size", "Rank"})  # of what they are given, only the shape counts
# Arithmetic on shapes, when all that it reads is shapes and constants.
SHAPE_STEPS = _words(
    """Add AddV2 Sub Mul FloorDiv FloorMod RealDiv Div Maximum Minimum Prod Cast StridedSlice Slice Pack ConcatV2
    Concat GatherV2 Gather ExpandDims Squeeze Reshape Range Equal NotEqual Less Greater GreaterEqual LessEqual Select
    SelectV2 Fill BroadcastArgs Unpack Split SplitV Ceil Floor Round Where ConcatOffset"""
)
# With weights of their own: what follows one has been through a layer.
LAYERS = BATCH_NORMS | {
    "BatchMatMul", "BatchMatMulV2", "BiasAdd", "Conv2D", "Conv2DBackpropInput", "Conv3D", "DepthwiseConv2dNative",
    "Einsum", "MatMul",
}  # fmt: skip
LAST_LAYERS = frozenset({"BiasAdd", "LogSoftmax", "MatMul", "Sigmoid", "Softmax"})  # what a classifier ends in
# What makes an answer of a network's last layer: a probability, a class, boxes without their doubles.
ANSWERS = frozenset({"Softmax", "Sigmoid", "LogSoftmax", "ArgMax", "TopKV2", "CombinedNonMaxSuppression"})
# What a loss or a metric does to an answer before it meets the labels.
BEFORE_LABELS = frozenset({
    "ArgMax", "Cast", "ClipByValue", "Log", "Log1p", "Maximum", "Minimum", "Neg", "Reshape", "Round", "TopKV2",
})  # fmt: skip
# Between the statistics of a batch and the update of a moving average: its arithmetic, and what hands values on.
MOVING_AVERAGE = IDENTITIES | ADDS | SWITCHES | MERGES | {"Squeeze", "Reshape", "Cast", "Mul", "Sub", "RealDiv"}

# -- training and service, by the form of the name ------------------------------------------------------------
# There are hundreds, and more with each version; their names are regular.

_OPTIMIZER = r"(Resource)?(Sparse)?Apply[A-Z]\w*"
_GRADIENT = r"\w+Grad(V\d|WithArgmax)?|\w+GradInput\w*|\w*BackpropFilter\w*|BroadcastGradientArgs"
_LOSS = r"\w*CrossEntropyWithLogits|L2Loss|CTCLoss\w*"
_TRAINING = f"{_OPTIMIZER}|{_GRADIENT}|{_LOSS}"
_SUMMARY = r"\w*Summary(V2)?|\w*Summary(File|Db)?Writer\w*|WriteSummary\w*|WriteScalar\w*"
_PIPELINE = r"\w*(Queue|Dataset|Iterator|Barrier|Reader)\w*|Stage|Unstage"
_SAVER = r"Save(V2|Slices)?|Restore(V2|Slice)?|MergeV2Checkpoints|ShardedFile(name|spec)"
_FILLER = r"(InitializeTable|LookupTableImport|MakeIterator)\w*"
# What never yields an answer: beside the above, sources of values and what only looks at a shape.
_SERVICE = (
    r"Save\w*|Restore\w*|MergeV2Checkpoints|ShardedFilename|\w*Summary(V2)?|\w*Queue\w*|Assign\w*|Scatter(Add|Sub|Update)"
    r"|ResourceScatter\w*|Assert|Print(V2)?|NoOp|\w*Initialized\w*|InitializeTable\w*|LookupTableImport\w*|\w*Iterator\w*"
    r"|\w*Dataset\w*|WriteFile|Const|VarHandleOp|Variable(V2)?|\w*HashTable\w*|Placeholder\w*|Shape(N)?|Rank|Size"
    r"|FIFOQueueV2|Barrier\w*|Stage|Unstage|_Retval|_Arg|ControlTrigger|TensorArray(V\d)?"
)


def is_optimizer(op: str) -> bool:
    """Say whether an op is how an optimizer updates a variable: `ApplyAdam`, `ResourceSparseApplyFtrlV2`."""
    return _has_form(_OPTIMIZER, op)


def is_gradient(op: str) -> bool:
    """Say whether an op computes gradients: `ReluGrad`, `Conv2DBackpropFilter` (`...Input` may be a layer)."""
    return _has_form(_GRADIENT, op)


def is_training(op: str) -> bool:
    """Say whether an op is of training alone: an optimizer's, a gradient, or a loss with a gradient of its own."""
    return _has_form(_TRAINING, op)


def is_summary(op: str) -> bool:
    """Say whether an op makes or writes what a dashboard shows."""
    return _has_form(_SUMMARY, op)


def is_pipeline(op: str) -> bool:
    """Say whether an op belongs to an input pipeline: queues, readers, datasets, iterators."""
    return _has_form(_PIPELINE, op)


def is_saver(op: str) -> bool:
    """Say whether an op saves or restores, or names the files for that."""
    return _has_form(_SAVER, op)


def is_filler(op: str) -> bool:
    """Say whether a program runs an op so that a table or iterator holds something."""
    return _has_form(_FILLER, op)


def is_service(op: str) -> bool:
    """Say whether an op never yields an answer: it saves, loads, writes, checks, feeds, or only holds a value."""
    return _has_form(_SERVICE, op)


# A large graph has few ops.
@lru_cache(maxsize=8192)
def _has_form(form: str, op: str) -> bool:
    return re.fullmatch(form, op) is not None


# -- TFLite: where kernels keep what they yield -------------------------------------------------------------
# `inplace_operator` of the registrations in `tflite/kernels/*.cc`: the inputs whose bytes the result may take.

TFLITE_IN_PLACE = {
    "ADD": (0, 1), "SUB": (0, 1), "MUL": (0, 1), "DIV": (0, 1), "SOFTMAX": (0,), "LOG_SOFTMAX": (0,),
    "DYNAMIC_UPDATE_SLICE": (0,),
}  # fmt: skip
TFLITE_MOVED_IN_PLACE = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "BITCAST"})  # the same bytes: nothing is moved
TFLITE_TYPES_ONLY = frozenset({"QUANTIZE", "DEQUANTIZE", "CAST"})  # the same numbers, stored in another way
TFLITE_UNPACKED = frozenset({"DEQUANTIZE", "DENSIFY", "CAST"})  # of a constant: once, and kept
# The inputs that say how large the result is: unless they are constants that is known only when it runs. The first
# ones yield as many elements as they find.
TFLITE_AS_MANY_AS_FOUND = frozenset({"WHERE", "UNIQUE", "SEGMENT_SUM"})
TFLITE_SIZED_BY = {
    "RESHAPE": (1,), "FILL": (0,), "TILE": (1,), "BROADCAST_TO": (1,), "TRANSPOSE_CONV": (0,), "RANGE": (0, 1, 2),
    "RESIZE_BILINEAR": (1,), "RESIZE_NEAREST_NEIGHBOR": (1,), "PAD": (1,), "PADV2": (1,), "MIRROR_PAD": (1,),
    "SLICE": (1, 2), "STRIDED_SLICE": (1, 2, 3), "SCATTER_ND": (2,), "TOPK_V2": (1,), "ONE_HOT": (1,),
    "EXPAND_DIMS": (1,), "SPACE_TO_BATCH_ND": (1, 2), "BATCH_TO_SPACE_ND": (1, 2), "CONV_3D_TRANSPOSE": (0,),
    "NON_MAX_SUPPRESSION_V4": (2,), "NON_MAX_SUPPRESSION_V5": (2,), "RANDOM_UNIFORM": (0,), "MEAN": (1,), "SUM": (1,),
}  # fmt: skip
