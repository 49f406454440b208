"""Normalization: by running moments, by those of the input, by neighbours. Source: the pages of the operators."""

from __future__ import annotations

from graphsurgeon.lowering.builder import Builder, as_ordered, as_plain
from graphsurgeon.lowering.families.reducing import reduce
from graphsurgeon.lowering.layout import channels_last, each, from_last, last
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers, require_few
from graphsurgeon.model.dtype import BFLOAT16, FLOAT16, FLOAT32, DType


@lowers("BatchNormalization", 6, 7, 9, 14, 15)
def batch_normalization(b: Builder, node: Source) -> list[Operand | None]:
    """By moments from training: TensorFlow's own op for images, arithmetic for other ranks and types."""
    if node.version == 6 and not node.flag("is_test"):
        raise LoweringError("it computes moments of the batch, as in training", hint="export the model for inference")
    if node.flag("training_mode") or any(node.wants(output) for output in range(1, 5)):
        raise LoweringError("it computes moments of the batch, as in training", hint="export the model for inference")
    if node.version < 9 and not node.flag("spatial", True):
        raise LoweringError("spatial=0, which newer versions do not have")
    x, scale, offset, mean, variance = node.all()[:5]
    epsilon = node.number("epsilon", 1e-5)
    if x.rank == 4 and x.dtype in (FLOAT32, FLOAT16, BFLOAT16):
        moments = [b.cast(one, FLOAT32) for one in (scale, offset, mean, variance)]
        made = b.ops("FusedBatchNormV3", last(b, x), *moments, epsilon=epsilon, data_format=b"NHWC", is_training=False)
        return [from_last(made[0])]
    ordered = b.ordered(x, channels_last(x.rank)) if x.rank > 2 else x
    lying = as_plain(ordered)
    root = b.op("Sqrt", b.op("AddV2", variance, b.constant(epsilon, variance.dtype)))
    times = b.cast(b.op("RealDiv", scale, b.cast(root, scale.dtype)), x.dtype)
    centred = b.op("Sub", lying, b.cast(mean, x.dtype))
    made_ = b.op("AddV2", b.op("Mul", centred, times), b.cast(offset, x.dtype))
    return [as_ordered(made_, ordered.order)]


def moments(b: Builder, x: Operand, axes: list[int]) -> tuple[Operand, Operand]:
    """Return mean and variance over axes, which stay with length 1."""
    mean = reduce(b, "Mean", x, axes, keep=True)
    return mean, reduce(b, "Mean", each(b, "SquaredDifference", x, mean), axes, keep=True)


def normalized(b: Builder, x: Operand, axes: list[int], epsilon: float) -> tuple[Operand, Operand, Operand]:
    """Return what has mean 0 and variance 1 over axes, the mean, and the inverse of the deviation."""
    mean, variance = moments(b, x, axes)
    inverse = each(b, "Rsqrt", each(b, "AddV2", variance, b.constant(epsilon, x.dtype)))
    return each(b, "Mul", each(b, "Sub", x, mean), inverse), mean, inverse


def _per_channel(b: Builder, vector: Operand, rank: int) -> Operand:
    """Return a vector so that it broadcasts along axis 1."""
    return b.reshape(vector, [-1, *[1] * (rank - 2)])


@lowers("InstanceNormalization", 6, 22)
def instance_normalization(b: Builder, node: Source) -> Operand:
    """Each channel of each sample by its own moments."""
    x, scale, offset = node.all()
    rank = x.rank
    ordered = b.ordered(x, channels_last(rank)) if rank > 2 else x
    found, _, _ = normalized(b, ordered, list(range(2, rank)), node.number("epsilon", 1e-5))
    found = each(b, "Mul", found, _per_channel(b, scale, rank))
    return each(b, "AddV2", found, _per_channel(b, offset, rank))


@lowers("GroupNormalization", 18, 21)
def group_normalization(b: Builder, node: Source) -> Operand:
    """Groups of channels by their moments; scale and bias are per group in 18, per channel from 21 on."""
    x, scale, offset = node.all()
    groups = node.integer("num_groups")
    channels = x.dims[1]
    if not isinstance(channels, int) or groups < 1 or channels % groups:
        raise LoweringError(f"{channels} channels in {groups} groups")
    stash = node.dtype("stash_type") or FLOAT32
    plain = b.plain(x)
    dims = b.shape_of(plain)
    wide = b.cast(plain, stash) if node.version >= 21 else plain
    rows = b.reshape(wide, [0, groups, -1]) if isinstance(x.dims[0], int) and not x.dims[0] else None
    batch = x.dims[0]
    rows = rows or b.reshape(wide, [batch if isinstance(batch, int) else -1, groups, _cells(b, x, groups)])
    found, _, _ = normalized(b, rows, [2], node.number("epsilon", 1e-5))
    found = b.cast(found, x.dtype)
    if node.version < 21:
        found = b.op("AddV2", b.op("Mul", found, b.reshape(scale, [-1, 1])), b.reshape(offset, [-1, 1]))
        return b.reshape(found, dims)
    found = b.reshape(found, dims)
    rank = x.rank
    return b.op("AddV2", b.op("Mul", found, _per_channel(b, scale, rank)), _per_channel(b, offset, rank))


