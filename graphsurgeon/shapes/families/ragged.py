"""Ragged tensors: values with the positions at which rows begin."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("RaggedRange")
def ragged_range(context: InferenceContext) -> Sequence[Result]:
    """Give where rows begin, and the numbers of all rows."""
    rows: Dim = None
    operands = [fact.dims for fact in context.inputs]
    vectors = [dims[0] for dims in operands if dims is not None and len(dims) == 1]
    if all(dims == () for dims in operands):
        rows = 1
    for length in vectors:
        rows = dim.merge_dim(rows, length)
    return [(dim.add(rows, 1),), (None,)]


@shape_fn("RaggedGather")
def ragged_gather(context: InferenceContext) -> Sequence[Result]:
    """Give nested splits and values of the rows taken; from `OUTPUT_RAGGED_RANK`."""
    rank = context.integer_attr("OUTPUT_RAGGED_RANK")
    values = context.argument("params_dense_values")[0].dims
    indices = context.argument("indices")[0].dims
    splits: list[Result] = [(None,)] * max(rank, 0)
    if (indices is not None and len(indices) == 1 and rank > 0) or (indices and rank > 0):
        splits[0] = (dim.add(indices[0], 1),)
    return [*splits, None if values is None else (None, *values[1:])]


@shape_fn("RaggedTensorToSparse")
def ragged_to_sparse(context: InferenceContext) -> Sequence[Result]:
    """Give a sparse tensor: a value per ragged value; rank from `RAGGED_RANK` and the values."""
    values = context.input(-1).dims
    ragged_rank = context.integer_attr("RAGGED_RANK", len(context.inputs) - 1)
    if values is None:
        return [(None, None), (None,), (None,)]
    rank = ragged_rank + len(values)
    count = dim.product(values)
    return [(count, rank), (count,), (rank,)]


@shape_fn("RaggedTensorToVariant")
def ragged_to_variant(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar, or one variant per row if `batched_input`."""
    if not context.bool_attr("batched_input"):
        return [()]
    splits = context.dims(0)
    return [(dim.subtract(splits[0], 1) if splits else None,)]


@shape_fn("RaggedTensorFromVariant")
def ragged_from_variant(context: InferenceContext) -> Sequence[Result]:
    """Give splits and values; nothing is known of the values."""
    return [*[(None,)] * (context.num_outputs - 1), None]


@shape_fn("RaggedTensorToVariantGradient")
def ragged_to_variant_gradient(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the third input spells."""
    return [context.shape_of(2)]


@shape_fn("RaggedTensorToTensor")
def ragged_to_tensor(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the first input spells, completed from values and default; from `row_partition_types`."""
    wanted, values, default = context.shape_of(0), context.dims(1), context.dims(2)
    kinds = context.attr("row_partition_types")
    types = [kind for kind in kinds if isinstance(kind, bytes)] if isinstance(kinds, list) else []
    ragged_rank = len(types) - (types[:1] == [b"FIRST_DIM_SIZE"])
    if ragged_rank < 0:
        raise ShapeError("row_partition_types is empty")
    inner = _inner(values, default)
    if wanted is None:
        return [None if inner is None else (*dim.unknown(ragged_rank + 1), *inner)]
    if inner is not None:
        if len(wanted) != ragged_rank + 1 + len(inner):
            raise ShapeError(f"shape {dim.show(wanted)} does not fit values of shape {dim.show(values)}")
        wanted = tuple(
            dim.merge_dim(a, b) for a, b in zip(wanted, (*dim.unknown(ragged_rank + 1), *inner), strict=True)
        )
    return [_first(context, types, wanted)]


def _inner(values: Dims | None, default: Dims | None) -> Dims | None:
    if values is None:
        return None
    inner = values[1:]
    if default is not None and len(default) <= len(inner):
        tail = inner[len(inner) - len(default) :]
        merged = [
            a if b == 1 else dim.merge_dim(a, b) if not isinstance(a, int) else a
            for a, b in zip(tail, default, strict=True)
        ]
        inner = (*inner[: len(inner) - len(default)], *merged)
    return inner


def _first(context: InferenceContext, types: Sequence[bytes], shape: Dims) -> Dims:
    """Return a shape with the number of rows, if the partition tells it."""
    if not types or not shape or shape[0] is not None:
        return shape
    if types[0] == b"FIRST_DIM_SIZE":
        return (context.number(3), *shape[1:])
    if types[0] == b"ROW_SPLITS":
        return (dim.subtract(context.with_rank(3, 1)[0], 1), *shape[1:])
    return shape


@shape_fn("RaggedCross")
def ragged_cross(context: InferenceContext) -> Sequence[Result]:
    """Give the crossed values, and where rows begin."""
    splits: Dim = None
    for name, delta in (("ragged_row_splits", 0), ("sparse_shape", None), ("dense_inputs", 1)):
        for fact in context.argument(name):
            if delta is not None and fact.dims:
                splits = dim.merge_dim(splits, dim.add(fact.dims[0], delta))
    return [(None,), (splits,)]


@shape_fn("RaggedFillEmptyRows")
def ragged_fill_empty_rows(context: InferenceContext) -> Sequence[Result]:
    """Give rows and values with none empty, which rows were empty, and where each value went."""
    return [(None,), (None,), (context.number(2),), dim.merge(context.with_rank(0, 1), context.with_rank(1, 1))]


@shape_fn("RaggedFillEmptyRowsGrad")
def ragged_fill_empty_rows_grad(context: InferenceContext) -> Sequence[Result]:
    """Give a gradient per original value, and one for the filler."""
    return [context.with_rank(0, 1), ()]
