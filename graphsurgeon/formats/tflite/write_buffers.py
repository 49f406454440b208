"""The buffers of a TFLite model that is written: old ones keep their numbers, new ones come behind.

Numbers stay, for some metadata names buffers by them; a buffer that nothing uses any more is emptied. Data that
lay behind the FlatBuffer stays behind it, and all data goes there where a FlatBuffer could not hold it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from graphsurgeon.disk.files import BLOCK, Computed, FileRange
from graphsurgeon.encoding.flatbuffer.read import LIMIT
from graphsurgeon.encoding.flatbuffer.write import PAYLOAD, Payload, Record
from graphsurgeon.formats.tflite.buffers import BufferSource
from graphsurgeon.formats.tflite.elements import packed_chunks, packed_size, string_buffer
from graphsurgeon.formats.tflite.schema import schema
from graphsurgeon.model.dtype import STRING

if TYPE_CHECKING:
    from graphsurgeon.formats.tflite.read import TfliteModelSource
    from graphsurgeon.model.tensor import Tensor

_MARGIN = 64 << 20  # bytes that everything but data may take of a FlatBuffer


class BufferTable:
    """The `buffers` of the model to be written.

    Attributes:
        records: by number.
    """

    def __init__(self, source: TfliteModelSource) -> None:
        self.source = source
        self.type = schema().table("Buffer")
        self.records = [Record(self.type, table) for table in source.buffers.tables]
        self._made: dict[object, tuple[Tensor, int]] = {}

    def number(self, tensor: Tensor) -> int:
        """Return the buffer that holds a tensor's data, made if there is none yet."""
        source = tensor.source
        if isinstance(source, BufferSource) and source.buffers is self.source.buffers and source.index >= 0:
            return source.index
        key = (source.storage if isinstance(source, BufferSource) else None) or id(tensor)
        if key not in self._made:
            self._made[key] = tensor, self.add(stored(tensor))
        return self._made[key][1]

    def add(self, data: bytes | Payload) -> int:
        """Add a buffer; return its number."""
        if not self.records:
            self.records.append(Record(self.type))  # number 0 is the empty one
        record = Record(self.type)
        if not isinstance(data, bytes) or data:
            record.changes["data"] = data
        self.records.append(record)
        return len(self.records) - 1

    def put(self, number: int, tensor: Tensor) -> None:
        """Give a buffer that one tensor alone has another tensor's data."""
        if id(tensor) not in self._made:
            self._made[id(tensor)] = tensor, number
            self.replace(number, stored(tensor))

    def replace(self, number: int, data: bytes | Payload) -> None:
        """Give a buffer other data."""
        self._empty(number)
        self.records[number].changes["data"] = data

    def drop_unused(self, before: Counter[int], after: Counter[int]) -> None:
        """Empty the buffers that were mentioned when the model was read and are no more."""
        for number in before:
            if number and not after[number] and number < len(self.records) and self.source.buffers.extent(number)[1]:
                self._empty(number)

    def place(self) -> None:
        """Let data that lies, or must lie, behind the FlatBuffer be written there. For a model that is written."""
        inside = [self._inside(number) for number in range(len(self.records))]
        is_large = sum(inside) > LIMIT - _MARGIN
        for number, record in enumerate(self.records):
            if is_large and inside[number] >= PAYLOAD:
                self._send_behind(number)
            elif record.base is not None and "offset" not in record.changes and self._lies_behind(number):
                place = FileRange(self.source.file, *self.source.buffers.extent(number))
                record.moves["offset"] = Payload.of(place)

    def _empty(self, number: int) -> None:
        self.records[number].changes = {
            name: None for name in ("data", "offset", "size") if self.source.buffers.tables[number].place(name)
        }

    def _inside(self, number: int) -> int:
        """Return the bytes that a buffer takes of the FlatBuffer."""
        record = self.records[number]
        if "data" in record.changes:
            data = record.changes["data"]
            return 0 if data is None else data.size if isinstance(data, Payload) else len(data)
        return 0 if self._lies_behind(number) else self.source.buffers.extent(number)[1]

    def _lies_behind(self, number: int) -> bool:
        table = self.records[number].base
        if table is None:
            return False
        return self.source.buffers.extent(number)[1] > 0 and not (table.extent("data") or (0, 0))[1]

    def _send_behind(self, number: int) -> None:
        record = self.records[number]
        data = record.changes.get("data")
        if data is None:
            payload = Payload.of(FileRange(self.source.file, *self.source.buffers.extent(number)))
        else:
            payload = data if isinstance(data, Payload) else Payload([data])
        record.changes = {"data": None, "offset": payload, "size": payload.size}


def stored(tensor: Tensor) -> bytes | Payload:
    """Return a tensor's data as TFLite stores it; that of another TFLite file stays there until it is copied."""
    source = tensor.source
    if isinstance(source, BufferSource) and source.sparsity is None and not source.external:
        return Payload.of(source.range())
    if tensor.dtype is STRING:
        return string_buffer(tensor.source.strings())
    if 0 < tensor.dtype.bits < 8:
        size = packed_size(tensor.num_elements, tensor.dtype.bits)
        return _streamed(size, lambda: packed_chunks(tensor.chunks(), tensor.dtype))
    ranges: list[FileRange] | None = getattr(source, "ranges", lambda: None)()
    return Payload(list(ranges)) if ranges and tensor.nbytes >= PAYLOAD else _streamed(tensor.nbytes, tensor.chunks)


def _streamed(size: int, chunks: Callable[[], Iterator[bytes]]) -> bytes | Payload:
    """Return bytes; many of them are made when they are written."""
    computed = Computed(size, chunks)
    return Payload([computed]) if size > BLOCK else computed.read()