def _cells(b: Builder, x: Operand, groups: int) -> int:
    from graphsurgeon.shapes.dims import product

    size = product(x.dims[1:])
    if isinstance(size, int):
        return size // groups
    if isinstance(x.dims[0], int):
        return -1
    raise LoweringError("batch and sides are both unknown", hint="give one of them with --shape")


def _stash(node: Source, x: Operand) -> DType:
    return node.dtype("stash_type") or (FLOAT32 if x.dtype in (FLOAT16, BFLOAT16) else x.dtype)


@lowers("LayerNormalization", 17)
def layer_normalization(b: Builder, node: Source) -> list[Operand | None]:
    """All axes from one on by their moments, computed in float32."""
    x, scale, offset = node[0], node[1], node.get(2)
    axes = list(range(node.axis(x.rank, -1), x.rank))
    stash = _stash(node, x)
    wide = b.cast(x, stash if x.dtype is not stash and x.dtype.bits <= stash.bits else x.dtype)
    found, mean, inverse = normalized(b, wide, axes, node.number("epsilon", 1e-5))
    found = each(b, "Mul", b.cast(found, x.dtype), scale)
    if offset is not None:
        found = each(b, "AddV2", found, offset)
    return [found, b.cast(mean, stash), b.cast(inverse, stash)]


@lowers("RMSNormalization", 23)
def rms_normalization(b: Builder, node: Source) -> Operand:
    """All axes from one on by the root of their mean square, computed in float32."""
    x, scale = node[0], node[1]
    axes = list(range(node.axis(x.rank, -1), x.rank))
    stash = _stash(node, x)
    wide = b.cast(x, stash if x.dtype.bits <= stash.bits else x.dtype)
    square = reduce(b, "Mean", each(b, "Square", wide), axes, keep=True)
    root = each(b, "Sqrt", each(b, "AddV2", square, b.constant(node.number("epsilon", 1e-5), wide.dtype)))
    return each(b, "Mul", b.cast(each(b, "RealDiv", wide, root), x.dtype), scale)


@lowers("MeanVarianceNormalization", 9, 13)
def mean_variance_normalization(b: Builder, node: Source) -> Operand:
    """By moments over axes; ONNX adds 1e-9 to the deviation."""
    x = node[0]
    given = node.ints("axes")
    axes = [axis + x.rank if axis < 0 else axis for axis in (given if given is not None else [0, 2, 3])]
    mean, variance = moments(b, x, axes)
    deviation = each(b, "AddV2", each(b, "Sqrt", variance), b.constant(1e-9, x.dtype))
    return each(b, "RealDiv", each(b, "Sub", x, mean), deviation)


@lowers("LpNormalization", 1, 22)
def lp_normalization(b: Builder, node: Source) -> Operand:
    """Along an axis by its norm; zeros stay zeros."""
    x = node[0]
    axis, p = node.axis(x.rank, -1), node.integer("p", 2)
    if p == 1:
        norm = reduce(b, "Sum", each(b, "Abs", x), [axis], keep=True)
    else:
        norm = each(b, "Sqrt", reduce(b, "Sum", each(b, "Square", x), [axis], keep=True))
    return each(b, "DivNoNan", x, norm)


@lowers("LRN", 1, 13)
def lrn(b: Builder, node: Source) -> Operand:
    """Each channel by the squares of its neighbours; TensorFlow's own op fits windows of odd length."""
    x = node[0]
    size = node.integer("size")
    alpha, beta, bias = node.number("alpha", 1e-4), node.number("beta", 0.75), node.number("bias", 1.0)
    lying = last(b, x)
    if size % 2 and x.rank == 4 and x.dtype in (FLOAT32, FLOAT16):
        return from_last(b.op("LRN", lying, depth_radius=size // 2, bias=bias, alpha=alpha / size, beta=beta))
    require_few(size, 1 << 10, "channels in a window")
    before = (size - 1) // 2
    rows = [[0, 0]] * (x.rank - 1) + [[before, size - 1 - before]]
    squares = b.op("Pad", b.op("Square", lying), rows)
    channels = x.dims[1]
    total = None
    for start in range(size):
        end = start - size + 1
        mask = (1 << x.rank - 1) - 1
        part = b.op(
            "StridedSlice", squares, [0] * (x.rank - 1) + [start], [0] * (x.rank - 1) + [end], [1] * x.rank,
            begin_mask=mask, end_mask=mask | (0 if end else 1 << x.rank - 1),
        )  # fmt: skip
        total = part if total is None else b.op("AddV2", total, part)
    if total is None or channels == 0:
        raise LoweringError("a window of no channels")
    inner = b.op("AddV2", b.op("Mul", total, b.constant(alpha / size, x.dtype)), b.constant(bias, x.dtype))
    return from_last(b.op("RealDiv", lying, b.op("Pow", inner, b.constant(beta, x.dtype))))
