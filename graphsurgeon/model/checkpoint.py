"""The variables of a checkpoint: keys with lazy tensors."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from graphsurgeon.errors import UsageError

if TYPE_CHECKING:
    from graphsurgeon.model.objects import ObjectGraph, ObjectNode
    from graphsurgeon.model.tensor import Tensor

STATE_FILE = "checkpoint"  # of a folder: names its latest checkpoint
OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"

_PARTS = ("-keys", "-values", "_STATE")  # of a table and of an iterator: what savers put behind their key


class Variable:
    """One entry of a checkpoint.

    Attributes:
        key: name in the file; change it through `Checkpoint.rename`.
        tensor: the whole value; a partitioned one is assembled from its slices when read.
        slices: number of stored slices; 0 for an ordinary entry.
        raw: the format's own form, None for a new entry.
        name: what the program calls it, where the file itself says so beside the key.
        is_slot: the file itself says that an optimizer keeps it.
    """

    __slots__ = ("is_slot", "key", "name", "raw", "slices", "tensor")

    def __init__(self, key: str, tensor: Tensor, *, slices: int = 0, raw: Any = None, name: str | None = None) -> None:
        self.key = key
        self.tensor = tensor
        self.slices = slices
        self.raw = raw
        self.name = name
        self.is_slot = False

    def __repr__(self) -> str:
        return f"Variable({self.key!r}, {self.tensor.dtype}, {self.tensor.shape})"


@dataclass(frozen=True)
class StateFile:
    """What the file `checkpoint` of a folder says: which checkpoints are there.

    Attributes:
        latest: the latest checkpoint, as written.
        paths: all that are kept.
        wrong: path as written -> name in the folder that it should be, empty where there is no such checkpoint.
        problem: why TensorFlow takes nothing from the file; empty if it does.
        raw: the format's own form.
    """

    latest: str
    paths: tuple[str, ...]
    wrong: Mapping[str, str]
    problem: str = ""
    raw: Any = field(default=None, compare=False, repr=False)

    def mended(self, name: str) -> StateFile:
        """Return it with names of checkpoints that are there.

        Args:
            name: of the checkpoint in the folder that becomes the latest where that is not there.
        """
        latest = self.wrong.get(self.latest, self.latest) or name
        paths = [right for path in self.paths if (right := self.wrong.get(path, path))]
        return replace(self, latest=latest, paths=tuple(paths or [latest]), problem="")


class CheckpointSource(Protocol):
    """What a format offers about a checkpoint."""

    def objects(self, checkpoint: Checkpoint) -> ObjectGraph | None:
        """Return the object graph, None if the checkpoint has none. Asked once, when somebody looks."""

    def damaged(self, checkpoint: Checkpoint, progress: Callable[[int, int], None] | None = None) -> dict[str, str]:
        """Return key -> what is wrong with each variable whose values cannot be trusted. Reads all values."""

    def respelled_objects(self, data: bytes, respell: Callable[[str], str], in_saver: Callable[[str], str]) -> bytes:
        """Return a serialized object graph with other checkpoint keys, and other names for registered savers."""

    def serialized_objects(self, checkpoint: Checkpoint) -> bytes:
        """Return the object graph as it would be written."""

    def graph_beside(self, checkpoint: Checkpoint) -> str:
        """Return the path of the file with the graph that it belongs to, empty if none lies beside it."""


class Checkpoint:
    """Variables by key, in file order. Enter a new one under its key; `rename` and `remove` change the others.

    Attributes:
        prefix: path without `.index`; of a V1 checkpoint the file.
        version: 2 for a tensor bundle, 1 for the single-table format (read only).
        variables: key -> Variable, the object graph's own entry not included.
        raw: the format's CheckpointSource; None for a new checkpoint.
        state: what the file `checkpoint` in its folder says; None where there is none or nobody has looked.
        of_folder: it was read by naming the folder that it lies in.
    """

    __slots__ = ("_objects", "of_folder", "prefix", "raw", "state", "variables", "version")

    def __init__(
        self, prefix: str, version: int, variables: Mapping[str, Variable], raw: CheckpointSource | None = None
    ) -> None:
        self.prefix = prefix
        self.version = version
        self.variables = dict(variables)
        self.raw: Any = raw
        self._objects: list[ObjectGraph | None] | None = None
        self.state: StateFile | None = None
        self.of_folder = False

    @property
    def objects(self) -> ObjectGraph | None:
        """The object graph of a TF2 checkpoint; None where there is none. Reads its entry."""
        if self._objects is None:
            self._objects = [self.raw.objects(self) if self.raw is not None else None]
        return self._objects[0]

    @objects.setter
    def objects(self, objects: ObjectGraph | None) -> None:
        self._objects = [objects]

    @property
    def graph_beside(self) -> str:
        """The file with the graph that the checkpoint belongs to, empty if none lies beside it. Looks each time."""
        return self.raw.graph_beside(self) if self.raw is not None else ""

    @property
    def has_made_objects(self) -> bool:
        """Say whether somebody has asked for the object graph, or set it; else it is as the format has it."""
        return self._objects is not None

    def rename(self, keys: Mapping[str, str]) -> None:
        """Rename keys, all at once, also where the checkpoint's object graph names them.

        Raises:
            UsageError: a key is unknown, or two variables would have one key.
        """
        self._require(keys)
        after = [keys.get(key, key) for key in self.variables]
        if len(set(after)) < len(after):
            twice = next(key for key, count in Counter(after).items() if count > 1)
            raise UsageError(f"two variables would have the key {twice!r}")
        for variable, key in zip(self.variables.values(), after, strict=True):
            variable.key = key
        self.variables = {variable.key: variable for variable in self.variables.values()}
        respell = self._respelling(keys)
        in_saver = _in_saver(respell)
        for node in self.objects.nodes if self.objects else []:
            node.attributes = [(name, full, respell(key)) for name, full, key in node.attributes]
            node.saver_name = in_saver(node.saver_name) if node.saver_name else ""

    def exchange(self, pairs: Mapping[str, str]) -> None:
        """Let the values of two keys each change places; whoever names a key gets the other's value.

        Raises:
            UsageError: a key is unknown.
        """
        self._require([*pairs, *pairs.values()])
        other = {**pairs, **{second: first for first, second in pairs.items()}}
        entries = {key: self.variables[other.get(key, key)] for key in self.variables}
        for key, variable in entries.items():
            variable.key = key
        self.variables = entries

    def seen_as(self, keys: Mapping[str, str]) -> Checkpoint:
        """Return a checkpoint in which some keys have the values of others, to be read; this one stays as it is."""
        self._require([*keys, *keys.values()])
        variables = {key: self.variables[keys.get(key, key)] for key in self.variables}
        return Checkpoint(self.prefix, self.version, variables, self.raw)

    def respelled_objects(self, data: bytes, keys: Mapping[str, str]) -> bytes:
        """Return a serialized object graph, such as a graph keeps to save it along, as `rename` leaves its keys."""
        if self.raw is None:
            return data
        respell = self._respelling(keys)
        return self.raw.respelled_objects(data, respell, _in_saver(respell))  # type: ignore[no-any-return]

    def serialized_objects(self) -> bytes:
        """Return the object graph as it would be written, such as a graph keeps to save it along."""
        return self.raw.serialized_objects(self) if self.raw is not None else b""

    def remove(self, keys: Iterable[str]) -> None:
        """Remove variables, also where the checkpoint's object graph names them.

        Raises:
            UsageError: a key is unknown.
        """
        gone = set(keys)
        self._require(gone)
        self.variables = {key: variable for key, variable in self.variables.items() if key not in gone}
        left, removed = sorted(self.variables), sorted(gone)
        for node in self.objects.nodes if self.objects else []:
            node.attributes = [
                attribute
                for attribute in node.attributes
                if _beginning_with(attribute[2], left) or not _beginning_with(attribute[2], removed)
            ]
            scope = node.saver_name and node.saver_name + "/"
            if scope and _beginning_with(scope, removed) and not _beginning_with(scope, left):
                node.saver_name = ""  # a registered saver would look for its values

    def keys_of(self, node: ObjectNode) -> list[str]:
        """Return the keys of what is saved of an object; a table has two that begin as the object graph says."""
        found: list[str] = []
        for _, _, key in node.attributes:
            parts = [key + part for part in _PARTS if key + part in self.variables]
            found += [key] if key in self.variables else parts
        return found

    def _respelling(self, keys: Mapping[str, str]) -> Callable[[str], str]:
        """Return what makes new keys of those in an object graph, once the variables have their new keys.

        The object graph knows a table by the beginning that the keys of its parts share.
        """
        renamed = sorted(keys)

        def respell(key: str) -> str:
            if key in keys or key in self.variables:
                return keys.get(key, key)
            parts = [(part[len(key) :], keys[part]) for part in _beginning_with(key, renamed)]
            found = {new.removesuffix(rest) for rest, new in parts if new.endswith(rest)}
            return found.pop() if len(found) == 1 else key

        return respell

    def _require(self, keys: Iterable[str]) -> None:
        unknown = [key for key in keys if key not in self.variables]
        if unknown:
            raise UsageError(f"the checkpoint has no variable {unknown[0]!r}")


def _in_saver(respell: Callable[[str], str]) -> Callable[[str], str]:
    """Return what makes new names for registered savers, whose keys are below the names that they are given."""
    return lambda name: respell(f"{name}/").removesuffix("/")


def _beginning_with(beginning: str, keys: Sequence[str]) -> Sequence[str]:
    """Return those of sorted keys that begin so."""
    first = bisect_left(keys, beginning)
    last = first
    while last < len(keys) and keys[last].startswith(beginning):
        last += 1
    return keys[first:last]
