"""How many weights a model has, where, and how large: counted from dtypes and shapes, never read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from graphsurgeon.analysis.stored_weights.variables import NamedVariable, named_variables
from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.errors import UsageError
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

_KERAS_COPIES = "_all_variables/"
_GENERATORS = ("seed_generator_state", "StateVar")  # what Keras 3 and TensorFlow call the state of random numbers
MOST_LARGEST = 10  # variables
FEW_ELEMENTS = 16  # constants of fewer are sizes, axes and the like, not weights


@dataclass(frozen=True)
class ScopeWeights:
    """The weights whose names begin with one scope; those without any have the scope ""."""

    scope: str
    count: int
    parameters: int
    bytes: int


@dataclass(frozen=True)
class VariablesSummary:
    """The entries of a checkpoint, its object graph not counted.

    Attributes:
        slots: how many are kept by an optimizer, in `slot_bytes` bytes.
        parameters: elements of the others, each variable counted once, as Keras counts them: the state of random
            numbers is none.
        repeated: how many of the others are a variable's second entry under another key.
        scopes: the others by top-level scope, largest first.
        largest: the largest of the others.
    """

    count: int
    bytes: int
    slots: int
    slot_bytes: int
    parameters: int
    repeated: int
    scopes: Sequence[ScopeWeights]
    largest: Sequence[TensorFact]


@dataclass(frozen=True)
class ConstantsSummary:
    """Constants of 16 numbers and more, in all graphs.

    Attributes:
        scopes: by top-level scope of the node's name, largest first.
        small: how many have fewer numbers, which are not counted among the others.
    """

    count: int
    bytes: int
    parameters: int
    scopes: Sequence[ScopeWeights]
    small: int = 0


def summarize_variables(checkpoint: Checkpoint) -> VariablesSummary:
    """Measure the variables of a checkpoint. Reads its object graph for their names."""
    variables = named_variables(checkpoint)
    slots = [named for named in variables if named.kind == "slot"]
    others = list(first_entries(named for named in variables if named.kind == "variable"))
    return VariablesSummary(
        count=len(variables),
        bytes=sum(named.variable.tensor.nbytes for named in variables),
        slots=len(slots),
        slot_bytes=sum(named.variable.tensor.nbytes for named in slots),
        parameters=sum(named.variable.tensor.num_elements for named in others if is_parameter(named)),
        repeated=len(variables) - len(slots) - len(others),
        scopes=_by_scope((named.label, named.variable.tensor) for named in others),
        largest=_largest(others),
    )


def summarize_constants(graphs: Iterable[Graph]) -> ConstantsSummary | None:
    """Measure the constants of some graphs without lifting them; None if there are none."""
    every = [(name, tensor) for graph in graphs for name, tensor in constants(graph, at_least=0) if tensor.dtype.bits]
    if not every:
        return None
    found = [(name, tensor) for name, tensor in every if tensor.num_elements >= FEW_ELEMENTS]
    return ConstantsSummary(
        count=len(found),
        bytes=sum(stored_bytes(tensor) for _, tensor in found),
        parameters=sum(tensor.num_elements for _, tensor in found),
        scopes=_by_scope(found),
        small=len(every) - len(found),
    )


def is_parameter(named: NamedVariable) -> bool:
    """Say whether a variable holds parameters: numbers, but not the state of a generator of random ones."""
    leaf = named.label.rpartition("/")[2].partition(":")[0]
    return bool(named.variable.tensor.dtype.bits) and leaf not in _GENERATORS


def stored_bytes(tensor: Tensor) -> int:
    """Return the bytes of all elements, as stored where the file packs them or leaves zeros out (TFLite)."""
    is_packed = 0 < tensor.dtype.bits < 8 or getattr(tensor.source, "sparsity", None) is not None
    return min(tensor.source.nbytes, tensor.nbytes) if is_packed else tensor.nbytes


def constants(graph: Graph, *, at_least: int = FEW_ELEMENTS) -> Iterator[tuple[str, Tensor]]:
    """Yield name and tensor of each constant of a graph, in file order. Reads no values."""
    if graph.kind == "subgraph":
        stored = [(value.name or f"#{value.port}", value.tensor) for value in graph.values if value.tensor is not None]
        yield from ((name, tensor) for name, tensor in stored if tensor.num_elements >= at_least)
        return
    for node in graph.peek(("Const",)):
        tensor = node.attrs.get("value")
        if isinstance(tensor, Tensor) and tensor.num_elements >= at_least:
            yield node.name, tensor


def first_entries(variables: Iterable[NamedVariable]) -> Iterator[NamedVariable]:
    """Yield each variable once. Keras 3 exports track every one under two objects, and save it under both.

    A name alone does not tell: it need not be unique.
    """
    listed = list(variables)
    second = second_keys((named.key, _mark(named)) for named in listed)
    yield from (named for named in listed if named.key not in second)


def second_keys(entries: Iterable[tuple[str, Hashable]]) -> set[str]:
    """Return the keys under which Keras 3 saves a variable a second time.

    Args:
        entries: key, and what tells one variable from others: name, dtype and shape.
    """
    listed = list(entries)
    elsewhere = {mark for key, mark in listed if not is_keras_copy(key)}
    return {key for key, mark in listed if is_keras_copy(key) and mark in elsewhere}


def is_keras_copy(key: str) -> bool:
    """Say whether a key is of the objects under which Keras 3's export saves variables once more."""
    return key.startswith(_KERAS_COPIES)


