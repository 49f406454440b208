"""Convolution, pooling, dense layers, normalization and resizing."""

from __future__ import annotations

from math import prod

from graphsurgeon.lowering.mxnet import TABLE
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Net, axis_of, known, known_dim, rank
from graphsurgeon.lowering.to_onnx.windows import Windows, average_pool, max_pool
from graphsurgeon.model.dtype import FLOAT32, INT64
from graphsurgeon.model.graph import Value

_CHANNELS_FIRST = (None, "NCW", "NCHW", "NCDHW")


def _per_side(layer: SourceLayer, name: str, count: int, default: int) -> list[int]:
    found = layer.integers(name)
    return found * count if len(found) == 1 else found or [default] * count


def _require_channels_first(layer: SourceLayer) -> None:
    if layer.setting("layout") not in _CHANNELS_FIRST:
        raise LoweringError(f"layout {layer.text('layout')} is not done")


@TABLE.lowers("Convolution", "Convolution_v1")
def _convolution(net: Net, layer: SourceLayer) -> Value:
    _require_channels_first(layer)
    count = len(layer.integers("kernel")) or rank(layer[1]) - 2
    pad = _per_side(layer, "pad", count, 0)
    return net.add(
        "Conv", layer[0], layer[1], *_bias(layer),
        kernel_shape=layer.integers("kernel"), strides=_per_side(layer, "stride", count, 1), pads=[*pad, *pad],
        dilations=_per_side(layer, "dilate", count, 1), group=layer.integer("num_group", 1),
    )  # fmt: skip


def _bias(layer: SourceLayer, default: bool = False) -> list[Value]:
    return [] if layer.flag("no_bias", default) else [layer[2]]


@TABLE.lowers("Deconvolution")
def _deconvolution(net: Net, layer: SourceLayer) -> Value:
    """Lower it; `target_shape` decides over `pad` and `adj` (deconvolution-inl.h, `InferPad`)."""
    _require_channels_first(layer)
    kernel = layer.integers("kernel")
    count = len(kernel)
    stride, spread = _per_side(layer, "stride", count, 1), _per_side(layer, "dilate", count, 1)
    pad, more = _per_side(layer, "pad", count, 0), _per_side(layer, "adj", count, 0)
    target = layer.integers("target_shape")
    if target:
        for i in range(count):
            side = known_dim(layer[0], 2 + i)
            left = stride[i] * (side - 1) + (kernel[i] - 1) * spread[i] + 1 - target[i]
            if left < 0:
                raise LoweringError(f"target_shape {target} is larger than what it can give")
            more[i] = left % 2
            pad[i] = (left + 1) // 2
    return net.add(
        "ConvTranspose", layer[0], layer[1], *_bias(layer, True), kernel_shape=kernel, strides=stride,
        pads=[*pad, *pad], dilations=spread, output_padding=more, group=layer.integer("num_group", 1),
    )  # fmt: skip


@TABLE.lowers("FullyConnected")
def _fully_connected(net: Net, layer: SourceLayer) -> Value:
    """Lower it: all but the first axis are one, or it works on the last axis."""
    x, bias = layer[0], _bias(layer)
    if layer.flag("flatten", True):
        return net.add("Gemm", net.matrix(x), layer[1], *bias, transB=1)
    made = net.add("MatMul", x, net.add("Transpose", layer[1], perm=[1, 0]))
    return net.add("Add", made, bias[0]) if bias else made


@TABLE.lowers("Pooling", "Pooling_v1")
def _pooling(net: Net, layer: SourceLayer) -> Value:
    _require_channels_first(layer)
    kind, x = layer.text("pool_type", "max"), layer[0]
    if kind not in ("max", "avg", "sum"):
        raise LoweringError(f"pool_type {kind!r} is not done")
    if layer.flag("global_pool"):
        if kind == "sum":
            return net.reduced("ReduceSum", x, range(2, rank(x)), keeps=True)
        return net.add("GlobalMaxPool" if kind == "max" else "GlobalAveragePool", x)
    kernel = layer.integers("kernel")
    convention = layer.text("pooling_convention", "valid")
    if convention == "same":
        raise LoweringError("pooling_convention 'same' is not done")
    count = len(kernel)
    windows = Windows(
        kernel, _per_side(layer, "stride", count, 1), _per_side(layer, "pad", count, 0), convention == "full"
    )
    if kind == "max":
        return max_pool(net, x, windows)
    if kind == "sum":
        return _summed(net, x, windows)
    return average_pool(net, x, windows, counts_padding=layer.flag("count_include_pad", True))


def _summed(net: Net, x: Value, windows: Windows) -> Value:
    if windows.ceil:
        raise LoweringError("pool_type 'sum' that rounds up is not done")
    return net.scaled(average_pool(net, x, windows), prod(windows.kernel))


@TABLE.lowers("BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm", "_contrib_SyncBatchNorm")
def _batch_norm(net: Net, layer: SourceLayer) -> Value:
    """Lower it; `fix_gamma`, which is the default, puts 1 in the place of gamma."""
    x = layer[0]
    axis = axis_of(layer.integer("axis", 1), rank(x))
    gamma, beta, mean, variance = (layer[index] for index in range(1, 5))
    if layer.flag("fix_gamma", True):
        gamma = net.constant([1.0] * known(gamma)[0], gamma.dtype or FLOAT32)
    turned = x if axis == 1 else net.add("Transpose", x, perm=_swapped(rank(x), axis))
    made = net.add("BatchNormalization", turned, gamma, beta, mean, variance, epsilon=layer.number("eps", 1e-3))
    return made if axis == 1 else net.add("Transpose", made, perm=_swapped(rank(x), axis))


