"""Which names a Python pickle asks for: its instructions followed on a stack that holds texts, and nothing else.

A name is found where the instruction that asks for it finds it: on the stack, which memory and other values may hide.
"""

from __future__ import annotations

import pickletools
import warnings
from functools import cache
from typing import Any

from graphsurgeon.encoding.pickle_ops import instructions
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.scanning.files.magic import HEAD, is_pickle

_MOST_OPS = 1_000_000
_MOST_PICKLES = 16  # one behind another: old files of PyTorch have four
_TEXTS = frozenset({
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
})  # fmt: skip
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_GETS = ("GET", "BINGET", "LONG_BINGET")
COMPUTED = "a computed name"
_MARK = object()


def asked_for(data: bytes) -> tuple[list[str], str]:
    """Return `module name` of each global that the pickles in some bytes ask for, and why they could not be read."""
    found: list[str] = []
    start = 0
    for number in range(_MOST_PICKLES):
        names, end, problem = _one(data, start)
        if number and problem and not is_pickle(data[start : start + HEAD]):
            break  # what lies behind a pickle, and is none
        found += names
        if problem:
            return list(dict.fromkeys(found)), problem
        start = end
        if start >= len(data):
            break
    return list(dict.fromkeys(found)), ""


def _one(data: bytes, start: int) -> tuple[list[str], int, str]:
    machine = _Machine()
    end = start
    try:
        for number, (name, argument, end) in enumerate(instructions(data, start)):
            if number > _MOST_OPS:
                return machine.names, end, f"it has more than {_MOST_OPS} instructions"
            machine.do(name, argument)
    except (FormatError, UnsupportedError) as error:
        return machine.names, end, error.message
    return machine.names, end, ""


class _Machine:
    """A stack of texts, marks and None for anything else.

    Attributes:
        names: that were asked for.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._stack: list[object] = []
        self._memory: dict[int, object] = {}

    def do(self, name: str, argument: Any) -> None:
        """Follow one instruction."""
        if name in _TEXTS:
            self._stack.append(_text(name, argument))
        elif name in _PUTS:
            self._memory[int(argument)] = self._top()
        elif name == "MEMOIZE":
            self._memory[len(self._memory)] = self._top()
        elif name in _GETS:
            self._stack.append(self._memory.get(int(argument)))
        elif name == "DUP":
            self._stack.append(self._top())
        elif name == "POP":
            self._pop()
        else:
            self._ask(name, argument)
            self._move(name)

    def _ask(self, name: str, argument: Any) -> None:
        if name in ("GLOBAL", "INST"):
            self.names.append(" ".join(argument))
        elif name == "STACK_GLOBAL":
            pair = self._stack[-2:]
            texts = [item for item in pair if isinstance(item, str)]
            self.names.append(" ".join(texts) if len(texts) == 2 else COMPUTED)
        elif name in ("EXT1", "EXT2", "EXT4"):
            self.names.append("a registered extension")

    def _move(self, name: str) -> None:
        """Take from the stack and put on it what an instruction does."""
        before, after = _effects()[name]
        below = before.index(pickletools.markobject) if pickletools.markobject in before else None
        if below is not None:
            while self._stack and self._pop() is not _MARK:
                pass
        for _ in before[:below]:
            self._pop()
        self._stack += [_MARK if item is pickletools.markobject else None for item in after]

    def _top(self) -> object:
        return self._stack[-1] if self._stack else None

    def _pop(self) -> object:
        return self._stack.pop() if self._stack else None


@cache
def _effects() -> dict[str, tuple[list[Any], list[Any]]]:
    return {op.name: (list(op.stack_before), list(op.stack_after)) for op in pickletools.opcodes}


def _text(name: str, argument: str | bytes) -> str:
    """Return what an instruction pushes as text; what older protocols wrote as bytes is text to Python 3."""
    if isinstance(argument, str):
        return argument
    if name == "UNICODE":
        return argument.decode("raw-unicode-escape", "replace")
    if name == "STRING":  # with quotes around it, and escapes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes that mean nothing
            return argument.strip()[1:-1].decode("unicode-escape", "replace")
    return argument.decode("latin-1")
