"""Recurrent layers: sequence, batch, then features; the directions come second in the output."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes.dims import Dim, Dims
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.onnx.registry import shape_fn


@shape_fn("GRU", "LSTM", "RNN")
def recurrent(context: OnnxContext) -> Sequence[Fact]:
    """Give the outputs of all steps, then the last state, or two of them."""
    first, second, _ = context.with_rank(0, 3)
    directions = 2 if context.text_attr("direction", "forward") == "bidirectional" else 1
    recurrence = context.dims(2)
    hidden: Dim = context.integer_attr("hidden_size") or (
        recurrence[2] if recurrence and len(recurrence) == 3 else None
    )
    dtype = context.dtype(0)
    is_batch_first = bool(context.integer_attr("layout"))
    outputs: Dims = (first, second, directions, hidden) if is_batch_first else (first, directions, second, hidden)
    state: Dims = (first, directions, hidden) if is_batch_first else (directions, second, hidden)
    return [Fact(outputs, dtype=dtype), Fact(state, dtype=dtype), Fact(state, dtype=dtype)][: context.num_outputs]
