"""Optimizing what runs functions: calls that become nodes, equal functions, branches that constants decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model import DType, Shape, Tensor
from graphsurgeon.model.dtype import BOOL
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.surgery import optimize
from tests import work
from tests.patterns.graphs import FLOAT, G, function
from tests.surgery.graphs import FLOAT as T
from tests.surgery.graphs import constant, graph_model, node, placeholder, spelled
from tests.surgery.test_optimize import run
from tests.surgery.test_replace import shown

RESOURCE, INT, INT64 = DType.named("resource"), DType.named("int32"), DType.named("int64")
FUNCTIONS = ["calls", "functions", "branches", "dead"]


def library(made: G) -> list[str]:
    return list(made.metagraph.functions)


# -- calls ----------------------------------------------------------------------------------------------------------


def test_a_function_that_runs_once_becomes_nodes() -> None:
    made = G()
    function(made.metagraph, "inner", ["q"], "Exp(Neg(q))")
    function(made.metagraph, "outer", ["p"], "Abs(inner(p))")
    made.add("Neg(outer(x))")
    report = run(made, only=FUNCTIONS)
    assert shown(made) == "Neg(Abs(Exp(Neg(x))))"
    assert library(made) == []
    assert report.passes == {"calls": 2}
    assert report.nodes_after == report.nodes_before - 2


def test_a_function_that_runs_twice_stays_unless_it_is_one_node() -> None:
    made = G()
    function(made.metagraph, "two", ["p"], "Exp(Neg(p))")
    function(made.metagraph, "one", ["p"], "Abs(p)")
    made.add("Add(Neg(two(x)), Neg(two(y))); Add(one(x), one(y))")
    run(made, only=FUNCTIONS)
    assert library(made) == ["two"]
    assert shown(made) == "Add(Neg(two(x)), Neg(two(y))); Add(Abs(x), Abs(y))"


def test_a_function_that_runs_twice_becomes_nodes_where_that_is_asked_for() -> None:
    made = G()
    function(made.metagraph, "deep", ["q"], "Exp(Neg(q))")
    function(made.metagraph, "two", ["p"], "Abs(deep(p))")
    made.add("Add(Neg(two(x)), Neg(two(y)))")
    report = run(made, only=["calls-everywhere", "dead"])
    assert library(made) == []
    assert shown(made) == "Add(Neg(Abs(Exp(Neg(x)))), Neg(Abs(Exp(Neg(y)))))"
    assert set(report.passes) == {"calls-everywhere"}


def test_calls_that_would_make_too_many_nodes_are_refused() -> None:
    made = G()
    text = "Exp(Neg(p))"
    for number in range(24):
        function(made.metagraph, f"f{number}", ["p"], text)
        text = f"Add(f{number}(p), f{number}(Neg(p)))"
    made.add(f"Neg({text.replace('p', 'x')})")
    with pytest.raises(UnsupportedError, match="would give more than"):
        run(made, only=["calls-everywhere"])


@pytest.mark.parametrize("attr", ["_noinline", "_XlaMustCompile", "api_implements"])
def test_a_function_that_is_more_than_its_nodes_stays(attr: str) -> None:
    made = G()
    function(made.metagraph, "f", ["p"], "Exp(Neg(p))").attrs[attr] = True
    made.add("Neg(f(x))")
    assert run(made, only=FUNCTIONS).passes == {}
    assert library(made) == ["f"]


def test_a_function_that_runs_itself_stays() -> None:
    made = G()
    body = function(made.metagraph, "f", ["p"], "Exp(Neg(p))")
    call = body.add_node(body, "again", [body.outputs[0].value], {})
    body.outputs = [Output("out", call.output(), FLOAT)]
    assert run(made, only=FUNCTIONS).passes == {}


def test_a_call_that_somebody_may_fetch_stays() -> None:
    made = G()
    function(made.metagraph, "f", ["p"], "Exp(Neg(p))")
    made.add("f(x)")
    assert run(made, only=FUNCTIONS).passes == {}


def variable_graph() -> tuple[G, Value]:
    made = G()
    attrs = {"dtype": FLOAT, "shared_name": b"v", "container": b"", "shape": Shape([2, 3])}
    return made, made.graph.add_node("VarHandleOp", "v", [], attrs).output()


def stateful(metagraph: MetaGraph, name: str) -> Graph:
    """Add a function that reads a variable, adds 1 to it and yields what it was."""
    graph = Graph(metagraph, "function", name)
    handle = Value(graph, None, 0, "handle")
    handle.dtype = RESOURCE
    graph.inputs.append(handle)
    read = graph.add_node("ReadVariableOp", "read", [handle], {"dtype": FLOAT})
    one = graph.add_node("Const", "one", [], {"dtype": FLOAT, "value": Tensor.of(FLOAT, (), [1.0])})
    step = graph.add_node("AssignAddVariableOp", "step", [handle, one.output()], {"dtype": FLOAT}, controls=[read])
    graph.outputs = [Output("out", read.output(), FLOAT)]
    graph.control_outputs = {"step": step}
    metagraph.add_function(graph)
    return graph


def test_what_acts_stays_in_its_order() -> None:
    made, handle = variable_graph()
    body = stateful(made.metagraph, "f")
    before = made.graph.add_node("AssignVariableOp", "set", [handle, made.add("x")], {"dtype": FLOAT})
    call = made.graph.add_node(body, "call", [handle], {}, controls=[before])
    after = made.graph.add_node("ReadVariableOp", "after", [handle], {"dtype": FLOAT}, controls=[call])
    made.graph.add_node("AddV2", "sum", [call.output(), after.output()], {"T": FLOAT})
    optimize_in_memory(made, only=FUNCTIONS)
    nodes = spelled(made.graph)
    assert library(made) == []
    assert nodes["call/read"] == ["ReadVariableOp", "v:0", "^set"]
    assert nodes["call/step"] == ["AssignAddVariableOp", "v:0", "call/one:0", "^call/read"]
    assert nodes["after"] == ["ReadVariableOp", "v:0", "^call/done"]
    assert set(nodes["call/done"][1:]) >= {"^call/step"}
    assert nodes["sum"] == ["AddV2", "call/result_0:0", "after:0"]
    assert nodes["call/result_0"] == ["Identity", "call/read:0", "^call/done"]


def test_who_writes_after_a_call_waits_for_what_it_read() -> None:
    made, handle = variable_graph()
    body = stateful(made.metagraph, "f")
    body.control_outputs = {}
    body.remove_nodes("step")
    call = made.graph.add_node(body, "call", [handle], {})
    made.graph.add_node("AssignVariableOp", "set", [handle, made.add("x")], {"dtype": FLOAT}, controls=[call])
    made.graph.add_node("Neg", "out", [call.output()], {"T": FLOAT})
    optimize_in_memory(made, only=FUNCTIONS)
    nodes = spelled(made.graph)
    assert nodes["set"] == ["AssignVariableOp", "v:0", "x:0", "^call/done"]
    assert nodes["call/done"] == ["NoOp", "^call/read"]


def test_what_waits_by_way_of_others_until_something_is_read_goes_on_waiting() -> None:
    made, handle = variable_graph()
    graph = made.graph
    read = graph.add_node("ReadVariableOp", "read", [handle], {"dtype": FLOAT})
    gathered = graph.add_node("NoOp", "gathered", controls=[read])
    value = graph.add_node("Neg", "value", [made.add("x")], {"T": FLOAT}, controls=[gathered])
    idle = graph.add_node("Exp", "idle", [made.add("y")], {"T": FLOAT}, controls=[read])
    graph.add_node("AssignVariableOp", "set", [handle, value.output()], {"dtype": FLOAT}, controls=[gathered])
    graph.add_node("Sub", "out", [read.output(), idle.output()], {"T": FLOAT})
    optimize_in_memory(made, only=["controls"])
    nodes = spelled(graph)
    assert nodes["set"] == ["AssignVariableOp", "v:0", "value:0", "^read"]
    assert nodes["value"] == ["Neg", "x:0", "^read"]
    assert nodes["idle"] == ["Exp", "y:0"]


def test_who_runs_a_function_waits_for_what_it_inlined() -> None:
    """The outer function is named, so that it stays; what its caller waits for is inside what it called."""
    made, handle = variable_graph()
    inner = stateful(made.metagraph, "inner")
    outer = Graph(made.metagraph, "function", "outer")
    given = Value(outer, None, 0, "given")
    given.dtype = RESOURCE
    outer.inputs.append(given)
    call = outer.add_node(inner, "call", [given], {})
    outer.outputs = [Output("out", call.output(), FLOAT)]
    outer.control_outputs = {"call": call}
    made.metagraph.add_function(outer)
    made.metagraph.gradients["outer"] = "somewhere"
    made.graph.add_node("Neg", "out", [made.graph.add_node(outer, "run", [handle], {}).output()], {"T": FLOAT})
    optimize_in_memory(made, only=FUNCTIONS)
    assert library(made) == ["outer"]
    assert list(outer.control_outputs.values()) == [outer.node("call/done")]
    assert outer.node("call/step") in outer.node("call/done").controls


def optimize_in_memory(made: G, **options: object) -> object:
    from graphsurgeon.formats import registry
    from graphsurgeon.model import Model

    model = Model(registry.GRAPH_DEF, "memory")
    model.metagraphs = [made.metagraph]
    return optimize(model, **options)


# -- equal functions ------------------------------------------------------------------------------------------------

ALIKE = [
    ("Exp(Neg(p))", "Exp(Neg(p))", True),
    ("Exp(Neg(p))", "Exp(Abs(p))", False),
    ("Mul(p, 2)", "Mul(p, 2)", True),
    ("Mul(p, 2)", "Mul(p, 3)", False),
    ("Sub(p, Neg(p))", "Sub(Neg(p), p)", False),
    ("Mul(p, RandomUniform(2))", "Mul(p, RandomUniform(2))", False),  # each goes on where it left off
    ("Neg(Conv2D[padding=SAME](p, p))", "Neg(Conv2D[padding=SAME](p, p))", True),
    ("Neg(Conv2D[padding=SAME](p, p))", "Neg(Conv2D[padding=VALID](p, p))", False),
    ("Neg(Odd(p))", "Neg(Odd(p))", False),  # nobody knows what it keeps
]


@pytest.mark.parametrize(("one", "other", "is_equal"), ALIKE)
def test_equal_functions_are_kept_once(one: str, other: str, is_equal: bool) -> None:
    made = G()
    function(made.metagraph, "f", ["p"], one)
    function(made.metagraph, "g", ["p"], other)
    made.add("Add(Neg(f(x)), Neg(f(y))); Add(Neg(g(x)), Neg(g(y)))")
    report = run(made, only=FUNCTIONS)
    assert report.passes == ({"functions": 1} if is_equal else {})
    assert library(made) == (["f"] if is_equal else ["f", "g"])


def test_functions_of_equal_functions_are_equal() -> None:
    made = G()
    for name in "fg":
        function(made.metagraph, f"inner_{name}", ["p"], "Exp(Neg(p))")
        function(made.metagraph, name, ["p"], f"Add(inner_{name}(p), inner_{name}(Neg(p)))")
    made.add("Add(Neg(f(x)), Neg(f(y))); Add(Neg(g(x)), Neg(g(y)))")
    assert run(made, only=FUNCTIONS).passes == {"functions": 2}
    assert library(made) == ["inner_f", "f"]


def test_of_equal_functions_the_named_one_stays() -> None:
    made = G()
    for name in "fg":
        function(made.metagraph, name, ["p"], "Exp(Neg(p))")
    made.metagraph.registered_gradients["CustomGradient-1"] = made.metagraph.functions["g"]
    made.add("Add(Neg(f(x)), Neg(f(y))); Neg(g(x))")
    run(made, only=FUNCTIONS)
    assert library(made) == ["g"]
    assert shown(made) == "Add(Neg(g(x)), Neg(g(y))); Neg(g(x))"


# -- branches -------------------------------------------------------------------------------------------------------


def branch(made: G, predicate: bool | Tensor) -> Node:
    function(made.metagraph, "yes", ["p"], "Exp(Neg(p))")
    function(made.metagraph, "no", ["p"], "Neg(Exp(p))")
    given = predicate if isinstance(predicate, Tensor) else Tensor.of(BOOL, (), [predicate])
    value = made.graph.add_node("Const", "p", [], {"dtype": given.dtype, "value": given}).output()
    refs = {
        key: FunctionRef(made.metagraph.functions[name])
        for key, name in (("then_branch", "yes"), ("else_branch", "no"))
    }
    attrs = {"Tcond": given.dtype, "Tin": [FLOAT], "Tout": [FLOAT], **refs}
    return made.graph.add_node("StatelessIf", "if", [value, made.add("x")], attrs)


@pytest.mark.parametrize(("predicate", "text"), [(True, "Abs(Exp(Neg(x)))"), (False, "Abs(Neg(Exp(x)))")])
def test_an_if_that_a_constant_decides(predicate: bool, text: str) -> None:
    made = G()
    made.graph.add_node("Abs", "out", [branch(made, predicate).output()], {"T": FLOAT})
    report = run(made)
    assert shown(made) == text
    assert library(made) == []
    assert (report.passes["branches"], report.passes["calls"]) == (1, 1)


STRING = DType.named("string")
# what TensorFlow 2.21 makes of each: then, else
JUDGED = [
    (Tensor.of(BOOL, (1,), [False]), True), (Tensor.of(BOOL, (2,), [False, False]), True),
    (Tensor.of(BOOL, (1, 1), [False]), True), (Tensor.of(BOOL, (0,), []), False),
    (Tensor.of(STRING, (), [b""]), False), (Tensor.of(STRING, (), [b"a"]), True),
    (Tensor.of(STRING, (1,), [b""]), True), (Tensor.of(STRING, (0,), []), False),
    (Tensor.of(INT, (), [0]), False), (Tensor.of(INT, (), [3]), True), (Tensor.of(INT, (1,), [0]), True),
    (Tensor.of(FLOAT, (), [-0.0]), False), (Tensor.of(FLOAT, (), [float("nan")]), True),
]  # fmt: skip


@pytest.mark.parametrize(("predicate", "holds"), JUDGED)
def test_a_predicate_is_judged_as_tensorflow_judges_it(predicate: Tensor, holds: bool) -> None:
    """What has dimensions holds if it has elements, whatever they are."""
    made = G()
    made.graph.add_node("Abs", "out", [branch(made, predicate).output()], {"T": FLOAT})
    run(made)
    assert shown(made) == ("Abs(Exp(Neg(x)))" if holds else "Abs(Neg(Exp(x)))")


def test_a_predicate_that_tensorflow_would_refuse_decides_nothing() -> None:
    """Run as Switch and Merge, an If takes scalars alone."""
    made = G()
    node = branch(made, Tensor.of(BOOL, (1,), [False]))
    node.attrs["_lower_using_switch_merge"] = True
    made.graph.add_node("Abs", "out", [node.output()], {"T": FLOAT})
    assert "branches" not in run(made).passes


@pytest.mark.parametrize(("op", "holds"), [("ExpandDims", True), ("Reshape", None), ("LogicalNot", False)])
def test_the_rank_of_what_is_computed_is_followed(op: str, holds: bool | None) -> None:
    """`expand_dims(False)` holds, and so may a Reshape to a shape that is not known."""
    from graphsurgeon.surgery.moves.branches.known_scalars import KnownScalars

    made = G()
    inputs = [made.const(op == "LogicalNot", [], BOOL)]
    if op == "ExpandDims":
        inputs.append(made.const(0, [], INT))
    elif op == "Reshape":
        inputs.append(made.graph.add_node("Placeholder", "s", [], {"dtype": INT, "shape": Shape([None])}).output())
    value = made.graph.add_node(op, "p", inputs, {"T": BOOL} if op != "LogicalNot" else {}).output()
    assert KnownScalars().holds(value) is holds


def loop(made: G, first: int, how: str, op: str = "StatelessWhile") -> Node:
    """Add a While that counts from a number as long as it is less than 3, and negates x."""
    graphs = {key: Graph(made.metagraph, "function", key) for key in ("cond", "body")}
    for graph in graphs.values():
        for name, dtype in (("i", INT), ("p", FLOAT)):
            value = Value(graph, None, len(graph.inputs), name)
            value.dtype = dtype
            graph.inputs.append(value)
        made.metagraph.add_function(graph)
    cond, body = graphs["cond"], graphs["body"]
    limit = cond.add_node("Const", "most", [], {"dtype": INT, "value": Tensor.of(INT, (), [3])}).output()
    if how == "prints":
        cond.add_node("Print", "print", [limit, limit], {"T": INT, "U": [INT]}, checked=False)
    less = cond.add_node("Less", "less", [cond.inputs[0], limit], {"T": INT})
    cond.outputs = [Output("out", less.output(), BOOL)]
    negated = body.add_node("Neg", "neg", [body.inputs[1]], {"T": FLOAT})
    body.outputs = [Output("i", body.inputs[0], INT), Output("p", negated.output(), FLOAT)]
    given = (
        made.const(first, [], INT)
        if how != "unknown"
        else made.graph.add_node("Placeholder", "n", [], {"dtype": INT}).output()
    )
    attrs = {"T": [INT, FLOAT], "cond": FunctionRef(cond), "body": FunctionRef(body)}
    return made.graph.add_node(op, "while", [given, made.add("x")], attrs)


@pytest.mark.parametrize("op", ["While", "StatelessWhile"])
def test_a_loop_whose_condition_never_holds_hands_on(op: str) -> None:
    made = G()
    made.graph.add_node("Abs", "out", [loop(made, 3, "", op).output(1)], {"T": FLOAT})
    report = run(made)
    assert shown(made) == "Abs(x)"
    assert library(made) == []
    assert report.passes["branches"] == 1


@pytest.mark.parametrize(("first", "how"), [(2, ""), (3, "prints"), (3, "unknown")])
def test_a_loop_that_may_turn_or_asks_aloud_stays(first: int, how: str) -> None:
    made = G()
    made.graph.add_node("Abs", "out", [loop(made, first, how, "While").output(1)], {"T": FLOAT})
    assert "branches" not in run(made).passes
    assert made.graph.op_counts["While"] == 1


@pytest.mark.parametrize("predicate", [True, False])
def test_a_switch_that_a_constant_decides(tmp_path: Path, predicate: bool) -> None:
    model = graph_model(
        tmp_path,
        placeholder("x"),
        constant("p", f"bool_val: {str(predicate).lower()}", "DT_BOOL"),
        node("switch", "Switch", "x", "p", **T),
        node("pivot_t", "Identity", "switch:1", **T),
        node("pivot_f", "Identity", "switch", **T),
        constant("two", "float_val: 2", "DT_FLOAT", "^pivot_t"),
        node("yes", "Mul", "switch:1", "two", **T),
        node("no", "Neg", "switch", **T),
        node("merge", "Merge", "no", "yes", N="i: 2", **T),
        node("out", "Abs", "merge", **T),
    )
    report = optimize(model)
    nodes = spelled(model.graph)
    assert report.passes["branches"] == 1
    if predicate:
        assert (
            nodes
            == {
                "x": ["Placeholder"],
                "pivot_t": ["Identity", "x:0"],  # nobody read it: it may be fetched
                "two": ["Const"],
                "yes": ["Mul", "x:0", "two:0"],
                "out": ["Abs", "yes:0"],
            }
            or "pivot_t" not in nodes
        )
    else:
        assert nodes["out"] == ["Abs", "no:0"]
        assert nodes["no"] == ["Neg", "x:0"]
        assert "yes" not in nodes
    assert optimize(model).passes == {}


def test_a_named_node_on_the_dead_branch_leaves_the_graph_as_it_is(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path,
        placeholder("x"),
        constant("p", "bool_val: false", "DT_BOOL"),
        node("switch", "Switch", "x", "p", **T),
        node("dead", "Neg", "switch:1", **T),
        node("out", "Abs", "dead", **T),
    )
    model.graph.outputs = [Output("y", model.graph.value("out:0"), FLOAT)]
    assert "branches" not in optimize(model).passes
    assert spelled(model.graph)["out"] == ["Abs", "dead:0"]


def test_numbers_decide_as_their_dtype_holds_them() -> None:
    """0.1 + 0.2 in half precision is 0.2998: less than 0.3, which in doubles it is not."""
    from graphsurgeon.surgery.moves.branches.known_scalars import KnownScalars

    half = DType.named("float16")
    made = G()
    total = made.graph.add_node("Add", "s", [made.const(0.1, [], half), made.const(0.2, [], half)], {"T": half})
    less = made.graph.add_node("Less", "l", [total.output(), made.const(0.3, [], half)], {"T": half})
    import numpy as np

    assert KnownScalars().of(less.output()) is bool(np.float16(0.1) + np.float16(0.2) < np.float16(0.3))
    byte = DType.named("int8")
    over = made.graph.add_node("Add", "o", [made.const(100, [], byte), made.const(100, [], byte)], {"T": byte})
    assert KnownScalars().of(over.output()) is None


@pytest.mark.parametrize(
    ("op", "attrs", "expected"),
    [
        ("VarHandleOp", {"dtype": FLOAT, "shape": Shape([])}, None),  # an empty name is a name
        ("VarHandleOp", {"dtype": FLOAT, "shape": Shape([]), "shared_name": b"v"}, b"v"),
        ("VariableV2", {"dtype": FLOAT, "shape": Shape([])}, b"own"),
        ("HashTableV2", {"key_dtype": INT64, "value_dtype": FLOAT}, None),  # private
        ("HashTableV2", {"key_dtype": INT64, "value_dtype": FLOAT, "use_node_name_sharing": True}, b"own"),
    ],
)
def test_a_resource_keeps_its_name(op: str, attrs: dict[str, AttrValue], expected: bytes | None) -> None:
    made = G()
    body = Graph(made.metagraph, "function", "f")
    handle = body.add_node(op, "own", [], attrs).output()
    body.outputs = [Output("handle", handle, RESOURCE)]
    made.metagraph.add_function(body)
    call = made.graph.add_node(body, "call", [], {})
    made.graph.add_node("Identity", "out", [call.output()], {"T": RESOURCE})
    optimize_in_memory(made, only=FUNCTIONS)
    (found,) = [node for node in made.graph.nodes if node.op == op]
    assert found.name != "own"
    assert found.attrs.get("shared_name") == expected


def test_deep_calls_are_followed_once() -> None:
    model = read(Path(__file__).resolve().parents[2] / "fixtures" / "hostile" / "deep_calls.pb")
    with work.at_most(4_000_000), pytest.raises(UnsupportedError):
        optimize(model)
