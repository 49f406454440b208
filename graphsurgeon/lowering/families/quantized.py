"""Quantized networks as ones of float with fake quantization. Source: the pages of the operators, opsets 10 to 28.

A value that is quantized to be dequantized at once goes through `FakeQuantWithMinMaxVars`, whose bounds fall on steps
since zero points are integers: TensorFlow rounds halves up there and ONNX to even, so results may part by one step.
Elsewhere integers are computed as such. Products of integers are sums in int32 or float64, which are exact.
"""

from __future__ import annotations

from typing import Any

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.families.conv import conv
from graphsurgeon.lowering.families.linear import multiplied
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source, normal_axis
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.lowering.types import ordered_like, raw
from graphsurgeon.model.dtype import FLOAT32, FLOAT64, INT32, UINT8, DType
from graphsurgeon.model.tensor import Tensor

_BOUNDS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}
FAKED = "quantized values are computed as float32 with fake quantization: results may part from the source by one step"


@lowers("QuantizeLinear", 10, 13, 19, 21, 23, 24, 25, 28)
def quantize_linear(b: Builder, node: Source) -> Operand:
    """Steps of a scale, saturated; where all that reads them turns them back, fake quantization in their place."""
    scale, zero = node[1], node.get(2)
    dtype = zero.dtype if zero is not None else node.dtype("output_dtype") or UINT8
    if dtype.name not in _BOUNDS:
        raise LoweringError(f"quantization to {dtype} is not done")
    faked = _faked(b, node, dtype)
    if faked is not None:
        return faked
    scale, zero = _spread(b, node, scale), None if zero is None else _spread(b, node, zero)
    return quantized(b, node[0], scale, zero, dtype, node.integer("axis", 1))


@lowers("DequantizeLinear", 10, 13, 19, 21, 23, 24, 25, 28)
def dequantize_linear(b: Builder, node: Source) -> Operand:
    """Numbers of steps; of constants at once."""
    if node[0].dtype is FLOAT32 and node[0].tensor is None:
        return node[0]  # was faked where it was quantized
    zero = _spread(b, node, node[2]) if node.has(2) else None
    made = dequantized(b, node[0], _spread(b, node, node[1]), zero, node.integer("axis", 1))
    return b.cast(made, node.dtype("output_dtype") or made.dtype)


@lowers("DynamicQuantizeLinear", 11)
def dynamic_quantize_linear(b: Builder, node: Source) -> list[Operand]:
    """Steps between the least and the greatest number, zero among them."""
    x, zero = b.plain(node[0]), b.constant(0.0)
    axes = list(range(x.rank))
    low = b.op("Minimum", b.op("Min", x, axes), zero)
    high = b.op("Maximum", b.op("Max", x, axes), zero)
    scale = b.op("RealDiv", b.op("Sub", high, low), b.constant(255.0))
    point = b.op("Round", b.op("Neg", b.op("RealDiv", low, scale)))
    point = _between(b, point, UINT8)
    steps = b.op("AddV2", b.op("Round", b.op("RealDiv", x, scale)), point)
    return [b.cast(_between(b, steps, UINT8), UINT8), scale, b.cast(point, UINT8)]


@lowers("QLinearConv", 10)
def qlinear_conv(b: Builder, node: Source) -> Operand:
    """A convolution of float, its ends quantized."""
    x = dequantized(b, node[0], node[1], node.get(2), 1)
    kernel = dequantized(b, node[3], node[4], node.get(5), 0)
    given = [x, kernel]
    if node.has(8):
        scale = b.op("Mul", b.reshape(node[1], []), node[4])
        given.append(b.op("Mul", b.cast(b.plain(node[8]), FLOAT32), scale))
    made = _conv(b, node, given)
    b.within.work.notes[FAKED] = None
    return quantized(b, made, node[6], node.get(7), node[7].dtype, 1)


@lowers("QLinearMatMul", 10, 21)
def qlinear_matmul(b: Builder, node: Source) -> Operand:
    """A product of float, its ends quantized; scales of rows and columns have an axis of their own."""
    x = dequantized(b, node[0], node[1], node.get(2), -2)
    y = dequantized(b, node[3], node[4], node.get(5), -1)
    b.within.work.notes[FAKED] = None
    return quantized(b, multiplied(b, x, y), node[6], node.get(7), node[7].dtype, -2)


@lowers("MatMulInteger", 10)
def matmul_integer(b: Builder, node: Source) -> Operand:
    """A product of integers, in int32."""
    return multiplied(b, _shifted(b, node[0], node.get(2), -2), _shifted(b, node[1], node.get(3), -1))


@lowers("ConvInteger", 10)
def conv_integer(b: Builder, node: Source) -> Operand:
    """A convolution of integers: in float64, which TensorFlow has a kernel for and which holds each sum."""
    x = b.cast(_shifted(b, node[0], node.get(2), 1), FLOAT64)
    kernel = b.cast(_shifted(b, node[1], node.get(3), 0), FLOAT64)
    return b.cast(_conv(b, node, [x, kernel]), INT32)


def _conv(b: Builder, node: Source, given: list[Operand]) -> Operand:
    made = conv(b, Source(node.node, node.version, given, {}))
    assert isinstance(made, Operand)
    return made


