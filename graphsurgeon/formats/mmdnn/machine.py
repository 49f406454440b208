"""What a pickle of plain arrays says, found without unpickling: nothing in the file is imported, called or run.

A pickle is a program for a stack machine. Of its instructions those that make numbers, text, lists, dicts and tuples
are followed; of the names it may give, those that numpy uses to put an array together mean records here, and any other
ends the reading. Long bytes stay in the file. Source: CPython's Lib/pickletools.py and numpy's `ndarray.__reduce__`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from graphsurgeon.disk.files import FileRange, SourceFile
from graphsurgeon.errors import FormatError, UnsupportedError

_MOST_STEPS = 5_000_000
_LONG = 256  # bytes from which on they stay in the file
_BLOCK = 64 << 10
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_ADMITTED = {
    **{(module, name): name.strip("_") for module in _MULTIARRAY for name in ("_reconstruct", "scalar")},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    ("collections", "OrderedDict"): "dict",
    ("__builtin__", "bytes"): "bytes",  # without arguments, as older protocols write no bytes at all
    ("builtins", "bytes"): "bytes",
}


class Name(NamedTuple):
    """One of the names that are admitted."""

    name: str


class Mark(NamedTuple):
    """Where a list of items begins on the stack."""


class ElementType:
    """A dtype of numpy, as it is pickled.

    Attributes:
        code: such as `f4`.
        order: "<", ">", "|" or "=".
    """

    def __init__(self, code: str) -> None:
        self.code = code.lstrip("<>|=")
        self.order = code[0] if code[:1] in ("<", ">", "|", "=") else "<"


class Array:
    """An array of numpy, as it is pickled.

    Attributes:
        data: its bytes, in the file or, where they were written as text, in memory.
    """

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.type: ElementType | None = None
        self.is_fortran = False
        self.data: FileRange | bytes = b""


def unpickled(source: SourceFile, start: int) -> Any:
    """Return what a pickle that begins at a byte of a file holds: dicts, lists, numbers, text, `Array`s.

    Raises:
        FormatError: it is damaged, or cut off.
        UnsupportedError: it holds anything else; what, is said. Nothing of it was run.
    """
    return _Machine(source, start).run()


class _Machine:
    def __init__(self, source: SourceFile, start: int) -> None:
        self._source = source
        self._at = start
        self._block_at = start
        self._block = b""
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(_MOST_STEPS):
            code = self._take(1)
            if code == b".":
                return self._pop()
            step = _STEPS.get(code)
            if step is None:
                where = f"byte {self._at - 1}: instruction {code!r} of a pickle"
                what = f"{where}, which no array needs; nothing of it was run"
                raise UnsupportedError(what, path=self._source.path)
            step(self)
        raise FormatError(f"a pickle of more than {_MOST_STEPS} instructions", path=self._source.path)

    # -- bytes -----------------------------------------------------------------------------------------

    def _take(self, length: int) -> bytes:
        offset = self._at - self._block_at
        if offset + length > len(self._block):
            self._block_at = self._at
            wanted = max(length, min(_BLOCK, self._source.size - self._at))
            self._block = self._source.read_at(self._at, wanted)
            offset = 0
        self._at += length
        return self._block[offset : offset + length]

    def _number(self, code: str) -> Any:
        return struct.unpack(code, self._take(struct.calcsize(code)))[0]

    def _line(self) -> bytes:
        parts = bytearray()
        while (byte := self._take(1)) != b"\n":
            parts += byte
            if len(parts) > 1 << 20:
                raise FormatError(f"byte {self._at}: a line without end in a pickle", path=self._source.path)
        return bytes(parts)

    def _string(self, length: int) -> str:
        if length > self._source.size - self._at:
            raise FormatError(f"byte {self._at}: text of {length} bytes in a pickle", path=self._source.path)
        return self._take(length).decode("utf-8", "replace")

    def _bytes(self, length: int) -> bytes | FileRange:
        if length < _LONG:
            return self._take(max(0, length))
        found = FileRange(self._source, self._at, length)
        self._at += length
        return found

    # -- the stack -------------------------------------------------------------------------------------

    def push(self, item: Any) -> None:
        self._stack.append(item)

    def _pop(self) -> Any:
        if not self._stack:
            raise FormatError(f"byte {self._at}: a pickle takes more than it has", path=self._source.path)
        return self._stack.pop()

    def _peek(self) -> Any:
        item = self._pop()
        self._stack.append(item)
        return item

    def _items(self) -> list[Any]:
        """Take what stands above the last mark, and the mark."""
        found = []
        while not isinstance(item := self._pop(), Mark):
            found.append(item)
        return found[::-1]

    # -- instructions ----------------------------------------------------------------------------------

    def put(self, key: int) -> None:
        self._memo[key] = self._peek()

    def get(self, key: int) -> None:
        if key not in self._memo:
            raise FormatError(f"byte {self._at}: a pickle recalls {key}, which it never kept", path=self._source.path)
        self.push(self._memo[key])

    def tuple_of(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def set_items(self, items: list[Any]) -> None:
        target = self._peek()
        if not isinstance(target, dict) or len(items) % 2:
            raise FormatError(f"byte {self._at}: items for what is no dict", path=self._source.path)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes | int):
                raise FormatError(f"byte {self._at}: a key that is no text", path=self._source.path)
            target[key.decode("utf-8", "replace") if isinstance(key, bytes) else key] = value

    def dict_of(self, items: list[Any]) -> None:
        self.push({})
        self.set_items(items)

    def append(self, items: list[Any]) -> None:
        target = self._peek()
        if not isinstance(target, list):
            raise FormatError(f"byte {self._at}: items for what is no list", path=self._source.path)
        target.extend(items)

    def name(self, module: Any, name: Any) -> None:
        known = _ADMITTED.get((module, name)) if isinstance(module, str) and isinstance(name, str) else None
        if known is None:
            what = f"byte {self._at}: a pickle that names {module}.{name}, which is no array; nothing of it was run"
            hint = "only arrays of numpy are read; do not unpickle a file that you do not trust"
            raise UnsupportedError(what, path=self._source.path, hint=hint)
        self.push(Name(known))

    def reduce(self) -> None:
        arguments, called = self._pop(), self._pop()
        if not isinstance(called, Name) or not isinstance(arguments, tuple):
            raise FormatError(f"byte {self._at}: a pickle calls what is no name", path=self._source.path)
        self.push(self._made(called.name, arguments))

    def _made(self, name: str, arguments: tuple[Any, ...]) -> Any:
        first = arguments[0] if arguments else None
        if name == "reconstruct":
            return Array()
        if name == "dtype" and isinstance(first, str | bytes):
            return ElementType(first.decode("ascii", "replace") if isinstance(first, bytes) else first)
        if name == "encode" and isinstance(first, str):
            return first.encode("latin-1", "replace")
        if name in ("dict", "bytes") and not arguments:
            return {} if name == "dict" else b""
        if name == "scalar" and len(arguments) == 2 and isinstance(first, ElementType):
            scalar = Array()
            scalar.type, scalar.data = first, arguments[1]
            return scalar
        raise UnsupportedError(f"byte {self._at}: a pickle makes a {name} that is no array", path=self._source.path)

    def build(self) -> None:
        state, target = self._pop(), self._peek()
        if isinstance(target, ElementType) and isinstance(state, tuple) and len(state) > 1:
            order = state[1].decode("ascii", "replace") if isinstance(state[1], bytes) else state[1]
            target.order = order if order in ("<", ">", "|", "=") else "<"
        elif isinstance(target, Array) and isinstance(state, tuple) and len(state) == 5:
            self._build_array(target, state)
        else:
            raise UnsupportedError(f"byte {self._at}: a pickle sets what is no array", path=self._source.path)

    def _build_array(self, target: Array, state: tuple[Any, ...]) -> None:
        _, shape, kind, is_fortran, data = state
        is_shape = isinstance(shape, tuple) and all(isinstance(dim, int) and dim >= 0 for dim in shape)
        if not is_shape or not isinstance(kind, ElementType) or not isinstance(data, bytes | FileRange | list):
            raise FormatError(f"byte {self._at}: an array in a pickle that is none", path=self._source.path)
        target.shape, target.type, target.is_fortran = shape, kind, bool(is_fortran)
        target.data = data  # type: ignore[assignment]  # a list holds the objects of an array of objects


def _integer(text: bytes) -> Any:
    text = text.rstrip(b"L")
    if text in (b"00", b"01"):
        return text == b"01"
    try:
        return int(text)
    except ValueError:
        raise FormatError(f"{text[:20]!r} where a number belongs in a pickle") from None


def _float(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        raise FormatError(f"{text[:20]!r} where a number belongs in a pickle") from None


_Step = Callable[[_Machine], object]
_STEPS: dict[bytes, _Step] = {
    b"\x80": lambda m: m._take(1),
    b"\x95": lambda m: m._take(8),
    b"(": lambda m: m.push(Mark()),
    b"0": lambda m: m._pop(),
    b"1": lambda m: m._items(),
    b"2": lambda m: m.push(m._peek()),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": lambda m: m.push(_integer(m._line())),
    b"L": lambda m: m.push(_integer(m._line())),
    b"J": lambda m: m.push(m._number("<i")),
    b"K": lambda m: m.push(m._number("<B")),
    b"M": lambda m: m.push(m._number("<H")),
    b"\x8a": lambda m: m.push(int.from_bytes(m._take(m._number("<B")), "little", signed=True)),
    b"F": lambda m: m.push(_float(m._line())),
    b"G": lambda m: m.push(m._number(">d")),
    b"T": lambda m: m.push(m._bytes(m._number("<i"))),
    b"U": lambda m: m.push(m._bytes(m._number("<B"))),
    b"C": lambda m: m.push(m._bytes(m._number("<B"))),
    b"B": lambda m: m.push(m._bytes(m._number("<I"))),
    b"\x8e": lambda m: m.push(m._bytes(m._number("<Q"))),
    b"V": lambda m: m.push(m._line().decode("raw-unicode-escape", "replace")),
    b"X": lambda m: m.push(m._string(m._number("<I"))),
    b"\x8c": lambda m: m.push(m._string(m._number("<B"))),
    b"\x8d": lambda m: m.push(m._string(m._number("<Q"))),
    b"}": lambda m: m.push({}),
    b"]": lambda m: m.push([]),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m._items())),
    b"l": lambda m: m.push(m._items()),
    b"d": lambda m: m.dict_of(m._items()),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"s": lambda m: m.set_items([m._pop(), m._pop()][::-1]),
    b"u": lambda m: m.set_items(m._items()),
    b"a": lambda m: m.append([m._pop()]),
    b"e": lambda m: m.append(m._items()),
    b"p": lambda m: m.put(_integer(m._line())),
    b"q": lambda m: m.put(m._number("<B")),
    b"r": lambda m: m.put(m._number("<I")),
    b"\x94": lambda m: m.put(len(m._memo)),
    b"g": lambda m: m.get(_integer(m._line())),
    b"h": lambda m: m.get(m._number("<B")),
    b"j": lambda m: m.get(m._number("<I")),
    b"c": lambda m: m.name(m._line().decode("utf-8", "replace"), m._line().decode("utf-8", "replace")),
    b"\x93": lambda m: m.name(*[m._pop(), m._pop()][::-1]),
    b"R": lambda m: m.reduce(),
    b"b": lambda m: m.build(),
}
