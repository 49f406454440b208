"""Linear algebra over the last two dimensions; the others are batches."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn(
    "Cholesky", "CholeskyGrad", "MatrixInverse", "MatrixLogarithm", "MatrixSquareRoot", "MatrixExponential",
    "BatchCholesky", "BatchCholeskyGrad", "BatchMatrixInverse", "RiscCholesky",
)  # fmt: skip
def square(context: InferenceContext) -> Sequence[Result]:
    """Give square matrices of the same size."""
    return [_square(context, 0)]


def _square(context: InferenceContext, index: int) -> Dims | None:
    dims = context.at_least(index, 2)
    if dims is None:
        return None
    size = dim.merge_dim(dims[-2], dims[-1])
    return (*dims[:-2], size, size)


@shape_fn("MatrixBandPart", "BatchMatrixBandPart")
def band_part(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    return [context.dims(0)]


@shape_fn("MatrixDeterminant", "BatchMatrixDeterminant")
def determinant(context: InferenceContext) -> Sequence[Result]:
    """Give one number per matrix."""
    dims = _square(context, 0)
    return [None if dims is None else dims[:-2]]


@shape_fn("LogMatrixDeterminant")
def log_determinant(context: InferenceContext) -> Sequence[Result]:
    """Give sign and logarithm, one number per matrix."""
    dims = _square(context, 0)
    return [None if dims is None else dims[:-2]] * 2


@shape_fn("MatrixSolve", "BatchMatrixSolve")
def solve(context: InferenceContext) -> Sequence[Result]:
    """Give as many columns as the right-hand side has."""
    return [_solved(context, is_square=True)]


@shape_fn("MatrixTriangularSolve", "BatchMatrixTriangularSolve", "BandedTriangularSolve", "RiscTriangularSolve")
def triangular_solve(context: InferenceContext) -> Sequence[Result]:
    """Give as many columns as the right-hand side has; batches broadcast."""
    matrix, right = context.at_least(0, 2), context.at_least(1, 2)
    if matrix is None or right is None:
        return [None]
    size = matrix[-1] if context.node.op == "BandedTriangularSolve" else dim.merge_dim(matrix[-2], matrix[-1])
    size = dim.merge_dim(size, right[-2])
    batch = dim.broadcast(matrix[:-2], right[:-2])
    return [None if batch is None else (*batch, size, right[-1])]


@shape_fn("MatrixSolveLs", "BatchMatrixSolveLs")
def solve_least_squares(context: InferenceContext) -> Sequence[Result]:
    """Give as many rows as the matrix has columns, as many columns as the right-hand side has."""
    return [_solved(context, is_square=False)]


def _solved(context: InferenceContext, *, is_square: bool) -> Dims | None:
    matrix = _square(context, 0) if is_square else context.at_least(0, 2)
    right = context.at_least(1, 2)
    batch = dim.merge(None if matrix is None else matrix[:-2], None if right is None else right[:-2])
    if matrix is not None and right is not None:
        dim.merge_dim(matrix[-2], right[-2])
    if batch is None:
        return None
    rows: Dim = None if matrix is None else matrix[-1]
    if is_square and right is not None:
        rows = dim.merge_dim(rows, right[-2])
    return (*batch, rows, None if right is None else right[-1])


@shape_fn("SelfAdjointEig", "BatchSelfAdjointEig")
def old_self_adjoint_eig(context: InferenceContext) -> Sequence[Result]:
    """Give the eigenvalues above the eigenvectors."""
    dims = _square(context, 0)
    return [None if dims is None else (*dims[:-2], dim.add(dims[-1], 1), dims[-1])]


@shape_fn("SelfAdjointEigV2", "BatchSelfAdjointEigV2", "Eig")
def eig(context: InferenceContext) -> Sequence[Result]:
    """Give eigenvalues, and eigenvectors if `compute_v`."""
    dims = _square(context, 0)
    if dims is None:
        return [None, None if context.bool_attr("compute_v") else (0,)]
    return [dims[:-1], dims if context.bool_attr("compute_v") else (0,)]


@shape_fn("Qr")
def qr(context: InferenceContext) -> Sequence[Result]:
    """Give the two factors; square if `full_matrices`."""
    dims = context.at_least(0, 2)
    if dims is None:
        return [None, None]
    rows, columns = dims[-2:]
    small = _smaller(rows, columns)
    if context.bool_attr("full_matrices"):
        return [(*dims[:-2], rows, rows), (*dims[:-2], rows, columns)]
    return [(*dims[:-2], rows, small), (*dims[:-2], small, columns)]


@shape_fn("Svd", "BatchSvd")
def svd(context: InferenceContext) -> Sequence[Result]:
    """Give singular values, and the two factors if `compute_uv`; square if `full_matrices`."""
    dims = context.at_least(0, 2)
    wants_factors = context.bool_attr("compute_uv")
    if dims is None:
        return [None, *[None if wants_factors else (0,)] * 2]
    rows, columns = dims[-2:]
    small = _smaller(rows, columns)
    if not wants_factors:
        return [(*dims[:-2], small), (0,), (0,)]
    if context.bool_attr("full_matrices"):
        return [(*dims[:-2], small), (*dims[:-2], rows, rows), (*dims[:-2], columns, columns)]
    return [(*dims[:-2], small), (*dims[:-2], rows, small), (*dims[:-2], columns, small)]


def _smaller(first: Dim, second: Dim) -> Dim:
    if first == second:
        return first
    if first == 0 or second == 0:
        return 0
    return min(first, second) if isinstance(first, int) and isinstance(second, int) else None


@shape_fn("Lu")
def lu(context: InferenceContext) -> Sequence[Result]:
    """Give both factors in one matrix, and the permutation."""
    dims = _square(context, 0)
    return [dims, None if dims is None else dims[:-1]]


@shape_fn("Diag")
def diag(context: InferenceContext) -> Sequence[Result]:
    """Give the dimensions twice."""
    dims = context.dims(0)
    return [None if dims is None else (*dims, *dims)]


@shape_fn("DiagPart")
def diag_part(context: InferenceContext) -> Sequence[Result]:
    """Give half of the dimensions, which must equal the other half."""
    dims = context.dims(0)
    if dims is None:
        return [None]
    if len(dims) % 2 or not dims:
        raise ShapeError(f"shape {dim.show(dims)} has no two equal halves")
    return [dim.merge(dims[: len(dims) // 2], dims[len(dims) // 2 :])]


@shape_fn("MatrixDiag", "BatchMatrixDiag")
def matrix_diag(context: InferenceContext) -> Sequence[Result]:
    """Give the last dimension twice."""
    dims = context.at_least(0, 1)
    return [None if dims is None else (*dims, dims[-1])]


@shape_fn("MatrixDiagPart", "BatchMatrixDiagPart")
def matrix_diag_part(context: InferenceContext) -> Sequence[Result]:
    """Give the smaller of the last two dimensions."""
    dims = context.at_least(0, 2)
    return [None if dims is None else (*dims[:-2], _smaller(*dims[-2:]))]


@shape_fn("MatrixSetDiag", "BatchMatrixSetDiag")
def matrix_set_diag(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the matrices, whose batches the diagonals share."""
    dims, diagonal = context.at_least(0, 2), context.at_least(1, 1)
    if dims is None or diagonal is None:
        return [(*diagonal[:-1], None, None) if diagonal is not None else dims]
    dim.merge_dim(_smaller(*dims[-2:]), diagonal[-1])
    batch = dim.merge(dims[:-2], diagonal[:-1])
    return [None if batch is None else (*batch, *dims[-2:])]


