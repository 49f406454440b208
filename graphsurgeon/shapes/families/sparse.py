"""Sparse tensors (indices, values, dense shape) and sets."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("SparseToDense")
def sparse_to_dense(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the second input spells."""
    return [context.shape_of(1)]


@shape_fn("SparseAdd")
def sparse_add(context: InferenceContext) -> Sequence[Result]:
    """Give the sum as a sparse tensor of the same rank."""
    shape = context.with_rank(2, 1)
    return [(None, shape[0]), (None,), shape]


@shape_fn("SparseSparseMaximum", "SparseSparseMinimum")
def sparse_extreme(context: InferenceContext) -> Sequence[Result]:
    """Give indices and values of the elements that either operand has."""
    rank = context.with_rank(0, 2)[1]
    return [(None, rank), (None,)]


@shape_fn("SparseAddGrad")
def sparse_add_grad(context: InferenceContext) -> Sequence[Result]:
    """Give a gradient per element of either operand."""
    return [(context.with_rank(1, 2)[0],), (context.with_rank(2, 2)[0],)]


@shape_fn("SparseConcat")
def sparse_concat(context: InferenceContext) -> Sequence[Result]:
    """Join sparse tensors: as many elements as all have."""
    parts = len(context.argument("shapes"))
    count: Dim = 0
    rank: Dim = None
    shape: Dims = (None,)
    for part in range(parts):
        rows, columns = context.with_rank(part, 2)
        count = dim.add(count, dim.merge_dim(rows, context.with_rank(parts + part, 1)[0]))
        rank = dim.merge_dim(rank, columns)
        shape = (dim.merge_dim(shape[0], context.with_rank(2 * parts + part, 1)[0]),)
    return [(count, rank), (count,), shape]


@shape_fn("SparseCross", "SparseCrossHashed", "SparseCrossV2")
def sparse_cross(context: InferenceContext) -> Sequence[Result]:
    """Give a sparse matrix."""
    return [(None, 2), (None,), (2,)]


@shape_fn("SparseSplit")
def sparse_split(context: InferenceContext) -> Sequence[Result]:
    """Give `num_split` sparse tensors of the same rank."""
    count = context.integer_attr("num_split", 1)
    shape = context.dims(3)
    if not 0 < count <= context.num_outputs:
        raise ShapeError(f"num_split must be positive, found {count}")
    rank = None if shape is None else dim.product(shape)
    return [*[(None, rank)] * count, *[(None,)] * count, *[shape] * count]


@shape_fn("SparseSlice")
def sparse_slice(context: InferenceContext) -> Sequence[Result]:
    """Give the elements inside a window, whose size is in the last input."""
    shape = context.dims(2)
    return [(None, None if shape is None else dim.product(shape)), (None,), shape]


@shape_fn("SparseSliceGrad")
def sparse_slice_grad(context: InferenceContext) -> Sequence[Result]:
    """Give a gradient per element of the operand."""
    return [(context.with_rank(1, 2)[0],)]


@shape_fn("SparseReorder")
def sparse_reorder(context: InferenceContext) -> Sequence[Result]:
    """Give indices and values in another order."""
    return [context.with_rank(0, 2), context.with_rank(1, 1)]


@shape_fn("SparseReshape")
def sparse_reshape(context: InferenceContext) -> Sequence[Result]:
    """Give as many indices of the new rank, and the new shape."""
    indices, shape = context.with_rank(0, 2), context.with_rank(2, 1)
    return [(indices[0], shape[0]), shape]


@shape_fn("SparseSoftmax")
def sparse_softmax(context: InferenceContext) -> Sequence[Result]:
    """Give one value per element of the sparse operand."""
    return [context.with_rank(1, 1)]


@shape_fn("SparseDenseCwiseAdd", "SparseDenseCwiseDiv", "SparseDenseCwiseMul")
def sparse_values(context: InferenceContext) -> Sequence[Result]:
    """Give one value per element of the sparse operand."""
    return [(context.with_rank(0, 2)[0],)]


