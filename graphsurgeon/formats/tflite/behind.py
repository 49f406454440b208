"""What lies behind the FlatBuffer of a TFLite file: data that it places there, an archive, and anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsurgeon.encoding.flatbuffer.unknown import end_of
from graphsurgeon.formats.tflite.attrs import large_custom_options

if TYPE_CHECKING:
    from graphsurgeon.formats.tflite.read import TfliteModelSource

_ARCHIVE = b"PK\3\4"  # begins each file of a ZIP archive
PADDING = 64  # bytes of zeros that are nothing but alignment


def data_behind(source: TfliteModelSource) -> list[tuple[int, int]]:
    """Return start and end of the data that lies behind the FlatBuffer."""
    places = [source.buffers.extent(number) for number in range(len(source.buffers.tables))]
    placed = zip(places, source.buffers.tables, strict=True)
    found = [(start, start + length) for (start, length), table in placed if length and start == table.get("offset")]
    operators = (operator for subgraph in source.root.tables("subgraphs") for operator in subgraph.tables("operators"))
    options = (large_custom_options(operator) for operator in operators)
    return found + [(large.offset, large.offset + large.length) for large in options if large is not None]


def unexplained(source: TfliteModelSource) -> tuple[int, int] | None:
    """Return start and end of the bytes behind the model that it does not speak of; None where there are none.

    An archive, and the zeros before it, are no such bytes.
    """
    stop = source.file.size if source.archive is None else source.archive.start
    last = max((sum(source.buffers.extent(number)) for number in range(len(source.buffers.tables))), default=0)
    if not _says_something(source, last, stop):
        return None  # the model reaches to the end: no need to look at every table
    start = min(max([end_of(source.root), *(end for _, end in data_behind(source))]), stop)
    return (start, stop) if _says_something(source, start, stop) else None


def is_cut_off(source: TfliteModelSource, place: tuple[int, int]) -> bool:
    """Say whether unexplained bytes are the beginning of an archive: its end, which lists its files, is gone."""
    start, stop = place
    return source.archive is None and _ARCHIVE in source.file.read_at(start, min(stop - start, PADDING))


def _says_something(source: TfliteModelSource, start: int, stop: int) -> bool:
    return stop - start > PADDING or (start < stop and any(source.file.read_at(start, stop - start)))
