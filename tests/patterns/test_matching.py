"""What matches and what does not: cases by hand, constants, calls, what is said of wrong patterns, and speed."""

from __future__ import annotations

import pytest

from graphsurgeon.model import DType, MetaGraph
from graphsurgeon.patterns.compiler import MOST_THROUGH
from graphsurgeon.patterns.lexer import PatternError
from graphsurgeon.patterns.subject import Bound
from tests.patterns.graphs import FLOAT, G, function

# graph -> pattern -> how many matches
CASES: dict[str, dict[str, int]] = {
    "Mul(x, Sigmoid(x))": {
        "Mul(x, Sigmoid(x))": 1,
        "Mul(Sigmoid(x), x)": 1,  # Mul is commutative
        "Mul!(Sigmoid(x), x)": 0,
        "Mul!(x, Sigmoid(x))": 1,
        "Mul(x, y)": 1,
        "Mul(x, x)": 0,
        "Mul(_, _)": 1,
        "Mul(_)": 0,
        "Mul(_, _, _)": 0,
        "Mul(...)": 1,
        "Mul(_, ...)": 1,
        "Mul(_, _, ...)": 1,
        "Mul(_, _, _, ...)": 0,
        "Mul(..., _)": 1,
        "Mul(a, b?)": 1,
        "Mul(a, b, c?)": 1,
        "Sigmoid(x)": 1,
        "Sigmoid|Tanh(x)": 1,
        "Tanh|Relu(x)": 0,
        "Sig*(x)": 1,
        "Sigmoid*(x)": 1,
        "Mul(x, Tanh(x))": 0,
        "Mul(Placeholder(), Sigmoid(_))": 1,
        "Mul(Placeholder(_), Sigmoid(_))": 0,
        "Mul(x, Sigmoid(x) once)": 1,
        "Mul(x once, Sigmoid(x))": 1,
        "(Tanh(x) or Sigmoid(x))": 1,
        "(Mul(x, _) or Sigmoid(x))": 2,
        "Mul(x, (Tanh(x) or Sigmoid(x)))": 1,
        "Sigmoid(x):1": 0,
        "Sigmoid(x):0": 1,
        "Mul(x, 1)": 0,
        "Mul(const(c), _)": 0,
        "Mul(x: f32, _)": 1,
        "Mul(x: f16, _)": 0,
        "Mul(x: f16|f32, _)": 1,
        "Mul(x: [2,3], _)": 1,
        "Mul(x: [2,?], _)": 0,
        "Mul(x: [*,*], _)": 1,
        "Mul(x: [...,3], _)": 1,
        "Mul(x: f32[2,3], _)": 1,
        "Mul(x: f32[2], _)": 0,
        "Mul(_, Sigmoid(_): f32[2,3])": 1,
        "Mul(_, Sigmoid(_): i32)": 0,
        "Mul(x, s=Sigmoid(x)) where x.rank == 2": 1,
        "Mul(x, s=Sigmoid(x)) where x.rank == 3": 0,
        "Mul(x, s=Sigmoid(x)) where s.shape == x.shape, x.dtype == f32": 1,
        "Mul(x, s=Sigmoid(x)) where x.dtype in [f16, bf16]": 0,
        "Mul(x, s=Sigmoid(x)) where not x.dtype in [f16, bf16]": 1,
        "Mul(x, s=Sigmoid(x)) where x.shape[0] * x.shape[1] == x.size": 1,
        "Mul(x, s=Sigmoid(x)) where x.size == 6": 1,
        "Mul(x, s=Sigmoid(x)) where x == 6": 0,  # not known, so it does not hold
        "Mul(x, s=Sigmoid(x)) where x.shape[5] == 6": 0,
        "Mul(x, s=Sigmoid(x)) where n = x.shape[1], n - 1 == 2": 1,
    },
    "Mul(x, Identity(Sigmoid(Identity(x))))": {
        "Mul(x, Sigmoid(x))": 1,
        "Mul(x, Identity(Sigmoid(x)))": 1,
        "Mul(x, Identity(Sigmoid(Identity(x))))": 1,
        "Mul(x, Identity(Identity(_)))": 0,
        "Sigmoid(Identity(x))": 1,
        "Identity(x)": 2,
        "Identity(Sigmoid(_))": 1,
        "Mul(x, Sigmoid(x) once)": 1,
    },
    "s = Sigmoid(x); Mul(x, s); Neg(s)": {
        "Mul(x, Sigmoid(x))": 1,
        "Mul(x, Sigmoid(x) once)": 0,
        "Mul(x, s=Sigmoid(x) once)": 0,
        "Sigmoid(x) once": 0,
        "Neg(Sigmoid(_))": 1,
        "(Neg(s=Sigmoid(_)) or Mul(_, s=Sigmoid(_)))": 2,
    },
    "s = Sigmoid(x); Mul(x, s); Identity(s)": {"Mul(x, Sigmoid(x) once)": 0},  # somebody may fetch it
    "IdentityN(Mul(x, Sigmoid(x)), x, b)": {
        "IdentityN(Mul(x, Sigmoid(x)), x, ...)": 1,
        "IdentityN(Mul(x, Sigmoid(x)), x, ...):0": 1,
        "IdentityN(..., b)": 1,
    },
    "i = IdentityN(Mul(x, Sigmoid(x)), x, b); Neg(i); Abs(i:1)": {
        "Neg(Mul(x, Sigmoid(x)))": 1,
        "Abs(Placeholder())": 1,
        "Abs(Mul(_, _))": 0,
    },
    "Mul(x, 0.5)": {
        "Mul(x, 0.5)": 1,
        "Mul(0.5, x)": 1,
        "Mul(x, 0.4)": 0,
        "Mul(x, 0.5001)": 0,
        "Mul(x, 0.5001~1e-3)": 1,
        "Mul(x, 0.6~1e-3)": 0,
        "Mul(x, const(c))": 1,
        "Mul(x, const())": 1,
        "Mul(x, weight(w))": 1,
        "Mul(const(c), const(d))": 0,
        "Mul(x, const(c: f32))": 1,
        "Mul(x, const(c: f16))": 0,
        "Mul(x, const(c: []))": 1,
        "Mul(x, const(c: ?))": 0,
        "Mul(x, [0.5])": 0,
        "Mul(x, Const())": 1,
        "Mul(x, const(c)) where c == 0.5": 1,
        "Mul(x, const(c)) where c > 0.5": 0,
        "Mul(x, const(c)) where c >= 0.5, c.rank == 0": 1,
        "Mul(x, const(c)) where all(c == 0.5)": 1,
        "Mul(x, const(c)) where any(c != 0.5)": 0,
        "Mul(x, const(c)) where sqrt(c) < 1": 1,
        "Mul(x, const(c)) where 1 / (c - c) == 0": 0,
    },
    "Mul(x, 0.044715)": {"Mul(x, 0.044715)": 1, "Mul(x, 0.0447)": 0, "Mul(x, 0.0447~1e-4)": 1},
    "Mul(x, 2)": {"Mul(x, 2)": 1, "Mul(x, 2.0)": 1, "Mul(x, -2)": 0},
    "Mul(x, -1)": {"Mul(x, -1)": 1},
    "Sub(x, Max[keep_dims=true](x, 1))": {
        "Sub(x, Max[keep_dims=true](x, _))": 1,
        "Sub(x, Max[keep_dims=false](x, _))": 0,
        "Sub(x, Max[keep_dims!=true](x, _))": 0,
        "Sub(x, Max[keep_dims!=false](x, _))": 1,
        "Sub(x, Max[keep_dims=true|false](x, _))": 1,
        "Sub(Max(x, _), x)": 0,  # Sub is not commutative
        "Sub(x, Max(x, a))": 1,
    },
    "Conv2D[padding=SAME, strides=[1,2,2,1]](x, w)": {
        "Conv2D[padding=SAME](x, w)": 1,
        "Conv2D[padding=VALID](x, w)": 0,
        "Conv2D[padding=SAME|VALID](x, w)": 1,
        "Conv2D[padding='SAME'](x, w)": 1,
        "Conv2D[strides=[1,2,2,1]](x, w)": 1,
        "Conv2D[strides=[1,2,2]](x, w)": 0,
        "Conv2D[strides=[1,_,_,1]](x, w)": 1,
        "Conv2D[strides=[1,_,3,1]](x, w)": 0,
        "Conv2D[strides=[1,1,1,1]|[1,2,2,1]](x, w)": 1,
        "Conv2D[data_format=NHWC](x, w)": 1,  # the default of the op
        "Conv2D[data_format=NCHW](x, w)": 0,
        "Conv2D[dilations=[1,1,1,1]](x, w)": 1,
        "Conv2D[T=f32](x, w)": 1,
        "Conv2D[T=f16|f32](x, w)": 1,
        "Conv2D[T=f16](x, w)": 0,
        "Conv2D[_output_shapes=1](x, w)": 0,
        "c=Conv2D(x, w) where @c.strides[1] == 2": 1,
        "c=Conv2D(x, w) where @c.strides == [1, 2, 2, 1], @c.padding == 'SAME'": 1,
        "c=Conv2D(x, w) where @c.padding == 'VALID'": 0,
        "c=Conv2D(x, w) where @c.no_such_thing == 1": 0,
    },
    "Add(Relu(a), Add(Relu(b), Neg(a)))": {
        "Add(Relu(a), Add(Relu(b), Neg(a)))": 1,
        "Add(Relu(p), Add(Neg(p), Relu(q)))": 1,
        "Add(Relu(p), Add(Neg(q), Relu(q)))": 0,
        "Add(Add(Neg(p), Relu(q)), Relu(p))": 1,
        "Add(Relu(p), Add(Relu(p), _))": 0,
        "Add(_, Add(_, Neg(_)))": 1,
        "Add(x, Relu(_))": 2,
        "Add!(Relu(_), _)": 2,
        "Add!(_, Neg(_))": 1,
        "AddV2(_, _)": 0,
        "Add|AddV2(_, _)": 2,
        "Add*(_, _)": 2,
    },
    "Add(Mul(x, y), Mul(y, z))": {
        "Add(Mul(a, b), Mul(b, c))": 1,
        "Add(Mul(b, a), Mul(c, b))": 1,
        "Add(Mul(a, b), Mul(a, b))": 0,
        "Add(Mul(a, _), Mul(a, _))": 1,
        "Add(Mul(a, b), _) where a.rank == b.rank": 1,
    },
    "Reshape(Reshape(Reshape(x, 1), 2), 3)": {
        "Reshape(Reshape(x, _), _)": 1,  # no overlaps, first by topological order
        "Reshape(x, _)": 3,
        "Reshape(Reshape(Reshape(x, _), _), _)": 1,
        "Reshape(Reshape(x, _) once, _)": 1,
    },
    "c = Conv2D(x, w); Relu(c); Neg(c)": {"(Relu(Conv2D(_, _)) or Neg(Conv2D(_, _)))": 2},  # the inner one stays
    "s = Split[num_split=3](d, z); Add(s:1, s:2); Mul(s, s:1)": {
        "Add(Split(_, _):1, Split(_, _):2)": 1,
        "Add(Split(a, b):2, Split(a, b):1)": 1,
        "Add(Split(_, _), _)": 0,
        "Mul(Split(_, _), Split(_, _):1)": 1,
        "Mul(Split(_, _):0, Split(_, _):1)": 1,
        "Mul(Split(_, _):2, _)": 0,
        "Split(_, _):1": 1,
    },
    "Pack(a, b, c)": {
        "Pack(...)": 1,
        "Pack(a, ...)": 1,
        "Pack(first, more..., last)": 1,
        "Pack(a, b, c, d...)": 1,
        "Pack(a, b)": 0,
        "Pack(a, a, ...)": 0,
        "Pack(a..., b, c, d, e)": 0,
    },
    "Concat(a, b, a, b)": {"Concat(x, y, x, y)": 1, "Concat(x, y, y, x)": 0, "Concat(x, _, x, ...)": 1},
    "Relu(Neg(x)); Relu(Neg(x)); Relu(x)": {"Relu(Neg(x))": 2, "Relu(x)": 3, "Neg(x)": 2},
    "t = TopKV2(x, 3); Neg(t); Abs(t:1)": {
        "a=TopKV2(x, k):0 & b=TopKV2(x, k):1": 1,
        "Neg(TopKV2(x, k)) & Abs(TopKV2(x, k):1)": 1,
        "Neg(TopKV2(x, k)) & Abs(TopKV2(x, k):0)": 0,
        "Neg(TopKV2(x, k)) & Relu(x)": 0,
    },
    "Add(Exp(p), Exp(q)); Neg(q)": {"Add(Exp(a), Exp(b))": 1},
    "e = Exp(p); Add(e, Exp(q)); Neg(e)": {
        "Add(Exp(a) once, b)": 1,  # by the other order
        "Add!(Exp(a) once, b)": 0,
        "Add(Exp(a) once, Exp(b) once)": 0,
        "Add(Exp(_) once, _)": 1,
    },
    "StopGradient(Snapshot(PreventGradient(Neg(x))))": {"StopGradient(Neg(x))": 1, "Snapshot(Neg(_))": 1},
    "Cast(Cast(x))": {"Cast(Cast(x))": 1, "Cast(x)": 2},
}  # fmt: skip


