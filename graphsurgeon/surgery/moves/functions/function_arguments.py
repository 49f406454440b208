"""Nodes that run functions: which of their inputs become which arguments, and which arguments come out again.

Most is in the op's definition: inputs that are lists become the first, or the last, arguments of the functions
in the op's attributes (`other_arguments`, `captured_inputs`), where an op has several functions by name
(`key_func_other_arguments`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import RESOURCE
from graphsurgeon.model.graph import FunctionRef, Graph, Node
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import IRREGULAR_RUNNERS, LOOPS, YIELD_RESULTS
from graphsurgeon.surgery.moves.variable_uses import HeldVariable, Holders, trace

_LOOPS = LOOPS | {"XlaWhile"}


@dataclass(frozen=True, slots=True)
class Run:
    """One function that a node runs.

    Attributes:
        key: the attribute that names it; empty for a native call.
        position: its place in the attribute, if that is a list.
        ref: the function, with what the attribute binds.
        arguments: input of the node -> argument of the function.
    """

    key: str
    position: int | None
    ref: FunctionRef
    arguments: dict[int, int] = field(default_factory=dict)

    @property
    def function(self) -> Graph:
        """The function; the library has it, or there would be no run."""
        assert self.ref.graph is not None
        return self.ref.graph


def runs_of(node: Node) -> list[Run]:
    """Return the functions that a node runs, those that the library lacks left out.

    Raises:
        UnsupportedError: it cannot be told how the node passes its inputs on.
    """
    if node.callee is not None:
        return [Run("", None, FunctionRef(node.callee), {i: i for i in range(len(node.inputs))})]
    found = [(key, position, ref) for key, position, ref in _named(node) if ref.graph is not None]
    if not found:
        return []
    lists = _input_lists(node)
    if lists is None or node.op in IRREGULAR_RUNNERS:
        raise UnsupportedError(f"{node.name!r} ({node.op}) runs functions in a way that is not known")
    several = len({key for key, _, _ in found}) > 1 and len(lists) > 1
    runs = []
    for key, position, ref in found:
        given = [span for name, span in lists if not several or name.startswith(f"{key}_")]
        runs.append(Run(key, position, ref, _arguments(node, ref, given)))
    return runs


def _named(node: Node) -> Iterator[tuple[str, int | None, FunctionRef]]:
    for key in node.attrs:
        value = node.attrs[key]
        if isinstance(value, FunctionRef):
            yield key, None, value
        elif isinstance(value, list):
            yield from ((key, i, item) for i, item in enumerate(value) if isinstance(item, FunctionRef))


def _input_lists(node: Node) -> list[tuple[str, range]] | None:
    """Return name and places of every input argument that is a list of any types."""
    opdef = catalog.of(node)
    lengths = opdef.input_lengths(node.attrs) if opdef is not None else None
    if opdef is None or lengths is None or sum(lengths) != len(node.inputs):
        return None
    lists, start = [], 0
    for arg, length in zip(opdef.inputs, lengths, strict=True):
        if arg.type_list_attr:
            lists.append((arg.name, range(start, start + length)))
        start += length
    return lists


def _arguments(node: Node, ref: FunctionRef, lists: Sequence[range]) -> dict[int, int]:
    count = len(ref.graph.inputs) if ref.graph is not None else 0
    if sum(map(len, lists)) > count:
        raise UnsupportedError(f"{node.name!r} passes more than the {count} arguments that function {ref.name!r} takes")
    arguments: dict[int, int] = {}
    for span in lists[:-1]:
        arguments.update((place, len(arguments) + offset) for offset, place in enumerate(span))
    for span in lists[-1:]:
        arguments.update((place, count - len(span) + offset) for offset, place in enumerate(span))
    return arguments


class ArgumentFlow:
    """Tells which arguments functions return as they are; remembers the answers."""

    def __init__(self) -> None:
        self._returns: dict[Graph, list[frozenset[int]]] = {}

    def returns(self, function: Graph) -> list[frozenset[int]]:
        """Return, for each result, which arguments that are handles it may be."""
        if function not in self._returns:
            self._returns[function] = [frozenset()] * len(function.outputs)  # what recursion adds is unknown
            marks = {
                value: HeldVariable(str(index), RESOURCE, Shape(None))
                for index, value in enumerate(function.inputs)
                if value.dtype is RESOURCE or value.dtype is None
            }
            holders = trace(function, marks, self.returned)
            held = [holders.get(output.value, frozenset()) for output in function.outputs]
            self._returns[function] = [frozenset(int(one.name) for one in among) for among in held]
        return self._returns[function]

    def returned(self, node: Node, holders: Holders) -> Sequence[frozenset[HeldVariable]]:
        """Return, for each output of a node that runs functions, which variables it may stand for."""
        if node.op not in YIELD_RESULTS and node.callee is None:
            return []
        runs = [run for run in runs_of(node) if run.key != "cond"]
        count = max((len(run.function.outputs) for run in runs), default=0)
        out: list[frozenset[HeldVariable]] = [frozenset()] * count
        given = {i: holders[value] for i, value in enumerate(node.inputs) if value in holders}
        for _ in range(1 + (len(given) if node.op in _LOOPS else 0)):
            for run in runs:
                self._add_results(run, given, out)
            if node.op in _LOOPS:  # what one turn returns, the next is given
                given = {i: held | out[i] for i, held in given.items() if i < count}
        return out

    def _add_results(
        self, run: Run, given: dict[int, frozenset[HeldVariable]], out: list[frozenset[HeldVariable]]
    ) -> None:
        passed = {argument: given[place] for place, argument in run.arguments.items() if place in given}
        for port, arguments in enumerate(self.returns(run.function)):
            for argument in arguments & passed.keys():
                out[port] |= passed[argument]
