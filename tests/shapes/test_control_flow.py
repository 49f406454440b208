"""Loops to a fixed point, branches joined, functions inferred for what they are called with."""

from __future__ import annotations

from graphsurgeon.model import FunctionRef, Shape
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.shapes import infer_shapes
from tests.shapes.builder import BOOL, FLOAT, INT32, RESOURCE, Builder

ANY = (FLOAT, None)


def loop(build: Builder, start: Value, body: object) -> tuple[Value, Value]:
    """Add a V1 loop over one value; return what is at its head and what comes out."""
    entered = build.op("Enter", start, frame_name=b"loop")
    merge = build.op("Merge", entered, entered, N=2).producer
    condition = build.op("LoopCond", build.feed(dtype=BOOL))
    switch = build.op("Switch", merge.output(), condition).producer
    back = build.op("NextIteration", body(build.op("Identity", switch.output(1))))
    merge.inputs = [entered, back]
    return merge.output(), build.op("Exit", switch.output(0))


def test_a_loop_that_keeps_its_shape() -> None:
    build = Builder()
    head, left = loop(build, build.feed(None, 8), lambda value: build.op("Tanh", value))
    report = infer_shapes(build.graph)
    assert report.shape(head) == report.shape(left) == Shape([None, 8])


def test_a_loop_that_grows_one_dimension() -> None:
    build = Builder()
    row = build.feed(1, 8)
    axis = build.const(0)
    head, left = loop(build, build.feed(2, 8), lambda value: build.op("ConcatV2", value, row, axis, N=2))
    report = infer_shapes(build.graph)
    assert report.shape(head) == report.shape(left) == Shape([None, 8])


def test_a_loop_that_changes_its_rank() -> None:
    build = Builder()
    axis = build.const(0)
    _, left = loop(build, build.feed(2, 8), lambda value: build.op("ExpandDims", value, axis))
    assert infer_shapes(build.graph).shape(left) == Shape(None)


def test_a_loop_counter_is_no_constant() -> None:
    build = Builder()
    one = build.const(1)
    head, left = loop(build, build.const(0), lambda value: build.op("Add", value, one, T=INT32))
    report = infer_shapes(build.graph)
    assert report.shape(left) == Shape([])
    assert report.constant(head) in (None, [None])


def test_a_loop_in_a_loop() -> None:
    build = Builder()
    axis = build.const(0)

    def inner(value: Value) -> Value:
        return loop(build, value, lambda inside: build.op("ConcatV2", inside, inside, axis, N=2))[1]

    _, left = loop(build, build.feed(2, 8), inner)
    assert infer_shapes(build.graph).shape(left) == Shape([None, 8])


def test_branches_are_joined() -> None:
    build = Builder()
    switch = build.op("Switch", build.feed(None, 8), build.feed(dtype=BOOL)).producer
    cut = build.op("Slice", switch.output(1), build.const([0, 0]), build.const([4, 8]))
    merge = build.op("Merge", switch.output(0), cut, N=2)
    assert infer_shapes(build.graph).shape(merge) == Shape([None, 8])


# -- functions -----------------------------------------------------------------------------------------


def double(build: Builder, name: str = "double", shape: Shape | None = None) -> Graph:
    """Add a function that joins its argument with itself."""
    inside = build.function(name, {"x": (FLOAT, shape)})
    value = inside.graph.inputs[0]
    return inside.returns(inside.op("ConcatV2", value, value, inside.const(0), N=2))


def test_a_function_is_inferred_for_what_it_is_called_with() -> None:
    build = Builder()
    function = double(build)
    calls = [build.call(function, build.feed(*dims)) for dims in ((2, 3), (5, 3), (None, 3))]
    report = infer_shapes(build.metagraph)
    assert [report.shape(call) for call in calls] == [Shape([4, 3]), Shape([10, 3]), Shape([None, 3])]
    assert report.shape(function.inputs[0]) == Shape([None, 3])


def test_equal_calls_share_the_batch_and_others_do_not() -> None:
    build = Builder()
    inside = build.function("same", {"x": ANY})
    function = inside.returns(inside.op("Relu", inside.graph.inputs[0]))
    x, y = build.feed(None, 3), build.feed(None, 3)
    first, second = build.call(function, x), build.call(function, y)
    report = infer_shapes(build.graph)
    assert report.fact(first).dims == report.fact(x).dims
    assert report.fact(second).dims == report.fact(y).dims
    assert report.fact(first).dims != report.fact(second).dims


def test_an_unknown_dimension_made_inside_is_new_at_every_call() -> None:
    build = Builder()
    inside = build.function("where", {"x": ANY})
    function = inside.returns(inside.op("Where", inside.graph.inputs[0]))
    x = build.feed(None)
    calls = [build.call(function, x) for _ in range(2)]
    report = infer_shapes(build.graph)
    assert report.fact(calls[0]).dims != report.fact(calls[1]).dims


