"""Products of matrices. Source: the pages of the operators.

`BatchMatMulV2` of TensorFlow 2.21 with oneDNN is wrong, or ends the process, for a left side of `[B, 1, M, K]` and a
right side without batch: such a product is one of matrices, between two Reshapes, as Keras writes it.
"""

from __future__ import annotations

import re
from typing import Any

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.layout import permuted_rows
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.lowering.types import computed_as
from graphsurgeon.model.dtype import INT64
from graphsurgeon.shapes.dims import product
from graphsurgeon.shapes.fact import Fact


@lowers("MatMul", 1, 9, 13)
def matmul(b: Builder, node: Source) -> Operand:
    """Numpy's matmul: batches broadcast, vectors are rows on the left and columns on the right."""
    return computed_as(b, "BatchMatMulV2", lambda x, y: multiplied(b, x, y), node[0], node[1])


def multiplied(b: Builder, x: Operand, y: Operand) -> Operand:
    """Return the product of two operands as numpy's matmul gives it."""
    left, right = x.rank, y.rank
    if left == 0 or right == 0:
        raise LoweringError("a product of matrices with a single number")
    if x.before is not None and right == 2:
        x, y = _permuted(b, x, y, axis=0)
    x = b.expand(x, [0]) if left == 1 else b.plain(x)
    y = b.expand(y, [1]) if right == 1 else b.plain(y)
    found = _of_matrices(b, x, y)
    rank = found.rank
    gone = [rank - 2] if left == 1 else []
    gone += [rank - 1] if right == 1 else []
    return b.squeeze(found, gone)


def _of_matrices(b: Builder, x: Operand, y: Operand) -> Operand:
    if y.rank > 2 and all(dim == 1 for dim in y.dims[:-2]) and x.rank >= y.rank:
        y = b.reshape(y, [dim if isinstance(dim, int) else -1 for dim in y.dims[-2:]]) if _one_open(y) else y
    if y.rank == 2 and x.rank == 2:
        return b.op("MatMul", x, y)
    if y.rank != 2:
        return b.op("BatchMatMulV2", x, y)
    inner = x.dims[-1] if isinstance(x.dims[-1], int) else y.dims[0]
    if not isinstance(inner, int):
        raise LoweringError("the length of the axis it sums over is not known", hint="give shapes with --shape")
    flat = b.op("MatMul", b.reshape(x, [-1, inner]), y)
    dims = [*x.dims[:-1], y.dims[1]]
    if sum(not isinstance(dim, int) for dim in dims) <= 1:
        made = b.reshape(flat, [dim if isinstance(dim, int) else -1 for dim in dims])
    else:
        kept = b.op("StridedSlice", b.shape_of(x), [0], [x.rank - 1], [1])
        width = (
            b.constant([dims[-1]], INT64)
            if isinstance(dims[-1], int)
            else b.op("StridedSlice", b.shape_of(y), [1], [2], [1])
        )
        made = b.reshape(flat, b.op("ConcatV2", kept, width, 0))
    return b.learn(made.value, Fact(tuple(dims), dtype=made.fact.dtype)) if made.value is not None else made


def _one_open(y: Operand) -> bool:
    return sum(not isinstance(dim, int) for dim in y.dims[-2:]) <= 1


def _permuted(b: Builder, x: Operand, y: Operand, *, axis: int) -> tuple[Operand, Operand]:
    """Return what was flattened with the channels last as it lies, and constant weights that fit it."""
    assert x.before is not None
    fitting = permuted_rows(y, x.before, axis=axis)
    if fitting is None:
        return b.plain(x), y
    return Operand(x.value, x.fact), fitting


@lowers("Gemm", 6, 7, 9, 11, 13)
def gemm(b: Builder, node: Source) -> Operand:
    """Alpha * A * B + beta * C, with A and B transposed where it says so."""
    x, y = node[0], node[1]
    if x.before is not None and not node.flag("transA") and y.rank == 2:
        x, y = _permuted(b, x, y, axis=int(node.flag("transB")))
    x = b.plain(x)
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    turned: dict[str, Any] = {"transpose_a": node.flag("transA"), "transpose_b": node.flag("transB")}
    found = computed_as(b, "MatMul", lambda one, other: b.op("MatMul", one, other, **turned), x, y)
    if alpha != 1.0:
        found = b.op("Mul", found, b.constant(alpha, x.dtype))
    c = node.get(2)
    if c is None or beta == 0.0:
        return found
    if beta != 1.0:
        c = b.op("Mul", c, b.constant(beta, x.dtype))
    width = found.dims[-1]
    if (
        c.known_dims is not None
        and len(c.known_dims) in (1, 2)
        and product(c.known_dims) == width
        and c.dims[-1] == width
    ):
        return b.op("BiasAdd", found, b.reshape(c, [-1]) if c.rank == 2 else c)
    return b.op("AddV2", found, c)


@lowers("Einsum", 12, 28)
def einsum(b: Builder, node: Source) -> Operand:
    """A sum over products, by an equation."""
    equation = re.sub(r"\s+", "", node.text("equation"))
    if "->" not in equation:
        letters = sorted(set(re.sub(r"[^A-Za-z]", "", equation)))
        once = "".join(letter for letter in letters if equation.count(letter) == 1)
        equation += "->" + ("..." if "..." in equation else "") + once
    terms = equation.split("->")[0].split(",")
    operands = node.all()
    if len(operands) > 2 or len(terms) != len(operands):
        raise LoweringError(f"an equation over {len(operands)} operands: one or two are known here")
    made = computed_as(b, "Einsum", lambda *given: b.op("Einsum", *given, equation=equation), *operands)
    return made


@lowers("Det", 11, 22)
def determinant(b: Builder, node: Source) -> Operand:
    """Of square matrices."""
    return computed_as(b, "MatrixDeterminant", lambda x: b.op("MatrixDeterminant", x), node[0])
