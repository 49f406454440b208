"""The text form, read without a schema: names, braces and values."""

from __future__ import annotations

import re
from typing import Any

from graphsurgeon.errors import FormatError
from graphsurgeon.formats.protolike.message import NamedFields

_TOKEN = re.compile(
    r"\s+|\#[^\n]*|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
    r"|(?P<word>[A-Za-z0-9_.+\-/]+)|(?P<sign>[{}<>:;,\[\]])",
    re.DOTALL,
)
_INTEGER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]{1,16}|\d{1,20})")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_DEEPEST = 40  # as `binary.py` reads them


def parse_text(text: str) -> NamedFields:
    """Return the message that a text holds. A word in the place of a value (an enum) is text.

    Raises:
        FormatError: it is no text of a message, with the line.
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._kind = ""
        self._token = ""
        self._next()

    def whole(self) -> NamedFields:
        found = self._fields("", 0)
        if self._kind:
            raise self._error(f"{self._token!r} closes nothing")
        return found

    def _fields(self, closing: str, depth: int) -> NamedFields:
        if depth > _DEEPEST:
            raise self._error(f"messages are nested more than {_DEEPEST} deep")
        found = NamedFields()
        while self._kind and self._token not in ("}", ">"):
            name = self._name()
            values = found.setdefault(name, [])
            if self._token == ":":
                self._next()
            elif self._token not in ("{", "<"):
                raise self._error(f"nothing follows the name {name!r}")
            values.extend(self._values(depth))
            if self._token in (",", ";"):
                self._next()
        if closing and self._token != closing:
            raise self._error(f"{closing!r} is missing")
        return found

    def _name(self) -> str:
        if self._token == "[":  # an extension, by its full name
            self._next()
            name = self._token
            self._next()
            if self._token != "]":
                raise self._error("']' is missing")
        elif self._kind == "word":
            name = self._token
        else:
            raise self._error(f"{self._token!r} where a name belongs")
        self._next()
        return name

    def _values(self, depth: int) -> list[Any]:
        if self._token != "[":
            return [self._value(depth)]
        self._next()
        found = []
        while self._kind and self._token != "]":
            found.append(self._value(depth))
            if self._token == ",":
                self._next()
        self._next()
        return found

    def _value(self, depth: int) -> Any:
        if self._token in ("{", "<") and self._kind == "sign":
            closing = "}" if self._token == "{" else ">"
            self._next()
            found = self._fields(closing, depth + 1)
            self._next()
            return found
        if self._kind == "string":
            parts = []
            while self._kind == "string":
                parts.append(_unescaped(self._token))
                self._next()
            return b"".join(parts).decode("utf-8", "surrogateescape")
        if self._kind != "word":
            raise self._error(
                f"{self._token!r} where a value belongs" if self._kind else "a value is missing at the end"
            )
        word = self._token
        self._next()
        return _word(word)

    def _next(self) -> None:
        while self._at < len(self._text):
            match = _TOKEN.match(self._text, self._at)
            if match is None:
                raise self._error(f"{self._text[self._at]!r} where a name or value belongs")
            self._at = match.end()
            if match.lastgroup is not None:
                self._kind, self._token = match.lastgroup, match.group()
                return
        self._kind = self._token = ""

    def _error(self, what: str) -> FormatError:
        line = self._text.count("\n", 0, self._at) + 1
        return FormatError(f"no message in text form: line {line}: {what}")


def _word(word: str) -> Any:
    if word in ("true", "false"):
        return word == "true"
    if _INTEGER.fullmatch(word):
        return int(word, 16 if "x" in word.lower() else 10)
    try:
        return float(word.removesuffix("f")) if word[0] in "0123456789.+-" else word
    except ValueError:
        return word


def _unescaped(token: str) -> bytes:
    inner = token[1:-1].encode("utf-8", "surrogateescape")

    def replace(match: re.Match[bytes]) -> bytes:
        octal, digits, letter = match.groups()
        if octal is not None:
            return bytes([int(octal, 8) & 0xFF])
        return bytes([int(digits, 16)]) if digits is not None else _ESCAPES.get(letter, letter)

    return _ESCAPE.sub(replace, inner)
