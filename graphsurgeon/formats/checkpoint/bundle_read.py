"""Tensor bundles, the V2 checkpoints: an index of entries over shards of values.

Reading takes the index alone. It survives entries that make no sense: they are kept in `Bundle.problems`,
and their values raise when they are asked for. Only a table or header that cannot be read is an error.
Source: `tensorflow/core/protobuf/tensor_bundle.proto` and `tensor_bundle.cc`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from graphsurgeon.disk import crc32c
from graphsurgeon.disk.checked import CheckedRange
from graphsurgeon.disk.files import (
    BLOCK,
    FileRange,
    Progress,
    SourceFile,
    contained,
    is_file,
    open_source,
)
from graphsurgeon.encoding.orderedcode import MAX_RANK, Extent, decode_slice_key
from graphsurgeon.encoding.sstable import SSTable
from graphsurgeon.errors import FileError, FormatError
from graphsurgeon.formats import schema
from graphsurgeon.formats.checkpoint.bundle_payload import checked_span, decode_strings, payload_checksum, swap_bytes
from graphsurgeon.formats.checkpoint.slices import Slice, SlicedSource, resolve, slice_shape
from graphsurgeon.formats.graph import objectgraph
from graphsurgeon.model.checkpoint import OBJECT_GRAPH_KEY, Checkpoint, Variable
from graphsurgeon.model.collector import collector_off
from graphsurgeon.model.dtype import STRING, VARIANT, DType
from graphsurgeon.model.finding import RESTORE, Finding
from graphsurgeon.model.objects import ObjectGraph
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

HEADER_KEY = b""
BIG = 1  # BundleHeaderProto.Endianness
PRODUCER = 1  # the version of the format that TensorFlow writes


class BundleEntry:
    """One `BundleEntryProto`.

    Attributes:
        key: as stored; of a slice the ordered code of name and extents.
        label: the key as text.
        slice_of: name and extents, if this is a slice.
        raw: the serialized message.
        shard, offset, size: where the bytes lie, as the file says.
        expected_size: bytes that dtype and shape ask for; None where they do not determine them.
        checksum: masked CRC32C of the stored bytes.
        slices: extents of the slices; empty for an ordinary entry.
    """

    __slots__ = (
        "checksum",
        "dtype",
        "expected_size",
        "key",
        "label",
        "offset",
        "raw",
        "shape",
        "shard",
        "size",
        "slice_of",
        "slices",
    )

    def __init__(self, key: bytes, raw: bytes, message: Any) -> None:
        self.key = key
        self.slice_of = decode_slice_key(key)
        self.label = _spelled(key, self.slice_of)
        self.raw = raw
        self.dtype = DType.of(message.dtype)
        self.shape = _shape(tuple([dim.size for dim in message.shape.dim]))  # passed over: a rank called unknown
        self.shard: int = message.shard_id
        self.offset: int = message.offset
        self.size: int = message.size
        count = self.shape.num_elements
        self.expected_size = count * self.dtype.itemsize if count is not None and self.dtype.bits else None
        self.checksum: int = message.crc32c
        self.slices: list[tuple[Extent, ...]] = [read_extents(part) for part in message.slices]


@lru_cache(1024)
def _shape(dims: tuple[int, ...]) -> Shape:
    return Shape(dims)


def read_extents(message: Any) -> tuple[Extent, ...]:
    """Return start and length (-1 for all) in every dimension of a `TensorSliceProto`."""
    return tuple((extent.start, extent.length if extent.HasField("length") else -1) for extent in message.extent)


class Bundle:
    """The index of a V2 checkpoint and the shards beside it; the CheckpointSource of its Checkpoint.

    Attributes:
        folder, basename: the files are `basename.index` and `basename.data-00000-of-00001` in the folder.
        root: the model's folder, where that is another one: links may lead anywhere in it.
        index: the index file.
        header: serialized `BundleHeaderProto`.
        num_shards: as the header says.
        big_endian: the values lie in big-endian order.
        entries: every entry by its key as stored, in file order, slices and the object graph included.
        problems: what was wrong with the index.
        lost: keys of entries that could not be read, or not told apart, and would be lost by a rewrite.
        tensors: the tensors that were read, by key.
        trackable: the `TrackableObjectGraph` once it was read.
    """

    def __init__(self, index: SourceFile, folder: Path, basename: str, root: Path | None = None) -> None:
        self.folder = folder
        self.root = root
        self.basename = basename
        self.index = index
        self.problems: list[Finding] = []
        self.entries: dict[bytes, BundleEntry] = {}
        self.lost: list[str] = []
        self.tensors: dict[str, Tensor] = {}
        self.trackable: Any = None
        self._slices: dict[bytes, list[tuple[list[Extent], BundleEntry]]] = {}
        self._shards: dict[int, SourceFile] = {}
        table = SSTable(index)
        self._read_header(table)
        self._read_entries(table)
        self.is_damaged = bool(table.damaged)
        for offset in table.damaged:
            what = f"the block at byte {offset} does not match its checksum: names and shapes may be wrong"
            self.report(index.path.name, what)

    def report(self, where: str, what: str, hint: str = RESTORE) -> None:
        """Keep a problem of the index."""
        self.problems.append(Finding("error", where, what, hint))

    def shard_name(self, shard: int) -> str:
        """Return the file name of a shard."""
        return f"{self.basename}.data-{shard:05d}-of-{self.num_shards:05d}"

    def shard(self, shard: int) -> SourceFile:
        """Return a shard.

        Raises:
            FileError: it is missing or unreadable.
            FormatError: the bundle has no shard of that number, or a link leads outside its folder.
        """
        if shard not in self._shards:
            if not 0 <= shard < self.num_shards:
                raise FormatError(f"names shard {shard} of {self.num_shards}", path=self.index.path)
            self._shards[shard] = open_source(contained(self.folder, self.shard_name(shard), self.root))
        return self._shards[shard]

    def stored(self, entry: BundleEntry) -> FileRange:
        """Return the bytes of an entry.

        Raises:
            FileError: the shard is missing.
            FormatError: the entry does not lie inside the shard, or the index is damaged.
        """
        if self.is_damaged:
            raise FormatError("does not match its checksum, so that values cannot be found", path=self.index.path)
        try:
            return FileRange(self.shard(entry.shard), entry.offset, entry.size)
        except FormatError as error:
            raise FormatError(f"{entry.label}: {error.message}", path=error.path, hint=error.hint) from error

    def slices(self, entry: BundleEntry) -> list[tuple[tuple[Extent, ...], BundleEntry | None]]:
        """Return the slices of a partitioned entry: extents, and the slice's own entry where it was found."""
        stored: dict[tuple[Extent, ...] | None, BundleEntry] = {}
        for extents, part in self._slices.get(entry.key, []):
            stored.setdefault(resolve(extents, entry.shape), part)
        wanted = [resolve(extents, entry.shape) for extents in entry.slices]
        return [(extents, stored.get(extents)) for extents in wanted if extents is not None]

    def orphans(self) -> Iterator[BundleEntry]:
        """Yield slices that no entry asks for."""
        for name, parts in self._slices.items():
            entry = self.entries.get(name)
            asked = {id(part) for _, part in self.slices(entry)} if entry is not None else set()
            for _, part in parts:
                if id(part) not in asked:
                    yield part

    def objects(self, checkpoint: Checkpoint) -> ObjectGraph | None:
        """Lift the object graph of a TF2 checkpoint. Reads its entry; None where there is none or it cannot be read."""
        entry = self.entries.get(OBJECT_GRAPH_KEY.encode())
        if entry is None:
            return None
        try:
            BundleSource(self, entry).verify()
            strings = decode_strings(self.stored(entry), 1)
            self.trackable = objectgraph.parse_trackable(strings[0])
        except FileError as error:
            self.report(OBJECT_GRAPH_KEY, f"the object graph cannot be read: {error}")
            return None
        return objectgraph.lift_trackable(self.trackable)

    def damaged(self, checkpoint: Checkpoint, progress: Progress | None = None) -> dict[str, str]:
        """Return key -> what is wrong with the values of each variable that cannot be trusted. Reads them all."""
        from graphsurgeon.formats.checkpoint import bundle_check

        return bundle_check.damaged(checkpoint, progress)

    def respelled_objects(self, data: bytes, respell: Callable[[str], str], in_saver: Callable[[str], str]) -> bytes:
        """Return a serialized object graph with other checkpoint keys, and other names for registered savers."""
        return objectgraph.respelled(data, respell, in_saver)

    def serialized_objects(self, checkpoint: Checkpoint) -> bytes:
        """Return the object graph as it would be written; empty if there is none."""
        return objectgraph.serialize_trackable(checkpoint.objects) if checkpoint.objects is not None else b""

    def graph_beside(self, checkpoint: Checkpoint) -> str:
        """Return the path of the `.meta` that belongs to the checkpoint, empty if none lies beside it."""
        from graphsurgeon.formats.checkpoint import find

        return find.graph_beside(checkpoint.prefix)

    def _read_header(self, table: SSTable) -> None:
        raw = table.get(HEADER_KEY)
        header = schema.parse("tensorflow.BundleHeaderProto", raw) if raw is not None else self._in_its_place(table)
        if header is None:
            raise FormatError("a table without a header entry is no checkpoint", path=self.index.path)
        self.header: bytes = raw if raw is not None else header.SerializeToString()
        self.num_shards: int = header.num_shards
        self.big_endian: bool = header.endianness == BIG
        if header.version.min_consumer > PRODUCER:
            what = f"asks for a reader of version {header.version.min_consumer}, {PRODUCER} is the newest known"
            self.report(self.index.path.name, what, "values may be misunderstood")

    def _in_its_place(self, table: SSTable) -> Any:
        """Return what TensorFlow takes for the header where there is none; None where that is nonsense.

        It is the first entry, whose dtype then is the number of shards.
        """
        _, first = next(iter(table), (b"", b""))
        try:
            header = schema.parse("tensorflow.BundleHeaderProto", first)
        except FormatError:
            return None
        if not first or not is_file(self.folder / f"{self.basename}.data-00000-of-{header.num_shards:05d}"):
            return None
        what = "it has no header; the first entry, which TensorFlow takes for one, happens to say the right thing"
        self.problems.append(Finding("warning", self.index.path.name, what, "any edit writes one"))
        header = schema.message("tensorflow.BundleHeaderProto")(num_shards=header.num_shards)
        header.version.producer = PRODUCER
        return header

    def _read_entries(self, table: SSTable) -> None:
        last = HEADER_KEY
        for key, raw in table:
            if key == HEADER_KEY:
                continue
            if key <= last:
                self.report(label(key), "is not in sorted order: TensorFlow may not find it")
            last = key
            try:
                entry = BundleEntry(key, raw, schema.parse("tensorflow.BundleEntryProto", raw))
            except FormatError as error:
                self._lose(key, error.message)
                continue
            if key in self.entries:
                self._lose(key, "is there twice; the first one counts")
                continue
            self.entries[key] = entry
            if entry.slice_of is not None:
                name, extents = entry.slice_of
                self._slices.setdefault(name, []).append((extents, entry))

    def _lose(self, key: bytes, what: str) -> None:
        self.lost.append(label(key))
        self.report(label(key), what)


