"""Ops that move elements without changing them: reshape, squeeze, transpose, pack, concatenate, split, tile, pad."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes import elements
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.fact import Fact, Items
from graphsurgeon.shapes.registry import Result, shape_fn, value_fn


@shape_fn("Reshape", "RiscReshape", "QuantizedReshape")
def reshape(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the second input spells; one open dimension takes what the number of elements leaves."""
    dims, target = context.dims(0), context.vector_of(1)
    if target is not None and dims is not None:
        target = _completed(dims, target)
    result: list[Result] = [context.input(0).with_dims(target), (), ()]  # the quantized op has a range beside
    return result[: context.num_outputs]


def _completed(dims: Dims, target: Dims) -> Dims:
    total, wanted = dim.product(dims), dim.product(d for d in target if d is not None)
    missing = [axis for axis, d in enumerate(target) if d is None]
    if not missing:
        if isinstance(total, int) and isinstance(wanted, int) and total != wanted:
            raise ShapeError(f"shape {dim.show(dims)} cannot become {dim.show(target)}: {total} elements, not {wanted}")
        return target
    if len(missing) > 1 or wanted == 0:
        return target
    if isinstance(total, int) and isinstance(wanted, int) and total % wanted:
        raise ShapeError(f"shape {dim.show(dims)} cannot become {dim.show(target)}: {total} is no multiple of {wanted}")
    return dim.replace(target, missing[0], dim.divide(total, wanted))


@shape_fn("ExpandDims")
def expand_dims(context: InferenceContext) -> Sequence[Result]:
    """Insert a dimension of one element at the axis in the second input."""
    dims, axis = context.dims(0), context.integer(1)
    if dims is None:
        return [None]
    if axis is None:
        return [dim.unknown(len(dims) + 1)]
    place = dim.normal_axis(axis, len(dims) + 1)
    return [context.input(0).with_dims((*dims[:place], 1, *dims[place:]))]


@shape_fn("Squeeze", "RiscSqueeze")
def squeeze(context: InferenceContext) -> Sequence[Result]:
    """Leave out the dimensions in `squeeze_dims`, or all of one element if it names none."""
    dims = context.dims(0)
    if dims is None:
        return [None]
    axes = set(dim.normal_axes(context.integers_attr("squeeze_dims"), len(dims)))
    if not axes:
        if not dim.is_static(dims):
            return [None]
        return [context.input(0).with_dims(tuple(d for d in dims if d != 1))]
    for axis in axes:
        dim.merge_dim(dims[axis], 1)
    return [context.input(0).with_dims(tuple(d for axis, d in enumerate(dims) if axis not in axes))]


@shape_fn("Transpose", "ConjugateTranspose", "RiscTranspose")
def transpose(context: InferenceContext) -> Sequence[Result]:
    """Put the dimensions in the order of the second input."""
    dims, order = context.dims(0), context.items(1)
    if dims is None:
        length = context.with_rank(1, 1)[0] if order is None else len(order)
        return [dim.unknown(length) if isinstance(length, int) and length <= dim.MOST_DIMS else None]
    if order is None:
        return [dims if len(dims) <= 1 else dim.unknown(len(dims))]
    if len(order) != len(dims):
        raise ShapeError(f"an order of {len(order)} axes does not fit shape {dim.show(dims)}")
    return [tuple(dims[dim.normal_axis(axis, len(dims))] if isinstance(axis, int) else None for axis in order)]


@value_fn("Transpose")
def transpose_value(context: InferenceContext) -> Items | None:
    """Put the elements in the new order."""
    known, order = elements.static(context.input(0)), context.integers(1)
    return None if known is None or order is None else elements.permute(*known, order)


@shape_fn("Pack")
def pack(context: InferenceContext) -> Sequence[Result]:
    """Insert a dimension of as many elements as inputs at `axis`."""
    part: Dims | None = None
    for fact in context.inputs:
        part = dim.merge(part, fact.dims)
    if part is None:
        return [None]
    place = dim.normal_axis(context.integer_attr("axis"), len(part) + 1)
    return [(*part[:place], len(context.inputs), *part[place:])]


@value_fn("Pack")
def pack_value(context: InferenceContext) -> Items | None:
    """Join the elements; unknown inputs stay unknown elements."""
    dims = next((fact.dims for fact in context.inputs if dim.is_static(fact.dims)), None)
    if dims is None:
        return None
    sizes = tuple(d for d in dims if isinstance(d, int))
    place = dim.normal_axis(context.integer_attr("axis"), len(sizes) + 1)
    one = (*sizes[:place], 1, *sizes[place:])
    count = dim.size(one) or 0
    return elements.concat([(fact.items or (None,) * count, one) for fact in context.inputs], place)


