"""What a loop goes on for, as a short text: `i < 10 and Sum(v) < 100`."""

from __future__ import annotations

import re

from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import CONSTANTS, ENTERS, FIRST_INPUT, MERGES
from graphsurgeon.render.choose.opening import Called, calls

_SIGNS = {
    "less": "<", "lessequal": "≤", "greater": ">", "greaterequal": "≥", "equal": "=", "notequal": "≠",
    "lessorequal": "≤", "greaterorequal": "≥", "and": "and", "or": "or",
    "logicaland": "and", "logicalor": "or", "add": "+", "addv2": "+", "sub": "-", "mul": "×",
}  # fmt: skip
_DEEPEST = 4  # calls within calls
_MOST_ARGUMENTS = 3
_COUNTER = "i"
_LONGEST_NAME = 24  # characters; longer ones repeat the names of scopes
_FOLLOWED = 20  # what only hands on, one behind the other
_PREFIX = re.compile(r"^.*(?:while|loop)_(?=[^_\d])")


def loop_condition(call: Node) -> str:
    """Return what a loop goes on for; empty if it is not told. Reads constants of one element."""
    opened = {called.kind: called for called in calls(call)}
    body = opened.get("loop")
    if body is None:
        return ""
    condition = opened["condition"].function if "condition" in opened else body.function
    results = [condition.outputs[at].value for at in body.wiring.deciding or (0,) if at < len(condition.outputs)]
    teller = _Teller(call, condition, body)
    if "condition" in opened:
        return teller.text(results[0]) if results else ""
    told = [f"{_COUNTER} < {teller.text(count)}" for count in call.inputs[: body.wiring.counter + 1] if _is_told(count)]
    if body.wiring.deciding:
        told += [text for text in map(teller.text, results) if text not in ("True", "cond")]
    return " and ".join(told)


def _is_told(count: Value) -> bool:
    """Say whether the most turns of a loop are some number: what never ends has the largest there is."""
    tensor = _origin(count).tensor
    return not count.is_absent and (tensor is None or not _number(tensor) or int(float(_number(tensor))) < 2**31 - 1)


def frame_condition(loop: Node) -> str:
    """Return what the loop of a `LoopCond` goes on for. Reads constants of one element."""
    return _Teller(None, None, None).text(loop.inputs[0]) if loop.inputs else ""


class _Teller:
    def __init__(self, call: Node | None, condition: Graph | None, body: Called | None) -> None:
        self.call = call
        self.condition = condition
        self.body = body

    def text(self, value: Value, depth: int = 0) -> str:
        value = _origin(value)
        node = value.producer
        if node is None or value.tensor is not None:
            return _number(value.tensor) or self._argument(value)
        if node.op in CONSTANTS:
            found = node.attrs.get("value")
            return _number(found if isinstance(found, Tensor) else None) or _last(node.name)
        if node.op in MERGES or depth == _DEEPEST:
            return _last(node.name) or "…"
        told = [self.text(one, depth + 1) for one in node.inputs[:_MOST_ARGUMENTS]]
        name = node.op.lower().replace("_", "")
        if name in ("logicaland", "and") and len(set(told)) == 1:
            return told[0]
        if name in _SIGNS and len(told) == 2:
            text = f"{told[0]} {_SIGNS[name]} {told[1]}"
            return f"({text})" if depth and _SIGNS[name] in ("or", "+", "-") else text
        if name in ("logicalnot", "not") and told:
            return f"not {told[0]}"
        return f"{node.op}({told[0] if told else ''}{', …' if len(node.inputs) > 1 and name not in _REDUCING else ''})"

    def _argument(self, value: Value) -> str:
        """Return an argument of the condition: `i` for what counts turns, a number for what keeps it, else a name."""
        name = _PREFIX.sub("", str(value).split(":")[0]) or str(value)
        if self.call is None or self.condition is None or self.body is None or value not in self.condition.inputs:
            return name
        place = self.condition.inputs.index(value)
        graph, wiring = self.body.function, self.body.wiring
        if place == wiring.counter:
            return _COUNTER
        result = place - wiring.back
        if result >= len(graph.outputs) or place >= min(len(graph.inputs), len(self.call.inputs)):
            return name
        before, after = graph.inputs[place], _origin(graph.outputs[result].value)
        if _is_next(after, before):
            return _COUNTER
        given = _origin(self.call.inputs[place])
        found = given.producer.attrs.get("value") if given.producer is not None else given.tensor
        number = _number(found if isinstance(found, Tensor) else None) if after is before else ""
        is_telling = name.strip("_0123456789") not in ("", "placeholder") and len(name) <= _LONGEST_NAME
        told = name if is_telling else _last(str(given).split(":")[0])
        return number or (told if len(told) <= _LONGEST_NAME else told.rpartition("_")[2])


def _is_next(after: Value, before: Value) -> bool:
    """Say whether a value is another one and one more."""
    node = after.producer
    if node is None or node.op.upper() not in ("ADD", "ADDV2") or len(node.inputs) != 2:
        return False
    one, other = map(_origin, node.inputs)
    step = other if one is before else one if other is before else None
    found = step and (step.producer.attrs.get("value") if step.producer is not None else step.tensor)
    return isinstance(found, Tensor) and _number(found) == "1"


_REDUCING = frozenset({"sum", "mean", "max", "min", "all", "any", "prod"})


def _origin(value: Value) -> Value:
    """Return what a value is before it is only handed on."""
    for _ in range(_FOLLOWED):
        node = value.producer
        if node is None or not node.inputs or not (node.op in FIRST_INPUT or node.op in ENTERS) or node.op in MERGES:
            return value
        value = node.inputs[0]
    return value


def _number(tensor: Tensor | None) -> str:
    if tensor is None or tensor.num_elements != 1 or not tensor.dtype.bits:
        return ""
    (number,) = tensor.items()
    return f"{number:.6g}" if isinstance(number, float) else str(number)


def _last(name: str) -> str:
    return name.rpartition("/")[2]
