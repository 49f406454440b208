"""Activations, elementwise arithmetic, softmax and losses, which hand on their input when they are not trained."""

from __future__ import annotations

from collections.abc import Callable

from graphsurgeon.lowering.mxnet import TABLE
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Net, known_dim, rank, rank_or_none
from graphsurgeon.model.dtype import FLOAT32, DType
from graphsurgeon.model.graph import Value

_ACTIVATIONS = {
    "relu": "Relu", "sigmoid": "Sigmoid", "log_sigmoid": "", "tanh": "Tanh", "softrelu": "Softplus",
    "softsign": "Softsign",
}  # fmt: skip
_ONE = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "abs": "Abs",
    "negative": "Neg", "floor": "Floor", "ceil": "Ceil", "rint": "Round", "sin": "Sin", "cos": "Cos", "erf": "Erf",
    "reciprocal": "Reciprocal", "softsign": "Softsign", "sign": "Sign", "tan": "Tan",
}  # fmt: skip
_TWO = {
    "Add": "elemwise_add _add _plus _Plus broadcast_add broadcast_plus",
    "Sub": "elemwise_sub _sub _minus _Minus broadcast_sub broadcast_minus",
    "Mul": "elemwise_mul _mul _Mul broadcast_mul",
    "Div": "elemwise_div _div _Div broadcast_div",
    "Max": "_maximum _Maximum broadcast_maximum",
    "Min": "_minimum _Minimum broadcast_minimum",
    "Pow": "_power _Power broadcast_power",
}
_SCALAR = {
    "Add": "_plus_scalar _PlusScalar", "Sub": "_minus_scalar _MinusScalar", "Mul": "_mul_scalar _MulScalar",
    "Div": "_div_scalar _DivScalar", "Pow": "_power_scalar _PowerScalar",
    "Max": "_maximum_scalar _MaximumScalar", "Min": "_minimum_scalar _MinimumScalar",
}  # fmt: skip
_REVERSED = {
    "Sub": "_rminus_scalar _RMinusScalar", "Div": "_rdiv_scalar _RDivScalar",
    "Pow": "_rpower_scalar _RPowerScalar",
}  # fmt: skip
_COMPARED = {
    "Equal": "equal", "Greater": "greater", "GreaterOrEqual": "greater_equal", "Less": "lesser",
    "LessOrEqual": "lesser_equal",
}  # fmt: skip
_HANDED_ON = (
    "identity", "_copy", "BlockGrad", "stop_gradient", "Dropout", "MakeLoss", "make_loss", "_np_copy",
    "LinearRegressionOutput", "MAERegressionOutput", "IdentityAttachKLSparseReg", "amp_cast",
)  # fmt: skip


def _enter() -> None:
    """Enter the ops that are one node each."""
    for kind, op in _ONE.items():
        TABLE.lowers(kind)(_plain(op))
    for op, kinds in _TWO.items():
        TABLE.lowers(*kinds.split())(_plain(op, 2))
    for op, kinds in _SCALAR.items():
        TABLE.lowers(*kinds.split())(_scalar(op, is_first=False))
    for op, kinds in _REVERSED.items():
        TABLE.lowers(*kinds.split())(_scalar(op, is_first=True))
    for op, kind in _COMPARED.items():
        TABLE.lowers(f"broadcast_{kind}", f"_{kind}")(_compared(op))


def _plain(op: str, count: int = 1) -> Callable[[Net, SourceLayer], Value]:
    return lambda net, layer: net.add(op, *(layer[index] for index in range(count)))


def _scalar(op: str, *, is_first: bool) -> Callable[[Net, SourceLayer], Value]:
    def lowered(net: Net, layer: SourceLayer) -> Value:
        number = net.number(layer.number("scalar"), layer[0])
        return net.add(op, number, layer[0]) if is_first else net.add(op, layer[0], number)

    return lowered


def _compared(op: str) -> Callable[[Net, SourceLayer], Value]:
    """Return what compares: the answers are numbers of the inputs' type in MXNet."""
    return lambda net, layer: net.add("Cast", net.add(op, layer[0], layer[1]), to=layer[0].dtype or FLOAT32)


_enter()


@TABLE.lowers(*_HANDED_ON)
def _handed_on(net: Net, layer: SourceLayer) -> Value:
    return layer[0]


@TABLE.lowers("Activation")
def _activation(net: Net, layer: SourceLayer) -> Value:
    kind = layer.text("act_type", "relu")
    op = _ACTIVATIONS.get(kind)
    if op is None:
        raise LoweringError(f"act_type {kind!r} is not known")
    return net.add(op, layer[0]) if op else net.add("Log", net.add("Sigmoid", layer[0]))


