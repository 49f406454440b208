"""Patterns that select names: a name itself, a glob over the whole name, or `re:` and a regular expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from graphsurgeon.errors import UsageError

REGEX = "re:"
_WILDCARDS = "*?["


def matcher(pattern: str, known: Callable[[str], bool] | None = None) -> Callable[[str], bool]:
    """Return a test for names.

    Args:
        pattern: a literal name wins over a glob: `a[0]` is the name `a[0]` where there is one. `*` crosses `/`.
            After `re:` a regular expression that is searched for anywhere in the name.
        known: says whether a name exists; without it a pattern with wildcards matches the name it spells, too.

    Raises:
        UsageError: the regular expression is none.
    """
    if pattern.startswith(REGEX):
        try:
            found = re.compile(pattern[len(REGEX) :]).search
        except re.error as error:
            raise UsageError(f"{pattern!r} is no regular expression: {error}") from None
        return lambda name: found(name) is not None
    literal = _literal(pattern)
    if not any(char in pattern for char in _WILDCARDS) or (known is not None and known(pattern)):
        return literal
    from fnmatch import fnmatchcase

    return lambda name: literal(name) or fnmatchcase(name, pattern)


def _literal(pattern: str) -> Callable[[str], bool]:
    """Return a test for one name, also as it is shown where it holds control characters: people copy what they see."""
    if "\\" not in pattern:
        return lambda name: name == pattern
    return lambda name: name == pattern or (not name.isprintable() and escape(name) == pattern)


def escape(text: object) -> str:
    r"""Return text that is safe on a terminal: control, bidirectional and unencodable characters as `\x1b`."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(char if char.isprintable() else _escaped(char) for char in shown)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as Python keeps it
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def suggest_pattern(pattern: str, names: Iterable[str]) -> str:
    """Return what may have been meant by a pattern that matches none of some names; empty if nothing comes to mind."""
    if pattern.startswith(REGEX) or any(char in pattern for char in _WILDCARDS):
        return ""
    from graphsurgeon.analysis.names import suggestion

    known = list(names)
    inside = next((name for name in known if pattern.lower() in name.lower()), None)
    if inside is not None:
        start = inside.lower().index(pattern.lower())
        return f"did you mean '*{inside[start : start + len(pattern)]}*'?"
    return suggestion(pattern, known)


def suggest_name(pattern: str, names: Iterable[str]) -> str:
    """Return the same where something has to match, and what there is where nothing comes to mind."""
    from graphsurgeon.analysis.names import near_or_all

    known = list(names)
    return suggest_pattern(pattern, known) or near_or_all(pattern, known)
