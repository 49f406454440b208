"""Ops that give shapes, or the same elements in another shape. Source: the pages of the operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphsurgeon.lowering import weights
from graphsurgeon.lowering.builder import Builder, as_ordered, as_plain
from graphsurgeon.lowering.layout import flattened, split_or_joined
from graphsurgeon.lowering.operand import Operand, is_held
from graphsurgeon.lowering.source import Source, normal_axis
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.lowering.types import cast as cast_to
from graphsurgeon.model.dtype import INT64, STRING, DType
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes.dims import Symbol, divide, product
from graphsurgeon.shapes.fact import Fact

ALL = (1, 11, 13, 21, 23, 24, 25)  # versions of many of these ops: newer ones only take more types
_SHAPE = (13, 15, 19, 21, 23, 24, 25)


@lowers("Constant", 1, 9, 11, 12, 13, 19, 21, 23, 24, 25)
def constant(b: Builder, node: Source) -> Operand:
    """A value of any of the forms; the reader has it already where it is dense."""
    for value in node.node.outputs:
        if value.tensor is not None:
            return Operand.constant(value.tensor, value.name or "")
    raise LoweringError("it holds no dense value")


@lowers("Shape", 1, *_SHAPE)
def shape(b: Builder, node: Source) -> Operand:
    """The dimensions from `start` to `end`."""
    found = b.shape_of(node[0])
    start, end = node.integer("start"), node.attr("end")
    if not start and end is None:
        return found
    rank = node[0].rank
    first = min(max(start + rank if start < 0 else start, 0), rank)
    last = rank if not isinstance(end, int) else min(max(end + rank if end < 0 else end, 0), rank)
    return b.op("StridedSlice", found, [first], [max(first, last)], [1])


@lowers("Size", 1, 13, 19, 21, 23, 24, 25)
def size(b: Builder, node: Source) -> Operand:
    """The number of elements."""
    return b.op("Size", b.plain(node[0]), out_type=INT64)


@lowers("Reshape", 5, 13, 14, 19, 21, 23, 24, 25)
def reshape(b: Builder, node: Source) -> Operand:
    """0 copies the input's own dimension unless `allowzero`; -1 is what is left."""
    wanted = node[1]
    if node.flag("allowzero"):
        return b.reshape(node[0], wanted if wanted.numbers is None else wanted.numbers)
    return reshaped(b, node[0], wanted)


def reshaped(b: Builder, x: Operand, wanted: Operand) -> Operand:
    """Return an operand in a shape in which 0 stands for the operand's own dimension."""
    items = wanted.items
    if items is None and wanted.dims == (0,):
        items = ()
    if items is None:
        return _reshaped_by_computed(b, x, wanted)
    dims = [_dimension(x, axis, item) for axis, item in enumerate(items)]
    lying = _as_it_lies(b, x, dims)
    if lying is not None:
        return lying
    unknown = [axis for axis, dim in enumerate(dims) if not isinstance(dim, int)]
    if -1 not in dims and len(unknown) == 1:  # what follows from the others need not be computed
        known = list(dims)
        dims[unknown[0]] = -1
        found = b.reshape(x, [dim for dim in dims if isinstance(dim, int)])
        return _with_dims(b, found, known)
    if not unknown:
        found = b.reshape(x, [dim for dim in dims if isinstance(dim, int)])
        return found
    return _with_dims(b, _reshaped_by_computed(b, x, wanted, dims), dims)


def _as_it_lies(b: Builder, x: Operand, dims: Sequence[Any]) -> Operand | None:
    """Return an operand in a shape for which its axes need not be brought back to the source's order."""
    if x.order is None or x.known_dims is None or dims.count(-1) > 1:
        return None
    known = list(dims)
    if -1 in known:
        rest = product(dim for dim in known if dim != -1)
        known[known.index(-1)] = divide(product(x.dims), rest)
    if len(known) == 2 and known[0] == x.dims[0] and known[0] is not None:
        return flattened(b, x)
    return split_or_joined(b, x, known) if len(known) > 2 else None


def _dimension(x: Operand, axis: int, item: Any) -> Any:
    if item == 0 and not isinstance(item, Symbol):
        if x.known_dims is None:
            return None
        if axis >= x.rank:
            raise LoweringError(f"dimension {axis} is to be copied from shape {x.shown}")
        return x.dims[axis]
    return item


def _with_dims(b: Builder, made: Operand, dims: Sequence[Any]) -> Operand:
    """Return an operand with the dimensions that are known to be those of other values."""
    if made.value is None or -1 in dims or None in dims:
        return made
    return b.learn(made.value, Fact(tuple(dims), dtype=made.fact.dtype))