class KerasCopies:
    """Which entries of a checkpoint are one variable, saved under two objects by Keras 3's export.

    The loader of TensorFlow 2 reads one of them, that of TensorFlow 1 (and so TensorFlow Serving) the other.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._groups: dict[object, list[str]] = {}
        self._marks: dict[str, object] = {}
        for named in named_variables(checkpoint):
            if named.kind == "variable" and named.name is not None:
                mark = self._marks[named.key] = _mark(named)
                self._groups.setdefault(mark, []).append(named.key)

    def of(self, key: str) -> list[str]:
        """Return the other entries of the variable behind a key, mostly none. Reads values where names repeat.

        Raises:
            UsageError: several are alike in name, shape and values, so that nothing tells which belongs to which.
        """
        group = self._groups.get(self._marks.get(key), [])
        own = [other for other in group if is_keras_copy(other) == is_keras_copy(key)]
        others = [other for other in group if other not in own]
        if len(own) == 1 or not others:
            return others if len(others) == 1 else []
        value = self._value(key)
        others = [other for other in others if self._value(other) == value]
        if len(others) > 1:
            raise UsageError(
                f"{key!r} is stored twice, and {', '.join(others[:4])} are all like it",
                hint="nothing tells which one is its copy: edit the source of the export",
            )
        return others

    def _value(self, key: str) -> str:
        from graphsurgeon.analysis.stored_weights.weights import checksum

        return checksum(self._checkpoint.variables[key].tensor)


def _largest(variables: Sequence[NamedVariable]) -> list[TensorFact]:
    """Describe the largest by what the program calls them; by their keys where that name repeats."""
    called = Counter(named.label for named in variables)
    found = sorted(variables, key=lambda named: -named.variable.tensor.nbytes)[:MOST_LARGEST]
    return [
        TensorFact(
            named.label if called[named.label] == 1 else named.key,
            named.variable.tensor.dtype,
            named.variable.tensor.shape,
        )
        for named in found
    ]


def _mark(named: NamedVariable) -> tuple[str | None, DType, Shape]:
    return named.name, named.variable.tensor.dtype, named.variable.tensor.shape


def _by_scope(tensors: Iterable[tuple[str, Tensor]]) -> list[ScopeWeights]:
    totals: dict[str, list[int]] = {}
    for name, tensor in tensors:
        scope = name.partition("/")[0] if "/" in name else ""
        total = totals.setdefault(scope, [0, 0, 0])
        for index, amount in enumerate((1, tensor.num_elements, stored_bytes(tensor))):
            total[index] += amount
    scopes = [ScopeWeights(scope, *total) for scope, total in totals.items()]
    return sorted(scopes, key=lambda weights: -weights.bytes)
