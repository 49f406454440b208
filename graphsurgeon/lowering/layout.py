"""Axes: channels stand first in ONNX and last in TensorFlow, so what an op yields may lie in another order.

A spatial op takes its input with the channels last, and its output stays so: an Operand says which axis is where
(`order`). What comes behind takes the axes as they lie if it can, and so moves the transpose behind itself; a
Transpose is added where somebody needs the source's order (`Builder.plain`), once for each value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphsurgeon.lowering import weights
from graphsurgeon.lowering.builder import Builder, as_ordered, as_plain
from graphsurgeon.lowering.operand import Operand, Order
from graphsurgeon.shapes.fact import Fact


def channels_last(rank: int) -> Order:
    """Return the order of axes with the channels, axis 1, behind all others."""
    return (0, *range(2, rank), 1)


def each(b: Builder, op: str, *operands: Any, **attrs: Any) -> Operand:
    """Add a node that works element by element on operands that broadcast, in whichever order their axes lie."""
    given, order = aligned(b, [b.operand(item) if isinstance(item, Operand) else item for item in operands])
    return as_ordered(b.op(op, *given, **attrs), order)


def each_by(b: Builder, function: Callable[..., Operand], *operands: Operand) -> Operand:
    """Return what a function makes of operands that broadcast, when it works on them element by element.

    Args:
        b: the builder.
        function: takes the operands, as they lie with their axes alike, and returns one of their shape.
        operands: in any order of axes.
    """
    given, order = aligned(b, list(operands))
    return as_ordered(function(*given), order)


def aligned(b: Builder, operands: Sequence[Any]) -> tuple[list[Any], Order | None]:
    """Return operands that broadcast, with their axes lying alike, and in which order the result's axes lie."""
    known = [item for item in operands if isinstance(item, Operand)]
    ranks = [None if item.known_dims is None else len(item.known_dims) for item in known]
    if all(item.order is None for item in known) or None in ranks:
        return [b.plain(item) if isinstance(item, Operand) else item for item in operands], None
    rank = max(rank for rank in ranks if rank is not None)
    order = next((item.order for item in known if item.order is not None and len(item.order) == rank), None)
    if order is None:
        return [b.plain(item) if isinstance(item, Operand) else item for item in operands], None
    return [_in_order(b, item, order) if isinstance(item, Operand) else item for item in operands], order


def _in_order(b: Builder, operand: Operand, order: Order) -> Operand:
    if operand.order == order or (operand.order is None and _is_single(operand)):
        return as_plain(operand) if not operand.is_constant else _flat(b, operand)
    plain = b.plain(operand)
    missing = len(order) - plain.rank
    if plain.tensor is not None and plain.value is None:
        dims = [1] * missing + [dim or 0 for dim in plain.tensor.shape]
        return _flat(b, b.transpose(Operand.constant(weights.reshaped(plain.tensor, dims), plain.name), order))
    if missing:
        plain = b.expand(plain, list(range(missing)))
    return as_plain(b.ordered(plain, order))


def _is_single(operand: Operand) -> bool:
    """Say whether an operand has one element, so that its axes do not matter."""
    return operand.size == 1


def _flat(b: Builder, operand: Operand) -> Operand:
    """Return a constant without the leading axes of length 1, which broadcasting adds again."""
    if operand.tensor is None or operand.value is not None:
        return operand
    dims = [dim or 0 for dim in operand.tensor.shape]
    while dims and dims[0] == 1:
        dims = dims[1:]
    return Operand.constant(weights.reshaped(operand.tensor, dims), operand.name)


def last(b: Builder, operand: Operand) -> Operand:
    """Return an operand as it lies with the channels last."""
    return as_plain(b.ordered(operand, channels_last(operand.rank)))


def from_last(operand: Operand) -> Operand:
    """Return the operand of the source that lies with the channels last."""
    assert operand.fact.dims is not None
    return as_ordered(operand, channels_last(len(operand.fact.dims)))


def mapped(operand: Operand, axis: int) -> int:
    """Return where an axis of the source, counted from the front, lies."""
    return axis if operand.order is None else operand.order.index(axis)


def flattened(b: Builder, operand: Operand) -> Operand | None:
    """Return `[batch, rest]` of an operand as it lies with the channels last; None where that is not known to be one.

    The elements of the rest are in another order than the source's: see `Operand.before`.
    """
    rank = operand.rank
    if operand.order != channels_last(rank) or operand.value is None:
        return None
    dims = operand.dims
    sides = [dim for dim in dims[1:] if isinstance(dim, int)]
    if len(sides) != rank - 1:
        return None
    size = 1
    for side in sides:
        size *= side
    made = b.reshape(as_plain(operand), [dims[0] if isinstance(dims[0], int) else -1, size])
    fact = Fact((dims[0], size), dtype=made.fact.dtype)
    moves = sum(side != 1 for side in sides[1:]) and sides[0] != 1
    assert made.value is not None
    made = b.learn(made.value, fact)
    return Operand(made.value, made.fact, before=operand if moves else None)


def permuted_rows(weight: Operand, before: Operand, *, axis: int) -> Operand | None:
    """Return a matrix whose rows (columns, with axis 1) fit what was flattened with the channels last."""
    if weight.tensor is None:
        return None
    channels, *sides = before.static_from(1)
    rows, columns = weight.static()
    order = [*range(1, len(sides) + 1), 0]

    def permute(array: Any) -> Any:
        lying = array if axis == 0 else array.T
        count = lying.shape[1]
        found = lying.reshape([channels, *sides, count]).transpose([*order, len(order)]).reshape(lying.shape)
        return found if axis == 0 else found.T

    return Operand.constant(weights.mapped(weight.tensor, [rows, columns], permute), weight.name)


def split_or_joined(b: Builder, operand: Operand, dims: Sequence[Any]) -> Operand | None:
    """Return an operand that lies with the channels last in a shape that splits or joins channels, or joins sides.

    As the shuffle of channels and the way into attention do; None for other shapes, and where sides are not known.

    Args:
        b: the builder.
        operand: in some order of axes.
        dims: the shape that is wanted, in the source's order.
    """
    own = list(operand.dims)
    rank, wanted = len(own), len(dims)
    if operand.order is None or operand.value is None or not _agree(own[0], dims[0]):
        return None
    if wanted == rank + 1 and own[2:] == list(dims[3:]) and operand.order == channels_last(rank):
        order = (0, *range(3, wanted), 1, 2)
        lying = operand
    elif wanted == rank - 1 and rank > 3 and own[3:] == list(dims[2:]):
        lying, order = b.ordered(operand, (0, *range(3, rank), 1, 2)), channels_last(wanted)
    elif wanted == 3 and rank > 3 and own[1] == dims[1] and operand.order == channels_last(rank):
        lying, order = operand, channels_last(3)
    else:
        return None
    target = [dims[axis] for axis in order]
    open_ = [dim for dim in target if not isinstance(dim, int)]
    if len(open_) > 1:
        return None
    made = b.reshape(as_plain(lying), [dim if isinstance(dim, int) else -1 for dim in target])
    if made.value is not None and None not in target:
        made = b.learn(made.value, Fact(tuple(target), dtype=made.fact.dtype))
    return as_ordered(made, order)


def _agree(own: Any, wanted: Any) -> bool:
    return own == wanted and own is not None