def _reshaped_by_computed(b: Builder, x: Operand, wanted: Operand, dims: Sequence[Any] = ()) -> Operand:
    """Reshape to what is computed when the model runs, zeros in it replaced by the input's dimensions."""
    items = wanted.items
    if items is not None and not any(item == 0 or item is None for item in items):
        return b.reshape(x, wanted)
    length = wanted.dims[0]
    if not isinstance(length, int):
        raise LoweringError("the number of dimensions it makes is not known", hint="give shapes with --shape")
    own = b.shape_of(x)
    rank = x.rank
    if length > rank:
        own = b.op("ConcatV2", own, b.constant([1] * (length - rank), INT64), 0)
    own = b.op("StridedSlice", own, [0], [length], [1]) if length < rank else own
    zero = b.op("Equal", wanted, b.constant(0, INT64))
    return b.reshape(x, b.op("SelectV2", zero, own, wanted))


@lowers("Flatten", 1, 9, 11, 13, 21, 23, 24, 25)
def flatten(b: Builder, node: Source) -> Operand:
    """Two dimensions: those before the axis, and those from it on."""
    x = node[0]
    axis = node.integer("axis", 1)
    lying = flattened(b, x) if axis == 1 and x.rank > 2 else None
    if lying is not None:
        return lying
    axis = axis + x.rank if axis < 0 else axis
    before, after = product(x.dims[:axis]), product(x.dims[axis:])
    if isinstance(after, int):
        made = b.reshape(x, [-1 if after else before if isinstance(before, int) else 0, after])
    elif isinstance(before, int):
        made = b.reshape(x, [before, -1])
    else:
        dims = b.shape_of(x)
        rows = b.op("Prod", b.op("StridedSlice", dims, [0], [axis], [1]), 0, keep_dims=True)
        made = b.reshape(x, b.op("ConcatV2", rows, b.constant([-1], INT64), 0))
    return _with_dims(b, made, [before, after])


@lowers("Squeeze", 1, *ALL[1:])
def squeeze(b: Builder, node: Source) -> Operand:
    """Without the named dimensions, or all of length 1."""
    x = node[0]
    if node.has(1) and node[1].numbers is None:
        return _squeezed_by_computed(b, b.plain(x), node[1])
    axes = node.axes(x.rank)
    if axes is None:
        if any(not isinstance(dim, int) for dim in x.dims):
            raise LoweringError("it takes out all dimensions of length 1, and not all are known", hint="give --shape")
        axes = [axis for axis, dim in enumerate(x.dims) if dim == 1]
    if x.is_constant:
        return b.reshape(x, [dim for axis, dim in enumerate(x.static()) if axis not in axes])
    if x.order is None:
        return b.squeeze(x, axes)
    made = b.squeeze(as_plain(x), sorted(x.order.index(axis) for axis in axes))
    rest = [axis for axis in x.order if axis not in axes]
    return as_ordered(made, tuple(sorted(rest).index(axis) for axis in rest))


def _named(b: Builder, axes: Operand, rank: int) -> Operand:
    """Return, for each of some axes, whether it is among those that are computed when the model runs."""
    if not isinstance(axes.dims[0], int):
        raise LoweringError("the number of its axes is not known")
    places = b.op("ExpandDims", b.op("FloorMod", axes, b.constant(rank, axes.dtype)), 1)
    none = b.constant([False] * rank)
    return b.op("TensorScatterUpdate", none, places, b.constant([True] * axes.dims[0]))


def _squeezed_by_computed(b: Builder, x: Operand, axes: Operand) -> Operand:
    kept = b.op("LogicalNot", _named(b, axes, x.rank))
    dims = b.op("GatherV2", b.shape_of(x), b.reshape(b.op("Where", kept), [-1]), 0)
    return _of_rank(b, b.reshape(x, dims), x.rank - int(axes.static()[0]))


def _expanded_by_computed(b: Builder, x: Operand, axes: Operand) -> Operand:
    rank = x.rank + int(axes.static()[0])
    places = b.op("Where", b.op("LogicalNot", _named(b, axes, rank)))
    dims = b.op("TensorScatterUpdate", b.constant([1] * rank, INT64), places, b.shape_of(x))
    return _of_rank(b, b.reshape(x, dims), rank)


def _of_rank(b: Builder, made: Operand, rank: int) -> Operand:
    """Return an operand of which the rank is known at least."""
    if made.value is None or made.fact.dims is not None:
        return made
    return b.learn(made.value, Fact(tuple(b.session.new_symbol() for _ in range(rank)), dtype=made.fact.dtype))


@lowers("Unsqueeze", 1, *ALL[1:])
def unsqueeze(b: Builder, node: Source) -> Operand:
    """With dimensions of length 1 at places of the result."""
    x = node[0]
    if node.has(1) and node[1].numbers is None:
        return _expanded_by_computed(b, b.plain(x), node[1])
    given = node.maybe_known(1, "axes") or []
    axes = [normal_axis(axis, x.rank + len(given)) for axis in given]
    return b.expand(x, axes)


