"""What lies in a TFLite file behind the model: an archive of label files, or something that does not belong there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphsurgeon.encoding.flatbuffer.extent import end_of
from graphsurgeon.errors import FormatError
from graphsurgeon.model.model import Model
from graphsurgeon.scanning.files import archives, foreign
from graphsurgeon.scanning.files.magic import HEAD, program
from graphsurgeon.scanning.finding import Threat

_MOST_ARCHIVE = 256 << 20  # bytes behind the model that are looked through
_LEFTOVER = 16  # bytes: some writers leave a table behind that nothing names; too few for a program
_SEARCHED = 4 << 20  # bytes behind the model in which programs are looked for


def threats(model: Model) -> Iterator[Threat]:
    """Yield what lies behind the model, and what its buffers hold that is a program."""
    source: Any = model.raw
    yield from _in_buffers(source)
    for error in source.buffers.outside():
        yield Threat(
            "high", None, "reads values from outside the model's folder", "external buffers", "load", str(error.message)
        )
    try:
        start = _end(source)
    except FormatError as error:
        yield Threat("medium", None, f"what lies behind the model could not be looked into: {error.message}", "file")
        return
    end = source.archive.start if source.archive is not None else source.file.size
    yield from _behind(source, start, end)
    if source.archive is not None:
        yield from _archive(source)


def _end(source: Any) -> int:
    """Return where the model ends: its FlatBuffer, and the values and options that lie behind it."""
    end = end_of(source.image, source.root)
    extents = [source.buffers.extent(number) for number in range(len(source.buffers.tables))]
    for graph in source.root.tables("subgraphs"):
        for table in graph.tables("operators"):
            offset, size = table.get("large_custom_options_offset"), table.get("large_custom_options_size")
            extents.append((offset, size) if size else (0, 0))
    return int(max([end, *(offset + size for offset, size in extents)]))


def _behind(source: Any, start: int, end: int) -> Iterator[Threat]:
    if start >= end:
        return
    data = source.file.read_at(start, min(end - start, _SEARCHED))
    begin = len(data) - len(data.lstrip(b"\0"))
    if begin == len(data) and end - start <= _SEARCHED:
        return
    what = program(data[begin : begin + HEAD])
    where = f"byte {start + begin}"
    if what is not None:
        yield Threat("high", None, f"holds {what} behind the model", where, "unknown", None, "appended")
    elif end - start > _LEFTOVER:
        text = f"holds {end - start} bytes behind the model that are no part of it"
        yield Threat("medium", None, text, where, "unknown", None, "appended")


def _archive(source: Any) -> Iterator[Threat]:
    length = source.file.size - source.archive.start
    archive = archives.opened(source.file.read_at(source.archive.start, length)) if length <= _MOST_ARCHIVE else None
    if archive is None:
        yield Threat("medium", None, "a ZIP archive behind the model that could not be looked into", "archive")
        return
    found = [*archives.threats(archive, "archive"), *foreign.members(archive, "archive")]
    names = ", ".join(source.archive.names[:4])
    yield from found
    if not found:
        yield Threat(
            "info", None, "a ZIP archive of files that belong to the model", "archive", "unknown", names, "archive"
        )


def _in_buffers(source: Any) -> Iterator[Threat]:
    """Yield buffers whose bytes begin like a program; numbers of a kernel do so by chance only, so it takes more."""
    for number in range(len(source.buffers.tables)):
        offset, size = source.buffers.extent(number)
        if size >= HEAD and offset + size <= source.file.size:
            head = source.file.read_at(offset, HEAD)
            if head.startswith((b"\x7fELF\1\1\1", b"\x7fELF\2\1\1")):
                what = "holds a Linux program or library (ELF) in a buffer"
                yield Threat("medium", None, what, f"buffer {number}", "unknown", None, "appended")
