"""Which checkpoint key belongs to a variable that a function captures, by the object graphs.

The route of `tf.saved_model.load`: a call in the main graph passes handles as its last inputs, in the order of
the captured objects of its function; an object has the same path of names in the SavedModel and in the
checkpoint, which has the key. For handles that the restore path leaves out (some Keras models, which
session-style loaders cannot run). Facts: `docs/freezing.md`.
"""

from __future__ import annotations

from graphsurgeon.analysis.flow.calls import run_function
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import ObjectGraph, ObjectNode
from graphsurgeon.ops.kinds import VARIABLES

VARIABLE_VALUE = "VARIABLE_VALUE"
_ATTRIBUTES = "/.ATTRIBUTES/"  # what stands behind it in a key tells loaders which value it is, whatever its own name


def captured_keys(metagraph: MetaGraph, checkpoint: Checkpoint) -> dict[Node, str]:
    """Return variable node -> checkpoint key, for the variables that calls in the main graph pass to their functions.

    Reads the object graph of the checkpoint, no values.
    """
    objects, stored = metagraph.objects, checkpoint.objects
    if objects is None or stored is None or not objects.nodes or not stored.nodes:
        return {}
    keys = object_keys(objects, stored)
    captures = {entry.function: entry.bound_inputs for entry in objects.concrete_functions}
    found: dict[Node, str] = {}
    for call in metagraph.graph.nodes:
        function = run_function(call)
        bound = captures.get(function, []) if function is not None else []
        given = call.inputs[: len(function.inputs)] if function is not None else ()
        for value, captured in zip(given[len(given) - len(bound) :], bound, strict=False):
            handle = value.producer
            if handle is not None and handle.op in VARIABLES and captured in keys:
                found.setdefault(handle, keys[captured])
    return found


def object_keys(objects: ObjectGraph, stored: ObjectGraph) -> dict[ObjectNode, str]:
    """Return the checkpoint key of each object that holds a variable."""
    return {
        node: key
        for node, twin in objects.paired(stored).items()
        for name, _, key in twin.attributes
        if VARIABLE_VALUE in (name, key.rpartition(_ATTRIBUTES)[2])
    }
