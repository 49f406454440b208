"""Equal blocks, in runs and side by side: found by comparing operations, attributes, weights' shapes and edges.

Blocks are equal if they hold the same operations, joined alike, and differ only in which weights they hold. A
run of them may be drawn as one if each block reads only from the one before, itself, and what all of them read,
and if nothing but the next block, or what follows the last one, reads their results.

No pattern of `patterns/` says what a block is: residual blocks, cells and stages are not known beforehand, they are
whatever repeats. Parts are compared by a key made of all that they hold (`name_classes`), which needs one pass; a
pattern would have to be made for each candidate first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphsurgeon.render.arrange.blocks import gather, span_name
from graphsurgeon.render.arrange.levels import Part, settle
from graphsurgeon.render.arrange.parallels import fold_parallels
from graphsurgeon.render.choose.select import Selection
from graphsurgeon.render.scene import boxes, families

LONGEST_PERIOD = 40  # parts of one block
FEWEST = 2  # blocks of a run
FEWEST_LAYERS = 3  # the same of blocks with one product or convolution, or none; two such are drawn as two
_MOST = 1000  # blocks of a run
_TRIES = 4  # ends of a run that are tried before it is given up


def fold_repeats(root: Part, selection: Selection) -> None:
    """Put runs of equal blocks into parts of kind "repeat", in place."""
    name_classes(root, selection)
    reader = _Reader(selection)
    waiting = [root]
    while waiting:
        scope = waiting.pop()
        if scope.kind not in ("layer", "repeat") and len(scope.children) >= FEWEST:
            _fold(scope, reader)
            fold_parallels(scope, selection)
        # Of equal blocks the first is drawn; what the others hold is folded with it, or not at all.
        drawn = scope.children[:1] if scope.kind == "repeat" else scope.children
        waiting += [child for child in drawn if not child.is_operation]
    for scope in reversed([part for part in root.parts() if not part.is_operation]):
        scope.children = [_bare(child) for child in scope.children]
        for child in scope.children:
            child.parent = scope
    settle(root)


def name_classes(root: Part, selection: Selection) -> None:
    """Give equal parts equal keys: the same operations, attributes and weights' shapes, in the same order."""
    classes: dict[object, int] = {}
    for part in reversed(list(root.parts())):
        inner = tuple(child.key for child in part.children)
        essence = _essence(selection, part) if part.is_operation else (part.kind, part.count, inner)
        part.key = classes.setdefault(essence, len(classes))


def complete_classes(root: Part) -> None:
    """Give keys to parts that were made since `name_classes`; the others keep theirs."""
    for part in reversed(list(root.parts())):
        if part.key is None:
            part.key = (part.kind, part.count, tuple(child.key for child in part.children))


def _essence(selection: Selection, part: Part) -> object:
    operations = selection.flow.operations
    operation = operations[part.operation]
    weights = [operations[index] for index in selection.weights.get(part.operation, ())]
    shapes = tuple(shape.dims for weight in weights if (shape := boxes.weight_shape(weight)).rank)
    return operation.op, tuple(boxes.attributes(operation, [boxes.weight_shape(weight) for weight in weights])), shapes


def _fold(scope: Part, reader: _Reader) -> None:
    children, folded = scope.children, []
    reader.enter(scope)
    index = 0
    while index < len(children):
        period, count = _run_at(children, index, reader)
        if count >= FEWEST:
            folded.append(_repeat(scope, children[index : index + period * count], period))
            index += period * count
        else:
            folded.append(children[index])
            index += 1
    scope.children = folded


def _bare(part: Part) -> Part:
    """Return the run that a found level holds and nothing else, or the part itself."""
    is_found = part.kind in ("group", "block") and len(part.children) == 1 and part.children[0].kind == "repeat"
    return part.children[0] if is_found else part


