"""What a user knows that a model does, and wants: `OP`, or `OP:PATH`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from graphsurgeon.scanning.finding import Threat


def is_allowed(threat: Threat, allow: Iterable[str]) -> bool:
    """Say whether a finding is of an op that is allowed, on nothing but what it is allowed to act on."""
    pairs = [item.partition(":") for item in allow]
    return any(op == threat.op and (not colon or _is_within(threat, path)) for op, colon, path in pairs)


def parse(lines: Sequence[str]) -> list[str]:
    """Return the items of an allow file: one a line, `#` begins a comment."""
    items = [line.partition(" #")[0].strip() for line in lines]
    return [item for item in items if item and not item.startswith("#")]


def _is_within(threat: Threat, pattern: str) -> bool:
    targets = threat.targets or ((threat.target,) if threat.target is not None else ())
    return bool(targets) and all(_matches(target, pattern) for target in targets)


def _matches(target: str, pattern: str) -> bool:
    plain = target.removeprefix("file://")
    return pattern in (target, plain) or (".." not in plain and fnmatchcase(plain, pattern))
