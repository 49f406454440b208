"""Datasets and iterators: a dataset is a scalar variant; what an iterator yields is in its attributes."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.registry import Result, shape_fn

_DATASETS = (
    "AssertCardinalityDataset", "AssertNextDataset", "AssertPrevDataset", "AutoShardDataset", "BatchDataset",
    "BatchDatasetV2", "BytesProducedStatsDataset", "CSVDataset", "CSVDatasetV2", "CacheDataset", "CacheDatasetV2",
    "ChooseFastestBranchDataset", "ChooseFastestDataset", "ConcatenateDataset", "DataServiceDataset",
    "DataServiceDatasetV2", "DataServiceDatasetV3", "DataServiceDatasetV4", "DatasetFromGraph",
    "DenseToSparseBatchDataset", "DirectedInterleaveDataset", "FilterByLastComponentDataset", "FilterDataset",
    "FinalizeDataset", "FixedLengthRecordDataset", "FixedLengthRecordDatasetV2", "FlatMapDataset", "GeneratorDataset",
    "GlobalShuffleDataset", "GroupByReducerDataset", "GroupByWindowDataset", "IgnoreErrorsDataset",
    "IndexFlatMapDataset", "InterleaveDataset", "LMDBDataset", "LatencyStatsDataset",
    "LegacyParallelInterleaveDatasetV2", "ListDataset", "ListSnapshotChunksDataset", "LoadDataset",
    "MapAndBatchDataset", "MapDataset", "MatchingFilesDataset", "MaxIntraOpParallelismDataset", "ModelDataset",
    "NonSerializableDataset", "OptimizeDataset", "OptimizeDatasetV2", "OptionsDataset", "PaddedBatchDataset",
    "PaddedBatchDatasetV2", "ParallelBatchDataset", "ParallelFilterDataset", "ParallelInterleaveDataset",
    "ParallelInterleaveDatasetV2", "ParallelInterleaveDatasetV3", "ParallelInterleaveDatasetV4", "ParallelMapDataset",
    "ParallelMapDatasetV2", "ParseExampleDataset", "ParseExampleDatasetV2", "PrefetchDataset",
    "PrivateThreadPoolDataset", "RandomDataset", "RandomDatasetV2", "RangeDataset", "RebatchDataset",
    "RebatchDatasetV2", "RegisterDataset", "RegisterDatasetV2", "RepeatDataset", "RewriteDataset", "SamplingDataset",
    "SaveDatasetV2", "ScanDataset", "SetStatsAggregatorDataset", "ShardDataset", "ShuffleAndRepeatDataset",
    "ShuffleAndRepeatDatasetV2", "ShuffleDataset", "ShuffleDatasetV2", "ShuffleDatasetV3", "SkipDataset",
    "SleepDataset", "SlidingWindowDataset", "SnapshotChunkDataset", "SnapshotDataset", "SnapshotDatasetReader",
    "SnapshotDatasetV2", "SnapshotNestedDatasetReader", "SparseTensorSliceDataset", "SqlDataset", "TFRecordDataset",
    "TFRecordDatasetV2", "TakeDataset", "TakeWhileDataset", "TensorDataset", "TensorSliceDataset", "TextLineDataset",
    "ThreadPoolDataset", "UnbatchDataset", "UniqueDataset", "UnwrapDatasetVariant", "WeightedFlatMapDataset",
    "WindowDataset", "WindowOp", "WrapDatasetVariant", "ZipDataset",
)  # fmt: skip

_EXPERIMENTAL = (
    "AssertNextDataset", "AutoShardDataset", "BytesProducedStatsDataset", "CSVDataset", "ChooseFastestDataset",
    "DatasetCardinality", "DenseToSparseBatchDataset", "DirectedInterleaveDataset", "GroupByReducerDataset",
    "GroupByWindowDataset", "IgnoreErrorsDataset", "IteratorGetDevice", "LMDBDataset", "LatencyStatsDataset",
    "MapAndBatchDataset", "MapDataset", "MatchingFilesDataset", "MaxIntraOpParallelismDataset",
    "NonSerializableDataset", "ParallelInterleaveDataset", "ParseExampleDataset", "PrivateThreadPoolDataset",
    "RandomDataset", "RebatchDataset", "ScanDataset", "SetStatsAggregatorDataset", "SleepDataset",
    "SlidingWindowDataset", "SqlDataset", "StatsAggregatorHandle", "StatsAggregatorSummary", "TakeWhileDataset",
    "ThreadPoolDataset", "ThreadPoolHandle", "UnbatchDataset", "UniqueDataset",
)  # fmt: skip

_SCALARS = (
    "AnonymousIterator", "AnonymousIteratorV2", "AnonymousIteratorV3", "AnonymousMultiDeviceIterator",
    "AnonymousMultiDeviceIteratorV3", "CompressElement", "DatasetCardinality", "DatasetFingerprint", "DatasetToGraph",
    "DatasetToGraphV2", "GetOptions", "Iterator", "IteratorFromStringHandle", "IteratorFromStringHandleV2",
    "IteratorGetDevice", "IteratorGetModelProto", "IteratorGetNextAsOptional", "IteratorToStringHandle", "IteratorV2",
    "MultiDeviceIterator", "MultiDeviceIteratorFromStringHandle", "MultiDeviceIteratorInit",
    "MultiDeviceIteratorToStringHandle", "OneShotIterator", "OptionalFromValue", "OptionalHasValue", "OptionalNone",
    "StatsAggregatorHandle", "StatsAggregatorHandleV2", "StatsAggregatorSummary", "ThreadPoolHandle",
    "CompositeTensorVariantFromComponents", "ComputeBatchSize",
)  # fmt: skip


@shape_fn(*_DATASETS, *(f"Experimental{name}" for name in _EXPERIMENTAL), *_SCALARS)
def scalars(context: InferenceContext) -> Sequence[Result]:
    """Give scalars: datasets, iterators, options."""
    return [()] * context.num_outputs


@shape_fn("SerializeIterator")
def serialize_iterator(context: InferenceContext) -> Sequence[Result]:
    """Give a vector of unknown length."""
    return [(None,)]


@shape_fn(
    "DatasetToSingleElement", "GetElementAtIndex", "IteratorGetNext", "IteratorGetNextSync",
    "MultiDeviceIteratorGetNextFromShard", "OptionalGetValue", "ReduceDataset", "UncompressElement",
)  # fmt: skip
def elements(context: InferenceContext) -> Sequence[Result]:
    """Give the shapes in `output_shapes`."""
    shapes = context.shapes_attr("output_shapes")
    return shapes if len(shapes) == context.num_outputs else [None] * context.num_outputs