def read_bundle(index: SourceFile, folder: Path, basename: str, root: Path | None = None) -> Checkpoint:
    """Return the Checkpoint of an index; values stay in the shards. `root` is the model's folder; see Bundle.

    Raises:
        FormatError: the table or its header cannot be read.
    """
    variables: dict[str, Variable] = {}
    with collector_off():
        bundle = Bundle(index, folder, basename, root)
        for entry in bundle.entries.values():
            if entry.slice_of is None and entry.label != OBJECT_GRAPH_KEY:
                variable = lift_variable(bundle, entry)
                variables[variable.key] = variable
                bundle.tensors[variable.key] = variable.tensor
    return Checkpoint(os.path.join(folder, basename), 2, variables, bundle)


def lift_variable(bundle: Bundle, entry: BundleEntry) -> Variable:
    """Return the Variable of an entry."""
    where = entry.label
    if not entry.shape.is_static or (entry.shape.rank or 0) > MAX_RANK:
        bundle.report(where, f"its shape {entry.shape} is not fully known")
    if not entry.slices:
        return Variable(where, Tensor(entry.dtype, entry.shape, BundleSource(bundle, entry)), raw=entry)
    slices = [
        Slice(extents, BundleSource(bundle, part, slice_shape(extents)) if part is not None else None)
        for extents, part in bundle.slices(entry)
    ]
    if len(slices) < len(entry.slices):
        bundle.report(where, f"{len(entry.slices) - len(slices)} of its slices lie outside its shape {entry.shape}")
    source = SlicedSource(where, entry.dtype, entry.shape, slices)
    return Variable(where, Tensor(entry.dtype, entry.shape, source), slices=len(entry.slices), raw=entry)


