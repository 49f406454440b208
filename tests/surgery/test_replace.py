"""Replacing: what the graph is afterwards, what is refused, and that it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats import registry
from graphsurgeon.model import DType, Model, Shape
from graphsurgeon.model.graph import Output
from graphsurgeon.patterns import capture, ops, rule
from graphsurgeon.patterns.lexer import PatternError
from graphsurgeon.surgery import replace
from tests.patterns.graphs import FLOAT, G, function
from tests.surgery.graphs import FLOAT as T
from tests.surgery.graphs import constant, graph_model, node, placeholder, spelled


def run(made: G, *rules: object, **options: object) -> object:
    model = Model(registry.GRAPH_DEF, "memory")
    model.metagraphs = [made.metagraph]
    return replace(model, list(rules), **options)


def shown(graph: G) -> str:
    """Return the last node as an expression, constants as their numbers."""

    def text(value: object) -> str:
        node_ = value.producer
        if node_ is None:
            return str(value)
        if node_.op == "Const":
            return str(node_.attrs["value"].items()[0]).removesuffix(".0")
        if node_.op == "Placeholder":
            return node_.name
        port = f":{value.port}" if value.port else ""
        return f"{node_.op}({', '.join(map(text, node_.inputs))}){port}"

    ends = [one for one in graph.graph.nodes if not one.consumers and one.op not in ("Const", "Placeholder")]
    return "; ".join(text(one.output()) for one in ends)


# graph -> rule -> what it becomes
CASES: dict[str, dict[str, str]] = {
    "r = Erfc(x); Neg(r)": {
        "Erfc(x) => Sub(1, Erf(x))": "Neg(Sub(1, Erf(x)))",
        "Erfc(x) => x": "Neg(x)",
        "Erfc(x) => 0": "Neg(0)",
        "Erfc(x) => {1 / 2}": "refused",  # a scalar is no [2,3]
        "Erfc(x) => {full([2, 3], 0.5)}": "Neg(0.5)",
        "Erfc(x) => Add(y=Erf(x), y)": "Neg(Add(Erf(x), Erf(x)))",
        "Erfc(x) => Sub(1, Erf(x)) where x.rank == 3": "Neg(Erfc(x))",
        "Erfc(x) => AddN(x, x, x)": "Neg(AddN(x, x, x))",
        "Erfc(x) => Sum(x, 0)": "refused",
        "Erfc(x) => Cast[DstT=f16](x)": "refused",
        "Erfc(x) => Cast(Cast[DstT=f16](x))": "Neg(Cast(Cast(x)))",
        "Erfc(x) => Split[num_split=2](0, x):1": "refused",  # [1,3]
        "Erfc(x) => Unpack[axis=0, num=2](Pack(x, x)):1": "Neg(Identity(Unpack(Pack(x, x)):1))",
        "Neg(Erfc(x)) => Abs(x)": "Abs(x)",
        "n=Neg(Erfc(x) once) => Exp(x)": "Exp(x)",
        "Neg(e=Erfc(x)) => Mul(e, 2)": "Mul(Erfc(x), 2)",
    },
    "Relu(Relu(Relu(x)))": {"Relu(Relu(x)) => Relu(x)": "Relu(x)", "Relu(Relu(x)) => Relu6(x)": "Relu(Relu6(x))"},
    "Relu(Reshape(Reshape(Reshape(x, 1), 2), 3))": {
        "Relu(r=Reshape(x, s)) => Relu6(r)": "Relu6(Reshape(Reshape(Reshape(x, 1), 2), 3))",
    },
    "a = Exp(x); Add(a, Neg(a)); Abs(a)": {
        "Neg(Exp(x)) => Sin(x)": "Add(Exp(x), Sin(x)); Abs(Exp(x))",
        "Exp(x) => Expm1(x)": "Add(Expm1(x), Neg(Expm1(x))); Abs(Expm1(x))",
    },
    "t = TopKV2(x, 3); Neg(t); Abs(t:1)": {
        "a=TopKV2(x, k):0 & b=TopKV2(x, k):1 => TopK[k=3](x) & TopK[k=3](x):1": "Neg(TopK(x)); Abs(TopK(x):1)",
        "TopKV2(x, k) => Sin(x)": "Neg(Sin(x)); Abs(TopKV2(x, 3):1)",
        "TopKV2(x, k) => x": "Neg(x); Abs(TopKV2(x, 3):1)",
    },
    "s = Split[num_split=2](0, x); Neg(s:1)": {
        "Split(a, x):1 => Sum[keep_dims=true](x, 0)": "Neg(Identity(Sum(x, 0)))"
    },
    "Pack(a, b, c)": {
        "Pack(first, more...) => Pack(more..., first)": "refused ",
        "Pack(first, more...) => ParallelConcat[shape=[3,2,3]](more..., first)": "ParallelConcat(b, c, a)",
    },
    "AddV2(AddV2(a, 1), 2)": {
        "AddV2(AddV2(x, const(p)), const(q)) => Sub(x, {0 - (p + q)})": "Sub(a, -3)",
        "AddV2(AddV2(x, const(p)), const(q)) => Sub(x, {[q, p, p]})": "Sub(a, 2)",
    },
    "Mul(x, Sigmoid(x)); Mul(Sigmoid(y), y)": {
        "Mul(x, Sigmoid(x)) => 'Swish'[T=f32](x)": "Swish(x); Swish(y)",
    },
    "i = IdentityN(Mul(x, Sigmoid(x)), x); Relu(i)": {
        "IdentityN(Mul(x, Sigmoid(x)), x):0 => Mul(x, Sigmoid(x))": "Relu(Mul(x, Sigmoid(x)))",
    },
}  # fmt: skip


@pytest.mark.parametrize(("graph", "text"), [(graph, text) for graph, rules in CASES.items() for text in rules])
def test_what_becomes_of_a_graph(graph: str, text: str) -> None:
    made = G(graph)
    before = shown(made)
    expected = CASES[graph][text]
    if expected.startswith("refused"):
        with pytest.raises((UnsupportedError, UsageError)):
            run(made, text)
        assert shown(made) == before
    else:
        run(made, text)
        assert shown(made) == expected


def test_the_root_keeps_its_name_and_the_others_get_its_scope() -> None:
    graph = G()
    x = graph.add("x")
    graph.graph.add_node("Erfc", "layer/act/gelu", [x], {"T": FLOAT})
    report = run(graph, "Erfc(x) => Sub(1, Erf(x))")
    names = {one.name: one.op for one in graph.graph.nodes}
    assert names == {"x": "Placeholder", "layer/act/gelu": "Sub", "layer/act/Erf": "Erf", "layer/act/Const": "Const"}
    assert report.rules == {"Erfc(x) => Sub(1, Erf(x))": 1}
    assert (report.nodes_before, report.nodes_after) == (2, 4)


def test_an_inner_node_that_is_read_stays_and_is_said() -> None:
    graph = G("s = Sigmoid(x); m = Mul(x, s); n = Neg(s)")
    report = run(graph, "Mul(x, Sigmoid(x)) => 'Swish'[T=f32](x)")
    (kept,) = report.kept
    assert (kept.node, kept.reader) == (graph.node("n").inputs[0].producer.name, "n")


def test_dtypes_of_literals_follow_what_reads_them() -> None:
    graph = G()
    half = {"T": DType.named("float16")}
    x = graph.graph.add_node("Placeholder", "x", [], {"dtype": half["T"], "shape": Shape([2])}).output()
    graph.graph.add_node("Erfc", "e", [x], half)
    run(graph, "Erfc(x) => Sub(1, Erf(x))")
    one = graph.node("e").inputs[0].producer
    assert one.attrs["value"].dtype is half["T"]
    assert graph.node("e").attrs["T"] is half["T"]


def test_attributes_from_a_capture() -> None:
    graph = G("Relu(Conv2D[padding=SAME, strides=[1,2,2,1], _note=1](Pad(x, 1), w))")
    run(graph, "c=Conv2D(Pad(x, p), w) => Conv2D[*=@c, padding=VALID](x, w)", once=True)
    conv = next(one for one in graph.graph.nodes if one.op == "Conv2D")
    assert conv.attrs["padding"] == b"VALID"
    assert conv.attrs["strides"] == [1, 2, 2, 1]
    assert "_note" not in conv.attrs
    strided = G("Relu(MaxPool[ksize=[1,2,2,1], strides=[1,2,2,1], padding=SAME](x))")
    run(strided, "m=MaxPool(x) => AvgPool[ksize=@m.ksize, strides={@m.strides}, padding=@m.padding](x)")
    pool = next(one for one in strided.graph.nodes if one.op == "AvgPool")
    assert pool.attrs["ksize"] == [1, 2, 2, 1]
    assert pool.attrs["padding"] == b"SAME"


def test_once_limit_and_scope() -> None:
    text = "Neg(x) => Abs(x)"
    limited = G("Neg(Neg(Neg(x)))")
    assert len(run(limited, text, limit=2).replaced) == 2
    assert shown(limited) == "Neg(Abs(Abs(x)))"
    assert run(G("Neg(x)"), text, limit=0).notes == ("nothing matches",)
    growing = G("Relu(Neg(x))")
    with pytest.raises(UsageError, match=r"would never end.*--once"):
        run(growing, "Neg(x) => Neg(Abs(x))")
    run(growing, "Neg(x) => Neg(Abs(x))", once=True)
    assert shown(growing) == "Relu(Neg(Abs(x)))"
    scoped = G()
    x = scoped.add("x")
    for name in ("a/n", "ab/n", "a"):
        scoped.graph.add_node("Neg", name, [x], {"T": FLOAT})
    run(scoped, text, scope="a")
    assert {one.name: one.op for one in scoped.graph.nodes if one.name != "x"} == {
        "a/n": "Abs",
        "ab/n": "Neg",
        "a": "Abs",
    }


def test_rules_that_feed_each_other_end_with_both_names() -> None:
    from graphsurgeon.patterns import parse_rules

    rules = parse_rules("rule there: Neg(x) => Abs(x); rule back: Abs(x) => Neg(x);")
    with pytest.raises(UsageError, match="rules 'back' and 'there' go on without end"):
        run(G("Relu(Neg(x))"), *rules)
    doubling = parse_rules("rule a: Neg(x) => Add(Abs(x), Abs(x)); rule b: Abs(x) => Neg(x);")
    with pytest.raises(UsageError, match="go on without end"):
        run(G("Relu(Neg(x))"), *doubling)


def test_a_chain_goes_to_a_fixed_point() -> None:
    graph = G("Cast[SrcT=f32, DstT=f32](" * 5 + "x" + ")" * 5)
    run(graph, "Cast(Cast(x)) => Cast[DstT=f32](x) where x.rank == 2")
    assert shown(graph) == "Cast(x)"


def test_the_next_rule_sees_what_the_one_before_made() -> None:
    graph = G("Relu(Neg(x))")
    run(graph, "Abs(x) => Sin(x)", "Neg(x) => Abs(x)")
    assert shown(graph) == "Relu(Sin(x))"


def test_back_to_back_matches_read_what_is_there() -> None:
    graph = G(
        "; ".join(f"v{i} = Mul({f'v{i - 1}' if i else 'x'}, Sigmoid({f'v{i - 1}' if i else 'x'}))" for i in range(9))
    )
    report = run(graph, "Mul(x, Sigmoid(x)) => 'Swish'[T=f32](x)")
    assert len(report.replaced) == 9
    assert shown(graph) == "Swish(" * 9 + "x" + ")" * 9
    assert len(graph.graph) == 10


def test_functions_are_replaced_in_too() -> None:
    graph = G()
    function(graph.metagraph, "f", ["p"], "Erfc(p)")
    graph.add("Relu(f(x))")
    report = run(graph, "Erfc(x) => Sub(1, Erf(x))")
    assert [one.graph for one in report.replaced] == ["f"]
    body = graph.metagraph.functions["f"]
    assert body.outputs[0].value.producer.op == "Sub"
    through = G()
    inner = function(through.metagraph, "g", ["p"], "Erfc(p)")
    through.add("Relu(g(x))")
    run(through, "Erfc(x) => x")
    assert inner.outputs[0].value is inner.inputs[0]
    assert run(G("Relu(f)"), "Erfc(x) => x", graph="main").notes == ("nothing matches",)


def test_nothing_is_replaced_across_a_call() -> None:
    graph = G()
    function(graph.metagraph, "f", ["p"], "Neg(p)")
    graph.add("Relu(f(x))")
    assert run(graph, "Relu(Neg(x)) => Abs(x)").notes == ("nothing matches",)


def test_patterns_from_python() -> None:
    graph = G("Mul(x, Sigmoid(x))")
    x = capture("x")
    run(graph, rule(ops.Mul(x, ops.Sigmoid(x)), "'Swish'[T=f32](x)", name="swish"))
    assert shown(graph) == "Swish(x)"
    run(graph, rule(ops.Swish(x), "Sin(x)", where=lambda match: match.root.name == "nobody"))
    assert shown(graph) == "Swish(x)"


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("graph", "text", "message"),
    [
        ("Neg(Erfc(x))", "Erfc(x) => Sum(x, 0)", r"'Erfc_1': rule .* cannot be used: .* shape \[2,3\], .*\[3\]"),
        ("Neg(Erfc(x))", "Erfc(x) => Cast[DstT=f16](x)", "is float32, the replacement float16"),
        ("Neg(Erfc(x))", "Erfc(x) => MatMul(x)", "MatMul cannot have 1 input, it takes 2"),
        ("Neg(Erfc(x))", "Erfc(x) => Cast[DstT=f32](x):1", "Cast has no output 1"),
        ("Neg(Erfc(x))", "e=Erfc(x) => Mul(e, 2)", "it reads Erfc_1:0, which it replaces"),
        ("Neg(Erfc(x))", "Erfc(x) => OneHot(x, 3, 1, 0)", "attribute 'TI' of OneHot cannot be float32"),
        ("Neg(Erfc(x))", "Erfc(x) => {w + 1} where w = x", "'x' .*is no constant"),
        ("Neg(Erfc(x))", "Erfc(x) => Erff(x)", "there is no op Erff; did you mean Erf"),
        ("Neg(Erfc(x))", "Erfc(x) => Erf[a=1](x)", "Erf has no attribute 'a'"),
        ("Neg(Erfc(x))", "Erfc(x) => Conv2D[padding=0](x, x)", "'padding' of Conv2D: 0 is no string"),
        ("Neg(Erfc(x))", "Erfc(x) => Conv2D(x, x)", r"attribute 'strides' \(list\(int\)\) of Conv2D has to be said"),
        ("Neg(Erfc(x))", "Erfc(x)", "only finds"),
        ("Neg(Assign(v, x))", "Assign(v, x) => x", r"\(Assign\) does more than yield a value"),
        ("a = Exp(x); b = Neg(a)", "Exp(p) & Neg(q) => Sin(q) & Cos(q)", "roots"),
    ],
)  # fmt: skip
def test_what_is_refused(graph: str, text: str, message: str) -> None:
    made = G(graph)
    before = spelled(made.graph)
    if "&" in text:
        assert run(made, text).notes == ("nothing matches",)
        return
    with pytest.raises((UnsupportedError, UsageError), match=message):
        run(made, text)
    assert spelled(made.graph) == before


def test_a_cycle_through_two_roots_is_refused() -> None:
    graph = G("p = Exp(x); a = Neg(p); b = Abs(a); Sub(a, p); Tan(b)")
    with pytest.raises(UnsupportedError, match=r"cycle|which it replaces"):
        run(graph, "Neg(p) & Sub(a, p) => Sin(a) & Cos(p)")


def test_variables_have_to_be_frozen_first() -> None:
    graph = G("v = VarHandleOp(); r = ReadVariableOp[dtype=1](v); Mul(x, r)")
    with pytest.raises(UnsupportedError, match="is read from a variable: freeze first"):
        run(graph, "Mul(x, weight(w)) => Sub(x, {w * 2})")


def test_what_yields_nothing_has_no_place_to_take() -> None:
    graph = G("v = VarHandleOp[dtype=1](); AssignSubVariableOp[dtype=1](v, x)")
    with pytest.raises(PatternError, match="column 2: AssignSubVariableOp yields nothing whose place could be taken"):
        run(graph, "(AssignSubVariableOp(v, x) or AssignAddVariableOp(v, x)) => x")


def test_places_are_checked_before_the_first_change() -> None:
    graph = G("Erfc(x); y = Placeholder[dtype=1](); Neg(Sum(x, 0))")
    before = spelled(graph.graph)
    with pytest.raises(UnsupportedError):
        run(graph, "(Erfc(x) or Sum(x, _)) => x")
    assert spelled(graph.graph) == before


def test_places_that_are_refused_may_be_left() -> None:
    """One sum yields the shape it had, the other does not: without the option nothing is replaced, and it is said."""
    made = G("Neg(Erfc(x)); Abs(Sum(x, 0)); Tan(Erfc(y))")
    rule = "(Erfc(x) or Sum(x, _)) => Sin(x)"
    before = spelled(made.graph)
    with pytest.raises(UnsupportedError, match="--skip-refused leaves this place and replaces the other 2") as caught:
        run(made, rule)
    assert spelled(made.graph) == before
    report = run(made, rule, skip_refused=True)
    assert len(report.replaced) == 2
    assert {"Erfc", "Sum"} & set(made.graph.op_counts) == {"Sum"}
    (left,) = report.refused
    assert left.node in str(caught.value)
    assert left.why in str(caught.value)


def test_only_refused_places_are_no_match_and_no_advice() -> None:
    made = G("Abs(Sum(x, 0))")
    with pytest.raises(UnsupportedError) as caught:
        run(made, "Sum(x, _) => x")
    assert "--skip-refused" not in str(caught.value)
    report = run(made, "Sum(x, _) => x", skip_refused=True)
    assert (len(report.refused), report.notes) == (1, ())


def test_no_rules_at_all() -> None:
    with pytest.raises(UsageError, match="no rule"):
        run(G("Relu(x)"))
    with pytest.raises(PatternError):
        run(G("Relu(x)"), "Relu(x) =>")


# -- control edges and mentions -------------------------------------------------------------------------------------


def test_a_new_constant_in_a_branch_waits_for_the_branch(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path,
        placeholder("x"),
        placeholder("p", "DT_BOOL"),
        node("switch", "Switch", "x", "p", **T),
        node("zero", "Mul", "switch:1", "switch:1", **T),
        node("merge", "Merge", "switch", "zero", N="i: 2", **T),
    )
    replace(model, ["Mul(x, x) => Sub(x, 1)"])
    nodes = spelled(model.graph)
    (const,) = [name for name, (op, *_) in nodes.items() if op == "Const"]
    (alive,) = [name for name, (op, *_) in nodes.items() if op == "Identity"]
    assert nodes[const] == ["Const", f"^{alive}"]
    assert nodes[alive] == ["Identity", "switch:1"]
    assert nodes["zero"] == ["Sub", "switch:1", f"{const}:0"]


def test_a_root_that_reads_nothing_of_the_branch_waits_for_it(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path,
        placeholder("x", dims="2"),
        placeholder("p", "DT_BOOL"),
        node("switch", "Switch", "x", "p", **T),
        node("zero", "Mul", "switch:1", "switch:1", **T),
        node("merge", "Merge", "switch", "zero", N="i: 2", **T),
    )
    replace(model, ["Mul(x, x) => 0"])
    nodes = spelled(model.graph)
    assert nodes["zero"][0] == "Const"
    assert nodes[nodes["zero"][1].removeprefix("^")] == ["Identity", "switch:1"]


def test_a_new_constant_in_a_loop_runs_in_the_loop(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path,
        placeholder("x", dims="2"),
        node("enter", "Enter", "x", frame_name='s: "loop"', **T),
        node("merge", "Merge", "enter", "next", N="i: 2", **T),
        constant("stop", "bool_val: false", "DT_BOOL", "^merge"),
        node("cond", "LoopCond", "stop"),
        node("switch", "Switch", "merge", "cond", **T),
        node("body", "Neg", "switch:1", **T),
        node("next", "NextIteration", "body", **T),
        node("exit", "Exit", "switch", **T),
    )
    replace(model, ["Neg(x) => Mul(x, -1)"])
    nodes = spelled(model.graph)
    (const,) = [name for name, (op, *_) in nodes.items() if op == "Const" and name != "stop"]
    assert nodes[nodes[const][1].removeprefix("^")][0] == "Identity"


def test_who_waited_for_a_removed_node_waits_for_what_it_waited_for(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path,
        placeholder("x"),
        node("first", "NoOp"),
        node("s", "Sigmoid", "x", "^first", **T),
        node("m", "Mul", "x", "s", **T),
        node("after", "NoOp", "^s", "^m"),
    )
    replace(model, ["Mul(x, Sigmoid(x)) => Neg(x)"])
    assert spelled(model.graph) == {
        "x": ["Placeholder"],
        "first": ["NoOp"],
        "m": ["Neg", "x:0", "^first"],
        "after": ["NoOp", "^first", "^x", "^m"],
    }


def test_colocation_with_a_removed_node_goes(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path,
        placeholder("x"),
        node("s", "Sigmoid", "x", **T),
        node("m", "Mul", "x", "s", **T),
        node("n", "Neg", "m", **T, _class='list { s: "loc:@s" s: "loc:@m" }'),
    )
    replace(model, ["Mul(x, Sigmoid(x)) => Neg(x)"], graph="main")
    assert model.graph.node("n").attrs["_class"] == [b"loc:@m"]


def test_a_capture_alone_leaves_an_identity_where_the_name_is_known(tmp_path: Path) -> None:
    model = graph_model(tmp_path, placeholder("x"), node("e", "Erfc", "x", **T), node("n", "NoOp", "^e"))
    replace(model, ["Erfc(x) => x"])
    assert spelled(model.graph)["e"] == ["Identity", "x:0"]
    fetched = graph_model(tmp_path, placeholder("x"), node("e", "Erfc", "x", **T))
    replace(fetched, ["Erfc(x) => x"])
    assert spelled(fetched.graph)["e"] == ["Identity", "x:0"]


def test_results_of_a_function_follow() -> None:
    graph = G()
    body = function(graph.metagraph, "f", ["p"], "s = Split[num_split=2](0, p); Neg(s:1)")
    body.outputs = [Output("out", body.nodes[1].output(1), FLOAT)]
    run(graph, "Split(a, x):1 => Sum[keep_dims=true](x, 0)")
    assert body.outputs[0].value.producer.op in ("Identity", "Sum")