@pytest.mark.parametrize(
    ("graph", "pattern"), [(graph, pattern) for graph, patterns in CASES.items() for pattern in patterns]
)
def test_what_matches(graph: str, pattern: str) -> None:
    assert len(G(graph).find(pattern)) == CASES[graph][pattern]


def test_there_are_enough_cases() -> None:
    assert sum(map(len, CASES.values())) > 150


# -- constants ----------------------------------------------------------------------------------------------------


def test_the_same_name_twice_is_equal_constants() -> None:
    graph = G("Add(Mul(x, 2), Mul(y, 2)); Sub(Mul(x, 2), Mul(y, 3))")
    assert len(graph.find("Add(Mul(_, c), Mul(_, c))")) == 1
    assert len(graph.find("Sub(Mul(_, c), Mul(_, c))")) == 0


def test_a_number_is_rounded_to_the_dtype_and_fills_the_constant() -> None:
    graph = G()
    half = graph.const([0.0447] * 4, [2, 2], DType.named("float16"))
    graph.graph.add_node("Neg", "n", [half], {"T": half.dtype}, checked=False)
    assert len(graph.find("Neg(0.0447)")) == 1
    assert len(graph.find("Neg(0.0448)")) == 0
    assert len(graph.find("Neg(const(c: 2,2))")) == 1
    assert len(graph.find("Neg([[0.0447, 0.0447], [0.0447, 0.0447]])")) == 1
    assert len(graph.find("Neg([0.0447, 0.0447])")) == 0


