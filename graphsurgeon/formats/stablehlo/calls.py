"""Which functions outside it a module calls (`custom_call`): of text, and of bytecode.

The tables of the bytecode are looked through, not its ops: damage there, and ops that nobody knows, hide nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from graphsurgeon.errors import FormatError
from graphsurgeon.formats.stablehlo.bytecode import MAGIC, Bytecode, Cursor
from graphsurgeon.formats.stablehlo.ops import layouts_of

_TARGET = "call_target_name"
_OP = "custom_call"
_IN_TEXT = re.compile(rf'{_OP}\s*@"?([\w.$@<>:-]+)"?|{_TARGET}\s*=\s*"((?:[^"\\]|\\.)*)"')
# Codes of `VhloBytecode.cpp` and `BuiltinDialectBytecode.td`, by dialect.
_STRING = {"vhlo": 14, "builtin": 2}
_DICTIONARY = {"vhlo": 6, "builtin": 1}
_API_VERSION = 5  # vhlo's attribute that only custom calls have, first among their properties
_UNREADABLE = "?"


class Calls(NamedTuple):
    """The functions that a module calls.

    Attributes:
        targets: their names.
        is_complete: whether these are all.
    """

    targets: frozenset[str]
    is_complete: bool


def calls_of(data: bytes) -> Calls:
    """Return what a module calls outside itself.

    Raises:
        FormatError: the bytecode is damaged.
        UnsupportedError: it is of a version that is not known here.
    """
    if not data.startswith(MAGIC):
        text = data.decode("utf-8", "replace")
        found = frozenset(match[1] or match[2] for match in _IN_TEXT.finditer(text))
        return Calls(found, bool(found) or _OP not in text)
    module = Bytecode(data)
    if not any(_OP in name for name, _ in module.ops):
        return Calls(frozenset(), True)
    targets = frozenset(target or _UNREADABLE for target in (*_in_dictionaries(module), *_in_properties(module)))
    return Calls(targets, bool(targets))


def _in_dictionaries(module: Bytecode) -> Iterator[str | None]:
    """Yield the targets among attributes that are stored by name, None for one that is no text."""
    for index in range(len(module.attributes)):
        numbers = _numbers(module, index, _DICTIONARY)
        for key, value in zip(numbers[1::2], numbers[2::2], strict=False):
            if _text(module, key) == _TARGET:
                yield _text(module, value)


def _in_properties(module: Bytecode) -> Iterator[str | None]:
    """Yield the targets of ops whose attributes are stored in the order of their names."""
    layouts = layouts_of(_OP)
    for start, end in module.properties:
        numbers = _varints(Cursor(module.data, start, end))
        layout = layouts.get(len(numbers))
        if layout is not None and _numbers(module, numbers[0], {"vhlo": _API_VERSION}, is_code_alone=True):
            yield _text(module, numbers[layout.index(_TARGET)])


def _text(module: Bytecode, index: int) -> str | None:
    numbers = _numbers(module, index, _STRING)
    return module.string(numbers[0]) if len(numbers) == 1 else None


def _numbers(module: Bytecode, index: int, codes: dict[str, int], *, is_code_alone: bool = False) -> list[int]:
    """Return what an attribute is made of, its code left out unless that is wanted; nothing of one of another kind."""
    if index >= len(module.attributes):
        return []
    stored = module.attributes[index]
    numbers = _varints(Cursor(module.data, stored.start, stored.end)) if stored.is_custom else []
    if numbers[:1] != [codes.get(stored.dialect)]:
        return []
    return numbers[:1] if is_code_alone else numbers[1:]


def _varints(cursor: Cursor) -> list[int]:
    """Return bytes as numbers; none where they are floats and blobs: not what is looked for."""
    found = []
    with suppress(FormatError):
        while cursor.left:
            found.append(cursor.varint())
        return found
    return []
