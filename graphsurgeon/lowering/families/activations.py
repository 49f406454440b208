"""Activations that are no single op without an argument. Source: the pages of the operators."""

from __future__ import annotations

import math

from graphsurgeon.lowering.builder import Builder, as_ordered, as_plain
from graphsurgeon.lowering.layout import each
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.model.dtype import FLOAT32


def const(b: Builder, like: Operand, value: float) -> Operand:
    """Return a number of the type of another operand."""
    return b.constant(value, like.dtype)


@lowers("LeakyRelu", 6, 16)
def leaky_relu(b: Builder, node: Source) -> Operand:
    """A slope below zero."""
    return each(b, "LeakyRelu", node[0], alpha=node.number("alpha", 0.01))


@lowers("PRelu", 6, 7, 9, 16)
def prelu(b: Builder, node: Source) -> Operand:
    """A slope for each channel, which broadcasts to the input."""
    x, slope = node[0], node[1]
    if node.version < 7 and slope.rank == 1 and x.rank > 2:
        slope = b.reshape(slope, [-1, *[1] * (x.rank - 2)])
    zero = const(b, x, 0)
    below = each(b, "Mul", each(b, "Minimum", x, zero), slope)
    return each(b, "AddV2", each(b, "Maximum", x, zero), below)


@lowers("Elu", 1, 6, 22)
def elu(b: Builder, node: Source) -> Operand:
    """An exponential below zero."""
    alpha = node.number("alpha", 1.0)
    return _scaled_elu(b, node[0], alpha, 1.0)


@lowers("Selu", 6, 22)
def selu(b: Builder, node: Source) -> Operand:
    """An exponential below zero, the whole scaled; TensorFlow's own where the numbers are those of the paper."""
    alpha = node.number("alpha", 1.67326319217681884765625)
    gamma = node.number("gamma", 1.05070102214813232421875)
    if abs(alpha - 1.6732632) < 1e-6 and abs(gamma - 1.0507010) < 1e-6:
        return each(b, "Selu", node[0])
    return _scaled_elu(b, node[0], alpha, gamma)


def _scaled_elu(b: Builder, x: Operand, alpha: float, gamma: float) -> Operand:
    found = each(b, "Elu", x)
    if alpha != 1.0:
        below = each(b, "Mul", found, const(b, x, alpha))
        found = each(b, "SelectV2", each(b, "Greater", x, const(b, x, 0)), x, below)
    return each(b, "Mul", found, const(b, x, gamma)) if gamma != 1.0 else found


@lowers("Celu", 12, 28)
def celu(b: Builder, node: Source) -> Operand:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""
    x, alpha = node[0], node.number("alpha", 1.0)
    below = each(b, "Mul", each(b, "Expm1", each(b, "RealDiv", x, const(b, x, alpha))), const(b, x, alpha))
    zero = const(b, x, 0)
    return each(b, "AddV2", each(b, "Maximum", x, zero), each(b, "Minimum", below, zero))


@lowers("HardSigmoid", 1, 6, 22)
def hard_sigmoid(b: Builder, node: Source) -> Operand:
    """max(0, min(1, alpha * x + beta)); of MobileNet's numbers as TensorFlow's users write it, by Relu6."""
    x = node[0]
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5 and x.dtype is FLOAT32:
        return each(b, "Mul", each(b, "Relu6", each(b, "AddV2", x, const(b, x, 3))), const(b, x, 1 / 6))
    line = each(b, "AddV2", each(b, "Mul", x, const(b, x, alpha)), const(b, x, beta))
    return each(b, "Minimum", each(b, "Maximum", line, const(b, x, 0)), const(b, x, 1))


@lowers("HardSwish", 14, 22)
def hard_swish(b: Builder, node: Source) -> Operand:
    """X * max(0, min(1, x / 6 + 0.5))."""
    x = node[0]
    gate = each(b, "Mul", each(b, "Relu6", each(b, "AddV2", x, const(b, x, 3))), const(b, x, 1 / 6))
    return each(b, "Mul", x, gate)


@lowers("Swish", 24)
def swish(b: Builder, node: Source) -> Operand:
    """X * sigmoid(alpha * x)."""
    return _swish(b, node[0], node.number("alpha", 1.0))


def _swish(b: Builder, x: Operand, alpha: float) -> Operand:
    inner = each(b, "Mul", x, const(b, x, alpha)) if alpha != 1.0 else x
    return each(b, "Mul", x, each(b, "Sigmoid", inner))


@lowers("Mish", 18, 22)
def mish(b: Builder, node: Source) -> Operand:
    """X * tanh(softplus(x))."""
    x = node[0]
    return each(b, "Mul", x, each(b, "Tanh", each(b, "Softplus", x)))


