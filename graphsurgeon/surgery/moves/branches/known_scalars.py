"""Scalars that are known before anything runs: constants, and what simple logic makes of them.

Enough for predicates. Larger constant expressions are the business of constant folding.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.model.dtype import BOOL, DType
from graphsurgeon.model.graph import AttrValue, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import PLACEHOLDERS, RESHAPES, SAME_VALUE, SWITCHES

Scalar: TypeAlias = bool | int | float

# What has one element keeps it through these, and every output of a Switch is its first input.
_SAME = SAME_VALUE | RESHAPES | SWITCHES
_OPS: dict[str, Callable[..., Scalar]] = {
    "LogicalNot": operator.not_,
    "LogicalAnd": lambda a, b: bool(a and b),
    "LogicalOr": lambda a, b: bool(a or b),
    "Equal": operator.eq,
    "NotEqual": operator.ne,
    "Greater": operator.gt,
    "GreaterEqual": operator.ge,
    "Less": operator.lt,
    "LessEqual": operator.le,
    "Add": operator.add,
    "AddV2": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Minimum": min,
    "Maximum": max,
}
_ARITHMETIC = frozenset({"Add", "AddV2", "Sub", "Mul"})  # whose results the dtype rounds
_FORMATS = {"float16": "e", "float32": "f", "float64": "d"}
FOLLOWED = frozenset({*_SAME, *_OPS, "Cast"})
_MOST_STEPS = 1000  # ops behind one scalar, so that a cycle ends


class KnownScalars:
    """Answers what a value is, if that is known; remembers the answers, so make one per state of the graph.

    Args:
        assumed: values that count as known.
    """

    def __init__(self, assumed: Mapping[Value, Scalar] | None = None) -> None:
        self._assumed = assumed or {}
        self._known: dict[Value, Scalar | None] = {}

    def of(self, value: Value) -> Scalar | None:
        """Return the one element of a value; None if it is not known, or not one. Reads small constants."""
        waiting = [value]
        while waiting and len(waiting) < _MOST_STEPS:
            current = waiting[-1]
            missing = [] if current in self._known else self._needed(current)
            self._known.setdefault(current, None)  # also ends cycles
            if missing:
                waiting += missing
            else:
                waiting.pop()
                self._known[current] = self._evaluate(current)
        return self._known.get(value)

    def holds(self, value: Value, *, lowered: bool = False) -> bool | None:
        """Say how an If or While judges a value, None if that is not known.

        A number is judged by itself, a string by whether it is empty, and anything with dimensions by whether it has
        elements, whatever they are.

        Args:
            value: the predicate.
            lowered: the node is run as Switch and Merge, which refuse anything with dimensions.
        """
        tensor = _constant_behind(value) if value not in self._assumed else None
        rank = self._rank(value) if tensor is None else tensor.shape.rank
        if rank is None or (rank and lowered):
            return None
        if tensor is not None and rank:
            return bool(tensor.num_elements)
        if tensor is not None and tensor.dtype.name == "string":
            return bool(tensor.items()[0])
        found = self.of(value)
        return None if found is None else bool(rank) or bool(found)

    def is_scalar(self, value: Value) -> bool:
        """Say whether a value certainly has no dimensions."""
        return self._rank(value) == 0

    def _rank(self, value: Value) -> int | None:
        """Return 0 for a scalar, 1 for what has dimensions, None for what may be either."""
        ranks: dict[Value, int | None] = {}
        waiting = [value]
        while waiting and len(waiting) < _MOST_STEPS:
            current = waiting[-1]
            needed = [] if current in self._assumed else _of_same_rank(current)
            missing = [given for given in needed if given not in ranks]
            ranks.setdefault(current, None)  # also ends cycles
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if needed:
                found = [ranks[given] for given in needed]
                ranks[current] = 1 if 1 in found else None if None in found else 0
            else:
                ranks[current] = 0 if current in self._assumed else _own_rank(current)
        return ranks.get(value)

    def _needed(self, value: Value) -> list[Value]:
        node = value.producer
        if value in self._assumed or node is None or node.op not in FOLLOWED:
            return []
        count = len(node.inputs) if node.op in _OPS else 1
        return [given for given in node.inputs[:count] if given not in self._known]

    def _evaluate(self, value: Value) -> Scalar | None:
        if value in self._assumed:
            return self._assumed[value]
        node = value.producer
        if node is None:
            return None
        if node.op == "Const":
            return element(node)
        inputs = [self._known.get(given) for given in node.inputs]
        if node.op in _SAME:
            return inputs[0] if inputs else None
        if node.op == "Cast":
            return _cast(inputs[0], node.attrs.get("DstT")) if inputs else None
        found = _apply(node.op, inputs)
        return _held(found, dtype_of(node.output(0))) if node.op in _ARITHMETIC and found is not None else found


def _of_same_rank(value: Value) -> list[Value]:
    """Return the values of which one has dimensions if a value has: what an op takes element by element."""
    node = value.producer
    if node is None or node.op in RESHAPES or node.op not in FOLLOWED:
        return []
    return list(node.inputs[: len(node.inputs) if node.op in _OPS else 1])


def _own_rank(value: Value) -> int | None:
    node = value.producer
    if node is None:
        shape: object = value.shape
    elif node.op == "Const":
        tensor = node.attrs.get("value")
        shape = tensor.shape if isinstance(tensor, Tensor) else None
    elif node.op == "ExpandDims":
        return 1
    elif node.op == "Reshape":
        wanted = _constant_behind(node.inputs[1]) if len(node.inputs) == 2 else None
        return None if wanted is None else min(wanted.num_elements or 0, 1)
    else:
        shape = node.attrs.get("shape") if node.op in PLACEHOLDERS else None
    rank = shape.rank if isinstance(shape, Shape) else None
    return None if rank is None else min(rank, 1)


def _constant_behind(value: Value) -> Tensor | None:
    """Return the constant that a value is, behind what only hands it on."""
    node = value.producer
    for _ in range(_MOST_STEPS):
        if node is None or node.op not in SAME_VALUE or not node.inputs:
            break
        node = node.inputs[0].producer
    tensor = node.attrs.get("value") if node is not None and node.op == "Const" else None
    return tensor if isinstance(tensor, Tensor) else None


def element(node: Node) -> Scalar | None:
    """Return the number or bool that a Const of one element holds, None if it holds something else."""
    tensor = node.attrs.get("value")
    if not isinstance(tensor, Tensor) or tensor.num_elements != 1 or not tensor.dtype.bits or tensor.dtype.is_complex:
        return None
    item: Scalar = tensor.items()[0]
    return item


def _held(item: Scalar, dtype: DType | None) -> Scalar | None:
    """Return a number as a dtype holds it, None if it does not, or nobody says which it is."""
    if dtype is None or isinstance(item, bool):
        return None
    try:
        if dtype.name in _FORMATS:
            (rounded,) = struct.unpack(_FORMATS[dtype.name], struct.pack(_FORMATS[dtype.name], item))
            return float(rounded)
        return int(Tensor.of(dtype, (), [item]).items()[0]) if dtype.is_integer else None
    except (struct.error, OverflowError):
        return None


def _cast(item: Scalar | None, dtype: AttrValue) -> Scalar | None:
    if item is None or not isinstance(dtype, DType) or not math.isfinite(item):
        return None
    if dtype is BOOL:
        return bool(item)
    return _held(int(item) if dtype.is_integer else float(item), dtype)


def _apply(op: str, inputs: Sequence[Scalar | None]) -> Scalar | None:
    if op == "LogicalAnd" and False in inputs:
        return False
    if op == "LogicalOr" and True in inputs:
        return True
    known = [item for item in inputs if item is not None]
    if op not in _OPS or not known or len(known) < len(inputs):
        return None
    return _OPS[op](*known)