@TABLE.lowers("LeakyReLU")
def _leaky(net: Net, layer: SourceLayer) -> Value:
    """Lower the family; `rrelu` is leaky with the mean of its bounds when it is not trained."""
    kind, x, slope = layer.text("act_type", "leaky"), layer[0], layer.number("slope", 0.25)
    if kind == "prelu":
        return net.add("PRelu", x, net.channels(layer[1], x))
    if kind == "rrelu":
        bounds = layer.number("lower_bound", 0.125), layer.number("upper_bound", 0.334)
        return net.add("LeakyRelu", x, alpha=sum(bounds) / 2)
    if kind == "elu":
        return net.add("Elu", x, alpha=slope)
    if kind == "leaky":
        return net.add("LeakyRelu", x, alpha=slope)
    if kind == "selu":
        return net.add("Selu", x)
    if kind == "gelu":
        return _gelu(net, x)
    raise LoweringError(f"act_type {kind!r} is not known")


def _gelu(net: Net, x: Value) -> Value:
    risen = net.shifted(net.add("Erf", net.scaled(x, 0.5**0.5)), 1.0)
    return net.scaled(net.add("Mul", x, risen), 0.5)


@TABLE.lowers("hard_sigmoid")
def _hard_sigmoid(net: Net, layer: SourceLayer) -> Value:
    return net.add("HardSigmoid", layer[0], alpha=layer.number("alpha", 0.2), beta=layer.number("beta", 0.5))


@TABLE.lowers("square")
def _square(net: Net, layer: SourceLayer) -> Value:
    return net.add("Mul", layer[0], layer[0])


@TABLE.lowers("rsqrt")
def _rsqrt(net: Net, layer: SourceLayer) -> Value:
    return net.add("Reciprocal", net.add("Sqrt", layer[0]))


@TABLE.lowers("round")
def _round(net: Net, layer: SourceLayer) -> Value:
    """Round half away from zero."""
    up = net.add("Floor", net.shifted(net.add("Abs", layer[0]), 0.5))
    return net.add("Mul", net.add("Sign", layer[0]), up)


@TABLE.lowers("clip")
def _clip(net: Net, layer: SourceLayer) -> Value:
    bounds = [net.number(layer.number(name), layer[0]) for name in ("a_min", "a_max")]
    return net.add("Clip", layer[0], *bounds)


@TABLE.lowers("add_n", "ElementWiseSum", "_sum")
def _add_n(net: Net, layer: SourceLayer) -> Value:
    return net.add("Sum", *layer.inputs)


@TABLE.lowers("where")
def _where(net: Net, layer: SourceLayer) -> Value:
    chosen = net.add("Not", net.add("Equal", layer[0], net.number(0, layer[0])))
    return net.add("Where", chosen, layer[1], layer[2])


@TABLE.lowers("_contrib_div_sqrt_dim")
def _div_sqrt_dim(net: Net, layer: SourceLayer) -> Value:
    return net.scaled(layer[0], known_dim(layer[0], -1) ** -0.5)


@TABLE.lowers("softmax", "log_softmax")
def _softmax(net: Net, layer: SourceLayer) -> Value:
    if layer.flag("use_length"):
        raise LoweringError("use_length is not done")
    x = net.scaled(layer[0], 1 / (layer.number("temperature", 1.0) or 1.0))
    return net.add("Softmax" if layer.node.op == "softmax" else "LogSoftmax", x, axis=layer.integer("axis", -1))


@TABLE.lowers("SoftmaxActivation")
def _softmax_activation(net: Net, layer: SourceLayer) -> Value:
    """Lower it over the channels, or else over the last axis: mshadow's `FlatTo2D` makes one of all others."""
    return net.add("Softmax", layer[0], axis=1 if layer.text("mode", "instance") == "channel" else -1)


@TABLE.lowers("SoftmaxOutput", "Softmax")
def _softmax_output(net: Net, layer: SourceLayer) -> Value:
    """Lower it without its label."""
    if layer.flag("multi_output"):
        return net.add("Softmax", layer[0], axis=1)
    if layer.flag("preserve_shape"):
        return net.add("Softmax", layer[0], axis=-1)
    return _over_sample(net, layer[0])


def _over_sample(net: Net, x: Value) -> Value:
    if rank_or_none(x) == 2:
        return net.add("Softmax", x, axis=1)
    shape = list(x.shape.dims) if x.shape is not None and x.shape.dims is not None else [None] * rank(x)
    return net.reshape(net.add("Softmax", net.matrix(x), axis=1), shape)


@TABLE.lowers("LogisticRegressionOutput")
def _logistic(net: Net, layer: SourceLayer) -> Value:
    return net.add("Sigmoid", layer[0])


@TABLE.lowers("Cast", "cast")
def _cast(net: Net, layer: SourceLayer) -> Value:
    name = layer.text("dtype", "float32")
    return net.add("Cast", layer[0], to=DType.named(name))
