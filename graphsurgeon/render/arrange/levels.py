"""A picture's levels: the tree of scopes that the names of operations make, functions and loops included.

Scopes that hold nothing but one scope are joined with it, so that a level is a choice and not a corridor.
Levels that names do not give are added by `blocks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from graphsurgeon.model.traversal import in_preorder
from graphsurgeon.render.choose.conditions import frame_condition, loop_condition
from graphsurgeon.render.choose.flow import OpenedCall, is_empty_name
from graphsurgeon.render.choose.select import Link, Selection

PartKind = Literal["scope", "call", "loop", "condition", "branch", "group", "layer", "block", "repeat", "operation"]


_LONGEST_REPEAT = 8  # scopes


class Part:
    """An operation, or a scope that holds parts.

    Attributes:
        kind: what it stands for; "group", "layer", "block" and "repeat" are found, not named.
        name: its name within its parent.
        path: its whole name.
        parent: None for the root.
        children: in the order of the flow; empty for an operation.
        operation: index of the operation; -1 for a scope.
        size: how many operations it holds.
        is_named: it stands for a scope by name, or an operation; False for what `blocks` and `repeats` find.
        depth: scopes by name around it; found levels do not count.
        count: of a repeat, how many equal blocks it stands for; 1 otherwise.
        title, family: of a construct that has a name of its own, and its colour; empty for others.
        about: of such a construct, its size in words; empty for others.
        condition: of a loop, what it goes on for; empty for others, and where that is not told.
        twins: of a part inside the drawn block of a repeat, the parts at its place in the other blocks.
    """

    __slots__ = (
        "about", "children", "condition", "count", "depth", "family", "is_named", "key", "kind", "name", "operation",
        "parent", "path", "position", "size", "title", "twins",
    )  # fmt: skip

    def __init__(self, kind: PartKind, name: str, path: str, parent: Part | None, operation: int = -1) -> None:
        self.kind: PartKind = kind
        self.name = name
        self.path = path
        self.parent = parent
        self.operation = operation
        self.children: list[Part] = []
        self.size = 1 if operation >= 0 else 0
        self.depth = 0
        self.is_named = True
        self.count = 1
        self.title = ""
        self.family = ""
        self.about = ""
        self.condition = ""
        self.twins: list[Part] = []
        self.position = 0
        self.key: object = None

    @property
    def is_operation(self) -> bool:
        """Say whether this is one operation."""
        return self.operation >= 0

    def operations(self) -> Iterator[int]:
        """Yield the operations it holds, in the order of the flow."""
        return (part.operation for part in self.parts() if part.is_operation)

    def parts(self) -> Iterator[Part]:
        """Yield this part and every part within, parents first."""
        return in_preorder([self], lambda part: part.children)

    def __repr__(self) -> str:
        return f"Part({self.kind}, {self.path!r}, {self.size})"


def build_levels(selection: Selection, outside: Sequence[int] = ()) -> Part:
    """Return the root of the scopes of a selection.

    Args:
        selection: what is drawn.
        outside: operations that stand in no scope: inputs.
    """
    root = Part("scope", "", "", None)
    scopes: dict[tuple[str, ...], Part] = {(): root}
    apart = set(outside)
    for index in selection.order:
        operation = selection.flow.operations[index]
        inside = () if index in apart else operation.path[:-1]
        parent = _scope(selection, scopes, inside)
        path = "/".join(operation.path)
        parent.children.append(Part("operation", operation.path[-1], path, parent, index))
    for operation in selection.flow.operations:
        if operation.op == "LoopCond" and operation.node is not None and operation.path[:-1] in scopes:
            scope = scopes[operation.path[:-1]]
            if scope is not root and scope.kind == "scope":
                scope.kind, scope.condition = "loop", frame_condition(operation.node)
    _move_into_own_scopes(scopes)
    _join(root)
    _open_only_scope(root, apart)
    settle(root)
    return root


def settle(root: Part) -> None:
    """Bring sizes, depths and positions up to date after children were moved."""
    parts = list(root.parts())
    for position, part in enumerate(parts):
        part.position = position
        if part.parent is not None:
            part.depth = part.parent.depth + part.is_named
    for part in reversed(parts):
        part.size = 1 if part.is_operation else sum(child.size for child in part.children)


class Joints:
    """How the parts of a tree hang together.

    Attributes:
        before, after: part -> the siblings it reads from, and is read by; loops and waiting aside.
        enters, leaves: parts that read from, or are read by, something outside their parent.
    """

    def __init__(self, root: Part, links: Sequence[Link]) -> None:
        self.before: dict[Part, dict[Part, None]] = {}
        self.after: dict[Part, dict[Part, None]] = {}
        self.enters: set[Part] = set()
        self.leaves: set[Part] = set()
        operations = {}
        level: dict[Part, int] = {}
        for part in root.parts():
            level[part] = 0 if part.parent is None else level[part.parent] + 1
            if part.is_operation:
                operations[part.operation] = part
        for link in links:
            if link.kind not in ("loop", "control", "condition", "removed") and link.source != link.target:
                self._join(operations.get(link.source), operations.get(link.target), level)

    def inherit(self, groups: Sequence[Part], members: Sequence[Part]) -> None:
        """Let groups that siblings were put into, some alone, read what these read."""
        alone = set(members)
        owner = {member: group for group in groups for member in ([group] if group in alone else group.children)}
        for member in members:
            source = owner[member]
            for other in list(self.after.get(member, ())):
                target = owner.get(other)
                if target is not None and target is not source:
                    self.after.setdefault(source, {})[target] = None
                    self.before.setdefault(target, {})[source] = None

    def _join(self, source: Part | None, target: Part | None, level: dict[Part, int]) -> None:
        if source is None or target is None:
            # The other end belongs to no level: an input.
            self.enters.update(_around(target))
            self.leaves.update(_around(source))
            return
        while source.parent is not target.parent:
            if level[source] >= level[target]:
                self.leaves.add(source)
                source = source.parent or source
            else:
                self.enters.add(target)
                target = target.parent or target
        if source is not target:
            self.after.setdefault(source, {})[target] = None
            self.before.setdefault(target, {})[source] = None


def _around(part: Part | None) -> Iterator[Part]:
    """Yield a part and all scopes around it."""
    while part is not None:
        yield part
        part = part.parent


def _scope(selection: Selection, scopes: dict[tuple[str, ...], Part], path: tuple[str, ...]) -> Part:
    missing = []
    while path not in scopes:
        missing.append(path)
        path = path[:-1]
    for path in reversed(missing):
        opened = selection.flow.scopes.get(path)
        kind: PartKind = "scope" if opened is None else opened.kind  # type: ignore[assignment]
        parent = scopes[path[:-1]]
        scopes[path] = Part(kind, _scope_name(path[-1], opened), "/".join(path), parent)
        if opened is not None and kind == "loop":
            scopes[path].condition = loop_condition(opened.node)
        parent.children.append(scopes[path])
    return scopes[path]


def _scope_name(segment: str, opened: OpenedCall | None) -> str:
    """Name a scope; a call without a name of its own by what it calls, which TensorFlow has decorated."""
    if opened is None or opened.kind != "call" or not is_empty_name(segment):
        return segment
    called = re.sub(r"^__inference_+|(_+\d+)+$", "", opened.function.name)
    return segment if not called or called.startswith("signature_wrapper") else called


def _move_into_own_scopes(scopes: dict[tuple[str, ...], Part]) -> None:
    """Put an operation that is named like a scope into it: `conv1/Relu` beside `conv1/Relu/...`."""
    by_path = {"/".join(path): part for path, part in scopes.items() if path}
    for scope in list(scopes.values()):
        kept = []
        for child in scope.children:
            own = by_path.get(child.path) if child.is_operation else None
            if own is None or own.parent is not scope:
                kept.append(child)
                continue
            child.parent = own
            own.children.append(child)
        scope.children = kept


def _join(root: Part) -> None:
    """Join every scope with the only scope or operation it holds, from the innermost outwards; the root stays."""
    for part in reversed(list(root.parts())):
        part.children = [_without_corridor(child) for child in part.children]
        for child in part.children:
            child.parent = part
    if len(root.children) == 1 and not root.children[0].is_operation:
        root.children = root.children[0].children
        for child in root.children:
            child.parent = root


def _without_corridor(part: Part) -> Part:
    if len(part.children) != 1 or part.kind == "loop":
        return part
    child = part.children[0]
    outer, inner = ([name for name in names.split("/") if not is_empty_name(name)] for names in (part.name, child.name))
    # What a function's nodes repeat of the call's name comes once: `while/while`, `a/b/a/b`.
    again = next((n for n in range(min(len(outer), len(inner), _LONGEST_REPEAT), 0, -1) if outer[-n:] == inner[:n]), 0)
    child.name = "/".join([*outer, *inner[again:]]) or child.name
    if part.kind not in ("scope", "call") and child.kind in ("scope", "call"):
        child.kind, child.condition = part.kind, part.condition
    return child


def _open_only_scope(root: Part, outside: set[int]) -> None:
    """Let the root be the one scope that holds everything but the inputs."""
    inner = [child for child in root.children if child.operation not in outside]
    while len(inner) == 1 and not inner[0].is_operation and inner[0].kind in ("scope", "call"):
        root.name, root.path = inner[0].name, inner[0].path
        root.children = [child for child in root.children if child is not inner[0]] + inner[0].children
        for child in inner[0].children:
            child.parent = root
        inner = inner[0].children
