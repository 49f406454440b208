"""Transforms of signals, and sums of windows that lie over each other. Source: the pages of the operators."""

from __future__ import annotations

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.families.choosing import size_at
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.model.dtype import FLOAT32, FLOAT64, INT32, INT64, DType
from graphsurgeon.shapes.dims import Dim


@lowers("DFT", 17)
def dft_of_attribute(b: Builder, node: Source) -> Operand:
    """Along an axis that is an attribute."""
    return _dft(b, node, b.constant(node.axis(node[0].rank, 1), INT32))


@lowers("DFT", 20)
def dft(b: Builder, node: Source) -> Operand:
    """Along an axis that is an input, the last but one by default."""
    rank = node[0].rank
    axis = b.cast(b.reshape(node[2], []), INT32) if node.has(2) else b.constant(-2, INT32)
    return _dft(b, node, b.op("FloorMod", axis, rank))


def _dft(b: Builder, node: Source, axis: Operand) -> Operand:
    x = b.plain(node[0])
    inverse, onesided = node.flag("inverse"), node.flag("onesided")
    # The axis changes places with the last but one, and afterwards back again.
    places = b.constant(list(range(x.rank)), INT32)
    swapped = b.op("SelectV2", b.op("Equal", places, axis), x.rank - 2, places)
    swapped = b.op("SelectV2", b.op("Equal", places, x.rank - 2), axis, swapped)
    lying = b.op("Transpose", x, swapped)
    if node.has(1):
        length = b.cast(b.reshape(node[1], []), INT32)
    else:
        length = b.cast(size_at(b, lying, x.rank - 2), INT32)
        if inverse and onesided:
            length = b.op("Mul", b.op("Sub", length, 1), 2)
    found = _transformed(b, lying, x.dims[x.rank - 1], length, inverse=inverse, onesided=onesided)
    return b.op("Transpose", found, swapped)


@lowers("STFT", 17)
def stft(b: Builder, node: Source) -> Operand:
    """Of parts of a signal that begin a step apart, each times a window."""
    x = b.plain(node[0])
    step = b.cast(b.reshape(node[1], []), INT32)
    window = node.get(2)
    given = node[3] if node.has(3) else b.shape_of(node[2]) if window is not None else None
    if given is None:
        raise LoweringError("neither a window nor a length of frames")
    length = b.cast(b.reshape(given, []), INT32)
    frames = b.op("FloorDiv", b.op("Sub", b.cast(size_at(b, x, 1), INT32), length), step)
    starts = b.op("Mul", b.op("Range", 0, b.op("AddV2", frames, 1), 1), step)
    places = b.op("AddV2", b.op("ExpandDims", starts, 1), b.op("ExpandDims", b.op("Range", 0, length, 1), 0))
    parts = b.op("GatherV2", x, places, 1)
    if window is not None:
        parts = b.op("Mul", parts, b.op("ExpandDims", b.cast(window, x.dtype), 1))
    return _transformed(b, parts, x.dims[2], length, inverse=False, onesided=node.flag("onesided", True))


def _transformed(b: Builder, x: Operand, parts: Dim, length: Operand, *, inverse: bool, onesided: bool) -> Operand:
    """Return the transform along the last axis but one; the last has a real part, or an imaginary one as well."""
    dtype = x.dtype
    if not dtype.is_floating or parts not in (1, 2):
        raise LoweringError(f"a signal of type {dtype} and shape {x.shown}")
    wide = FLOAT64 if dtype is FLOAT64 else FLOAT32
    kind = DType.named("complex128" if wide is FLOAT64 else "complex64")
    end = b.op("ExpandDims", length, 0)
    real, *imaginary = b.ops("Unpack", b.cast(x, wide), num=parts, axis=x.rank - 1)
    if onesided and not inverse:
        if imaginary:
            raise LoweringError("one side of the transform of complex numbers")
        found = b.op("RFFT", real, end, Tcomplex=kind)
    else:
        signal = b.op("Complex", real, imaginary[0], Tout=kind) if imaginary else b.op("Cast", real, DstT=kind)
        if inverse and onesided:
            back = b.op("IRFFT", signal, end, Treal=wide)
            return b.cast(b.op("ExpandDims", back, x.rank - 1), dtype)
        found = b.op("IFFT" if inverse else "FFT", _of_length(b, signal, end, x.rank - 1))
    both = b.op("Real", found, Tout=wide), b.op("Imag", found, Tout=wide)
    return b.cast(b.op("Pack", *both, axis=x.rank - 1), dtype)