@shape_fn("MatrixDiagV2", "MatrixDiagV3")
def matrix_diag_v2(context: InferenceContext) -> Sequence[Result]:
    """Put diagonals between the offsets in the second input into matrices of the rows and columns in inputs 3, 4."""
    diagonals, offsets = context.at_least(0, 1), context.integers(1)
    if diagonals is None or offsets is None or context.items(2) is None or context.items(3) is None:
        return [None]
    lower, upper = _band(offsets)
    longest, batch = diagonals[-1], diagonals[:-1]
    if lower != upper:
        if not batch:
            raise ShapeError("several diagonals need a dimension of their own")
        dim.merge_dim(batch[-1], upper - lower + 1)
        batch = batch[:-1]
    rows = dim.subtract(longest, min(upper, 0))
    columns = dim.add(longest, max(lower, 0))
    return [(*batch, *_sizes(rows, columns, context.integer(2), context.integer(3)))]


def _sizes(rows: Dim, columns: Dim, asked_rows: int | None, asked_columns: int | None) -> tuple[Dim, Dim]:
    """Return rows and columns: those asked for, else the fewest that hold the diagonals (square if none is asked)."""
    no_rows, no_columns = asked_rows in (None, -1), asked_columns in (None, -1)
    if no_rows and no_columns:
        size = max(rows, columns) if isinstance(rows, int) and isinstance(columns, int) else None
        return size, size
    return (rows if no_rows else asked_rows), (columns if no_columns else asked_columns)


def _band(offsets: Sequence[int]) -> tuple[int, int]:
    if not 1 <= len(offsets) <= 2 or offsets[0] > offsets[-1]:
        raise ShapeError(f"diagonals from {offsets} are no band")
    return offsets[0], offsets[-1]


@shape_fn("MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diag_part_v2(context: InferenceContext) -> Sequence[Result]:
    """Give the diagonals between the offsets in the second input, as long as the longest."""
    dims, offsets = context.at_least(0, 2), context.integers(1)
    if dims is None or offsets is None:
        return [None]
    lower, upper = _band(offsets)
    rows, columns = dims[-2:]
    longest: Dim = None
    if isinstance(rows, int) and isinstance(columns, int):
        longest = min(rows + min(upper, 0), columns - max(lower, 0))
    batch = dims[:-2] if lower == upper else (*dims[:-2], upper - lower + 1)
    return [(*batch, longest)]


@shape_fn("MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag_v2(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the matrices, whose batches the diagonals share."""
    dims, diagonal, offsets = context.at_least(0, 2), context.at_least(1, 1), context.integers(2)
    if dims is not None or diagonal is None or offsets is None:
        return [dims]
    lower, upper = _band(offsets)
    return [(*diagonal[: -1 if lower == upper else -2], None, None)]


@shape_fn("TridiagonalSolve")
def tridiagonal_solve(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the right-hand side."""
    return [context.dims(1)]


@shape_fn("TridiagonalMatMul")
def tridiagonal_mat_mul(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the right-hand side."""
    return [context.dims(3)]
