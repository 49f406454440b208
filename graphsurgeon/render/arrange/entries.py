"""Inputs that belong together as one part: those that a sparse or ragged tensor is made of, and all of very many."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.render.arrange.blocks import gather
from graphsurgeon.render.arrange.levels import Part, settle
from graphsurgeon.render.choose.ends import End

MOST_INPUTS = 24  # boxes; more of them are one, until it is opened
INPUT = "input"  # the family of such a part


def gather_entries(root: Part, inputs: Sequence[End], most: int = MOST_INPUTS) -> None:
    """Put the operations of composite inputs into one part each, and all inputs into one where they are more than that.

    Args:
        root: of the levels; inputs that lie in scopes stay there.
        inputs: the ends that values enter by.
        most: inputs that are drawn side by side.
    """
    leaves = {part.operation: part for part in root.children if part.is_operation}
    taken: set[int] = set()
    for end in inputs:
        sources = [source for source in dict.fromkeys(end.sources) if source in leaves and source not in taken]
        if len(sources) > 1:
            taken.update(sources)
            _gather(root, [leaves[source] for source in sources], end.key)
    wanted = {source for end in inputs for source in end.sources}
    found = [part for part in root.children if part.size and wanted.issuperset(part.operations())]
    if len(found) > most and len(found) < len(root.children):
        _gather(root, found, f"{len(found)} inputs")
    settle(root)


def _gather(root: Part, members: Sequence[Part], name: str) -> None:
    place = root.children.index(members[0])
    found = gather(root, members, "group", name)
    found.title, found.family = name, INPUT
    root.children[place] = found
    root.children = [child for child in root.children if child not in members]
