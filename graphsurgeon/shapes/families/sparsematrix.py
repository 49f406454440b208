"""Sparse matrices in the CSR form, or batches of them: one variant, which holds the dense shape."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.dtype import DType
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact, Held
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("SparseTensorToCSRSparseMatrix")
def sparse_tensor_to_matrix(context: InferenceContext) -> Sequence[Result]:
    """Give a variant that holds a matrix (or a batch of them) of the shape that the third input spells."""
    dims, rank = context.shape_of(2), context.with_rank(0, 2)[1]
    if dims is None and isinstance(rank, int) and rank <= dim.MOST_DIMS:
        dims = dim.unknown(rank)
    return [_matrix(context.dtype_attr("T"), dims)]


@shape_fn("DenseToCSRSparseMatrix")
def dense_to_matrix(context: InferenceContext) -> Sequence[Result]:
    """Give a variant that holds a matrix of the shape of the first input."""
    return [_matrix(context.dtype_attr("T"), context.dims(0))]


def _matrix(dtype: DType | None, dims: Dims | None) -> Fact:
    return Fact((), handle=(Held(dtype, dims),))


@shape_fn("SparseMatrixMul", "SparseMatrixSoftmax", "SparseMatrixSoftmaxGrad", "SparseMatrixZeros")
def same_matrix(context: InferenceContext) -> Sequence[Result]:
    """Give a variant that holds a matrix of the shape of the first; of a wanted type if it is filled with zeros."""
    if context.node.op == "SparseMatrixZeros":
        return [_matrix(context.dtype_attr("type"), context.shape_of(0))]
    held = context.held(0)
    return [_matrix(held.dtype, held.dims)]


@shape_fn("SparseMatrixAdd")
def sum_of_matrices(context: InferenceContext) -> Sequence[Result]:
    """Give a variant that holds a matrix of the shape of both."""
    one, other = context.held(0), context.held(1)
    return [_matrix(one.dtype or other.dtype, dim.merge(one.dims, other.dims))]


@shape_fn("SparseMatrixTranspose")
def transposed_matrix(context: InferenceContext) -> Sequence[Result]:
    """Give a variant that holds a matrix with rows for columns."""
    held = context.held(0)
    return [_matrix(held.dtype, _turned(held.dims))]


@shape_fn("SparseMatrixSparseCholesky")
def cholesky_of_matrix(context: InferenceContext) -> Sequence[Result]:
    """Give a variant that holds a square matrix."""
    held = context.held(0)
    return [_matrix(held.dtype, held.dims)]


@shape_fn("SparseMatrixSparseMatMul")
def product_of_matrices(context: InferenceContext) -> Sequence[Result]:
    """Give a variant that holds the product of two matrices, either of them transposed first if asked."""
    dims = _product(context, context.held(0).dims, context.held(1).dims)
    return [_matrix(context.held(0).dtype, dims)]


@shape_fn("SparseMatrixMatMul")
def product_with_dense(context: InferenceContext) -> Sequence[Result]:
    """Give the product of a sparse matrix and a dense one, transposed if asked."""
    dims = _product(context, context.held(0).dims, context.dims(1))
    return [_turned(dims) if context.bool_attr("transpose_output") else dims]


def _product(context: InferenceContext, left: Dims | None, right: Dims | None) -> Dims | None:
    if left is None or right is None or len(left) < 2 or len(right) < 2:
        return None
    if context.bool_attr("transpose_a") or context.bool_attr("adjoint_a"):
        left = _turned(left) or left
    if context.bool_attr("transpose_b") or context.bool_attr("adjoint_b"):
        right = _turned(right) or right
    dim.merge_dim(left[-1], right[-2])
    return (*(dim.merge(left[:-2], right[:-2]) or ()), left[-2], right[-1])


def _turned(dims: Dims | None) -> Dims | None:
    return None if dims is None or len(dims) < 2 else (*dims[:-2], dims[-1], dims[-2])


@shape_fn("CSRSparseMatrixComponents")
def sparse_matrix_components(context: InferenceContext) -> Sequence[Result]:
    """Give where rows begin and where the last ends, the columns, and the values."""
    dims = context.held(0).dims
    rows = dims[-2] if dims is not None and len(dims) > 1 else None
    return [(dim.add(rows, 1),), (None,), (None,)]


@shape_fn("CSRSparseMatrixToDense")
def matrix_to_dense(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the matrix."""
    return [context.held(0).dims]


@shape_fn("CSRSparseMatrixToSparseTensor")
def matrix_to_sparse_tensor(context: InferenceContext) -> Sequence[Result]:
    """Give indices, values, and the shape of the matrix as a vector."""
    dims = context.held(0).dims
    rank = None if dims is None else len(dims)
    return [(None, rank), (None,), (rank,)]


@shape_fn("SparseMatrixNNZ")
def matrix_size(context: InferenceContext) -> Sequence[Result]:
    """Give a number for a matrix, a vector of them for a batch."""
    dims = context.held(0).dims
    return [None if dims is None else dims[:-2]]


@shape_fn("SparseMatrixOrderingAMD")
def matrix_ordering(context: InferenceContext) -> Sequence[Result]:
    """Give an order of the rows of each matrix."""
    dims = context.held(0).dims
    return [None if dims is None else dims[:-1]]
