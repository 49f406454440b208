"""Attention in terms of products and softmax, and what goes with it. Source: the pages of the operators.

A row of which every key is masked is zero; which rows these are is decided on the bias, not on the products.
"""

from __future__ import annotations

import math

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.families.choosing import size_at
from graphsurgeon.lowering.families.linear import multiplied
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.model.dtype import BOOL, FLOAT32, INT64


@lowers("Attention", 23, 24, 25)
def attention(b: Builder, node: Source) -> list[Operand | None]:
    """softmax(Q K^T * scale + bias) V, with a cache, groups of heads, causal and other masks."""
    query, key, value = (b.plain(node[index]) for index in range(3))
    flat = query.rank == 3
    heads, own = node.integer("q_num_heads"), node.integer("kv_num_heads")
    if flat:
        query, key, value = _heads(b, query, heads), _heads(b, key, own), _heads(b, value, own)
    past = node.get(4)
    if past is not None:
        key = b.op("ConcatV2", past, key, 2)
        value = b.op("ConcatV2", node[5], value, 2)
    present = [key, value]
    key, value = (_repeated(b, one, query) for one in (key, value))
    depth = query.dims[-1]
    if node.attr("scale") is None and not isinstance(depth, int):
        raise LoweringError("the size of its heads is not known", hint="give shapes with --shape")
    scale = node.number("scale") if node.attr("scale") is not None else 1 / math.sqrt(depth)  # type: ignore[arg-type]
    root = b.constant(math.sqrt(scale), query.dtype)
    scores = b.op("BatchMatMulV2", b.op("Mul", query, root), b.op("Mul", key, root), adj_y=True)
    raw = scores
    cap = node.number("softcap")
    if cap:
        limit = b.constant(cap, scores.dtype)
        scores = b.op("Mul", b.op("Tanh", b.op("RealDiv", scores, limit)), limit)
    capped = scores
    bias = _bias(b, node, query, key, past)
    if bias is not None:
        scores = b.op("AddV2", scores, bias)
    precision = node.dtype("softmax_precision") or scores.dtype
    weights = b.op("Softmax", b.cast(scores, precision))
    if bias is not None:
        top = b.op("Max", bias, -1, keep_dims=True)
        masked = b.op("Equal", top, b.constant(float("-inf"), bias.dtype))
        weights = b.op("SelectV2", masked, b.constant(0.0, weights.dtype), weights)
    weights = b.cast(weights, query.dtype)
    shown = [raw, capped, scores, weights][node.integer("qk_matmul_output_mode")]
    found = b.op("BatchMatMulV2", weights, value)
    if flat:
        found = _joined(b, found)
    return [found, *present, b.cast(shown, query.dtype) if node.wants(3) else None]


