"""A MetaGraphDef in a file (`.meta`), binary or text, with the variables of the checkpoint beside it."""

from __future__ import annotations

from pathlib import Path

from graphsurgeon.errors import FileError
from graphsurgeon.formats import metagraph, protofile
from graphsurgeon.formats.files import Rope, open_source
from graphsurgeon.formats.protofile import ProtoFile
from graphsurgeon.model.model import Model

NAME = "meta_graph"
MESSAGE = "MetaGraphDef"


def read(path: Path, *, is_text: bool = False, force_text: bool = False) -> Model:
    """Read a MetaGraphDef, and `NAME.index` (or the V1 checkpoint `NAME`) beside a `NAME.meta`.

    Raises:
        FormatError: the protobuf is damaged.
        FileError: the file is missing or unreadable.
    """
    source = open_source(path)
    file = protofile.read(source, MESSAGE, is_text=is_text, force_text=force_text)
    model = Model("meta_graph", str(path), file)
    model.notes = file.notes
    model.metagraphs = [metagraph.lift_metagraph(file.message, file.payloads)]
    model.files = {str(path): source.size}
    _read_checkpoint(path, model)
    return model


def lower(model: Model, *, text: bool | None = None) -> dict[str, Rope]:
    """Return the pieces of the file under the name "".

    Args:
        text: write text; None keeps the form of the source.
    """
    graph = model.metagraphs[0]
    data = metagraph.serialize_metagraph(graph)
    file = model.raw if isinstance(model.raw, ProtoFile) and model.format == NAME else None
    is_text = protofile.as_text(file, text)
    return {"": protofile.lower(data, MESSAGE, file, metagraph.payloads_of(graph), is_text=is_text)}


def _read_checkpoint(path: Path, model: Model) -> None:
    if not path.name.endswith(".meta"):
        return
    from graphsurgeon.formats import checkpoint

    try:
        model.checkpoint = checkpoint.find(str(path).removesuffix(".meta"))
    except FileError as error:
        model.unreadable = f"the checkpoint beside it cannot be read: {error}"
        model.notes.append(model.unreadable)
