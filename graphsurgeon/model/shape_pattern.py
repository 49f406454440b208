"""Patterns that select shapes, as people write them on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphsurgeon.errors import UsageError
from graphsurgeon.model.shape import Shape

_UNKNOWN = ("?", "none", "-1")
_ANY = "*"
_REST = "..."


def shape_matcher(pattern: str, *, maybe: bool = False) -> Callable[[Shape], bool]:
    """Return a test for shapes.

    Args:
        pattern: dimensions between commas, brackets and spaces ignored: a number matches itself, `?`, `None` and
            `-1` an unknown dimension, `*` any one dimension, `...` any number of them; `()` is a scalar.
        maybe: a dimension or rank that is not known matches too.

    Raises:
        UsageError: the pattern is none.
    """
    parts = _parse(pattern)
    return lambda shape: maybe if shape.dims is None else _match(parts, shape.dims, maybe)


def _parse(pattern: str) -> list[str]:
    inner = "".join(letter for letter in pattern if letter not in "()[]{} ").strip(",")
    parts = [part.lower() for part in inner.split(",")] if inner else []
    for part in parts:
        if part not in (*_UNKNOWN, _ANY, _REST) and not part.isdecimal():
            raise UsageError(
                f"--shape {pattern!r}: {part!r} is no dimension",
                hint="use numbers, ?, None, *, ... as in --shape None,512",
            )
    return parts


def _match(parts: Sequence[str], dims: Sequence[int | None], maybe: bool) -> bool:
    if not parts:
        return not dims
    first, rest = parts[0], parts[1:]
    if first == _REST:
        return any(_match(rest, dims[start:], maybe) for start in range(len(dims) + 1))
    return bool(dims) and _match_one(first, dims[0], maybe) and _match(rest, dims[1:], maybe)


def _match_one(part: str, dim: int | None, maybe: bool) -> bool:
    if part == _ANY:
        return True
    if part in _UNKNOWN:
        return dim is None
    return dim == int(part) or (maybe and dim is None)