def _heads(b: Builder, x: Operand, count: int) -> Operand:
    """Return `[batch, length, heads * size]` as `[batch, heads, length, size]`."""
    width = x.dims[-1]
    if count < 1 or not isinstance(width, int) or width % count:
        raise LoweringError(f"{count} heads of a width of {width}")
    dims = b.op(
        "ConcatV2", b.op("StridedSlice", b.shape_of(x), [0], [2], [1]), b.constant([count, width // count], INT64), 0
    )
    known = [dim if isinstance(dim, int) else -1 for dim in (*x.dims[:2], count, width // count)]
    made = b.reshape(x, known if known.count(-1) <= 1 else dims)
    return b.transpose(made, [0, 2, 1, 3])


def _joined(b: Builder, x: Operand) -> Operand:
    turned = b.transpose(x, [0, 2, 1, 3])
    width = _times(turned.dims[2], turned.dims[3])
    known = [dim if isinstance(dim, int) else -1 for dim in (*turned.dims[:2], width)]
    if known.count(-1) <= 1:
        return b.reshape(turned, known)
    head = b.op("StridedSlice", b.shape_of(turned), [0], [2], [1])
    return b.reshape(turned, b.op("ConcatV2", head, b.constant([known[2]], INT64), 0))


def _times(first: object, second: object) -> int | None:
    return first * second if isinstance(first, int) and isinstance(second, int) else None


def _repeated(b: Builder, x: Operand, query: Operand) -> Operand:
    """Return keys or values with each head as often as there are heads of queries for it."""
    heads, own = query.dims[1], x.dims[1]
    if heads == own:
        return x
    if not isinstance(heads, int) or not isinstance(own, int) or not own or heads % own:
        raise LoweringError(f"{heads} heads of queries over {own} of keys")
    places = [place // (heads // own) for place in range(heads)]
    return b.op("GatherV2", x, places, 1)


def _bias(b: Builder, node: Source, query: Operand, key: Operand, past: Operand | None) -> Operand | None:
    """Return what is added to the products: 0, -inf where a key does not count, or what the mask says."""
    dtype = query.dtype
    zero, low = b.constant(0.0, dtype), b.constant(float("-inf"), dtype)
    mask, counts = node.get(3), node.get(6)
    found: Operand | None = None
    rows, columns = size_at(b, query, 2), size_at(b, key, 2)
    if mask is not None:
        mask = _filled_up(b, b.plain(mask), columns, key)
        found = b.op("SelectV2", mask, zero, low) if mask.dtype is BOOL else mask
    left, right = node.integer("left_window_size", -1), node.integer("right_window_size", -1)
    if node.flag("is_causal") or left >= 0 or right >= 0:
        ahead = _distance(b, rows, columns, counts, past)
        tests = []
        if node.flag("is_causal"):
            tests.append(b.op("LessEqual", ahead, b.constant(0, INT64)))
        if left >= 0:
            tests.append(b.op("GreaterEqual", ahead, b.constant(-left, INT64)))
        if right >= 0:
            tests.append(b.op("LessEqual", ahead, b.constant(right, INT64)))
        allowed = tests[0]
        for test in tests[1:]:
            allowed = b.op("LogicalAnd", allowed, test)
        found = _added(b, found, b.op("SelectV2", allowed, zero, low))
    if counts is not None:
        places = b.op("Range", b.constant(0, INT64), columns, b.constant(1, INT64))
        inside = b.op("Less", places, b.reshape(b.cast(counts, INT64), [-1, 1, 1, 1]))
        found = _added(b, found, b.op("SelectV2", inside, zero, low))
    return found


def _added(b: Builder, first: Operand | None, second: Operand) -> Operand:
    return second if first is None else b.op("AddV2", first, second)


def _distance(b: Builder, rows: Operand, columns: Operand, counts: Operand | None, past: Operand | None) -> Operand:
    """Return how far each key is ahead of each query, counted from where the queries begin."""
    zero, one = b.constant(0, INT64), b.constant(1, INT64)
    i = b.op("ExpandDims", b.op("Range", zero, rows, one), 1)
    j = b.op("Range", zero, columns, one)
    if counts is not None and past is None:
        start = b.op("Sub", b.reshape(b.cast(counts, INT64), [-1, 1, 1, 1]), rows)
        return b.op("Sub", j, b.op("AddV2", i, start))
    if past is not None:
        i = b.op("AddV2", i, size_at(b, past, 2))
    return b.op("Sub", j, i)


def _filled_up(b: Builder, mask: Operand, columns: Operand, key: Operand) -> Operand:
    """Return a mask as wide as there are keys: further ones do not count."""
    width, wanted = mask.dims[-1], key.dims[2]
    if width == wanted or (isinstance(width, int) and isinstance(wanted, int) and width >= wanted):
        return mask
    missing = b.op("Maximum", b.op("Sub", columns, size_at(b, mask, mask.rank - 1)), b.constant(0, INT64))
    zero = b.constant(0, INT64)
    rows = b.op("Pack", *([zero] * (2 * mask.rank - 1)), missing, axis=0)
    value = b.constant(False) if mask.dtype is BOOL else b.constant(float("-inf"), mask.dtype)
    return b.op("PadV2", mask, b.reshape(rows, [mask.rank, 2]), value)


@lowers("RotaryEmbedding", 23)
def rotary_embedding(b: Builder, node: Source) -> Operand:
    """Pairs of elements turned by angles that their positions give."""
    x, cos, sin = (b.plain(node[index]) for index in range(3))
    places = node.get(3)
    flat, shape = x.rank == 3, b.shape_of(x)
    if flat:
        heads, width = node.integer("num_heads"), x.dims[-1]
        if heads < 1 or not isinstance(width, int):
            raise LoweringError("the number of its heads is not given, or their size is not known")
        dims = b.op(
            "ConcatV2", b.op("StridedSlice", shape, [0], [2], [1]), b.constant([heads, width // heads], INT64), 0
        )
        x = b.reshape(x, dims)
    else:
        x = b.transpose(x, [0, 2, 1, 3])
    if places is not None:
        cos, sin = (b.op("GatherV2", one, places, 0) for one in (cos, sin))
    cos, sin = (b.op("ExpandDims", one, 2) for one in (cos, sin))
    size = x.dims[-1]
    if not isinstance(size, int):
        raise LoweringError("the size of its heads is not known", hint="give shapes with --shape")
    turned = node.integer("rotary_embedding_dim") or size
    rest = None
    if turned < size:
        x, rest = b.ops("SplitV", x, [turned, size - turned], 3, num_split=2)
    interleaved = node.flag("interleaved")
    if interleaved:
        first, second = (
            b.op("StridedSlice", x, [0, 0, 0, start], [0, 0, 0, 0], [1, 1, 1, 2], begin_mask=7, end_mask=15)
            for start in (0, 1)
        )
    else:
        first, second = b.ops("Split", 3, x, num_split=2)
    real = b.op("Sub", b.op("Mul", cos, first), b.op("Mul", sin, second))
    other = b.op("AddV2", b.op("Mul", sin, first), b.op("Mul", cos, second))
    if interleaved:
        made = b.reshape(b.op("Pack", real, other, axis=4), b.op("Shape", x))
    else:
        made = b.op("ConcatV2", real, other, 3)
    if rest is not None:
        made = b.op("ConcatV2", made, rest, 3)
    return b.reshape(made, shape) if flat else b.transpose(made, [0, 2, 1, 3])


@lowers("CausalConvWithState", 27)
def causal_conv(b: Builder, node: Source) -> list[Operand | None]:
    """A convolution of each channel over what came before, with a state of the last inputs."""
    x, kernel, bias, past = b.plain(node[0]), node[1], node.get(2), node.get(3)
    channels, _, length = kernel.static()
    if past is not None:
        padded = b.op("ConcatV2", past, x, 2)
    else:
        padded = b.op("Pad", x, [[0, 0], [0, 0], [length - 1, 0]])
    lying = b.expand(b.transpose(padded, [0, 2, 1]), [1])
    filters = b.reshape(b.transpose(kernel, [2, 0, 1]), [1, length, channels, 1])
    made = b.op("DepthwiseConv2dNative", lying, filters, strides=[1, 1, 1, 1], padding="VALID")
    made = b.squeeze(b.op("BiasAdd", made, bias) if bias is not None else made, [1])
    if node.text("activation", "none") in ("silu", "swish"):
        wide = b.cast(made, FLOAT32)
        made = b.cast(b.op("Mul", wide, b.op("Sigmoid", wide)), x.dtype)
    elif node.text("activation", "none") != "none":
        raise LoweringError(f"activation {node.text('activation')!r}")
    state = b.op("StridedSlice", padded, [0, 0, -(length - 1)], [0, 0, 0], [1, 1, 1], begin_mask=3, end_mask=7)
    if length == 1:
        state = b.op("StridedSlice", padded, [0, 0, 0], [0, 0, 0], [1, 1, 1], begin_mask=3, end_mask=3)
    return [b.transpose(made, [0, 2, 1]), state]


@lowers("LinearAttention", 27)
def linear_attention(b: Builder, node: Source) -> list[Operand | None]:
    """A state that each step decays, mends and reads; unrolled, so the number of steps must be known."""
    query, key, value = (b.plain(node[index]) for index in range(3))
    heads, own = node.integer("q_num_heads"), node.integer("kv_num_heads")
    steps = query.dims[1]
    if not isinstance(steps, int) or steps > 64:
        raise LoweringError(f"{steps} steps: up to 64, known before, are unrolled", hint="give shapes with --shape")
    rule = node.text("update_rule", "gated_delta")
    wide = [b.cast(_heads(b, one, count), FLOAT32) for one, count in ((query, heads), (key, own), (value, own))]
    depth, width = wide[1].static()[-1], wide[2].static()[-1]
    past = node.get(3)
    state = (
        b.cast(past, FLOAT32)
        if past is not None
        else b.op(
            "Fill",
            b.op("Pack", size_at(b, query, 0), *(b.constant(n, INT64) for n in (own, depth, width)), axis=0),
            0.0,
        )
    )
    decay = _per_head(b, node[4], own) if rule in ("gated", "gated_delta") else None
    beta = _per_head(b, node[5], own) if rule in ("delta", "gated_delta") else None
    scale = node.number("scale") or 1 / math.sqrt(depth)
    outputs = []
    for step in range(steps):
        q, k, v = (_step(b, one, step) for one in wide)
        if decay is not None:
            state = b.op("Mul", state, b.op("ExpandDims", b.op("Exp", _step(b, decay, step)), 3))
        if beta is not None:
            read = b.op("Sum", b.op("Mul", state, b.op("ExpandDims", k, 3)), 2)
            v = b.op("Mul", _step(b, beta, step), b.op("Sub", v, read))
        state = b.op("AddV2", state, b.op("Mul", b.op("ExpandDims", k, 3), b.op("ExpandDims", v, 2)))
        seen = (
            state if heads == own else b.op("GatherV2", state, [place // (heads // own) for place in range(heads)], 1)
        )
        outputs.append(b.op("Mul", b.squeeze(multiplied(b, b.op("ExpandDims", q, 2), seen), [2]), scale))
    found = _joined(b, b.op("Pack", *outputs, axis=2))
    return [b.cast(found, query.dtype), b.cast(state, past.dtype if past is not None else query.dtype)]


def _per_head(b: Builder, x: Operand, heads: int) -> Operand:
    """Return `[batch, length, heads * size]` as `[batch, heads, length, size]`, one head for all where it has one."""
    width = b.plain(x).dims[-1]
    return b.cast(_heads(b, b.plain(x), 1 if width == 1 else heads), FLOAT32)


def _step(b: Builder, x: Operand, step: int) -> Operand:
    return b.op(
        "StridedSlice",
        x,
        [0, 0, step, 0],
        [0, 0, step + 1, 0],
        [1, 1, 1, 1],
        begin_mask=11,
        end_mask=11,
        shrink_axis_mask=4,
    )