def test_a_constant_of_several_elements_is_no_other_number() -> None:
    graph = G()
    graph.graph.add_node("Neg", "n", [graph.const([1.0, 2.0], [2])], {"T": FLOAT}, checked=False)
    assert len(graph.find("Neg(1)")) == 0
    assert len(graph.find("Neg([1, 2])")) == 1
    assert len(graph.find("Neg([1.01, 2.01]~0.1)")) == 1
    assert len(graph.find("Neg([2, 1])")) == 0


def test_integers_and_bools() -> None:
    graph = G()
    for name, dtype in (("i", "int32"), ("b", "bool")):
        value = graph.const([1], [1], DType.named(dtype), name)
        graph.graph.add_node("ZerosLike", f"z{name}", [value], {"T": DType.named(dtype)}, checked=False)
    assert len(graph.find("ZerosLike(1)")) == 2
    assert len(graph.find("ZerosLike(1.5)")) == 0
    assert len(graph.find("ZerosLike(const(c: bool))")) == 1


def test_a_constant_behind_reshapes_is_the_reshaped_one() -> None:
    graph = G()
    flat = graph.const([1.0, 2.0], [1, 2, 1])
    axis = graph.const([2], [1], DType.named("int32"))
    squeezed = graph.graph.add_node(
        "Squeeze", "s", [flat], {"T": FLOAT, "squeeze_dims": [0, 2]}, checked=False
    ).output()
    expanded = graph.graph.add_node(
        "ExpandDims",
        "e",
        [squeezed, graph.const([0], [], DType.named("int32"))],
        {"T": FLOAT, "Tdim": axis.dtype},
        checked=False,
    ).output()
    graph.graph.add_node("Neg", "n", [expanded], {"T": FLOAT}, checked=False)
    assert len(graph.find("Neg(const(c: 1,2))")) == 1
    (match,) = graph.find("Neg(const(c)) where c.shape == [1, 2]")
    bound = match.names["c"]
    assert isinstance(bound, Bound)
    assert bound.numpy().tolist() == [[1.0, 2.0]]


