"""Levels that names do not give: parts that share the beginning of their names, layers, and blocks between cuts.

Every level found here is an interval of its scope's parts in an order in which all edges point forward, so that
drawing it as one box makes no cycle.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from math import ceil

from graphsurgeon.model.traversal import in_postorder
from graphsurgeon.ops.kinds import PADS
from graphsurgeon.render.arrange.levels import Joints, Part, PartKind, settle
from graphsurgeon.render.choose.select import Selection
from graphsurgeon.render.scene import families

MANY = 12  # parts of one scope; fewer need no further level
_FEW = 40  # parts of one scope that are wanted; where more are, stretches have about `MANY` of them
_LEAST_STRETCH = 2
_UNEVEN = 1.3  # stretches are cut where it suits, so that some are longer than others
_MOST_PREFIX_SHARE = 0.9  # a group that holds nearly everything says nothing
_SHORT_EDGE = 8  # parts that an edge may pass and still belong to a block, where long edges hide all cuts
_TAIL_NAME = re.compile(
    r"(^|[/_])(bn|batch_?norm\w*|\w*norm(alization)?|relu\w*|activation|dropout|gelu|swish|silu)(_?\d+)?$"
)
_TAIL_FAMILIES = frozenset({"math", "normalization", "activation", "reduction"})
_PADS = PADS | {"PAD", "PADV2", "MIRROR_PAD"}


def find_levels(root: Part, selection: Selection, outside: Collection[int] = ()) -> None:
    """Add the levels that names do not give, in place.

    Args:
        root: of the scopes.
        selection: what they hold.
        outside: operations directly in the root that belong to no level: inputs.
    """
    outside = frozenset(outside)
    apart = [child for child in root.children if child.operation in outside]
    root.children = [child for child in root.children if child.operation not in outside]
    _order(root, Joints(root, selection.links))
    for scope in _scopes(root):
        _group_by_prefix(scope)
    joints = Joints(root, selection.links)
    for scope in _scopes(root):
        _Layers(scope, joints, selection).fuse()
    joints = Joints(root, selection.links)
    for scope in _scopes(root):
        if len(scope.children) > MANY:
            _cut_into_blocks(scope, joints)
    root.children = [*apart, *root.children]
    settle(root)


def gather(parent: Part, members: Sequence[Part], kind: PartKind, name: str) -> Part:
    """Return a new part with these members; the caller enters it among the parent's children."""
    found = Part(kind, name, f"{parent.path}/{name}" if parent.path else name, parent)
    found.is_named = False
    found.children = list(members)
    for member in members:
        member.parent = found
    return found


def common_name(names: Sequence[str]) -> str:
    """Return what names have in common, whole tokens only."""
    tokens = [_tokens(name) for name in names]
    shared: list[str] = []
    for column in zip(*tokens, strict=False):
        if len(set(column)) > 1:
            break
        shared.append(column[0])
    return "".join(shared).rstrip("_-./")


def span_name(members: Sequence[Part]) -> str:
    """Name parts by what their names share, else by the first and the last."""
    names = [member.name for member in members]
    return common_name(names) or f"{_scope_name(names[0])} … {_scope_name(names[-1])}"


def block_name(members: Sequence[Part]) -> str:
    """Name a block by what its parts' names share, else by where its branches meet."""
    return common_name([member.name for member in members]) or _scope_name(members[-1].name)


def _scope_name(name: str) -> str:
    return name.rpartition("/")[0] or name


def _scopes(root: Part) -> list[Part]:
    return [part for part in root.parts() if not part.is_operation]


def _order(root: Part, joints: Joints) -> None:
    """Sort the parts of every scope so that edges point forward; a cycle between scopes stays as it is."""
    for scope in _scopes(root):
        inside = set(scope.children)

        def before(part: Part, inside: set[Part] = inside) -> list[Part]:
            return [other for other in joints.before.get(part, ()) if other in inside]

        scope.children = list(in_postorder(scope.children, before))


def _group_by_prefix(scope: Part) -> None:
    if len(scope.children) <= MANY:
        return
    tokens = [_tokens(child.name) if not child.is_operation or "/" in child.name else [] for child in scope.children]
    if not any(tokens):
        tokens = [_tokens(child.name) for child in scope.children]
    groups = _runs(scope.children, tokens, 1)
    if len(groups) < 2 or len(groups) > 0.8 * len(scope.children):
        return
    _regroup(scope, groups, "group", span_name)
    for group in scope.children:
        if group.kind == "group":
            _group_by_prefix(group)


