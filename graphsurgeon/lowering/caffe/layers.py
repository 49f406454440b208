"""Convolution, pooling, dense layers, normalization."""

from __future__ import annotations

from graphsurgeon.lowering.caffe import TABLE
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Net, axis_of, dims, known, known_dim, product, rank
from graphsurgeon.lowering.to_onnx.windows import Windows, average_pool, max_pool
from graphsurgeon.model.dtype import INT64
from graphsurgeon.model.graph import Value

_AVERAGE, _STOCHASTIC = ("AVE", "1"), ("STOCHASTIC", "2")  # PoolingParameter.PoolMethod
_FLOOR = ("FLOOR", "1")  # PoolingParameter.RoundMode
_WITHIN = ("WITHIN_CHANNEL", "1")  # LRNParameter.NormRegion


def weights(layer: SourceLayer) -> list[Value]:
    """Return the weights of a layer, which stand behind what it reads."""
    return [own for own, source in zip(layer.inputs, layer.node.inputs, strict=True) if source.tensor is not None]


def _sides(settings: SourceLayer, name: str, default: int, short: str = "") -> list[int]:
    """Return a setting of both sides: `kernel_h` and `kernel_w`, or `kernel_size` once, or once for each side."""
    letter = short or name
    if settings.has(f"{letter}_h") or settings.has(f"{letter}_w"):
        return [settings.integer(f"{letter}_h", default), settings.integer(f"{letter}_w", default)]
    found = settings.integers(name) or [default]
    return found * 2 if len(found) == 1 else found


@TABLE.lowers("Convolution", "DepthwiseConvolution", "ConvolutionDepthwise")
def _convolution(net: Net, layer: SourceLayer) -> Value:
    settings, own = layer.within("convolution_param"), weights(layer)
    pad = _sides(settings, "pad", 0)
    group = settings.integer("group", 1) if layer.node.op == "Convolution" else known(own[0])[0]
    return net.add(
        "Conv", layer[0], own[0], *_bias(net, own), kernel_shape=known(own[0])[2:],
        strides=_sides(settings, "stride", 1), pads=[*pad, *pad], dilations=_sides(settings, "dilation", 1),
        group=group,
    )  # fmt: skip


def _bias(net: Net, own: list[Value]) -> list[Value]:
    """Return the bias as one dimension: old files have it as [1,1,1,N]."""
    return [net.reshape(own[1], [product(dims(own[1]))])] if len(own) > 1 else []


@TABLE.lowers("Deconvolution")
def _deconvolution(net: Net, layer: SourceLayer) -> Value:
    settings, own = layer.within("convolution_param"), weights(layer)
    pad = _sides(settings, "pad", 0)
    return net.add(
        "ConvTranspose", layer[0], own[0], *_bias(net, own), kernel_shape=known(own[0])[2:],
        strides=_sides(settings, "stride", 1), pads=[*pad, *pad], dilations=_sides(settings, "dilation", 1),
        group=settings.integer("group", 1),
    )  # fmt: skip


@TABLE.lowers("InnerProduct")
def _inner_product(net: Net, layer: SourceLayer) -> Value:
    """Lower it: all axes from `axis` on are one."""
    settings, own, x = layer.within("inner_product_param"), weights(layer), layer[0]
    axis = axis_of(settings.integer("axis", 1), rank(x))
    weight = net.reshape(own[0], known(own[0])[-2:])
    flat = net.matrix(x) if axis == 1 else net.add("Flatten", x, axis=axis)
    made = net.add("Gemm", flat, weight, *_bias(net, own), transB=int(not settings.flag("transpose")))
    return made if axis == 1 else net.reshape(made, [*dims(x)[:axis], settings.integer("num_output")])


@TABLE.lowers("Pooling")
def _pooling(net: Net, layer: SourceLayer) -> Value:
    """Lower it: sizes are rounded up, and a window that begins in the padding at the end is taken back."""
    settings, x = layer.within("pooling_param"), layer[0]
    kind = settings.text("pool", "MAX")
    if kind in _STOCHASTIC:
        raise LoweringError("stochastic pooling is not done")
    is_average = kind in _AVERAGE
    if settings.flag("global_pooling"):
        return net.add("GlobalAveragePool" if is_average else "GlobalMaxPool", x)
    pad = _sides(settings, "pad", 0)
    ceil = settings.text("round_mode") not in _FLOOR and settings.flag("ceil_mode", True)
    kernel = _sides(settings, "kernel_size", 0, "kernel")
    windows = Windows(kernel, _sides(settings, "stride", 1), pad, ceil, any(pad))
    return average_pool(net, x, windows) if is_average else max_pool(net, x, windows)


