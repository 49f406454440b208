"""Put the variables of two checkpoints into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX
from graphsurgeon.errors import FormatError, GraphSurgeonError, UnsupportedError, UsageError
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectGraph, ObjectNode, path_names, path_text
from graphsurgeon.surgery.checkpoints.object_tree import keys_of_objects, make_objects
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
    on. What has values on both sides is one variable afterwards, and collides. Where one has objects and the other
    names, the names become paths of objects.

    Args:
        model: a checkpoint; changed in place.
        checkpoint: the second. In a recipe, and in `edit`, it is named by its path.
        keep: whose values a variable gets that both have; None refuses that.
        prefix: put before the names of the second, such as `teacher/`.

    Raises:
        UsageError: both have a variable of one name, and `keep` does not say which counts.
        FormatError: the object graph of one cannot be read.
        UnsupportedError: the model is no checkpoint, or both have a key that a saver of its own looks for.
    """
    first = checkpoint_of(model, "merge")
    arguments.require_read("checkpoint", checkpoint, Checkpoint, Model)
    second = checkpoint if isinstance(checkpoint, Checkpoint) else checkpoint_of(checkpoint, "merge")
    if keep not in (None, "first", "second"):
        raise UsageError(f"--keep {keep!r} is neither first nor second")
    if first.objects is None and second.objects is None:
        return _merge_names(first, second, keep, prefix)
    if first.objects is None:
        return _merge_into_names(first, second, keep, prefix)
    if second.objects is not None:
        return _Joining(first, second, prefix).run(keep)
    keys, notes = _keys_of_names(second), _told(second)
    second = Checkpoint(second.prefix, 2, {new: _copy(second.variables[old], new) for old, new in keys.items()})
    _make_objects(second, keys, prefix.strip("/"))
    return _merge_objects(first, second, keep, prefix, notes)


def _merge_into_names(first: Checkpoint, second: Checkpoint, keep: Keep | None, prefix: str) -> MergeReport:
    keys, notes = _keys_of_names(first), _told(first)
    first.rename(keys)
    _make_objects(first, keys, "")
    try:
        done = _merge_objects(first, second, keep, prefix, notes)
    except GraphSurgeonError:  # nothing changes where one is refused
        first.objects = None
        first.rename({new: old for old, new in keys.items()})
        raise
    return replace(done, added=done.added + _take_counter(first, second))


def _take_counter(first: Checkpoint, second: Checkpoint) -> int:
    """Let names that became objects have the save counter of the second, which `restore` looks for at the root."""
    mine, theirs = first.objects, second.objects
    counter = theirs.root.child(SAVE_COUNTER) if theirs is not None else None
    if mine is None or counter is None or mine.root.child(SAVE_COUNTER) is not None:
        return 0
    keys = second.keys_of(counter)
    mine.nodes.append(counter)
    mine.root.children = [*mine.root.children, (SAVE_COUNTER, counter)]
    first.variables.update({key: _copy(second.variables[key], key) for key in keys})
    return len(keys)


def _merge_objects(
    first: Checkpoint, second: Checkpoint, keep: Keep | None, prefix: str, notes: list[str]
) -> MergeReport:
    """Join two of which one had names alone; say what both go by for savers that look for names."""
    mine, theirs = (_full_names(one.objects) for one in (first, second))
    twice = [name for name in theirs if name in mine]
    if twice:
        what = "savers of TensorFlow 1, which look for these names alone, find the one of the second"
        notes = [*notes, f"both call a variable {some(twice)}: {what}"]
    done = _Joining(first, second, prefix).run(keep)
    return replace(done, notes=[*done.notes, *notes])


def _full_names(objects: ObjectGraph | None) -> dict[str, None]:
    return {full: None for node in (objects.nodes if objects else ()) for _, full, _ in node.attributes if full}


def _keys_of_names(checkpoint: Checkpoint) -> dict[str, str]:
    """Return name -> key of the object that it becomes.

    Raises:
        FormatError: the names are keys of objects, and the objects are not there.
    """
    if any(OBJECT_SUFFIX in key for key in checkpoint.variables):
        hint = "gs extract --skip-damaged makes one of the paths in the keys"
        if checkpoint.raw is None:  # arrays, whose names are keys
            hint = "gs convert MODEL weights.ckpt makes one of the paths in the names"
        raise FormatError("its object graph cannot be read, or is not there", path=checkpoint.prefix, hint=hint)
    return keys_of_objects(checkpoint.variables)


def _make_objects(checkpoint: Checkpoint, keys: Mapping[str, str], prefix: str) -> None:
    make_objects(checkpoint, {key: f"{prefix}/{name}" if prefix else name for name, key in keys.items()})


def _told(checkpoint: Checkpoint) -> list[str]:
    """Say what it means to those who restore that names become objects."""
    names = checkpoint.variables
    notes = [
        f"the names of {checkpoint.prefix} became paths of objects, along which tf.train.Checkpoint restores; savers of"
        " TensorFlow 1 find them by name as before"
    ]
    parts = [name for name, variable in names.items() if variable.slices > 1]
    if parts:
        notes.append(
            f"of {some(parts)}, stored in parts, a saver of TensorFlow 1 that has parts finds the last one only"
        )
    below = [name for name in names if any(name[:end] in names for end, sign in enumerate(name) if sign == "/")]
    if below:
        notes.append(
            f"{some(below)}: below another variable, where an object of a program has no place, which assert_consumed"
            " says; gs strip takes out what optimizers keep"
        )
    return notes


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

    def __init__(self, first: Checkpoint, second: Checkpoint, prefix: str) -> None:
        assert first.objects is not None
        assert second.objects is not None
        self.first, self.objects, self.second, self.theirs = first, first.objects, second, second.objects
        self.prefix = path_names(prefix.rstrip("/")) if prefix.strip("/") else []
        self.twins = self._twins()
        self.counter = self.theirs.root.child(SAVE_COUNTER)

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
                if node.attributes and not twin.attributes:  # a variable here, what others lie below there
                    twin.attributes = [(name, full, _respelled(key, beginnings)) for name, full, key in node.attributes]
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
