"""A TFLite subgraph as a Graph: tensors are its values, operators its nodes.

Indices become references to objects. One that points at nothing becomes a dangling value named by it, `#999`,
so that a broken file can be looked at; it is written back as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, MutableMapping
from typing import TYPE_CHECKING, Any

from graphsurgeon.formats.tflite import attrs as tflite_attrs
from graphsurgeon.formats.tflite.buffers import constant
from graphsurgeon.formats.tflite.schema import dtype_of
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Output
from graphsurgeon.model.node import ABSENT, Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import SCALAR, UNKNOWN_RANK, Shape

if TYPE_CHECKING:
    from graphsurgeon.encoding.flatbuffer.read import Table
    from graphsurgeon.formats.tflite.read import TfliteModelSource
    from graphsurgeon.model.tensor import Tensor


class TensorOrigin:
    """What `Value.raw` holds: the tensor as it was read.

    Attributes:
        index: its index then.
        table: the `Tensor`.
        shape, tensor, quantization: what the Value got from it.
    """

    __slots__ = ("index", "quantization", "shape", "table", "tensor")

    def __init__(self, index: int, table: Table, shape: Shape, tensor: Tensor | None) -> None:
        self.index = index
        self.table = table
        self.shape = shape
        self.tensor = tensor
        self.quantization: Quantization | None = None


class SubgraphSource:
    """GraphSource over one `SubGraph`.

    Attributes:
        model: the model it belongs to.
        index: its number.
        table: the `SubGraph`.
        name: what the Graph is called where nobody has renamed it; by its number if it has no name of its own.
        stored_name: its name in the file.
        knows_rank: whether the writer of the file told scalars from tensors of unknown rank.
    """

    __slots__ = ("index", "knows_rank", "model", "name", "stored_name", "table")

    def __init__(self, model: TfliteModelSource, index: int, table: Table, name: str) -> None:
        self.model = model
        self.index = index
        self.table = table
        self.name = name
        self.stored_name = table.text("name")
        self.knows_rank = False

    def op_counts(self) -> dict[str, int]:
        """Count operators by name."""
        self.model.image.spent = 0
        counts = Counter(table.get("opcode_index") for table in self.table.tables("operators"))
        names: Counter[str] = Counter()
        for index, count in counts.items():
            names[self.model.operator(index).name] += count
        return dict(names)

    def lift(self, graph: Graph) -> None:
        """Build values, then nodes, then the edges between them."""
        self.model.image.spent = 0
        tables = self.table.tables("tensors")
        self.knows_rank = any(_field(table, "has_rank") for table in tables)
        graph.values.extend(self._value(graph, index, table) for index, table in enumerate(tables))
        for value in graph.values:
            value.extra = decode_extra(value.raw.table, graph.values)
            value.raw.quantization = value.extra.get("quantization") if value.extra else None
        resolve = _Resolver(graph)
        for table in self.table.tables("operators"):
            node = Node(graph, "", self.model.operator(table.get("opcode_index")).name, table)
            graph.attach(node)
            node.inputs = resolve.all(table.scalars("inputs"))
            node.set_outputs(resolve.all(table.scalars("outputs")))
        graph.absent.producer = None  # an output left out produces nothing
        graph.inputs = resolve.all(self.table.scalars("inputs"))
        graph.outputs = [Output("", value, value.dtype) for value in resolve.all(self.table.scalars("outputs"))]
        self._lift_controls(graph)

    def peek(self, graph: Graph, ops: Container[str]) -> list[Node]:
        """Return stand-ins for the operators with some names."""
        self.model.image.spent = 0
        wanted = {index: operator.name for index, operator in enumerate(self.model.operators()) if operator.name in ops}
        tables = self.table.tables("operators") if wanted else ()
        numbered = ((table.get("opcode_index"), table) for table in tables)
        return [Node(graph, "", wanted[index], table) for index, table in numbered if index in wanted]

    def attrs(self, node: Node) -> MutableMapping[str, AttrValue]:
        """Return the operator's options and the rest of what it holds."""
        return tflite_attrs.decode(node.raw, self.model.subgraphs, node.graph)

    def output_dtypes(self, node: Node) -> list[DType] | None:
        """Return None: the outputs of an operator are those that it lists."""
        return None

    def function_refs(self, node: Node) -> list[FunctionRef]:
        """Return the subgraphs that a control-flow operator runs."""
        if not tflite_attrs.names_subgraphs(node.raw):
            return []
        found = tflite_attrs.decode(node.raw, self.model.subgraphs, node.graph).values()
        flat = [item for value in found for item in (value if isinstance(value, list) else [value])]
        return [item for item in flat if isinstance(item, FunctionRef)]

    def _value(self, graph: Graph, index: int, table: Table) -> Value:
        value = Value(graph, None, index, table.text("name"))
        value.dtype = dtype_of(table.get("type"))
        value.tensor = constant(self.model.buffers, table, value.dtype, Shape(table.scalars("shape")))
        value.shape = decode_shape(table, is_known=value.tensor is not None or not self.knows_rank)
        value.raw = TensorOrigin(index, table, value.shape, value.tensor)
        return value

    def _lift_controls(self, graph: Graph) -> None:
        edges = self.model.control_edges()
        if edges is None:
            return
        nodes = graph.nodes
        before: dict[int, list[Node]] = {}
        for first, second in edges[self.index]:
            before.setdefault(second, []).append(nodes[first])
        for second, waited in before.items():
            nodes[second].controls = waited


