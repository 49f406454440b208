"""If, Loop and Scan: what their bodies yield."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.dtype import BOOL, INT64, DType
from graphsurgeon.model.graph import Graph
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.dims import Dim, ShapeError
from graphsurgeon.shapes.fact import Fact, join
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.onnx.registry import shape_fn

_TURNS = 4  # of a loop that may change what is known of its state, before the shape is given up


@shape_fn("If")
def branch(context: OnnxContext) -> Sequence[Fact]:
    """Give what holds for both branches."""
    bodies = [context.function_attr(name) for name in ("then_branch", "else_branch")]
    yielded = [context.run_body(body, []) for body in bodies if body is not None]
    if len(yielded) < 2 or len(yielded[0]) != len(yielded[1]):
        return context.outputs_like(None, None)
    return [join(one.with_dims(one.dims), other) for one, other in zip(*yielded, strict=True)]


@shape_fn("Loop")
def loop(context: OnnxContext) -> Sequence[Fact]:
    """Give the state as it is after any turn, then what each turn yields, one behind the other."""
    body = _body(context)
    state = [Fact(fact.dims, dtype=fact.dtype) for fact in context.inputs[2:]]
    turn = [Fact((), dtype=INT64), Fact((), dtype=BOOL)]
    yielded, state = _settled(context, body, turn, state, [], first=1)
    count = None if context.has(1) else context.number(0)
    stacked = [_stacked(fact, count, 0) for fact in yielded[1 + len(state) :]]
    return [*state, *stacked]


@shape_fn("Scan")
def scan(context: OnnxContext) -> Sequence[Fact]:
    """Give the state as it is after any step, then what each step yields along the axes of the scan."""
    if context.version < 9:  # the first version had a batch in front of all
        return context.outputs_like(None, None)
    body = _body(context)
    scanned = context.integer_attr("num_scan_inputs")
    kept = len(context.inputs) - scanned
    if kept < 0:
        raise ShapeError(f"{scanned} of {len(context.inputs)} inputs are scanned")
    axes = context.integers_attr("scan_input_axes") or [0] * scanned
    steps: Dim = None
    slices = []
    for fact, axis in zip(context.inputs[kept:], axes, strict=True):
        length, part = _sliced(fact, axis)
        steps = dim.merge_dim(steps, length)
        slices.append(part)
    state = [Fact(fact.dims, dtype=fact.dtype) for fact in context.inputs[:kept]]
    yielded, state = _settled(context, body, [], state, slices, first=0)
    outputs = yielded[len(state) :]
    out_axes = context.integers_attr("scan_output_axes") or [0] * len(outputs)
    return [*state, *(_stacked(fact, steps, axis) for fact, axis in zip(outputs, out_axes, strict=True))]


@shape_fn("OptionalHasElement")
def has_element(context: OnnxContext) -> Sequence[Fact]:
    """Give one truth."""
    return [Fact((), dtype=BOOL)]


@shape_fn("SequenceLength")
def sequence_length(context: OnnxContext) -> Sequence[Fact]:
    """Give one number."""
    return [Fact((), dtype=INT64)]


@shape_fn("SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SplitToSequence", "SequenceMap")
def sequence(context: OnnxContext) -> Sequence[Fact]:
    """Give sequences, of which nothing more is known."""
    return context.outputs_like(None, DType.named("sequence"))


def _body(context: OnnxContext) -> Graph:
    body = context.function_attr("body")
    if body is None:
        raise ShapeError("it has no body")
    return body


def _settled(
    context: OnnxContext, body: Graph, before: list[Fact], state: list[Fact], behind: list[Fact], *, first: int
) -> tuple[list[Fact], list[Fact]]:
    """Run a body until the state that it is given holds for every turn; return what it yields, and that state."""
    yielded: list[Fact] = []
    for turn in range(_TURNS):
        yielded = context.run_body(body, [*before, *state, *behind])
        after = yielded[first : first + len(state)]
        if len(after) != len(state):
            raise ShapeError(f"its body yields {len(yielded)} values for {len(state)} of its state")
        joined = [_join(one, other) for one, other in zip(state, after, strict=True)]
        if all(one.dims == other.dims for one, other in zip(joined, state, strict=True)):
            return yielded, joined
        state = joined if turn < _TURNS - 2 else [Fact(dtype=fact.dtype) for fact in joined]
    return context.run_body(body, [*before, *state, *behind]), state


def _join(before: Fact, after: Fact) -> Fact:
    joined = join(before, after)
    return Fact(joined.dims, dtype=before.dtype or after.dtype)


def _sliced(fact: Fact, axis: int) -> tuple[Dim, Fact]:
    if fact.dims is None:
        return None, Fact(dtype=fact.dtype)
    place = dim.normal_axis(axis, len(fact.dims))
    return fact.dims[place], Fact(fact.dims[:place] + fact.dims[place + 1 :], dtype=fact.dtype)


def _stacked(fact: Fact, count: Dim, axis: int) -> Fact:
    if fact.dims is None:
        return Fact(dtype=fact.dtype)
    place = dim.normal_axis(axis, len(fact.dims) + 1)
    return Fact((*fact.dims[:place], count, *fact.dims[place:]), dtype=fact.dtype)
