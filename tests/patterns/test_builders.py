"""Patterns that are made in Python."""

from __future__ import annotations

import pytest

from graphsurgeon.errors import UsageError
from graphsurgeon.model import Shape
from graphsurgeon.patterns import capture, constant, find_rule, number, ops, rest, through, variable
from graphsurgeon.patterns.match import Matcher
from graphsurgeon.patterns.subject import Subject
from tests.patterns.graphs import G


def test_patterns_made_in_python() -> None:
    graph = G("Mul(x, Sigmoid(x)); Add(Mul(y, 0.5), Neg(y)); Pack(a, b, c); RealDiv(a, b); Sub(a, b)")
    x, y = capture("x"), capture("y")
    subject = Subject(graph.metagraph)

    def count(pattern: object, **options: object) -> int:
        return len(Matcher(find_rule(pattern, **options), subject).find().matches)

    assert count(ops.Mul(x, ops.Sigmoid(x))) == 1
    assert count(x * ops.Sigmoid(x)) == 1
    assert count(y * 0.5 + -y) == 1
    assert count(0.5 * y + ops("Neg|Abs")(y)) == 1
    assert count(y / x) == count(y - x) == 1
    assert count(1 - x) == count(1 / x) == 0
    assert count(ops.Pack(x, rest("more"))) == 1
    assert count(ops.Mul(x, number(0.5, 1e-3) | number(2))) == 1
    assert count(ops.Mul(x, constant("c").where(lambda bound: float(bound.numpy()) < 1))) == 1
    assert count(ops.Mul(x, constant("c").where(lambda bound: float(bound.numpy()) > 1))) == 0
    assert count(ops.Mul(x, y).where(lambda bound: bound.shape == Shape([2, 3]))) == 2
    assert count(ops.Mul(x, y), where=lambda match: match.root.name == "Mul_2") == 1
    assert count(ops.Mul(ops.Sigmoid(x), x).ordered()) == 0
    assert count(ops("Mul|Add")(x.typed("f32", shape="2,3"), y.optional())) == 3
    assert count(ops.Mul(x, ops.Sigmoid(x).once()).named("m").attrs(T="f32")) == 1
    assert count(ops.Add(x, through("Neg|Abs", y))) == 1
    assert count(ops.Mul(variable("v"), x)) == 0


def test_wrong_use_from_python() -> None:
    with pytest.raises(ValueError, match="is no dtype"):
        capture("x").typed("f33")
    with pytest.raises(UsageError, match="is no dimension"):
        capture("x").typed(shape="two")
    with pytest.raises(ValueError, match="has ports"):
        capture("x").port(1)
    with pytest.raises(UsageError):
        G("Relu(x)").find("Relu(x) & ")
