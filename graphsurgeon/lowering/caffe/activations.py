"""Activations and arithmetic."""

from __future__ import annotations

from math import log

from graphsurgeon.lowering.caffe import TABLE
from graphsurgeon.lowering.caffe.layers import weights
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Net, dims, product, rank
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.graph import Value

_PLAIN = {"Sigmoid": "Sigmoid", "TanH": "Tanh", "AbsVal": "Abs", "BNLL": "Softplus"}


@TABLE.lowers(*_PLAIN)
def _plain(net: Net, layer: SourceLayer) -> Value:
    return net.add(_PLAIN[layer.node.op], layer[0])


@TABLE.lowers("Swish")
def _swish(net: Net, layer: SourceLayer) -> Value:
    return net.add("Mul", layer[0], net.add("Sigmoid", layer[0]))


@TABLE.lowers("ReLU")
def _relu(net: Net, layer: SourceLayer) -> Value:
    slope = layer.within("relu_param").number("negative_slope")
    return net.add("LeakyRelu", layer[0], alpha=slope) if slope else net.add("Relu", layer[0])


@TABLE.lowers("ReLU6")
def _relu6(net: Net, layer: SourceLayer) -> Value:
    return net.add("Clip", layer[0], net.number(0.0, layer[0]), net.number(6.0, layer[0]))


@TABLE.lowers("PReLU")
def _prelu(net: Net, layer: SourceLayer) -> Value:
    """Lower it: a slope for each channel, or one for all."""
    slope, x = weights(layer)[0], layer[0]
    return net.add("PRelu", x, net.reshape(slope, [product(dims(slope)), *[1] * (rank(x) - 2)]))


@TABLE.lowers("ELU")
def _elu(net: Net, layer: SourceLayer) -> Value:
    return net.add("Elu", layer[0], alpha=layer.within("elu_param").number("alpha", 1.0))


@TABLE.lowers("Clip")
def _clip(net: Net, layer: SourceLayer) -> Value:
    settings = layer.within("clip_param")
    return net.add("Clip", layer[0], *(net.number(settings.number(name), layer[0]) for name in ("min", "max")))


@TABLE.lowers("Threshold")
def _threshold(net: Net, layer: SourceLayer) -> Value:
    bound = net.number(layer.within("threshold_param").number("threshold"), layer[0])
    return net.add("Cast", net.add("Greater", layer[0], bound), to=FLOAT32)


def _shifted(net: Net, layer: SourceLayer, settings: SourceLayer) -> Value:
    return net.shifted(net.scaled(layer[0], settings.number("scale", 1.0)), settings.number("shift"))


@TABLE.lowers("Power")
def _power(net: Net, layer: SourceLayer) -> Value:
    """Lower it: (shift + scale * x) ^ power."""
    settings = layer.within("power_param")
    x, power = _shifted(net, layer, settings), settings.number("power", 1.0)
    return x if power == 1 else net.add("Pow", x, net.number(power, x))


@TABLE.lowers("Exp")
def _exp(net: Net, layer: SourceLayer) -> Value:
    """Lower it: base ^ (shift + scale * x); a base of -1 is e."""
    settings = layer.within("exp_param")
    base = settings.number("base", -1.0)
    x = _shifted(net, layer, settings)
    return net.add("Exp", x if base <= 0 else net.scaled(x, log(base)))


@TABLE.lowers("Log")
def _log(net: Net, layer: SourceLayer) -> Value:
    """Lower it: log of (shift + scale * x) to the base; a base of -1 is e."""
    settings = layer.within("log_param")
    base = settings.number("base", -1.0)
    return net.scaled(net.add("Log", _shifted(net, layer, settings)), 1.0 if base <= 0 else 1 / log(base))


@TABLE.lowers("Dropout")
def _dropout(net: Net, layer: SourceLayer) -> Value:
    return layer[0]


@TABLE.lowers("Softmax")
def _softmax(net: Net, layer: SourceLayer) -> Value:
    return net.add("Softmax", layer[0], axis=layer.within("softmax_param").integer("axis", 1))


@TABLE.lowers("Eltwise")
def _eltwise(net: Net, layer: SourceLayer) -> Value:
    """Lower it: a sum with coefficients, a product, or the greatest."""
    settings = layer.within("eltwise_param")
    kind = settings.text("operation", "SUM")
    if kind in ("MAX", "2"):
        return net.add("Max", *layer.inputs)
    if kind in ("SUM", "1"):
        factors = settings.numbers("coeff") or [1.0] * len(layer.inputs)
        parts = [net.scaled(x, float(factor)) for x, factor in zip(layer.inputs, factors, strict=True)]
        return net.add("Add" if len(parts) == 2 else "Sum", *parts)
    made = layer[0]
    for other in layer.inputs[1:]:
        made = net.add("Mul", made, other)
    return made