def _runs(parts: Sequence[Part], tokens: Sequence[list[str]], length: int) -> list[list[Part]]:
    """Return the runs of parts whose first tokens agree, of as many tokens as it takes to tell some apart."""
    runs: list[list[Part]] = []
    before: list[str] | None = None
    for part, names in zip(parts, tokens, strict=True):
        key = names[: max(length, _numbered(names))]
        if before is not None and key == before and key:
            runs[-1].append(part)
        else:
            runs.append([part])
        before = key
    is_finer_known = any(len(names) > length for names in tokens)
    if max(map(len, runs)) > _MOST_PREFIX_SHARE * len(parts) and is_finer_known and length < 8:
        return _runs(parts, tokens, length + 1)
    return runs


def _numbered(tokens: Sequence[str]) -> int:
    """Return how many tokens there are up to the first number, which tells siblings apart; 0 if there is none."""
    return next((place for place, token in enumerate(tokens, 1) if token[-1].isdigit()), 0)


def _tokens(name: str) -> list[str]:
    """Split `block_1_expand` into `block_1`, `_expand`: a number belongs to a word that has none."""
    pieces = re.findall(r"[_\-./]*[^_\-./]+", name)
    found: list[str] = []
    for piece in pieces:
        is_number = piece.strip("_-./").isdigit()
        if found and is_number and not found[-1][-1].isdigit():
            found[-1] += piece
        else:
            found.append(piece)
    return found


def _regroup(
    scope: Part, groups: Sequence[Sequence[Part]], kind: PartKind, name: Callable[[Sequence[Part]], str]
) -> None:
    children: list[Part] = []
    for members in groups:
        if len(members) == 1 or len(groups) == 1:
            children += members
        else:
            children.append(gather(scope, members, kind, name(members)))
    scope.children = children


class _Layers:
    """Fuses chains: an operation and what only biases, normalizes or activates its result."""

    def __init__(self, scope: Part, joints: Joints, selection: Selection) -> None:
        self.scope = scope
        self.joints = joints
        self.selection = selection
        self.names: list[str] = []

    def fuse(self) -> None:
        chains: list[list[Part]] = []
        ends: dict[Part, list[Part]] = {}
        for part in self.scope.children:
            before = self._only_before(part)
            chain = ends.pop(before, None) if before is not None and self._follows(before, part) else None
            if chain is None:
                chain = []
                chains.append(chain)
            chain.append(part)
            ends[part] = chain
        if len(chains) == 1 and len(chains[0]) > 1:
            self.scope.kind = "layer" if self.scope.kind in ("scope", "group") else self.scope.kind
        elif any(len(chain) > 1 for chain in chains):
            self.names = sorted(child.name for child in self.scope.children)
            _regroup(self.scope, chains, "layer", self._name)

    def _name(self, members: Sequence[Part]) -> str:
        """Name a layer by what its parts' names share, if no other part of the scope shares it; else by its head."""
        head = next((member for member in members if not self._consists_of(member, _is_minor)), members[0])
        shared = common_name([member.name for member in members])
        # In order, names with one beginning stand together; there are more of them than members where others share it.
        after = bisect_left(self.names, shared) + len(members)
        is_ambiguous = after < len(self.names) and self.names[after].startswith(shared)
        return shared if shared and not is_ambiguous else _scope_name(head.name)

    def _only_before(self, part: Part) -> Part | None:
        """Return the sibling that a part reads, if that is all it reads and nothing else reads that."""
        before = list(self.joints.before.get(part, ()))
        if len(before) != 1 or part in self.joints.enters or before[0] in self.joints.leaves:
            return None
        return before[0] if len(self.joints.after.get(before[0], ())) == 1 else None

    def _follows(self, before: Part, part: Part) -> bool:
        if self._consists_of(before, lambda op: op in _PADS):
            return self._is_windowed(part)
        if not self._may_head(before):
            return False
        if part.title:
            return part.family not in ("dense", "recurrent")
        if self._consists_of(part, families.is_pointwise):
            return self._is_chain(part)
        return bool(_TAIL_NAME.search(part.name.lower())) and self._consists_of(
            part, lambda op: families.family(op) in _TAIL_FAMILIES
        )

    def _may_head(self, part: Part) -> bool:
        """Say whether a part is small enough for a layer: one product or convolution, with what belongs to it."""
        operations = self.selection.flow.operations
        return part.size < MANY and sum(families.is_product(operations[i].op) for i in part.operations()) <= 1

    def _is_windowed(self, part: Part) -> bool:
        """Say whether a part begins with what padding is for: a convolution or pooling."""
        first = next(part.operations())
        op = self.selection.flow.operations[first].op
        return families.family(op) in ("convolution", "pooling") and self._consists_of(
            part, lambda other: other == op or families.is_pointwise(other)
        )

    def _consists_of(self, part: Part, is_of: Callable[[str], bool]) -> bool:
        operations = self.selection.flow.operations
        return part.size < MANY and all(is_of(operations[index].op) for index in part.operations())

    def _is_chain(self, part: Part) -> bool:
        """Say whether every operation inside reads one thing that is drawn."""
        inside = [child for child in part.parts() if not child.is_operation]
        inside = [scope for scope in inside if not scope.title]
        return all(len(self.joints.before.get(child, ())) <= 1 for scope in inside for child in scope.children)


