"""What a node says of itself as bytes: what follows from op and attributes is found out once for all that say it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from graphsurgeon.model.graph import Graph, Node

Stated: TypeAlias = Callable[[Node], bytes | None]


def stated_attrs(graph: Graph) -> Stated | None:
    """Return what gives the device and the attributes of a node of a graph as bytes, equal only where these are.

    What it returns for a node is None where bytes do not tell: of new nodes and of changed attributes, of values that
    lie elsewhere in the file, and of much data. Where a node is colocated is left out. None for a graph of a format
    that has no such bytes (`stated_attrs` of its GraphSource).
    """
    found: Stated | None = getattr(graph.raw, "stated_attrs", None)
    return found
