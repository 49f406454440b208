"""Make the object graph that keys of objects speak of, where it is not there: in arrays, and where it is damaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.objects import ObjectGraph, ObjectNode, path_names, path_text

_SLOT = "/.OPTIMIZER_SLOT/"  # `variable/.OPTIMIZER_SLOT/optimizer/name`
_ENDINGS = ("-keys", "-values", "_STATE")


MADE = (
    "objects were made of the paths in the keys: tf.train.Checkpoint restores along them; other ways to the same"
    " objects are not known"
)


def make_objects(checkpoint: Checkpoint, called: Mapping[str, str] | None = None) -> bool:
    """Give a checkpoint without objects those that its keys show; say whether there are any.

    Each key shows one path, so one way to each object; slots of optimizers are entered there. Changed in place.

    Args:
        checkpoint: keys that show no path stay beside the objects.
        called: key -> name of the variable, by which savers of TensorFlow 1 find it.
    """
    paths = {key: key.partition(OBJECT_SUFFIX)[0] for key in checkpoint.variables if OBJECT_SUFFIX in key}
    if checkpoint.objects is not None or not paths:
        return False
    root = ObjectNode("")
    graph = ObjectGraph([root], [])
    slots = {key: path.partition(_SLOT) for key, path in paths.items() if _SLOT in path}
    for key, path in paths.items():
        if key not in slots:
            _save(_at(graph, path), key)
    for key, (variable, _, rest) in slots.items():
        optimizer, _, name = rest.rpartition("/")
        slot = ObjectNode("")
        graph.nodes.append(slot)
        _save(slot, key)
        owner = _at(graph, optimizer)
        owner.slots = [*owner.slots, (_at(graph, variable), name, slot)]
    for node in graph.nodes if called else ():
        node.attributes = [(name, (called or {}).get(key, full), key) for name, full, key in node.attributes]
    checkpoint.objects = graph
    return True


def keys_of_objects(names: Iterable[str]) -> dict[str, str]:
    """Return name of a variable -> key of an object that lies where the name says, one object for each part of it."""
    return {name: f"{path_text(name.split('/'))}{OBJECT_SUFFIX}VARIABLE_VALUE" for name in names}


def _at(graph: ObjectGraph, path: str) -> ObjectNode:
    node = graph.root
    for name in path_names(path):
        child = node.child(name)
        if child is None:
            child = ObjectNode("")
            graph.nodes.append(child)
            node.children = [*node.children, (name, child)]
        node = child
    return node


def _save(node: ObjectNode, key: str) -> None:
    """Say that an object's value lies under a key; the two of a table lie under one beginning."""
    stem = next((key.removesuffix(end) for end in _ENDINGS if key.endswith(end)), key)
    name = stem.partition(OBJECT_SUFFIX)[2]
    if all(other != stem for _, _, other in node.attributes):
        node.attributes = [*node.attributes, (name, "", stem)]
