"""The types of a node's inputs and outputs, worked out once for all nodes of one op with the same attributes.

A large graph has few kinds of nodes: what tells the types (`T`, `N`, `Tin` ...) is read from the raw message, and
the definition is asked only for a combination that has not been seen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Node
from graphsurgeon.ops.opdef import OpDef


class Types(NamedTuple):
    """Types of all inputs and of all outputs; None where the attributes do not tell. Not to be changed.

    Nodes whose telling attributes are equal share one object.

    Attributes:
        inputs, outputs: the types.
        telling: the attributes that they were read from; None if the object is not shared.
    """

    inputs: list[DType] | None
    outputs: list[DType] | None
    telling: frozenset[str] | None = None


class NodeTypes:
    """Remembers the types of the nodes of one file."""

    __slots__ = ("_known", "_telling")

    def __init__(self) -> None:
        self._telling: dict[str, tuple[tuple[str, str], ...]] = {}
        self._known: dict[tuple[Any, ...], Types] = {}

    def of(self, node: Node, opdef: OpDef) -> Types:
        """Return the types of a node of an op that is no function."""
        key = self._key(node, opdef)
        if key is None:
            return _types(node, opdef)
        found = self._known.get(key)
        if found is None:
            telling = frozenset(name for name, _ in self._telling[opdef.name])
            found = self._known[key] = _types(node, opdef)._replace(telling=telling)
        return found

    def _key(self, node: Node, opdef: OpDef) -> tuple[Any, ...] | None:
        """Return op and values of the telling attributes; None for a new or changed node."""
        if node.raw is None or getattr(node._attrs, "changes", None) or isinstance(node._attrs, dict):
            return None
        telling = self._telling.get(opdef.name)
        if telling is None:
            telling = self._telling[opdef.name] = _telling_attrs(opdef)
        raw = node.raw.attr
        key: list[Any] = [opdef.name]
        for name, field in telling:
            if name not in raw:
                key.append(None)
                continue
            value = raw[name]
            if field == "list":
                key.append((value.WhichOneof("value"), *value.list.type))
            else:
                # A number that is not 0 is one; 0 may also be a placeholder's, or of another kind.
                key.append(getattr(value, field) or (value.WhichOneof("value"),))
        return tuple(key)


def _telling_attrs(opdef: OpDef) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for arg in (*opdef.inputs, *opdef.outputs):
        fields = ((arg.type_attr, "type"), (arg.number_attr, "i"), (arg.type_list_attr, "list"))
        found |= {name: field for name, field in fields if name}
    return tuple(found.items())


def _types(node: Node, opdef: OpDef) -> Types:
    return Types(opdef.input_dtypes(node.attrs), opdef.output_dtypes(node.attrs))
