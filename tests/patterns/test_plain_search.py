"""Patterns and graphs made at random against a search that tries everything; and that matching is linear."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest

from graphsurgeon.model.graph import Value
from graphsurgeon.patterns import parse_pattern
from graphsurgeon.patterns.compiler import MOST_THROUGH
from graphsurgeon.patterns.match import Found, Matcher
from graphsurgeon.patterns.subject import Subject
from tests.patterns.graphs import FLOAT, G

# -- speed, by counting ------------------------------------------------------------------------------------------


def ladder(depth: int) -> G:
    graph = G()
    value = graph.add("x")
    for _ in range(depth):
        first = graph.graph.add_node("Neg", f"n{len(graph.graph)}", [value], {"T": FLOAT}, checked=False).output()
        second = graph.graph.add_node("Neg", f"n{len(graph.graph)}", [value], {"T": FLOAT}, checked=False).output()
        value = graph.graph.add_node(
            "Add", f"a{len(graph.graph)}", [first, second], {"T": FLOAT}, checked=False
        ).output()
    return graph


@pytest.mark.parametrize("depth", [8, 16, 24])
def test_ladders_of_commutative_ops_are_linear(depth: int) -> None:
    pattern = "_"
    for _ in range(depth):
        pattern = f"Add(Neg({pattern}), _)"
    graph = ladder(depth)
    matcher = Matcher(parse_pattern(pattern), Subject(graph.metagraph))
    assert len(matcher.find().matches) == 1
    assert matcher.compiled.most_steps < 200 * depth
    no_match = Matcher(parse_pattern(pattern.replace("_), _)", "Abs(_)), _)", 1)), Subject(graph.metagraph))
    assert no_match.find().matches == []


def test_what_cannot_be_decided_is_counted() -> None:
    depth = 24
    pattern = "x0"
    for level in range(depth):
        pattern = f"Add(Neg({pattern}), x{level + 1})"
    found = ladder(depth).search(pattern.replace("x0", "Neg(x0)"))
    assert found.matches == []
    assert [node.op for node in found.undecided][:1] in ([], ["Add"])


# -- against a plain search --------------------------------------------------------------------------------------

UNARY, BINARY, COMMUTATIVE = ("Neg", "Relu"), ("Add", "Sub"), {"Add"}


@pytest.mark.parametrize("seed", range(150))
def test_against_a_search_that_tries_everything(seed: int) -> None:
    """Roots found by the matcher are those that a search without index, memory or closures finds."""
    rng = random.Random(seed)
    graph = G("; ".join(random_statements(rng)))
    subject = Subject(graph.metagraph)
    for _ in range(4):
        text = random_pattern(rng, 3, top=True)
        matcher = Matcher(parse_pattern(text), subject)
        found = {node.name for node in graph.graph.nodes if matcher.at(node, Found()) is not None}
        nodes = [node for node in graph.graph.nodes if node.op != "Identity"]
        expected = {node.name for node in nodes if next(plain(parse(text), node.output(), {}), None) is not None}
        assert found == expected, text


def random_statements(rng: random.Random) -> Iterator[str]:
    names = ["x", "y"]
    for number_ in range(rng.randint(4, 12)):
        name = f"v{number_}"
        kind = rng.random()
        if kind < 0.15:
            yield f"{name} = Identity({rng.choice(names)})"
        elif kind < 0.5:
            yield f"{name} = {rng.choice(UNARY)}({rng.choice(names)})"
        else:
            yield f"{name} = {rng.choice(BINARY)}({rng.choice(names)}, {rng.choice(names)})"
        names.append(name)


def random_pattern(rng: random.Random, depth: int, *, top: bool = False) -> str:
    kind = rng.random()
    if not top and (depth == 0 or kind < 0.3):
        return rng.choice(["a", "b", "_"])
    if not top and kind < 0.37:
        return f"through({rng.choice(['Neg', 'Sub', 'Neg|Add', 'Relu|Sub'])}, {random_pattern(rng, depth - 1)})"
    if not top and kind < 0.45:
        return f"({random_pattern(rng, depth - 1)} or {random_pattern(rng, depth - 1)})"
    if kind < 0.6:
        return f"{rng.choice(UNARY)}({random_pattern(rng, depth - 1)})"
    return f"{rng.choice(BINARY)}({random_pattern(rng, depth - 1)}, {random_pattern(rng, depth - 1)})"


def parse(text: str) -> object:
    """Read a pattern of ops, names, `_` and alternatives into nested tuples."""
    text = text.strip()
    if text.startswith("("):
        return ("or", *map(parse, split(text[1:-1], " or ")))
    name, bracket, inner = text.partition("(")
    return (name, *map(parse, split(inner[:-1], ","))) if bracket else text


def split(text: str, sign: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth and text.startswith(sign, place):
            parts.append(text[start:place])
            start = place + len(sign)
    return [*parts, text[start:]]


def plain_through(
    pattern: tuple[object, ...], value: Value, names: dict[str, Value], left: int = MOST_THROUGH
) -> Iterator[dict[str, Value]]:
    """Yield every way in which a value is what a `through` leads to, or is made of that."""
    yield from plain(pattern[2], value, names)
    node = behind_identities(value).producer
    if left and node is not None and node.op in str(pattern[1]).split("|"):
        for given in node.inputs:
            yield from plain_through(pattern, given, names, left - 1)


def plain(pattern: object, value: Value, names: dict[str, Value]) -> Iterator[dict[str, Value]]:
    """Yield every way in which a value matches, by trying everything."""
    if isinstance(pattern, str):
        made = behind_identities(value)
        if pattern == "_":
            yield names
        elif names.get(pattern, made) is made:
            yield {**names, pattern: made}
        return
    assert isinstance(pattern, tuple)
    if pattern[0] == "or":
        for option in pattern[1:]:
            yield from plain(option, value, names)
        return
    if pattern[0] == "through":
        yield from plain_through(pattern, value, names)
        return
    node = behind_identities(value).producer
    if node is None or node.op != pattern[0]:
        return
    orders = [node.inputs, node.inputs[::-1]] if node.op in COMMUTATIVE else [node.inputs]
    for inputs in orders:
        ways = [names]
        for inner, given in zip(pattern[1:], inputs, strict=True):
            ways = list(itertools.chain.from_iterable(plain(inner, given, way) for way in ways))
        yield from ways


def behind_identities(value: Value) -> Value:
    while value.producer is not None and value.producer.op == "Identity":
        value = value.producer.inputs[0]
    return value