@shape_fn("Unpack")
def unpack(context: InferenceContext) -> Sequence[Result]:
    """Give `num` parts without the dimension at `axis`."""
    count = context.num_outputs
    dims = context.dims(0)
    if dims is None:
        return [None] * count
    axis = dim.normal_axis(context.integer_attr("axis"), len(dims))
    dim.merge_dim(dims[axis], context.integer_attr("num", count))
    part = (*dims[:axis], *dims[axis + 1 :])
    known = elements.static(context.input(0))
    if known is None:
        return [part] * count
    return [Fact(part, elements.take(*known, axis, [index])) for index in range(count)]


@shape_fn("ConcatV2", "Concat", "QuantizedConcatV2", "QuantizedConcat")
def concat(context: InferenceContext) -> Sequence[Result]:
    """Join values along an axis; it is the last input (the first of the older op)."""
    parts, axis = _parts_and_axis(context)
    return [_joined([fact.dims for fact in parts], axis), (), ()][: context.num_outputs]


@shape_fn("RiscConcat")
def risc_concat(context: InferenceContext) -> Sequence[Result]:
    """Join values along the axis in the last input."""
    return [_joined([fact.dims for fact in context.inputs[:-1]], context.integer(-1))]


@value_fn("ConcatV2", "Concat")
def concat_value(context: InferenceContext) -> Items | None:
    """Join the elements; unknown inputs stay unknown elements."""
    parts, axis = _parts_and_axis(context)
    joined: list[tuple[Items, tuple[int, ...]]] = []
    for fact in parts:
        if fact.dims is None or not dim.is_static(fact.dims):
            return None
        sizes = tuple(d for d in fact.dims if isinstance(d, int))
        joined.append((fact.items or (None,) * (dim.size(sizes) or 0), sizes))
    return elements.concat(joined, dim.normal_axis(axis, len(joined[0][1]))) if axis is not None else None


def _parts_and_axis(context: InferenceContext) -> tuple[list[Fact], int | None]:
    name, axis = ("concat_dim", 0) if context.node.op in ("Concat", "QuantizedConcat") else ("axis", -1)
    values = context.argument("values")
    found = context.argument(name)
    items = found[0].items if found else context.items(axis)
    return values, items[0] if items and isinstance(items[0], int) else None


def _joined(parts: Sequence[Dims | None], axis: int | None) -> Dims | None:
    rank = next((len(dims) for dims in parts if dims is not None), None)
    if rank is None:
        return None
    if rank == 0 and any(dims is not None for dims in parts):
        raise ShapeError("scalars cannot be joined, they can be packed")
    if axis is None:
        return _same_rank(parts, rank)
    place = dim.normal_axis(axis, rank)
    total: Dim = 0
    common: Dims | None = None
    for dims in parts:
        total = dim.add(total, None if dims is None else _dim_at(dims, place, rank))
        common = dim.merge(common, None if dims is None else dim.replace(dims, place, None))
    return None if common is None else dim.replace(common, place, total)


def _dim_at(dims: Dims, axis: int, rank: int) -> Dim:
    if len(dims) != rank:
        raise ShapeError(f"shape {dim.show(dims)} has another rank than {rank}")
    return dims[axis]


def _same_rank(parts: Sequence[Dims | None], rank: int) -> Dims:
    for dims in parts:
        if dims is not None:
            _dim_at(dims, 0, rank)
    return dim.unknown(rank)


@shape_fn("ConcatOffset")
def concat_offset(context: InferenceContext) -> Sequence[Result]:
    """Give for each value the position at which it begins: a vector like its shape."""
    return [fact.dims for fact in context.inputs[1:]]


@shape_fn("Split")
def split(context: InferenceContext) -> Sequence[Result]:
    """Give `num_split` equal parts along the axis in the first input."""
    count = context.num_outputs
    dims, axis = context.dims(1), context.integer(0)
    if dims is None or axis is None:
        return [None if dims is None else dim.unknown(len(dims))] * count
    place = dim.normal_axis(axis, len(dims))
    whole = dims[place]
    parts = _number_of_parts(context)
    if isinstance(whole, int) and parts and whole % parts:
        raise ShapeError(f"dimension {whole} cannot be split into {parts} equal parts")
    width = dim.divide(whole, parts)
    return _split_parts(context.input(1), place, [width] * count)


@shape_fn("SplitV")
def split_v(context: InferenceContext) -> Sequence[Result]:
    """Give parts of the widths in the second input along the axis in the third; one width may be -1."""
    count = context.num_outputs
    dims, axis = context.dims(0), context.integer(2)
    if dims is None:
        return [None] * count
    if axis is None and len(dims) == 1:
        axis = 0
    is_whole = _number_of_parts(context) == 1
    if axis is None:
        return [context.dims(0) if is_whole else dim.unknown(len(dims))] * count
    place = dim.normal_axis(axis, len(dims))
    widths: list[Dim] = [item if isinstance(item, int | dim.Symbol) else None for item in context.items(1) or ()]
    if len(widths) != _number_of_parts(context):
        return [dims if is_whole else dim.replace(dims, place, None)] * count
    return _split_parts(context.input(0), place, _with_rest(widths, dims[place]))


