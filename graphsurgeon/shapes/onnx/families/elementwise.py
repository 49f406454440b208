"""Ops that work element by element, and those that give the shape of an operand."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.dtype import BOOL, FLOAT32, UINT8, DType
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.onnx.registry import shape_fn

_FIRST_BROADCASTING = 7  # before, an attribute said whether the second operand is stretched to the first


@shape_fn(
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Celu", "Clip", "Cos", "Cosh",
    "CumProd", "CumSum", "Elu", "Erf", "Exp", "Floor", "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish",
    "Hardmax", "Identity", "InstanceNormalization", "LRN", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization",
    "MeanVarianceNormalization", "Mish", "Neg", "Not", "PRelu", "RMSNormalization", "Reciprocal", "Relu",
    "ReverseSequence", "Round", "Scatter", "ScatterElements", "ScatterND", "Selu", "Shrink", "Sigmoid", "Sign", "Sin",
    "Sinh", "Softmax", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Trilu", "Binarizer",
    "TensorScatter", "RotaryEmbedding", "ai.onnx.ml.Binarizer",
)  # fmt: skip
def unary(context: OnnxContext) -> Sequence[Fact]:
    """Give shape and type of the first operand."""
    return [Fact(context.dims(0), dtype=context.dtype(0))]


@shape_fn("IsInf", "IsNaN")
def tests(context: OnnxContext) -> Sequence[Fact]:
    """Give one truth for each element."""
    return [Fact(context.dims(0), dtype=BOOL)]


@shape_fn("Cast", "CastLike", "BitCast")
def cast(context: OnnxContext) -> Sequence[Fact]:
    """Give the shape of the operand in another type."""
    dtype = context.dtype(1) if context.node.op == "CastLike" else _cast_type(context)
    return [Fact(context.dims(0), dtype=dtype)]


def _cast_type(context: OnnxContext) -> DType | None:
    """Return the type by its number; the first version named it."""
    text = context.text_attr("to").lower()
    if text:
        return DType.named({"float": "float32", "double": "float64"}.get(text, text))
    return context.dtype_attr("to")


def dtype_or(context: OnnxContext, name: str, other: DType | None) -> DType | None:
    """Return the type that an attribute names, another one where it is missing."""
    return context.dtype_attr(name) or other


@shape_fn("Bernoulli", "EyeLike", "RandomNormalLike", "RandomUniformLike")
def like(context: OnnxContext) -> Sequence[Fact]:
    """Give the shape of the operand, in the type that `dtype` says or its own."""
    return [Fact(context.dims(0), dtype=dtype_or(context, "dtype", context.dtype(0)))]


@shape_fn("RandomNormal", "RandomUniform")
def random(context: OnnxContext) -> Sequence[Fact]:
    """Give the shape in the attribute."""
    return [Fact(tuple(context.integers_attr("shape")), dtype=dtype_or(context, "dtype", FLOAT32))]


@shape_fn("Add", "Sub", "Mul", "Div", "Pow", "Mod", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor")
def binary(context: OnnxContext) -> Sequence[Fact]:
    """Broadcast the two operands."""
    return [Fact(_broadcast(context), dtype=context.dtype(0))]


@shape_fn("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Or", "Xor")
def comparison(context: OnnxContext) -> Sequence[Fact]:
    """Broadcast the two operands to truths."""
    return [Fact(_broadcast(context), dtype=BOOL)]


@shape_fn("Max", "Mean", "Min", "Sum")
def variadic(context: OnnxContext) -> Sequence[Fact]:
    """Broadcast all operands."""
    return [Fact(broadcast_all([fact.dims for fact in context.inputs]), dtype=context.dtype(0))]


@shape_fn("Where")
def where(context: OnnxContext) -> Sequence[Fact]:
    """Broadcast condition and choices."""
    return [Fact(broadcast_all([fact.dims for fact in context.inputs]), dtype=context.dtype(1))]


def broadcast_all(shapes: Sequence[Dims | None]) -> Dims | None:
    """Return the shape that all operands are stretched to."""
    found: Dims | None = ()
    for dims in shapes:
        found = dim.broadcast(found, dims)
    return found


def _broadcast(context: OnnxContext) -> Dims | None:
    if context.version < _FIRST_BROADCASTING and context.version:
        return context.dims(0)
    return dim.broadcast(context.dims(0), context.dims(1))


@shape_fn("Dropout")
def dropout(context: OnnxContext) -> Sequence[Fact]:
    """Give the shape of the operand twice; the mask is of truths from version 10 on."""
    mask = BOOL if context.version >= 10 else context.dtype(0)
    return [Fact(context.dims(0), dtype=context.dtype(0)), Fact(context.dims(0), dtype=mask)]


@shape_fn("BatchNormalization")
def batch_normalization(context: OnnxContext) -> Sequence[Fact]:
    """Give the shape of the operand, then running mean and variance."""
    moments = [Fact(context.dims(3), dtype=context.dtype(3)), Fact(context.dims(4), dtype=context.dtype(4))]
    return [Fact(context.dims(0), dtype=context.dtype(0)), *moments, *moments][: context.num_outputs]


@shape_fn("LayerNormalization")
def layer_normalization(context: OnnxContext) -> Sequence[Fact]:
    """Give the shape of the operand, then mean and deviation, with 1 along the axes that they are taken over."""
    dims = context.dims(0)
    moments = None
    if dims is not None:
        axis = dim.normal_axis(context.integer_attr("axis", -1), len(dims))
        moments = dims[:axis] + (1,) * (len(dims) - axis)
    dtype = dtype_or(context, "stash_type", FLOAT32)
    return [Fact(dims, dtype=context.dtype(0)), Fact(moments, dtype=dtype), Fact(moments, dtype=dtype)]


@shape_fn("QuantizeLinear")
def quantize(context: OnnxContext) -> Sequence[Fact]:
    """Give the shape of the operand in the type of the zero point."""
    dtype = context.dtype(2) if context.has(2) else dtype_or(context, "output_dtype", UINT8)
    return [Fact(context.dims(0), dtype=dtype)]


@shape_fn("DequantizeLinear")
def dequantize(context: OnnxContext) -> Sequence[Fact]:
    """Give the shape of the operand in the type of the scale."""
    return [Fact(context.dims(0), dtype=dtype_or(context, "output_dtype", context.dtype(1)))]


@shape_fn("DynamicQuantizeLinear")
def dynamic_quantize(context: OnnxContext) -> Sequence[Fact]:
    """Give the quantized operand, its scale and zero point."""
    return [Fact(context.dims(0), dtype=UINT8), Fact((), dtype=FLOAT32), Fact((), dtype=UINT8)]
