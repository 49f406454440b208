"""Which node corresponds to which: by name, and by structure where names changed."""

from __future__ import annotations

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.compare.alignment import Alignment, align
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.model import Model


def chain(*names: str, ops: tuple[str, ...] = ("Relu", "Tanh", "Sigmoid")) -> Model:
    """x -> ops[0] -> ops[1] -> ops[2], the nodes called as given."""
    model = graphsurgeon.new_model()
    value = model.graph.add_node("Placeholder", "x", attrs={"dtype": "float32", "shape": "?,4"}).output()
    for op, name in zip(ops, names, strict=True):
        value = model.graph.add_node(op, name, value).output()
    return model


def pairs(found: Alignment) -> dict[str, str]:
    return {node.name: partner.name for node, partner in found.nodes.items()}


def aligned(before: Model, after: Model) -> dict[str, str]:
    return pairs(align(before.graph, after.graph, {}))


def test_equal_names_are_pairs() -> None:
    assert aligned(chain("a", "b", "c"), chain("a", "b", "c")) == {"x": "x", "a": "a", "b": "b", "c": "c"}


def test_renamed_nodes_are_found_by_what_they_compute() -> None:
    assert aligned(chain("a", "b", "c"), chain("u", "v", "w")) == {"x": "x", "a": "u", "b": "v", "c": "w"}


def test_exchanged_names_of_other_ops_are_no_pairs() -> None:
    before, after = chain("a", "b", "c"), chain("b", "a", "c")
    assert aligned(before, after) == {"x": "x", "a": "b", "b": "a", "c": "c"}


def test_what_is_left_is_said_on_both_sides() -> None:
    before, after = chain("a", "b", "c"), chain("a", "b", "c")
    after.graph.add_node("Exp", "more", "c")
    found = align(before.graph, after.graph, {})
    assert [[node.name for node in side] for side in found.left()] == [[], ["more"]]


def test_an_image_is_the_same_port_of_the_partner() -> None:
    def top(name: str) -> Graph:
        model = chain("a", "b", "c")
        model.graph.add_node("TopKV2", name, ["c", 2])
        return model.graph

    before, after = top("old"), top("new")
    found = align(before, after, {})
    values = before.node("old")
    assert values is not None
    assert [str(found.image(values.output(port))) for port in (0, 1)] == ["new:0", "new:1"]


@pytest.mark.parametrize("value", [2.0, 3.0])
def test_constants_of_other_values_pair_by_their_place(value: float) -> None:
    """Two weights were renamed, one also changed: each goes with the one that is read in its place."""

    def model(first: str, second: str, weight: float) -> Model:
        made = chain("a", "b", "c")
        one = made.graph.add_node("Const", first, attrs={"value": np.full((4, 4), weight, np.float32)})
        two = made.graph.add_node("Const", second, attrs={"value": np.full((4, 4), 7.0, np.float32)})
        made.graph.add_node("MatMul", "m", [made.graph.add_node("MatMul", "n", ["c", one]), two])
        return made

    found = aligned(model("w1", "w2", 2.0), model("v1", "v2", value))
    assert (found["w1"], found["w2"]) == ("v1", "v2")