def label(key: bytes) -> str:
    """Return a key as text: bytes that are no UTF-8 are escaped; of a slice name and extents."""
    return _spelled(key, decode_slice_key(key))


def _spelled(key: bytes, sliced: tuple[bytes, list[Extent]] | None) -> str:
    if sliced is None:
        return key.decode("utf-8", "backslashreplace")
    extents = ",".join("all" if length < 0 else f"{start}:{start + length}" for start, length in sliced[1])
    return f"{sliced[0].decode('utf-8', 'backslashreplace')} [{extents}]"


class BundleSource:
    """Values of one entry.

    Attributes:
        shape: for a slice, the shape that its key asks for; the entry's own must hold as many elements.
    """

    __slots__ = ("bundle", "entry", "shape")

    def __init__(self, bundle: Bundle, entry: BundleEntry, shape: Shape | None = None) -> None:
        self.bundle = bundle
        self.entry = entry
        self.shape = shape or entry.shape

    @property
    def nbytes(self) -> int:
        """Bytes as stored."""
        return self.entry.size

    @property
    def num_elements(self) -> int:
        """Number of elements; the entry's shape and the one asked for must agree on it."""
        count = self.shape.num_elements
        if count is None or (self.shape is not self.entry.shape and self.entry.shape.num_elements != count):
            raise FormatError(f"{self.entry.label}: stored with shape {self.entry.shape}, {self.shape} is asked for")
        return count

    def chunks(self, block: int = BLOCK) -> Iterator[bytes]:
        """Yield the little-endian bytes of all elements. Reads the file."""
        stored, dtype = self._stored(), self.entry.dtype
        if dtype in (STRING, VARIANT):
            raise FormatError(f"{self.entry.label}: a tensor of type {dtype} has no fixed-size elements")
        for start in range(0, stored.length, block):
            chunk = stored.part(start, min(block, stored.length - start)).read()
            yield swap_bytes(chunk, dtype) if self.bundle.big_endian else chunk

    def strings(self) -> list[bytes]:
        """Return all elements of a string tensor. Reads the file."""
        return decode_strings(self._stored(), self.num_elements)

    def ranges(self) -> list[FileRange] | None:
        """Return where the little-endian bytes lie; None for strings, variants and big-endian values."""
        dtype = self.entry.dtype
        if not dtype.itemsize or (self.bundle.big_endian and dtype.itemsize > 1):
            return None
        return [self._stored()]

    def checked_ranges(self) -> list[FileRange] | None:
        """Return the same, as ranges that compare their checksum when they are read."""
        ranges = self.ranges()
        return ranges and [self.checked()]

    def checked(self) -> FileRange:
        """Return the bytes as they are stored, compared when they are read. Reads lengths of strings, and variants.

        Raises:
            FormatError: strings or variants do not have the form they should have, or variants do not match.
        """
        entry, stored, big_endian = self.entry, self._stored(), self.bundle.big_endian
        what = entry.label
        span = checked_span(stored, entry.dtype, self.num_elements, entry.checksum, what, big_endian=big_endian)
        if span is None:
            self.verify()
        return CheckedRange(stored, [span]) if span is not None else stored

    def verify(self) -> None:
        """Compare the checksum. Reads the file.

        Raises:
            FormatError: the stored bytes do not match it.
        """
        if self.checksum() != self.entry.checksum:
            stored = self._stored()
            what = f"the {stored.length} bytes at byte {stored.offset} do not match their checksum"
            raise FormatError(f"{self.entry.label}: {what}", path=stored.file.path, hint=RESTORE)

    def checksum(self) -> int:
        """Return the masked CRC32C of the stored bytes. Reads the file."""
        entry = self.entry
        count = self.num_elements
        return crc32c.mask(payload_checksum(self._stored(), entry.dtype, count, big_endian=self.bundle.big_endian))

    @property
    def has_its_size(self) -> bool:
        """Say whether as many bytes are stored as dtype and shape take, where these say that."""
        return self.entry.expected_size in (None, self.entry.size)

    def _stored(self) -> FileRange:
        entry, expected = self.entry, self.entry.expected_size
        if not self.has_its_size:
            raise FormatError(
                f"{entry.label}: {entry.size} bytes stored, {entry.dtype} of shape {entry.shape} takes {expected}",
                path=self.bundle.index.path,
            )
        if not entry.size and not entry.dtype.bits and self.num_elements:
            raise FormatError(f"{entry.label}: no bytes stored for shape {entry.shape}", path=self.bundle.index.path)
        return self.bundle.stored(entry)
