"""Ops that work element by element: one op of TensorFlow each. Source: the pages of the operators.

Types for which TensorFlow has no kernel are computed in wider ones (`lowering/types.py`).
"""

from __future__ import annotations

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.layout import each
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, LoweringFn, lowers
from graphsurgeon.lowering.types import computed_as
from graphsurgeon.model.dtype import BOOL, FLOAT32

# ONNX's op, its versions, TensorFlow's op.
_UNARY = """
    Abs 6,13 Abs | Acos 7,22 Acos | Acosh 9,22 Acosh | Asin 7,22 Asin | Asinh 9,22 Asinh | Atan 7,22 Atan
    Atanh 9,22 Atanh | BitwiseNot 18 Invert | Ceil 6,13 Ceil | Cos 7,22 Cos | Cosh 9,22 Cosh | Erf 9,13 Erf
    Exp 6,13 Exp | Floor 6,13 Floor | IsNaN 9,13,20 IsNan | Log 6,13 Log | Neg 6,13 Neg | Not 1 LogicalNot
    Reciprocal 6,13 Reciprocal | Relu 6,13,14 Relu | Round 11,22 Round | Sigmoid 6,13 Sigmoid | Sign 9,13 Sign
    Sin 7,22 Sin | Sinh 9,22 Sinh | Softplus 1,22 Softplus | Softsign 1,22 Softsign | Sqrt 6,13 Sqrt | Tan 7,22 Tan
    Tanh 6,13 Tanh
"""
_BINARY = """
    Add 7,13,14 AddV2 | And 7 LogicalAnd | BitwiseAnd 18 BitwiseAnd | BitwiseOr 18 BitwiseOr
    BitwiseXor 18 BitwiseXor | Equal 7,11,13,19 Equal | Greater 7,9,13 Greater | GreaterOrEqual 12,16 GreaterEqual
    Less 7,9,13 Less | LessOrEqual 12,16 LessEqual | Mul 7,13,14 Mul | Or 7 LogicalOr | Sub 7,13,14 Sub
"""


def _rows(text: str) -> list[tuple[str, list[int], str]]:
    rows = [row.split() for line in text.strip().splitlines() for row in line.split("|")]
    return [(op, [int(version) for version in versions.split(",")], made) for op, versions, made in rows]


def _unary(made: str) -> LoweringFn:
    def function(b: Builder, node: Source) -> Operand:
        return computed_as(b, made, lambda x: each(b, made, x), node[0])

    return function


def _binary(made: str) -> LoweringFn:
    def function(b: Builder, node: Source) -> Operand:
        return computed_as(b, made, lambda x, y: each(b, made, x, y), node[0], node[1])

    return function


for _op, _versions, _made in _rows(_UNARY):
    lowers(_op, *_versions)(_unary(_made))
for _op, _versions, _made in _rows(_BINARY):
    lowers(_op, *_versions)(_binary(_made))


@lowers("Add", 6)
@lowers("Div", 6)
@lowers("Mul", 6)
@lowers("Sub", 6)
def aligned_by_attributes(b: Builder, node: Source) -> Operand:
    """The second operand is stretched to the first only where an attribute says so, from an axis on."""
    x, y = node[0], node[1]
    if node.flag("broadcast") and node.attr("axis") is not None:
        axis = node.axis(x.rank, -1)
        y = b.reshape(y, [*y.static(), *[1] * (x.rank - axis - y.rank)])
    quotient = "TruncateDiv" if x.dtype.is_integer else "RealDiv"
    return each(b, {"Add": "AddV2", "Div": quotient}.get(node.node.op, node.node.op), x, y)


@lowers("Xor", 7)
def xor(b: Builder, node: Source) -> Operand:
    """Two truths that differ."""
    return each(b, "NotEqual", node[0], node[1])


@lowers("Div", 7, 13, 14)
def div(b: Builder, node: Source) -> Operand:
    """Integers are divided towards zero."""
    op = "TruncateDiv" if node[0].dtype.is_integer else "RealDiv"
    return computed_as(b, op, lambda x, y: each(b, op, x, y), node[0], node[1])


@lowers("Mod", 10, 13, 28)
def mod(b: Builder, node: Source) -> Operand:
    """The rest has the sign of the divisor, with `fmod` that of the dividend."""
    op = "TruncateMod" if node.flag("fmod") else "FloorMod"
    return computed_as(b, op, lambda x, y: each(b, op, x, y), node[0], node[1])


@lowers("Pow", 7, 12, 13, 15)
def power(b: Builder, node: Source) -> Operand:
    """The exponent may have another type than the base, whose type the result has; squares are written as such."""
    base, exponent = node[0], node[1]
    numbers = exponent.numbers
    if numbers == [2] and base.dtype.is_floating:
        return each(b, "Square", base)
    if numbers == [0.5] and base.dtype.is_floating:
        return each(b, "Sqrt", base)
    if base.dtype.is_integer and exponent.dtype.is_floating:
        found = each(b, "Pow", b.cast(base, exponent.dtype), exponent)
        return b.cast(found, base.dtype)
    return computed_as(b, "Pow", lambda x, y: each(b, "Pow", x, y), base, b.cast(exponent, base.dtype))


