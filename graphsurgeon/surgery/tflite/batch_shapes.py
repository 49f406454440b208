"""Shapes whose first dimension is the batch, as operators of a TFLite subgraph read them: constants, or computed.

A computed one is `SHAPE`, `STRIDED_SLICE` and `CONCATENATION`: these are evaluated while tensors are allocated, so what
follows has its shape before the model runs; `PACK` is not (LiteRT, `SetTensorToPersistentRo` in `kernels/*.cc`).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.dtype import INT32
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor


def numbers(graph: Graph, base: str, items: Sequence[int]) -> Value:
    """Add a list of integers, under a name of its own: others may read the one that an operator had."""
    shape = Shape([len(items)])
    return graph.add_value(free_name(graph, base), INT32, shape, Tensor.of(INT32, [len(items)], list(items)))


def free_name(graph: Graph, base: str) -> str:
    """Return a name that no tensor of a subgraph has."""
    taken = {value.name for value in graph.values}
    return next(name for n in range(len(taken) + 1) if (name := f"{base}_{n}" if n else base) not in taken)


def batch_shape(source: Value, batch: int | None, rest: Sequence[int], base: str) -> Value:
    """Return a shape `[batch, *rest]` as a tensor.

    Args:
        source: a tensor whose first dimension is the batch.
        batch: its size; None has it computed from `source`.
        rest: the other sizes.
        base: begins the names of new tensors.
    """
    graph = source.graph
    if batch is not None:
        return numbers(graph, base, [batch, *rest])
    rank = source.shape.rank if source.shape is not None else None
    sizes = _new(graph, "SHAPE", [source], f"{base}_of", rank or 1)
    sizes.producer.attrs["out_type"] = INT32  # type: ignore[union-attr]
    if rank == 1 and not rest:
        return sizes
    ends = [numbers(graph, f"{base}_{what}", [item]) for what, item in (("begin", 0), ("end", 1), ("step", 1))]
    first = _new(graph, "STRIDED_SLICE", [sizes, *ends], f"{base}_first", 1)
    if not rest:
        return first
    return _new(graph, "CONCATENATION", [first, numbers(graph, f"{base}_rest", rest)], base, 1 + len(rest))


def broadcast(value: Value, source: Value, batch: int | None) -> Value:
    """Return a tensor that repeats what another yields for one example as often as there are examples.

    Args:
        value: of shape `[1, ...]`, all known.
        source: a tensor whose first dimension is the batch.
        batch: its size; None has it computed.
    """
    graph, dims = value.graph, [dim or 1 for dim in (value.shape.dims if value.shape is not None else None) or ()]
    base = f"{value.name or f'tensor_{value.port}'}/batch"
    shape = batch_shape(source, batch, dims[1:], f"{base}_shape")
    assert value.dtype is not None
    repeated = graph.add_value(free_name(graph, base), value.dtype, Shape([batch or 1, *dims[1:]]))
    repeated.extra = {key: item for key, item in (value.extra or {}).items() if key == "quantization"} or None
    graph.add_node("BROADCAST_TO", "", [value, shape]).set_outputs([repeated])
    return repeated


def _new(graph: Graph, op: str, inputs: Sequence[Value], base: str, size: int) -> Value:
    value = graph.add_value(free_name(graph, base), INT32, Shape([size]))
    node: Node = graph.add_node(op, "", list(inputs))
    node.set_outputs([value])
    return value
