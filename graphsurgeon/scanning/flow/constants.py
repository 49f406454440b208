"""Which nodes TensorFlow evaluates while it only imports a graph.

Shape functions ask for the values of some inputs (`dims` of Fill, `shape` of Reshape, ...), and the importer computes
them where it can (`core/common_runtime/eval_const_tensor.cc`): whatever such an input hangs on is executed, if no node
of it is stateful and it begins with constants. Measured: `ReadFile(Const) -> DecodeRaw -> Fill.dims` reads the file, in
functions that nothing calls, too. Which inputs are asked for is seen by watching our own shape functions, which follow
TensorFlow's; an op that has none counts as asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product

from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.traversal import nearest_first, producers
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import IDENTITIES
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims, ShapeError
from graphsurgeon.shapes.fact import Fact, Items
from graphsurgeon.shapes.registry import shape_functions

_MOST = 10_000  # nodes above one
# Shape functions that are not registered, and look at no elements.
_IDLE = IDENTITIES | {"IdentityN", "NoOp"}


def is_evaluated(node: Node) -> bool:
    """Say whether importing the graph executes a node."""
    return _is_constant(node) and _is_used(node)


def _is_constant(node: Node) -> bool:
    above = islice(nearest_first([node], lambda one: producers(one.inputs)), _MOST)
    return all(map(_is_computed_once, above))


def _is_computed_once(node: Node) -> bool:
    opdef = catalog.of(node)
    if opdef is None or opdef.is_stateful or node.callee is not None or node.op.startswith("Placeholder"):
        return False
    return all(value.producer is not None for value in node.inputs)


def _is_used(node: Node) -> bool:
    """Say whether some shape function asks for what a node yields, or for what is computed of it and of constants."""
    below = islice(nearest_first([node], lambda one: filter(_is_constant, one.consumers)), _MOST)
    reads = ((one, user, place) for one in below for user in one.consumers for place in range(len(user.inputs)))
    return any(user.inputs[place].producer is one and asks(user, place) for one, user, place in reads)


def asks(node: Node, place: int) -> bool:
    """Say whether the shape function of a node looks at the elements of an input."""
    function = shape_functions().get(node.op)
    if function is None or node.callee is not None or node.functions:
        return node.op not in _IDLE
    asked: set[int] = set()
    refused = 0
    for first, others in product(_SHAPES, _SHAPES):
        facts = [_Watched(others if number else first, number, asked) for number in range(len(node.inputs))]
        context = InferenceContext(node, catalog.of(node), facts, len(node.outputs), _NO_CALLS)
        try:
            function(context)
        except ShapeError:
            refused += 1
    return place in asked or refused == len(_SHAPES) ** 2


class _Watched(Fact):
    """A fact that tells when somebody looks at its elements."""

    __slots__ = ("_asked", "_number")

    def __init__(self, dims: Dims | None, number: int, asked: set[int]) -> None:
        super().__init__(dims)
        self._number = number
        self._asked = asked

    @property
    def items(self) -> Items | None:
        self._asked.add(self._number)
        return None

    @property
    def strings(self) -> list[bytes] | None:
        self._asked.add(self._number)
        return None


class _NoCalls:
    """Infers no functions."""

    def call(self, function: Graph, arguments: Sequence[Fact]) -> list[Fact]:
        """Return nothing."""
        return []


_NO_CALLS = _NoCalls()
# Tried as the shape of the first input and of the others: ops look at elements of vectors of a known length only.
_SHAPES: tuple[Dims | None, ...] = (None, (), (1,), (2,), (4,), (2, 2), (None, None), (None,) * 3, (None,) * 4)