class _Resolver:
    """Indices to the tensors of one subgraph; one value for each index that points at nothing."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values = graph.values
        self.dangling: dict[int, Value] = {}

    def all(self, indices: Any) -> list[Value]:
        values, count = self.values, len(self.values)
        return [values[index] if 0 <= index < count else self._outside(index) for index in indices]

    def _outside(self, index: int) -> Value:
        if index == ABSENT:
            return self.graph.absent
        if index not in self.dangling:
            value = self.dangling[index] = Value(self.graph, None, index, f"#{index}")
            value.is_dangling = True
        return self.dangling[index]


def decode_shape(table: Table, *, is_known: bool) -> Shape:
    """Return the shape of a tensor, unknown dimensions from its `shape_signature`.

    Args:
        table: the `Tensor`.
        is_known: an empty shape is a scalar's, whatever `has_rank` says.
    """
    dims = table.scalars("shape")
    if not dims:
        return SCALAR if is_known or _field(table, "has_rank") else UNKNOWN_RANK
    signature = _field(table, "shape_signature")
    return Shape(signature if signature is not None and len(signature) == len(dims) else dims)


def decode_extra(table: Table, values: list[Value]) -> dict[str, Any] | None:
    """Return what is recorded of a tensor beside name, type, shape and data; None if nothing is."""
    extra: dict[str, Any] = {}
    quantization = table.get("quantization")
    if quantization is not None:
        decoded = decode_quantization(quantization, values)
        if decoded != _PLAIN:
            extra["quantization"] = decoded
    if _field(table, "is_variable"):
        extra["is_variable"] = True
    if _field(table, "sparsity"):
        extra["sparsity"] = _sparsity(table.get("sparsity"))
    if _field(table, "variant_tensors"):
        extra["variant"] = [
            (dtype_of(item.get("type")), decode_shape(item, is_known=False)) for item in table.tables("variant_tensors")
        ]
    if _field(table, "external_buffer"):
        extra["external_buffer"] = table.get("external_buffer")
    return extra or None


def decode_quantization(table: Table, values: list[Value]) -> Quantization:
    """Return the quantization parameters of a tensor of a subgraph with these values."""
    details = table.get("details")
    found = Quantization(
        scale=tuple(table.scalars("scale")),
        zero_point=tuple(table.scalars("zero_point")),
        axis=table.get("quantized_dimension"),
        minimum=tuple(table.scalars("min")),
        maximum=tuple(table.scalars("max")),
    )
    if details is None or details.type is None:
        return found
    if details.type.name == "CustomQuantization":
        return found._replace(custom=bytes(details.scalars("custom")))
    return found._replace(
        scales=_at(values, details.get("scales")),
        zero_points=_at(values, details.get("zero_points")),
        block_size=details.get("block_size"),
        block_shape=tuple(_field(details, "block_shape") or ()),
        axes=tuple(_field(details, "quantized_dimensions") or ()),
    )


_PLAIN = Quantization()


def _sparsity(table: Table) -> dict[str, Any]:
    return {
        "traversal_order": list(table.scalars("traversal_order")),
        "block_map": list(table.scalars("block_map")),
        "formats": ["sparse" if item.get("format") else "dense" for item in table.tables("dim_metadata")],
    }


def _at(values: list[Value], index: int) -> Value | None:
    return values[index] if 0 <= index < len(values) else None


def _field(table: Table, name: str) -> Any:
    """Return a field that older schema versions do not have."""
    return table.get(name) if table.type is not None and name in table.type.fields else None
