"""Graphs of frameworks whose layers name the tensors that they read and write: Caffe, Caffe2, MXNet, MMdnn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.node import AttrValue
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor


class BlobGraph:
    """A graph that is filled layer by layer, in the order in which they run.

    A tensor that nobody has written when it is read is an input of the graph. One that is written twice, as by layers
    that work in place, becomes two values, `conv1` and `conv1#1`; whoever comes later reads the latest.
    """

    def __init__(self, metagraph: MetaGraph, name: str = "") -> None:
        self.graph = Graph(metagraph, "subgraph", name)
        self._current: dict[str, Value] = {}
        self._times: dict[str, int] = {}

    def value(self, name: str, dtype: DType | None = None, shape: Shape | None = None) -> Value:
        """Add a tensor under a name; from now on the name means this one."""
        times = self._times.get(name, 0)
        self._times[name] = times + 1
        value = self.graph.add_value(f"{name}#{times}" if times else name, dtype or DType.of(0), shape or Shape(None))
        if dtype is None:
            value.dtype = None
        self._current[name] = value
        return value

    def constant(self, name: str, tensor: Tensor) -> Value:
        """Add a tensor with its values."""
        value = self.value(name, tensor.dtype, tensor.shape)
        value.tensor = tensor
        return value

    def input(self, name: str, dtype: DType | None = None, shape: Shape | None = None) -> Value:
        """Add an input of the graph."""
        value = self.value(name, dtype, shape)
        self.graph.inputs = [*self.graph.inputs, value]
        return value

    def read(self, name: str) -> Value:
        """Return what a name means now."""
        return self._current[name] if name in self._current else self.input(name)

    def known(self, name: str) -> bool:
        """Say whether anything has a name."""
        return name in self._current

    def layer(
        self,
        op: str,
        name: str,
        inputs: Sequence[Value],
        attrs: Mapping[str, AttrValue],
        outputs: Iterable[str],
    ) -> Node:
        """Add a layer; a name that another layer has gets a number."""
        free = name if name and self.graph.node(name) is None else self.graph.unique_name(name or op)
        node = self.graph.add_node(op, free, inputs, attrs)
        node.set_outputs([self.value(output) for output in outputs])
        return node

    def finish(self, outputs: Iterable[str] | None = None) -> Graph:
        """Say what comes out: the given names, else what nobody reads. Return the graph."""
        if outputs is None:
            made = [value for node in self.graph.nodes for value in node.outputs]
            values = [value for value in made if not value.consumers]
        else:
            values = [self._current[name] for name in outputs if name in self._current]
        self.graph.outputs = [Output("", value, value.dtype) for value in values]
        return self.graph
