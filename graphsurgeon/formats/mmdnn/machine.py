"""What a pickle of plain arrays says, found without unpickling: nothing in the file is imported, called or run.

Of the instructions (`encoding/pickle_ops.py`) those that make numbers, text, lists, dicts and tuples are followed; of
the names a pickle may give, those that numpy uses to put an array together mean records here, and any other ends the
reading. Long bytes stay in the file. Source: CPython's Lib/pickletools.py and numpy's `ndarray.__reduce__`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from graphsurgeon.disk.files import FileRange, SourceFile
from graphsurgeon.encoding.pickle_ops import instructions
from graphsurgeon.errors import FormatError, UnsupportedError

_MOST_STEPS = 5_000_000  # of a pickle; an array takes about thirty, whatever its size
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
        self._start = start
        self._at = start
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        for number, (name, argument, end) in enumerate(instructions(self._source, self._start)):
            if number >= _MOST_STEPS:
                break
            if name == "STOP":
                return self._pop()
            step = _STEPS.get(name)
            if step is None:
                where = f"byte {self._at}: instruction {name} of a pickle"
                what = f"{where}, which no array needs; nothing of it was run"
                raise UnsupportedError(what, path=self._source.path)
            self._at = end
            step(self, argument)
        raise FormatError(f"a pickle of more than {_MOST_STEPS} instructions", path=self._source.path)

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


_Step = Callable[[_Machine, Any], object]
_PUSH = _Machine.push
_STEPS: dict[str, _Step] = {
    "PROTO": lambda *_: None,
    "FRAME": lambda *_: None,
    "MARK": lambda m, _: m.push(Mark()),
    "POP": lambda m, _: m._pop(),
    "POP_MARK": lambda m, _: m._items(),
    "DUP": lambda m, _: m.push(m._peek()),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "INT": lambda m, line: m.push(_integer(line)),
    "LONG": lambda m, line: m.push(_integer(line)),
    "FLOAT": lambda m, line: m.push(_float(line)),
    "UNICODE": lambda m, line: m.push(line.decode("raw-unicode-escape", "replace")),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _PUSH),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"), _PUSH),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _PUSH),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "TUPLE": lambda m, _: m.push(tuple(m._items())),
    "LIST": lambda m, _: m.push(m._items()),
    "DICT": lambda m, _: m.dict_of(m._items()),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
    "SETITEM": lambda m, _: m.set_items([m._pop(), m._pop()][::-1]),
    "SETITEMS": lambda m, _: m.set_items(m._items()),
    "APPEND": lambda m, _: m.append([m._pop()]),
    "APPENDS": lambda m, _: m.append(m._items()),
    "PUT": lambda m, line: m.put(_integer(line)),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": lambda m, _: m.put(len(m._memo)),
    "GET": lambda m, line: m.get(_integer(line)),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    "GLOBAL": lambda m, names: m.name(*names),
    "STACK_GLOBAL": lambda m, _: m.name(*[m._pop(), m._pop()][::-1]),
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.build(),
}
