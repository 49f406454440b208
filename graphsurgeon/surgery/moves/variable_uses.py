"""Which values stand for which variables, and what their consumers do with them.

A variable enters a graph as a handle (`VarHandleOp`, an argument) or as a reference (`VariableV2`), and is handed
on by ops that change nothing, by V1 control flow, and by functions that return what they were given. Where
ways join, a value may stand for one of several variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import HANDS_ON, MERGES, READS, TWO_WAY_SWITCHES, VALUE_FORMS
from graphsurgeon.ops.opdef import ArgDef

Use = Literal["read", "pass", "function", "write"]


class HeldVariable:
    """A variable as a graph sees it: the variable itself, or in a function whatever is passed for an argument.

    Attributes:
        name: its name at run time.
        dtype, shape: those of its value.
        key: where the checkpoint has it, where it is stored under another name.
    """

    __slots__ = ("dtype", "key", "name", "shape")

    def __init__(self, name: str, dtype: DType, shape: Shape, key: str = "") -> None:
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.key = key

    def __str__(self) -> str:
        return repr(self.name) + (f" (key {self.key!r})" if self.key else "")

    def __repr__(self) -> str:
        return f"HeldVariable({self.name!r}, {self.dtype}, {self.shape})"


Holders: TypeAlias = dict[Value, frozenset[HeldVariable]]
# Of a node that runs functions: for each of its outputs, what may come out, given what goes in.
Returned: TypeAlias = Callable[[Node, Holders], "Sequence[frozenset[HeldVariable]]"]


def trace(graph: Graph, seeds: Mapping[Value, HeldVariable], returned: Returned) -> Holders:
    """Follow variables forwards through a graph; return every value that stands for one, and which it may be.

    Args:
        graph: the graph.
        seeds: handles, references and arguments.
        returned: what nodes that run functions hand on.
    """
    holders: Holders = {value: frozenset({held}) for value, held in seeds.items()}
    waiting = list(holders)
    while waiting:
        value = waiting.pop()
        for node in value.consumers:
            for output, held in _handed_on(node, value, holders, returned):
                known = holders.get(output, frozenset())
                if not held <= known:
                    holders[output] = known | held
                    waiting.append(output)
    return holders


def variable_of(value: Value, holders: Holders) -> HeldVariable:
    """Return a variable that a value stands for; of several, all have the same dtype.

    Raises:
        UnsupportedError: they have different dtypes.
    """
    held = sorted(holders[value], key=lambda one: one.name)
    if len({one.dtype for one in held}) > 1:
        names = ", ".join(f"{one.name!r} ({one.dtype})" for one in held)
        raise UnsupportedError(f"{str(value)!r} stands for one of several variables of different types: {names}")
    shapes = {one.shape for one in held}
    return held[0] if len(shapes) == 1 else HeldVariable(held[0].name, held[0].dtype, Shape(None), held[0].key)


def use_of(node: Node, index: int) -> Use:
    """Say what a node does with a variable that it is given at one input. Unknown uses count as writes."""
    if node.op in HANDS_ON:
        return "pass" if index == 0 or node.op in MERGES | {"IdentityN"} else "read"
    if node.op in READS:
        return "read"
    if node.functions:
        return "function"
    arg = input_arg(node, index)
    if arg is None:
        return "write"
    return "write" if arg.is_ref or arg.type == _RESOURCE else "read"


_RESOURCE = 20  # `DT_RESOURCE` of tensorflow/core/framework/types.proto


def input_arg(node: Node, index: int) -> ArgDef | None:
    """Return the argument of a node's op that an input belongs to; None if the op is unknown."""
    opdef = catalog.of(node)
    lengths = opdef.input_lengths(node.attrs) if opdef is not None else None
    if opdef is None or lengths is None:
        return None
    for arg, length in zip(opdef.inputs, lengths, strict=True):
        if index < length:
            return arg
        index -= length
    return None


def uses(holders: Holders) -> list[tuple[Node, Use, frozenset[HeldVariable]]]:
    """Return what every consumer of a variable does with it: one entry per node, the gravest of its uses."""
    order: tuple[Use, ...] = ("pass", "read", "function", "write")
    found: dict[Node, tuple[Use, frozenset[HeldVariable]]] = {}
    for value, held in holders.items():
        for node in value.consumers:
            for index, given in enumerate(node.inputs):
                if given is value:
                    before, others = found.get(node, (order[0], frozenset[HeldVariable]()))
                    found[node] = (max(before, use_of(node, index), key=order.index), others | held)
    return [(node, use, held) for node, (use, held) in found.items()]


def _handed_on(
    node: Node, value: Value, holders: Holders, returned: Returned
) -> Iterable[tuple[Value, frozenset[HeldVariable]]]:
    held = holders[value]
    op = node.op
    if op in HANDS_ON:
        if op == "IdentityN":
            return [(node.output(port), held) for port, given in enumerate(node.inputs) if given is value]
        if _is_reference(value) and op not in VALUE_FORMS:
            return []  # an op on values reads the variable at this point
        if op in TWO_WAY_SWITCHES:
            return [(node.output(port), held) for port in (0, 1)] if node.inputs[0] is value else []
        if op == "_SwitchN":
            return [(output, held) for output in node.outputs] if node.inputs[0] is value else []
        return [(node.output(0), held)]
    if node.functions and not _is_reference(value):
        return [(node.output(port), out) for port, out in enumerate(returned(node, holders)) if out]
    return []


def _is_reference(value: Value) -> bool:
    producer = value.producer
    if producer is None:
        return False
    dtypes = producer.output_dtypes()
    is_known = dtypes is not None and isinstance(value.port, int) and value.port < len(dtypes)
    return bool(is_known and dtypes and dtypes[int(value.port)].is_ref)