@lowers("Gelu", 20)
def gelu(b: Builder, node: Source) -> Operand:
    """X * Phi(x), by the error function or by the hyperbolic tangent."""
    x = node[0]
    half = each(b, "Mul", x, const(b, x, 0.5))
    if node.text("approximate", "none") == "tanh":
        cube = each(b, "Mul", each(b, "Mul", each(b, "Square", x), x), const(b, x, 0.044715))
        inner = each(b, "Mul", each(b, "AddV2", x, cube), const(b, x, math.sqrt(2 / math.pi)))
        curve = each(b, "Tanh", inner)
    else:
        curve = each(b, "Erf", each(b, "Mul", x, const(b, x, math.sqrt(0.5))))
    return each(b, "Mul", half, each(b, "AddV2", curve, const(b, x, 1)))


@lowers("Shrink", 9)
def shrink(b: Builder, node: Source) -> Operand:
    """Towards zero by a bias outside of an interval, zero inside."""
    x = node[0]
    lambd, bias = node.number("lambd", 0.5), node.number("bias")
    whole = x.dtype.is_integer
    wide = b.cast(x, FLOAT32) if whole else x
    zero = each(b, "ZerosLike", wide)
    above = each(
        b, "SelectV2", each(b, "Greater", wide, const(b, wide, lambd)), each(b, "Sub", wide, const(b, wide, bias)), zero
    )
    found = each(
        b,
        "SelectV2",
        each(b, "Less", wide, const(b, wide, -lambd)),
        each(b, "AddV2", wide, const(b, wide, bias)),
        above,
    )
    return b.cast(found, x.dtype)


@lowers("ThresholdedRelu", 10, 22)
def thresholded_relu(b: Builder, node: Source) -> Operand:
    """What is above a threshold."""
    x = node[0]
    above = each(b, "Greater", x, const(b, x, node.number("alpha", 1.0)))
    return each(b, "SelectV2", above, x, each(b, "ZerosLike", x))


@lowers("Softmax", 1, 11)
@lowers("LogSoftmax", 1, 11)
def softmax_of_rows(b: Builder, node: Source) -> Operand:
    """Over all axes from one on, as if they were one."""
    x = node[0]
    axis = node.axis(x.rank, 1)
    if all(dim == 1 for dim in x.dims[axis + 1 :]):
        return softmax_at(b, node.node.op, x, axis)
    return _of_rows(b, x, axis, lambda rows: b.op(node.node.op, rows))


@lowers("Softmax", 13)
@lowers("LogSoftmax", 13)
def softmax(b: Builder, node: Source) -> Operand:
    """Over one axis."""
    x = node[0]
    return softmax_at(b, node.node.op, x, node.axis(x.rank, -1))


def softmax_at(b: Builder, op: str, x: Operand, axis: int) -> Operand:
    """Return the softmax over an axis of the source; TensorFlow has it over the last one as axes lie."""
    rank = x.rank
    if x.order is not None and x.order[-1] == axis:
        return as_ordered(b.op(op, as_plain(x)), x.order)
    if axis == rank - 1:
        return b.op(op, x)
    order = (*(other for other in range(rank) if other != axis), axis)
    return as_ordered(b.op(op, as_plain(b.ordered(x, order))), order)


def _of_rows(b: Builder, x: Operand, axis: int, function) -> Operand:  # type: ignore[no-untyped-def]
    from graphsurgeon.shapes.dims import product

    plain = b.plain(x)
    columns = product(plain.dims[axis:])
    if not isinstance(columns, int):
        raise LoweringError("it flattens axes whose lengths are not known", hint="give them with --shape")
    return b.reshape(function(b.reshape(plain, [-1, columns])), b.shape_of(plain))


@lowers("Hardmax", 1, 11)
def hardmax_of_rows(b: Builder, node: Source) -> Operand:
    """A one where the largest is, over all axes from one on as if they were one."""
    x = node[0]
    return _of_rows(b, x, node.axis(x.rank, 1), lambda rows: _hardmax(b, rows, 1))


@lowers("Hardmax", 13)
def hardmax(b: Builder, node: Source) -> Operand:
    """A one where the largest is along an axis, the first of several."""
    x = b.plain(node[0])
    return _hardmax(b, x, node.axis(x.rank, -1))


def _hardmax(b: Builder, x: Operand, axis: int) -> Operand:
    from graphsurgeon.model.dtype import INT64

    place = b.op("ArgMax", x, axis, output_type=INT64)
    depth = b.op("StridedSlice", b.op("Shape", x), [axis], [axis + 1], [1], shrink_axis_mask=1)
    return b.op("OneHot", place, depth, const(b, x, 1), const(b, x, 0), axis=axis if axis < x.rank - 1 else -1)