@lowers("Transpose", 1, 13, 21, 23, 24, 25)
def transpose(b: Builder, node: Source) -> Operand:
    """Another order of axes, by default the reverse; it is put together with the order in which they lie."""
    x = node[0]
    perm = node.ints("perm") or list(reversed(range(x.rank)))
    if sorted(perm) != list(range(x.rank)):
        raise LoweringError(f"{perm} is no order of {x.rank} axes")
    if x.order is not None:
        order = tuple(perm.index(axis) for axis in x.order)
        if list(order) == sorted(order):
            return Operand(x.value, x.fact, tensor=x.tensor, name=x.name)
        return Operand(x.value, x.fact, tensor=x.tensor, order=order, name=x.name)
    return b.transpose(x, perm)


@lowers("Concat", 4, 11, 13)
def concat(b: Builder, node: Source) -> Operand:
    """Operands one behind the other along an axis."""
    from graphsurgeon.lowering.types import raw

    operands = node.all()
    rank = next((x.rank for x in operands if x.known_dims is not None), None)
    if rank is None:
        axis = node.integer("axis", 1)
        return b.op("ConcatV2", *operands, axis) if len(operands) > 1 else operands[0]
    axis = node.axis(rank, 1)
    if len(operands) == 1:
        return operands[0]
    order = next((x.order for x in operands if x.order is not None), None)
    if order is None:
        return b.op("ConcatV2", *operands, axis)
    lying = [raw(b.ordered(x, order)) for x in operands]
    made = b.op("ConcatV2", *lying, order.index(axis))
    return Operand(made.value, made.fact, tensor=made.tensor, order=order)


