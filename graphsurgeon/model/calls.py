"""Calls with arguments that a function does not take, told in one line before anything is done."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from graphsurgeon.errors import UsageError

if TYPE_CHECKING:
    from types import CodeType

P = ParamSpec("P")
R = TypeVar("R")


def checked_call(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function say which arguments it takes where it is called with others."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        require_arguments(function, args, kwargs)
        return function(*args, **kwargs)

    return call


def require_fields(title: str, known: Collection[str], given: Mapping[str, Any]) -> None:
    """Refuse keyword arguments that are handed on, where none of the known ones is meant.

    Raises:
        UsageError: an argument is unknown.
    """
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise UsageError(f"{title} takes no argument {unknown!r}", hint=_meant(unknown, list(known)))


def require_arguments(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse what Python refuses with a TypeError.

    Raises:
        UsageError: an argument is unknown, given twice or by position, or missing.
    """
    code: CodeType = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    places = names[: code.co_argcount]
    is_method = places[:1] == ("self",)
    title, shown = function.__name__, [name for name in names if name != "self"]
    unknown = next((name for name in kwargs if name not in names), None)
    if unknown is not None:
        raise UsageError(f"{title} takes no argument {unknown!r}", hint=_meant(unknown, shown))
    if len(args) > len(places):
        count = len(places) - is_method
        others = ", ".join(f"{name}=" for name in shown[count:]) or "nothing else"
        what = f"{title} takes {count} of its arguments by position, not {len(args) - is_method}"
        raise UsageError(what, hint=f"by name: {others}")
    twice = next((name for name in places[: len(args)] if name in kwargs), None)
    if twice is not None:
        raise UsageError(f"{title}: the argument {twice!r} is given twice")
    optional = len(function.__defaults__ or ())
    needed = [*places[: len(places) - optional], *(set(names[len(places) :]) - {*(function.__kwdefaults__ or {})})]
    missing = [name for name in needed if name not in kwargs and name not in places[: len(args)]]
    if missing:
        raise UsageError(f"{title} needs {' and '.join(missing)}", hint=f"its arguments are {', '.join(shown)}")


def as_steps(given: Any) -> list[tuple[Any, Mapping[str, Any]]]:
    """Return steps of an edit: of one or several, each an operation and its arguments, or a function alone.

    Raises:
        UsageError: something is no step.
    """
    is_one = callable(given) or isinstance(given, str) or not isinstance(given, Iterable)
    is_one = is_one or (isinstance(given, tuple) and _is_step(given))
    found = []
    for step in [given] if is_one else given:
        pair = (step, {}) if callable(step) else step
        if not isinstance(pair, tuple | list) or not _is_step(pair):
            hint = '("rename", {"names": {"a": "b"}}) is one'
            raise UsageError(f"a step is an operation and its arguments, not {step!r}", hint=hint)
        found.append((pair[0], pair[1]))
    return found


def _is_step(pair: Any) -> bool:
    return len(pair) == 2 and (isinstance(pair[0], str) or callable(pair[0])) and isinstance(pair[1], Mapping)


def _meant(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 2)
    return f"did you mean {' or '.join(near)}?" if near else f"it takes {', '.join(known)}"
