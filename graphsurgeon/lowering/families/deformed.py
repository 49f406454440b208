"""Convolutions over places that are computed. Source: the page of DeformConv."""

from __future__ import annotations

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.families.choosing import size_at
from graphsurgeon.lowering.families.sampling import linear_sample
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.model.dtype import FLOAT32, INT64


@lowers("DeformConv", 19, 22)
def deform_conv(b: Builder, node: Source) -> Operand:
    """Each cell of the kernel is moved by an offset, taken between cells, and weighed by a mask."""
    x, kernel, offset = (b.plain(node[place]) for place in range(3))
    if x.rank != 4:
        raise LoweringError(f"an input of shape {x.shown}: two spatial axes are known here")
    outputs, inputs, *sides = kernel.static()
    groups, offsets, cells = node.integer("group", 1), node.integer("offset_group", 1), sides[0] * sides[1]
    batch, places = size_at(b, x, 0), [size_at(b, offset, axis) for axis in (2, 3)]
    moved = _shaped(b, b.cast(offset, FLOAT32), batch, offsets, cells, 2, *places)
    at = [
        b.op("AddV2", part, _unmoved(b, node, axis, sides, places[axis]))
        for axis, part in enumerate(b.ops("Unpack", moved, num=2, axis=3))
    ]
    mask = node.get(4)
    weights = None if mask is None else _shaped(b, b.plain(mask), batch, offsets, cells, *places)
    found = []
    for number, channels in enumerate(_split(b, b.transpose(x, [0, 2, 3, 1]), 3, offsets)):
        part = linear_sample(b, channels, [b.op("GatherV2", one, number, 1) for one in at])
        if weights is not None:
            part = b.op("Mul", part, b.op("ExpandDims", b.op("GatherV2", weights, number, 1), 4))
        found.append(part)
    rows = b.transpose(_joined(b, found, 4), [0, 2, 3, 1, 4])  # batch, place, cell of the kernel, channel
    products = [
        b.op("MatMul", b.reshape(part, [-1, cells * inputs]), b.reshape(own, [cells * inputs, outputs // groups]))
        for part, own in zip(
            _split(b, rows, 4, groups), _split(b, b.transpose(kernel, [2, 3, 1, 0]), 3, groups), strict=True
        )
    ]
    whole = _joined(b, products, 1)
    if node.has(3):
        whole = b.op("BiasAdd", whole, node[3])
    return b.transpose(_shaped(b, whole, batch, *places, outputs), [0, 3, 1, 2])


def _unmoved(b: Builder, node: Source, axis: int, sides: list[int], places: Operand) -> Operand:
    """Return where cells of the kernel lie along an axis without offsets: `[cell, side, 1]` or `[cell, 1, side]`."""
    pads, strides, dilations = (node.ints(name) for name in ("pads", "strides", "dilations"))
    stride, dilation, pad = (strides or [1, 1])[axis], (dilations or [1, 1])[axis], (pads or [0, 0])[axis]
    cells = [cell // sides[1] if axis == 0 else cell % sides[1] for cell in range(sides[0] * sides[1])]
    inner = b.constant([[[float(cell * dilation - pad)]] for cell in cells])
    steps = b.op("Mul", b.op("Range", 0.0, b.cast(places, FLOAT32), 1.0), float(stride))
    return b.op("AddV2", inner, b.reshape(steps, [-1, 1] if axis == 0 else [1, -1]))


def _shaped(b: Builder, x: Operand, *dims: int | Operand) -> Operand:
    whole = [b.constant(one, INT64) if isinstance(one, int) else one for one in dims]
    return b.reshape(x, b.op("Pack", *whole, axis=0))


def _split(b: Builder, x: Operand, axis: int, count: int) -> list[Operand]:
    return b.ops("Split", axis, x, num_split=count) if count > 1 else [x]


def _joined(b: Builder, parts: list[Operand], axis: int) -> Operand:
    return b.op("ConcatV2", *parts, axis) if len(parts) > 1 else parts[0]
