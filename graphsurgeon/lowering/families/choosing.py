"""Ops that take, put and rank elements. Source: the pages of the operators.

Measured: GatherV2, GatherNd and the scatters of TensorFlow raise for a negative index on a CPU and give zeros on a GPU.
"""

from __future__ import annotations

from math import prod

from graphsurgeon.lowering.builder import Builder, as_ordered, as_plain
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers, require_few
from graphsurgeon.lowering.types import as_indices
from graphsurgeon.model.dtype import BOOL, INT32, INT64, STRING
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes.dims import Dim

_MOST_READ = 1 << 20  # indices of a constant that are looked at
_MOST_SORTED = 256  # elements of a part along an axis: each is sorted by


def size_at(b: Builder, x: Operand, axis: int) -> Operand:
    """Return the length of an axis as a number of type int64."""
    return b.op("StridedSlice", b.shape_of(x), [axis], [axis + 1], [1], shrink_axis_mask=1)


def not_negative(b: Builder, indices: Operand, x: Operand, axis: int) -> Operand:
    """Return indices that count from the front, of those that may count from the end of an axis."""
    indices = as_indices(b, indices)
    tensor = indices.tensor
    if tensor is not None and tensor.num_elements <= _MOST_READ:
        array = tensor.numpy()
        if not array.size or array.min() >= 0:
            return indices
        size: Dim = x.dims[axis]
        if isinstance(size, int):
            import numpy as np

            moved = np.where(array < 0, array + size, array).astype(array.dtype)
            return Operand.constant(Tensor.from_numpy(moved), indices.name)
    size_ = b.cast(size_at(b, x, axis), indices.dtype)
    zero = b.constant(0, indices.dtype)
    return b.op("SelectV2", b.op("Less", indices, zero), b.op("AddV2", indices, size_), indices)


@lowers("Gather", 1, 11, 13)
def gather(b: Builder, node: Source) -> Operand:
    """Parts at positions along an axis."""
    x, indices = node[0], node[1]
    axis = node.axis(x.rank, 0)
    chosen = not_negative(b, indices, x, axis)
    if x.order is None or indices.rank > 1:
        return b.op("GatherV2", x, chosen, axis)
    made = b.op("GatherV2", as_plain(x), chosen, x.order.index(axis))
    if indices.rank == 1:
        return as_ordered(made, x.order)
    rest = [other for other in x.order if other != axis]
    return as_ordered(made, tuple(sorted(rest).index(other) for other in rest))


def _counts(b: Builder, like: Operand, axis: int, dtype_of: Operand) -> Operand:
    """Return the position along an axis, in a shape that broadcasts to that of an operand."""
    rank = like.rank
    size = size_at(b, like, axis)
    count = b.op("Range", b.constant(0, INT64), size, b.constant(1, INT64))
    return b.reshape(b.cast(count, dtype_of.dtype), [-1 if other == axis else 1 for other in range(rank)])


def _coordinates(b: Builder, indices: Operand, axis: int) -> Operand:
    """Return the coordinates of each element of indices, those along an axis being the indices."""
    shape = b.op("Shape", indices, out_type=INT64)
    parts = [
        indices if other == axis else b.op("BroadcastTo", _counts(b, indices, other, indices), shape)
        for other in range(indices.rank)
    ]
    return b.op("Pack", *parts, axis=indices.rank)


@lowers("GatherElements", 11, 13)
def gather_elements(b: Builder, node: Source) -> Operand:
    """One element for each index, at its own place along the other axes."""
    x, indices = node[0], b.plain(node[1])
    axis = node.axis(x.rank, 0)
    return b.op("GatherNd", x, _coordinates(b, not_negative(b, indices, x, axis), axis))


@lowers("GatherND", 11, 12, 13)
def gather_nd(b: Builder, node: Source) -> Operand:
    """Parts at coordinates, within batches."""
    x, indices = b.plain(node[0]), as_indices(b, node[1])
    batch, depth = node.integer("batch_dims"), indices.dims[-1]
    if not isinstance(depth, int):
        raise LoweringError("the length of its coordinates is not known", hint="give shapes with --shape")
    indices = _counted_from_front(b, indices, x, depth, batch)
    if not batch:
        return b.op("GatherNd", x, indices)
    counts = [_counts(b, indices, other, indices) for other in range(batch)]
    head = b.op(
        "ConcatV2", b.op("StridedSlice", b.shape_of(indices), [0], [indices.rank - 1], [1]), b.constant([1], INT64), 0
    )
    parts = [b.op("BroadcastTo", count, head) for count in counts]
    return b.op("GatherNd", x, b.op("ConcatV2", *parts, indices, indices.rank - 1))


