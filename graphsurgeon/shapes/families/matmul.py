"""Matrix products: MatMul, batched ones, Einsum, sparse and quantized forms."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("MatMul", "_FusedMatMul")
def mat_mul(context: InferenceContext) -> Sequence[Result]:
    """Multiply two matrices, transposed as `transpose_a` and `transpose_b` say."""
    return [_product(context, "transpose_a", "transpose_b")]


@shape_fn("SparseMatMul")
def sparse_mat_mul(context: InferenceContext) -> Sequence[Result]:
    """Multiply two matrices, transposed as `transpose_a` and `transpose_b` say."""
    return [_product(context, "transpose_a", "transpose_b")]


@shape_fn("QuantizedMatMul", "_QuantizedMatMul", "QuantizedMatMulWithBias", "QuantizedMatMulWithBiasAndRelu")
def quantized_mat_mul(context: InferenceContext) -> Sequence[Result]:
    """Multiply two matrices; the range of the result is two scalars."""
    return [_product(context, "transpose_a", "transpose_b"), (), ()]


@shape_fn("QuantizedMatMulWithBiasAndReluAndRequantize", "QuantizedMatMulWithBiasAndRequantize")
def quantized_mat_mul_requantized(context: InferenceContext) -> Sequence[Result]:
    """Multiply two matrices; the range of the result is two scalars."""
    return [_product(context, "transpose_a", "transpose_b"), (), ()]


@shape_fn("QuantizedMatMulWithBiasAndDequantize")
def quantized_mat_mul_dequantized(context: InferenceContext) -> Sequence[Result]:
    """Multiply two matrices."""
    return [_product(context, "transpose_a", "transpose_b")]


def _product(context: InferenceContext, transpose_a: str, transpose_b: str) -> Dims:
    first, second = context.with_rank(0, 2), context.with_rank(1, 2)
    if context.bool_attr(transpose_a):
        first = first[::-1]
    if context.bool_attr(transpose_b):
        second = second[::-1]
    dim.merge_dim(first[1], second[0])
    return (first[0], second[1])


@shape_fn("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def batch_mat_mul(context: InferenceContext) -> Sequence[Result]:
    """Multiply the matrices in the last two dimensions; the others broadcast, in the oldest op they are equal."""
    first, second = context.at_least(0, 2), context.at_least(1, 2)
    join = dim.merge if context.node.op in ("BatchMatMul") else dim.broadcast
    rows, inner_first = _last_two(first, swapped=context.bool_attr("adj_x"))
    inner_second, columns = _last_two(second, swapped=context.bool_attr("adj_y"))
    dim.merge_dim(inner_first, inner_second)
    batch = join(None if first is None else first[:-2], None if second is None else second[:-2])
    return [None if batch is None else (*batch, rows, columns)]


def _last_two(dims: Dims | None, *, swapped: bool) -> Dims:
    last = dim.unknown(2) if dims is None else dims[-2:]
    return last[::-1] if swapped else last


@shape_fn("Einsum", "XlaEinsum")
def einsum(context: InferenceContext) -> Sequence[Result]:
    """Put the dimensions together as `equation` says; what an ellipsis stands for broadcasts."""
    left, arrow, right = context.text_attr("equation").replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != len(context.inputs):
        raise ShapeError(f"equation {left + arrow + right!r} does not fit {len(context.inputs)} inputs")
    labels: dict[str, Dim] = {}
    spread: Dims | None = ()
    for term, fact in zip(terms, context.inputs, strict=True):
        spread = dim.broadcast(spread, _read_term(term, fact.dims, labels))
    return [_write_term(right, labels, spread)]


def _read_term(term: str, dims: Dims | None, labels: dict[str, Dim]) -> Dims | None:
    """Enter the dimensions of one operand under their labels; return what its ellipsis stands for."""
    before, dots, after = term.partition("...")
    if "." in before + after:
        raise ShapeError(f"{term!r} has more than one ellipsis")
    if dims is None:
        for label in before + after:
            labels.setdefault(label, None)
        return None if dots else ()
    named = len(before) + len(after)
    if len(dims) < named or (not dots and len(dims) > named):
        raise ShapeError(f"{term!r} does not fit shape {dim.show(dims)}")
    behind = dims[len(dims) - len(after) :]
    for label, size in zip(before + after, (*dims[: len(before)], *behind), strict=True):
        labels[label] = dim.merge_dim(labels.get(label), size)
    return dims[len(before) : len(dims) - len(after)]


def _write_term(term: str, labels: dict[str, Dim], spread: Dims | None) -> Dims | None:
    before, dots, after = term.partition("...")
    if any(label not in labels for label in before + after):
        raise ShapeError(f"the result {term!r} names a dimension that no operand has")
    if not dots:
        if spread:
            raise ShapeError(f"the result {term!r} lacks the ellipsis of the operands")
        return tuple(labels[label] for label in before)
    if spread is None:
        return None
    return (*(labels[label] for label in before), *spread, *(labels[label] for label in after))


@shape_fn("SparseTensorDenseMatMul")
def sparse_tensor_dense_mat_mul(context: InferenceContext) -> Sequence[Result]:
    """Multiply a sparse matrix (shape in the third input) with a dense one; `adjoint_a`, `adjoint_b` transpose."""
    sparse = context.shape_of(2) or dim.unknown(2)
    if len(sparse) != 2:
        raise ShapeError(f"a sparse matrix has two dimensions, found {len(sparse)}")
    dense = context.with_rank(3, 2)
    sparse = sparse[::-1] if context.bool_attr("adjoint_a") else sparse
    dense = dense[::-1] if context.bool_attr("adjoint_b") else dense
    dim.merge_dim(sparse[1], dense[0])
    return [(sparse[0], dense[1])]


@shape_fn("RiscDot")
def risc_dot(context: InferenceContext) -> Sequence[Result]:
    """Multiply two matrices, transposed as `transpose_a` and `transpose_b` say."""
    return [_product(context, "transpose_a", "transpose_b")]


@shape_fn("Cross")
def cross(context: InferenceContext) -> Sequence[Result]:
    """Multiply vectors of three in the last dimension."""
    both = dim.merge(context.at_least(0, 1), context.at_least(1, 1))
    if both is not None:
        dim.merge_dim(both[-1], 3)
    return [both]
