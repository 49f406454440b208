"""Patterns and rules from text: recursive descent over `lexer.py`, with bounds on depth, size and number."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from graphsurgeon.model.dtype import DType
from graphsurgeon.patterns.lexer import PatternError, Token, error_at, tokens_of
from graphsurgeon.patterns.syntax import (
    Anything,
    Arg,
    AttrItem,
    AttrTest,
    Either,
    Known,
    Literal,
    Number,
    OneVariable,
    Op,
    OpName,
    Optional,
    Pattern,
    Rest,
    Through,
    TypeTest,
    Word,
    parts_of,
)

MOST_DEPTH = 80  # of nesting; matching takes a few frames of Python's stack for each
MOST_PARTS = 2_000  # of a pattern, named ones that it uses counted as often as it uses them
KEYWORDS = frozenset({"let", "rule", "where", "or", "once", "const", "weight", "in", "not", "and"})
_SHORT = {
    "f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64", "i8": "int8", "i16": "int16",
    "i32": "int32", "i64": "int64", "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
    "c64": "complex64", "c128": "complex128",
}  # fmt: skip

_PACKAGED = re.compile(r"(?<![\w\"'>])[A-Za-z_]\w*(?:>[A-Za-z_]\w*)+(?=\s*[(\[*])")  # as TensorFlow Text names its ops
_QUOTED = "an op with > in its name stands in quotes"

_T = TypeVar("_T")


def dtype_named(word: str) -> DType | None:
    """Return the dtype that a word means (`f32`, `float32`, `DT_FLOAT`), None if it means none."""
    try:
        return DType.named(_SHORT.get(word, word))
    except KeyError:
        return None


class Reader:
    """Reads one text from its beginning to its end.

    Attributes:
        text: what is read.
        lets: patterns by name, usable as `$NAME`.
    """

    def __init__(self, text: str, lets: dict[str, Pattern] | None = None) -> None:
        self.text = text
        self.lets = lets if lets is not None else {}
        self._tokens = tokens_of(text)
        self._next = 0
        self._depth = 0
        self._sizes: dict[int, int] = {}
        self._kept: list[Pattern] = []  # ids are only good while the objects are there
        # Words that mean something before a bracket alone; captures may have their names.
        self._forms: dict[str, Callable[[], Pattern]] = {"variable": self._variable, "through": self._through}

    # -- words -----------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        """The word that comes next."""
        return self._tokens[self._next]

    def peek(self, ahead: int = 1) -> Token:
        """Return a word behind the next one."""
        return self._tokens[min(self._next + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Return the next word and go on."""
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def is_sign(self, *signs: str) -> bool:
        """Say whether the next word is one of some signs or keywords."""
        return self.token.text in signs and self.token.kind in ("sign", "name")

    def accept(self, sign: str) -> bool:
        """Go over a sign or keyword if it comes next."""
        if self.is_sign(sign):
            self.take()
            return True
        return False

    def expect(self, sign: str, where: str) -> Token:
        """Go over a sign that has to come next.

        Raises:
            PatternError: something else comes.
        """
        if not self.is_sign(sign):
            raise self.error(f"{sign!r} is missing {where}")
        return self.take()

    def error(self, message: str, token: Token | int | None = None, *, hint: str = "") -> PatternError:
        """Return the error about a word, the next one unless another is given."""
        at = token if isinstance(token, int) else (token or self.token).at
        packaged = next((one for one in _PACKAGED.finditer(self.text) if one.start() <= at <= one.end()), None)
        if packaged is not None:
            hint = f'{_QUOTED}: "{packaged.group()}"(...)'
        return error_at(self.text, at, message, hint=hint)

    def found(self) -> str:
        """Return the next word as messages say it."""
        return "the end" if self.token.kind == "end" else repr(self.token.text)

    def name(self, what: str) -> str:
        """Return a name that has to come next."""
        if self.token.kind != "name" or self.token.text in KEYWORDS:
            raise self.error(f"{what} is missing before {self.found()}")
        return self.take().text

    def _nested(self, read: Callable[[], _T]) -> _T:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self.error(f"nested deeper than {MOST_DEPTH}")
        try:
            return read()
        finally:
            self._depth -= 1

    def _list(self, close: str, read: Callable[[], _T], where: str) -> list[_T]:
        """Return what stands between commas up to a closing sign."""
        items: list[_T] = []
        while not self.is_sign(close):
            items.append(read())
            if not self.is_sign(close):
                if not self.is_sign(","):
                    raise self.error(f"',' or {close!r} is missing {where}")
                self.take()
                if self.is_sign(close):
                    raise self.error(f"something is missing between ',' and {close!r}")
        self.take()
        return items

    # -- patterns --------------------------------------------------------------------------------------

    def roots(self) -> tuple[Pattern, ...]:
        """Read `pattern & pattern`."""
        found = [self.pattern()]
        while self.accept("&"):
            found.append(self.pattern())
        for root in found:
            if not _is_op(root):
                raise self.error("a pattern has to be an op", root.at, hint="such as Relu(x)")
        return tuple(found)

    def pattern(self) -> Pattern:
        """Read one pattern."""
        return self._nested(self._pattern)

    def _pattern(self) -> Pattern:
        name = None
        start = self.token
        if self.token.kind == "name" and self.peek().text == "=" and self.token.text not in KEYWORDS:
            name = self.take().text
            self.take()
        core = self._core()
        if name is not None:
            if core.name is not None:
                raise self.error(f"this has the name {core.name!r} already", start)
            core = replace(core, name=name)
        if self.accept("once"):
            core = replace(core, once=True)
        self._require_small(core)
        return core

    def _core(self) -> Pattern:
        token = self.token
        if token.kind == "number" or self.is_sign("-", "["):
            return self._literal()
        if token.text in ("const", "weight") and token.kind == "name":
            return self._known()
        if self.peek().text == "(" and token.kind == "name" and token.text in self._forms:
            return self._forms[token.text]()
        if self.is_sign("("):
            return self._either()
        if self.accept("$"):
            name = self.name("the name of a pattern")
            if name not in self.lets:
                raise self.error(f"no pattern is named ${name}", token)
            return self.lets[name]
        if token.kind == "text" or (token.kind == "name" and self.peek().text in ("(", "[", "|", "!", "*")):
            return self._op()
        if token.kind != "name" or token.text in KEYWORDS:
            raise self.error(f"a pattern is missing before {self.found()}")
        self.take()
        captured = None if token.text == "_" else token.text
        return Anything(token.at, captured, type=self._type() if self.accept(":") else None)

    def _either(self) -> Pattern:
        at = self.take().at
        options = [self.pattern()]
        while self.accept("or"):
            options.append(self.pattern())
        self.expect(")", "behind alternatives" if len(options) > 1 else "(alternatives are written `(a or b)`)")
        return options[0] if len(options) == 1 else Either(at, options=tuple(options))

    def _known(self) -> Pattern:
        token = self.take()
        self.expect("(", f"behind {token.text!r}")
        name = self.name("a name") if self.token.kind == "name" and not self.is_sign(":") else None
        test = None
        if self.accept(":"):
            test = self._type(bare=True)
        self.expect(")", f"of {token.text}(")
        return Known(token.at, None if name == "_" else name, type=test, variables=token.text == "weight")

    def _variable(self) -> Pattern:
        token = self.take()
        self.take()
        name = self.name("a name")
        self.expect(")", "of variable(")
        return OneVariable(token.at, None if name == "_" else name)

    def _through(self) -> Pattern:
        token = self.take()
        self.take()
        ops = self._op_names()
        self.expect(",", "behind the ops of through(")
        inner = self.pattern()
        self.expect(")", "of through(")
        return Through(token.at, ops=ops, inner=inner)

    def _literal(self) -> Pattern:
        at = self.token.at
        items = self._numbers()
        tolerance = 0.0
        if self.accept("~"):
            tolerance = float(self._number("a tolerance"))
            if tolerance < 0:
                raise self.error("a tolerance is not negative", at)
        return Literal(at, items=items, tolerance=tolerance)

    def _numbers(self) -> Number | tuple[object, ...]:
        if self.accept("["):
            return tuple(self._nested(lambda: self._list("]", self._numbers, "of a list")))
        return self._number("a number")

    def _number(self, what: str) -> Number:
        sign = -1 if self.accept("-") else 1
        if self.token.kind != "number":
            raise self.error(f"{what} is missing before {self.found()}")
        value = self.take().value
        assert not isinstance(value, str)
        return sign * value

    def _op(self) -> Pattern:
        at = self.token.at
        ops = self._op_names()
        is_ordered = self.accept("!")
        attrs = self._list("]", self._attr_test, "of attributes") if self.accept("[") else []
        self.expect("(", f"behind the op {ops[-1].text!r}")
        args = self._list(")", self._arg, f"in {ops[-1].text}(")
        self._require_order(args)
        port, test = 0, None
        if self.accept(":"):
            if self.token.kind == "number":
                port = int(self._number("an output"))
                test = self._type() if self.accept(":") else None
            else:
                test = self._type()
        return Op(at, type=test, ops=ops, is_ordered=is_ordered, attrs=tuple(attrs), args=tuple(args), port=port)

    def _op_names(self) -> tuple[OpName, ...]:
        ops = [self._op_name()]
        while self.accept("|"):
            ops.append(self._op_name())
        return tuple(ops)

    def _op_name(self) -> OpName:
        token = self.token
        if token.kind == "text":
            return OpName(str(self.take().value), at=token.at, is_quoted=True)
        name = self.name("an op")
        return OpName(name, self.accept("*"), token.at)

    def _arg(self) -> Arg:
        at = self.token.at
        if self.accept("..."):
            return Rest(at=at)
        if self.token.kind == "name" and self.peek().text == "...":
            name = self.name("a name")
            self.take()
            return Rest(None if name == "_" else name, at)
        pattern = self.pattern()
        return Optional(pattern) if self.accept("?") else pattern

    def _require_order(self, args: list[Arg]) -> None:
        rests = [arg for arg in args if isinstance(arg, Rest)]
        if len(rests) > 1:
            raise self.error("only one `...` for each op", rests[1].at)
        is_open = False
        for arg in args:
            if is_open and isinstance(arg, Pattern):
                raise self.error("an input behind one that may be left out has to be optional too", arg.at)
            is_open = is_open or isinstance(arg, Optional)
        if rests and is_open:
            raise self.error("`...` and inputs that may be left out do not go together", rests[0].at)

    def _attr_test(self) -> AttrTest:
        at = self.token.at
        name = self.name("an attribute")
        if not self.is_sign("=", "!="):
            raise self.error(f"'=' or '!=' is missing behind the attribute {name!r}")
        is_equal = self.take().text == "="
        values = [self._attr_value()]
        while self.accept("|"):
            values.append(self._attr_value())
        return AttrTest(name, tuple(values), is_equal, at)

    def _attr_value(self) -> AttrItem:
        token = self.token
        if token.kind == "text":
            return str(self.take().value)
        if self.accept("["):
            return tuple(self._nested(lambda: self._list("]", self._attr_value, "of a list")))
        if token.kind == "name":
            self.take()
            return None if token.text == "_" else Word(token.text)
        return self._number("a value")

    def _type(self, *, bare: bool = False) -> TypeTest:
        """Read `f32|f16[?,*,64]`; with `bare` the brackets may be left out where there is no dtype."""
        at = self.token
        dtypes = []
        while self.token.kind == "name" and self.token.text != "None":
            word = self.take()
            dtype = dtype_named(word.text)
            if dtype is None:
                raise self.error(f"{word.text!r} is no dtype", word, hint="such as f32, int64, string")
            dtypes.append(dtype)
            if not self.accept("|"):
                break
        if self.accept("["):
            return TypeTest(tuple(dtypes), self._shape("]"))
        if bare and not dtypes:
            shape = self._shape(")")
            self._next -= 1
            return TypeTest((), shape)
        if not dtypes:
            raise self.error(f"a dtype or a shape is missing before {self.found()}", at)
        return TypeTest(tuple(dtypes))

    def _shape(self, close: str) -> str:
        parts = []
        while not self.is_sign(close):
            minus = "-" if self.accept("-") else ""
            token = self.token
            word = minus + token.text
            is_dim = token.text in ("?", "*", "...", "None", "_") or (token.kind == "number" and word.isdecimal())
            if not is_dim and word != "-1":
                raise self.error(f"{word or 'the end'!r} is no dimension", hint="use numbers, ?, *, ...")
            parts.append("*" if word == "_" else word)
            self.take()
            if not self.is_sign(close):
                self.expect(",", "in a shape")
        self.take()
        return ",".join(parts)

    def _require_small(self, pattern: Pattern) -> None:
        """Count what a pattern is made of: patterns that use others twice grow fast."""
        size = 1 + sum(self._sizes.get(id(part), 1) for part in parts_of(pattern))
        self._sizes[id(pattern)] = size
        self._kept.append(pattern)
        if size > MOST_PARTS:
            raise self.error(f"a pattern of more than {MOST_PARTS} parts", pattern.at)


def _is_op(pattern: Pattern) -> bool:
    return all(map(_is_op, pattern.options)) if isinstance(pattern, Either) else isinstance(pattern, Op)
