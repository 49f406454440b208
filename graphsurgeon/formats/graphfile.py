"""A GraphDef in a file, binary or text: usually a frozen graph."""

from __future__ import annotations

from pathlib import Path

from graphsurgeon.formats import metagraph, protofile
from graphsurgeon.formats.files import Rope, open_source
from graphsurgeon.formats.protofile import ProtoFile
from graphsurgeon.model.model import Model

NAME = "graph_def"
MESSAGE = "GraphDef"


def read(path: Path, *, is_text: bool = False, force_text: bool = False) -> Model:
    """Read a GraphDef.

    Raises:
        FormatError: the protobuf is damaged.
        FileError: the file is missing or unreadable.
    """
    source = open_source(path)
    file = protofile.read(source, MESSAGE, is_text=is_text, force_text=force_text)
    model = Model("graph_def", str(path), file)
    model.notes = file.notes
    model.metagraphs = [metagraph.lift_graph_def(file.message, file.payloads)]
    model.files = {str(path): source.size}
    return model


def lower(model: Model, *, text: bool | None = None) -> dict[str, Rope]:
    """Return the pieces of the file under the name "".

    Args:
        text: write text; None keeps the form of the source.
    """
    graph = model.metagraphs[0]
    data = metagraph.serialize_graph_def(graph)
    file = model.raw if isinstance(model.raw, ProtoFile) and model.format == NAME else None
    is_text = protofile.as_text(file, text)
    return {"": protofile.lower(data, MESSAGE, file, metagraph.payloads_of(graph), is_text=is_text)}
