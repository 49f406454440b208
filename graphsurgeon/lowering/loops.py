"""TensorFlow's functional control flow: loops and branches whose bodies are functions of the model.

Bodies read what is outside of them through arguments alone, which a loop hands on unchanged. What a loop gathers is a
list of tensors (`TensorListPushBack`) that is stacked behind it, as `tf.while_loop` with a TensorArray becomes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.scope import add_argument
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.model.dtype import VARIANT
from graphsurgeon.model.graph import Graph, Output
from graphsurgeon.shapes.fact import Fact

_OPEN = "TFLite takes no loop over tensors of open shape: give shapes with --shape where the result is to become TFLite"
Step = Callable[[Builder, list[Operand], list[Operand]], Sequence[Operand]]
GoesOn = Callable[[Builder, list[Operand], list[Operand]], Operand]


def loop(
    b: Builder, variables: Sequence[Operand], fixed: Sequence[Operand], goes_on: GoesOn, step: Step
) -> list[Operand]:
    """Add a loop; return what its variables are at the end.

    Args:
        b: of the graph that gets it.
        variables: at the beginning; their shapes are those of every round.
        fixed: what the rounds read beside.
        goes_on: makes what says whether there is another round, of variables and what is fixed.
        step: makes the variables of the next round.
    """
    start = [b.plain(operand) for operand in (*variables, *fixed)]
    count = len(variables)
    facts = [Fact(operand.fact.dims, dtype=operand.fact.dtype) for operand in start]
    if any(not fact.shape.is_static for fact in facts):
        b.within.work.notes[_OPEN] = None

    def condition(inner: Builder, arguments: list[Operand]) -> list[Operand]:
        return [goes_on(inner, arguments[:count], arguments[count:])]

    def body(inner: Builder, arguments: list[Operand]) -> list[Operand]:
        return [*step(inner, arguments[:count], arguments[count:]), *arguments[count:]]

    functions = {"cond": new_function(b, "condition", facts, condition), "body": new_function(b, "body", facts, body)}
    shapes = [fact.shape for fact in facts]
    made = b.ops("StatelessWhile", *start, name="While", output_shapes=shapes, parallel_iterations=10, **functions)
    return [_known(b, one, fact) for one, fact in zip(made[:count], facts, strict=False)]


def branch(b: Builder, condition: Operand, given: Sequence[Operand], then: Any, otherwise: Any) -> list[Operand]:
    """Add a branch; return what either side yields.

    Args:
        b: of the graph that gets it.
        condition: of bool, without axes.
        given: what the sides read.
        then: makes the results of one side, of a builder and what is given.
        otherwise: those of the other side.
    """
    start = [b.plain(operand) for operand in given]
    facts = [Fact(operand.fact.dims, dtype=operand.fact.dtype) for operand in start]
    sides = [new_function(b, name, facts, make) for name, make in (("then", then), ("else", otherwise))]
    types = [[output.dtype for output in side.outputs] for side in sides]
    if types[0] != types[1]:
        raise LoweringError("its branches yield different types")
    made = b.ops(
        "StatelessIf", condition, *start, name="If", then_branch=sides[0], else_branch=sides[1], Tout=types[0],
        output_shapes=[],
    )  # fmt: skip
    return made


def new_function(
    b: Builder, name: str, facts: Sequence[Fact], make: Callable[[Builder, list[Operand]], Sequence[Operand]]
) -> Graph:
    """Return a function of the new model.

    Args:
        b: of the graph that calls it.
        name: last part of its name.
        facts: of its arguments.
        make: makes its results of its arguments.
    """
    metagraph = b.graph.metagraph
    base = "".join(c if c.isalnum() and c.isascii() else "_" for c in f"{b.scope}_{name}".lower())
    function = metagraph.new_function(metagraph.unique_function_name(base if base[:1].isalpha() else f"x_{base}"))
    inner = Builder(function, b.session)
    inner.within = b.within
    arguments = [add_argument(inner, fact, f"x{place}") for place, fact in enumerate(facts)]
    finish(inner, make(inner, arguments))
    return function


def finish(b: Builder, results: Sequence[Operand]) -> None:
    """Say what a function yields."""
    values = [b.value(b.plain(result)) for result in results]
    types = [result.dtype for result in results]
    function = b.graph
    function.outputs = [
        Output(f"y{i}", value, dtype) for i, (value, dtype) in enumerate(zip(values, types, strict=True))
    ]


def new_list(b: Builder, item: Fact, count: Operand | None = None) -> Operand:
    """Return a list of tensors.

    Args:
        b: of the graph that gets it.
        item: type and shape of each.
        count: how many there will be, as int32: `put` gives each its place; None for a list that grows by `pushed`.
    """
    if count is not None:
        made = b.op("TensorListReserve", _shape(b, item), count, element_dtype=item.dtype)
    else:
        made = b.op("EmptyTensorList", _shape(b, item), b.constant(-1), element_dtype=item.dtype)
    return _as_list(b, made)


def pushed(b: Builder, held: Operand, item: Operand) -> Operand:
    """Return a list with one more tensor."""
    return _as_list(b, b.op("TensorListPushBack", held, item, element_dtype=item.dtype))


def put(b: Builder, held: Operand, place: Operand, item: Operand) -> Operand:
    """Return a list with a tensor at a place."""
    return _as_list(b, b.op("TensorListSetItem", held, place, item, element_dtype=item.dtype))


def stacked(b: Builder, held: Operand, item: Fact, count: Any = None) -> Operand:
    """Return the tensors of a list as one, along a new first axis.

    Args:
        b: of the graph that has the list.
        held: the list.
        item: type of the tensors, and what is known of their shape, which a list without any has.
        count: how many there are, None where nobody knows.
    """
    made = b.op("TensorListStack", held, _shape(b, item), element_dtype=item.dtype)
    first = count if count is not None else b.session.new_symbol()
    assert made.value is not None
    return b.learn(made.value, Fact(None if item.dims is None else (first, *item.dims), dtype=item.dtype))


def _as_list(b: Builder, made: Operand) -> Operand:
    assert made.value is not None
    return b.learn(made.value, Fact((), dtype=VARIANT))


def _shape(b: Builder, item: Fact) -> Operand:
    """Return a shape as lists of tensors take it: -1 where it is open."""
    if item.dims is None:
        return b.constant(-1)
    known = [dim if isinstance(dim, int) else -1 for dim in item.dims]
    return b.constant(known) if known else b.constant(_no_dims())


def _no_dims() -> Any:
    import numpy as np

    return np.zeros(0, np.int32)


def _known(b: Builder, made: Operand, fact: Fact) -> Operand:
    return made if made.value is None else b.learn(made.value, fact)
