"""Patterns and rules from Python, in the words that `docs/patterns.md` explains.

    from graphsurgeon.patterns import capture, constant, ops
    x = capture("x")
    swish = ops.Mul(x, ops.Sigmoid(x))
    scaled = x * 0.5 + capture("y").where(lambda bound: bound.shape.rank == 2)

Everything that text can say can be said so; `where` takes a function beside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from graphsurgeon.model.shape_pattern import shape_matcher
from graphsurgeon.patterns.parser import dtype_named
from graphsurgeon.patterns.rule_parser import parse_rule
from graphsurgeon.patterns.syntax import (
    Anything,
    Arg,
    AttrTest,
    Either,
    Known,
    Literal,
    OneVariable,
    Op,
    OpName,
    Optional,
    Pattern,
    Rest,
    Rule,
    Through,
    TypeTest,
    Word,
)
from graphsurgeon.patterns.vocabulary import TENSORFLOW

Operand: TypeAlias = "P | int | float | Sequence[Any]"


class P:
    """A pattern; operators make patterns of patterns.

    Attributes:
        pattern: what it says.
    """

    __slots__ = ("pattern",)

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern

    def named(self, name: str) -> P:
        """Bind what this matches to a name."""
        return P(dataclasses.replace(self.pattern, name=name))

    def once(self) -> P:
        """Let nothing outside the match read it."""
        return P(dataclasses.replace(self.pattern, once=True))

    def where(self, test: Callable[[Any], bool]) -> P:
        """Let a function of the `Bound` (`value`, `node`, `dtype`, `shape`, `numpy()`) have the last word."""
        before = self.pattern.test
        both = test if before is None else lambda bound: before(bound) and test(bound)
        return P(dataclasses.replace(self.pattern, test=both))

    def typed(self, *dtypes: str, shape: str | None = None) -> P:
        """Require one of some dtypes, and a shape such as `?,*,64`."""
        found = [dtype_named(word) for word in dtypes]
        kept = tuple(dtype for dtype in found if dtype is not None)
        if len(kept) < len(dtypes):
            raise ValueError(f"{dtypes[found.index(None)]!r} is no dtype")
        if shape is not None:
            shape_matcher(shape)  # which refuses what is no shape
        return P(dataclasses.replace(self.pattern, type=TypeTest(kept, shape)))

    def optional(self) -> Optional:
        """Let the input be left out; for the last inputs of an op."""
        return Optional(self.pattern)

    def port(self, number: int) -> P:
        """Mean another output of a node than its first."""
        if not isinstance(self.pattern, Op):
            raise ValueError("only the pattern of an op has ports")
        return P(dataclasses.replace(self.pattern, port=number))

    def ordered(self) -> P:
        """Take the inputs in the order in which they are given, though the op be commutative."""
        if not isinstance(self.pattern, Op):
            raise ValueError("only the pattern of an op has inputs")
        return P(dataclasses.replace(self.pattern, is_ordered=True))

    def attrs(self, **values: Any) -> P:
        """Require attributes: numbers, texts, True and False, lists of these."""
        if not isinstance(self.pattern, Op):
            raise ValueError("only the pattern of an op has attributes")
        tests = tuple(AttrTest(name, (_attr_item(value),)) for name, value in values.items())
        return P(dataclasses.replace(self.pattern, attrs=(*self.pattern.attrs, *tests)))

    def __or__(self, other: Operand) -> P:
        return P(Either(options=(self.pattern, pattern_of(other))))

    def __add__(self, other: Operand) -> P:
        return _operation("+", self, other)

    def __radd__(self, other: Operand) -> P:
        return _operation("+", other, self)

    def __sub__(self, other: Operand) -> P:
        return _operation("-", self, other)

    def __rsub__(self, other: Operand) -> P:
        return _operation("-", other, self)

    def __mul__(self, other: Operand) -> P:
        return _operation("*", self, other)

    def __rmul__(self, other: Operand) -> P:
        return _operation("*", other, self)

    def __truediv__(self, other: Operand) -> P:
        return _operation("/", self, other)

    def __rtruediv__(self, other: Operand) -> P:
        return _operation("/", other, self)

    def __neg__(self) -> P:
        return _operation("neg", self)


class Ops:
    """`ops.Relu(x)`, `ops("Add|AddV2")(x, y)`, `ops("FusedBatchNorm*")(x, rest())`."""

    def __call__(self, names: str) -> Callable[..., P]:
        """Return what makes a pattern of any of some ops, between `|`; `*` at the end of a name stands for any end."""
        ops = _op_names(names)

        def build(*args: Operand | Rest | Optional, **attrs: Any) -> P:
            pattern = P(Op(ops=ops, args=tuple(map(_arg, args))))
            return pattern.attrs(**attrs) if attrs else pattern

        return build

    def __getattr__(self, name: str) -> Callable[..., P]:
        return self(name)


ops = Ops()


def capture(name: str) -> P:
    """Return the pattern of any value, bound to a name; the same name twice is the same value twice."""
    return P(Anything(name=name))


def anything() -> P:
    """Return the pattern of any value."""
    return P(Anything())


def constant(name: str | None = None) -> P:
    """Return the pattern of a constant."""
    return P(Known(name=name))


def weight(name: str | None = None) -> P:
    """Return the pattern of a constant, or of what is read from a variable."""
    return P(Known(name=name, variables=True))


def variable(name: str | None = None) -> P:
    """Return the pattern of a variable, or of what is read from one; the same name twice is the same variable."""
    return P(OneVariable(name=name))


def through(names: str, before: Operand) -> P:
    """Return a pattern, itself or behind any number of some ops, `"Cast|Reshape"`, by whichever of their inputs."""
    return P(Through(ops=_op_names(names), inner=pattern_of(before)))


def number(value: int | float | Sequence[Any], tolerance: float = 0.0) -> P:
    """Return the pattern of a constant by value: each element a number, or elements as nested lists."""
    return P(Literal(items=_tuples(value), tolerance=tolerance))


def rest(name: str | None = None) -> Rest:
    """Return what stands for any number of inputs."""
    return Rest(name)


def either(*options: Operand) -> P:
    """Return the first of some patterns that matches."""
    return P(Either(options=tuple(map(pattern_of, options))))


def find_rule(*roots: P, where: Callable[[Any], bool] | None = None, name: str = "pattern") -> Rule:
    """Return a rule that only finds; `where` is a function of the `Match`."""
    return Rule(name, tuple(root.pattern for root in roots), predicates=(where,) if where is not None else ())


def rule(pattern: P, replacement: str, *, where: Callable[[Any], bool] | None = None, name: str = "rule") -> Rule:
    """Return a rule from a pattern of Python and a replacement as text, `where` conditions included."""
    from graphsurgeon.patterns.rule_parser import with_replacement

    made = with_replacement(name, (pattern.pattern,), replacement)
    return dataclasses.replace(made, predicates=(where,) if where is not None else ())


def as_rule(given: Rule | P | str) -> Rule:
    """Return a rule from text, a pattern of Python, or a rule."""
    if isinstance(given, Rule):
        return given
    return find_rule(given) if isinstance(given, P) else parse_rule(given)


def pattern_of(operand: Operand) -> Pattern:
    """Return the pattern that a number, list or pattern is."""
    return operand.pattern if isinstance(operand, P) else number(operand).pattern


def _op_names(names: str) -> tuple[OpName, ...]:
    given = [name.strip() for name in names.split("|")]
    return tuple(OpName(name.removesuffix("*"), name.endswith("*")) for name in given)


def _arg(given: Operand | Rest | Optional) -> Arg:
    return given if isinstance(given, Rest | Optional) else pattern_of(given)


def _operation(sign: str, *operands: Operand) -> P:
    names = tuple(OpName(name) for name in TENSORFLOW.operators[sign])
    return P(Op(ops=names, args=tuple(map(pattern_of, operands))))


def _attr_item(value: Any) -> Any:
    if isinstance(value, bool):
        return Word("true" if value else "false")
    return tuple(map(_attr_item, value)) if isinstance(value, list | tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
