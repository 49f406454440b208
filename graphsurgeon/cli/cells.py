"""How much room a text takes on a terminal: Chinese, Japanese and Korean signs take two places, accents none."""

from __future__ import annotations

import unicodedata
from functools import cache


def cells(text: str) -> int:
    """Return how many places of a line a text takes."""
    return len(text) if text.isascii() else sum(map(_places, text))


def fitting_characters(text: str, room: int) -> int:
    """Return how many characters of a text have room in so many places; at least one."""
    if text.isascii():
        return room
    taken = 0
    for number, char in enumerate(text):
        taken += _places(char)
        if taken > room:
            return max(number, 1)
    return len(text)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return a text with spaces behind it, or before it, up to a width."""
    spaces = " " * (width - cells(text))
    return spaces + text if right else text + spaces


@cache
def _places(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
