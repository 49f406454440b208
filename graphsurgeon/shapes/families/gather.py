"""Gather, scatter, and the segment ops that sum by index."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes import elements
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.fact import Fact, Items
from graphsurgeon.shapes.registry import Result, shape_fn, value_fn


@shape_fn("Gather", "ResourceGather")
def gather(context: InferenceContext) -> Sequence[Result]:
    """Give one row of the first input (of the variable behind it) per index; `batch_dims` leading axes run along."""
    if context.node.op == "Gather":
        params = context.at_least(0, 1)
    else:
        params = context.held(0).dims
    indices = context.dims(1)
    if params is None or indices is None:
        return [None]
    batch = context.integer_attr("batch_dims")
    return [_gathered(params, indices, batch, batch)]


@shape_fn("GatherV2", "RiscGather")
def gather_v2(context: InferenceContext) -> Sequence[Result]:
    """Give one slice per index along the axis in the third input; `batch_dims` leading axes run along."""
    params, indices, axis = context.at_least(0, 1), context.dims(1), context.integer(2)
    batch = context.integer_attr("batch_dims")
    if params is None or indices is None:
        return [None]
    if axis is None:
        return [None if batch else dim.unknown(len(params) + len(indices) - 1)]
    if batch < 0:
        batch += len(indices)
    return [_gathered(params, indices, dim.normal_axis(axis, len(params)), batch)]


def _gathered(params: Dims, indices: Dims, axis: int, batch: int) -> Dims:
    if not 0 <= batch <= len(indices):
        raise ShapeError(f"batch_dims {batch} does not fit indices of shape {dim.show(indices)}")
    return (*params[:axis], *indices[batch:], *params[axis + 1 :])


@value_fn("Gather", "GatherV2")
def gather_value(context: InferenceContext) -> Items | None:
    """Give the elements at the indices."""
    known, indices = elements.static(context.input(0)), context.integers(1)
    axis = context.integer(2) if context.node.op == "GatherV2" else 0
    if known is None or indices is None or axis is None or context.integer_attr("batch_dims"):
        return None
    return elements.take(*known, dim.normal_axis(axis, len(known[1])), indices)


@shape_fn("GatherNd", "ResourceGatherNd")
def gather_nd(context: InferenceContext) -> Sequence[Result]:
    """Give one slice of the first input (of the variable behind it) per innermost vector of indices."""
    params = context.dims(0) if context.node.op == "GatherNd" else context.held(0).dims
    indices = context.at_least(1, 1)
    if params is None or indices is None or not isinstance(indices[-1], int):
        return [None]
    depth = indices[-1]
    if depth > len(params):
        raise ShapeError(f"indices of {depth} coordinates are too deep for shape {dim.show(params)}")
    return [(*indices[:-1], *params[depth:])]


@shape_fn("ScatterNd")
def scatter_nd(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the third input spells; what is written must fit the places and that shape.

    Source: `ScatterNdShapeHelper` in `tensorflow/core/framework/common_shape_fns.cc`.
    """
    indices, updates, shape = context.dims(0), context.dims(1), context.shape_of(2)
    if indices and updates and isinstance(indices[-1], int):
        places = len(indices) - 1
        wanted = (*indices[:-1], *shape[indices[-1] :]) if shape is not None else None
        if _differ(indices[:-1], updates[:places]) or (wanted is not None and _differ(wanted, updates)):
            told = f"indices {dim.show(indices)} and shape {dim.show(shape)}"
            raise ShapeError(f"updates {dim.show(updates)} do not fit {told}")
    return [shape]


def _differ(ones: Sequence[object], others: Sequence[object]) -> bool:
    known = (pair for pair in zip(ones, others, strict=False) if all(isinstance(side, int) for side in pair))
    return len(ones) != len(others) or any(one != other for one, other in known)