def _fold(op: str) -> LoweringFn:
    def function(b: Builder, node: Source) -> Operand:
        found, *rest = node.all()
        for other in rest:
            found = computed_as(b, op, lambda x, y: each(b, op, x, y), found, other)
        return found if rest else each(b, "Identity", found)

    return function


lowers("Max", 6, 8, 12, 13)(_fold("Maximum"))
lowers("Min", 6, 8, 12, 13)(_fold("Minimum"))
lowers("Sum", 6, 8, 13)(_fold("AddV2"))


@lowers("Mean", 6, 8, 13)
def mean(b: Builder, node: Source) -> Operand:
    """The sum over all operands by their number."""
    return each(b, "RealDiv", _fold("AddV2")(b, node), float(len(node.inputs)))


@lowers("Where", 9, 16)
def where(b: Builder, node: Source) -> Operand:
    """Choose element by element, all three broadcast."""
    return each(b, "SelectV2", *node.all())


@lowers("Identity", 1, 13, 14, 16, 19, 21, 23, 24, 25)
def identity(b: Builder, node: Source) -> Operand:
    """Hand the value on."""
    found = node.get(0)
    if found is None:
        raise LoweringError("its input is missing")
    return found


@lowers("Dropout", 7, 10, 12, 13, 22)
def dropout(b: Builder, node: Source) -> list[Operand | None]:
    """In inference the value as it is, and a mask of ones."""
    training = node.get(2)
    if training is not None and training.numbers not in ([False], [0]):
        raise LoweringError("it drops values at random while training", hint="export the model for inference")
    if not node.wants(1):
        return [node[0]]
    if node.version < 10:
        return [node[0], each(b, "OnesLike", node[0])]
    return [node[0], b.cast(each(b, "OnesLike", node[0]), BOOL)]


@lowers("Clip", 6)
def clip_by_attributes(b: Builder, node: Source) -> Operand:
    """Limits are attributes."""
    low, high = (node.number(name) if node.attr(name) is not None else None for name in ("min", "max"))
    x = node[0]
    return _clipped(b, x, *(None if end is None else b.constant(end, x.dtype) for end in (low, high)))


@lowers("Clip", 11, 12, 13)
def clip(b: Builder, node: Source) -> Operand:
    """Limits are inputs, either of which may be left out; where they cross the upper one counts."""
    return _clipped(b, node[0], node.get(1), node.get(2))


def _clipped(b: Builder, x: Operand, low: Operand | None, high: Operand | None) -> Operand:
    if x.dtype is FLOAT32 and _number(low) == 0.0 and _number(high) == 6.0:
        return each(b, "Relu6", x)
    if x.dtype is FLOAT32 and _number(low) == 0.0 and high is None:
        return each(b, "Relu", x)
    if low is not None:
        x = computed_as(b, "Maximum", lambda a, c: each(b, "Maximum", a, c), x, low)
    if high is not None:
        x = computed_as(b, "Minimum", lambda a, c: each(b, "Minimum", a, c), x, high)
    return x


def _number(operand: Operand | None) -> float | None:
    numbers = operand.numbers if operand is not None else None
    return float(numbers[0]) if numbers is not None and len(numbers) == 1 else None


@lowers("IsInf", 10, 20)
def is_infinite(b: Builder, node: Source) -> Operand:
    """Either infinity, or one of them."""
    positive, negative = node.flag("detect_positive", True), node.flag("detect_negative", True)
    x = node[0]
    if positive and negative:
        return each(b, "IsInf", x)
    zero = each(b, "ZerosLike", x)
    if not (positive or negative):
        return each(b, "NotEqual", zero, zero)
    return each(b, "LogicalAnd", each(b, "IsInf", x), each(b, "Greater" if positive else "Less", x, zero))


@lowers("BitShift", 11, 28)
def bit_shift(b: Builder, node: Source) -> Operand:
    """A shift by the width or more, or a negative one, shifts everything out; TensorFlow takes the width less one."""
    op = "LeftShift" if node.text("direction") == "LEFT" else "RightShift"
    x, by = node[0], node[1]
    width = x.dtype.bits
    shifted = each(b, op, x, by)
    inside = each(b, "Less", by, b.constant(width, by.dtype))
    if by.dtype.name.startswith("int"):
        inside = each(b, "LogicalAnd", inside, each(b, "GreaterEqual", by, b.constant(0, by.dtype)))
    signed = op == "RightShift" and x.dtype.name.startswith("int")
    out = each(b, op, x, b.constant(width - 1, x.dtype)) if signed else each(b, "ZerosLike", shifted)
    return each(b, "SelectV2", inside, shifted, out)


@lowers("CumSum", 11, 14)
@lowers("CumProd", 26)
def cumulative(b: Builder, node: Source) -> Operand:
    """Running sums or products along an axis, which is an input of one element."""
    op = "Cumsum" if node.node.op == "CumSum" else "Cumprod"
    axis = b.reshape(node[1], [])
    exclusive, reverse = node.flag("exclusive"), node.flag("reverse")
    return computed_as(b, op, lambda x: b.op(op, x, axis, exclusive=exclusive, reverse=reverse), node[0])
