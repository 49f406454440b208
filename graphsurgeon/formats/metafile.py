"""A MetaGraphDef in a file (`.meta`), binary or text, with the variables of the checkpoint beside it."""

from __future__ import annotations

from pathlib import Path

from graphsurgeon.disk.files import Rope
from graphsurgeon.errors import FileError
from graphsurgeon.formats import registry
from graphsurgeon.formats.graph import metagraph
from graphsurgeon.formats.graph.file import lower_single, read_single
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.model import Model

MESSAGE = "MetaGraphDef"


def read(path: Path, *, is_text: bool = False, force_text: bool = False) -> Model:
    """Read a MetaGraphDef, and `NAME.index` (or the V1 checkpoint `NAME`) beside a `NAME.meta`.

    Raises:
        FormatError: the protobuf is damaged.
        FileError: the file is missing or unreadable.
    """
    model = read_single(
        path, registry.META_GRAPH, MESSAGE, metagraph.lift_metagraph, is_text=is_text, force_text=force_text
    )
    _read_checkpoint(path, model)
    return model


def lower(model: Model, *, text: bool | None = None) -> dict[str, Rope]:
    """Return the pieces of the file under the name "".

    Args:
        text: write text; None keeps the form of the source.
    """
    return lower_single(model, registry.META_GRAPH, MESSAGE, metagraph.serialize_metagraph, text=text)


def _read_checkpoint(path: Path, model: Model) -> None:
    if not path.name.endswith(".meta"):
        return
    from graphsurgeon.formats.checkpoint import find as checkpoint

    try:
        model.checkpoint = checkpoint.find(str(path).removesuffix(".meta")) or _other(path, model)
        if model.checkpoint is not None:
            checkpoint.look_at_state(model.checkpoint)
            model.notes += checkpoint.state_faults(model.checkpoint)
    except FileError as error:
        model.unreadable = f"the checkpoint beside it cannot be read: {error}"
        model.notes.append(model.unreadable)


def _other(path: Path, model: Model) -> Checkpoint | None:
    """Return a checkpoint of another name, where there is no question which is the graph's; a note says which."""
    from graphsurgeon.formats.checkpoint import find as checkpoint

    names = checkpoint.names_beside(path)
    if len(names) == 1:
        model.notes.append(f"its variables are those of {names[0]}, which lies beside it")
        return checkpoint.find(str(path.with_name(names[0])))
    if names:
        listed = " or ".join(f"--checkpoint {path.with_name(name)}" for name in names[:5])
        model.unreadable = f"none of its name lies beside it, and {len(names)} others do: choose {listed}"
    return None
