"""Sequences of tensors that are known while lowering: no op of TensorFlow is needed. Source: the operators' pages."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.families.shapes import split_at
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source, normal_axis
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.model.dtype import INT64
from graphsurgeon.shapes.fact import Fact


def _of(parts: Sequence[Operand]) -> Operand:
    return Operand(None, Fact(), parts=list(parts))


def _parts(node: Source) -> list[Operand]:
    found = node.get(0)
    if found is None or found.parts is None:
        raise LoweringError("its input is no sequence that is known")
    return list(found.parts)


def _place(node: Source, index: int, count: int, *, default: int) -> int:
    """Return a position, counted from the front; the end is one for what is inserted."""
    if not node.has(index):
        return default
    [place] = node.known(index, "position")
    return normal_axis(place, count)


@lowers("SequenceConstruct", 11)
def construct(b: Builder, node: Source) -> Operand:
    """Of tensors."""
    return _of(node.all())


@lowers("SequenceEmpty", 11)
def empty(b: Builder, node: Source) -> Operand:
    """Without any."""
    return _of(())


@lowers("SequenceAt", 11)
def at(b: Builder, node: Source) -> Operand:
    """One of them."""
    parts = _parts(node)
    return parts[_place(node, 1, len(parts), default=0)]


@lowers("SequenceInsert", 11)
def insert(b: Builder, node: Source) -> Operand:
    """One more, at the end by default."""
    parts = _parts(node)
    place = _place(node, 2, len(parts) + 1, default=len(parts))
    if node.has(2) and node.known(2, "position")[0] < 0:
        place -= 1
    return _of([*parts[:place], node[1], *parts[place:]])


@lowers("SequenceErase", 11)
def erase(b: Builder, node: Source) -> Operand:
    """One less, the last by default."""
    parts = _parts(node)
    place = _place(node, 1, len(parts), default=len(parts) - 1)
    return _of([*parts[:place], *parts[place + 1 :]])


@lowers("SequenceLength", 11)
def length(b: Builder, node: Source) -> Operand:
    """How many there are."""
    return b.constant(len(_parts(node)), INT64)


@lowers("ConcatFromSequence", 11)
def concat(b: Builder, node: Source) -> Operand:
    """Joined along an axis, or along a new one."""
    parts = _parts(node)
    if not parts:
        raise LoweringError("a sequence of nothing is joined")
    if node.flag("new_axis"):
        return b.op("Pack", *parts, axis=node.axis(parts[0].rank + 1, 0))
    return b.op("ConcatV2", *parts, node.axis(parts[0].rank, 0)) if len(parts) > 1 else parts[0]


@lowers("SplitToSequence", 11, 24)
def split(b: Builder, node: Source) -> Operand:
    """Parts along an axis: of given lengths, of one length, or of length 1."""
    x = b.plain(node[0])
    axis = node.axis(x.rank, 0)
    side = x.dims[axis]
    if node.has(1) and node[1].rank == 1:
        lengths = node.known(1, "lengths")
        return _of(split_at(b, x, axis, lengths, len(lengths)))
    if not isinstance(side, int) or side > 1024:
        raise LoweringError("the number of its parts is not known", hint="give shapes with --shape")
    [each] = node.known(1, "length") if node.has(1) else [1]
    lengths = [min(each, side - start) for start in range(0, side, max(each, 1))]
    parts = split_at(b, x, axis, lengths, len(lengths))
    if node.has(1) or node.flag("keepdims", True):
        return _of(parts)
    return _of([b.squeeze(part, [axis]) for part in parts])
