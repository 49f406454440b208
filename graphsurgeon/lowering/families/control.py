"""If, Loop and Scan as functional control flow. Source: the pages of the operators, opsets 1 to 25.

A body that is known to run, or not, is lowered in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.loops import branch, finish, loop, new_list, pushed, stacked
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.scope import Body
from graphsurgeon.lowering.source import Source, normal_axis
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.model.dtype import BOOL, INT64
from graphsurgeon.model.graph import Graph
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact

_MOST_TRIES = 3  # shapes of what a loop carries are opened where its body changes them, once for each that is found


@lowers("If", 1, 11, 13, 16, 19, 21, 23, 24, 25)
def if_(b: Builder, node: Source) -> list[Operand | None]:
    """One of two bodies; the only one there is, where the condition is known."""
    scope, condition = b.within, node[0]
    known = condition.numbers
    if known is not None:
        body = node.body("then_branch" if known[0] else "else_branch")
        found: list[Operand | None] = scope.inline(body, [], outer=scope)
        return found
    names = ("then_branch", "else_branch")
    first, second = (_closed(scope.function(node.body(name), f"{b.scope}_{name}", [])) for name in names)
    given = [*first.captured, *second.captured]
    split = len(first.captured)
    condition = b.reshape(condition, []) if condition.known_dims != () else condition
    made = branch(
        b,
        condition,
        given,
        lambda inner, own: inner.call(first.function, own[:split]),
        lambda inner, own: inner.call(second.function, own[split:]),
    )
    pairs = zip(made, first.results, second.results, strict=True)
    return [_learned(b, one, _joined(b, x.fact, y.fact)) for one, x, y in pairs]


@dataclass(frozen=True)
class _Rounds:
    """What a loop of ONNX is made of.

    Attributes:
        body: its body as a function, called with `head` numbers of the round, what is carried, and slices.
        carried: at the beginning.
        count: the rounds, as int64; None without a limit.
        condition: whether there is a first one; None if there is.
        sliced: what the rounds get slices of, along their first axis.
        has_head: the body takes number and condition of the round, and yields the condition of the next.
    """

    body: Body
    carried: Sequence[Operand]
    count: Operand | None
    condition: Operand | None = None
    sliced: Sequence[Operand] = ()
    has_head: bool = True

    @property
    def gathered(self) -> list[Fact]:
        """What is known of what each round yields beside what is carried."""
        return [result.fact for result in self.body.results[int(self.has_head) + len(self.carried) :]]


@lowers("Loop", 1, 11, 13, 16, 19, 21, 23, 24, 25)
def loop_(b: Builder, node: Source) -> list[Operand]:
    """Rounds up to a number, as long as a condition holds; either may be missing."""
    graph = node.body("body")
    count = b.cast(_single(b, node[0]), INT64) if node.has(0) else None
    condition = _single(b, node[1]) if node.has(1) else None
    carried = [b.plain(node[index]) for index in range(2, len(node.inputs))]
    head = [Fact((), dtype=INT64), Fact((), dtype=BOOL)]
    body, carried = _settled(b, graph, head, carried, [], has_head=True)
    return _run(b, _Rounds(body, carried, count, condition))


@lowers("Scan", 9, 11, 16, 19, 21, 23, 24, 25)
def scan(b: Builder, node: Source) -> list[Operand]:
    """A round for each place along an axis of what is scanned."""
    graph, count = node.body("body"), node.integer("num_scan_inputs")
    given = [b.plain(operand) for operand in node.all()]
    states, scanned = given[: len(given) - count], given[len(given) - count :]
    axes, backward = node.ints("scan_input_axes") or [0] * count, node.ints("scan_input_directions") or [0] * count
    scanned = [_to_front(b, x, axes[i], backward[i]) for i, x in enumerate(scanned)]
    slices = [Fact(x.fact.dims[1:] if x.fact.dims is not None else None, dtype=x.fact.dtype) for x in scanned]
    body, states = _settled(b, graph, [], states, slices, has_head=False)
    length = b.reshape(b.op("StridedSlice", b.shape_of(scanned[0]), [0], [1], [1]), [])
    made = _run(b, _Rounds(body, states, length, None, scanned, has_head=False))
    outs = len(made) - len(states)
    axes, backward = node.ints("scan_output_axes") or [0] * outs, node.ints("scan_output_directions") or [0] * outs
    results = [_from_front(b, x, axes[i], backward[i]) for i, x in enumerate(made[len(states) :])]
    return [*made[: len(states)], *results]


def _to_front(b: Builder, x: Operand, axis: int, backward: int) -> Operand:
    axis = normal_axis(axis, x.rank)
    x = b.transpose(x, [axis, *(other for other in range(x.rank) if other != axis)])
    return b.op("ReverseV2", x, [0]) if backward else x


def _from_front(b: Builder, x: Operand, axis: int, backward: int) -> Operand:
    x = b.op("ReverseV2", x, [0]) if backward else x
    axis = normal_axis(axis, x.rank)
    order = list(range(1, x.rank))
    return b.transpose(x, [*order[:axis], 0, *order[axis:]])


def _settled(
    b: Builder, graph: Graph, head: list[Fact], carried: list[Operand], slices: list[Fact], *, has_head: bool
) -> tuple[Body, list[Operand]]:
    """Return a body for shapes that stay as they are in every round, and what is carried with these shapes.

    Raises:
        LoweringError: something that is carried changes its type or rank.
    """
    metagraph = b.graph.metagraph
    facts = [Fact(one.fact.dims, dtype=one.fact.dtype) for one in carried]
    for _ in range(_MOST_TRIES):
        before = set(metagraph.functions)
        body: Body = b.within.function(graph, f"{b.scope}_body", [*head, *facts, *slices])
        results = body.results[int(has_head) : int(has_head) + len(carried)]
        if [result.dtype for result in results] != [fact.dtype for fact in facts]:
            raise LoweringError("what it carries changes its type")
        wider = [_joined(b, fact, result.fact) for fact, result in zip(facts, results, strict=True)]
        if all(_alike(one.dims, other.dims) for one, other in zip(facts, wider, strict=True)):
            return _closed(body), [_learned(b, one, fact) for one, fact in zip(carried, facts, strict=True)]
        for name in set(metagraph.functions) - before:  # made for shapes that do not hold
            del metagraph.functions[name]
        facts = wider
    raise LoweringError("the shapes of what it carries change from round to round")


def _run(b: Builder, rounds: _Rounds) -> list[Operand]:
    """Add the loop; return what is carried at the end, and what was gathered."""
    width, gathered = len(rounds.carried), rounds.gathered
    start = b.constant(True) if rounds.condition is None else rounds.condition
    lists = [new_list(b, fact) for fact in gathered]
    limit = [] if rounds.count is None else [rounds.count]
    fixed = [*limit, *rounds.sliced, *rounds.body.captured]

    def goes_on(inner: Builder, own: list[Operand], rest: list[Operand]) -> Operand:
        return own[1] if not limit else inner.op("LogicalAnd", own[1], inner.op("Less", own[0], rest[0]))

    def step(inner: Builder, own: list[Operand], rest: list[Operand]) -> list[Operand]:
        sliced = [inner.op("GatherV2", x, own[0], 0) for x in rest[len(limit) : len(limit) + len(rounds.sliced)]]
        captured = rest[len(limit) + len(rounds.sliced) :]
        head = own[:2] if rounds.has_head else []
        found = inner.call(rounds.body.function, [*head, *own[2 : 2 + width], *sliced, *captured])
        goes = _single(inner, found[0]) if rounds.has_head else own[1]
        found = found[1:] if rounds.has_head else found
        kept = [pushed(inner, held, item) for held, item in zip(own[2 + width :], found[width:], strict=True)]
        number = inner.op("AddV2", own[0], inner.constant(1, INT64))
        return [number, goes, *found[:width], *kept]

    zero = b.constant(0, INT64)
    made = loop(b, [zero, start, *rounds.carried, *lists], fixed, goes_on, step)
    whole = [stacked(b, held, fact) for held, fact in zip(made[2 + width :], gathered, strict=True)]
    return [*made[2 : 2 + width], *whole]


def _closed(body: Body) -> Body:
    """Say what the function of a body yields.

    Raises:
        LoweringError: a sequence.
    """
    if any(result.parts is not None for result in body.results):
        raise LoweringError("its body yields a sequence")
    finish(body.builder, body.results)
    return body


def _single(b: Builder, x: Operand) -> Operand:
    """Return a number without axes: files also write it as a tensor of one element."""
    return x if x.known_dims == () else b.reshape(x, [])


def _alike(one: Dims | None, other: Dims | None) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(
        not isinstance(x, int) if not isinstance(y, int) else x == y for x, y in zip(one, other, strict=True)
    )


def _joined(b: Builder, first: Fact, second: Fact) -> Fact:
    """Return what holds for both: other sizes are open, another rank is not known."""
    if first.dims is None or second.dims is None or len(first.dims) != len(second.dims):
        return Fact(None, dtype=first.dtype)
    pairs = zip(first.dims, second.dims, strict=True)
    return Fact(tuple(x if x == y else b.session.new_symbol() for x, y in pairs), dtype=first.dtype)


def _learned(b: Builder, operand: Operand, fact: Fact) -> Operand:
    """Return an operand as a value of the graph of which no more than this is known, constants included."""
    made = operand if operand.tensor is None else b.op("Identity", Operand(b.value(operand), fact))
    return b.learn(b.value(made), fact)
