"""A GraphDef in a file, binary or text: usually a frozen graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphsurgeon.disk.files import Rope, open_source
from graphsurgeon.formats import registry
from graphsurgeon.formats.graph import metagraph
from graphsurgeon.formats.graph.protobuf import protofile
from graphsurgeon.formats.graph.protobuf.payloads import Payload
from graphsurgeon.formats.graph.protobuf.protofile import ProtoFile
from graphsurgeon.model.format import Format
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model

MESSAGE = "GraphDef"
_NO_VERSIONS = b"\x22\x00"  # GraphDef.versions without content: a graph of nothing is not written as a file of no bytes


def read(path: Path, *, is_text: bool = False, force_text: bool = False) -> Model:
    """Read a GraphDef.

    Raises:
        FormatError: the protobuf is damaged.
        FileError: the file is missing or unreadable.
    """
    return read_single(
        path, registry.GRAPH_DEF, MESSAGE, metagraph.lift_graph_def, is_text=is_text, force_text=force_text
    )


def lower(model: Model, *, text: bool | None = None) -> dict[str, Rope]:
    """Return the pieces of the file under the name "".

    Args:
        text: write text; None keeps the form of the source.
    """
    return lower_single(model, registry.GRAPH_DEF, MESSAGE, _serialize, text=text)


def _serialize(graph: MetaGraph) -> bytes:
    return metagraph.serialize_graph_def(graph) or _NO_VERSIONS


def read_single(
    path: Path,
    traits: Format,
    type_name: str,
    lift: Callable[[Any, list[Payload]], MetaGraph],
    *,
    is_text: bool,
    force_text: bool,
) -> Model:
    """Read a file that is one message with one graph."""
    source = open_source(path)
    file = protofile.read(source, type_name, is_text=is_text, force_text=force_text)
    model = Model(traits, str(path), file)
    model.notes = file.notes
    model.metagraphs = [lift(file.message, file.payloads)]
    model.files = {str(path): source.size}
    return model


def lower_single(
    model: Model, traits: Format, type_name: str, serialize: Callable[[MetaGraph], bytes], *, text: bool | None
) -> dict[str, Rope]:
    """Return the pieces of a file that is one message with one graph, under the name ""."""
    graph = model.metagraphs[0]
    data = serialize(graph)
    file = model.raw if isinstance(model.raw, ProtoFile) and model.traits == traits else None
    is_text = protofile.as_text(file, text)
    return {"": protofile.lower(data, type_name, file, metagraph.payloads_of(graph), is_text=is_text)}
