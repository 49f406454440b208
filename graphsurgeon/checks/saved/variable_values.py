"""Rules about what variables are and what a checkpoint holds for them: dtype, shape, and whether it has them at all.

A loader of version 1 restores by the graph (`RestoreV2`, then an assignment, which looks at the shape, or the first
read of a resource variable does); `tf.saved_model.load` by the object graphs of model and checkpoint (`load.py` and
`restore.py` of TensorFlow 2.21), and wants each variable that it makes to be found.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.analysis.flow.captures import object_keys
from graphsurgeon.analysis.flow.restore_map import restore_map
from graphsurgeon.checks.places import place
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectGraph, ObjectNode
from graphsurgeon.model.shape import Shape

_HINT = "take the checkpoint that belongs to the graph"


def variable_values(model: Model, checkpoint: Checkpoint) -> Iterator[Finding]:
    """Find variables of another dtype or shape than the checkpoint has, and objects for which it has nothing."""
    for metagraph in model.metagraphs:
        yield from _of_graph(metagraph, checkpoint)
        objects = metagraph.objects
        if objects is not None and objects.nodes:
            yield from _of_objects(objects, checkpoint)


def _of_graph(metagraph: MetaGraph, checkpoint: Checkpoint) -> Iterator[Finding]:
    for node, restored in restore_map(metagraph).variables.items():
        if restored.slice or restored.is_reshaped:
            continue
        dtype, shape = node.attrs.get("dtype"), node.attrs.get("shape")
        what = _misfit(
            checkpoint,
            restored.key,
            dtype if isinstance(dtype, DType) else None,
            shape if isinstance(shape, Shape) else None,
        )
        if what:
            yield Finding("error", place(node.graph, node), what, _HINT, "variable-value")


def _misfit(checkpoint: Checkpoint, key: str, dtype: DType | None, shape: Shape | None) -> str:
    entry = checkpoint.variables.get(key)
    if entry is None:
        return ""
    stored = entry.tensor
    if dtype is not None and dtype.base is not stored.dtype.base:
        return f"it is {dtype}, and the checkpoint has {stored.dtype} under {key!r}"
    if shape is not None and not shape.is_compatible_with(stored.shape):
        return f"it has the shape {shape}, and the checkpoint has {stored.shape} under {key!r}"
    return ""


def _of_objects(objects: ObjectGraph, checkpoint: Checkpoint) -> Iterator[Finding]:
    """Judge the variables that the loader makes by name: those that children lead to; functions capture no others."""
    numbers = {node: number for number, node in enumerate(objects.nodes)}
    made = [node for node in objects.paths("/") if node.kind == "variable"]
    captured = dict.fromkeys(node for entry in objects.concrete_functions for node in entry.bound_inputs)
    for node in captured.keys() - set(made):
        if node.kind == "variable" and node in numbers:
            what = f"functions read the variable {node.name!r}, to which no names lead: nothing restores it"
            yield Finding("error", f"object {numbers[node]}", what, _HINT, "variable-not-matched")
    stored = checkpoint.objects
    is_stored = stored is not None and bool(stored.nodes)
    keys = object_keys(objects, stored) if stored is not None and is_stored else {}
    taken = _taken(objects, stored) if stored is not None and is_stored else {}
    for node in made:
        where = f"object {numbers[node]}" if node in numbers else "object graph"
        if node not in keys:
            what = f"it is the variable {node.name!r}, and the checkpoint's object graph has no value for it"
            yield Finding("error", where, what, _HINT, "variable-not-matched")
            continue
        if node in taken:
            what = (
                f"what the checkpoint has for the variable {node.name!r} goes to object {numbers[taken[node]]} before"
            )
            yield Finding("error", where, what, _HINT, "variable-not-matched")
            continue
        what = _misfit(checkpoint, keys[node], node.dtype, node.shape)
        if what:
            yield Finding("error", where, what, _HINT, "variable-value")


def _taken(objects: ObjectGraph, stored: ObjectGraph) -> dict[ObjectNode, ObjectNode]:
    """Return object -> the object that gets its values: the first to which a path of names leads keeps them."""
    first: dict[ObjectNode, ObjectNode] = {}
    pairs = objects.paired(stored).items()
    return {node: first[twin] for node, twin in pairs if first.setdefault(twin, node) is not node}
