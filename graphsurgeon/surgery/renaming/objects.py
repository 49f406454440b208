"""Rename paths of objects in a checkpoint: the edges that `tf.train.Checkpoint.restore` follows.

Restoring looks at the names of children alone; keys may be anything. So a new path is another name of an edge, an
edge from another object, or some new objects in between. Where each goes is decided for all paths, then all are moved.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.errors import UsageError
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.objects import ObjectGraph, ObjectNode, Way, path_names, path_text

_Edge = tuple[ObjectNode, str]
_Moves = dict[_Edge, tuple[ObjectNode, tuple[str, ...]]]  # edge -> from where, and by which names, it is reached then


class ObjectPaths:
    """The paths to the variables of a checkpoint, as they are before anything is renamed.

    Attributes:
        keys: path -> keys of what is saved there.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._objects = checkpoint.objects
        self._ways: dict[str, Way] = {}
        self.keys: dict[str, list[str]] = {}
        for node, ways in self._objects.ways().items() if self._objects is not None else ():
            keys = checkpoint.keys_of(node)
            for way in ways if keys else ():
                if way:
                    path = path_text(name for _, name in way)
                    self._ways[path] = way
                    self.keys[path] = keys

    def plan(self, changed: Mapping[str, str]) -> _Moves:
        """Return where the edges go that new paths need.

        Args:
            changed: old path -> new path; each old one is among `keys`.

        Raises:
            UsageError: a path is no path, or one edge would need two names, or a name is taken.
        """
        moves: _Moves = {}
        for old, new in changed.items():
            if "" in new.split("/"):
                raise UsageError(f"{new!r} is no path of objects: a name in it is empty")
            for edge, place in _moved(self._ways[old], path_names(new)):
                if moves.setdefault(edge, place) != place:
                    raise UsageError(f"{old!r} and another path that is the same object would part", hint=_HINT)
        self._check(moves)
        return moves

    def renamed_edges(self, changed: Mapping[str, str]) -> dict[_Edge, str]:
        """Return the edges that get other names and stay where they are.

        Raises:
            UsageError: a path would need other objects than there are: a SavedModel's are known by their numbers.
        """
        moves = self.plan(changed)
        deeper = [names for (parent, _), (start, names) in moves.items() if start is not parent or len(names) > 1]
        if deeper:
            raise UsageError(
                f"{path_text(deeper[0])!r} is longer or shorter than the path it is to replace",
                hint="objects of a SavedModel get other names only; gs convert --format checkpoint takes its variables",
            )
        return {edge: names[0] for edge, (_, names) in moves.items()}

    def move(self, moves: _Moves, changed: Mapping[str, str]) -> list[str]:
        """Move edges as planned; return notes on paths that changed with others."""
        targets = {(parent, name): parent.child(name) for parent, name in moves}
        for parent, _ in moves:
            parent.children = [(name, child) for name, child in parent.children if (parent, name) not in moves]
        # Shorter paths first: what goes below an object that moves finds it where it then is.
        for edge, (start, names) in sorted(moves.items(), key=lambda move: len(move[1][1])):
            parent, target = start, targets[edge]
            for name in names[:-1]:
                parent = self._container(parent, name)
            if target is not None:
                parent.children.append((names[-1], target))
        for way in self._ways.values():
            moved = [place for place, edge in enumerate(way) if edge in moves]
            if moved:
                self._leave_out_emptied([parent for parent, _ in way[: moved[-1] + 1]])
        also = sorted(
            path for path, way in self._ways.items() if path not in changed and not moves.keys().isdisjoint(way)
        )
        more = f" and {len(also) - 3} more paths" if len(also) > 3 else ""
        return [f"{', '.join(also[:3])}{more} lead over the same objects, and change too"] if also else []

    def _leave_out_emptied(self, parents: list[ObjectNode]) -> None:
        """Take out objects that held nothing but what has moved, the innermost first; the root stays."""
        for node in reversed(parents[1:]):
            if node.children or node.attributes or node.saver_name or node.slots or self._objects is None:
                return
            if node in self._objects.nodes:
                self._objects.leave_out([node])
                self._objects.nodes.remove(node)

    def _container(self, parent: ObjectNode, name: str) -> ObjectNode:
        found = parent.child(name)
        if found is None:
            assert self._objects is not None
            found = ObjectNode("")
            self._objects.nodes.append(found)
            parent.children.append((name, found))
        return found

    def _check(self, moves: _Moves) -> None:
        """Refuse two children of one name: TensorFlow would take the first, and say nothing."""
        taken: set[tuple[ObjectNode, tuple[str, ...]]] = set()
        for start, names in moves.values():
            parent: ObjectNode | None = start
            for position, name in enumerate(names):
                if parent is None or (parent, name) in moves:
                    break
                parent = parent.child(name)
                if parent is not None and position == len(names) - 1:
                    raise UsageError(f"there is already an object {path_text(names)!r}")
            if (start, names) in taken:
                raise UsageError(f"two objects would be {path_text(names)!r}")
            taken.add((start, names))


def rename_edges(objects: ObjectGraph, numbers: Mapping[tuple[int, str], str]) -> None:
    """Give edges of an object graph other names; the objects they start from are named by their places."""
    for place, node in enumerate(objects.nodes):
        node.children = [(numbers.get((place, name), name), child) for name, child in node.children]


_HINT = "rename the scope that holds them, such as model/=encoder/"


def _moved(way: Way, new: list[str]) -> list[tuple[_Edge, tuple[ObjectNode, tuple[str, ...]]]]:
    """Return the edges of a way that need another place for its names to become new ones."""
    old = [name for _, name in way]
    if len(old) == len(new):
        return [(edge, (edge[0], (name,))) for edge, name in zip(way, new, strict=True) if edge[1] != name]
    # What both end with moves along; at least one name must be left of each.
    end = 0
    while end < min(len(old), len(new)) - 1 and old[-1 - end] == new[-1 - end]:
        end += 1
    last, names = len(old) - end, new[: len(new) - end]
    begin = 0
    while begin < min(last, len(names)) - 1 and old[begin] == names[begin]:
        begin += 1
    return [(way[last - 1], (way[begin][0], tuple(names[begin:])))]
