"""The words of a pattern, and errors that point at one of them."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from graphsurgeon.errors import UsageError, plural

MOST_CHARACTERS = 1 << 22  # of a file of rules
_MOST_DIGITS = 40  # of a number: longer ones are no weights, and Python takes its time to read them
_SHOWN = 100  # characters of a line that a caret stands under

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|\#[^\n]*)
    | (?P<number>(?:\d+\.(?!\.)\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<text>'[^'\n]*'|"[^"\n]*")
    | (?P<sign>\.\.\.|=>|==|!=|<=|>=|//|[()\[\]{},;:=<>&|!~?*$@.+\-/%])
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """A word: its kind ("number", "name", "text", "sign", "end"), text, value, and where it begins."""

    kind: str
    text: str
    at: int
    value: int | float | str = ""


class PatternError(UsageError):
    """A pattern or rule that cannot be read, or not be used as it is; `excerpt` points at the place."""

    def at(self, path: object) -> PatternError:
        """Leave out which model was asked: the mistake is in the pattern. `of` names a file of rules."""
        return self

    def of(self, path: object) -> PatternError:
        """Name the file that the text is from. Returns self, for `raise error.of(path)`."""
        self.path = str(path)
        return self


def error_at(text: str, at: int, message: str, *, hint: str = "") -> PatternError:
    """Return the error about a place in a text: the message is one line, `excerpt` has the text's line and a caret."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line, column = text[start : end if end >= 0 else len(text)], at - start
    cut = max(0, column - _SHOWN // 2)
    shown = line[cut : cut + _SHOWN].replace("\t", " ")
    number = text.count("\n", 0, at) + 1
    where = f"line {number}, column {column + 1}: " if "\n" in text.strip("\n") else f"column {column + 1}: "
    error = PatternError(where + message, hint=hint)
    error.excerpt = f"  {shown}\n  {' ' * (column - cut)}^"
    return error


def tokens_of(text: str) -> list[Token]:
    """Return the words of a text, and an end.

    Raises:
        PatternError: something is no word, or the text is too long.
    """
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"a text of {plural(len(text), 'character')} is too long for rules")
    found = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            what = "the text does not end" if text[at] in "'\"" else f"{text[at]!r} means nothing here"
            raise error_at(text, at, what)
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(Token(kind, match.group(), at, _value(kind, match.group(), text, at)))
        at = match.end()
    found.append(Token("end", "", len(text.rstrip())))
    return found


def _value(kind: str, word: str, text: str, at: int) -> int | float | str:
    if kind == "text":
        return word[1:-1]
    if kind != "number":
        return word
    if len(word) > _MOST_DIGITS:
        raise error_at(text, at, f"a number of {len(word)} characters is too long")
    value = int(word) if word.isdecimal() else float(word)
    if math.isinf(value):
        raise error_at(text, at, f"{word} is larger than any number")
    return value
