"""How wide a text is drawn, without fonts: widths of a common wide sans-serif, so that narrower ones fit too.

The widths are those of DejaVu Sans, the widest of the fonts that `svg.FONTS` names; a text measured here has
room in each of them.
"""

from __future__ import annotations

import unicodedata
from functools import cache

TITLE_SIZE = 13.0
LINE_SIZE = 11.0
EDGE_SIZE = 10.0
LINE_HEIGHT = 15.0

# Widths in 1/100 of the font size, for the printable characters of ASCII.
_WIDTHS = {
    **dict.fromkeys("abcdeghknopquxyz", 62), **dict.fromkeys("fijlrt", 41), **dict.fromkeys("il", 28), "m": 97, "w": 82,
    "s": 52, "v": 60, "c": 55, "k": 58, "j": 28,
    **dict.fromkeys("ABCDEFGHKLNPRSTUVXYZ", 69), "M": 87, "W": 99, "O": 79, "Q": 79, "I": 30, "J": 30, "D": 77, "G": 78,
    "H": 76, "N": 75, "U": 74,
    **dict.fromkeys("0123456789", 64), " ": 32, ".": 32, ",": 32, ":": 34, ";": 34, "'": 28, '"': 46, "|": 34, "!": 41,
    "(": 40, ")": 40, "[": 40, "]": 40, "{": 64, "}": 64, "/": 34, "\\": 34, "-": 37, "_": 50, "`": 50, "+": 84,
    "=": 84, "<": 84, ">": 84, "~": 84, "^": 84, "#": 84, "%": 95, "@": 100, "&": 78, "*": 50, "?": 54, "$": 64,
    "×": 84, "·": 32, "…": 100, "→": 84,
}  # fmt: skip
_BOLD = 1.12  # bold is about so much wider


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in the unit of the font size."""
    return sum(_width(char) for char in text) * size / 100 * (_BOLD if bold else 1)


@cache
def _width(char: str) -> int:
    if char in _WIDTHS:
        return _WIDTHS[char]
    if unicodedata.combining(char) or unicodedata.category(char) == "Cf":
        return 0
    return 105 if unicodedata.east_asian_width(char) in "WF" or ord(char) > 0xFFFF else 75


def printable(text: str) -> str:
    """Return a text with what XML cannot hold (control characters, halves of surrogate pairs) as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or (ord(c) >= 32 and not _is_illegal(c)) else f"\\x{ord(c):02x}" for c in text)


def _is_illegal(char: str) -> bool:
    code = ord(char)
    return 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or code & 0xFFFE == 0xFFFE
