"""Convolutions: channels last, kernels transposed once. Source: the pages of Conv and ConvTranspose.

Measured with TensorFlow 2.21: DepthwiseConv2dNative with EXPLICIT padding ends the process when the remapper fuses a
BiasAdd into it, and knows dilation and unequal strides with oneDNN alone; Conv2D does groups and dilation everywhere;
Conv3D knows neither groups nor, without oneDNN, dilation; nor does Conv2DBackpropInput.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from graphsurgeon.lowering import weights
from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.layout import from_last, last
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers, require_few
from graphsurgeon.lowering.windows import Pads, Window, padded, window_of


@lowers("Conv", 1, 11, 22)
def conv(b: Builder, node: Source) -> Operand:
    """Slide a kernel over one, two or three axes."""
    x, kernel = node[0], node[1]
    group = node.integer("group", 1)
    spatial = _spatial(x, kernel)
    window = window_of(node, x, node.ints("kernel_shape") or spatial)
    made = _convolved(b, last(b, x), kernel, window, group)
    bias = node.get(2)
    return from_last(b.op("BiasAdd", made, bias) if bias is not None else made)


def _spatial(x: Operand, kernel: Operand) -> list[int]:
    rank = x.rank - 2
    if rank not in (1, 2, 3):
        raise LoweringError(f"an input of shape {x.shown}: one, two or three spatial axes are known here")
    dims = kernel.static()
    if len(dims) != x.rank:
        raise LoweringError(f"a kernel of shape {kernel.shown} over an input of shape {x.shown}")
    return dims[2:]


def _convolved(b: Builder, x: Operand, kernel: Operand, window: Window, group: int) -> Operand:
    """Return the convolution of what lies with the channels last."""
    if len(window.kernel) == 1:
        flat = b.expand(kernel, [2])
        return b.squeeze(_convolved(b, b.expand(x, [1]), flat, window.flat(), group), [1])
    outputs, inputs = kernel.static()[:2]
    if len(window.kernel) == 3:
        return _in_groups(b, x, kernel, group, lambda part, own: _conv3d(b, part, own, window), into=0)
    plain = window.dilations == [1, 1] and window.strides[0] == window.strides[1]
    if group > 1 and inputs == 1 and plain:
        return _depthwise(b, x, kernel, window, group, outputs // group)
    filters = b.transpose(kernel, [2, 3, 1, 0])
    dilations = [1, *window.dilations, 1]
    attrs: dict[str, Any] = {"strides": [1, *window.strides, 1], "dilations": dilations, "data_format": b"NHWC"}
    if window.is_valid or window.is_same:
        return b.op("Conv2D", x, filters, padding="VALID" if window.is_valid else "SAME", **attrs)
    pads = [0, 0, *(cells for pair in window.all_pads for cells in pair), 0, 0]
    return b.op("Conv2D", x, filters, padding="EXPLICIT", explicit_paddings=pads, **attrs)


def _depthwise(b: Builder, x: Operand, kernel: Operand, window: Window, group: int, times: int) -> Operand:
    filters = b.reshape(b.transpose(kernel, [2, 3, 0, 1]), [*window.kernel, group, times])
    padding = "VALID"
    if not window.is_valid:
        padding = "SAME" if window.is_same else "VALID"
        x = x if window.is_same else padded(b, x, window.all_pads)
    return b.op("DepthwiseConv2dNative", x, filters, strides=[1, *window.strides, 1], padding=padding)


def _conv3d(b: Builder, x: Operand, kernel: Operand, window: Window) -> Operand:
    filters = b.transpose(_spread(b, kernel, window.dilations), [2, 3, 4, 1, 0])
    same = window.is_same and not window.is_valid
    x = x if same or window.is_valid else padded(b, x, window.all_pads)
    return b.op("Conv3D", x, filters, strides=[1, *window.strides, 1], padding="SAME" if same else "VALID")


def _in_groups(
    b: Builder, x: Operand, kernel: Operand, group: int, function: Callable[[Operand, Operand], Operand], *, into: int
) -> Operand:
    """Return what a function makes of each group of channels and its part of the kernel, joined."""
    if group == 1:
        return function(x, kernel)
    require_few(group, 1 << 12, "groups")
    axis = len(kernel.static()) - 1
    parts = b.ops("Split", axis, x, num_split=group)
    kernels = b.ops("Split", into, b.plain(kernel), num_split=group)
    return b.op("ConcatV2", *(function(part, own) for part, own in zip(parts, kernels, strict=True)), axis)


def _spread(b: Builder, kernel: Operand, dilations: Sequence[int]) -> Operand:
    """Return a kernel with zeros between its cells, which does what a dilated one does."""
    if set(dilations) == {1}:
        return kernel
    dims = kernel.static()
    spread = [*dims[:2], *((k - 1) * d + 1 for k, d in zip(dims[2:], dilations, strict=True))]
    require_few(math.prod(spread), 1 << 26, "weights")
    if kernel.tensor is None:
        raise LoweringError("a dilated kernel that is computed when the model runs")

    def fill(array: Any) -> Any:
        import numpy as np

        zeros = np.zeros(spread, array.dtype)
        zeros[(slice(None), slice(None), *(slice(None, None, d) for d in dilations))] = array
        return zeros

    return Operand.constant(weights.mapped(kernel.tensor, spread, fill), kernel.name)


@lowers("ConvTranspose", 1, 11, 22)
def conv_transpose(b: Builder, node: Source) -> Operand:
    """The gradient of a convolution with regard to its input, cut where pads are."""
    x, kernel = node[0], node[1]
    group = node.integer("group", 1)
    spatial = _spatial(x, kernel)
    rank = len(spatial)
    strides, dilations = node.ints("strides") or [1] * rank, node.ints("dilations") or [1] * rank
    extents = [(k - 1) * d + 1 for k, d in zip(spatial, dilations, strict=True)]
    cuts = _cuts(node, x, extents, strides)
    kernel = _spread(b, kernel, dilations)
    lying = last(b, x)
    if rank == 1:
        kernel, lying = b.expand(kernel, [2]), b.expand(lying, [1])
        extents, strides, cuts = [1, *extents], [1, *strides], [(0, 0), *cuts]
    made = _in_groups(
        b, lying, kernel, group, lambda part, own: _backwards(b, part, own, strides, extents, cuts), into=0
    )
    if rank == 1:
        made = b.squeeze(made, [1])
    bias = node.get(2)
    return from_last(b.op("BiasAdd", made, bias) if bias is not None else made)


def _cuts(node: Source, x: Operand, extents: Sequence[int], strides: Sequence[int]) -> Pads:
    """Return the cells that are cut off at both ends of each axis; negative ones are zeros added."""
    rank = len(extents)
    more = node.ints("output_padding") or [0] * rank
    auto, wanted = node.text("auto_pad", "NOTSET"), node.ints("output_shape")
    if wanted is None and auto in ("NOTSET", "VALID"):
        flat = (node.ints("pads") if auto == "NOTSET" else None) or [0] * (2 * rank)
        return [(flat[axis], flat[axis + rank] - more[axis]) for axis in range(rank)]
    found: Pads = []
    for axis in range(rank):
        side = x.dims[axis + 2]
        if wanted is None:
            total = extents[axis] + more[axis] - strides[axis]
        elif isinstance(side, int):
            total = (side - 1) * strides[axis] + more[axis] + extents[axis] - wanted[-rank:][axis]
        else:
            raise LoweringError("output_shape needs sides that are known", hint="give them with --shape")
        if total < 0:
            found.append((0, total - more[axis]))
            continue
        small, large = total // 2, total - total // 2
        before, after = (small, large) if auto == "SAME_UPPER" else (large, small)
        found.append((before, after - more[axis]))
    return found


def _backwards(
    b: Builder, x: Operand, kernel: Operand, strides: Sequence[int], extents: Sequence[int], cuts: Pads
) -> Operand:
    rank = len(extents)
    dims = x.dims
    channels = kernel.static()[1]
    filters = b.transpose(kernel, [*range(2, rank + 2), 1, 0])
    op = "Conv2DBackpropInput" if rank == 2 else "Conv3DBackpropInputV2"
    totals = [before + after for before, after in cuts]
    rows = list(zip(extents, strides, totals, cuts, strict=True))
    same = all(k - s == total >= 0 and cut == (total // 2, total - total // 2) for k, s, total, cut in rows)
    grown = [0 if same else k - s for k, s, _, _ in rows]
    sizes = _sizes(b, x, channels, strides, grown)
    made = b.op(op, sizes, filters, x, strides=[1, *strides, 1], padding="SAME" if same else "VALID")
    if same or not any(before or after for before, after in cuts):
        return made
    added = [max(-after, 0) for _, after in cuts]
    made = padded(b, made, [(0, cells) for cells in added])
    ends = [-after if after > 0 else 0 for _, after in cuts]
    starts = [before for before, _ in cuts]
    if any(starts) or any(ends):
        mask = 1 | 1 << rank + 1
        open_ends = sum(1 << axis + 1 for axis, end in enumerate(ends) if not end)
        made = b.op(
            "StridedSlice", made, [0, *starts, 0], [0, *ends, 0], [1] * (rank + 2),
            begin_mask=mask, end_mask=mask | open_ends,
        )  # fmt: skip
    assert dims is not None
    return made


def _sizes(b: Builder, x: Operand, channels: int, strides: Sequence[int], grown: Sequence[int]) -> Any:
    """Return the shape of the result: what lies with the channels last, each side times its stride and more."""
    dims = x.dims
    if all(isinstance(dim, int) for dim in dims):
        sides = [dim * s + more for dim, s, more in zip(dims[1:-1], strides, grown, strict=True)]  # type: ignore[operator]
        return b.constant([dims[0], *sides, channels])
    shape = b.op("Shape", x)
    kept = b.op("StridedSlice", shape, [0], [len(dims) - 1], [1])
    scaled = b.op("AddV2", b.op("Mul", kept, [1, *strides]), [0, *grown])
    return b.op("ConcatV2", scaled, [channels], 0)