def _run_at(parts: Sequence[Part], start: int, reader: _Reader) -> tuple[int, int]:
    """Return period and number of the run of equal blocks that begins at a place and covers most."""
    best = (1, 1)
    for period in range(1, min(LONGEST_PERIOD, (len(parts) - start) // FEWEST) + 1):
        if best[1] >= FEWEST and period % best[0] == 0:
            continue  # the same run, counted in pairs
        count = reader.longest_run(parts, start, period)
        if period * count > max(best[0] * best[1], period) and count >= reader.fewest(parts[start : start + period]):
            best = (period, count)
    return best


def _count(parts: Sequence[Part], start: int, period: int, most: int) -> int:
    """Return how many equal blocks follow one another, of so many at most."""
    keys = [part.key for part in parts[start : start + period]]
    count = 1
    while count < most and [part.key for part in parts[start + count * period : start + (count + 1) * period]] == keys:
        count += 1
    return count


def _repeat(scope: Part, members: Sequence[Part], period: int) -> Part:
    blocks = []
    for start in range(0, len(members), period):
        block = members[start : start + period]
        blocks.append(block[0] if period == 1 else gather(scope, block, "block", span_name(block)))
    repeat = gather(scope, blocks, "repeat", f"{blocks[0].name} … {blocks[-1].name}")
    repeat.count = len(blocks)
    for parts in zip(*(block.parts() for block in blocks), strict=True):
        parts[0].twins += parts[1:]
    return repeat


class _Run(NamedTuple):
    """A run of blocks among the children of a scope: where it begins, how many parts a block has, how many blocks."""

    start: int
    period: int
    blocks: int


class _Reader:
    """The edges of a selection, by the operation that reads or is read."""

    def __init__(self, selection: Selection) -> None:
        self.reads: dict[int, list[tuple[int, str]]] = {}
        self.is_read_by: dict[int, list[int]] = {}
        self.operations = selection.flow.operations
        self._inside: dict[Part, list[int]] = {}
        self._place: dict[int, tuple[int, int]] = {}
        for link in selection.links:
            self.reads.setdefault(link.target, []).append((link.source, link.kind))
            self.is_read_by.setdefault(link.source, []).append(link.target)

    def fewest(self, block: Sequence[Part]) -> int:
        """Return how many blocks like this one make a run."""
        products = (
            families.is_product(self.operations[index].op) for part in block for index in self._operations(part)
        )
        return FEWEST if sum(products) > 1 else FEWEST_LAYERS

    def enter(self, scope: Part) -> None:
        """Look for runs among the children of a scope from now on."""
        self._place = {
            index: (number, rank)
            for number, child in enumerate(scope.children)
            for rank, index in enumerate(self._operations(child))
        }

    def longest_run(self, parts: Sequence[Part], start: int, period: int) -> int:
        """Return how many equal blocks hang together as a run; 1 if they do not."""
        if _count(parts, start, period, FEWEST) < FEWEST or not self._is_run(parts, _Run(start, period, FEWEST)):
            return 1  # what two blocks do not do, more do not either
        count = _count(parts, start, period, _MOST)
        for fewer in range(count, max(count - _TRIES, FEWEST - 1), -1):
            if self._is_run(parts, _Run(start, period, fewer)):
                return fewer
        return 1

    def _is_run(self, parts: Sequence[Part], run: _Run) -> bool:
        for first in range(run.start, run.start + run.period):
            inside = [self._operations(parts[first + run.period * number]) for number in range(run.blocks)]
            for twins in zip(*inside, strict=True):
                if not (self._are_read_within(twins[:-1], run) and self._read_alike(twins, run)):
                    return False
        return True

    def _where(self, index: int, run: _Run) -> tuple[int, tuple[int, int]] | None:
        """Return the number of the block that an operation is in, and its place there; None outside the run."""
        child, rank = self._place.get(index, (-1, 0))
        number, within = divmod(child - run.start, run.period)
        return (number, (within, rank)) if 0 <= number < run.blocks and child >= 0 else None

    def _operations(self, part: Part) -> list[int]:
        if part not in self._inside:
            self._inside[part] = list(part.operations())
        return self._inside[part]

    def _read_alike(self, twins: Sequence[int], run: _Run) -> bool:
        """Say whether operations at one place of their blocks read alike."""
        reads = [self.reads.get(index, []) for index in twins]
        if len({tuple(kind for _, kind in read) for read in reads}) > 1:
            return False
        return all(self._is_alike([source for source, _ in column], run) for column in zip(*reads, strict=True))

    def _are_read_within(self, twins: Sequence[int], run: _Run) -> bool:
        """Say whether nothing outside the run reads these operations of all blocks but the last."""
        return all(self._where(reader, run) for index in twins for reader in self.is_read_by.get(index, ()))

    def _is_alike(self, sources: Sequence[int], run: _Run) -> bool:
        """Say whether all blocks read the same outside value, the same place of their own, or of the block before."""
        places = [self._where(source, run) for source in sources]
        if places[0] is not None:
            return all(place == (number, places[0][1]) for number, place in enumerate(places))
        if len(set(sources)) == 1:
            return True
        second = places[1]
        return second is not None and all(place == (number, second[1]) for number, place in enumerate(places[1:]))
