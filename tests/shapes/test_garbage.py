"""Nodes as broken files have them: any number of inputs of any shape, any attribute, cycles. Nothing crashes."""

from __future__ import annotations

import random

import pytest

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model import DType, MetaGraph, Shape, Tensor
from graphsurgeon.model.graph import AttrValue, Graph, Value
from graphsurgeon.ops import catalog
from graphsurgeon.shapes import infer_shapes, registry
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import is_static, size
from graphsurgeon.shapes.fact import MOST_ELEMENTS, Fact
from graphsurgeon.shapes.session import Session

FLOAT, INT32, INT64, STRING = (DType.named(name) for name in ("float32", "int32", "int64", "string"))
NUMBERS = (0, 1, -1, 2, 3, 5, 1 << 40, -(1 << 62))
EXPECTED = (GraphSurgeonError, LookupError, ArithmeticError)  # what a shape function may raise on a broken node


def attr_value(rng: random.Random) -> AttrValue:
    """Return any attribute value, often of the wrong kind."""
    kind = rng.randrange(10)
    if kind == 0:
        return None
    if kind == 1:
        return rng.choice(NUMBERS)
    if kind == 2:
        return rng.random() < 0.5
    if kind == 3:
        return rng.choice((0.5, -1.0, float("inf"), float("nan")))
    if kind == 4:
        return rng.choice((b"", b"SAME", b"VALID", b"EXPLICIT", b"NCHW", b"NCHW_VECT_C", b"a,b->c", b"...->", b"\xff"))
    if kind == 5:
        return DType.of(rng.choice((0, 1, 3, 7, 9, 20, 101, 999)))
    if kind == 6:
        return shape(rng)
    if kind == 7:
        return Tensor.of(INT32, [2], [1, 2])
    return [attr_value(rng) for _ in range(rng.randrange(6))]


def shape(rng: random.Random) -> Shape:
    """Return any shape."""
    rank = rng.choice((None, 0, 1, 2, 3, 4, 5))
    return Shape(None) if rank is None else Shape([rng.choice((None, 0, 1, 2, 3, 1 << 40)) for _ in range(rank)])


def value(graph: Graph, rng: random.Random) -> Value:
    """Return a placeholder or a constant of any shape."""
    name = f"v{len(graph)}"
    if rng.random() < 0.5:
        return graph.add_node("Placeholder", name, (), {"dtype": FLOAT, "shape": shape(rng)}, checked=False).output()
    dims = rng.choice(([], [0], [1], [2], [4], [2, 2], [3, 2]))
    size = Shape(dims).num_elements or 0
    if rng.random() < 0.2:
        tensor = Tensor.of(STRING, dims, [b"1 0,1:-"] * size)
    else:
        tensor = Tensor.of(INT64, dims, [rng.choice(NUMBERS) for _ in range(size)])
    return graph.add_node("Const", name, (), {"dtype": tensor.dtype, "value": tensor}, checked=False).output()


def some_facts(count: int) -> list[Fact]:
    """Return what might be known of values."""
    rng = random.Random(count)
    graph = MetaGraph().graph
    values = [value(graph, rng) for _ in range(count)]
    report = infer_shapes(graph)
    return [report.fact(made) for made in values]


FACTS = some_facts(200)
FAMILIES: dict[str, list[str]] = {}
for op_name, shape_function in registry.shape_functions().items():
    FAMILIES.setdefault(shape_function.__module__.rpartition(".")[2], []).append(op_name)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_shape_function_takes_anything(family: str) -> None:
    rng = random.Random(family)
    answers = [infer_broken(op, rng) for op in FAMILIES[family] for _ in range(10)]
    assert any(answers)


def infer_broken(op: str, rng: random.Random) -> bool:
    """Call the functions of an op as inference does, and say whether they answer, or raise what they may."""
    definition = catalog.get(op)
    names = [*(definition.attrs if definition else ()), "T", "axis"]
    attrs = {name: attr_value(rng) for name in names if rng.random() < 0.8}
    node = MetaGraph().graph.add_node(op, "n", (), attrs, checked=False)
    facts = rng.sample(FACTS, rng.randrange(7))
    context = InferenceContext(node, definition, facts, rng.randrange(5), Session())
    try:
        results = registry.shape_functions()[op](context)
        made = results[0] if results else None
        dims = made.dims if isinstance(made, Fact) else made
        if (size(dims) or 0) <= MOST_ELEMENTS and is_static(dims) and op in registry.value_functions():
            registry.value_functions()[op](context)
    except EXPECTED:
        return False
    return True


def test_a_graph_of_broken_nodes_is_inferred() -> None:
    rng = random.Random(1)
    graph = MetaGraph().graph
    values = [value(graph, rng) for _ in range(20)]
    ops = sorted(registry.shape_functions())
    for number in range(3000):
        op = rng.choice(ops)
        definition = catalog.get(op)
        attrs = {name: attr_value(rng) for name in (definition.attrs if definition else ()) if rng.random() < 0.8}
        node = graph.add_node(op, f"n{number}", rng.sample(values, rng.randrange(5)), attrs, checked=False)
        values.append(node.output(rng.randrange(3)))
    nodes = graph.nodes
    for node in rng.sample(nodes, 500):  # cycles
        node.inputs = [*node.inputs, rng.choice(nodes).output()]
    report = infer_shapes(graph)
    assert report.findings
    assert {report.fact(value).dims is None for value in values} == {True, False}
