"""Weights of a file of their own put into a network of MXNet or Caffe, in place of those beside it."""

from __future__ import annotations

from graphsurgeon.errors import UsageError
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor


def bind(model: Model, weights: Model) -> None:
    """Give the layers of a network the weights of another file, by name.

    Args:
        model: the network; its graphs are changed.
        weights: arrays by name, as of a `.params`; or a net whose layers have weights, as of a `.caffemodel`.

    Raises:
        UsageError: the file has nothing that the network reads.
    """
    bound = 0
    for graph in [metagraph.graph for metagraph in model.metagraphs]:
        if weights.checkpoint is not None:
            named = {variable.name: variable.tensor for variable in weights.checkpoint.variables.values()}
            bound += _by_name(graph, {name: tensor for name, tensor in named.items() if name and tensor is not None})
        for other in weights.metagraphs:
            bound += _by_layer(graph, other.graph)
    if not bound:
        raise UsageError(f"none of the weights in {weights.path} belongs to the network", path=model.path)
    model.files |= weights.files
    model.notes = [note for note in model.notes if not note.startswith("the weights are those of ")]
    model.notes.append(f"the weights are those of {weights.path}")


def _by_name(graph: Graph, tensors: dict[str, Tensor]) -> int:
    values = [value for value in graph.values if value.producer is None and value.name in tensors]
    for value in values:
        _fill(value, tensors[value.name or ""])
    filled = set(values)
    graph.inputs = [value for value in graph.inputs if value not in filled]
    return len(values)


def _by_layer(graph: Graph, other: Graph) -> int:
    bound = 0
    for node in graph.nodes:
        twin = other.node(node.name)
        given = [value for value in twin.inputs if value.tensor is not None] if twin is not None else []
        if not given:
            continue
        own = [
            graph.add_value(value.name or "", value.tensor.dtype, value.tensor.shape, value.tensor)
            for value in given
            if value.tensor is not None
        ]
        node.inputs = [*(value for value in node.inputs if value.tensor is None), *own]
        bound += len(own)
    return bound


def _fill(value: Value, tensor: Tensor) -> None:
    value.tensor, value.dtype, value.shape = tensor, tensor.dtype, tensor.shape