def _spread(b: Builder, node: Source, one: Operand) -> Operand:
    """Return a scale or zero point of blocks once for each element along their axis."""
    block, x = node.integer("block_size"), node[0]
    if not block or one.size == 1:
        return one
    axis = normal_axis(node.integer("axis", 1), x.rank)
    return b.op("GatherV2", b.plain(one), [place // block for place in range(x.static()[axis])], axis)


def _faked(b: Builder, node: Source, dtype: DType) -> Operand | None:
    """Return fake quantization, None where somebody wants the integers, or scales are of channels."""
    value = node.node.outputs[0]
    readers = value.consumers
    is_end = any(output.value is value for output in value.graph.outputs)
    is_alone = bool(readers) and all(
        reader.op == "DequantizeLinear" and _same(reader.inputs, node) for reader in readers
    )
    scale, zero = _number(node[1]), _number(node.get(2))
    if is_end or not is_alone or scale is None or zero is None or node[0].dtype is not FLOAT32:
        return None
    low, high = _BOUNDS[dtype.name]
    bounds = [b.constant((bound - zero) * scale, FLOAT32) for bound in (low, high)]
    bits = 16 if dtype.itemsize > 1 else 8
    b.within.work.notes[FAKED] = None
    x = node[0]
    return ordered_like(x, b.op("FakeQuantWithMinMaxVars", raw(x), *bounds, num_bits=bits, narrow_range=False))


def _same(inputs: Any, node: Source) -> bool:
    """Say whether scale and zero point of what reads are those of what quantizes."""
    own, others = node.node.inputs[1:], inputs[1:]
    return len(own) == len(others) and all(
        one is other
        or (one.tensor is not None and other.tensor is not None and one.tensor.items() == other.tensor.items())
        for one, other in zip(own, others, strict=True)
    )


def _number(operand: Operand | None) -> float | None:
    """Return the one element of a constant, 0 for one that is left out; None where it is not known."""
    if operand is None:
        return 0
    if operand.tensor is None or operand.tensor.num_elements != 1:
        return None
    return float(operand.tensor.items()[0])


def _aligned(b: Builder, x: Operand, one: Operand, axis: int) -> Operand:
    """Return a scale or zero point such that it meets an axis of x; one number meets all."""
    one = b.plain(one)
    if one.size == 1:
        return b.reshape(one, [])
    if one.rank != 1:
        return one
    behind = x.rank - normal_axis(axis, x.rank) - 1
    return b.reshape(one, [-1, *[1] * behind]) if behind else one


def _ends(
    b: Builder, x: Operand, scale: Operand, zero: Operand | None, axis: int
) -> tuple[Operand, Operand, Operand | None]:
    """Return x, scale and zero point, x as it lies where one number is for all of it."""
    is_one = scale.size == 1 and (zero is None or zero.size == 1)
    x = x if is_one else b.plain(x)
    return x, _aligned(b, x, scale, axis), None if zero is None else _aligned(b, x, zero, axis)


def quantized(b: Builder, x: Operand, scale: Operand, zero: Operand | None, dtype: DType, axis: int) -> Operand:
    """Return numbers in steps of a scale along an axis, saturated."""
    x, scale, zero = _ends(b, x, scale, zero, axis)
    steps = b.op("Round", b.op("RealDiv", b.cast(raw(x), FLOAT32), b.cast(scale, FLOAT32)))
    steps = steps if zero is None else b.op("AddV2", steps, b.cast(zero, FLOAT32))
    return ordered_like(x, b.cast(_between(b, steps, dtype), dtype))


def dequantized(b: Builder, x: Operand, scale: Operand, zero: Operand | None, axis: int) -> Operand:
    """Return what steps of a scale along an axis stand for; of constants at once."""
    x, scale, zero = _ends(b, x, scale, zero, axis)
    known = x.tensor is not None and scale.tensor is not None and (zero is None or zero.tensor is not None)
    if known and x.order is None:
        return Operand.constant(_computed(x, scale, zero), x.name)
    number = b.cast(raw(x), FLOAT32)
    number = number if zero is None else b.op("Sub", number, b.cast(zero, FLOAT32))
    return ordered_like(x, b.cast(b.op("Mul", number, b.cast(scale, FLOAT32)), scale.dtype))


def _computed(x: Operand, scale: Operand, zero: Operand | None) -> Tensor:
    """Return a constant dequantized now; of 4 bits and 8-bit floats too, which TensorFlow lacks."""
    import numpy as np

    assert x.tensor is not None
    assert scale.tensor is not None
    steps, sizes = x.tensor.numpy().astype(np.float32), scale.tensor.numpy()
    if zero is not None and zero.tensor is not None:
        steps = steps - zero.tensor.numpy().astype(np.float32)
    return Tensor.from_numpy(np.asarray(steps * sizes.astype(np.float32)).astype(sizes.dtype))


def _shifted(b: Builder, x: Operand, zero: Operand | None, axis: int) -> Operand:
    """Return integers less their zero point, as int32."""
    whole = b.cast(b.plain(x), INT32)
    return whole if zero is None else b.op("Sub", whole, b.cast(_aligned(b, x, zero, axis), INT32))


def _between(b: Builder, x: Operand, dtype: DType) -> Operand:
    low, high = (b.constant(float(bound), x.dtype) for bound in _BOUNDS[dtype.name])
    return b.op("Minimum", b.op("Maximum", x, low), high)
