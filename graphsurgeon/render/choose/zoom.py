"""Parts of a selection that were asked for by name: a scope, the surroundings of a node, what lies between two."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from graphsurgeon.errors import UsageError
from graphsurgeon.model.traversal import reached
from graphsurgeon.render.choose.flow import Flow
from graphsurgeon.render.choose.select import Selection, behind


def operations_named(selection: Selection, text: str) -> list[int]:
    """Return the drawn operations that a name stands for; none if nothing that is drawn is called so.

    A node (`conv1/Relu`, a tensor's `conv1/Relu:0`, or the end of a longer name), else a scope, else a glob. A node
    that is folded into an edge or box stands for what yields its value.
    """
    found, drawn = _called(selection.flow, text), set(selection.order)
    kept = [index for index in found if index in drawn]
    return list(dict.fromkeys(kept or [other for index in found for other in behind(selection, index)]))


def is_known(selection: Selection, text: str) -> bool:
    """Say whether a name stands for anything, drawn or not."""
    return bool(_called(selection.flow, text))


def _called(flow: Flow, text: str) -> list[int]:
    found = _literal(flow, text) or _literal(flow, text.rpartition(":")[0]) or _inside(flow, text)
    if not found and any(char in text for char in "*?["):
        found = [o.index for o in flow.operations if fnmatchcase("/".join(o.path), text) or fnmatchcase(o.name, text)]
    return found


def within(selection: Selection, names: Collection[int]) -> tuple[Selection, set[int]]:
    """Return some operations of a selection, and the operations outside that they read or that read them."""
    inside = set(names) & set(selection.order)
    near = {link.source for link in selection.links if link.target in inside and link.source not in inside}
    near |= {link.target for link in selection.links if link.source in inside and link.target not in inside}
    kept = restricted(selection, inside | near)
    # Between two neighbours outside the scope nothing is drawn.
    kept.links = [link for link in kept.links if link.source in inside or link.target in inside]
    return kept, near


def inside_scope(selection: Selection, text: str) -> list[int]:
    """Return the drawn operations inside a scope by its name, or the end of it; none if no scope is called so."""
    drawn = set(selection.order)
    return [index for index in _inside(selection.flow, text) if index in drawn]


def around(selection: Selection, centre: Iterable[int], radius: int) -> Selection:
    """Return the operations at most so many edges away, in either direction."""
    neighbours: dict[int, list[int]] = {}
    for link in selection.links:
        neighbours.setdefault(link.source, []).append(link.target)
        neighbours.setdefault(link.target, []).append(link.source)
    found = border = set(centre)
    for _ in range(radius):
        border = {other for index in border for other in neighbours.get(index, ())} - found
        found = found | border
    return restricted(selection, found)


def between(selection: Selection, starts: Collection[int], ends: Collection[int]) -> Selection:
    """Return what lies on a path from a start to an end; without starts all before the ends, and the reverse.

    Raises:
        UsageError: no path leads there.
    """
    kept = set(selection.order)
    if starts:
        kept &= _reached(starts, [(link.source, link.target) for link in selection.links])
    if ends:
        kept &= _reached(ends, [(link.target, link.source) for link in selection.links])
    if not kept:
        raise UsageError("no path leads from the one to the other")
    return restricted(selection, kept)


def restricted(selection: Selection, kept: Collection[int]) -> Selection:
    """Return a selection of some of its operations."""
    return replace(
        selection,
        order=[index for index in selection.order if index in kept],
        links=[link for link in selection.links if link.source in kept and link.target in kept],
    )


def _reached(starts: Iterable[int], edges: Sequence[tuple[int, int]]) -> set[int]:
    following: dict[int, list[int]] = {}
    for source, target in edges:
        following.setdefault(source, []).append(target)
    return set(reached(starts, lambda index: following.get(index, ())))


def _literal(flow: Flow, text: str) -> list[int]:
    if not text:
        return []
    exact = [operation.index for operation in flow.operations if text == operation.name]
    if exact:
        return exact
    paths = (("/".join(operation.path), operation.index) for operation in flow.operations)
    return [index for path, index in paths if path == text or path.endswith("/" + text)]


def _inside(flow: Flow, text: str) -> list[int]:
    wanted = f"/{text.strip('/')}/"
    return [o.index for o in flow.operations if wanted in f"/{'/'.join(o.path[:-1])}/"]
