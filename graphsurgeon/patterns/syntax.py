"""What a pattern and a rule are once they are read: trees of frozen records.

The language itself is in `docs/patterns.md`; `parser.py` makes these of text, `builders.py` of Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphsurgeon.model.dtype import DType

Number: TypeAlias = int | float


@dataclass(frozen=True, slots=True)
class Word:
    """A word that stands for a value of an attribute: `SAME`, `true`, `f32`."""

    text: str


AttrItem: TypeAlias = "Number | Word | str | tuple[AttrItem, ...] | None"  # a str is quoted text, None stands for `_`


@dataclass(frozen=True, slots=True)
class TypeTest:
    """What a value has to be: any of some dtypes (all if empty), and of a shape (any if None).

    Attributes:
        dtypes: any of them.
        shape: as on the command line, `?,*,...,64`.
    """

    dtypes: tuple[DType, ...] = ()
    shape: str | None = None


@dataclass(frozen=True, slots=True)
class AttrTest:
    """One attribute that has to be, or not to be, one of some values."""

    name: str
    values: tuple[AttrItem, ...]
    is_equal: bool = True
    at: int = 0


@dataclass(frozen=True, slots=True)
class Pattern:
    """What all kinds of patterns have.

    Attributes:
        at: place in the text.
        name: what the value is bound to; None if nothing.
        once: nothing outside the match may read the value.
        type: what else the value has to be.
        test: a function of a `Bound` that has the last word (from Python only).
    """

    at: int = 0
    name: str | None = None
    once: bool = False
    type: TypeTest | None = None
    test: Callable[[Any], bool] | None = None


@dataclass(frozen=True, slots=True)
class Anything(Pattern):
    """`_`, or a capture `x`: any value; the same name twice is the same value twice."""


@dataclass(frozen=True, slots=True)
class Known(Pattern):
    """`const(w)`: a value that the file holds. With `variables` also one that is read from a variable: `weight(w)`."""

    variables: bool = False


@dataclass(frozen=True, slots=True)
class OneVariable(Pattern):
    """`variable(v)`: a variable, or what is read from one; the same name twice is the same variable."""


@dataclass(frozen=True, slots=True)
class Literal(Pattern):
    """A constant by value.

    Attributes:
        items: a number that every element is, or the elements as nested tuples.
        tolerance: how far each may be away.
    """

    items: Number | tuple[Any, ...] = 0
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Either(Pattern):
    """The first of some patterns that matches."""

    options: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True)
class OpName:
    """The name of an op; with `is_glob` the beginning of some; `is_quoted`: there need not be such an op."""

    text: str
    is_glob: bool = False
    at: int = 0
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Through(Pattern):
    """`through(Cast|Reshape, x)`: a pattern, itself or behind any number of some ops, by whichever of their inputs.

    Attributes:
        ops: any of these, one behind the other.
        inner: what is there before them.
    """

    ops: tuple[OpName, ...] = ()
    inner: Pattern = field(default_factory=Anything)


@dataclass(frozen=True, slots=True)
class Rest:
    """Any number of inputs: `...`, or `xs...` to bind the list."""

    name: str | None = None
    at: int = 0


@dataclass(frozen=True, slots=True)
class Optional:
    """A last input that may be left out: `x?`."""

    pattern: Pattern


Arg: TypeAlias = Pattern | Rest | Optional


@dataclass(frozen=True, slots=True)
class Op(Pattern):
    """The output of a node.

    Attributes:
        ops: any of these.
        is_ordered: inputs stand as they are written, even if the op is commutative.
        attrs: what its attributes have to be.
        args: its data inputs; None for any.
        port: which of its outputs; 0 unless it is said.
    """

    ops: tuple[OpName, ...] = ()
    is_ordered: bool = False
    attrs: tuple[AttrTest, ...] = ()
    args: tuple[Arg, ...] = ()
    port: int = 0


# -- what a rule puts in the place ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression over constants, shapes and attributes.

    Attributes:
        kind: "number", "text", "list", "name", "attr" (@node.name), "field" (.shape), "index", "slice", "unary",
            "binary", "call".
        value: number, text, name, operator or function.
        parts: what it is made of.
        at: place in the text.
    """

    kind: str
    value: Any = None
    parts: tuple[Expr, ...] = ()
    at: int = 0