def test_a_number_is_meant_behind_the_cast() -> None:
    graph = G()
    attrs = {"SrcT": DType.named("float32"), "DstT": DType.named("int32")}
    cast = graph.graph.add_node("Cast", "c", [graph.const(2.7, [])], attrs, checked=False).output()
    graph.graph.add_node("Neg", "n", [cast], {"T": DType.named("int32")}, checked=False)
    assert len(graph.find("Neg(2)")) == 1
    assert len(graph.find("Neg(2.7)")) == 0


def test_weights_are_constants_and_variables() -> None:
    graph = G("v = VarHandleOp(); r = ReadVariableOp[dtype=1](v); MatMul(x, r); MatMul(x, 2); MatMul(x, y)")
    assert len(graph.find("MatMul(x, weight(w))")) == 2
    assert len(graph.find("MatMul(x, const(w))")) == 1


VARIABLES = """
    v = VarHandleOp[dtype=f32](); w = VarHandleOp[dtype=f32](); r = ReadVariableOp[dtype=f32](v);
    again = ReadVariableOp[dtype=f32](v); other = ReadVariableOp[dtype=f32](w); old = VariableV2[dtype=f32]();
    Sub(r, again); Mul(r, other); Div(r, v); Neg(Identity(old)); up = AssignSubVariableOp[dtype=f32](v, Relu(r))
"""


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("Sub(variable(v), variable(v))", 1),
        ("Sub(x, x)", 0),  # two reads are two values
        ("Mul(variable(v), variable(v))", 0),
        ("Mul(variable(v), variable(w))", 1),
        ("Div(variable(v), variable(v))", 1),  # a read and the handle
        ("Neg(variable(v))", 1),
        ("Neg(variable(_))", 1),
        ("AssignSubVariableOp(variable(v), Relu(variable(v)))", 1),  # yields nothing, and is found
        ("AssignSubVariableOp(variable(v), x) where x.rank == 7", 0),
        ("Sub(variable, variable)", 0),  # without a bracket a name like others
        ("Mul(variable, through)", 1),
    ],
)
def test_variables_are_the_same_in_every_read(pattern: str, count: int) -> None:
    assert len(G(VARIABLES).find(pattern)) == count


