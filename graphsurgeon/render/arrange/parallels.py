"""Equal branches side by side, drawn once: each reads the same, or inputs of its own, and the same reads them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphsurgeon.analysis.names import natural
from graphsurgeon.render.arrange.blocks import gather, span_name
from graphsurgeon.render.arrange.levels import Part
from graphsurgeon.render.choose.select import Selection
from graphsurgeon.render.scene import families

FEWEST = 3  # branches; two are drawn as two
SIDE_BY_SIDE = "side by side"
_LONGEST = 40  # parts of one branch


class _Branch(NamedTuple):
    """A chain of parts, with the operations outside that it reads and is read by; inputs of the model do not count."""

    parts: list[Part]
    sources: frozenset[int]
    readers: frozenset[int]


def fold_parallels(scope: Part, selection: Selection) -> None:
    """Put equal branches of a scope, whose parts have their keys, into parts of kind "repeat", in place."""
    operations = selection.flow.operations
    alike: dict[object, list[Part]] = {}
    for child in scope.children:
        is_input = child.is_operation and operations[child.operation].op in families.INPUTS
        if child.kind != "repeat" and not is_input:
            alike.setdefault(child.key, []).append(child)
    if max(map(len, alike.values()), default=0) < FEWEST:
        return
    finder = _Finder(scope, selection)
    for members in alike.values():
        finder.fold([part for part in members if part not in finder.folded])


class _Finder:
    def __init__(self, scope: Part, selection: Selection) -> None:
        self.scope = scope
        self.operations = selection.flow.operations
        self.inside = {child: set(child.operations()) for child in scope.children}
        self.owner = {index: child for child, indices in self.inside.items() for index in indices}
        self.folded: set[Part] = set()
        self.reads: dict[int, list[int]] = {}
        self.is_read_by: dict[int, list[int]] = {}
        for link in selection.links:
            if link.target in self.owner or link.source in self.owner:
                self.reads.setdefault(link.target, []).append(link.source)
                self.is_read_by.setdefault(link.source, []).append(link.target)

    def fold(self, members: Sequence[Part]) -> None:
        """Fold those of some equal parts that begin branches which read the same and are read by the same."""
        groups: dict[frozenset[int], list[_Branch]] = {}
        for part in members:
            branch = self.branch([part])
            groups.setdefault(branch.sources, []).append(branch)
        for group in groups.values():
            branches = self.lengthened(group) if len(group) >= FEWEST else []
            if branches and len({branch.readers for branch in branches}) == 1 and self.is_worth(branches[0]):
                self.enter(sorted((branch.parts for branch in branches), key=lambda parts: natural(parts[0].path)))

    def branch(self, parts: list[Part]) -> _Branch:
        own = set[int]().union(*(self.inside[part] for part in parts))
        sources = {source for index in own for source in self.reads.get(index, ())} - own
        readers = {reader for index in own for reader in self.is_read_by.get(index, ())} - own
        given = frozenset(index for index in sources if self.operations[index].op not in families.INPUTS)
        return _Branch(parts, given, frozenset(readers))

    def lengthened(self, branches: list[_Branch]) -> list[_Branch]:
        """Return branches with what follows in each of them, as far as that is alike."""
        while len(branches[0].parts) < _LONGEST and len({branch.readers for branch in branches}) > 1:
            following = [{self.owner.get(index) for index in branch.readers} for branch in branches]
            parts = [part for found in following if len(found) == 1 for part in found if part is not None]
            is_alike = len(set(parts)) == len(branches) and len({part.key for part in parts}) == 1
            if not is_alike or not self.folded.isdisjoint(parts):
                break
            longer = [self.branch([*branch.parts, part]) for branch, part in zip(branches, parts, strict=True)]
            if any(new.sources != old.sources for new, old in zip(longer, branches, strict=True)):
                break
            branches = longer
        return branches

    def is_worth(self, branch: _Branch) -> bool:
        """Say whether a branch is more than one operation of arithmetic."""
        indices = [index for part in branch.parts for index in self.inside[part]]
        ops = [families.family(self.operations[index].op) for index in indices]
        return len(indices) > 1 or not {"math", "layout", "weight", "input"}.issuperset(ops)

    def enter(self, chains: Sequence[list[Part]]) -> None:
        """Put branches into one part, at the place of the first."""
        children = self.scope.children
        place = min(children.index(chain[0]) for chain in chains)
        taken = {part for chain in chains for part in chain}
        blocks = [
            chain[0] if len(chain) == 1 else gather(self.scope, chain, "block", span_name(chain)) for chain in chains
        ]
        repeat = gather(self.scope, blocks, "repeat", f"{blocks[0].name} … {blocks[-1].name}")
        repeat.count, repeat.about = len(blocks), SIDE_BY_SIDE
        for parts in zip(*(block.parts() for block in blocks), strict=True):
            parts[0].twins += parts[1:]
        kept = [child for child in children[:place] if child not in taken]
        self.scope.children = [*kept, repeat, *(child for child in children[place:] if child not in taken)]
        self.folded |= taken
