"""The metadata of a TFLite model that is written: entries as they are now, and what they mention by index."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from graphsurgeon.encoding.flatbuffer.write import Record
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats.tflite import metadata as tflite_metadata
from graphsurgeon.formats.tflite import support
from graphsurgeon.formats.tflite.attrs import is_of
from graphsurgeon.formats.tflite.described import bytes_of, sides_of
from graphsurgeon.formats.tflite.metadata import ARENA_OFFSETS, CONTROL_DEPENDENCIES, Edge
from graphsurgeon.formats.tflite.schema import schema
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import CollectionItem
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from graphsurgeon.formats.tflite.write import ModelLowering

_COMPRESSION = "COMPRESSION_METADATA"  # of TFLite Micro: names tensors and buffers by index
_ARENA_HEAD = struct.Struct("<3i")  # version, subgraph, number of tensors
_ARENA_UNPLANNED = -1
_MOST = 1 << 24  # bytes of an entry that is read to be written anew


def lower(model: ModelLowering) -> list[Record]:
    """Return the `Metadata` entries; their buffers are brought up to date."""
    _check_compression(model)
    edges = _edges(model)
    records: list[Record] = []
    has_support = False
    for name, item in _items(model):
        if name == support.NAME and not has_support:
            has_support = True
            records += _support(model, item)
            continue
        records.append(_entry(model, name, item))
        if name == CONTROL_DEPENDENCIES and edges is not None:
            _replace(model, records[-1], tflite_metadata.encode_edges(edges))
        elif name == ARENA_OFFSETS:
            _lower_arena(model, records[-1])
    if not has_support:  # it was taken away, with the files that it names
        old = next((index for name, index in tflite_metadata.entries(model.source.root) if name == support.NAME), None)
        data = tflite_metadata.content(model.source.buffers, old, _MOST) if old is not None else b""
        model.dropped_files = support.file_names(data)
    if edges is not None and any(edges) and not any(name == CONTROL_DEPENDENCIES for name, _ in _items(model)):
        record = Record(schema().table("Metadata"))
        record.set("name", CONTROL_DEPENDENCIES.encode())
        record.set("buffer", model.buffers.add(tflite_metadata.encode_edges(edges)))
        records.append(record)
    return records


def _support(model: ModelLowering, item: CollectionItem) -> list[Record]:
    """Return the entry of what MediaPipe reads, in step with inputs and outputs; none if it tells of none of them."""
    record = _entry(model, support.NAME, item)
    before = bytes_of(item)
    after = support.in_step(before, sides_of(model.metagraph, item)) if model.graphs else before
    had = support.file_names(item.raw.tensor.tobytes()) if item.raw is not None else set()
    has = support.file_names(after) if after is not None else set()
    model.dropped_files = had - has
    files = item.value.files if isinstance(item.value, support.Described) else {}
    model.added_files = {name: data for name, data in files.items() if name in has}
    if after is None:
        return []
    if after != before:
        _replace(model, record, after)
    return [record]


def _items(model: ModelLowering) -> Iterator[tuple[str, CollectionItem]]:
    """Yield the entries, old ones in file order, then new ones."""
    kinds = tflite_metadata.KIND
    pairs = [(key, item) for key, c in model.metagraph.collections.items() if c.kind == kinds for item in c.items]
    old = [pair for pair in pairs if pair[1].raw is not None]
    yield from sorted(old, key=lambda pair: pair[1].raw.number)
    yield from (pair for pair in pairs if pair[1].raw is None)


def _entry(model: ModelLowering, name: str, item: CollectionItem) -> Record:
    origin: tflite_metadata.MetadataOrigin | None = item.raw
    record = Record(schema().table("Metadata"), origin.table if origin is not None else None)
    if origin is None or origin.table.text("name") != name:
        record.set("name", name.encode("utf-8", "surrogateescape"))
    if origin is None or item.value is not origin.tensor:
        data = item.value.tobytes() if isinstance(item.value, Tensor) else item.value
        if not isinstance(data, bytes):
            raise UnsupportedError(f"metadata {name!r} holds bytes, not {type(data).__name__}")
        record.set("buffer", model.buffers.add(data))
    return record


def _replace(model: ModelLowering, record: Record, data: bytes) -> None:
    """Put other bytes into the buffer of an entry, into a new one if others use it too."""
    number = record.changes.get("buffer", record.base.get("buffer") if record.base is not None else 0)
    if number and model.mentions[number] <= 1 and number < len(model.source.buffers.tables):
        model.buffers.replace(number, data)
    else:
        record.set("buffer", model.buffers.add(data))


def _edges(model: ModelLowering) -> list[list[Edge]] | None:
    """Return the control edges of each subgraph, None if they are as they were read."""
    before = model.source.control_edges()
    if before is None and model.has_control_entry:
        return None  # not understood: kept as it is
    counts = [[] for _ in model.source.subgraphs] if before is None else before
    after = [_graph_edges(model, graph, counts) for graph in model.graphs]
    is_same = len(after) == len(counts) and all(set(a) == set(b) for a, b in zip(after, counts, strict=True))
    return None if is_same else after


def _graph_edges(model: ModelLowering, graph: Graph, before: Sequence[Sequence[Edge]]) -> list[Edge]:
    if graph not in model.lowerings:  # not looked at, so not changed
        return list(before[graph.raw.index])  # type: ignore[union-attr]
    place = {node: number for number, node in enumerate(model.lowerings[graph].nodes)}
    return [(place[first], place[node]) for node in place for first in node.controls if first in place]


def _lower_arena(model: ModelLowering, record: Record) -> None:
    """Give every tensor the offset it had in the planned arena; new ones are left to the planner."""
    data = tflite_metadata.content(model.source.buffers, record.base.get("buffer"), _MOST) if record.base else b""
    if len(data) < _ARENA_HEAD.size:
        return
    version, number, count = _ARENA_HEAD.unpack_from(data)
    old = model.source.subgraphs[number] if 0 <= number < len(model.source.subgraphs) else None
    if old not in model.lowerings or len(data) < _ARENA_HEAD.size + 4 * count or count < 0:
        return
    offsets = struct.unpack_from(f"<{count}i", data, _ARENA_HEAD.size)
    indices = [value.raw.index if is_of(value, model.source.root) else -1 for value in model.lowerings[old].values]
    new = [offsets[index] if 0 <= index < count else _ARENA_UNPLANNED for index in indices]
    if list(offsets) != new or model.subgraph_index[old] != number:
        head = _ARENA_HEAD.pack(version, model.subgraph_index[old], len(new))
        _replace(model, record, head + struct.pack(f"<{len(new)}i", *new))


def _check_compression(model: ModelLowering) -> None:
    """Refuse to renumber what compressed models name by index.

    Raises:
        UnsupportedError: tensors or subgraphs would get other indices.
    """
    if not any(name == _COMPRESSION for name, _ in _items(model)):
        return
    moved = model.has_moved or any(
        value.raw is not None and value.raw.index != number
        for lowering in model.lowerings.values()
        for number, value in enumerate(lowering.values)
    )
    if moved:
        raise UnsupportedError(
            f"metadata {_COMPRESSION} names tensors by index, and they would change", hint="keep the tensors"
        )
