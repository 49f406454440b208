"""Names of other files that a dataset of an HDF5 file takes its values from. None of them is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphsurgeon.encoding.hdf5 import messages as parts
from graphsurgeon.encoding.hdf5.heaps import LocalHeap, global_object
from graphsurgeon.encoding.hdf5.image import Fields, FileImage
from graphsurgeon.encoding.hdf5.messages import HeaderMessage

_VIRTUAL = 3  # class of a layout
_MOST_VIEW = 1 << 20  # bytes of the list of datasets that one is a view of
UNKNOWN = "?"


def names(image: FileImage, header: Mapping[int, HeaderMessage]) -> Iterator[str]:
    """Yield the names of the files that hold the values of a dataset; `UNKNOWN` where a list of them is not read.

    Raises:
        FormatError: a message is damaged.
    """
    if parts.EXTERNAL_FILES in header:
        yield from _external(Fields(header[parts.EXTERNAL_FILES].body, image))
    if parts.LAYOUT in header:
        fields = Fields(header[parts.LAYOUT].body, image)
        if fields.integer(1) >= 4 and fields.integer(1) == _VIRTUAL:
            yield from _viewed(fields, image)


def _external(fields: Fields) -> Iterator[str]:
    fields.skip(6)  # version, nothing, slots there is room for
    count = fields.integer(2)
    heap = LocalHeap(fields.image, fields.address())
    for _ in range(count):
        name = heap.name(fields.length())
        fields.skip(2 * fields.image.length_size)
        yield name


def _viewed(fields: Fields, image: FileImage) -> Iterator[str]:
    """Yield the file of the first dataset that one is a view of: `.` for the same; `UNKNOWN` for those that follow."""
    address, index = fields.address(), fields.integer(4)
    if address is None:
        return
    at, length = global_object(image, address, index)
    view = Fields(image.source.read_at(at, min(length, _MOST_VIEW)), image)
    version, count = view.integer(1), view.length()
    name = view.data[view.at :].partition(b"\0")[0] if not version else b""
    found = name.decode("utf-8", "surrogateescape") if name else UNKNOWN
    if found != ".":
        yield found
    if count > 1:
        yield UNKNOWN
