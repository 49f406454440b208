"""Which drawn operation of one model is which of another, calls opened: also where one has functions, the other none.

A frozen model has its functions inlined, and a converted one may have other names: compared file by file nearly all of
it would be new. What is drawn of the two is alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping

from graphsurgeon.compare.alignment import Alignment
from graphsurgeon.model.graph import Graph
from graphsurgeon.ops.kinds import CONSTANTS, VARIABLES
from graphsurgeon.render.choose.flow import Drawn, is_empty_name
from graphsurgeon.render.picture import Picture

_ROUNDS = 50  # along the edges; each pairs all that the one before made sure


def pair_drawn(before: Picture, after: Picture, alignments: Mapping[Graph, Alignment]) -> dict[int, int]:
    """Return the drawn operations of the second picture that have a partner -> that, as indices of operations.

    Args:
        before, after: the two pictures; of each only what is drawn has a partner.
        alignments: graph of the first -> how its nodes correspond to those of its partner.
    """
    return _Pairing(before, after, alignments).run()


def is_frozen(before: Picture, after: Picture, old: int, new: int) -> bool:
    """Say whether the variables that an operation read have become constants."""
    ops = [
        Counter(picture.selection.flow.operations[weight].op for weight in picture.selection.weights.get(index, ()))
        for picture, index in ((before, old), (after, new))
    ]
    had, has = (sum(count for op, count in counts.items() if op in VARIABLES) for counts in ops)
    return had > 0 and has == 0 and any(op in CONSTANTS for op in ops[1])


def is_changed(old: Drawn, new: Drawn) -> bool:
    """Say whether two operations that correspond differ in an attribute that matters."""
    if old.node is None or new.node is None:
        return False
    attrs = [{key: node.attrs[key] for key in node.attrs if not key.startswith("_")} for node in (old.node, new.node)]
    shared = attrs[0].keys() & attrs[1].keys()
    return any(repr(attrs[0][key]) != repr(attrs[1][key]) for key in shared)


def is_renamed(old: Drawn, new: Drawn) -> bool:
    """Say whether an operation has another name; that of the call that it was in does not count."""
    return _telling(old) != _telling(new)


class _Pairing:
    def __init__(self, before: Picture, after: Picture, alignments: Mapping[Graph, Alignment]) -> None:
        self.sides = (before, after)
        self.operations = tuple(picture.selection.flow.operations for picture in self.sides)
        self.alignments = alignments
        self.found: dict[int, int] = {}
        self.taken: set[int] = set()
        self.sources: tuple[dict[int, list[int]], ...] = ({}, {})
        for side, picture in enumerate(self.sides):
            for link in picture.selection.links:
                if link.kind not in ("loop", "control", "removed"):
                    self.sources[side].setdefault(link.target, []).append(link.source)

    def run(self) -> dict[int, int]:
        partners = {
            partner: node for alignment in self.alignments.values() for node, partner in alignment.nodes.items()
        }
        self.pair(lambda one: one.node, lambda one: partners.get(one.node) if one.node is not None else None)
        self.pair(lambda one: (one.op, _telling(one)))
        self.pair(lambda one: (one.op, _telling(one)[-2:]), several=False)
        self.pair_inputs()
        for _ in range(_ROUNDS):
            before = len(self.found)
            self.pair_by_sources()
            if len(self.found) == before:
                break
        return self.found

    def pair(
        self,
        key: Callable[[Drawn], Hashable],
        other: Callable[[Drawn], Hashable] | None = None,
        *,
        several: bool = True,
    ) -> None:
        """Pair what has the same key: the first of one side with the first of the other; or only what is alone."""
        left = self._by_key(0, key, (i for i in self.sides[0].selection.order if i not in self.taken))
        right = self._by_key(1, other or key, (i for i in self.sides[1].selection.order if i not in self.found))
        for name, indices in right.items():
            partners = left.get(name, [])
            if several or len(partners) == len(indices) == 1:
                self._enter(zip(indices, partners, strict=False))

    def pair_inputs(self) -> None:
        """Pair inputs by their keys, which may be the names of tensors; what is left in order, if it is as many."""
        ends = [{end.key.split(":")[0]: end.sources for end in picture.ends.inputs} for picture in self.sides]
        free = [
            {key: sources for key, sources in side.items() if sources and known.isdisjoint(sources)}
            for side, known in zip(ends, (self.taken, set(self.found)), strict=True)
        ]
        for key in list(free[1]):
            if key in free[0]:
                self._enter(zip(free[1].pop(key)[:1], free[0].pop(key)[:1], strict=True))
        if len(free[0]) == len(free[1]):
            self._enter((new[0], old[0]) for new, old in zip(free[1].values(), free[0].values(), strict=True))

    def pair_by_sources(self) -> None:
        """Pair what has the same op and reads the same, all of which has its partner."""
        taken = {old: new for new, old in self.found.items()}

        def key(side: int, index: int) -> Hashable:
            read = self.sources[side].get(index, [])
            known = [source if side else taken.get(source) for source in read]
            if not known or any(one is None or (side and one not in self.found) for one in known):
                return None
            return self.operations[side][index].op, tuple(known)

        left = self._by_key(0, lambda one: key(0, one.index), self._free(0))
        right = self._by_key(1, lambda one: key(1, one.index), self._free(1))
        for name, indices in right.items():
            self._enter(zip(indices, left.get(name, []), strict=False))

    def _free(self, side: int) -> list[int]:
        known = self.found if side else self.taken
        return [index for index in self.sides[side].selection.order if index not in known]

    def _by_key(self, side: int, key: Callable[[Drawn], Hashable], indices: Iterable[int]) -> dict[Hashable, list[int]]:
        found: dict[Hashable, list[int]] = {}
        for index in indices:
            name = key(self.operations[side][index])
            if name is not None:
                found.setdefault(name, []).append(index)
        return found

    def _enter(self, pairs: Iterable[tuple[int, int]]) -> None:
        for new, old in pairs:
            self.found[new] = old
            self.taken.add(old)


def _telling(operation: Drawn) -> tuple[str, ...]:
    """Return the name of an operation with its scopes, without those that only say that there was a call."""
    return tuple(segment for segment in operation.path if not is_empty_name(segment)) or operation.path
