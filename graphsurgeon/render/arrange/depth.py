"""Which scopes of a picture are open: to a given level, or so many that the picture can be taken in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from graphsurgeon.model.traversal import in_preorder
from graphsurgeon.render.arrange.levels import Part
from graphsurgeon.render.choose.select import Selection
from graphsurgeon.render.scene import families

FEWEST_BOXES = 30  # below it a picture says too little, so the next level is opened
MOST_BOXES = 80  # above it one no longer sees the whole
RICH_ENOUGH = 20  # boxes; with fewer, scopes of arithmetic are opened too
BARELY_ENOUGH = 10  # with fewer, layers are
# What makes a scope worth opening: architecture, not arithmetic.
_TELLING = frozenset({"convolution", "dense", "recurrent", "lookup", "pooling", "control", "text", "other"})


@dataclass(slots=True)
class Opening:
    """The scopes that are drawn open.

    Attributes:
        opened: the root and every open scope.
        depth: the deepest level that is drawn; 1 is what lies in the root.
    """

    opened: set[Part]
    depth: int


def contents(part: Part) -> Sequence[Part]:
    """Return what is drawn inside a part when it is open; of equal blocks the first."""
    if part.kind == "repeat":
        return part.children[0].children
    return part.children


def visible(root: Part, opened: set[Part]) -> list[Part]:
    """Return the parts that are drawn as boxes, in order."""
    parts = in_preorder([root], lambda part: contents(part) if part in opened else ())
    return [part for part in parts if part not in opened]


def open_to_depth(root: Part, depth: int, *, composites: bool = True) -> Opening:
    """Open the scopes above a level: 1 is what lies in the root; found levels and runs of equal blocks count too.

    Args:
        root: of the levels.
        depth: how many.
        composites: open constructs that have a name of their own too.
    """
    level = levels_of(root)
    opened = {
        part
        for part, at in level.items()
        if contents(part) and (at < depth or part is root) and (composites or not part.title)
    }
    return Opening(opened, min(depth, max((level[part] for part in opened), default=0) + 1))


def levels_of(root: Part) -> dict[Part, int]:
    """Return how many scopes are around every part that can be drawn; the root has 0 of them."""
    level = {root: 0}
    for part in in_preorder([root], contents):
        level |= dict.fromkeys(contents(part), level[part] + 1)
    return level


def open_by_size(root: Part, selection: Selection, *, fewest: int = FEWEST_BOXES, most: int = MOST_BOXES) -> Opening:
    """Open scopes level by level, the largest first, equal ones together, up to a number of boxes.

    A level is opened whole if it fits; else as much of it as makes the picture rich enough. Scopes of mere
    arithmetic and layers (an operation with its bias and activation) come last.
    """
    opener = _Opener(root, selection)
    opener.widen(fewest, most, lambda part: part.kind != "layer" and opener.is_telling(part), whole_levels=True)
    opener.widen(min(fewest, RICH_ENOUGH), most, lambda part: part.kind != "layer")
    opener.widen(min(fewest, BARELY_ENOUGH), most, lambda part: not part.title)
    level = levels_of(root)
    return Opening(opener.opened, max((level[part] for part in opener.opened), default=0) + 1)


class _Opener:
    def __init__(self, root: Part, selection: Selection) -> None:
        self.selection = selection
        self.opened = {root}
        self.root = root
        self.total = len(contents(root))
        self._telling: dict[Part, bool] = {}

    def is_telling(self, part: Part) -> bool:
        if part not in self._telling:
            operations = self.selection.flow.operations
            ops = (operations[index].op for index in part.operations())
            self._telling[part] = any(families.family(op) in _TELLING for op in ops)
        return self._telling[part]

    def widen(self, fewest: int, most: int, may_open: Callable[[Part], bool], *, whole_levels: bool = False) -> None:
        """Open what may be opened: scopes until there are enough boxes, whole levels also while there is room."""
        level = [part for part in visible(self.root, self.opened) if contents(part)]
        while level:
            chosen = [part for part in level if may_open(part)]
            fits = whole_levels and self.total + _gain(chosen) <= most
            following: list[Part] = []
            for equal in self._equal(chosen):
                if (fits or self.total < fewest) and self.total + _gain(equal) <= most:
                    self.total += _gain(equal)
                    self.opened.update(equal)
                    following += [inner for part in equal for inner in contents(part) if contents(inner)]
            level = following

    def _equal(self, parts: Iterable[Part]) -> list[list[Part]]:
        """Return the parts in groups that are opened together or not at all, the largest first."""
        groups: dict[object, list[Part]] = {}
        for part in parts:
            groups.setdefault(part.key, []).append(part)
        return sorted(groups.values(), key=lambda group: (-sum(part.size for part in group), group[0].position))


def _gain(parts: Iterable[Part]) -> int:
    """Return how many boxes more there are when these are open."""
    return sum(len(contents(part)) - 1 for part in parts)
