"""Small graphs for tests of pictures, made through the model's own objects."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.formats import registry
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor


class Maker:
    """Builds the main graph of a model, node by node."""

    def __init__(self) -> None:
        self.model = Model(registry.GRAPH_DEF, "made.pb")
        self.metagraph = MetaGraph()
        self.model.metagraphs = [self.metagraph]

    @property
    def graph(self) -> Graph:
        return self.metagraph.graph

    def placeholder(self, name: str = "x") -> Node:
        return self.graph.add_node(
            "Placeholder", name, attrs={"dtype": FLOAT32, "shape": Shape((None, 4))}, checked=False
        )

    def const(self, name: str, *dims: int) -> Node:
        tensor = Tensor.of(FLOAT32, dims, [0.5] * (Shape(dims).num_elements or 0))
        return self.graph.add_node("Const", name, attrs={"dtype": FLOAT32, "value": tensor}, checked=False)

    def node(self, op: str, name: str, *inputs: Node, controls: Sequence[Node] = ()) -> Node:
        return self.graph.add_node(op, name, [node.output(0) for node in inputs], controls=controls, checked=False)

    def dense(self, scope: str, source: Node, *, size: int = 4) -> Node:
        """MatMul, BiasAdd and Relu in a scope."""
        product = self.node("MatMul", f"{scope}/MatMul", source, self.const(f"{scope}/kernel", 4, size))
        shifted = self.node("BiasAdd", f"{scope}/BiasAdd", product, self.const(f"{scope}/bias", size))
        return self.node("Relu", f"{scope}/Relu", shifted)

    def sign(self, inputs: dict[str, Node], outputs: dict[str, Node], key: str = "serving_default") -> Model:
        """Give the model a signature."""
        entries = [
            {name: SignatureEntry(Mention.of(node.output(0), key), FLOAT32, None) for name, node in side.items()}
            for side in (inputs, outputs)
        ]
        self.metagraph.signatures[key] = Signature(key, self.graph, *entries)
        return self.model
