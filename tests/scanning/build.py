"""Small graphs that do something to the machine, made without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from graphsurgeon import write
from graphsurgeon.formats import registry
from graphsurgeon.model.dtype import FLOAT32, STRING, DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Asset, Collection, CollectionItem, MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import FormatName, Model
from graphsurgeon.model.objects import ObjectGraph, ObjectNode
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.scanning.finding import Threat, gathered
from graphsurgeon.scanning.graphs import judge_graphs
from graphsurgeon.scanning.scan import surroundings


class Made:
    """A model in the making.

    Attributes:
        graph: that `add` and the others add to; the main graph at first.
    """

    def __init__(self, format: FormatName = "saved_model") -> None:
        self.model = Model(registry.get(format), "made")
        self.metagraph = MetaGraph(tags=["serve"] if format == "saved_model" else None)
        self.model.metagraphs = [self.metagraph]
        self.graph = self.metagraph.graph

    def add(
        self,
        op: str | Graph,
        inputs: Sequence[Value] = (),
        attrs: Mapping[str, AttrValue] | None = None,
        *,
        name: str = "",
        after: Sequence[Node] = (),
    ) -> Node:
        """Add a node."""
        name = self.graph.unique_name(name or (op if isinstance(op, str) else op.name))
        return self.graph.add_node(op, name, inputs, attrs, controls=after, checked=False)

    def text(self, *items: bytes, name: str = "") -> Value:
        """Add a constant of strings: a scalar for one."""
        tensor = Tensor.of(STRING, [len(items)] if len(items) > 1 else [], items)
        return self.add("Const", (), {"dtype": STRING, "value": tensor}, name=name).output()

    def number(self, *items: float, dtype: DType = FLOAT32) -> Value:
        """Add a constant of numbers."""
        tensor = Tensor.of(dtype, [len(items)], items)
        return self.add("Const", (), {"dtype": dtype, "value": tensor}).output()

    def placeholder(self, name: str, dtype: DType = STRING) -> Value:
        """Add an input."""
        return self.add("Placeholder", (), {"dtype": dtype, "shape": Shape([])}, name=name).output()

    def read(self, path: Value) -> Value:
        """Add a ReadFile."""
        return self.add("ReadFile", [path]).output()

    def write_file(self, path: bytes) -> Node:
        """Add a WriteFile with a constant path."""
        return self.add("WriteFile", [self.text(path), self.text(b"x")])

    def function(self, name: str, *arguments: DType) -> Graph:
        """Enter a function, and add to it from here on."""
        function = self.metagraph.new_function(name)
        values = [Value(function, None, place, f"x{place}") for place in range(len(arguments))]
        for value, dtype in zip(values, arguments, strict=True):
            value.dtype = dtype
        function.inputs = values
        self.graph = function
        return function

    def main(self) -> None:
        """Go on with the main graph."""
        self.graph = self.metagraph.graph

    def call(self, function: Graph, inputs: Sequence[Value] = ()) -> Node:
        """Call a function from the graph that is added to."""
        results = [output.dtype or STRING for output in function.outputs]
        attrs: dict[str, AttrValue] = {"f": FunctionRef(function), "Tin": [STRING] * len(inputs), "Tout": [*results]}
        return self.add("StatefulPartitionedCall", inputs, attrs)

    def signature(
        self, key: str, outputs: Mapping[str, Value | Node], inputs: Mapping[str, Value] | None = None
    ) -> None:
        """Make a signature."""

        def entries(ends: Mapping[str, Value | Node]) -> dict[str, SignatureEntry]:
            return {name: SignatureEntry(Mention.of(end, name), STRING, Shape([])) for name, end in ends.items()}

        graph = self.metagraph.graph
        self.metagraph.signatures[key] = Signature(key, graph, entries(inputs or {}), entries(outputs))

    def on_load(self, node: Node) -> None:
        """Let loaders run a node."""
        self.signature("__saved_model_init_op", {"__saved_model_init_op": node})

    def collect(self, key: str, node: Node) -> None:
        """Put a node into a collection."""
        item = CollectionItem("", {"node": Mention.of(node, key)}, b"")
        self.metagraph.collections[key] = Collection(key, "node_list", [item])

    def objects(self, *children: tuple[str, list[tuple[str, Graph]]]) -> ObjectGraph:
        """Make an object graph: the root's children, each with functions by name."""
        nodes = [ObjectNode("user_object")]
        for name, functions in children:
            child = ObjectNode("resource")
            nodes[0].children.append((name, child))
            nodes.append(child)
            for local, function in functions:
                holder = ObjectNode("bare_concrete_function")
                holder.functions = [function]
                child.children.append((local, holder))
                nodes.append(holder)
        self.metagraph.objects = ObjectGraph(nodes, [])
        return self.metagraph.objects

    def asset(self, filename: str) -> Value:
        """Make an asset."""
        value = self.text(b"", name="asset_path")
        assert value.producer is not None
        self.metagraph.assets.append(Asset(filename, Mention.of(value, f"asset {filename}")))
        return value

    def threats(self, *, but_info: bool = True) -> list[Threat]:
        """Return what it could do, as a scan sees it."""
        found = gathered(judge_graphs(self.model, surroundings(self.model)))
        return [threat for threat in found if threat.severity != "info"] if but_info else found

    def only(self) -> tuple[str, str | None, str, str | None]:
        """Return severity, op, when and target of the only finding."""
        (threat,) = self.threats()
        return threat.severity, threat.op, threat.when, threat.target

    def written(self, path: Path) -> Path:
        """Write it."""
        write(self.model, path)
        return path


def graph_bytes(made: Made) -> bytes:
    """Return a model's graph as the bytes of a GraphDef."""
    from graphsurgeon.formats.graph.metagraph import serialize_graph_def

    return serialize_graph_def(made.metagraph)
