"""Control flow of both kinds: Switch, Merge and loop frames, and the ops that call functions."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.graph import Graph
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import UNKNOWN, Fact, join
from graphsurgeon.shapes.registry import Result, shape_fn

MOST_TURNS = 12  # of a loop; a shape that still changes then is unknown


@shape_fn("Switch", "RefSwitch", "_SwitchN")
def switch(context: InferenceContext) -> Sequence[Result]:
    """Give the value on every side; what decides is a scalar."""
    if len(context.inputs) > 1:
        context.with_rank(1, 0)
    return [context.input(0)] * context.num_outputs


@shape_fn("Merge", "RefMerge")
def merge(context: InferenceContext) -> Sequence[Result]:
    """Give what holds for every input (joined before this is called, for the sake of loops), and which it was."""
    return [context.input(0), ()]


@shape_fn("Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration")
def frame(context: InferenceContext) -> Sequence[Result]:
    """Give the value, inside or outside the loop."""
    return [context.input(0)]


@shape_fn("LoopCond")
def loop_cond(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar."""
    return [context.with_rank(0, 0)]


@shape_fn("RefSelect")
def ref_select(context: InferenceContext) -> Sequence[Result]:
    """Give what all choices share."""
    shared = context.dims(1)
    for fact in context.inputs[2:]:
        shared = dim.join(shared, fact.dims)
    return [shared]


@shape_fn("PartitionedCall", "StatefulPartitionedCall", "TPUPartitionedCall", "RemoteCall", "BatchFunction")
def call(context: InferenceContext) -> Sequence[Result]:
    """Infer the function in `f` for what it is called with."""
    function = context.function_attr("f")
    if function is None:
        return [None] * context.num_outputs
    skipped = {"TPUPartitionedCall": 0, "RemoteCall": 1}.get(context.node.op, 0)
    arguments = list(context.inputs[skipped:])
    if context.node.op == "BatchFunction":
        # Several calls are run as one: only dimensions behind the first are those of this call.
        arguments = [_open_batch(fact) for fact in arguments]
    return context.caller.call(function, arguments)


def _open_batch(fact: Fact) -> Fact:
    return Fact((None, *fact.dims[1:]), dtype=fact.dtype) if fact.dims else fact


@shape_fn("If", "StatelessIf", "_If")
def if_(context: InferenceContext) -> Sequence[Result]:
    """Give what holds for both branches, and what `output_shapes` says."""
    branches = [context.function_attr("then_branch"), context.function_attr("else_branch")]
    return _branches(context, branches)


@shape_fn("Case", "StatelessCase")
def case(context: InferenceContext) -> Sequence[Result]:
    """Give what holds for all `branches`, and what `output_shapes` says."""
    return _branches(context, context.functions_attr("branches"))


def _branches(context: InferenceContext, branches: Sequence[Graph | None]) -> Sequence[Result]:
    known = [branch for branch in branches if branch is not None]
    results: list[Fact] | None = None
    for branch in known:
        facts = context.caller.call(branch, context.inputs[1:])
        results = facts if results is None else _join(results, facts)
    if results is None or len(known) < len(branches):
        results = [UNKNOWN] * context.num_outputs
    return _with_recorded(context, results)


@shape_fn("While", "StatelessWhile", "_While")
def while_(context: InferenceContext) -> Sequence[Result]:
    """Infer `body` until what comes out is what goes in; and give what `output_shapes` says."""
    body, condition = context.function_attr("body"), context.function_attr("cond")
    given = list(context.inputs)
    recorded = context.shapes_attr("output_shapes")
    if len(recorded) == len(given):
        given = [_loosened(fact, dims) for fact, dims in zip(given, recorded, strict=True)]
    # Without the body the shapes that go in are the best guess, and TensorFlow's.
    facts = _fixed_point(context, body, given) if body is not None else [_without_items(fact) for fact in given]
    if condition is not None:
        context.caller.call(condition, facts)
    return _with_recorded(context, facts)


def _fixed_point(context: InferenceContext, body: Graph, facts: list[Fact]) -> list[Fact]:
    for turn in range(MOST_TURNS):
        after = _join(facts, context.caller.call(body, facts))
        if after == facts:
            return facts
        # Elements first, as the counter of a loop changes its value but not its shape.
        facts = [_without_items(fact) for fact in after] if turn > 1 else after
    return [Fact(dtype=fact.dtype) for fact in facts]


def _without_items(fact: Fact) -> Fact:
    return Fact(fact.dims, handle=fact.handle, dtype=fact.dtype)


def _loosened(fact: Fact, recorded: Dims | None) -> Fact:
    """Return what is known of a loop variable at the start, without what the loop is declared not to keep."""
    return fact.with_dims(dim.join(fact.dims, recorded)) if fact.dims != recorded else fact


def _join(first: Sequence[Fact], second: Sequence[Fact]) -> list[Fact]:
    if len(first) != len(second):
        return [UNKNOWN] * len(first)
    return [join(a, b) for a, b in zip(first, second, strict=True)]


def _with_recorded(context: InferenceContext, facts: Sequence[Fact]) -> Sequence[Result]:
    recorded = context.shapes_attr("output_shapes")
    if len(recorded) != len(facts):
        return list(facts)
    return [fact.with_dims(dim.merge(fact.dims, dims)) for fact, dims in zip(facts, recorded, strict=True)]


@shape_fn("For")
def for_(context: InferenceContext) -> Sequence[Result]:
    """Infer `body` (its first argument is the counter) until what comes out is what goes in."""
    body = context.function_attr("body")
    if body is None:
        return [None] * context.num_outputs
    facts = list(context.inputs[3:])
    for _ in range(MOST_TURNS):
        after = _join(facts, context.caller.call(body, [Fact(()), *facts]))
        if after == facts:
            return list(facts)
        facts = after
    return [None] * context.num_outputs


@shape_fn("ToBool", "DeviceIndex")
def scalar(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar."""
    return [()]


@shape_fn("SymbolicGradient")
def symbolic_gradient(context: InferenceContext) -> Sequence[Result]:
    """Give a gradient per argument of the function, shaped like it."""
    return [context.input(index) for index in range(context.num_outputs)]


@shape_fn(
    "MapDefun", "PyFunc", "PyFuncStateless", "EagerPyFunc", "RiscWhile", "MlirPassthroughOp",
    "XlaLaunch", "XlaLaunchV2", "XlaHostCompute", "TPUExecute", "TPUExecuteAndUpdateVariables", "_Recv", "_HostRecv",
    "Recv", "CompositeTensorVariantToComponents",
)  # fmt: skip
def outside(context: InferenceContext) -> Sequence[Result]:
    """Give what attributes say of results that are made elsewhere (`output_shapes`, `shapes`, `Toutput_shapes`)."""
    for name in ("output_shapes", "shapes", "Toutput_shapes"):
        shapes = context.shapes_attr(name)
        if len(shapes) == context.num_outputs and context.node.op == "MapDefun":
            lengths = [fact.dims[:1] for fact in context.argument("arguments") if fact.dims]
            first = lengths[0] if lengths else (None,)
            return [None if dims is None else (*first, *dims) for dims in shapes]
    return [None] * context.num_outputs
