"""Copy the part of a graph that some values and nodes need into another graph of the same MetaGraph.

The source is left as it is, so that surgery can work on the copy, fail anywhere, and have changed nothing.
Edges are followed backwards, data and control alike, up to the values that are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.traversal import producers, reached


class CopiedPart:
    """What has become of the nodes and values of the source.

    Attributes:
        nodes: node of the source -> its copy, in the order of the source.
        values: cut value of the source -> what stands for it in the target.
    """

    __slots__ = ("nodes", "values")

    def __init__(self, nodes: dict[Node, Node], values: Mapping[Value, Value]) -> None:
        self.nodes = nodes
        self.values = values

    def value(self, value: Value) -> Value:
        """Return the counterpart of a value.

        Raises:
            FormatError: the value is a reference that names nothing.
            UnsupportedError: it is an output of an unknown op, which a function names but a graph must count.
        """
        found = self.values.get(value)
        if found is not None:
            return found
        if value.producer is None:
            where = f"function {value.graph.name}" if value.graph.name else "the main graph"
            raise FormatError(
                f"{where} refers to {str(value)!r}, which is not there", hint="gs check lists such references"
            )
        copy = self.nodes[value.producer]
        if isinstance(value.port, str) and copy.graph.kind == "main":
            raise UnsupportedError(
                f"function {value.graph.name} uses output {value.port!r} of {value.producer.name!r}, whose op"
                f" {value.producer.op!r} is unknown: its place among the outputs cannot be told"
            )
        return copy.output(value.port)


def copy_part(
    source: Graph,
    target: Graph,
    values: Iterable[Value],
    nodes: Iterable[Node] = (),
    *,
    cut: Mapping[Value, Value],
    name: Callable[[str], str],
) -> CopiedPart:
    """Copy what values and nodes of the source need.

    Args:
        source: where they are.
        target: where the copies go; its names stay unique.
        values: wanted values.
        nodes: wanted nodes.
        cut: value of the source -> value of the target that stands for it; nothing behind it is needed.
        name: makes the name of a copy from the name in the source.

    Raises:
        FormatError: a needed reference names nothing.
    """
    needed = needed_nodes(values, nodes, cut)
    copies = {node: target.adopt(node, target.unique_name(name(node.name))) for node in source.nodes if node in needed}
    part = CopiedPart(copies, cut)
    replaced = {value.producer: other.producer for value, other in cut.items() if value.producer and other.producer}
    for node, copy in copies.items():
        if node.inputs:
            copy.inputs = [part.value(value) for value in node.inputs]
        if node.controls:
            controls = [replaced.get(other) or copies.get(other) for other in node.controls]
            copy.controls = list(dict.fromkeys(other for other in controls if other is not None))
    return part


def needed_nodes(values: Iterable[Value], nodes: Iterable[Node], cut: Mapping[Value, Value]) -> dict[Node, None]:
    """Return what `copy_part` copies: nodes, and what they and some values need; nothing behind what is cut."""
    replaced = {value.producer for value in cut}

    def before(node: Node) -> list[Node]:
        return [*producers(node.inputs, cut), *(other for other in node.controls if other not in replaced)]

    return reached([*nodes, *producers(values, cut)], before)
