"""The variables of both sides of a restore, under the names by which TensorFlow looks for them.

A graph of version 1 is restored by the names that its saver lists, objects by the names of the children that lead to
them (`checkpoint/restore.py` of TensorFlow 2.21); from one kind of file into the other kind of program by the names of
the variables (`saver.py` `object_graph_key_mapping`, `checkpoint.py` `_NameBasedRestoreCoordinator`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphsurgeon.analysis.flow.restore_map import Restored, resource_name, restore_map, variable_nodes
from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX, slot_keys
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectGraph, ObjectNode, path_text
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape

SAVE_COUNTER = "save_counter"


@dataclass(frozen=True)
class RestoreName:
    """A variable, on one side of a restore.

    Attributes:
        name: by which it is looked for, and which `gs rename` takes: a path of objects, or a name in the file.
        called: what the program calls it, where that is known beside `name`; empty if not.
        dtype: None if unknown.
        shape: as far as it is known.
        key: of the entry that restoring takes for it, or that it is; None if there is none.
        is_slot: an optimizer keeps it.
    """

    name: str
    called: str
    dtype: DType | None
    shape: Shape
    key: str | None
    is_slot: bool = False


@dataclass(frozen=True)
class BothSides:
    """What is looked for, and what there is.

    Attributes:
        wanted: with the key that restoring finds for each.
        stored: what the checkpoint holds, under the names that a rename would change.
        by_objects: names are paths of objects.
    """

    wanted: list[RestoreName]
    stored: list[RestoreName]
    by_objects: bool


def both_sides(model: Model, checkpoint: Checkpoint) -> BothSides:
    """Return what a model looks for and what a checkpoint holds for it. Reads no values of variables."""
    objects = _objects_of(model)
    if objects is None:
        return _by_name(_wanted_names(model), checkpoint)
    wanted = list(_of_objects(objects, model.checkpoint))
    if checkpoint.objects is None:
        found = [_found(one, one.called if one.called in checkpoint.variables else None) for _, one in wanted]
        return BothSides(found, list(_entries(checkpoint)), by_objects=False)
    twins = objects.restored_from(checkpoint.objects)
    return BothSides(
        [_found(one, _key(node, one, twins, checkpoint)) for node, one in wanted],
        [one for _, one in _of_objects(checkpoint.objects, checkpoint)],
        by_objects=True,
    )


def _objects_of(model: Model) -> ObjectGraph | None:
    if not model.metagraphs:
        return model.checkpoint.objects if model.checkpoint is not None else None
    graphs = [metagraph.objects for metagraph in model.metagraphs if metagraph.objects and metagraph.objects.nodes]
    return graphs[0] if graphs else None


def _found(one: RestoreName, key: str | None) -> RestoreName:
    return RestoreName(one.name, one.called, one.dtype, one.shape, key, one.is_slot)


# -- objects -------------------------------------------------------------------------------------------


def _of_objects(objects: ObjectGraph, checkpoint: Checkpoint | None) -> Iterator[tuple[ObjectNode, RestoreName]]:
    """Yield the objects that hold values, by their shortest paths; then slots, which variables lead to."""
    slots = slot_keys(checkpoint) if checkpoint is not None else set()
    paths = {node: path_text(path.split("\0")) for node, path in objects.paths("\0").items()}
    kept = {slot: f"{paths.get(of, '?')} ({name})" for node in objects.nodes for of, name, slot in node.slots}
    for node, path in {**kept, **paths}.items():
        if node.kind == "variable":
            yield node, RestoreName(path, node.name, node.dtype, node.shape or UNKNOWN_RANK, None)
        if checkpoint is None or node.kind:
            continue
        for key in checkpoint.keys_of(node):
            tensor = checkpoint.variables[key].tensor
            called = next((full for _, full, _ in node.attributes if full), "")
            is_slot = key in slots or node not in paths
            yield node, RestoreName(path, called, tensor.dtype, tensor.shape, key, is_slot)


def _key(node: ObjectNode, one: RestoreName, twins: dict[ObjectNode, ObjectNode], checkpoint: Checkpoint) -> str | None:
    """Return the entry of an object's twin; a table has two, told apart by what follows their common beginning."""
    keys = checkpoint.keys_of(twins[node]) if node in twins else []
    if len(keys) < 2 or one.key is None:
        return keys[0] if keys else None
    ending = one.key.rpartition(OBJECT_SUFFIX)[2]
    return next((key for key in keys if key.rpartition(OBJECT_SUFFIX)[2] == ending), None)


# -- names ---------------------------------------------------------------------------------------------


def _wanted_names(model: Model) -> list[RestoreName]:
    if model.metagraphs:
        found = [one for metagraph in model.metagraphs for one in _of_graph(metagraph)]
        return list({one.name: one for one in reversed(found)}.values())[::-1]
    return list(_entries(model.checkpoint)) if model.checkpoint is not None else []


def _of_graph(metagraph: MetaGraph) -> Iterator[RestoreName]:
    stored = restore_map(metagraph).variables
    nodes = list(stored) if metagraph.saver is not None and stored else variable_nodes([metagraph.graph])
    for node in nodes:
        place = stored.get(node, Restored(resource_name(node)))
        dtype, shape = node.attrs.get("dtype"), node.attrs.get("shape")
        known = shape if isinstance(shape, Shape) and not place.is_reshaped else UNKNOWN_RANK
        known = _full_shape(place.slice) if place.slice else known
        called = "" if place.key == resource_name(node) or place.slice else resource_name(node)
        yield RestoreName(place.key, called, dtype if isinstance(dtype, DType) else None, known, None)


def _full_shape(text: str) -> Shape:
    """Return the shape of the whole of which `20 6 0,7:0,6` is a slice."""
    dims = [int(word) for word in text.split()[:-1] if word.isdecimal()]
    return Shape(dims) if len(dims) == len(text.split()) - 1 else UNKNOWN_RANK


def _entries(checkpoint: Checkpoint) -> Iterator[RestoreName]:
    slots = slot_keys(checkpoint)
    for key, variable in checkpoint.variables.items():
        called = variable.name if variable.name and variable.name != key else ""
        yield RestoreName(key, called, variable.tensor.dtype, variable.tensor.shape, key, key in slots)


def _by_name(wanted: Iterable[RestoreName], checkpoint: Checkpoint) -> BothSides:
    """Look for names among the keys; where a file of objects lacks one, among what programs call its variables."""
    stored = list(_entries(checkpoint))
    by_called: dict[str, str] = {}
    if checkpoint.objects is not None:
        of_objects = [one for _, one in _of_objects(checkpoint.objects, checkpoint)]
        counts = Counter(one.called for one in of_objects)
        stored = [
            RestoreName(one.called if counts[one.called] == 1 and one.called else one.name, "", *_rest(one))
            for one in of_objects
        ]
        by_called = {one.called: one.key for one in of_objects if one.called and one.key}  # of several the last one
    found = [_found(one, one.name if one.name in checkpoint.variables else by_called.get(one.name)) for one in wanted]
    return BothSides(found, stored, by_objects=False)


def _rest(one: RestoreName) -> tuple[DType | None, Shape, str | None, bool]:
    return one.dtype, one.shape, one.key, one.is_slot
