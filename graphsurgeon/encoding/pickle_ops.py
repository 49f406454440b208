"""The instructions of a Python pickle, one by one; nothing in it is imported, called or run.

A pickle is a program for a stack machine. What an instruction is called, and the form of its argument, is taken from
`pickletools`; arguments are looked at as little as that takes, so what another reader would refuse hides nothing.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from graphsurgeon.disk.files import FileRange, SourceFile
from graphsurgeon.errors import FormatError, UnsupportedError

_LONG = 256  # bytes from which on they stay in the file
_BLOCK = 64 << 10
_MOST_LINE = 1 << 20
_FIXED = {"uint1": "<B", "uint2": "<H", "int4": "<i", "uint4": "<I", "uint8": "<Q", "float8": ">d"}
_COUNTED = {
    pickletools.TAKEN_FROM_ARGUMENT1: "<B",
    pickletools.TAKEN_FROM_ARGUMENT4: "<i",
    pickletools.TAKEN_FROM_ARGUMENT4U: "<I",
    pickletools.TAKEN_FROM_ARGUMENT8U: "<Q",
}


class Instruction(NamedTuple):
    """One instruction.

    Attributes:
        name: as `pickletools` calls it: `STACK_GLOBAL`.
        argument: a number, text, bytes or, of a line, its bytes; two texts of `GLOBAL` and `INST`; None if it has none.
            Long bytes of a file are a `FileRange`.
        end: the offset behind it.
    """

    name: str
    argument: Any
    end: int


def instructions(source: SourceFile | bytes, start: int = 0) -> Iterator[Instruction]:
    """Yield the instructions of the pickle that begins at an offset, the last one is `STOP`.

    Raises:
        FormatError: it is cut off.
        UnsupportedError: there is no such instruction.
    """
    reader = _Reader(source, start)
    while True:
        code = reader.take(1)
        op = _ops().get(code)
        if op is None:
            raise UnsupportedError(f"byte {reader.at - 1}: {code!r} is no instruction of a pickle", path=reader.path)
        yield Instruction(op.name, _argument(reader, op.arg), reader.at)
        if op.name == "STOP":
            return


@cache
def _ops() -> dict[bytes, pickletools.OpcodeInfo]:
    return {op.code.encode("latin-1"): op for op in pickletools.opcodes}


def _argument(reader: _Reader, form: pickletools.ArgumentDescriptor | None) -> Any:
    if form is None:
        return None
    if form.name in _FIXED:
        return reader.number(_FIXED[form.name])
    if form.name == "stringnl_noescape_pair":
        return reader.line().decode("utf-8", "replace"), reader.line().decode("utf-8", "replace")
    if form.n == pickletools.UP_TO_NEWLINE:
        return reader.line()
    length = max(0, reader.number(_COUNTED[form.n]))
    if form.name.startswith("unicodestring"):
        return reader.text(length)
    if form.name.startswith("long"):
        return int.from_bytes(reader.short(length), "little", signed=True)
    return reader.bytes(length)


class _Reader:
    """A place in the bytes."""

    def __init__(self, source: SourceFile | bytes, at: int) -> None:
        self.at = at
        self._source = source
        self._is_file = not isinstance(source, bytes)
        self._block_at, self._block = (0, source) if isinstance(source, bytes) else (at, b"")
        self._size = len(source) if isinstance(source, bytes) else source.size

    @property
    def path(self) -> str | None:
        return None if isinstance(self._source, bytes) else str(self._source.path)

    def take(self, length: int) -> bytes:
        offset = self.at - self._block_at
        if offset + length > len(self._block):
            if self.at + length > self._size or isinstance(self._source, bytes):
                raise FormatError(f"byte {self.at}: the pickle ends here, inside an instruction", path=self.path)
            self._block_at, offset = self.at, 0
            self._block = self._source.read_at(self.at, max(length, min(_BLOCK, self._size - self.at)))
        self.at += length
        return self._block[offset : offset + length]

    def number(self, code: str) -> Any:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def line(self) -> bytes:
        parts = bytearray()
        while (byte := self.take(1)) != b"\n":
            parts += byte
            if len(parts) > _MOST_LINE:
                raise FormatError(f"byte {self.at}: a line without end in a pickle", path=self.path)
        return bytes(parts)

    def short(self, length: int) -> bytes:
        """Return bytes that are looked at, of which a file may announce more than it has."""
        if length > self._size - self.at:
            what = f"byte {self.at}: {length} bytes are announced in a pickle, where {self._size - self.at} are left"
            raise FormatError(what, path=self.path)
        return self.take(length)

    def text(self, length: int) -> str:
        return self.short(length).decode("utf-8", "replace")

    def bytes(self, length: int) -> bytes | FileRange:
        if length < _LONG or isinstance(self._source, bytes):
            return self.short(length)
        found = FileRange(self._source, self.at, length)
        self.at += length
        return found