@shape_fn("SparseReduceMax", "SparseReduceSum", "SparseReduceMaxSparse", "SparseReduceSumSparse")
def sparse_reduce(context: InferenceContext) -> Sequence[Result]:
    """Leave out the axes in the fourth input of the shape in the third, where both are known."""
    if context.num_outputs > 1:
        return [None] * 3
    shape, axes = context.integers(2), context.integers(3)
    if shape is None or axes is None:
        return [None]
    gone = set(dim.normal_axes(axes, len(shape))) if axes else set(range(len(shape)))
    keep = context.bool_attr("keep_dims")
    return [tuple(1 if axis in gone else d for axis, d in enumerate(shape) if keep or axis not in gone)]


@shape_fn("SparseTensorDenseAdd")
def sparse_tensor_dense_add(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the dense operand."""
    return [context.dims(3)]


@shape_fn("SparseFillEmptyRows")
def sparse_fill_empty_rows(context: InferenceContext) -> Sequence[Result]:
    """Give a sparse tensor with an element in every row, which rows were empty, and where each element went."""
    indices, shape = context.with_rank(0, 2), context.with_rank(2, 1)
    rank = dim.merge_dim(indices[1], shape[0])
    count = dim.merge_dim(indices[0], context.with_rank(1, 1)[0])
    sizes = context.items(2)
    rows: Dim = sizes[0] if sizes and isinstance(sizes[0], int) and not isinstance(sizes[0], bool) else None
    return [(None, rank), (None,), (rows,), (count,)]


@shape_fn("SparseFillEmptyRowsGrad")
def sparse_fill_empty_rows_grad(context: InferenceContext) -> Sequence[Result]:
    """Give a gradient per original element, and one for the filler."""
    return [context.with_rank(0, 1), ()]


@shape_fn("SerializeSparse")
def serialize_sparse(context: InferenceContext) -> Sequence[Result]:
    """Give three strings."""
    return [(3,)]


@shape_fn("SerializeManySparse")
def serialize_many_sparse(context: InferenceContext) -> Sequence[Result]:
    """Give three strings per row."""
    return [(None, 3)]


@shape_fn("DeserializeSparse", "DeserializeManySparse", "TakeManySparseFromTensorsMap")
def deserialize_sparse(context: InferenceContext) -> Sequence[Result]:
    """Give a sparse tensor of unknown rank."""
    return [(None, None), (None,), (None,)]


@shape_fn("AddSparseToTensorsMap")
def add_sparse(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar, the handle."""
    return [()]


@shape_fn("AddManySparseToTensorsMap")
def add_many_sparse(context: InferenceContext) -> Sequence[Result]:
    """Give a handle per row."""
    return [(None,)]


@shape_fn("DenseToDenseSetOperation", "DenseToSparseSetOperation", "SparseToSparseSetOperation")
def set_operation(context: InferenceContext) -> Sequence[Result]:
    """Give a sparse tensor of the rank of the operands."""
    rank = _set_rank(context)
    return [(None, rank), (None,), (rank,)]


def _set_rank(context: InferenceContext) -> Dim:
    if context.node.op != "SparseToSparseSetOperation":
        first = context.dims(0)
        if first is not None:
            return len(first)
        if context.node.op == "DenseToSparseSetOperation":
            return dim.merge_dim(context.with_rank(1, 2)[1], context.with_rank(3, 1)[0])
        second = context.dims(1)
        return None if second is None else len(second)
    return dim.merge_dim(context.with_rank(2, 1)[0], context.with_rank(5, 1)[0])


@shape_fn("SetSize")
def set_size(context: InferenceContext) -> Sequence[Result]:
    """Give the sizes of the sets: the shape in the third input without its last dimension."""
    shape = context.shape_of(2)
    return [None if shape is None or context.items(2) is None else shape[:-1]]


@shape_fn("DenseCountSparseOutput", "SparseCountSparseOutput", "RaggedCountSparseOutput")
def count_sparse(context: InferenceContext) -> Sequence[Result]:
    """Give a sparse vector or matrix of counts."""
    rank: Dim
    if context.node.op == "SparseCountSparseOutput":
        rank = context.with_rank(0, 2)[1]
    elif context.node.op == "RaggedCountSparseOutput":
        values = context.dims(1)
        rank = None if values is None else len(values) + 1
    else:
        values = context.dims(0) if context.dims(0) is not None else context.dims(1)
        rank = None if values is None else len(values)
    return [(None, rank), (None,), (rank,)]