def _number_of_parts(context: InferenceContext) -> int:
    """Return how many parts there are; of many, only those that somebody reads may be asked for."""
    number = context.integer_attr("num_split", context.num_outputs)
    return number if number > 0 else context.num_outputs


def _with_rest(widths: list[Dim], whole: Dim) -> list[Dim]:
    rest = [index for index, width in enumerate(widths) if width == -1]
    if len(rest) == 1:
        total: Dim = 0
        for index, width in enumerate(widths):
            total = dim.add(total, 0 if index == rest[0] else width)
        widths[rest[0]] = dim.subtract(whole, total)
    if any(isinstance(width, int) and width < 0 for width in widths):
        raise ShapeError(f"a dimension of {whole} cannot be split into the widths given")
    return widths


def _split_parts(whole: Fact, axis: int, widths: Sequence[Dim]) -> list[Result]:
    dims = whole.dims or ()
    known = elements.static(whole)
    numbers = [width for width in widths if isinstance(width, int)]
    if known is None or len(numbers) != len(widths):
        return [dim.replace(dims, axis, width) for width in widths]
    parts: list[Result] = []
    start = 0
    for width in numbers:
        part = dim.replace(dims, axis, width)
        parts.append(Fact(part, elements.take(*known, axis, range(start, start + width))))
        start += width
    return parts


@shape_fn("Tile")
def tile(context: InferenceContext) -> Sequence[Result]:
    """Repeat each dimension as often as the second input says."""
    counts = context.shape_of(1)
    if counts is None:
        dims = context.dims(0)
        return [None if dims is None else dim.unknown(len(dims)) if dims else ()]
    dims = context.with_rank(0, len(counts))
    return [tuple(map(dim.multiply, dims, counts))]


@value_fn("Tile")
def tile_value(context: InferenceContext) -> Items | None:
    """Repeat the elements."""
    known, counts = elements.static(context.input(0)), context.integers(1)
    if known is None or counts is None:
        return None
    return elements.pick(*known, [list(range(size)) * count for size, count in zip(known[1], counts, strict=True)])


@shape_fn("TileGrad")
def tile_grad(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known beside the rank."""
    dims = context.dims(0)
    return [None if dims is None else dim.unknown(len(dims))]


@shape_fn("ReverseV2", "Reverse", "ReverseSequence", "RiscReverse", "Roll")
def reverse(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    if context.node.op == "ReverseSequence":
        return [_reversed_sequences(context)]
    dims = context.dims(0)
    if context.node.op != "Reverse":
        return [dims]
    length = context.with_rank(1, 1)[0]
    if isinstance(length, int) and length <= dim.MOST_DIMS:
        return [context.with_rank(0, length)]
    return [dims]


def _reversed_sequences(context: InferenceContext) -> Dims | None:
    dims, lengths = context.dims(0), context.with_rank(1, 1)
    if dims is None:
        return None
    axis = context.integer_attr("batch_dim")
    if not 0 <= axis < len(dims) or context.integer_attr("seq_dim") >= len(dims):
        raise ShapeError(f"batch_dim or seq_dim is outside shape {dim.show(dims)}")
    return dim.replace(dims, axis, dim.merge_dim(dims[axis], lengths[0]))


@value_fn("ReverseV2")
def reverse_value(context: InferenceContext) -> Items | None:
    """Put the elements in reverse order along the axes in the second input."""
    known, axes = elements.static(context.input(0)), context.integers(1)
    if known is None or axes is None:
        return None
    items, sizes = known
    turned = set(dim.normal_axes(axes, len(sizes)))
    return elements.pick(
        items, sizes, [range(size)[::-1] if axis in turned else range(size) for axis, size in enumerate(sizes)]
    )


@shape_fn("Pad", "PadV2", "MirrorPad", "RiscPad")
def pad(context: InferenceContext) -> Sequence[Result]:
    """Widen each dimension by the two numbers that its row of the second input holds."""
    return [_padded(context, 1)]


@shape_fn("MirrorPadGrad")
def mirror_pad_grad(context: InferenceContext) -> Sequence[Result]:
    """Narrow each dimension by the two numbers that its row of the second input holds."""
    return [_padded(context, -1)]


def _padded(context: InferenceContext, sign: int) -> Dims | None:
    rows, columns = context.with_rank(1, 2)
    dim.merge_dim(columns, 2)
    dims, items = context.dims(0), context.items(1)
    if dims is None:
        rank = rows if items is None else len(items) // 2
        return dim.unknown(rank) if isinstance(rank, int) and rank <= dim.MOST_DIMS else None
    dim.merge_dim(rows, len(dims))
    if items is None:
        return dim.unknown(len(dims))
    widths: list[Dim] = [item if isinstance(item, int | dim.Symbol) else None for item in items]
    if any(isinstance(width, int) and width < 0 for width in widths):
        raise ShapeError("a padding must not be negative")
    pairs = zip(widths[::2], widths[1::2], strict=True)
    return tuple(dim.add(d, dim.multiply(dim.add(*pair), sign)) for d, pair in zip(dims, pairs, strict=True))
