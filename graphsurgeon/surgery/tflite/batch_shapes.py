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


def batch_shape(source: Value, sizes: Sequence[int], base: str, axis: int = 0) -> Value:
    """Return a shape that has the batch along an axis as a tensor, computed.

    Args:
        source: a tensor whose first dimension is the batch.
        sizes: the shape for one example.
        base: begins the names of new tensors.
        axis: the dimension that is the batch.
    """
    graph, before, rest = source.graph, list(sizes[:axis]), list(sizes[axis + 1 :])
    rank = source.shape.rank if source.shape is not None else None
    whole = _new(graph, "SHAPE", [source], f"{base}_of", rank or 1)
    whole.producer.attrs["out_type"] = INT32  # type: ignore[union-attr]
    if rank == len(sizes) == 1:
        return whole
    ends = [numbers(graph, f"{base}_{what}", [item]) for what, item in (("begin", 0), ("end", 1), ("step", 1))]
    first = _new(graph, "STRIDED_SLICE", [whole, *ends], f"{base}_first", 1)
    front = [numbers(graph, f"{base}_before", before)] if before else []
    behind = [numbers(graph, f"{base}_rest", rest)] if rest else []
    if not front and not behind:
        return first
    return _new(graph, "CONCATENATION", [*front, first, *behind], base, len(sizes))


def broadcast(value: Value, source: Value, axis: int = 0) -> Value:
    """Return a tensor that repeats what another yields for one example as often as there are examples.

    Args:
        value: of a shape that is known, 1 along the axis.
        source: a tensor whose first dimension is the batch.
        axis: the dimension that becomes the batch.
    """
    graph, dims = value.graph, [dim or 1 for dim in (value.shape.dims if value.shape is not None else None) or ()]
    base = f"{value.name or f'tensor_{value.port}'}/batch"
    shape = batch_shape(source, dims, f"{base}_shape", axis)
    assert value.dtype is not None
    repeated = graph.add_value(free_name(graph, base), value.dtype, Shape(dims))
    repeated.extra = {key: item for key, item in (value.extra or {}).items() if key == "quantization"} or None
    graph.add_node("BROADCAST_TO", "", [value, shape]).set_outputs([repeated])
    return repeated


def settle(shape: Value) -> None:
    """Make a computed shape a constant, where what is made of that shape has one that is known."""
    graph = shape.graph
    (user,) = shape.consumers
    made = user.outputs[0].shape
    dims = [dim for dim in (made.dims if made is not None else None) or () if dim is not None]
    if shape.shape != Shape([len(dims)]):
        return
    chain = [shape.producer]
    while chain[-1] is not None and chain[-1].op != "SHAPE":
        chain.append(next(value.producer for value in chain[-1].inputs if value.producer is not None))
    nodes = [node for node in chain if node is not None]
    gone = [value for node in nodes for value in (*node.outputs, *node.inputs) if value is not nodes[-1].inputs[0]]
    known = numbers(graph, f"{shape.name}_known", dims)
    user.inputs = [known if value is shape else value for value in user.inputs]
    graph.take_out(nodes)
    graph.remove_values(dict.fromkeys(gone))


def _new(graph: Graph, op: str, inputs: Sequence[Value], base: str, size: int) -> Value:
    value = graph.add_value(free_name(graph, base), INT32, Shape([size]))
    node: Node = graph.add_node(op, "", list(inputs))
    node.set_outputs([value])
    return value