def _swapped(count: int, axis: int) -> list[int]:
    perm = list(range(count))
    perm[1], perm[axis] = perm[axis], perm[1]
    return perm


@TABLE.lowers("InstanceNorm")
def _instance_norm(net: Net, layer: SourceLayer) -> Value:
    return net.add("InstanceNormalization", *layer.inputs[:3], epsilon=layer.number("eps", 1e-3))


@TABLE.lowers("LayerNorm")
def _layer_norm(net: Net, layer: SourceLayer) -> Value:
    x = layer[0]
    if axis_of(layer.integer("axis", -1), rank(x)) != rank(x) - 1:
        raise LoweringError("a LayerNorm over another axis than the last is not done")
    return net.add("LayerNormalization", *layer.inputs[:3], axis=-1, epsilon=layer.number("eps", 1e-5))


@TABLE.lowers("LRN")
def _lrn(net: Net, layer: SourceLayer) -> Value:
    """Lower it: MXNet divides `alpha` by the number of channels (lrn-inl.h), as ONNX does."""
    return net.add(
        "LRN", layer[0], size=layer.integer("nsize"), alpha=layer.number("alpha", 1e-4),
        beta=layer.number("beta", 0.75), bias=layer.number("knorm", 2.0),
    )  # fmt: skip


@TABLE.lowers("L2Normalization")
def _l2_normalization(net: Net, layer: SourceLayer) -> Value:
    """Lower it: x / sqrt(sum of squares + eps), over a sample, its channels, or its sides (l2_normalization-inl.h)."""
    x, mode = layer[0], layer.text("mode", "instance")
    axes = {"instance": list(range(1, rank(x))), "channel": [1], "spatial": list(range(2, rank(x)))}.get(mode)
    if axes is None:
        raise LoweringError(f"mode {mode!r} is not known")
    total = net.add("ReduceSum", net.add("Mul", x, x), net.constant(axes, INT64), keepdims=1)
    return net.add("Div", x, net.add("Sqrt", net.shifted(total, layer.number("eps", 1e-10))))


@TABLE.lowers("Embedding")
def _embedding(net: Net, layer: SourceLayer) -> Value:
    """Lower it; an index outside is taken for the nearest."""
    last = known_dim(layer[1], 0) - 1
    places = net.add("Cast", layer[0], to=INT64)
    bounds = [net.constant(number, INT64) for number in (0, last)]
    return net.add("Gather", layer[1], net.add("Min", net.add("Max", places, bounds[0]), bounds[1]), axis=0)


@TABLE.lowers("UpSampling")
def _up_sampling(net: Net, layer: SourceLayer) -> Value:
    """Lower it; the bilinear one is a transposed convolution with a weight of its own, so edges fade."""
    scale = layer.integer("scale", 1)
    if layer.text("sample_type", "nearest") == "nearest":
        if len(layer.inputs) > 1:
            raise LoweringError("UpSampling of several inputs is not done")
        return net.repeated(layer[0], float(scale))
    kernel, pad = 2 * scale - scale % 2, -(-(scale - 1) // 2)
    return net.add(
        "ConvTranspose", layer[0], layer[1], kernel_shape=[kernel] * 2, strides=[scale] * 2, pads=[pad] * 4,
        group=known_dim(layer[0], 1),
    )  # fmt: skip


@TABLE.lowers("_contrib_BilinearResize2D")
def _bilinear_resize(net: Net, layer: SourceLayer) -> Value:
    """Lower it: corners stay corners, unless `align_corners` says no."""
    x = layer[0]
    if layer.text("mode", "size") != "size" or len(layer.inputs) > 1:
        raise LoweringError(f"mode {layer.text('mode')!r} is not done")
    sizes = [layer.integer("height", 1), layer.integer("width", 1)]
    if layer.has("scale_height"):
        sides = (known_dim(x, 2) * layer.number("scale_height"), known_dim(x, 3) * layer.number("scale_width"))
        sizes = [int(side) for side in sides]
    return net.resized(x, sizes, b"align_corners" if layer.flag("align_corners", True) else b"half_pixel")


@TABLE.lowers("_contrib_AdaptiveAvgPooling2D")
def _adaptive_pooling(net: Net, layer: SourceLayer) -> Value:
    """Lower it: windows from floor(i * n / o) to ceil((i + 1) * n / o), a matrix for each side."""
    x = layer[0]
    wanted = layer.integers("output_size") or [1]
    if wanted in ([1], [1, 1]):
        return net.add("GlobalAveragePool", x)
    high, wide = (wanted * 2)[:2]
    rows = net.constant(_means(known_dim(x, 2), high), dims=[high, known_dim(x, 2)])
    columns = net.constant(_means(known_dim(x, 3), wide), dims=[wide, known_dim(x, 3)])
    return net.add("MatMul", net.add("MatMul", rows, x), net.add("Transpose", columns, perm=[1, 0]))


def _means(side: int, count: int) -> list[float]:
    """Return a matrix, row by row, that takes the mean over each window of a side."""
    items = [0.0] * (count * side)
    for place in range(count):
        start, end = place * side // count, -(-(place + 1) * side // count)
        items[place * side + start : place * side + end] = [1 / (end - start)] * (end - start)
    return items


@TABLE.lowers("dot", "batch_dot")
def _dot(net: Net, layer: SourceLayer) -> Value:
    sides = []
    for index, name in ((0, "transpose_a"), (1, "transpose_b")):
        x = layer[index]
        if layer.node.op == "dot" and rank(x) != 2:
            raise LoweringError("dot of what is no matrix is not done")
        perm = [*range(rank(x) - 2), rank(x) - 1, rank(x) - 2]
        sides.append(net.add("Transpose", x, perm=perm) if layer.flag(name) else x)
    return net.add("MatMul", *sides)