def test_constants_go_through_calls() -> None:
    build = Builder()
    inside = build.function("reshape", {"x": ANY, "shape": (INT32, None)})
    function = inside.returns(inside.op("Reshape", *inside.graph.inputs))
    assert infer_shapes(build.graph).findings == []
    result = build.call(function, build.feed(None, 6), build.const([-1, 2]))
    assert infer_shapes(build.graph).shape(result) == Shape([None, 2])


def test_a_function_records_the_shape_of_its_argument() -> None:
    build = Builder()
    function = double(build, shape=Shape([None, 3]))
    build.call(function, build.feed(2, 3))
    report = infer_shapes(build.metagraph)
    assert report.shape(function.outputs[0].value) == Shape([None, 3])


def test_assumed_shapes_reach_the_functions() -> None:
    build = Builder()
    function = double(build, shape=Shape([None, 3]))
    build.call(function, build.feed(None, 3, name="x"))
    report = infer_shapes(build.metagraph, assume={"x": [2, 3]})
    assert report.shape(function.outputs[0].value) == Shape([4, 3])


def test_handles_are_passed_to_functions() -> None:
    build = Builder()
    inside = build.function("read", {"handle": (RESOURCE, None)})
    function = inside.returns(inside.op("ReadVariableOp", inside.graph.inputs[0], dtype=FLOAT))
    handle = build.op("VarHandleOp", dtype=FLOAT, shape=Shape([7]))
    result = build.call(function, handle, op="StatefulPartitionedCall")
    report = infer_shapes(build.metagraph)
    assert report.shape(result) == report.shape(function.outputs[0].value) == Shape([7])


def test_a_call_by_the_functions_name() -> None:
    build = Builder()
    function = double(build)
    result = build.op(function, build.feed(2, 3))
    assert infer_shapes(build.graph).shape(result) == Shape([4, 3])


def test_recursion_ends() -> None:
    build = Builder()
    inside = build.function("f", {"x": ANY})
    function = inside.graph
    function.outputs = double(build, "unused").outputs
    result = inside.call(function, inside.op("Relu", function.inputs[0]))
    inside.returns(result)
    call = build.call(function, build.feed(2, 3))
    assert infer_shapes(build.metagraph).shape(call) == Shape(None)


def test_calls_that_double_at_every_level_stay_cheap() -> None:
    build = Builder()
    function = double(build, "level0")
    for level in range(1, 40):
        inside = build.function(f"level{level}", {"x": ANY})
        value = inside.graph.inputs[0]
        first, second = inside.call(function, value), inside.call(function, inside.op("Relu", value))
        function = inside.returns(inside.op("Add", first, second))
    call = build.call(function, build.feed(None, 3))
    assert infer_shapes(build.metagraph).shape(call) == Shape([None, 3])


def test_if_joins_its_branches() -> None:
    build = Builder()
    then = double(build)
    inside = build.function("same", {"x": ANY})
    other = inside.returns(inside.op("Relu", inside.graph.inputs[0]))
    refs = {"then_branch": FunctionRef(then), "else_branch": FunctionRef(other), "Tout": [FLOAT], "Tin": [FLOAT]}
    result = build.op("If", build.feed(dtype=BOOL), build.feed(2, 3), **refs)
    assert infer_shapes(build.graph).shape(result) == Shape([None, 3])


def test_case_with_a_branch_that_the_library_lacks() -> None:
    build = Builder()
    branches = [FunctionRef(double(build)), FunctionRef(None, "gone")]
    result = build.op("Case", build.const(0), build.feed(2, 3), branches=branches, Tout=[FLOAT], Tin=[FLOAT])
    assert infer_shapes(build.graph).shape(result) == Shape(None)


def while_loop(build: Builder, body: Graph, *inputs: Value, **attrs: object) -> Value:
    """Add a functional loop over values of one type."""
    inside = build.function("cond", {f"x{i}": ANY for i in range(len(inputs))})
    condition = inside.returns(inside.op("Const", dtype=BOOL, value=None))
    types = [FLOAT] * len(inputs)
    return build.op("While", *inputs, body=FunctionRef(body), cond=FunctionRef(condition), **{"T": types, **attrs})


def test_a_functional_loop_to_a_fixed_point() -> None:
    build = Builder()
    result = while_loop(build, double(build), build.feed(2, 3))
    assert infer_shapes(build.graph).shape(result) == Shape([None, 3])


def test_a_functional_loop_that_keeps_its_shape() -> None:
    build = Builder()
    inside = build.function("body", {"x": ANY})
    body = inside.returns(inside.op("Tanh", inside.graph.inputs[0]))
    x = build.feed(None, 3)
    result = while_loop(build, body, x)
    report = infer_shapes(build.graph)
    assert report.fact(result).dims == report.fact(x).dims


def test_a_functional_loop_says_its_shapes() -> None:
    build = Builder()
    inside = build.function("body", {"x": ANY})
    body = inside.returns(inside.op("Tanh", inside.graph.inputs[0]))
    result = while_loop(build, body, build.feed(2, 3), output_shapes=[Shape([None, 3])])
    assert infer_shapes(build.graph).shape(result) == Shape([None, 3])
