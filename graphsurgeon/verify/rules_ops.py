"""Rules about nodes and the definitions of their ops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops import catalog
from graphsurgeon.ops.opdef import OpDef
from graphsurgeon.verify.finding import Finding
from graphsurgeon.verify.places import place


def unknown_ops(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find ops without definition: one finding an op."""
    counts: dict[str, tuple[int, Node]] = {}
    for graph in metagraph.graphs:
        for node in graph.nodes:
            if definition(node) is None:
                number, first = counts.get(node.op, (0, node))
                counts[node.op] = (number + 1, first)
    for op, (number, first) in counts.items():
        where = place(first.graph, first) + (f" and {number - 1} more" if number > 1 else "")
        yield Finding(
            "warning",
            where,
            f"the op {op!r} is neither one of TensorFlow's nor a function of the library",
            "to run the model, load the library of that op first",
            "unknown-op",
        )


def nodes_against_definitions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find nodes whose inputs or attributes are not those of their op, or that read outputs there are none of."""
    version = metagraph.producer.get("graph_version")
    for graph in metagraph.graphs:
        types = OutputTypes()
        for node in graph.nodes:
            opdef = definition(node)
            if opdef is None:
                continue
            yield from _attributes(node, opdef)
            if 0 < opdef.deprecated_since <= (version if isinstance(version, int) else 0):
                what = f"the op {opdef.name} is refused from version {opdef.deprecated_since} of graphs on"
                yield Finding("error", place(graph, node), what, "replace it by its successor", "deprecated-op")
            yield from _inputs(node, opdef, types)


def definition(node: Node) -> OpDef | None:
    """Return the definition of a node's op, or the signature of the function that it calls; None if unknown."""
    source: Any = node.graph.raw
    if source is not None:
        found: OpDef | None = source.opdef_of(node)
        return found
    return catalog.get(node.op) if node.callee is None else None


class OutputTypes:
    """The types of the outputs of nodes, each worked out once."""

    def __init__(self) -> None:
        self._known: dict[Node, list[DType] | None] = {}

    def of(self, value: Value) -> DType | None:
        """Return the type of a value as definitions or the file give it; None if nothing says."""
        node = value.producer
        if node is None:
            return value.dtype
        types = self.all_of(node)
        if types is None or not isinstance(value.port, int) or value.port >= len(types):
            return None
        return types[value.port] if types[value.port].number else None

    def all_of(self, node: Node) -> list[DType] | None:
        """Return the types of all outputs of a node, None if unknown."""
        if node not in self._known:
            self._known[node] = node.output_dtypes()
        return self._known[node]


def _attributes(node: Node, opdef: OpDef) -> Iterator[Finding]:
    attrs = node.attrs
    for name, expected in opdef.attrs.items():
        if name not in attrs:
            if not expected.has_default:
                what = f"its attribute {name!r} is missing, which {opdef.name} needs"
                yield Finding("error", place(node.graph, node), what, "set it", "missing-attribute")
        elif expected.allowed is not None and not _is_allowed(attrs[name], expected.allowed):
            what = f"its attribute {name!r} is {_shown(attrs[name])}, which {opdef.name} does not take"
            yield Finding("error", place(node.graph, node), what, "set one that it takes", "attribute-value")


def _is_allowed(value: AttrValue, allowed: tuple[bytes | DType, ...]) -> bool:
    if isinstance(value, list):
        return all(_is_allowed(item, allowed) for item in value)
    if isinstance(value, DType):
        return value.base in allowed or value in allowed
    return value in allowed if isinstance(value, bytes) else True  # a placeholder, in the body of a generic function


def _shown(value: AttrValue) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _inputs(node: Node, opdef: OpDef, types: OutputTypes) -> Iterator[Finding]:
    graph = node.graph
    for value in node.inputs:
        yield from _port(graph, node, value, types)
    expected = _expected_types(node, opdef)
    if expected is None:
        return
    if len(expected) != len(node.inputs):
        what = f"it has {len(node.inputs)} inputs, {opdef.name} takes {len(expected)}"
        yield Finding("error", place(graph, node), what, "give it the inputs that it takes", "input-count")
        return
    for index, (value, wanted) in enumerate(zip(node.inputs, expected, strict=True)):
        found = types.of(value)
        if found is not None and wanted.number and not _fits(found, wanted):
            what = f"its input {index}, {value}, is {found}, {opdef.name} takes {wanted}"
            yield Finding("error", place(graph, node), what, "put a Cast between, or set its types", "input-type")


def _expected_types(node: Node, opdef: OpDef) -> list[DType] | None:
    attrs: Mapping[str, AttrValue] = node.attrs
    if node.callee is not None and any(arg.type_attr or arg.type_list_attr or arg.number_attr for arg in opdef.inputs):
        return None  # a generic function of TensorFlow 1: its types are attributes of the caller
    return opdef.input_dtypes(attrs)


def _port(graph: Graph, node: Node, value: Value, types: OutputTypes) -> Iterator[Finding]:
    if value.producer is None or not isinstance(value.port, int):
        return
    outputs = types.all_of(value.producer)
    if outputs is not None and value.port >= len(outputs):
        what = f"it reads output {value.port} of {value.producer.name}, which has {len(outputs)}"
        yield Finding("error", place(graph, node), what, "read an output that there is", "output-number")


def _fits(found: DType, wanted: DType) -> bool:
    """A reference stands for its value, not the other way round."""
    return found is wanted or (found.is_ref and found.base is wanted)
