"""Ops of ONNX Runtime's own (`com.microsoft`) that its quantization writes, and a few of its optimizer's.

Source: `docs/ContribOperators.md` of ONNX Runtime.
"""

from __future__ import annotations

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.families.linear import multiplied
from graphsurgeon.lowering.families.pooling import average_pool, global_pool
from graphsurgeon.lowering.families.quantized import FAKED, dequantized, quantized
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers

_OURS = "com.microsoft."


@lowers(_OURS + "QLinearAdd", 1)
@lowers(_OURS + "QLinearMul", 1)
def qlinear_arithmetic(b: Builder, node: Source) -> Operand:
    """A sum or product of float, its ends quantized."""
    one, other = (_real(b, node, first) for first in (0, 3))
    return _steps(b, node, b.op("AddV2" if node.node.op.endswith("Add") else "Mul", one, other), 6)


@lowers(_OURS + "QLinearSigmoid", 1)
def qlinear_sigmoid(b: Builder, node: Source) -> Operand:
    """A sigmoid of float, its ends quantized."""
    return _steps(b, node, b.op("Sigmoid", _real(b, node, 0)), 3)


@lowers(_OURS + "QLinearLeakyRelu", 1)
def qlinear_leaky_relu(b: Builder, node: Source) -> Operand:
    """A leaky ReLU of float, its ends quantized."""
    return _steps(b, node, b.op("LeakyRelu", _real(b, node, 0), alpha=node.number("alpha", 0.01)), 3)


@lowers(_OURS + "QLinearSoftmax", 1)
def qlinear_softmax(b: Builder, node: Source) -> Operand:
    """A softmax of float along the last axis, its ends quantized."""
    if node.integer("opset") < 13 or node.axis(node[0].rank, -1) != node[0].rank - 1:
        raise LoweringError("a softmax that is not along the last axis alone")
    return _steps(b, node, b.op("Softmax", b.plain(_real(b, node, 0))), 3)


@lowers(_OURS + "QLinearGlobalAveragePool", 1)
@lowers(_OURS + "QLinearAveragePool", 1)
def qlinear_pool(b: Builder, node: Source) -> Operand:
    """Means of float, their ends quantized."""
    if node.flag("channels_last"):
        raise LoweringError("channels that are last")
    real = Source(node.node, node.version, [_real(b, node, 0)], {})
    pool = global_pool if "Global" in node.node.op else average_pool
    made = pool(b, real)
    assert isinstance(made, Operand)
    return _steps(b, node, made, 3)


@lowers(_OURS + "QLinearConcat", 1)
def qlinear_concat(b: Builder, node: Source) -> Operand:
    """Parts one behind the other, each in steps of its own before."""
    parts = [b.plain(_real(b, node, first)) for first in range(2, len(node.inputs), 3)]
    return _steps(b, node, b.op("ConcatV2", *parts, node.axis(parts[0].rank, 0)), 0)


@lowers(_OURS + "MatMulIntegerToFloat", 1)
def matmul_integer_to_float(b: Builder, node: Source) -> Operand:
    """A product of steps, as float."""
    x = dequantized(b, node[0], node[2], node.get(4), -1)
    y = dequantized(b, node[1], node[3], node.get(5), -1)
    made = multiplied(b, x, y)
    return b.op("AddV2", made, node[6]) if node.has(6) else made


@lowers(_OURS + "FusedMatMul", 1)
def fused_matmul(b: Builder, node: Source) -> Operand:
    """A product, of which either side may be transposed, times a number."""
    if node.flag("transBatchA") or node.flag("transBatchB"):
        raise LoweringError("batches that are transposed")
    x, y = (b.plain(one) for one in (node[0], node[1]))
    x, y = (
        b.transpose(one, [*range(one.rank - 2), one.rank - 1, one.rank - 2]) if node.flag(name) else one
        for one, name in ((x, "transA"), (y, "transB"))
    )
    return b.op("Mul", multiplied(b, x, y), b.constant(node.number("alpha", 1.0), x.dtype))


def _real(b: Builder, node: Source, first: int) -> Operand:
    """Return what an input stands for, of which scale and zero point follow."""
    return dequantized(b, node[first], b.reshape(node[first + 1], []), _scalar(b, node, first + 2), 0)


def _steps(b: Builder, node: Source, made: Operand, first: int) -> Operand:
    zero = _scalar(b, node, first + 1)
    if zero is None:
        raise LoweringError("a result without a zero point")
    b.within.work.notes[FAKED] = None
    return quantized(b, made, b.reshape(node[first], []), zero, zero.dtype, 0)


def _scalar(b: Builder, node: Source, index: int) -> Operand | None:
    return b.reshape(node[index], []) if node.has(index) else None
