"""Shapes, parts, order and reductions."""

from __future__ import annotations

from graphsurgeon.lowering.caffe import TABLE
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Net, axis_of, dims, known_dim, left_over, product, rank
from graphsurgeon.model.dtype import FLOAT32, INT64
from graphsurgeon.model.graph import Value

# ReductionParameter.ReductionOp
_REDUCED = {
    "SUM": "ReduceSum", "1": "ReduceSum", "ASUM": "ReduceL1", "2": "ReduceL1", "SUMSQ": "ReduceSumSquare",
    "3": "ReduceSumSquare", "MEAN": "ReduceMean", "4": "ReduceMean",
}  # fmt: skip


@TABLE.lowers("Split")
def _split(net: Net, layer: SourceLayer) -> list[Value]:
    return [layer[0]] * len(layer.node.outputs)


@TABLE.lowers("Concat")
def _concat(net: Net, layer: SourceLayer) -> Value:
    settings = layer.within("concat_param")
    return net.add("Concat", *layer.inputs, axis=settings.integer("axis", settings.integer("concat_dim", 1)))


@TABLE.lowers("Slice")
def _slice(net: Net, layer: SourceLayer) -> list[Value]:
    """Lower it: at given places, or in equal parts."""
    settings, count = layer.within("slice_param"), len(layer.node.outputs)
    axis = axis_of(settings.integer("axis", settings.integer("slice_dim", 1)), rank(layer[0]))
    points = settings.integers("slice_point")
    if not points:
        return net.add_several("Split", count, layer[0], axis=axis)
    ends = [*points, known_dim(layer[0], axis)]
    sizes = [end - start for start, end in zip([0, *points], ends, strict=True)]
    return net.add_several("Split", count, layer[0], net.constant(sizes, INT64), axis=axis)


@TABLE.lowers("Flatten")
def _flatten(net: Net, layer: SourceLayer) -> Value:
    settings, x = layer.within("flatten_param"), layer[0]
    first = axis_of(settings.integer("axis", 1), rank(x))
    last = axis_of(settings.integer("end_axis", -1), rank(x))
    if first == 1 and last == rank(x) - 1:
        return net.add("Flatten", x, axis=1)
    return net.reshape(x, [*dims(x)[:first], product(dims(x)[first : last + 1]), *dims(x)[last + 1 :]])


@TABLE.lowers("Reshape")
def _reshape(net: Net, layer: SourceLayer) -> Value:
    """Lower it: 0 copies, -1 is what is left, for the axes from `axis` on, `num_axes` of them."""
    settings, x = layer.within("reshape_param"), layer[0]
    own, given = dims(x), settings.integers("shape.dim")
    start = settings.integer("axis")
    start = start + len(own) + 1 if start < 0 else start
    count = settings.integer("num_axes", -1)
    end = len(own) if count < 0 else start + count
    middle = [own[start + place] if dim == 0 else None if dim == -1 else dim for place, dim in enumerate(given)]
    if -1 in given:
        middle[given.index(-1)] = left_over(own[start:end], middle, given.index(-1))
    return net.reshape(x, [*own[:start], *middle, *own[end:]])


@TABLE.lowers("Permute")
def _permute(net: Net, layer: SourceLayer) -> Value:
    order = layer.within("permute_param").integers("order")
    perm = [*order, *(axis for axis in range(rank(layer[0])) if axis not in order)]
    return net.add("Transpose", layer[0], perm=perm)


@TABLE.lowers("Crop")
def _crop(net: Net, layer: SourceLayer) -> Value:
    """Lower it: the axes from `axis` on get the size of the second input, from an offset on."""
    settings, x = layer.within("crop_param"), layer[0]
    axes = list(range(axis_of(settings.integer("axis", 2), rank(x)), rank(x)))
    offsets = settings.integers("offset") or [0]
    starts = offsets * len(axes) if len(offsets) == 1 else offsets
    ends = [start + known_dim(layer[1], axis) for start, axis in zip(starts, axes, strict=True)]
    return net.add("Slice", x, *(net.constant(numbers, INT64) for numbers in (starts, ends, axes)))


@TABLE.lowers("Reduction")
def _reduction(net: Net, layer: SourceLayer) -> Value:
    settings, x = layer.within("reduction_param"), layer[0]
    op = _REDUCED.get(settings.text("operation", "SUM"))
    if op is None:
        raise LoweringError(f"operation {settings.text('operation')} is not known")
    axes = list(range(axis_of(settings.integer("axis"), rank(x)), rank(x)))
    return net.scaled(net.reduced(op, x, axes), settings.number("coeff", 1.0))


@TABLE.lowers("ArgMax")
def _arg_max(net: Net, layer: SourceLayer) -> Value:
    """Lower it along an axis: the places are numbers of type float32 in Caffe."""
    settings = layer.within("argmax_param")
    if not settings.has("axis") or settings.flag("out_max_val") or settings.integer("top_k", 1) != 1:
        raise LoweringError("ArgMax without an axis, with out_max_val, or of several is not done")
    return net.add("Cast", net.add("ArgMax", layer[0], axis=settings.integer("axis"), keepdims=1), to=FLOAT32)


@TABLE.lowers("Tile")
def _tile(net: Net, layer: SourceLayer) -> Value:
    settings, x = layer.within("tile_param"), layer[0]
    times = [1] * rank(x)
    times[axis_of(settings.integer("axis", 1), rank(x))] = settings.integer("tiles", 1)
    return net.add("Tile", x, net.constant(times, INT64))


@TABLE.lowers("Upsample")
def _upsample(net: Net, layer: SourceLayer) -> Value:
    if len(layer.inputs) > 1:
        raise LoweringError("Upsample by the places of a pooling is not done")
    return net.repeated(layer[0], layer.within("upsample_param").number("scale", 2.0))


@TABLE.lowers("ShuffleChannel")
def _shuffle(net: Net, layer: SourceLayer) -> Value:
    group = layer.within("shuffle_channel_param").integer("group", 1)
    batch, channels, *sides = dims(layer[0])
    parts = net.reshape(layer[0], [batch, group, known_dim(layer[0], 1) // group, *sides])
    return net.reshape(net.add("Transpose", parts, perm=[0, 2, 1, 3, 4]), [batch, channels, *sides])
