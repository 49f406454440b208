"""Which function of one MetaGraph corresponds to which of another.

By name; then by what only one function on either side is like (TensorFlow numbers functions anew at every save);
then by who calls them, by where the object graph has them, and last in file order among those alike.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice

from graphsurgeon.compare.alignment import Alignment, align
from graphsurgeon.compare.diff.objects import object_paths
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph

_NUMBERED = re.compile(r"(_\d+)+$")

Key = Callable[[Graph], Hashable]


def align_metagraphs(before: MetaGraph, after: MetaGraph) -> tuple[dict[Graph, Graph], dict[Graph, Alignment]]:
    """Return which function is which, and for each graph of the first how its nodes correspond."""
    pairs = _Pairs(before, after)
    pairs.add((function, after.functions.get(name)) for name, function in before.functions.items())
    for key in (_base_and_outline, _outline, _base):
        pairs.add_alike(key, several=False)
    pairs.follow_calls((before.graph, after.graph))
    pairs.add(_by_objects(before, after))
    pairs.follow_calls()
    for key in (_base_and_outline, _outline):
        pairs.add_alike(key, several=True)
    pairs.follow_calls()
    return pairs.functions, pairs.alignments


class _Pairs:
    """The pairs found so far.

    Attributes:
        functions: function of the first -> function of the second.
        alignments: graph of the first -> how its nodes correspond.
    """

    def __init__(self, before: MetaGraph, after: MetaGraph) -> None:
        self._before = before
        self._after = after
        self._known = set(before.functions.values())
        self._taken: set[Graph] = set()
        self.functions: dict[Graph, Graph] = {}
        self.alignments: dict[Graph, Alignment] = {}

    def add(self, pairs: Iterable[tuple[Graph, Graph | None]]) -> None:
        """Enter pairs of functions, neither of which has a partner yet."""
        for function, partner in pairs:
            is_free = function in self._known and function not in self.functions
            if is_free and partner is not None and partner not in self._taken:
                self.functions[function] = partner
                self._taken.add(partner)

    def add_alike(self, key: Key, *, several: bool) -> None:
        """Pair functions of equal keys, one with one; `several` also as many with as many, in file order."""
        groups: dict[Hashable, tuple[list[Graph], list[Graph]]] = {}
        for function in self._before.functions.values():
            if function not in self.functions:
                groups.setdefault(key(function), ([], []))[0].append(function)
        for function in self._after.functions.values():
            if function not in self._taken:
                groups.setdefault(key(function), ([], []))[1].append(function)
        for ours, theirs in groups.values():
            if len(ours) == len(theirs) and (several or len(ours) == 1):
                self.add(zip(ours, theirs, strict=True))

    def follow_calls(self, *graphs: tuple[Graph, Graph]) -> None:
        """Align the graphs of all pairs, and pair what paired nodes call, until there is no more."""
        waiting = deque([*graphs, *self.functions.items()])
        while waiting:
            graph, partner = waiting.popleft()
            if graph in self.alignments:
                continue
            self.alignments[graph] = align(graph, partner, self.functions)
            before = len(self.functions)
            self.add(_called(self.alignments[graph]))
            found = islice(reversed(self.functions.items()), len(self.functions) - before)
            waiting.extend(reversed(list(found)))


def _called(alignment: Alignment) -> Iterator[tuple[Graph, Graph]]:
    """Yield the functions that paired nodes name at the same place."""
    if not (alignment.before.metagraph.functions and alignment.after.metagraph.functions):
        return
    for node, partner in alignment.nodes.items():
        if node.op == partner.op or node.callee is not None:
            yield from zip(node.functions, partner.functions, strict=False)


def _by_objects(before: MetaGraph, after: MetaGraph) -> Iterator[tuple[Graph, Graph]]:
    """Yield the functions that objects of one path name."""
    if before.objects is None or after.objects is None:
        return
    others = {path: node for node, path in object_paths(after.objects).items()}
    for node, path in object_paths(before.objects).items():
        for one, other in zip(node.functions, others[path].functions if path in others else (), strict=False):
            if isinstance(one, Graph) and isinstance(other, Graph):
                yield one, other


def _base(function: Graph) -> str:
    """Return the name of a function without the numbers that TensorFlow gives anew at every save."""
    return _NUMBERED.sub("", function.name)


def _outline(function: Graph) -> Hashable:
    counts = {op: count for op, count in function.op_counts.items() if op not in function.metagraph.functions}
    inputs = tuple((value.dtype, value.shape) for value in function.inputs)
    return tuple(sorted(counts.items())), inputs, tuple(output.dtype for output in function.outputs)


def _base_and_outline(function: Graph) -> Hashable:
    return _base(function), _outline(function)
