"""Ops between devices and processes: collectives, TPU inputs and outputs, batching of calls."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn(
    "CollectiveAllToAllV2", "CollectiveAllToAllV3", "CollectiveBcastSendV2", "CollectivePermute", "CollectiveReduce",
    "CollectiveReduceV2", "CollectiveReduceV3", "CopyToMesh", "CopyToMeshGrad", "CrossReplicaSum", "DTensorAllReduce",
    "NcclAllReduce", "Relayout", "RelayoutLike", "_NcclReduceRecv",
)  # fmt: skip
def unchanged(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    return [context.dims(0)] * context.num_outputs


@shape_fn("NcclBroadcast", "NcclReduce")
def nccl(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the first input."""
    return [context.dims(0)]


@shape_fn("TPUAnnotateTensorsWithDynamicShape")
def annotated(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of each input."""
    return [fact.dims for fact in context.inputs]


@shape_fn("CollectiveGather")
def collective_gather(context: InferenceContext) -> Sequence[Result]:
    """Give the rows of all members of the group, of which there are `group_size`."""
    dims = context.dims(0)
    return [(dim.multiply(dims[0], context.integer_attr("group_size")), *dims[1:]) if dims else None]


@shape_fn(
    "CollectiveBcastRecv", "CollectiveBcastSend", "TPUDummyInput", "InfeedDequeue", "OutfeedDequeue",
    "OutfeedDequeueV2", "_NcclBroadcastRecv",
)  # fmt: skip
def shape_from_attr(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`."""
    return [context.shape_of(0) if context.node.op == "_NcclBroadcastRecv" else context.shape_attr("shape")]


@shape_fn("InfeedDequeueTuple", "OutfeedDequeueTuple", "OutfeedDequeueTupleV2")
def shapes_from_attr(context: InferenceContext) -> Sequence[Result]:
    """Give the shapes in `shapes`."""
    shapes = context.shapes_attr("shapes")
    return shapes if len(shapes) == context.num_outputs else [None] * context.num_outputs


@shape_fn("CollectiveGatherV2", "CollectiveReduceScatterV2")
def gathered(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input with another number of rows."""
    dims = context.dims(0)
    return [None if not dims else (None, *dims[1:])]


@shape_fn("TPUReplicatedInput")
def replicated_input(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the inputs of all replicas share."""
    shared: Dims | None = None
    for fact in context.inputs:
        shared = dim.merge(shared, fact.dims)
    return [shared]


@shape_fn(
    "TPUCompilationResult", "Prelinearize", "PrelinearizeTuple", "CollectiveAssignGroupV2",
    "CollectiveInitializeCommunicator", "TPURoundRobin", "IsTPUEmbeddingInitialized", "GlobalIterId", "GetTpuTaskId",
)  # fmt: skip
def scalars(context: InferenceContext) -> Sequence[Result]:
    """Give scalars."""
    return [()] * context.num_outputs


@shape_fn("TPUEmbeddingActivations")
def embedding_activations(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the second input."""
    return [context.dims(1)]


@shape_fn("Batch")
def batch(context: InferenceContext) -> Sequence[Result]:
    """Give inputs of several calls put together, which rows belong to which call, and the call's id."""
    parts = [None if not fact.dims else (None, *fact.dims[1:]) for fact in context.inputs]
    return [*parts, (None, 3), ()]


@shape_fn("Unbatch")
def unbatch(context: InferenceContext) -> Sequence[Result]:
    """Give the rows that belong to one call."""
    dims = context.dims(0)
    return [None if not dims else (None, *dims[1:])]


@shape_fn("UnbatchGrad")
def unbatch_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the rows of all calls."""
    dims = context.dims(2)
    return [(None, *dims[1:]) if dims else dims]
