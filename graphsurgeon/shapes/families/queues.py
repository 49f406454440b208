"""Queues, barriers, staging areas and readers: what comes out is known as far as attributes say."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact, Held
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn(
    "Barrier", "FIFOQueue", "FakeQueue", "FixedLengthRecordReader", "IdentityReader", "LMDBReader", "PaddingFIFOQueue",
    "PriorityQueue", "RandomShuffleQueue", "TFRecordReader", "TextLineReader", "WholeFileReader",
)  # fmt: skip
def old_handle(context: InferenceContext) -> Sequence[Result]:
    """Give a handle: two strings."""
    return [(2,)]


@shape_fn("FIFOQueueV2", "PaddingFIFOQueueV2", "PriorityQueueV2", "RandomShuffleQueueV2")
def queue(context: InferenceContext) -> Sequence[Result]:
    """Give a handle of what `component_types` and `shapes` say of an element."""
    dtypes, shapes = context.dtypes_attr("component_types"), context.shapes_attr("shapes")
    if len(dtypes) != len(shapes):
        return [()]
    return [Fact((), handle=tuple(Held(dtype, dims) for dtype, dims in zip(dtypes, shapes, strict=True)))]


@shape_fn("QueueDequeueV2")
def dequeue(context: InferenceContext) -> Sequence[Result]:
    """Give an element."""
    return _components(context, ())


@shape_fn("QueueDequeueManyV2")
def dequeue_many(context: InferenceContext) -> Sequence[Result]:
    """Give as many elements, put together, as the second input says."""
    count = context.number(1)
    return _components(context, (None if isinstance(count, int) and count < 0 else count,))


@shape_fn("QueueDequeueUpToV2")
def dequeue_up_to(context: InferenceContext) -> Sequence[Result]:
    """Give elements put together; how many depends on the queue."""
    return _components(context, (None,))


def _components(context: InferenceContext, leading: Dims) -> Sequence[Result]:
    handle = context.input(0).handle or ()
    if len(handle) != context.num_outputs:
        return [None] * context.num_outputs
    return [None if held.dims is None else (*leading, *held.dims) for held in handle]


@shape_fn(
    "QueueDequeue", "QueueDequeueMany", "QueueDequeueUpTo", "BarrierTakeMany", "MapPeek", "MapUnstage",
    "MapUnstageNoKey", "OrderedMapPeek", "OrderedMapUnstage", "OrderedMapUnstageNoKey", "StagePeek", "Unstage",
    "RecordInput",
)  # fmt: skip
def unknown(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known of what comes out."""
    return [None] * context.num_outputs


@shape_fn(
    "BarrierIncompleteSize", "BarrierReadySize", "MapIncompleteSize", "MapSize", "OrderedMapIncompleteSize",
    "OrderedMapSize", "QueueIsClosed", "QueueIsClosedV2", "QueueSize", "StageSize", "FixedLengthRecordReaderV2",
    "IdentityReaderV2", "TFRecordReaderV2", "TextLineReaderV2", "WholeFileReaderV2", "ReaderNumRecordsProduced",
    "ReaderNumRecordsProducedV2", "ReaderNumWorkUnitsCompleted", "ReaderNumWorkUnitsCompletedV2",
    "ReaderSerializeState", "ReaderSerializeStateV2", "ReaderRead", "ReaderReadV2",
)  # fmt: skip
def scalars(context: InferenceContext) -> Sequence[Result]:
    """Give scalars: counts, handles, a key and a value."""
    return [()] * context.num_outputs


@shape_fn("QueueSizeV2")
def queue_size(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar: TensorFlow takes over the shape of the handle."""
    return [context.dims(0)]


@shape_fn("ReaderReadUpTo", "ReaderReadUpToV2")
def reader_read_up_to(context: InferenceContext) -> Sequence[Result]:
    """Give keys and values, as many as there are."""
    return [(None,), (None,)]
