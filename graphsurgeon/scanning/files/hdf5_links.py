"""HDF5 files whose groups or values lie in other files of the machine: whoever loads them reads those."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.encoding import hdf5
from graphsurgeon.errors import FormatError
from graphsurgeon.scanning.finding import Severity, Threat


class _Bytes:
    """Bytes in memory, as the reader of HDF5 wants them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise FormatError(f"bytes {offset} to {offset + length} of {self.size}")
        return self.data[offset : offset + length]


def threats(source: SourceFile | bytes, where: str) -> Iterator[Threat]:
    """Yield what lies in other files: groups behind external links, values of datasets."""
    pieces = _Bytes(source) if isinstance(source, bytes) else source
    if not hdf5.is_hdf5(pieces):
        return
    try:
        yield from _in_file(hdf5.open_file(pieces), where)
    except FormatError as error:
        what = f"could not be looked into for links to other files: {error.message}"
        yield Threat("medium", None, what, where, "load", None, "unseen")


def _in_file(file: hdf5.File, where: str) -> Iterator[Threat]:
    for item in [file.root, *file.walk()]:
        if item.is_dataset:
            for name in item.other_files():
                yield _threat("has values that lie in another file", where, item.path, name)
        else:
            for name, other in item.outside.items():
                if other:
                    yield _threat("has a link to another file", where, f"{item.path}/{name}".lstrip("/"), other)


def _threat(what: str, where: str, path: str, name: str) -> Threat:
    plain = name.replace("\\", "/")
    is_out = plain.startswith("/") or ".." in PurePosixPath(plain).parts or bool(PureWindowsPath(name).drive)
    severity: Severity = "high" if is_out or name == "?" else "medium"  # what lies beside it may belong to it
    return Threat(severity, None, what, f"{where} > {path}", "load", name, "read", targets=(name,))