def _counted_from_front(b: Builder, indices: Operand, x: Operand, depth: int, start: int = 0) -> Operand:
    """Return coordinates of which none is negative."""
    numbers = indices.numbers
    if numbers is not None and all(number >= 0 for number in numbers):
        return indices
    sizes = b.cast(b.op("StridedSlice", b.shape_of(x), [start], [start + depth], [1]), indices.dtype)
    below = b.op("Less", indices, b.constant(0, indices.dtype))
    return b.op("SelectV2", below, b.op("AddV2", indices, sizes), indices)


_SCATTERS = {"none": "Update", "add": "Add", "max": "Max", "min": "Min"}


@lowers("ScatterND", 11, 13, 16, 18)
def scatter_nd(b: Builder, node: Source) -> Operand:
    """Updates put at coordinates, or combined with what is there."""
    x, indices, updates = (b.plain(item) for item in node.all())
    depth = indices.dims[-1]
    if not isinstance(depth, int):
        raise LoweringError("the length of its coordinates is not known", hint="give shapes with --shape")
    indices = _counted_from_front(b, as_indices(b, indices), x, depth)
    return _scattered(b, x, indices, updates, node.text("reduction", "none"))


@lowers("Scatter", 9, 11)
@lowers("ScatterElements", 11, 13, 16, 18)
def scatter_elements(b: Builder, node: Source) -> Operand:
    """Each update put at its index along an axis, at its own place along the others."""
    x, indices, updates = (b.plain(item) for item in node.all())
    axis = node.axis(x.rank, 0)
    places = _coordinates(b, not_negative(b, indices, x, axis), axis)
    return _scattered(b, x, places, updates, node.text("reduction", "none"))


def _scattered(b: Builder, x: Operand, indices: Operand, updates: Operand, reduction: str) -> Operand:
    if reduction == "mul":
        return _multiplied(b, x, indices, updates)
    if reduction not in _SCATTERS:
        raise LoweringError(f"reduction {reduction!r}")
    if x.dtype in (BOOL, STRING) and reduction != "none":
        raise LoweringError(f"reduction {reduction!r} of {x.dtype} values")
    return b.op(f"TensorScatter{_SCATTERS[reduction]}", x, indices, updates)


def _multiplied(b: Builder, x: Operand, indices: Operand, updates: Operand) -> Operand:
    """Return products with all updates at a place; TensorFlow has no such scatter, but products by segments."""
    depth = indices.dims[-1]
    assert isinstance(depth, int)
    dims = b.shape_of(x)
    outer = b.op("StridedSlice", dims, [0], [depth], [1])
    weights = b.op("Cumprod", outer, 0, exclusive=True, reverse=True)
    flat = b.op("Sum", b.op("Mul", b.cast(indices, INT64), weights), -1)
    flat = b.reshape(flat, [-1])
    rows = b.op("Prod", outer, 0)
    inner = b.op("StridedSlice", dims, [depth], [x.rank], [1])
    grown = b.reshape(updates, b.op("ConcatV2", b.constant([-1], INT64), inner, 0))
    product = b.op("UnsortedSegmentProd", grown, flat, rows)
    return b.op("Mul", x, b.reshape(product, dims))


@lowers("OneHot", 9, 11, 28)
def one_hot(b: Builder, node: Source) -> Operand:
    """A one at each index; negative ones count from the end, and outside of the range there is none."""
    indices, depth, values = node.all()
    axis = node.integer("axis", -1)
    rank = indices.rank + 1
    axis = axis + rank if axis < 0 else axis
    depth = b.cast(b.reshape(depth, []), INT32)
    whole = b.cast(indices, INT64)
    size = b.cast(depth, INT64)
    below = b.op("Less", whole, b.constant(0, INT64))
    whole = b.op("SelectV2", below, b.op("AddV2", whole, size), whole)
    ends = b.ops("Unpack", values, num=2, axis=0)
    return b.op("OneHot", whole, depth, ends[1], ends[0], axis=-1 if axis == rank - 1 else axis)


@lowers("TopK", 10, 11, 24)
def top_k(b: Builder, node: Source) -> list[Operand | None]:
    """The largest or smallest elements along an axis, with where they are."""
    x, k = b.plain(node[0]), b.cast(b.reshape(node[1], []), INT32)
    rank = x.rank
    axis = node.axis(rank, -1)
    order = (*(other for other in range(rank) if other != axis), axis)
    lying = as_plain(b.ordered(x, order))
    smallest = node.version >= 11 and not node.flag("largest", True)
    turned = _turned(b, lying) if smallest else lying
    values, places = b.ops("TopKV2", turned, k, sorted=True)
    values = _turned(b, values) if smallest else values
    found = [values, b.cast(places, INT64)]
    return [b.plain(as_ordered(one, order)) for one in found]


def _turned(b: Builder, x: Operand) -> Operand:
    """Return values in the opposite order, none of which becomes another's: integers by their bits."""
    return b.op("Invert" if x.dtype.is_integer else "Neg", x)


