"""The tensors that the name of a weight means: entries of a checkpoint, constants of graphs, tensors of a TFLite model.

A name is literal. An entry goes by its key, the paths of its object and the program's name. One weight may be stored
under several names (Keras 3 exports every one twice): then all of them are meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from graphsurgeon.analysis.names import choose_graphs, choose_metagraph, find_node, near_or_all
from graphsurgeon.analysis.stored_weights.variables import names_of_variables
from graphsurgeon.analysis.stored_weights.weight_totals import KerasCopies, is_keras_copy
from graphsurgeon.analysis.tensors import quantization
from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import CONSTANTS, VARIABLES
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.setting.given import Slot

_MOST_SHOWN = 8


@dataclass(frozen=True)
class StoredWeight:
    """One stored tensor.

    Attributes:
        name: as it is told.
        kind: what it is.
        slot: what it can hold.
        identity: the object that holds it.
        put: changes it.
        also: others that hold the same weight, and change with it.
        notes: what the user should know.
    """

    name: str
    kind: Literal["variable", "constant"]
    slot: Slot
    identity: object
    put: Callable[[Tensor], None]
    also: tuple[StoredWeight, ...] = ()
    notes: tuple[str, ...] = ()


class WeightNames:
    """Finds what names mean, in one model."""

    def __init__(self, model: Model, tags: Sequence[str] | None, graph: str | None) -> None:
        self.model = model
        self.graph = graph
        self.metagraph = choose_metagraph(model, tags) if model.metagraphs else None
        self.is_tflite = self.metagraph is not None and is_tflite(model, self.metagraph, "set-weights")
        self._keys: dict[str, list[str]] | None = None
        self._copies: KerasCopies | None = None

    def find(self, name: str) -> StoredWeight:
        """Return what a name means.

        Raises:
            UsageError: nothing has that name, or several different weights have it.
            UnsupportedError: its value is not in the model.
        """
        checkpoint = self.model.checkpoint
        if checkpoint is not None and self.graph is None:
            found = self._entry(checkpoint, name)
            if found is not None:
                return found
        if self.metagraph is None:
            raise UsageError(f"there is no variable {name!r}", hint=near_or_all(name, self._called(checkpoint)))
        return self._stored(name) if self.is_tflite else self._constant(name)

    # -- checkpoints -------------------------------------------------------------------------------------

    def _entry(self, checkpoint: Checkpoint, name: str) -> StoredWeight | None:
        called = self._called(checkpoint)
        keys = [name] if name in checkpoint.variables else called.get(name) or called.get(name.removesuffix(":0"), [])
        keys = self._first_of_copies(checkpoint, keys)
        if not keys:
            return None
        if len(keys) > 1:
            shown = ", ".join(keys[:_MOST_SHOWN])
            raise UsageError(f"{len(keys)} variables are called {name!r}", hint=f"name one by its key: {shown}")
        if checkpoint.version == 1:
            raise UnsupportedError("a V1 checkpoint can be read but not written", hint="gs convert it first")
        copies = self._copies_of(checkpoint).of(keys[0])
        also = tuple(_variable(checkpoint.variables[key]) for key in copies)
        notes = (f"{name} is stored twice, for the loaders of TensorFlow 2 and 1: both are set",) if copies else ()
        target = _variable(checkpoint.variables[keys[0]])
        return StoredWeight(target.name, target.kind, target.slot, target.identity, target.put, also, notes)

    def _called(self, checkpoint: Checkpoint | None) -> dict[str, list[str]]:
        """Return every name that variables go by -> keys."""
        if self._keys is None:
            self._keys = {}
            for key, names in names_of_variables(checkpoint, self.model).items() if checkpoint is not None else ():
                for name in names:
                    self._keys.setdefault(name, []).append(key)
        return self._keys

    def _copies_of(self, checkpoint: Checkpoint) -> KerasCopies:
        if self._copies is None:
            self._copies = KerasCopies(checkpoint)
        return self._copies

    def _first_of_copies(self, checkpoint: Checkpoint, keys: Sequence[str]) -> list[str]:
        """Leave out what is only the copy of another of some keys."""
        if len(keys) < 2:
            return list(keys)
        copied = {copy for key in keys for copy in self._copies_of(checkpoint).of(key)}
        return [key for key in keys if key not in copied or not is_keras_copy(key)]

    # -- graphs ------------------------------------------------------------------------------------------

    def _constant(self, name: str) -> StoredWeight:
        assert self.metagraph is not None
        node = find_node(self.metagraph, name, graph=self.graph)
        if node.op in VARIABLES:
            raise UnsupportedError(
                f"{node.name!r} is a variable whose value is not in this model",
                hint="gs set-weights changes it in its checkpoint",
            )
        tensor = node.attrs.get("value")
        if node.op not in CONSTANTS or not isinstance(tensor, Tensor):
            raise UsageError(f"{node.name!r} ({node.op}) is no constant", hint="gs weights lists what can be set")
        slot = Slot(_in(node.name, node.graph), tensor.dtype, tensor.shape)

        def put(new: Tensor) -> None:
            node.attrs["value"] = new

        return StoredWeight(slot.label, "constant", slot, node, put, notes=tuple(self._elsewhere(node)))

    def _elsewhere(self, node: Node) -> Iterator[str]:
        """Tell of functions that hold a constant of the same name: they keep theirs."""
        assert self.metagraph is not None
        rest = [graph for graph in self.metagraph.graphs if graph is not node.graph]
        others = [graph.name for graph in rest if graph.node(node.name) is not None]
        if others and node.graph is self.metagraph.graph:
            names = ", ".join(others[:_MOST_SHOWN])
            yield f"{node.name!r} of {plural(len(others), 'function')} is left as it is (--graph): {names}"

    # -- TFLite ------------------------------------------------------------------------------------------

    def _stored(self, name: str) -> StoredWeight:
        assert self.metagraph is not None
        places = choose_graphs(self.metagraph, self.graph)
        found = [value for place in places for value in place.values if value.name == name]
        index = name[1:] if name[:1] == "#" else ""
        if not found and index.isdecimal() and int(index) < len(places[0].values):
            found = [places[0].values[int(index)]]
        values = [value for value in found if value.tensor is not None]
        if not values:
            raise self._no_constant(name, found, places)
        first, *others = values
        if any(not _is_one_weight(first, other) for other in others):
            choices = ", ".join(
                f"#{one.port} in {one.graph.name or 'the first subgraph'}" for one in values[:_MOST_SHOWN]
            )
            raise UsageError(f"{len(values)} constants are named {name!r}", hint=f"--graph and the index: {choices}")
        notes = [*self._notes(first, others)]
        return _tensor(first, tuple(_tensor(other) for other in others), tuple(notes))

    def _no_constant(self, name: str, found: Sequence[Value], places: Sequence[Graph]) -> UsageError:
        if found:
            return UsageError(f"{name!r} has no value that is stored", hint="gs weights --all lists those that have")
        known = [value.name or "" for place in places for value in place.values if value.tensor is not None]
        return UsageError(f"the model has no tensor {name!r}", hint=near_or_all(name, known))

    def _notes(self, value: Value, others: Sequence[Value]) -> Iterator[str]:
        assert self.metagraph is not None
        assert value.tensor is not None
        if others:
            yield f"{_label(value)}: {plural(len(others) + 1, 'subgraph')} share it; it is set in all of them"
        storage = value.tensor.storage
        every = [other for graph in self.metagraph.graphs for other in graph.values if other.tensor is not None]
        kept = [one for one in every if one not in (value, *others) and one.tensor and one.tensor.storage == storage]
        if kept:
            names = ", ".join(_label(one) for one in kept[:_MOST_SHOWN])
            yield f"{_label(value)} shared its bytes with {names}, which keeps them"


def _variable(variable: Variable) -> StoredWeight:
    slot = Slot(variable.key, variable.tensor.dtype, variable.tensor.shape)

    def put(new: Tensor) -> None:
        variable.tensor = new

    return StoredWeight(variable.key, "variable", slot, variable, put)


def _tensor(value: Value, also: tuple[StoredWeight, ...] = (), notes: tuple[str, ...] = ()) -> StoredWeight:
    assert value.tensor is not None
    slot = Slot(_label(value), value.tensor.dtype, value.tensor.shape, quantization(value))

    def put(new: Tensor) -> None:
        value.tensor = new

    return StoredWeight(slot.label, "constant", slot, value, put, also, notes)


def _is_one_weight(one: Value, other: Value) -> bool:
    """Say whether two tensors of one name, of two subgraphs, are one weight: the same bytes, meaning the same."""
    assert one.tensor is not None
    assert other.tensor is not None
    is_same = one.tensor.storage == other.tensor.storage and one.tensor.shape == other.tensor.shape
    described = repr(quantization(one)) == repr(quantization(other))
    return is_same and described and one.tensor.dtype is other.tensor.dtype and one.graph is not other.graph


def _label(value: Value) -> str:
    return value.name or f"#{value.port}"


def _in(name: str, graph: Graph) -> str:
    return name if graph is graph.metagraph.graph else f"{name} of {graph.name}"
