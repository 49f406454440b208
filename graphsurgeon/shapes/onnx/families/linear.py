"""Products of matrices and contractions."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.dtype import INT32, DType
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.onnx.registry import shape_fn

_FIRST_FREE_GEMM = 7  # before, the product could have more than two dimensions' worth of operands


def product(first: Dims | None, second: Dims | None) -> Dims | None:
    """Return the shape of `numpy.matmul`.

    Raises:
        ShapeError: the operands do not fit.
    """
    if first is None or second is None:
        return None
    if not first or not second:
        raise ShapeError("an operand of a product of matrices is a scalar")
    rows = first if len(first) > 1 else (1, *first)
    columns = second if len(second) > 1 else (*second, 1)
    dim.merge_dim(rows[-1], columns[-2])
    batch = dim.broadcast(rows[:-2], columns[:-2])
    assert batch is not None
    own = (rows[-2],) if len(first) > 1 else ()
    other = (columns[-1],) if len(second) > 1 else ()
    return (*batch, *own, *other)


@shape_fn("MatMul")
def matmul(context: OnnxContext) -> Sequence[Fact]:
    """Multiply matrices."""
    return [Fact(product(context.dims(0), context.dims(1)), dtype=context.dtype(0))]


@shape_fn("MatMulInteger")
def matmul_integer(context: OnnxContext) -> Sequence[Fact]:
    """Multiply matrices of integers."""
    return [Fact(product(context.dims(0), context.dims(1)), dtype=INT32)]


@shape_fn("QLinearMatMul")
def quantized_matmul(context: OnnxContext) -> Sequence[Fact]:
    """Multiply quantized matrices: values, scale and zero point of each, then those of the result."""
    return [Fact(product(context.dims(0), context.dims(3)), dtype=context.dtype(7))]


@shape_fn("Gemm")
def gemm(context: OnnxContext) -> Sequence[Fact]:
    """Multiply two matrices, either transposed."""
    if context.version < _FIRST_FREE_GEMM and not (_is_matrix(context, 0) and _is_matrix(context, 1)):
        return [Fact(dtype=context.dtype(0))]
    first, second = context.with_rank(0, 2), context.with_rank(1, 2)
    first = first[::-1] if context.integer_attr("transA") else first
    second = second[::-1] if context.integer_attr("transB") else second
    dim.merge_dim(first[1], second[0])
    return [Fact((first[0], second[1]), dtype=context.dtype(0))]


def _is_matrix(context: OnnxContext, index: int) -> bool:
    dims = context.dims(index)
    return dims is not None and len(dims) == 2


@shape_fn("Einsum")
def einsum(context: OnnxContext) -> Sequence[Fact]:
    """Contract by an equation; one with an ellipsis gives nothing."""
    text = context.text_attr("equation").replace(" ", "")
    dtype: DType | None = context.dtype(0)
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if "..." in text or len(terms) != len(context.inputs):
        return [Fact(dtype=dtype)]
    sizes: dict[str, Dim] = {}
    for index, term in enumerate(terms):
        for letter, size in zip(term, context.with_rank(index, len(term)), strict=True):
            sizes[letter] = dim.broadcast_dim(sizes.get(letter, 1), size)
    if not arrow:
        right = "".join(sorted(letter for letter in sizes if left.count(letter) == 1))
    return [Fact(tuple(sizes[letter] for letter in right), dtype=dtype)]
