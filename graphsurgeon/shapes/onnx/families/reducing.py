"""Ops that combine the elements along axes."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.onnx.registry import shape_fn


@shape_fn(
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
def reduce(context: OnnxContext) -> Sequence[Fact]:
    """Combine along the axes, by default along all; kept as 1 unless `keepdims` is 0."""
    dims, dtype = context.dims(0), context.dtype(0)
    keeps = bool(context.integer_attr("keepdims", 1))
    axes = reduced_axes(context)
    if dims is None:
        return [Fact(() if axes == [] and not keeps else None, dtype=dtype)]
    if axes is None:
        return [Fact(dim.unknown(len(dims)) if keeps else None, dtype=dtype)]
    if not axes and context.integer_attr("noop_with_empty_axes"):
        return [Fact(dims, dtype=dtype)]
    gone = set(dim.normal_axes(axes, len(dims)) if axes else range(len(dims)))
    if keeps:
        return [Fact(tuple(1 if axis in gone else size for axis, size in enumerate(dims)), dtype=dtype)]
    return [Fact(tuple(size for axis, size in enumerate(dims) if axis not in gone), dtype=dtype)]


def reduced_axes(context: OnnxContext) -> list[int] | None:
    """Return the axes as given, empty where none are, None where they are not known."""
    return [] if context.leaves_out(1, "axes") else context.ints(1, "axes")
