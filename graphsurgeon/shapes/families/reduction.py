"""Reductions, arg-reductions, scans, counts and top-k."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes import elements
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.fact import Items
from graphsurgeon.shapes.registry import Result, shape_fn, value_fn


@shape_fn("Sum", "Mean", "Prod", "Max", "Min", "Any", "All", "EuclideanNorm", "ReduceJoin", "RiscReduce")
def reduction(context: InferenceContext) -> Sequence[Result]:
    """Leave out the axes in the second input, or keep them with one element if `keep_dims`."""
    dims, axes = context.dims(0), _axes(context)
    keep = context.bool_attr("keep_dims")
    if dims is None:
        return [() if not keep and axes == "all" else None]
    if axes == "all":
        return [(1,) * len(dims) if keep else ()]
    if not isinstance(axes, list):
        return [_reduced_by_count(context, dims, keep=keep)]
    gone = set(dim.normal_axes(axes, len(dims)))
    if keep:
        return [tuple(1 if axis in gone else d for axis, d in enumerate(dims))]
    return [tuple(d for axis, d in enumerate(dims) if axis not in gone)]


def _reduced_by_count(context: InferenceContext, dims: Dims, *, keep: bool) -> Dims | None:
    """Return the shape for unknown axes: the rank follows if every axis is kept, or one is named."""
    if keep:
        return dim.unknown(len(dims))
    names = context.dims(1)
    if names == () or names == (1,):
        return dim.unknown(len(dims) - 1) if dims else None
    return dims if names == (0,) else None


def _axes(context: InferenceContext) -> list[int] | str | None:
    axes = context.integers(1)
    dims = context.dims(0)
    if axes is None or dims is None:
        return axes
    return "all" if len(set(dim.normal_axes(axes, len(dims)))) == len(dims) and axes else axes


@value_fn("Sum", "Prod", "Max", "Min", "Any", "All")
def reduction_value(context: InferenceContext) -> Items | None:
    """Combine the elements along the axes; unknown ones make the result unknown."""
    known, axes = elements.static(context.input(0)), context.integers(1)
    if known is None or axes is None:
        return None
    start, combine = elements.COMBINE[context.node.op]
    gone = dim.normal_axes(axes, len(known[1]))
    if start is None and not known[0]:
        return None
    reduced = elements.reduce(*known, gone, start, combine)
    return tuple(elements.rounded(item, context.dtype_attr("T")) for item in reduced)


@shape_fn("ArgMax", "ArgMin")
def arg_max(context: InferenceContext) -> Sequence[Result]:
    """Leave out the axis in the second input."""
    dims, axis = context.dims(0), context.integer(1)
    if dims is None:
        return [None]
    if len(dims) <= 1:
        return [()]
    if axis is None:
        return [dim.unknown(len(dims) - 1)]
    place = dim.normal_axis(axis, len(dims))
    return [(*dims[:place], *dims[place + 1 :])]


@shape_fn("Cumsum", "Cumprod", "CumulativeLogsumexp")
def scan(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    return [context.dims(0)]


@shape_fn("TopK", "TopKV2")
def top_k(context: InferenceContext) -> Sequence[Result]:
    """Give the `k` largest of the last dimension, and where they were; the newer op takes k as its second input."""
    dims = context.at_least(0, 1)
    k = context.number(1) if context.node.op == "TopKV2" else context.integer_attr("k")
    if dims is None:
        return [None, None]
    if isinstance(k, int) and (k < 0 or (isinstance(dims[-1], int) and dims[-1] < k)):
        raise ShapeError(f"the last dimension of {dim.show(dims)} has no {k} elements")
    return [(*dims[:-1], k)] * 2


@shape_fn("TopKUnique", "TopKWithUnique")
def top_k_unique(context: InferenceContext) -> Sequence[Result]:
    """Give the `k` largest of each row, and where they were."""
    return [(context.with_rank(0, 2)[0], context.integer_attr("k"))] * 2


@shape_fn("MakeUnique")
def make_unique(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    return [context.with_rank(0, 2)]


@shape_fn("ApproxTopK")
def approx_top_k(context: InferenceContext) -> Sequence[Result]:
    """Give about `k` of the largest along `reduction_dimension`; how many unless aggregated depends on the device."""
    dims = context.at_least(0, 1)
    if dims is None:
        return [None, None]
    axis = dim.normal_axis(context.integer_attr("reduction_dimension", -1), len(dims))
    count: Dim = context.integer_attr("k")
    if not context.bool_attr("aggregate_to_topk"):
        count = None if dims[axis] != count else count
    return [dim.replace(dims, axis, count)] * 2


@shape_fn("NthElement")
def nth_element(context: InferenceContext) -> Sequence[Result]:
    """Leave out the last dimension."""
    dims = context.at_least(0, 1)
    return [None if dims is None else dims[:-1]]


@shape_fn("InTopK", "InTopKV2")
def in_top_k(context: InferenceContext) -> Sequence[Result]:
    """Give one answer per row of predictions."""
    return [dim.merge((context.with_rank(0, 2)[0],), context.with_rank(1, 1))]


@shape_fn("Bincount")
def bincount(context: InferenceContext) -> Sequence[Result]:
    """Give as many counts as the second input says."""
    return [(_length(context.number(1)),)]


@shape_fn("DenseBincount")
def dense_bincount(context: InferenceContext) -> Sequence[Result]:
    """Give as many counts as the second input says, of all elements or of each row."""
    dims, size = context.dims(0), _length(context.number(1))
    if dims is None:
        return [None]
    if len(dims) > 2:
        raise ShapeError(f"rank 2 is the most, found shape {dim.show(dims)}")
    return [(dims[0], size) if len(dims) == 2 else (size,)]


@shape_fn("SparseBincount", "RaggedBincount")
def sparse_bincount(context: InferenceContext) -> Sequence[Result]:
    """Give as many counts as the `size` input says: per row, or one vector where `dense_shape` has one element."""
    if context.node.op == "RaggedBincount":
        size = context.integer(2)
        return [None if size is None else (None, _length(size))]
    size, shape = context.integer(3), context.items(2)
    if size is None or shape is None:
        return [None]
    return [(_length(size),) if len(shape) == 1 else (shape[0] if isinstance(shape[0], int) else None, _length(size))]


@shape_fn("HistogramFixedWidth")
def histogram(context: InferenceContext) -> Sequence[Result]:
    """Give as many counts as the third input says."""
    dim.merge(context.with_rank(1, 1), (2,))
    context.with_rank(2, 0)
    return [(_length(context.number(2)),)]


@shape_fn("LowerBound", "UpperBound")
def bound(context: InferenceContext) -> Sequence[Result]:
    """Give a place in a row of the first input for each element of the second."""
    context.with_rank(0, 2)
    return [context.with_rank(1, 2)]


@shape_fn("IsotonicRegression")
def isotonic_regression(context: InferenceContext) -> Sequence[Result]:
    """Give the fitted values and the segment of each."""
    return [context.dims(0)] * 2


def _length(size: Dim) -> Dim:
    if isinstance(size, int) and size < 0:
        raise ShapeError(f"a size must not be negative, found {size}")
    return size
