"""A Checkpoint as the files of a tensor bundle.

What was not changed is copied: an untouched checkpoint file by file, else shard by shard, else range by range
with the checksum it has. Payloads never pass through memory unless they are new. The index has the bytes that
TensorFlow's writer makes for the same entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Any

from graphsurgeon.disk import crc32c
from graphsurgeon.disk.checked import CheckedRange, Span
from graphsurgeon.disk.files import BLOCK, Computed, FileRange, Rope, SourceFile, rope_chunks, rope_size
from graphsurgeon.encoding.orderedcode import encode_slice_key
from graphsurgeon.encoding.sstable import write_table
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats import schema
from graphsurgeon.formats.checkpoint import bundle_check
from graphsurgeon.formats.checkpoint.bundle_payload import encode_strings, swap_bytes
from graphsurgeon.formats.checkpoint.bundle_read import HEADER_KEY, PRODUCER, Bundle, BundleEntry, BundleSource, label
from graphsurgeon.formats.checkpoint.slices import SlicedSource
from graphsurgeon.formats.graph import objectgraph
from graphsurgeon.formats.graph.values.tensorproto import read_shape, write_shape
from graphsurgeon.model.checkpoint import OBJECT_GRAPH_KEY, Checkpoint, Variable
from graphsurgeon.model.collector import collector_off
from graphsurgeon.model.dtype import FIRST_FOREIGN, STRING
from graphsurgeon.model.shape import SCALAR
from graphsurgeon.model.tensor import StringsSource, Tensor

_OBJECTS = OBJECT_GRAPH_KEY.encode()


class _Item:
    """One entry to be written.

    Attributes:
        key: as stored.
        like: the entry that it begins as; None for one that is described anew.
        rope: its bytes; None for the entry of a partitioned tensor, which has none of its own.
        home: the entry of the source whose bytes these are, or whose place they take; None for a new one.
        kept: whose bytes these are, with the checksum they have there: those of an entry of the source, or of another
            bundle; None for new ones.
    """

    __slots__ = ("_message", "home", "kept", "key", "like", "rope")

    def __init__(
        self,
        key: bytes,
        like: BundleEntry | None,
        rope: Rope | None,
        home: BundleEntry | None = None,
        kept: BundleSource | None = None,
    ) -> None:
        self.key = key
        self.like = like
        self.rope = rope
        self.home = home
        self.kept = kept
        self._message: Any = None

    @property
    def message(self) -> Any:
        """Its `BundleEntryProto`, to be changed: few entries of many are, the others are never parsed."""
        if self._message is None:
            raw = self.like.raw if self.like is not None else b""
            self._message = schema.parse("tensorflow.BundleEntryProto", raw)
        return self._message

    def serialized(self) -> bytes:
        """Return its message: the bytes of the source where it says what they say."""
        if self._message is None and self.like is not None:
            return self.like.raw
        raw: bytes = self.message.SerializeToString()
        home = self.home.raw if self.home is not None else raw
        is_same = home == raw or self.message == schema.parse("tensorflow.BundleEntryProto", home)
        return home if is_same else raw

    def put(self, shard: int, offset: int) -> None:
        """Say where its bytes lie."""
        if self.like is None or (self.like.shard, self.like.offset) != (shard, offset):
            self.message.shard_id = shard
            self.message.offset = offset

    def describe(self, tensor: Tensor) -> None:
        """Say dtype and shape, where they are not what the entry says; a new entry is of no reference type."""
        if self.like is not None and tensor.dtype is self.like.dtype and tensor.shape is self.like.shape:
            return
        message = self.message
        if message.dtype != tensor.dtype.number:
            message.dtype = tensor.dtype.base.number
        if not message.HasField("shape") or read_shape(message.shape) != tensor.shape:
            message.ClearField("shape")
            write_shape(tensor.shape, message.shape)


def lower_bundle(checkpoint: Checkpoint, basename: str, *, avoid: frozenset[str] = frozenset()) -> dict[str, Rope]:
    """Return the files of a checkpoint by name, its `.index` last.

    Args:
        checkpoint: as read, or changed since.
        basename: what the names begin with.
        avoid: names that no data file gets: there are as many more of them, the last ones empty, as that takes.

    Raises:
        FileError: a shard is missing.
        FormatError: the source is damaged, so that its entries cannot be carried over.
    """
    source = checkpoint.raw if isinstance(checkpoint.raw, Bundle) else None
    if source is not None and is_untouched(checkpoint, source):
        files = _copied(source, basename)
        if avoid.isdisjoint(files):
            return files
    if source is not None:
        _require_whole(source, checkpoint)
    writer = _Writer(source)
    writer.avoid(basename, avoid)
    with collector_off():
        items = list(writer.items(checkpoint))
        names = {writer.shard_name(basename, number): rope for number, rope in writer.place(items).items()}
        return {**names, f"{basename}.index": [writer.index(items)]}


def is_untouched(checkpoint: Checkpoint, source: Bundle) -> bool:
    """Say whether a checkpoint is still what was read, so that its files can be copied."""
    if checkpoint.variables.keys() != source.tensors.keys() or _objects_changed(checkpoint, source):
        return False
    return all(_is_original(key, variable, source) for key, variable in checkpoint.variables.items())


def _is_original(key: str, variable: Variable, source: Bundle) -> bool:
    """Say whether a variable has the key, the values and the type that it had in the source."""
    tensor, raw = variable.tensor, variable.raw
    if source.tensors.get(key) is not tensor or not isinstance(raw, BundleEntry):
        return False
    return raw.label == key and (tensor.dtype, tensor.shape) == (raw.dtype, raw.shape)


def _objects_changed(checkpoint: Checkpoint, source: Bundle) -> bool:
    if not checkpoint.has_made_objects:
        return False
    objects = checkpoint.objects
    if objects is None:
        return source.trackable is not None
    return source.trackable is None or bool(objectgraph.lower_trackable(objects) != source.trackable)


def _copied(source: Bundle, basename: str) -> dict[str, Rope]:
    files: dict[str, Rope] = {}
    for shard in bundle_check.shards(source):
        files[basename + shard.name[len(source.basename) :]] = [source.shard(shard.number).whole()]
    return {**files, f"{basename}.index": [source.index.whole()]}


def _require_whole(source: Bundle, checkpoint: Checkpoint) -> None:
    """Refuse to rewrite what could not be read: it would be lost.

    Raises:
        FormatError: with the first such entry.
    """
    where, hint = source.index.path, "gs extract --skip-damaged saves the rest, gs check names all damage"
    if source.is_damaged:
        what = "its blocks do not match their checksums"
        raise FormatError(what, path=where, hint="only an unchanged copy can be made of it")
    if source.lost:
        raise FormatError(f"the entry {source.lost[0]!r} cannot be carried over", path=where, hint=hint)
    overlapping = bundle_check.overlaps(source)
    if overlapping:
        entry, other = overlapping[0]
        raise FormatError(f"{entry.label} overlaps with {other.label}", path=where, hint=hint)
    if checkpoint.objects is None and source.trackable is None and _OBJECTS in source.entries:
        raise FormatError("the object graph inside cannot be read, to be kept in step", path=where, hint=hint)


class _Writer:
    """Turns variables into entries, and entries into shards and an index."""

    def __init__(self, source: Bundle | None) -> None:
        self.source = source
        self.big_endian = source is not None and source.big_endian
        self.num_shards = max(source.num_shards, 1) if source is not None else 1
        self.num_filled = self.num_shards  # those behind are empty

    def avoid(self, basename: str, names: frozenset[str]) -> None:
        """Raise the number of shards, which is in the name of each, until none has one of these names."""
        while any(name.startswith(basename) and name.endswith(f"-of-{self.num_shards:05d}") for name in names):
            self.num_shards += 1

    def shard_name(self, basename: str, number: int) -> str:
        return f"{basename}.data-{number:05d}-of-{self.num_shards:05d}"

    def items(self, checkpoint: Checkpoint) -> Iterator[_Item]:
        """Yield every entry to be written: variables with their slices, the object graph, what else was there."""
        for key, variable in checkpoint.variables.items():
            yield from self._variable(key, variable)
        yield from self._objects(checkpoint)
        if self.source is not None:
            for entry in self.source.orphans():
                yield self._kept(entry.key, entry)

    def place(self, items: list[_Item]) -> dict[int, Rope]:
        """Lay the bytes of all entries out; fill in where they lie. Return each shard that has any."""
        shards: dict[int, list[_Item]] = {}
        for item in items:
            if item.rope is not None:
                shards.setdefault(item.home.shard if item.home is not None else self.num_filled - 1, []).append(item)
        before: dict[int, list[BundleEntry]] = {}
        for entry in self.source.entries.values() if self.source is not None else ():
            if not entry.slices:
                before.setdefault(entry.shard, []).append(entry)
        ropes = {}
        for number in sorted({*shards, *before, *self._idle()}):
            ropes[number] = self._shard(number, shards.get(number, []), before.get(number, []))
        for number in range(self.num_filled, self.num_shards):  # as many files as their names say
            ropes[number] = []
        return ropes

    def index(self, items: list[_Item]) -> bytes:
        """Return the index of placed entries."""
        entries = sorted([(item.key, item.serialized()) for item in items], key=itemgetter(0))
        rows = [(HEADER_KEY, self._header()), *entries]
        twice = next((label(key) for (key, _), (last, _) in pairwise(rows) if key == last), None)
        if twice is not None:
            raise FormatError(f"two entries would have the key {twice!r}", hint="rename one of them")
        return write_table(rows)

    def _header(self) -> bytes:
        if self.source is not None and self.source.num_shards == self.num_shards:
            return self.source.header
        header = schema.parse("tensorflow.BundleHeaderProto", self.source.header if self.source is not None else b"")
        header.num_shards = self.num_shards
        header.version.producer = header.version.producer or PRODUCER
        return bytes(header.SerializeToString())

    def _variable(self, key: str, variable: Variable) -> Iterator[_Item]:
        source, tensor, raw = variable.tensor.source, variable.tensor, variable.raw
        name = raw.key if isinstance(raw, BundleEntry) and raw.label == key else key.encode()
        if (
            isinstance(source, SlicedSource)
            and isinstance(raw, BundleEntry)
            and self._keeps_slices(tensor, source, raw)
        ):
            yield _Item(name, raw, None, raw)
            stored = [part.source for part in source.slices if isinstance(part.source, BundleSource)]
            for part in {part.entry.key: part for part in stored}.values():  # a damaged list may name one twice
                yield self._slice(name, part)
        else:
            yield self._whole(name, tensor, raw if isinstance(raw, BundleEntry) else None)

    def _keeps_slices(self, tensor: Tensor, source: SlicedSource, raw: BundleEntry) -> bool:
        """Say whether a partitioned tensor can be written as it is stored."""
        parts = [part.source for part in source.slices if isinstance(part.source, BundleSource)]
        same_order = all(part.bundle.big_endian == self.big_endian for part in parts)
        return bool(raw.slices) and same_order and (tensor.dtype, tensor.shape) == (raw.dtype, raw.shape)

    def _slice(self, name: bytes, source: BundleSource) -> _Item:
        _, extents = source.entry.slice_of or (b"", [])
        return self._stored(encode_slice_key(name, extents), source)

    def _require_known(self, key: bytes, tensor: Tensor) -> None:
        if tensor.dtype.number >= FIRST_FOREIGN:
            hint = "gs cast gives it another type, --match leaves it out"
            raise UnsupportedError(f"{label(key)}: TensorFlow has no type {tensor.dtype}", hint=hint)

    def _whole(self, key: bytes, tensor: Tensor, raw: BundleEntry | None) -> _Item:
        source = tensor.source
        if isinstance(source, BundleSource) and self._is_plain(tensor, source):
            return self._stored(key, source, tensor)
        self._require_known(key, tensor)
        home = raw if raw is not None and self.source is not None and self.source.entries.get(raw.key) is raw else None
        rope, checksum = self._payload(key, tensor)
        item = _Item(key, raw, rope, home if home is not None and not home.slices else None)
        del item.message.slices[:]
        item.describe(tensor)
        item.message.size, item.message.crc32c = rope_size(rope), crc32c.mask(checksum)
        return item

    def _is_plain(self, tensor: Tensor, source: BundleSource) -> bool:
        """Say whether stored bytes can stay as they are."""
        same_order = source.bundle.big_endian == self.big_endian or source.entry.dtype.itemsize == 1
        same_size = tensor.dtype.bits == source.entry.dtype.bits and tensor.shape.num_elements == source.num_elements
        return same_order and same_size

    def _stored(self, key: bytes, source: BundleSource, tensor: Tensor | None = None) -> _Item:
        if source.bundle is self.source:
            item = self._kept(key, source.entry)
        else:
            item = _Item(key, source.entry, [source.bundle.stored(source.entry)], kept=_plain(source))
        if tensor is not None:
            item.describe(tensor)
        return item

    def _kept(self, key: bytes, entry: BundleEntry) -> _Item:
        assert self.source is not None
        return _Item(key, entry, [self.source.stored(entry)], entry, BundleSource(self.source, entry))

    def _payload(self, key: bytes, tensor: Tensor) -> tuple[Rope, int]:
        tensor.verify()  # new checksums must not hide what the old ones tell
        if tensor.dtype is STRING:
            data, checksum = encode_strings([bytes(item) for item in tensor.items()], big_endian=self.big_endian)
            return [data], checksum
        if not tensor.dtype.bits:
            raise UnsupportedError(f"{label(key)}: values of type {tensor.dtype} can only be copied")
        rope = self._dense(tensor)
        if rope_size(rope) != tensor.nbytes:
            wanted = f"{tensor.dtype} of shape {tensor.shape} takes {tensor.nbytes}"
            raise FormatError(f"{label(key)}: {rope_size(rope)} bytes of values, {wanted}")
        return rope, crc32c.crc32c_of(rope_chunks(rope))

    def _dense(self, tensor: Tensor) -> Rope:
        """Return where the values lie; those that must be computed are, now if they are few, else when written."""
        ranges: list[FileRange] | None = getattr(tensor.source, "ranges", lambda: None)()
        if ranges is not None and not (self.big_endian and tensor.dtype.itemsize > 1):
            return list(ranges)

        def chunks() -> Iterator[bytes]:
            for chunk in tensor.chunks():
                yield swap_bytes(chunk, tensor.dtype) if self.big_endian else chunk

        return [b"".join(chunks())] if tensor.nbytes <= BLOCK else [Computed(tensor.nbytes, chunks)]

    def _objects(self, checkpoint: Checkpoint) -> Iterator[_Item]:
        entry = self.source.entries.get(_OBJECTS) if self.source is not None else None
        objects = checkpoint.objects
        if objects is None:
            return
        if self.source is not None and entry is not None and not _objects_changed(checkpoint, self.source):
            yield self._kept(_OBJECTS, entry)
            return
        data = objectgraph.serialize_trackable(objects)
        yield self._whole(_OBJECTS, Tensor(STRING, SCALAR, StringsSource([data])), entry)

    def _idle(self) -> list[int]:
        """Return the shards of the source that hold no entry but are there."""
        return [shard.number for shard in bundle_check.shards(self.source)] if self.source is not None else []

    def _shard(self, number: int, items: list[_Item], before: list[BundleEntry]) -> Rope:
        if self.source is not None and _same_bytes(items, before):
            for item in items:
                item.put(number, item.home.offset if item.home is not None else 0)
            return [_compared(self.source.shard(number), items)]
        rope: Rope = []
        placed: dict[tuple[int, int], int] = {}
        end = 0
        for item in sorted(items, key=_original_place):
            where = (item.home.offset, item.home.size) if item.home is not None and item.kept is not None else None
            if where is not None and where in placed:  # two entries over the same bytes
                item.put(number, placed[where])
                continue
            item.put(number, end)
            if where is not None:
                placed[where] = end
            end += _append(rope, [item.kept.checked()] if item.kept is not None else item.rope or [])
        return rope


def _plain(source: BundleSource) -> BundleSource:
    """Return the bytes of an entry as those of its own shape, not of the one that somebody asks for."""
    return BundleSource(source.bundle, source.entry)


def _compared(shard: SourceFile, items: list[_Item]) -> FileRange:
    """Return a whole shard, whose entries are compared with their checksums where it is copied."""
    spans: dict[tuple[int, int], Span] = {}
    for item in items:
        if item.kept is None:
            continue
        stored = item.kept.checked()
        where = (stored.offset, stored.length)
        if where not in spans and isinstance(stored, CheckedRange):  # others have been compared already
            spans.update((where, span._replace(start=stored.offset + span.start)) for span in stored.spans)
    return CheckedRange(shard.whole(), spans.values())


def _original_place(item: _Item) -> tuple[bool, int]:
    """Sort by the old offset, new entries behind the others."""
    return (True, 0) if item.home is None else (False, item.home.offset)


def _same_bytes(items: list[_Item], before: list[BundleEntry]) -> bool:
    """Say whether a shard keeps every byte range it has, and gets no other."""
    kept = {(item.home.offset, item.home.size) for item in items if item.home is not None and item.kept is not None}
    are_home = all(item.kept is not None and item.home is not None for item in items)
    return are_home and kept == {(entry.offset, entry.size) for entry in before}


def _append(rope: Rope, pieces: Rope) -> int:
    """Append pieces, joining ranges that follow each other in one file; return their bytes."""
    for piece in pieces:
        last = rope[-1] if rope else None
        are_plain = type(piece) is FileRange and type(last) is FileRange
        if are_plain and isinstance(piece, FileRange) and isinstance(last, FileRange) and _follows(piece, last):
            rope[-1] = FileRange(last.file, last.offset, last.length + piece.length)
        else:
            rope.append(piece)
    return rope_size(pieces)


def _follows(piece: FileRange, last: FileRange) -> bool:
    return piece.file is last.file and last.offset + last.length == piece.offset
