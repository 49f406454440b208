"""Metadata of a TFLite model: named buffers, of which some mention operators and tensors.

`model_control_dependencies` are the control edges between operators; they become `Node.controls`. The
converter's and the runtime's version become facts about the producer. Everything else stays bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from graphsurgeon.encoding.flatbuffer.read import BufferImage
from graphsurgeon.encoding.protowire import encode_varint, packed
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.tflite.buffers import Buffers, BufferSource
from graphsurgeon.formats.tflite.schema import schema
from graphsurgeon.model.dtype import UINT8
from graphsurgeon.model.metagraph import Collection, CollectionItem
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from graphsurgeon.encoding.flatbuffer.read import Table, Tables

KIND = "metadata"  # of the Collection that stands for the entries of one name
CONTROL_DEPENDENCIES = "model_control_dependencies"
MIN_RUNTIME_VERSION = "min_runtime_version"
CONVERSION = "CONVERSION_METADATA"
ARENA_OFFSETS = "OfflineMemoryAllocation"  # of TFLite Micro: one offset per tensor
_CONTROL_VERSION = 1
_FACT_LIMIT = 1 << 16  # bytes; more than any fact about the producer takes
_EDGES_LIMIT = 1 << 22  # bytes; a million edges

Edge = tuple[int, int]  # operator indices: the first runs before the second


class MetadataOrigin(NamedTuple):
    """What `CollectionItem.raw` holds: the entry as it was read."""

    number: int
    table: Table
    tensor: Tensor


def collections(root: Table, buffers: Buffers) -> dict[str, Collection]:
    """Return the metadata by name; the value of each item is a lazy tensor of its bytes."""
    found: dict[str, Collection] = {}
    for number, table in enumerate(tables(root)):
        name, index = table.text("name"), table.get("buffer")
        place = buffers.extent(index)
        shape = Shape([place[1]])
        tensor = Tensor(UINT8, shape, BufferSource(buffers, place, UINT8, shape, index=index))
        item = CollectionItem("", {}, tensor, MetadataOrigin(number, table, tensor))
        found.setdefault(name, Collection(name, KIND, [])).items.append(item)
    return found


def tables(root: Table) -> Tables | tuple[()]:
    """Return the entries, empty for schema versions that have none."""
    return root.tables("metadata") if root.type is not None and "metadata" in root.type.fields else ()


def entries(root: Table) -> Iterator[tuple[str, int]]:
    """Yield name and buffer of each entry."""
    for table in tables(root):
        yield table.text("name"), table.get("buffer")


def facts(root: Table, buffers: Buffers) -> dict[str, str]:
    """Return what the metadata tells of the producer: "tensorflow" and "min_runtime_version", where it is there."""
    found: dict[str, str] = {}
    for name, index in entries(root):
        if name not in (MIN_RUNTIME_VERSION, CONVERSION):
            continue
        data = content(buffers, index, _FACT_LIMIT)
        if name == MIN_RUNTIME_VERSION and data:
            found["min_runtime_version"] = data.partition(b"\0")[0].decode("utf-8", "replace")
        elif data and (version := _converter_version(data)):
            found["tensorflow"] = version
    return found


def content(buffers: Buffers, index: int, limit: int) -> bytes:
    """Return the bytes of a buffer, empty if there are none, more than the limit, or some beyond the file."""
    offset, length = buffers.extent(index)
    if length > limit or offset + length > buffers.file.size:
        return b""
    return buffers.file.read_at(offset, length)


def control_edges(root: Table, buffers: Buffers, counts: Sequence[int]) -> list[list[Edge]] | None:
    """Return the control edges of each subgraph; None where there are none, or none that can be understood.

    Args:
        root: the model.
        buffers: of the model.
        counts: number of operators of each subgraph.
    """
    index = next((index for name, index in entries(root) if name == CONTROL_DEPENDENCIES), None)
    if index is None:
        return None
    decoded = decode_edges(content(buffers, index, _EDGES_LIMIT))
    if decoded is None or len(decoded) != len(counts):
        return None
    fits = all(0 <= a < n and 0 <= b < n for edges, n in zip(decoded, counts, strict=True) for a, b in edges)
    return decoded if fits else None


def decode_edges(data: bytes) -> list[list[Edge]] | None:
    """Return the edges of each subgraph from the bytes of `model_control_dependencies`, None if they are broken."""
    numbers = packed(data)
    try:
        if next(numbers) != _CONTROL_VERSION:
            return None
        found = []
        for _ in range(_count(next(numbers), data)):
            pairs = range(_count(next(numbers), data))
            found.append([(_unzigzag(next(numbers)), _unzigzag(next(numbers))) for _ in pairs])
    except (StopIteration, ValueError, FormatError):
        return None
    return found if next(numbers, None) is None else None


def encode_edges(edges: Sequence[Sequence[Edge]]) -> bytes:
    """Return the bytes of `model_control_dependencies`."""
    out = bytearray()
    out += encode_varint(_CONTROL_VERSION)
    out += encode_varint(len(edges))
    for pairs in edges:
        out += encode_varint(len(pairs))
        for pair in pairs:
            for number in pair:
                out += encode_varint(number << 1 if number >= 0 else (-number << 1) - 1)
    return bytes(out)


def _converter_version(data: bytes) -> str:
    try:
        environment = BufferImage(data, schema()).root("ConversionMetadata").get("environment")
        return environment.text("tensorflow_version") if environment is not None else ""
    except FormatError:  # an entry of this name by somebody else: no fact, no fault
        return ""


def _unzigzag(number: int) -> int:
    return (number >> 1) ^ -(number & 1)


def _count(number: int, data: bytes) -> int:
    if number > len(data):
        raise ValueError("a count beyond the bytes there are")
    return number
