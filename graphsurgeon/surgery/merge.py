"""Put the variables of two checkpoints into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX
from graphsurgeon.errors import FormatError, UnsupportedError, UsageError
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectGraph, ObjectNode, path_names, path_text
from graphsurgeon.surgery.checkpoints.partners import checkpoint_of, some
from graphsurgeon.surgery.moves import arguments

SAVE_COUNTER = "save_counter"  # `tf.train.Checkpoint.save` counts in it; one of two is enough
Keep = Literal["first", "second"]


@dataclass(frozen=True)
class MergeReport:
    """What was put together.

    Attributes:
        added: how many entries of the second checkpoint are in the result.
        kept: names that both had -> of which one the values are.
        renamed: (key in the second, key in the result), where they differ.
        notes: what else the user should know, one line each.
    """

    added: int
    kept: dict[str, str] = field(default_factory=dict)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@arguments.takes()
def merge(model: Model, *, checkpoint: Checkpoint | Model, keep: Keep | None = None, prefix: str = "") -> MergeReport:
    """Add the variables of another checkpoint.

    Of objects the children of both roots become those of one; where both have a child of one name, its children, and so
    on. What has values on both sides is one variable afterwards, and collides.

    Args:
        model: a checkpoint; changed in place.
        checkpoint: the second. In a recipe, and in `edit`, it is named by its path.
        keep: whose values a variable gets that both have; None refuses that.
        prefix: put before the names of the second, such as `teacher/`.

    Raises:
        UsageError: both have a variable of one name, and `keep` does not say which counts.
        FormatError: the object graph of one cannot be read.
        UnsupportedError: the model is no checkpoint, or one of the two holds objects and the other names.
    """
    first = checkpoint_of(model, "merge")
    arguments.require_read("checkpoint", checkpoint, Checkpoint, Model)
    second = checkpoint if isinstance(checkpoint, Checkpoint) else checkpoint_of(checkpoint, "merge")
    if keep not in (None, "first", "second"):
        raise UsageError(f"--keep {keep!r} is neither first nor second")
    if (first.objects is None) != (second.objects is None):
        one, other = (first, second) if second.objects is None else (second, first)
        if any(OBJECT_SUFFIX in key for key in other.variables):
            hint = "gs extract --skip-damaged makes one of the paths in the keys"
            if other.raw is None:  # arrays, whose names are keys
                hint = "gs convert MODEL weights.ckpt makes one of the paths in the names"
            raise FormatError("its object graph cannot be read, or is not there", path=other.prefix, hint=hint)
        raise UnsupportedError(
            f"{one.prefix} holds objects, {other.prefix} names: no program would restore both from one file",
            hint="gs rename makes objects of names that become keys of them (--map: name ->"
            " PATH/.ATTRIBUTES/VARIABLE_VALUE); or keep two files, and restore them one after the other",
        )
    if first.objects is not None and second.objects is not None:
        return _Joining(first, first.objects, second, second.objects, prefix).run(keep)
    return _merge_names(first, second, keep, prefix)


def _merge_names(first: Checkpoint, second: Checkpoint, keep: Keep | None, prefix: str) -> MergeReport:
    named = {key: f"{prefix}{key}" for key in second.variables}
    both = [new for new in named.values() if new in first.variables]
    _require_rule(both, keep)
    added = 0
    for key, new in named.items():
        if new not in first.variables or keep == "second":
            first.variables[new] = _copy(second.variables[key], new)
            added += 1
    renamed = [(key, new) for key, new in named.items() if key != new]
    return MergeReport(added, {name: str(keep) for name in both}, renamed)


def _copy(variable: Variable, key: str) -> Variable:
    raw = variable.raw if key == variable.key else None
    return Variable(key, variable.tensor, slices=variable.slices if raw is not None else 0, raw=raw, name=variable.name)


def _require_rule(both: list[str], keep: Keep | None) -> None:
    if both and keep is None:
        raise UsageError(
            f"both have {some(both)}",
            hint="--keep first or --keep second says whose values count, --prefix NAME/ keeps both",
        )


class _Joining:
    """Two graphs of objects that become one: which node of the second is which of the first, and what is added."""

    def __init__(
        self, first: Checkpoint, objects: ObjectGraph, second: Checkpoint, theirs: ObjectGraph, prefix: str
    ) -> None:
        self.first, self.objects, self.second, self.theirs = first, objects, second, theirs
        self.prefix = path_names(prefix.rstrip("/")) if prefix.strip("/") else []
        self.twins = self._twins()
        self.counter = theirs.root.child(SAVE_COUNTER)

    def _twins(self) -> dict[ObjectNode, ObjectNode]:
        """Return the object of the first that each of the second becomes, where the first has one under its name."""
        start: ObjectNode | None = self.objects.root
        for name in self.prefix:
            start = start.child(name) if start is not None else None
        if start is None:
            return {}
        return ObjectGraph([self.theirs.root], []).paired(ObjectGraph([start], []))

    def run(self, keep: Keep | None) -> MergeReport:
        both = {
            node: twin
            for node, twin in self.twins.items()
            if node.attributes and twin.attributes and node is not self.counter
        }
        paths = {node: path_text(path.split("\0")) for node, path in self.theirs.paths("\0").items()}
        names = {node: "/".join([*self.prefix, paths[node]]) for node in both}
        _require_rule(list(names.values()), keep)
        self._require_alike(both, names)
        keys = self._new_keys(both, paths)
        for node, twin in both.items():
            if keep == "second":
                for key, own in zip(self.second.keys_of(node), self.first.keys_of(twin), strict=True):
                    self.first.variables[own] = _copy(self.second.variables[key], own)
        self._add_objects(keys)
        for key, new in keys.items():
            self.first.variables[new] = _copy(self.second.variables[key], new)
        renamed = [(key, new) for key, new in keys.items() if key != new]
        notes = ["keys of the second that the first has too got others: restoring does not look at them"]
        return MergeReport(
            len(keys) + (len(both) if keep == "second" else 0),
            {name: str(keep) for name in names.values()},
            renamed,
            notes if renamed else [],
        )

    def _require_alike(self, both: Mapping[ObjectNode, ObjectNode], names: Mapping[ObjectNode, str]) -> None:
        for node, twin in both.items():
            if len(self.second.keys_of(node)) != len(self.first.keys_of(twin)):
                raise UsageError(f"{names[node]} is a variable in one, and another kind of object in the other")

    def _new_keys(self, both: Mapping[ObjectNode, ObjectNode], paths: Mapping[ObjectNode, str]) -> dict[str, str]:
        """Return key in the second -> in the result, of what is added; one that the first has gets another."""
        gone = [*both, *([self.counter] if self.counter is not None else [])]
        left_out = {key for node in gone for key in self.second.keys_of(node)}
        keys: dict[str, str] = {}
        taken = set(self.first.variables)
        for node in self.theirs.nodes:
            owned = [key for key in self.second.keys_of(node) if key not in left_out and key not in keys]
            if not owned:
                continue
            path = "/".join([*self.prefix, paths.get(node, owned[0].partition(OBJECT_SUFFIX)[0])])
            while any(self._under(path, key, owned[0]) in taken for key in owned if key in taken):
                path += "_"
            is_taken = any(key in taken for key in owned)
            for key in owned:
                keys[key] = self._under(path, key, owned[0]) if is_taken else key
            taken.update(keys[key] for key in owned)
        # What a saver of its own has written is found by its keys.
        own = [key for key in self.second.variables if key not in keys and key not in left_out]
        clash = [key for key in own if key in taken]
        if clash:
            raise UnsupportedError(f"both have the key {clash[0]!r}, which a saver of its own looks for")
        return {**keys, **{key: key for key in own}}

    @staticmethod
    def _under(path: str, key: str, first: str) -> str:
        """Return a key of an object that lies at a path: what follows the path in the key stays."""
        mark, ending = key.partition(OBJECT_SUFFIX)[1:]
        return f"{path}{mark}{ending}"

    def _add_objects(self, keys: Mapping[str, str]) -> None:
        """Append the objects that the first has not, and lead every edge to what an object has become."""
        became = dict(self.twins)
        became.setdefault(self.theirs.root, self._start())
        gone = {self.counter} if self.counter is not None else set()
        added = [node for node in self.theirs.nodes if node not in became and node not in gone]
        beginnings = {
            key.partition(OBJECT_SUFFIX)[0]: new.partition(OBJECT_SUFFIX)[0] for key, new in keys.items() if key != new
        }
        for node in added:
            node.attributes = [(name, full, _respelled(key, beginnings)) for name, full, key in node.attributes]
        for node in self.theirs.nodes:
            if node in gone:
                continue
            edges = [(name, became.get(child, child)) for name, child in node.children if child not in gone]
            slots = [(became.get(of, of), name, became.get(slot, slot)) for of, name, slot in node.slots]
            if node in became:
                twin = became[node]
                there = {name for name, _ in twin.children}
                twin.children = [*twin.children, *(edge for edge in edges if edge[0] not in there)]
                had = {(of, name) for of, name, _ in twin.slots}
                twin.slots = [*twin.slots, *(slot for slot in slots if slot[:2] not in had)]
            else:
                node.children, node.slots = edges, slots
        self.objects.nodes += added

    def _start(self) -> ObjectNode:
        """Return the object that the second's root becomes; made where a prefix leads to none."""
        node = self.objects.root
        for name in self.prefix:
            found = node.child(name)
            if found is None:
                found = ObjectNode("")
                self.objects.nodes.append(found)
                node.children = [*node.children, (name, found)]
            node = found
        return node


def _respelled(key: str, beginnings: Mapping[str, str]) -> str:
    path, mark, ending = key.partition(OBJECT_SUFFIX)
    return beginnings.get(path, path) + mark + ending