@TABLE.lowers("BatchNorm")
def _batch_norm(net: Net, layer: SourceLayer) -> Value:
    """Lower it: mean and variance are divided by the third blob; gamma and beta are those of a Scale behind it."""
    own, x = weights(layer), layer[0]
    count = product(dims(own[0])) or 0
    mean, variance = (net.reshape(blob, [count]) for blob in own[:2])
    factor = float(own[2].tensor.items()[0]) if len(own) > 2 and own[2].tensor is not None else 1.0
    if factor != 1:
        mean, variance = (net.scaled_weight(blob, 1 / factor if factor else 0.0) for blob in (mean, variance))
    one, zero = (net.constant([number] * count) for number in (1.0, 0.0))
    epsilon = layer.within("batch_norm_param").number("eps", 1e-5)
    return net.add("BatchNormalization", x, one, zero, mean, variance, epsilon=epsilon)


@TABLE.lowers("Scale")
def _scale(net: Net, layer: SourceLayer) -> Value:
    """Lower it: a product along an axis with a weight or a second blob, and a bias where `bias_term` says so."""
    settings, own, x = layer.within("scale_param"), weights(layer), layer[0]
    axis = settings.integer("axis", 1)
    factor = own[0] if len(layer.inputs) == len(own) + 1 else layer[1]
    made = net.add("Mul", x, _along(net, factor, x, axis))
    return net.add("Add", made, _along(net, own[-1], x, axis)) if settings.flag("bias_term") and own else made


@TABLE.lowers("Bias")
def _bias_layer(net: Net, layer: SourceLayer) -> Value:
    own = weights(layer)
    axis = layer.within("bias_param").integer("axis", 1)
    return net.add("Add", layer[0], _along(net, own[0] if own else layer[1], layer[0], axis))


def _along(net: Net, weight: Value, x: Value, axis: int) -> Value:
    """Return a weight such that its first axis meets an axis of x."""
    behind = rank(x) - axis_of(axis, rank(x)) - rank(weight)
    return net.reshape(weight, [*dims(weight), *[1] * behind]) if behind > 0 else weight


@TABLE.lowers("LRN")
def _lrn(net: Net, layer: SourceLayer) -> Value:
    settings, x = layer.within("lrn_param"), layer[0]
    size, alpha, beta = settings.integer("local_size", 5), settings.number("alpha", 1.0), settings.number("beta", 0.75)
    if settings.text("norm_region") not in _WITHIN:
        return net.add("LRN", x, size=size, alpha=alpha, beta=beta, bias=settings.number("k", 1.0))
    pads = [(size - 1) // 2] * 4
    windows = {"kernel_shape": [size] * 2, "strides": [1, 1], "pads": pads, "count_include_pad": 1}
    squares = net.add("AveragePool", net.add("Mul", x, x), **windows)
    divisor = net.add("Pow", net.shifted(net.scaled(squares, alpha), 1.0), net.number(beta, x))
    return net.add("Div", x, divisor)


@TABLE.lowers("MVN")
def _mvn(net: Net, layer: SourceLayer) -> Value:
    """Lower it: less the mean, by the deviation + eps, over the sides or all that a sample has (mvn_layer.cpp)."""
    settings, x = layer.within("mvn_param"), layer[0]
    axes = list(range(1 if settings.flag("across_channels") else 2, rank(x)))
    less = net.add("Sub", x, net.add("ReduceMean", x, axes=axes, keepdims=1))
    if not settings.flag("normalize_variance", True):
        return less
    spread = net.add("Sqrt", net.add("ReduceMean", net.add("Mul", less, less), axes=axes, keepdims=1))
    return net.add("Div", less, net.shifted(spread, settings.number("eps", 1e-9)))


@TABLE.lowers("Normalize")
def _normalize(net: Net, layer: SourceLayer) -> Value:
    """Lower SSD's layer: by the length over the channels, or all; times a weight (normalize_layer.cpp)."""
    settings, own, x = layer.within("norm_param"), weights(layer), layer[0]
    axes = [1, 2, 3] if settings.flag("across_spatial", True) else [1]
    total = net.add("ReduceSum", net.add("Mul", x, x), net.constant(axes, INT64), keepdims=1)
    made = net.add("Div", x, net.add("Sqrt", net.shifted(total, settings.number("eps", 1e-10))))
    return net.add("Mul", made, net.reshape(own[0], [1, product(dims(own[0])), 1, 1])) if own else made


@TABLE.lowers("Interp")
def _interp(net: Net, layer: SourceLayer) -> Value:
    """Lower it: corners stay corners (interp_layer.cpp of the DeepLab and PSPNet forks)."""
    settings, x = layer.within("interp_param"), layer[0]
    if settings.has("pad_beg") or settings.has("pad_end"):
        raise LoweringError("padding is not done")
    high, wide = known_dim(x, 2), known_dim(x, 3)
    if settings.has("height"):
        sizes = [settings.integer("height"), settings.integer("width")]
    elif settings.has("zoom_factor"):
        sizes = [side + (side - 1) * (settings.integer("zoom_factor") - 1) for side in (high, wide)]
    elif settings.has("shrink_factor"):
        sizes = [(side - 1) // settings.integer("shrink_factor") + 1 for side in (high, wide)]
    else:
        sizes = known(layer[1])[2:]
    return net.resized(x, sizes, b"align_corners")
