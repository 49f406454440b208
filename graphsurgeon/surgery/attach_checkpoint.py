"""Give a graph the variables of a checkpoint that lies elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphsurgeon.analysis.flow.restore_map import resource_name, restore_map, variable_nodes
from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.model import Model
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.known_ops import is_tflite


@dataclass(frozen=True)
class AttachReport:
    """What a graph finds in its checkpoint.

    Attributes:
        checkpoint: its prefix.
        variables: how many of the graph's variables it holds.
        missing: names of those that it does not.
    """

    checkpoint: str
    variables: int
    missing: list[str] = field(default_factory=list)


@arguments.takes()
def attach_checkpoint(model: Model, *, checkpoint: Checkpoint | Model) -> AttachReport:
    """Give a GraphDef or `.meta` the variables of a checkpoint. In a recipe, and in `edit`, it is named by its path.

    Args:
        model: changed in place; variables that it had are let go.
        checkpoint: as read.

    Raises:
        UnsupportedError: the model has no graph, or is one whose file holds its variables.
        UsageError: the checkpoint holds none of the graph's variables.
    """
    arguments.require_read("checkpoint", checkpoint, Checkpoint, Model)
    found = checkpoint.checkpoint if isinstance(checkpoint, Model) else checkpoint
    if found is None:
        raise UsageError("is no checkpoint, and has none", path=getattr(checkpoint, "path", None))
    if not model.traits.is_bare_graph:
        for metagraph in model.metagraphs:
            if is_tflite(model, metagraph, "attach-checkpoint"):
                raise UnsupportedError("a TFLite model has its weights in it", hint="gs set-weights changes them")
        hint = "gs convert takes the graph out of a SavedModel: MODEL graph.meta"
        raise UnsupportedError("only a GraphDef or .meta is given a checkpoint", path=model.path, hint=hint)
    missing: list[str] = []
    count = 0
    for metagraph in model.metagraphs:
        stored = restore_map(metagraph).variables
        for node in variable_nodes([metagraph.graph]):
            key = stored[node].key if node in stored else resource_name(node)
            count += key in found.variables
            missing += [] if key in found.variables else [resource_name(node)]
    if missing and not count:
        raise UsageError(
            f"the checkpoint {found.prefix} holds none of the graph's {plural(len(missing), 'variable')}"
            f" ({missing[0]}, ...)",
            path=model.path,
            hint="gs weights lists what it holds",
        )
    model.checkpoint = found
    model.unreadable = ""
    return AttachReport(str(found.prefix), count, missing)
