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
