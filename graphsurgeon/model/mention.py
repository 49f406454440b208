"""Mentions: places outside a graph's edges that name one of its nodes, tensors or functions.

A mention keeps the text as stored. It is understood in the names that the graph had when it was read,
so that it follows its target through any renaming, and is spelled anew only if the target's name changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from graphsurgeon.model.graph import Value

if TYPE_CHECKING:
    from graphsurgeon.model.graph import Graph, Node

MentionKind = Literal["node", "tensor"]


class Mention:
    """One place that names a node (`kind` "node") or one of its outputs (`kind` "tensor").

    Attributes:
        kind: what the text names.
        graph: the graph in which the name is looked up.
        where: the place, for messages: `signature serving_default, input x`.
    """

    __slots__ = ("_target", "_text", "graph", "kind", "where")

    def __init__(self, kind: MentionKind, text: str, graph: Graph, where: str) -> None:
        self.kind = kind
        self.graph = graph
        self.where = where
        self._text = text
        self._target: Node | Value | None = None

    @staticmethod
    def of(target: Node | Value, where: str) -> Mention:
        """Make a mention of a node or value, spelled when it is written."""
        mention = Mention("tensor" if isinstance(target, Value) else "node", "", target.graph, where)
        mention._target = target
        return mention

    @property
    def target(self) -> Node | Value | None:
        """The node or value that is meant; None if the graph has no such node. Lifts the graph."""
        if self._target is None and self._text:
            self._target = self.graph.original(self._text, self.kind)
        return self._target

    @property
    def node(self) -> Node | None:
        """The node that is meant, or the producer of the value that is meant."""
        target = self.target
        return target.producer if isinstance(target, Value) else target

    @property
    def stored(self) -> str:
        """The text as the file has it; empty for a new mention."""
        return self._text

    @property
    def node_name(self) -> str:
        """The name of the node that the text names, be there one or not. Does not lift the graph."""
        return self.text.removeprefix("^").partition(":")[0]

    @property
    def text(self) -> str:
        """The spelling for writing: as stored unless the target was renamed."""
        if not self.graph.is_lifted and self._target is None:
            return self._text
        target = self.target
        if target is None:
            return self._text
        if not self._text:
            return _spelled(target)
        node = target.producer if isinstance(target, Value) else target
        if node is None:
            return self._text if self._text.partition(":")[0] == target.name else _spelled(target)
        caret, name = ("^", self._text[1:]) if self._text.startswith("^") else ("", self._text)
        _, colon, port = name.partition(":")
        if isinstance(target, Value) and target.port != int(port or 0):
            return _spelled(target)
        return f"{caret}{node.name}{colon}{port}"

    def __repr__(self) -> str:
        return f"Mention({self.text!r} in {self.where})"


def _spelled(target: Node | Value) -> str:
    """Return the text for a target; a loaded function has its arguments as nodes with one output."""
    is_argument = isinstance(target, Value) and target.producer is None and target.graph.kind == "function"
    return f"{target.name}:0" if is_argument else str(target)