def test_an_argument_stands_for_a_variable() -> None:
    metagraph = MetaGraph()
    inner = function(metagraph, "f", ["x"], "Neg(x)")
    inner.inputs[0].dtype = DType.named("resource")
    graph = G("f(VarHandleOp[dtype=f32]())", graph=metagraph.graph)
    found = {crosses: graph.search("Neg(variable(v))", crosses=crosses).matches for crosses in (True, False)}
    assert {crosses: match.names["v"].value.graph.name for crosses, (match,) in found.items()} == {True: "", False: "f"}


def test_what_yields_nothing_is_not_replaced() -> None:
    assert G(VARIABLES).find("AssignSubVariableOp(h, x) => x") == []


def test_through_stands_for_any_number_of_ops() -> None:
    graph = G("a = Neg(x); b = Neg(Identity(a)); c = Relu(Neg(b)); Relu(x); Add(Relu(y), Neg(Sub(y, Neg(z))))")
    assert len(graph.find("Relu(through(Neg, x: f32))")) == 3
    assert [match.names["x"].value.graph.name for match in graph.find("Relu(through(Neg, x=Placeholder()))")] == [
        ""
    ] * 3
    found = graph.find("Add(x, through(Neg|Sub, z=Placeholder()))")
    assert [str(match.names["z"].value) for match in found] == ["y:0"]
    assert len(graph.find("Add(x, through(Sub, Placeholder()))")) == 0
    assert len(graph.find("Add(x, s=through(Neg|Sub, Neg(z)))")) == 1
    matched = graph.find("Relu(s=through(Neg, Neg(Placeholder())))")[0]
    assert [node.op for node in matched.nodes] == ["Placeholder", "Neg", "Neg", "Neg", "Relu"]
    assert matched.names["s"].value is matched.root.inputs[0]


def test_through_has_an_end() -> None:
    for depth, count in ((MOST_THROUGH, 1), (MOST_THROUGH + 1, 0)):
        graph = G("Relu(" + "Neg(" * depth + "Tanh(x)" + ")" * (depth + 1))
        assert len(graph.find("Relu(through(Neg, Tanh(x)))")) == count


