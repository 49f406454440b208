"""Reductions along axes, in whichever order these lie. Source: the pages of the operators."""

from __future__ import annotations

from collections.abc import Callable

from graphsurgeon.lowering.builder import Builder, as_ordered, as_plain
from graphsurgeon.lowering.layout import each
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, LoweringFn, lowers
from graphsurgeon.lowering.types import computed_as
from graphsurgeon.model.dtype import BOOL, INT32, INT64

_OLD = (1, 11, 13)  # axes are an attribute, and an input from 18 on (13 for ReduceSum)


def reduced_axes(node: Source, x: Operand) -> list[int] | None:
    """Return the axes that a node reduces, counted from the front; None where it reduces none."""
    axes = node.axes(x.rank)
    if axes:
        return axes
    return None if node.flag("noop_with_empty_axes") else list(range(x.rank))


def reduce(b: Builder, op: str, x: Operand, axes: list[int], *, keep: bool) -> Operand:
    """Add a reduction over axes of the source, without bringing the operand back to its order."""
    if not axes:
        return x
    if x.order is None:
        return b.op(op, x, sorted(axes), keep_dims=keep)
    lying = [x.order.index(axis) for axis in axes]
    made = b.op(op, as_plain(x), sorted(lying), keep_dims=keep)
    if keep:
        return as_ordered(made, x.order)
    rest = [axis for axis in x.order if axis not in axes]
    ranked = sorted(rest)
    return as_ordered(made, tuple(ranked.index(axis) for axis in rest))


def _reduction(op: str, before: Callable[[Builder, Operand], Operand] | None = None, after: str = "") -> LoweringFn:
    def function(b: Builder, node: Source) -> Operand:
        x = node[0]
        keep = node.flag("keepdims", True)
        if node.inputs[1:] and node[1].numbers is None and node[1].dims != (0,):
            return _by_computed_axes(b, node, op, before, after)
        axes = reduced_axes(node, x)
        prepared = before(b, x) if before is not None else x
        if axes is None:
            return _root(b, after, prepared)
        if x.dtype is BOOL:
            return reduce(b, {"Max": "Any", "Min": "All"}.get(op, op), x, axes, keep=keep)
        found = computed_as(b, op, lambda part: reduce(b, op, part, axes, keep=keep), prepared)
        return _root(b, after, found)

    return function


def _by_computed_axes(
    b: Builder, node: Source, op: str, before: Callable[[Builder, Operand], Operand] | None, after: str
) -> Operand:
    """Reduce over axes that are computed when the model runs; how many there are must be known."""
    x, axes = b.plain(node[0]), node[1]
    keep = node.flag("keepdims", True)
    count = axes.dims[0] if axes.rank == 1 else None
    if not isinstance(count, int) and not keep:
        raise LoweringError("the number of its axes is computed when the model runs")
    prepared = before(b, x) if before is not None else x
    op = {"Max": "Any", "Min": "All"}.get(op, op) if x.dtype is BOOL else op
    rank = x.rank
    counted = b.op("FloorMod", axes, b.constant(rank, INT64))
    if not isinstance(count, int) and not node.flag("noop_with_empty_axes"):
        size = b.op("Size", axes, out_type=INT64)
        every = b.op("Range", b.constant(0, INT64), b.constant(rank, INT64), b.constant(1, INT64))
        empty = b.op("Equal", size, b.constant(0, INT64))
        length = b.op("SelectV2", empty, b.constant(rank, INT64), b.constant(0, INT64))
        counted = b.op("ConcatV2", counted, b.op("Slice", every, [0], b.op("ExpandDims", b.cast(length, INT32), 0)), 0)
    return _root(b, after, b.op(op, prepared, counted, keep_dims=keep))


def _root(b: Builder, op: str, x: Operand) -> Operand:
    return each(b, op, x) if op else x


def _elementwise(op: str) -> Callable[[Builder, Operand], Operand]:
    return lambda b, x: computed_as(b, op, lambda part: each(b, op, part), x)


lowers("ReduceSum", *_OLD)(_reduction("Sum"))
lowers("ReduceMean", *_OLD, 18)(_reduction("Mean"))
lowers("ReduceProd", *_OLD, 18)(_reduction("Prod"))
lowers("ReduceMax", *_OLD, 12, 18, 20)(_reduction("Max"))
lowers("ReduceMin", *_OLD, 12, 18, 20)(_reduction("Min"))
lowers("ReduceL1", *_OLD, 18)(_reduction("Sum", _elementwise("Abs")))
lowers("ReduceL2", *_OLD, 18)(_reduction("Sum", _elementwise("Square"), "Sqrt"))
lowers("ReduceSumSquare", *_OLD, 18)(_reduction("Sum", _elementwise("Square")))
lowers("ReduceLogSum", *_OLD, 18, 28)(_reduction("Sum", None, "Log"))


@lowers("ReduceLogSumExp", *_OLD, 18, 28)
def log_sum_exp(b: Builder, node: Source) -> Operand:
    """The logarithm of the sum of exponentials, the largest taken out so that none overflows."""
    x, keep = node[0], node.flag("keepdims", True)
    if node.inputs[1:] and node[1].numbers is None and node[1].dims != (0,):
        return _reduction("Sum", _elementwise("Exp"), "Log")(b, node)  # type: ignore[return-value]
    axes = reduced_axes(node, x)
    if axes is None:
        return x
    top = reduce(b, "Max", x, axes, keep=True)
    finite = each(b, "SelectV2", each(b, "IsFinite", top), top, each(b, "ZerosLike", top))
    total = reduce(b, "Sum", each(b, "Exp", each(b, "Sub", x, finite)), axes, keep=True)
    found = each(b, "AddV2", each(b, "Log", total), finite)
    return found if keep else b.squeeze(b.plain(found), axes)


@lowers("ArgMax", *_OLD, 12)
@lowers("ArgMin", *_OLD, 12)
def arg_extreme(b: Builder, node: Source) -> Operand:
    """Where the largest or smallest is along an axis: the first place, or the last one."""
    x = node[0]
    op = node.node.op
    axis = node.axis(x.rank, 0)
    lying = axis if x.order is None else x.order.index(axis)
    if node.flag("select_last_index"):
        length = b.op(
            "StridedSlice", b.op("Shape", as_plain(x), out_type=INT64), [lying], [lying + 1], [1], shrink_axis_mask=1
        )
        turned = b.op("ReverseV2", as_plain(x), [lying])
        place = b.op("Sub", b.op("Sub", length, b.constant(1, INT64)), b.op(op, turned, lying, output_type=INT64))
    else:
        place = b.op(op, as_plain(x), lying, output_type=INT64)
    rest = [other for other in (x.order or tuple(range(x.rank))) if other != axis]
    ranked = sorted(rest)
    found = as_ordered(place, tuple(ranked.index(other) for other in rest))
    return b.expand(found if found.order is None else b.plain(found), [axis]) if node.flag("keepdims", True) else found