def _is_minor(op: str) -> bool:
    return op in _PADS or families.is_pointwise(op)


def _cut_into_blocks(scope: Part, joints: Joints) -> None:
    """Group what lies between two cuts, where only one value passes on from all that came before."""
    parts = scope.children
    for longest in (len(parts), 2 * _SHORT_EDGE, _SHORT_EDGE):
        groups = _blocks(parts, _crossing(parts, joints, longest))
        sizes = [len(group) for group in groups if len(group) > 1]
        if len(sizes) > 1 and max(sizes) <= len(parts) / 2:
            _regroup(scope, groups, "block", block_name)
            return


def _blocks(parts: Sequence[Part], crossing: Sequence[int]) -> list[list[Part]]:
    groups: list[list[Part]] = [[]]
    for part, crossed in zip(parts, crossing, strict=True):
        groups[-1].append(part)
        if crossed <= 1:
            groups.append([])
    return [group for group in groups if group]


def _crossing(parts: Sequence[Part], joints: Joints, longest: int) -> list[int]:
    """Return for every part how many of the parts up to it are still read by later ones.

    What is read in many places far apart (a mask, a position) does not count, nor do edges beyond `longest`.
    """
    place = {part: index for index, part in enumerate(parts)}
    change = [0] * (len(parts) + 1)
    for part, start in place.items():
        readers = sorted(place[other] for other in joints.after.get(part, ()) if other in place)
        near = [end for end in readers if 0 < end - start <= longest]
        is_shared = len(readers) >= 4 and readers[-1] - start > len(parts) / 3
        if near and not is_shared:
            change[start] += 1
            change[near[-1]] -= 1
    found, live = [], 0
    for step in change[:-1]:
        live += step
        found.append(live)
    return found


def limit_width(root: Part, selection: Selection, most: int, outside: Collection[int] = ()) -> None:
    """Divide scopes with more parts than can be looked at into stretches, cut where least passes on; in place.

    Where few are wanted, stretches are as short as they may be, so that the picture says as much as it can.

    Args:
        root: of the scopes.
        selection: what they hold.
        most: parts of one scope.
        outside: as `find_levels` takes it.
    """
    outside = frozenset(outside)
    apart = [child for child in root.children if child.operation in outside]
    root.children = [child for child in root.children if child.operation not in outside]
    joints = Joints(root, selection.links)
    for scope in _scopes(root):
        while len(scope.children) > most:
            members = scope.children
            size = MANY if most > _FEW else max(_LEAST_STRETCH, ceil(_UNEVEN * len(members) / most))
            stretches = _stretches(members, _crossing(members, joints, len(members)), size)
            if len(stretches) == 1:
                break
            _regroup(scope, stretches, "group", span_name)
            joints.inherit(scope.children, members)
    root.children = [*apart, *root.children]
    settle(root)


def _stretches(parts: Sequence[Part], crossing: Sequence[int], size: int) -> list[list[Part]]:
    """Return stretches of about so many parts, of half as many at least and twice as many at most."""
    groups: list[list[Part]] = []
    start = 0
    while start < len(parts):
        ends = range(start + size // 2, min(start + 2 * size, len(parts)))
        end = min(ends, key=lambda index: (crossing[index], abs(index - start - size)), default=len(parts) - 1)
        end = len(parts) - 1 if len(parts) - end <= size // 2 else end
        groups.append(list(parts[start : end + 1]))
        start = end + 1
    return groups
