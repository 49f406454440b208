"""Optimizing: what a graph is afterwards, what stays, and that a second time changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.errors import UsageError
from graphsurgeon.formats import registry
from graphsurgeon.model import DType, Model
from graphsurgeon.model.graph import Output
from graphsurgeon.surgery import optimize
from graphsurgeon.surgery.optimize import PASSES
from tests.patterns.graphs import FLOAT, G, function
from tests.surgery.graphs import FLOAT as T
from tests.surgery.graphs import constant, graph_model, node, placeholder, spelled
from tests.surgery.test_replace import shown

INT = DType.named("int32")


def run(made: G, **options: object) -> object:
    model = Model(registry.GRAPH_DEF, "memory")
    model.metagraphs = [made.metagraph]
    report = optimize(model, **options)
    after = spelled(made.graph)
    again = optimize(model, **options)
    assert again.passes == {}
    assert spelled(made.graph) == after
    return report


CASES = {
    "Neg(Add(x, Mul(2, 3)))": "Neg(Add(x, 6))",
    "Neg(Add(x, Mul(2, Sub(5, 2))))": "Neg(Add(x, 6))",
    "Neg(Add(x, Exp(2)))": "Neg(Add(x, Exp(2)))",  # other bits elsewhere
    "Neg(Mul(x, 1))": "Neg(x)",
    "Neg(Mul(1, x))": "Neg(x)",
    "Neg(RealDiv(x, 1))": "Neg(x)",
    "Neg(Sub(x, 0))": "Neg(x)",
    "Neg(Add(x, 0))": "Neg(Add(x, 0))",  # -0.0 would stay what it is
    "Neg(Mul(x, 0))": "Neg(Mul(x, 0))",  # NaN
    "Neg(Sub(x, x))": "Neg(Sub(x, x))",
    "Abs(Neg(Neg(x)))": "Abs(x)",
    "Neg(Reshape(Reshape(x, 1), 2))": "Neg(Reshape(Reshape(x, 1), 2))",  # by floats: left as it is
    "Add(Exp(x), Exp(x))": "Add(Exp(x), Exp(x))",
    "RandomUniform(2); RandomUniform(2)": "RandomUniform(2); RandomUniform(2)",
}


@pytest.mark.parametrize("text", CASES)
def test_what_becomes_of_a_graph(text: str) -> None:
    made = G(text)
    run(made)
    assert shown(made) == CASES[text]


def test_equal_nodes_become_one() -> None:
    made = G("Add(Mul(Exp(x), 2), Mul(Exp(x), 2))")
    report = run(made)
    ops = [one.op for one in made.graph.nodes]
    assert sorted(ops) == ["Add", "Const", "Exp", "Mul", "Placeholder"]
    assert report.passes == {"constants": 1, "common": 2}
    assert (report.nodes_before, report.nodes_after) == (8, 5)
    assert (report.constants_before, report.constants_after) == (2, 1)


def test_reshapes_and_transposes_come_to_one() -> None:
    made = G()
    x = made.add("x")
    one = made.graph.add_node("Reshape", "r", [x, made.const([3, 2], [2], INT)], {"T": FLOAT, "Tshape": INT}).output()
    two = made.graph.add_node("Reshape", "s", [one, made.const([2, 3], [2], INT)], {"T": FLOAT, "Tshape": INT}).output()
    turned = made.graph.add_node("Transpose", "t", [two, made.const([1, 0], [2], INT)], {"T": FLOAT, "Tperm": INT})
    back = made.graph.add_node("Transpose", "u", [turned.output(), made.const([1, 0], [2], INT)], dict(turned.attrs))
    made.graph.add_node("Neg", "n", [back.output()], {"T": FLOAT})
    run(made)
    assert shown(made) == "Neg(x)"


def test_ends_and_mentioned_nodes_stay() -> None:
    made = G("Exp(x); Exp(x)")
    assert run(made).notes == ("there is nothing to optimize",)
    assert len(made.graph) == 3


def test_passes_are_chosen() -> None:
    text = "Add(Mul(Exp(x), 2), Mul(Exp(x), Mul(1, 2)))"
    assert set(run(G(text), only=["constants"]).passes) <= {"constants"}
    assert "fold" not in run(G(text), keep=["fold"]).passes
    with pytest.raises(UsageError, match="there is no pass 'folding'; did you mean 'fold'"):
        run(G(text), only=["folding"])
    assert set(run(G(text)).passes) <= set(PASSES)


def test_a_constant_that_would_be_large_is_not_folded() -> None:
    made = G()
    dims = made.const([300, 300], [2], INT)
    filled = made.graph.add_node("Fill", "f", [dims, made.const(1.0, [])], {"T": FLOAT, "index_type": INT}).output()
    made.graph.add_node("Neg", "n", [filled], {"T": FLOAT})
    run(made)
    assert made.node("f").op == "Fill"
    run(made, max_fold=1 << 20)
    assert made.node("n").op == "Const"


def test_functions_are_optimized_too() -> None:
    made = G()
    body = function(made.metagraph, "f", ["p"], "Mul(Exp(p), Mul(1, Sub(3, 2)))")
    made.add("Neg(f(x))")
    run(made, keep=["calls"])
    assert [one.op for one in body.nodes] == ["Exp"]
    assert body.outputs[0].value.producer.op == "Exp"


def test_shapes_are_known_in_main_graphs_alone() -> None:
    made = G()
    attrs = {"T": FLOAT, "out_type": INT}
    made.graph.add_node("Neg", "n", [made.graph.add_node("Shape", "s", [made.add("x")], attrs).output()], {"T": INT})
    run(made)
    assert made.node("n").op == "Const"
    inside = G()
    body = function(inside.metagraph, "f", ["p"], "Neg(p)")
    shape = body.add_node("Shape", "s", [body.inputs[0]], attrs)
    body.outputs = [Output("out", shape.output(), INT)]
    inside.add("Neg(f(x))")
    run(inside, keep=["calls"])
    assert body.node("s").op == "Shape"


def test_a_folded_node_waits_for_its_branch(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path,
        placeholder("x"),
        placeholder("p", "DT_BOOL"),
        node("switch", "Switch", "x", "p", **T),
        node("pivot", "Identity", "switch:1", **T),
        constant("a", "float_val: 2", "DT_FLOAT", "^pivot"),
        constant("b", "float_val: 3", "DT_FLOAT", "^pivot"),
        node("product", "Mul", "a", "b", **T),
        node("merge", "Merge", "switch", "product", N="i: 2", **T),
    )
    optimize(model)
    nodes = spelled(model.graph)
    assert nodes["product"] == ["Const", "^pivot"]
    assert "a" not in nodes
    assert "pivot" in nodes


def test_a_control_edge_from_what_does_nothing_goes(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path,
        placeholder("x"),
        constant("w", "float_val: 2"),
        node("read", "Identity", "w", **T),
        node("wait", "NoOp", "^read"),
        node("y", "Mul", "x", "read", **T),
        node("out", "Identity", "y", "^wait", **T),
    )
    optimize(model)
    assert spelled(model.graph) == {
        "x": ["Placeholder"],
        "w": ["Const"],
        "y": ["Mul", "x:0", "w:0"],
        "out": ["Identity", "y:0"],
    }


def test_a_pass_that_others_compute_for_has_to_be_asked_for_and_given_them() -> None:
    text = "Neg(Add(x, Exp(2)))"
    assert "fold-with-tensorflow" not in run(G(text), only=["all"]).passes
    with pytest.raises(UsageError, match="nothing computes for fold-with-tensorflow"):
        run(G(text), only=["fold-with-tensorflow"])
    asked = []

    def compute(metagraph: object, wanted: list[str]) -> dict[str, object]:
        asked.append(wanted)
        return {}

    assert run(G(text), only=["fold-with-tensorflow"], compute=compute).passes == {}
    assert asked[0] == ["n1:0"]
