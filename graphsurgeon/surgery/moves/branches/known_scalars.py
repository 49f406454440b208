"""Scalars that are known before anything runs: constants, and what simple logic makes of them.

Enough for predicates. Larger constant expressions are the business of constant folding.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from graphsurgeon.model.dtype import BOOL, DType
from graphsurgeon.model.graph import AttrValue, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import RESHAPES, SAME_VALUE, SWITCHES

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
        return _apply(node.op, inputs)


def element(node: Node) -> Scalar | None:
    """Return the number or bool that a Const of one element holds, None if it holds something else."""
    tensor = node.attrs.get("value")
    if not isinstance(tensor, Tensor) or tensor.num_elements != 1 or not tensor.dtype.bits or tensor.dtype.is_complex:
        return None
    item: Scalar = tensor.items()[0]
    return item


def _cast(item: Scalar | None, dtype: AttrValue) -> Scalar | None:
    if item is None or not isinstance(dtype, DType) or not math.isfinite(item):
        return None
    if dtype is BOOL:
        return bool(item)
    if dtype.is_integer:
        return int(item)
    return float(item) if dtype.is_floating else None


def _apply(op: str, inputs: Sequence[Scalar | None]) -> Scalar | None:
    if op == "LogicalAnd" and False in inputs:
        return False
    if op == "LogicalOr" and True in inputs:
        return True
    known = [item for item in inputs if item is not None]
    if op not in _OPS or not known or len(known) < len(inputs):
        return None
    return _OPS[op](*known)