@lowers("NonZero", 9, 13)
def non_zero(b: Builder, node: Source) -> Operand:
    """The coordinates of what is not zero, one row an axis."""
    x = b.plain(node[0])
    if x.dtype is STRING:
        raise LoweringError("strings that are not zero")
    x = x if x.known_dims != () else b.reshape(x, [1])
    return b.op("Transpose", b.op("Where", x), [1, 0])


@lowers("Compress", 9, 11, 28)
def compress(b: Builder, node: Source) -> Operand:
    """Parts along an axis, or elements, where a vector of truths says so; behind its end nothing is taken."""
    x, chosen = b.plain(node[0]), node[1]
    places = b.reshape(b.op("Where", chosen), [-1])
    if node.attr("axis") is None:
        return b.op("GatherV2", b.reshape(x, [-1]), places, 0)
    return b.op("GatherV2", x, places, node.axis(x.rank, 0))


@lowers("ReverseSequence", 10, 28)
def reverse_sequence(b: Builder, node: Source) -> Operand:
    """The first elements of each sequence turned round."""
    time, batch = node.integer("time_axis", 0), node.integer("batch_axis", 1)
    return b.op("ReverseSequence", node[0], node[1], seq_dim=time, batch_dim=batch)


@lowers("Unique", 11, 28)
def unique(b: Builder, node: Source) -> list[Operand | None]:
    """Different elements or parts, sorted or as they come; where each comes first, which one each is, and how often."""
    x = b.plain(node[0])
    axis = node.axis(x.rank, 0) if node.attr("axis") is not None else None
    if axis is None:
        x = b.reshape(x, [-1])
        values, places, counts = b.ops("UniqueWithCounts", x, out_idx=INT64)
    else:
        values, places, counts = b.ops("UniqueWithCountsV2", x, b.constant([axis], INT64), out_idx=INT64)
    size = b.op("Size", counts, out_type=INT64)
    every = b.op("Range", b.constant(0, INT64), size_at(b, x, axis or 0), b.constant(1, INT64))
    first = b.op("UnsortedSegmentMin", every, places, size)
    if not node.flag("sorted", True):
        return [values, first, places, counts]
    if x.dtype is STRING:
        raise LoweringError("sorted unique strings")
    order = _order(b, b.expand(values, [1]) if axis is None else _rows(b, values, x, axis), b.cast(size, INT32))
    ranks = b.cast(b.op("InvertPermutation", order), INT64)
    taken = [b.op("GatherV2", values, order, axis or 0), b.op("GatherV2", first, order, 0)]
    return [*taken, b.op("GatherV2", ranks, places, 0), b.op("GatherV2", counts, order, 0)]


def _rows(b: Builder, values: Operand, x: Operand, axis: int) -> Operand:
    """Return the parts along an axis as rows of a known number of elements."""
    rest = [dim for other, dim in enumerate(x.dims) if other != axis]
    known = [dim for dim in rest if isinstance(dim, int)]
    if len(known) < len(rest):
        raise LoweringError("the size of the parts to sort is not known", hint="give shapes with --shape")
    require_few(prod(known), _MOST_SORTED, "elements of each part to sort")
    lying = b.op("Transpose", values, [axis, *(other for other in range(x.rank) if other != axis)])
    return b.reshape(lying, [-1, prod(known)])


def _order(b: Builder, rows: Operand, size: Operand) -> Operand:
    """Return the places of rows when they are sorted: by each column, the last one first, equals staying in order."""
    order: Operand | None = None
    for column in reversed(b.ops("Unpack", rows, num=rows.dims[1], axis=1)):
        keys = column if order is None else b.op("GatherV2", column, order, 0)
        _, places = b.ops("TopKV2", _turned(b, keys), size, sorted=True)
        order = places if order is None else b.op("GatherV2", order, places, 0)
    assert order is not None
    return order


@lowers("TensorScatter", 24)
def tensor_scatter(b: Builder, node: Source) -> Operand:
    """A cache with an update written into it along an axis, at a place of its own for each sample."""
    cache, update, start = b.plain(node[0]), b.plain(node[1]), node.get(2)
    rank = cache.rank
    axis = node.axis(rank, -2)
    length = size_at(b, cache, axis)
    places = _counts(b, update, axis, b.constant(0, INT64))
    if start is not None:
        places = b.op("AddV2", places, b.reshape(b.cast(start, INT64), [-1, *[1] * (rank - 1)]))
    if node.text("mode", "linear") == "circular":
        places = b.op("FloorMod", places, length)
    places = b.op("BroadcastTo", places, b.op("Shape", update, out_type=INT64))
    return b.op("TensorScatterUpdate", cache, _coordinates(b, places, axis), update)
