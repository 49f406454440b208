"""What came of one node comes of all that say the same and are given the same: a large graph has few kinds of nodes.

Two inputs are the same if they are one object, so what is remembered is made of shared facts: equal ones become one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from graphsurgeon.model.alike import stated_attrs
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import MERGES
from graphsurgeon.shapes.fact import Fact

Kind: TypeAlias = tuple[object, ...]

MOST_KINDS = 1 << 14  # that are remembered of one graph
MOST_OUTPUTS = 16  # of a node; how many a node with more has may depend on who reads it


class Kinds:
    """Remembers what is known of the outputs of the nodes of one graph, by what they say and are given."""

    def __init__(self, graph: Graph) -> None:
        self._stated = stated_attrs(graph)
        self._is_plain: dict[str, bool] = {}
        # The inputs are kept with what came of them: as long as they live no other object has their identity.
        self._known: dict[Kind, tuple[list[Fact], Sequence[Fact]]] = {}
        self._shared: dict[object, Fact] = {}

    def of(self, node: Node, inputs: Sequence[Fact], *, trusted: bool) -> Kind | None:
        """Return what the outputs follow from; None where that is more than attributes and inputs.

        Args:
            node: the node.
            inputs: what is known of its inputs.
            trusted: whether what the file records of its outputs counts.
        """
        if self._stated is None:
            return None
        op = node.op
        is_plain = self._is_plain.get(op)
        if is_plain is None:
            is_plain = self._is_plain[op] = _is_plain(node)
        said = self._stated(node) if is_plain else None
        return None if said is None else (op, said, trusted, *map(id, inputs))

    def get(self, kind: Kind) -> list[Fact] | None:
        """Return what came of an earlier node of the kind; not to be changed."""
        known = self._known.get(kind)
        return known[0] if known is not None else None

    def keep(self, kind: Kind, inputs: Sequence[Fact], facts: list[Fact]) -> list[Fact]:
        """Remember what came of a node of a kind, before dimensions that nobody knows get names; return it shared."""
        if len(self._known) >= MOST_KINDS or len(facts) > MOST_OUTPUTS:
            return facts
        shared = [self._one(fact) for fact in facts]
        self._known[kind] = (shared, inputs)
        return shared

    def _one(self, fact: Fact) -> Fact:
        """Return the one fact for all that nothing tells apart: 1, 1.0 and True are told apart, so are 0.0 and -0.0."""
        held = fact.held_items
        if isinstance(held, Tensor):
            return fact  # which is no other's: equal constants come of one kind of node
        dims = fact.dims if fact.dims is None else tuple(fact.dims)
        return self._shared.setdefault((dims, fact.dtype, fact.handle, repr(held)), fact)


def _is_plain(node: Node) -> bool:
    """Say whether all that a node's op does follows from attributes and inputs: no function, no loop."""
    opdef = catalog.of(node)
    if opdef is None or node.callee is not None or node.op in MERGES:
        return False
    return not any("func" in attr.type for attr in opdef.attrs.values())