def _of_length(b: Builder, x: Operand, end: Operand, rank: int) -> Operand:
    """Return signals that are cut, or go on with zeros, along the last axis."""
    if end.items is not None and x.dims[rank - 1] == end.items[0]:
        return x
    none = b.constant([[0, 0]] * (rank - 1), INT32)
    more = b.op("ExpandDims", b.op("ConcatV2", [0], end, 0), 0)
    padded = b.op("Pad", x, b.op("ConcatV2", none, more, 0) if rank > 1 else more)
    sizes = b.op("ConcatV2", b.constant([-1] * (rank - 1), INT32), end, 0) if rank > 1 else end
    return b.op("Slice", padded, b.constant([0] * rank, INT32), sizes)


@lowers("Col2Im", 18)
def col2im(b: Builder, node: Source) -> Operand:
    """Blocks of an image, put back where they were taken from; what lies over each other is added."""
    x, image, block = b.plain(node[0]), b.cast(node[1], INT64), b.cast(node[2], INT64)
    count = image.dims[0]
    if not isinstance(count, int):
        raise LoweringError("the number of axes is not known", hint="give shapes with --shape")
    strides, dilations = node.ints("strides") or [1] * count, node.ints("dilations") or [1] * count
    pads = node.ints("pads") or [0] * (2 * count)
    sides, lengths = b.ops("Unpack", image, num=count, axis=0), b.ops("Unpack", block, num=count, axis=0)
    place, inside = b.constant(0, INT64), b.constant(True)
    for axis in range(count):
        reach = b.op("AddV2", b.op("Mul", b.op("Sub", lengths[axis], 1), dilations[axis]), 1)
        free = b.op("Sub", b.op("AddV2", sides[axis], pads[axis] + pads[axis + count]), reach)
        steps = b.op("AddV2", b.op("FloorDiv", free, strides[axis]), 1)
        zero, one = b.constant(0, INT64), b.constant(1, INT64)
        cells = b.op("Sub", b.op("Mul", b.op("Range", zero, lengths[axis], one), dilations[axis]), pads[axis])
        starts = b.op("Mul", b.op("Range", zero, steps, one), strides[axis])
        at = b.op(
            "AddV2",
            b.reshape(cells, [-1 if other == axis else 1 for other in range(2 * count)]),
            b.reshape(starts, [-1 if other == axis + count else 1 for other in range(2 * count)]),
        )
        is_in = b.op("LogicalAnd", b.op("GreaterEqual", at, 0), b.op("Less", at, sides[axis]))
        inside = b.op("LogicalAnd", inside, is_in)
        place = b.op("AddV2", b.op("Mul", place, sides[axis]), at)
    # Segments of a negative number are left out.
    segments = b.reshape(b.op("SelectV2", inside, place, b.constant(-1, INT64)), [-1])
    cells_in_block = b.op("Prod", block, [0])
    channels = b.op("FloorDiv", size_at(b, x, 1), cells_in_block)
    shape = b.op("Pack", b.op("Mul", size_at(b, x, 0), channels), b.op("Size", segments, out_type=INT64), axis=0)
    rows = b.transpose(b.reshape(x, shape), [1, 0])
    summed = b.transpose(b.op("UnsortedSegmentSum", rows, segments, b.op("Prod", image, [0])), [1, 0])
    ends = b.op("Pack", size_at(b, x, 0), channels, axis=0)
    return b.reshape(summed, b.op("ConcatV2", ends, image, 0))
