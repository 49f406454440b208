"""TFLite (LiteRT) models: `sniff`, `read` and `lower`.

Spec: LiteRT's `tflite/converter/schema/schema.fbs`, kept as a table in `schema/tflite.txt`.
"""

from __future__ import annotations

from graphsurgeon.disk.files import Rope, SourceFile
from graphsurgeon.encoding.flatbuffer.read import BufferImage
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.tflite.read import read
from graphsurgeon.formats.tflite.schema import schema
from graphsurgeon.model.model import Model

__all__ = ["lower", "read", "sniff"]

_IDENTIFIERS = (b"TFL3", b"TFL2", b"TFL1")
_VERSIONS = (1, 2, 3)


def sniff(file: SourceFile) -> bool:
    """Say whether a file is a TFLite model: by its identifier, else because its root table reads as one."""
    if file.size < 8:
        return False
    return file.read_at(4, 4) in _IDENTIFIERS or _reads_as_model(file)


def custom_ops(model: Model) -> frozenset[str]:
    """Return the names of operators that are no builtins, as the nodes have them."""
    from graphsurgeon.formats.tflite.schema import CUSTOM, operator_codes

    builtins = set(operator_codes().values()) - {operator_codes()[CUSTOM]}
    return frozenset(operator.name for operator in model.raw.operators() if operator.code not in builtins)


def lower(model: Model) -> dict[str, Rope]:
    """Return the pieces of the file under the name ""; see `tflite_write.lower`."""
    from graphsurgeon.formats.tflite import write as tflite_write

    return tflite_write.lower(model)


def _reads_as_model(file: SourceFile) -> bool:
    try:
        root = BufferImage(file, schema()).root("Model")
        if root.get("version") not in _VERSIONS or not root.place("operator_codes"):
            return False
        subgraphs = root.tables("subgraphs")
        for graph in subgraphs:
            len(graph.tables("tensors"))
            len(graph.tables("operators"))
        return len(subgraphs) > 0
    except FormatError:  # bytes that are no FlatBuffer: the answer is no
        return False
