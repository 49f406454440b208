"""TFLite (LiteRT) models: `sniff`, `read` and `lower`.

Spec: LiteRT's `tflite/converter/schema/schema.fbs`, kept as a table in `schema/tflite.txt`.
"""

from __future__ import annotations

from graphsurgeon.errors import FormatError
from graphsurgeon.formats.files import SourceFile
from graphsurgeon.formats.flatbuffer import Image
from graphsurgeon.formats.tflite_read import read
from graphsurgeon.formats.tflite_schema import schema

__all__ = ["NAME", "read", "sniff"]

NAME = "tflite"
_IDENTIFIERS = (b"TFL3", b"TFL2", b"TFL1")
_VERSIONS = (1, 2, 3)


def sniff(file: SourceFile) -> bool:
    """Say whether a file is a TFLite model: by its identifier, else because its root table reads as one."""
    if file.size < 8:
        return False
    return file.read_at(4, 4) in _IDENTIFIERS or _reads_as_model(file)


def _reads_as_model(file: SourceFile) -> bool:
    try:
        root = Image(file, schema()).root("Model")
        if root.get("version") not in _VERSIONS or not root.place("operator_codes"):
            return False
        subgraphs = root.tables("subgraphs")
        for graph in subgraphs:
            len(graph.tables("tensors"))
            len(graph.tables("operators"))
        return len(subgraphs) > 0
    except FormatError:  # bytes that are no FlatBuffer: the answer is no
        return False