@dataclass(frozen=True, slots=True)
class NewAttr:
    """One attribute of a new node: a literal, `@node.name`, or an expression; name `*` copies all of a node."""

    name: str
    value: AttrItem | Expr
    at: int = 0


@dataclass(frozen=True, slots=True)
class Build:
    """What is built.

    Attributes:
        kind: "value" (a capture, or something named before), "rest" (a list of captures), "number", "expr", "op".
        value: the name, number or expression.
        name: what others call it by.
        port: of a node; None where it is not said.
        op: name of the op.
        attrs: attributes of the new node.
        args: inputs of the new node.
        is_optional: leave it out if the capture is not bound.
        at: place in the text.
    """

    kind: str
    value: Any = None
    name: str | None = None
    port: int | None = None
    op: str = ""
    attrs: tuple[NewAttr, ...] = ()
    args: tuple[Build, ...] = ()
    is_optional: bool = False
    at: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """Roots that are looked for, and what takes their places.

    Attributes:
        name: of a rule of a file; the text itself of one from the command line.
        roots: patterns that have to match together.
        builds: one for each root; empty in a rule that only finds.
        lets: names for expressions, in order.
        conditions: what has to hold.
        exactness: "exact", or within what, as the rule says of itself.
        text: what it was read from, for messages.
        predicates: functions of a `Match` that have to agree (from Python only).
    """

    name: str
    roots: tuple[Pattern, ...]
    builds: tuple[Build, ...] = ()
    lets: tuple[tuple[str, Expr], ...] = ()
    conditions: tuple[Expr, ...] = ()
    exactness: str = ""
    text: str = ""
    at: int = 0
    predicates: tuple[Callable[[Any], bool], ...] = field(default=())


def parts_of(pattern: Pattern) -> Iterator[Pattern]:
    """Yield the patterns that one is made of directly."""
    if isinstance(pattern, Op):
        for arg in pattern.args:
            if isinstance(arg, Optional):
                yield arg.pattern
            elif isinstance(arg, Pattern):
                yield arg
    elif isinstance(pattern, Either):
        yield from pattern.options
    elif isinstance(pattern, Through):
        yield pattern.inner


def names_in(pattern: Pattern) -> Iterator[str]:
    """Yield every name that a pattern may bind, in the order in which it is matched."""
    is_bound_last = isinstance(pattern, Op | Either | Through)
    if pattern.name is not None and not is_bound_last:
        yield pattern.name
    if isinstance(pattern, Op):
        for arg in pattern.args:
            if isinstance(arg, Rest):
                if arg.name is not None:
                    yield arg.name
            else:
                yield from names_in(arg.pattern if isinstance(arg, Optional) else arg)
    else:
        for part in parts_of(pattern):
            yield from names_in(part)
    if pattern.name is not None and is_bound_last:
        yield pattern.name


def bound_surely(pattern: Pattern) -> set[str]:
    """Return the names that a match of a pattern binds whatever alternative it takes."""
    found = {pattern.name} if pattern.name is not None else set()
    if isinstance(pattern, Either):
        return found | set.intersection(*(bound_surely(option) for option in pattern.options))
    if isinstance(pattern, Through):
        return found | bound_surely(pattern.inner)
    if isinstance(pattern, Op):
        for arg in pattern.args:
            if isinstance(arg, Rest):
                found |= {arg.name} if arg.name else set()
            elif isinstance(arg, Pattern):
                found |= bound_surely(arg)
    return found
