"""Where nodes are that have no box of their own: which box reads what they hand on."""

from __future__ import annotations

from collections.abc import Iterable

from graphsurgeon.model.traversal import reached
from graphsurgeon.render.choose.select import Selection

MOST_FOLDED = 50_000  # operations that are told of; more names make a page that is slow to load


def folded_into(selection: Selection, ends: Iterable[int] = ()) -> dict[int, int]:
    """Return for the operations that are folded into edges and boxes the drawn operation that they are folded into.

    That is the first one that reads what they yield, be it by way of others; for what only outputs read, the operation
    that these come from. What no output depends on is folded into nothing.

    Args:
        selection: what is drawn.
        ends: operations that outputs name.
    """
    operations = selection.flow.operations
    drawn = set(selection.order)
    found: dict[int, int] = {}

    def hidden(indices: Iterable[int]) -> list[int]:
        return [index for index in indices if index not in drawn and index not in found]

    def sources(index: int) -> list[int]:
        return hidden(operand.source for operand in operations[index].operands)

    def fold(starts: Iterable[int], home: int) -> None:
        if len(found) < MOST_FOLDED:
            found.update(dict.fromkeys(reached(hidden(starts), sources), home))

    for index in selection.order:
        fold(sources(index), index)
    for end in ends:
        for home in selection.results.get(end, ()):
            fold([end], home)
    return found
