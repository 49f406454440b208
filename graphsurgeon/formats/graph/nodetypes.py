"""The types of a node's inputs and outputs, worked out once for all nodes of one op with the same attributes.

A large graph has few kinds of nodes: what tells the types (`T`, `N`, `Tin` ...) is read from the raw message, and
the definition is asked only for a combination that has not been seen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphsurgeon.formats.graph.values.attrs import NodeAttrs
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Node
from graphsurgeon.ops.opdef import OpDef

_MOST_KEPT = 1 << 12  # types of one node; a number in a file may stand for many
_FEW = 16  # outputs, of which any node may have so many
_FREE = 1 << 16  # outputs of all nodes of a file that have more


class Types(NamedTuple):
    """Types of all inputs and of all outputs; None where the attributes do not tell. Not to be changed.

    Nodes whose telling attributes are equal share one object.

    Attributes:
        inputs, outputs: the types.
        telling: the attributes that they were read from; None if the object is not shared.
        opdef: the definition by which they were.
    """

    inputs: list[DType] | None
    outputs: list[DType] | None
    telling: frozenset[str] | None = None
    opdef: OpDef | None = None


class NodeTypes:
    """Remembers the types of the nodes of one file."""

    __slots__ = ("_known", "_telling")

    def __init__(self) -> None:
        self._telling: dict[str, tuple[tuple[str, str], ...]] = {}
        self._known: dict[tuple[Any, ...], Types] = {}

    def of(self, node: Node, opdef: OpDef) -> Types:
        """Return the types of a node of an op that is no function; remembered where it is as it was read."""
        held, known = node.held_attrs, node.remembered
        if (
            known is not None
            and known.opdef is opdef
            and node.raw is not None
            and (held is None or (isinstance(held, NodeAttrs) and known.telling.isdisjoint(held.changes or ())))
        ):
            return known  # type: ignore[no-any-return]
        found = self._of_kind(node, opdef)
        if found.opdef is opdef:  # it was read from the raw form
            node.remembered = found
        return found

    def _of_kind(self, node: Node, opdef: OpDef) -> Types:
        key = self._key(node, opdef)
        if key is None:
            return _types(node, opdef)
        found = self._known.get(key)
        if found is None:
            telling = frozenset(name for name, _ in self._telling[opdef.name])
            found = _types(node, opdef)._replace(telling=telling, opdef=opdef)
            is_long = any(types is not None and len(types) > _MOST_KEPT for types in found[:2])
            if not is_long or not any(field == "i" for _, field in self._telling[opdef.name]):
                self._known[key] = found
        return found

    def _key(self, node: Node, opdef: OpDef) -> tuple[Any, ...] | None:
        """Return op and values of the telling attributes; None for a new node, or where one of these is changed."""
        if node.raw is None or isinstance(node.held_attrs, dict):
            return None
        telling = self._telling.get(opdef.name)
        if telling is None:
            telling = self._telling[opdef.name] = _telling_attrs(opdef)
        changes = getattr(node.held_attrs, "changes", None)
        if changes and any(name in changes for name, _ in telling):
            return None
        stored = node.raw.attr.get
        key: list[Any] = [opdef.name]
        for name, field in telling:
            value = stored(name)
            if value is None:
                key.append(None)
                continue
            if field == "list":
                key.append((value.WhichOneof("value"), *value.list.type))
            else:
                # A number that is not 0 is one; 0 may also be a placeholder's, or of another kind.
                key.append(getattr(value, field) or (value.WhichOneof("value"),))
        return tuple(key)


class Room:
    """How many outputs the nodes of a file may have that nothing but a number in an attribute stands for.

    A node of 60 bytes can say that it has a million outputs. Of one for which there is no room left, the outputs
    count as unknown, as those of an unknown op do: what is read of it is there. Lists of types take bytes in the
    file and are not counted.
    """

    __slots__ = ("_decided", "left")

    def __init__(self) -> None:
        self.left = _FREE
        self._decided: dict[Node, bool] = {}

    def has(self, node: Node, opdef: OpDef, count: int) -> bool:
        """Say whether there is room for the outputs of a node; asked again, the answer is the same."""
        if count <= _FEW or not any(arg.number_attr for arg in opdef.outputs):
            return True
        if node not in self._decided:
            self._decided[node] = count <= self.left
            self.left -= count if self._decided[node] else 0
        return self._decided[node]


def _telling_attrs(opdef: OpDef) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for arg in (*opdef.inputs, *opdef.outputs):
        fields = ((arg.type_attr, "type"), (arg.number_attr, "i"), (arg.type_list_attr, "list"))
        found |= {name: field for name, field in fields if name}
    return tuple(found.items())


def _types(node: Node, opdef: OpDef) -> Types:
    return Types(opdef.input_dtypes(node.attrs), opdef.output_dtypes(node.attrs))
