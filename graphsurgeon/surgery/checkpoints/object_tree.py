"""Make the object graph that keys of objects speak of, where it is not there: in arrays, and where it is damaged."""

from __future__ import annotations

from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.objects import ObjectGraph, ObjectNode, path_names

_SLOT = "/.OPTIMIZER_SLOT/"  # `variable/.OPTIMIZER_SLOT/optimizer/name`
_ENDINGS = ("-keys", "-values", "_STATE")


def make_objects(checkpoint: Checkpoint) -> bool:
    """Give a checkpoint without objects those that its keys show; say whether there are any.

    Each key shows one path, so one way to each object; slots of optimizers are entered there. Changed in place.
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
    checkpoint.objects = graph
    return True


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
