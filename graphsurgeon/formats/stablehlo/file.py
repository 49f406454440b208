"""A StableHLO module in a file of its own: a portable artifact, or plain MLIR bytecode."""

from __future__ import annotations

from pathlib import Path

from graphsurgeon.disk.files import open_source
from graphsurgeon.errors import FormatError
from graphsurgeon.formats import registry
from graphsurgeon.formats.stablehlo.lift import lift
from graphsurgeon.model.model import Model

_MOST_BYTES = 1 << 31  # modules in a GraphDef cannot be larger either


def read(path: Path) -> Model:
    """Read a module.

    Raises:
        FormatError: it is damaged.
        FileError: the file is missing or unreadable.
        UnsupportedError: it is of a version that is not known here.
    """
    source = open_source(path)
    if source.size > _MOST_BYTES:
        raise FormatError(f"a module of {source.size >> 20} MB", path=path)
    model = Model(registry.STABLEHLO_MODULE, str(path))
    model.metagraphs = [lift(source.read_at(0, source.size))]
    model.files = {str(path): source.size}
    return model
