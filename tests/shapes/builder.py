"""Small graphs for tests, with little writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphsurgeon.model import DType, FunctionRef, MetaGraph, Shape, Tensor
from graphsurgeon.model.graph import AttrValue, Graph, Output, Value

FLOAT, INT32, INT64, BOOL, RESOURCE = (DType.named(n) for n in ("float32", "int32", "int64", "bool", "resource"))


class Builder:
    """Adds nodes to a graph under names of their own."""

    def __init__(self, graph: Graph | None = None) -> None:
        self.graph = graph if graph is not None else MetaGraph().graph
        self.metagraph = self.graph.metagraph

    def op(self, op: str | Graph, *inputs: Value, name: str = "", **attrs: AttrValue) -> Value:
        """Add a node; return its first output."""
        text = op if isinstance(op, str) else op.name
        name = name or f"{text}_{len(self.graph)}"  # `unique_name` would ask after all nodes before
        return self.graph.add_node(op, name, inputs, {"T": FLOAT, **attrs}, checked=False).output()

    def feed(self, *dims: int | None, name: str = "", dtype: DType = FLOAT) -> Value:
        """Add a placeholder."""
        return self.op("Placeholder", name=name, dtype=dtype, shape=Shape(dims))

    def const(self, items: Sequence[object] | object, dtype: DType = INT32) -> Value:
        """Add a constant: a vector, or a scalar."""
        is_vector = isinstance(items, list | tuple)
        tensor = Tensor.of(dtype, [len(items)] if is_vector else [], items if is_vector else [items])
        return self.op("Const", dtype=dtype, value=tensor)

    def function(self, name: str, arguments: Mapping[str, tuple[DType, Shape | None]]) -> Builder:
        """Add a function to the library; fill it, then say with `returns` what it yields."""
        graph = Graph(self.metagraph, "function", name)
        for position, (text, (dtype, shape)) in enumerate(arguments.items()):
            value = Value(graph, None, position, text)
            value.dtype, value.shape = dtype, shape
            graph.inputs.append(value)
        self.metagraph.add_function(graph)
        return Builder(graph)

    def returns(self, *values: Value) -> Graph:
        """Say what a function yields."""
        self.graph.outputs = [Output(f"out{i}", value, FLOAT) for i, value in enumerate(values)]
        return self.graph

    def call(self, function: Graph, *inputs: Value, op: str = "PartitionedCall", **attrs: AttrValue) -> Value:
        """Call a function."""
        types: list[AttrValue] = [FLOAT] * len(function.outputs)
        return self.op(op, *inputs, f=FunctionRef(function), Tout=types, Tin=[FLOAT] * len(inputs), **attrs)