def test_strings_are_not_exchanged() -> None:
    graph = G()
    text = {"T": DType.named("string")}
    a = graph.graph.add_node("Placeholder", "a", [], {"dtype": text["T"]}, checked=False).output()
    n = graph.graph.add_node("AsString", "n", [a], text, checked=False).output()
    graph.graph.add_node("Add", "s", [n, a], text, checked=False)
    assert len(graph.find("Add(AsString(_), _)")) == 1
    assert len(graph.find("Add(_, AsString(_))")) == 0


# -- calls --------------------------------------------------------------------------------------------------------


def test_values_are_followed_through_plain_calls() -> None:
    graph = G()
    function(graph.metagraph, "f", ["p", "q"], "Mul(p, q)")
    graph.add("Neg(f(x, Sigmoid(x)))")
    assert len(graph.find("Neg(Mul(x, Sigmoid(x)))")) == 1
    (inside,) = graph.find("Mul(x, Sigmoid(x))")
    assert inside.graph.name == "f"
    assert {node.graph.name for node in inside.nodes} == {"f", ""}
    assert graph.find("Mul(x, Sigmoid(x))", crosses=False) == []


def test_an_argument_of_two_callers_is_neither_value() -> None:
    graph = G()
    function(graph.metagraph, "f", ["p"], "Neg(p)")
    graph.add("Abs(f(Relu(x))); Abs(f(Tanh(x)))")
    assert len(graph.find("Neg(Relu(x))")) == 0
    assert len(graph.find("Abs(Neg(Relu(x)))")) == 1
    assert len(graph.find("Abs(Neg(_))")) == 2


def test_recursion_ends() -> None:
    graph = G()
    body = function(graph.metagraph, "f", ["p"], "Neg(p)")
    call = body.add_node(body, "again", [body.outputs[0].value], checked=False)
    body.outputs[0].value = call.output()
    graph.add("Abs(f(x))")
    assert len(graph.find("Abs(Relu(_))")) == 0
    assert len(graph.find("Neg(Neg(_))")) in (0, 1)


def test_a_result_of_a_function_is_read() -> None:
    graph = G()
    function(graph.metagraph, "f", ["p"], "s = Sigmoid(p); Mul(p, s)")
    (match,) = graph.find("Mul(p, Sigmoid(p) once)")
    assert match.graph.name == "f"
    match.graph.outputs[0].value = match.nodes[0].output()
    assert graph.find("Mul(p, Sigmoid(p) once)") == []


def test_a_loop_between_is_no_match() -> None:
    graph = G("Mul(x, Exit(NextIteration(Sigmoid(x)))); Relu(Switch(Neg(x), p))")
    assert graph.find("Mul(x, Sigmoid(x))") == []
    assert graph.find("Relu(Neg(x))") == []


def test_a_cycle_ends() -> None:
    graph = G("m = Merge(x, x); Identity(m)")
    merge, back = graph.node("m"), graph.graph.nodes[-1]
    back.inputs = [back.output()]
    merge.set_input(1, back.output())
    assert graph.find("Merge(_, Neg(_))") == []
    assert len(graph.find("Merge(_, _)")) == 1


# -- what is said before ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("Mul(x, Relu)", "Relu is an op; write Relu\\(_\\)"),
        ("Mul(x, const(Relu))", "Relu is an op"),
        ("Sigmod(x)", "there is no op Sigmod; did you mean Sigmoid"),
        ("sigmoid(x)", "there is no op sigmoid; did you mean Sigmoid"),
        ("BatchMatMool*(x, y)", "there is no op BatchMatMool\\*"),
        ("MyOp(x)", "there is no op MyOp"),
        ("Conv2D[paddings=SAME](x, w)", "Conv2D has no attribute 'paddings'; .*padding"),
    ],
)
def test_an_op_that_there_is_not(pattern: str, message: str) -> None:
    with pytest.raises(PatternError, match=message) as caught:
        G("Mul(x, Sigmoid(x))").find(pattern)
    assert "^" in caught.value.excerpt


def test_a_quoted_op_need_not_be_there() -> None:
    assert G("Relu(x)").find("'NoSuchOp'(x)") == []


def test_an_op_of_the_model_alone_is_found() -> None:
    graph = G("MyOp[alpha=2](x, y); MyOp(x)")
    assert len(graph.find("'MyOp'[alpha != 0](x, w?)")) == 2
    assert len(graph.find("MyOp[alpha=2](x, y)")) == 1