@shape_fn("RiscScatter")
def risc_scatter(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known."""
    return [None]


@shape_fn(
    "TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMax", "TensorScatterMin",
    "ScatterNdNonAliasingAdd", "ScatterNdUpdate", "ScatterNdAdd", "ScatterNdSub", "ScatterNdMax", "ScatterNdMin",
    "ScatterAdd", "ScatterDiv", "ScatterMax", "ScatterMin", "ScatterMul", "ScatterSub", "ScatterUpdate",
)  # fmt: skip
def scatter(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of what is scattered into."""
    return [context.dims(0)]


@shape_fn("SegmentMax", "SegmentMean", "SegmentMin", "SegmentProd", "SegmentSum")
def segment(context: InferenceContext) -> Sequence[Result]:
    """Give one row per segment; how many there are depends on the ids."""
    data = context.dims(0)
    context.with_rank(1, 1)
    return [None if data is None else (None, *_rows(data))]


@shape_fn(
    "UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd", "UnsortedSegmentSum", "SegmentMaxV2",
    "SegmentMinV2", "SegmentProdV2", "SegmentSumV2",
)  # fmt: skip
def unsorted_segment(context: InferenceContext) -> Sequence[Result]:
    """Give as many rows as the third input says, shaped like the data behind the leading dimensions of the ids."""
    data, ids, count = context.dims(0), context.dims(1), context.number(2)
    context.with_rank(2, 0)
    if data is None or ids is None:
        return [None]
    if len(ids) > len(data):
        raise ShapeError(f"ids of shape {dim.show(ids)} do not fit data of shape {dim.show(data)}")
    dim.merge(data[: len(ids)], ids)
    return [(_count(count), *data[len(ids) :])]


@shape_fn("UnsortedSegmentJoin")
def unsorted_segment_join(context: InferenceContext) -> Sequence[Result]:
    """Give as many strings as the third input says, behind the ids' leading dimensions."""
    return unsorted_segment(context)


@shape_fn("SparseSegmentMean", "SparseSegmentSqrtN", "SparseSegmentSum")
def sparse_segment(context: InferenceContext) -> Sequence[Result]:
    """Give one row per segment; how many there are depends on the ids."""
    data = _checked_segments(context)
    return [None if data is None else (None, *_rows(data))]


@shape_fn("SparseSegmentMeanWithNumSegments", "SparseSegmentSqrtNWithNumSegments", "SparseSegmentSumWithNumSegments")
def sparse_segment_with_count(context: InferenceContext) -> Sequence[Result]:
    """Give as many rows as the fourth input says."""
    data = _checked_segments(context)
    return [None if data is None else (_count(context.number(3)), *_rows(data))]


@shape_fn("SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad", "SparseSegmentSumGrad")
def sparse_segment_grad(context: InferenceContext) -> Sequence[Result]:
    """Give as many rows as the fourth input says."""
    data = _checked_segments(context)
    return [None if data is None else (_count(context.number(3)), *_rows(data))]


@shape_fn("SparseSegmentMeanGradV2", "SparseSegmentSqrtNGradV2", "SparseSegmentSumGradV2")
def sparse_segment_grad_v2(context: InferenceContext) -> Sequence[Result]:
    """Give the rows that have a gradient, and which those are."""
    data = _checked_segments(context)
    return [None if data is None else (None, *_rows(data)), (None,)]


def _checked_segments(context: InferenceContext) -> Dims | None:
    dim.merge(context.with_rank(1, 1), context.with_rank(2, 1))
    return context.at_least(0, 1)


def _rows(data: Dims) -> Dims:
    if not data:
        raise ShapeError("a scalar has no rows")
    return data[1:]


def _count(count: Dim) -> Dim:
    if isinstance(count, int) and count < 0:
        raise ShapeError(f"a number of segments must not be negative, found {count}")
    return count


@shape_fn("DynamicPartition")
def dynamic_partition(context: InferenceContext) -> Sequence[Result]:
    """Give `num_partitions` parts of unknown numbers of rows."""
    data, places = context.dims(0), context.dims(1)
    if data is None or places is None:
        return [None] * context.num_outputs
    dim.merge(data[: len(places)], places)
    return [(None, *data[len(places) :])] * context.num_outputs


@shape_fn("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(context: InferenceContext) -> Sequence[Result]:
    """Give as many rows as the largest index asks for, shaped like the data behind the dimensions of the indices."""
    half = len(context.inputs) // 2
    if len(context.inputs) != 2 * half:
        raise ShapeError("there are not as many indices as values")
    extra: Dims | None = None
    largest: int | None = -1
    for indices, data in zip(context.inputs[:half], context.inputs[half:], strict=True):
        if indices.dims is not None and data.dims is not None:
            dim.merge(data.dims[: len(indices.dims)], indices.dims)
            extra = dim.merge(extra, data.dims[len(indices.dims) :])
        largest = _largest(largest, indices)
    if extra is None:
        return [None]
    return [(None if largest is None else largest + 1, *extra)]


def _largest(before: int | None, indices: Fact) -> int | None:
    items = indices.items
    if before is None or items is None or not all(isinstance(item, int) for item in items):
        return None
    return max([before, *(item for item in items if isinstance(item, int))])