@lowers("Split", 2, 11, 13, 18)
def split(b: Builder, node: Source) -> list[Operand | None]:
    """Parts of given lengths, or equal ones, of which the last may be shorter from version 18 on."""
    x = node[0]
    axis = node.axis(x.rank, 0)
    count = node.num_outputs
    if node.has(1) and node[1].numbers is None:
        return list(b.ops("SplitV", b.plain(x), node[1], axis, num_split=count))
    lengths = node.maybe_known(1, "split")
    if lengths is None:
        length = x.dims[axis]
        if isinstance(length, int) and length % count:
            each = -(-length // count)
            lengths = [each] * (count - 1) + [length - each * (count - 1)]
            if lengths[-1] < 0:
                raise LoweringError(f"{length} cannot be split into {count} parts")
    return list(split_at(b, x, axis, lengths, count))


def split_at(b: Builder, x: Operand, axis: int, lengths: list[int] | None, count: int) -> list[Operand]:
    """Return parts along an axis, its place in the source."""
    from graphsurgeon.lowering.types import ordered_like, raw

    place = axis if x.order is None else x.order.index(axis)
    if count == 1:
        return [x]
    if lengths is None or len(set(lengths)) == 1:
        found = b.ops("Split", place, raw(x), num_split=count)
    else:
        found = b.ops("SplitV", raw(x), lengths, place, num_split=count)
    return [ordered_like(x, one) for one in found]


@lowers("Tile", 6, 13)
def tile(b: Builder, node: Source) -> Operand:
    """Repeated along each axis."""
    return b.op("Tile", node[0], node[1])


@lowers("Expand", 8, 13)
def expand(b: Builder, node: Source) -> Operand:
    """Broadcast to a shape, which broadcasts to the input's shape as well."""
    x, wanted = node[0], node[1]
    numbers, dims = wanted.numbers, x.known_dims
    if numbers is not None and (not numbers or set(numbers) == {1}) and dims is not None and len(numbers) <= len(dims):
        return x
    if numbers is not None and dims is not None and all(isinstance(dim, int) for dim in dims):
        target = _broadcast(x.static(), [int(number) for number in numbers])
        if x.tensor is not None and x.size == 1 and len(target) <= 8:
            return Operand.constant(weights.filled(x.tensor, target))
        return b.op("BroadcastTo", x, b.constant(target, INT64) if target else wanted)
    return b.op("BroadcastTo", x, b.op("BroadcastArgs", b.shape_of(x), wanted))


def _broadcast(first: Sequence[int], second: Sequence[int]) -> list[int]:
    rank = max(len(first), len(second))
    one, other = ([1] * (rank - len(dims)) + list(dims) for dims in (first, second))
    for a, c in zip(one, other, strict=True):
        if a != c and 1 not in (a, c):
            raise LoweringError(f"shapes {list(first)} and {list(second)} do not broadcast")
    return [c if a == 1 else a for a, c in zip(one, other, strict=True)]


@lowers("ConstantOfShape", 9, 20, 21, 23, 24, 25)
def constant_of_shape(b: Builder, node: Source) -> Operand:
    """One value in a shape; float32 zero by default."""
    value = node.tensor("value")
    one = Tensor(value.dtype, b.constant(0.0).fact.shape, value.source) if value is not None else None
    fill = Operand.constant(one) if one is not None else b.constant(0.0)
    return b.op("Fill", node[0], fill)


@lowers("Cast", 6, 9, 13, 19, 21, 23, 24, 25, 28)
def cast(b: Builder, node: Source) -> Operand:
    """Another type; to bool whether it is not 0."""
    dtype = node.dtype("to")
    if dtype is None:
        raise LoweringError("its attribute `to` names no type")
    return casted(b, node[0], dtype)


@lowers("CastLike", 15, 19, 21, 23, 24, 25)
def cast_like(b: Builder, node: Source) -> Operand:
    """The type of the second input."""
    return casted(b, node[0], node[1].dtype)


_FLOAT8 = {"float8_e4m3fn": 448.0, "float8_e5m2": 57344.0}


def casted(b: Builder, x: Operand, dtype: DType) -> Operand:
    """Return a value in another type, strings as ONNX writes them."""
    if not (is_held(dtype) and is_held(x.dtype)):
        raise LoweringError(f"TensorFlow has no type {x.dtype if is_held(dtype) else dtype}")
    if dtype.is_small_integer or x.dtype.is_small_integer:
        raise LoweringError(f"TensorFlow computes with no {dtype if dtype.is_small_integer else x.dtype}")
    if x.dtype is dtype:
        return x
    if STRING in (dtype, x.dtype):
        return _through_text(b, x, dtype)
    most = _FLOAT8.get(dtype.name)
    if most is not None:
        raise LoweringError(f"a cast to {dtype}, which saturates in ONNX and not in TensorFlow")
    return cast_to(b, x, dtype)


def _through_text(b: Builder, x: Operand, dtype: DType) -> Operand:
    if dtype is STRING:
        if x.dtype.is_floating:
            raise LoweringError("a cast of floating-point numbers to strings, whose digits differ")
        if x.dtype.name == "bool":
            raise LoweringError("a cast of bool to strings")
        return b.op("AsString", x)
    if dtype.name in ("float32", "float64", "int32", "int64"):
        return b.op("StringToNumber", x, out_type=dtype)
    if dtype.is_floating:
        return b.cast(b.op("StringToNumber", x, out_type=b.constant(0.0).dtype), dtype)
    return b.cast(b.op("StringToNumber", x, out_type=INT64), dtype)


@lowers("Range", 11, 27)
def range_(b: Builder, node: Source) -> Operand:
    """Numbers from start to limit."""
    from graphsurgeon.lowering.types import computed_as

    ends = [b.reshape(x, []) for x in node.all()]
    return computed_as(b, "Range", lambda *given: b.op("Range", *given), *ends)


@lowers("EyeLike", 9, 22)
def eye_like(b: Builder, node: Source) -> Operand:
    """Ones on a diagonal of a matrix of the input's shape."""
    x, k = node[0], node.integer("k")
    dtype = node.dtype("dtype") or x.dtype
    dims = b.shape_of(x)
    rows = b.op("Range", b.constant(0, INT64), b.op("StridedSlice", dims, [0], [1], [1], shrink_axis_mask=1), 1)
    columns = b.op("Range", b.constant(0, INT64), b.op("StridedSlice", dims, [1], [2], [1], shrink_axis_mask=1), 1)
    moved = b.op("AddV2", b.op("ExpandDims", rows, 1), b.constant(k, INT64))
    return b.cast(b.op("Equal", moved, columns), dtype)


@lowers("Trilu", 14)
def trilu(b: Builder, node: Source) -> Operand:
    """The upper or lower triangle, zeros elsewhere."""
    x = node[0]
    k = node.get(1)
    shift = b.reshape(k, []) if k is not None else b.constant(0, INT64)
    rank = x.rank
    dims = b.shape_of(x)

    def count(place: int) -> Operand:
        size = b.op("StridedSlice", dims, [place], [place + 1], [1], shrink_axis_mask=1)
        return b.op("Range", b.constant(0, INT64), size, b.constant(1, INT64))

    rows, columns = b.op("ExpandDims", count(rank - 2), 1), count(rank - 1)
    ahead = b.op("Sub", columns, rows)
    kept = b.op("GreaterEqual" if node.flag("upper", True) else "LessEqual", ahead, shift)
    return b.op("SelectV2", kept, x, b.constant(0 if x.dtype.name != "bool" else False, x.dtype))
