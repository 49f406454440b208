"""V1 checkpoints, read only: one table per file that holds the values of all slices as `TensorProto`s.

Source: `tensorflow/core/util/saved_tensor_slice.proto` and `tensor_slice_reader.cc`. The value of a slice is
read when it is asked for, one table block at a time; the format limits it to 2 GB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphsurgeon.disk.files import BLOCK, FileRange, Progress, SourceFile
from graphsurgeon.encoding.orderedcode import Extent, encode_slice_key
from graphsurgeon.encoding.protowire import fields
from graphsurgeon.encoding.sstable import SSTable
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats import schema
from graphsurgeon.formats.checkpoint.bundle_read import read_extents
from graphsurgeon.formats.checkpoint.slices import Slice, SlicedSource, resolve, slice_shape
from graphsurgeon.formats.graph.values.tensorproto import read_shape, read_tensor, write_shape
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import RESTORE, Finding
from graphsurgeon.model.objects import ObjectGraph
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

META_KEY = b""
_DATA, _SLICE_TENSOR = 2, 3  # SavedTensorSlices.data, SavedSlice.data
_FIXED = {"float32": 5, "float64": 6, "complex64": 9, "complex128": 12}  # fields whose packed form is plain bytes


class TableSet:
    """The files of a V1 checkpoint; the CheckpointSource of its Checkpoint.

    Attributes:
        files: one table each.
        problems: what was wrong with them.
        tensors: the tensors that were read, by key.
    """

    def __init__(self, files: list[SourceFile]) -> None:
        self.files = files
        self.problems: list[Finding] = []
        self.tensors: dict[str, Tensor] = {}
        self.tables = [SSTable(file) for file in files]

    def objects(self, checkpoint: Checkpoint) -> ObjectGraph | None:
        """Return None: the format is older than object graphs."""
        return None

    def damaged(self, checkpoint: Checkpoint, progress: Progress | None = None) -> dict[str, str]:
        """Refuse: the values of a table cannot be told apart from its index.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError("of a checkpoint of version 1 nothing is left out")

    def respelled_objects(self, data: bytes, respell: Callable[[str], str], in_saver: Callable[[str], str]) -> bytes:
        """Return the data as they are: the format is older than object graphs."""
        return data

    def serialized_objects(self, checkpoint: Checkpoint) -> bytes:
        """Return nothing: the format is older than object graphs."""
        return b""

    def graph_beside(self, checkpoint: Checkpoint) -> str:
        """Return the path of the `.meta` that belongs to the checkpoint, empty if none lies beside it."""
        from graphsurgeon.formats.checkpoint import find

        return find.graph_beside(checkpoint.prefix)

    def report(self, where: str, what: str, hint: str = RESTORE) -> None:
        """Keep a problem."""
        self.problems.append(Finding("error", where, what, hint))


class _Found:
    """What the files say of one tensor."""

    def __init__(self, shape: Shape, dtype: DType) -> None:
        self.shape = shape
        self.dtype = dtype
        self.slices: dict[tuple[Extent, ...], tuple[SSTable, tuple[Extent, ...]]] = {}


def is_v1(header: bytes) -> bool:
    """Say whether the value of a table's empty key is that of a V1 checkpoint: its first field is a message."""
    return header[:1] == b"\x0a"


def read_v1(files: list[SourceFile], prefix: str) -> Checkpoint:
    """Return the Checkpoint that one file holds, or several that were saved together.

    Raises:
        FormatError: a table or its list of tensors cannot be read.
    """
    tables = TableSet(files)
    found: dict[str, _Found] = {}
    for table in tables.tables:
        _read_meta(table, tables, found)
    variables = {name: _lift(name, entry) for name, entry in found.items()}
    tables.tensors = {name: variable.tensor for name, variable in variables.items()}
    for table in tables.tables:
        for offset in table.damaged:
            tables.problems.append(damaged_block(table.file.path.name, offset))
    return Checkpoint(prefix, 1, variables, tables)


def verify_tables(tables: TableSet, progress: Progress | None = None) -> list[Finding]:
    """Read every block; return those that do not match their checksum."""
    found: list[Finding] = []
    total = sum(file.size for file in tables.files)
    done = 0
    for table in tables.tables:

        def report(offset: int, before: int = done) -> None:
            if progress is not None:
                progress(before + offset, total)

        name = table.file.path.name
        try:
            table.verify(report)
        except FormatError as error:
            found.append(Finding("error", name, error.message, RESTORE))
        found += [damaged_block(name, offset) for offset in table.damaged]
        done += table.file.size
    return found


def damaged_block(name: str, offset: int) -> Finding:
    """Return the problem of a block that does not match its checksum."""
    return Finding("error", name, f"the block at byte {offset} does not match its checksum", RESTORE)


def _read_meta(table: SSTable, tables: TableSet, found: dict[str, _Found]) -> None:
    raw = table.get(META_KEY)
    try:
        message = schema.parse("tensorflow.SavedTensorSlices", raw or b"")
    except FormatError as error:
        raise error.at(table.file.path) from error
    for meta in message.meta.tensor:
        shape, dtype = read_shape(meta.shape), DType.of(meta.type)
        entry = found.setdefault(meta.name, _Found(shape, dtype))
        if (entry.shape, entry.dtype) != (shape, dtype):
            tables.report(meta.name, f"is {entry.dtype} {entry.shape} in one file and {dtype} {shape} in another")
            continue
        for part in meta.slice:
            stored = read_extents(part)
            resolved = resolve(stored, shape)
            if resolved is None:
                tables.report(meta.name, f"a slice of it lies outside its shape {shape}")
            else:
                entry.slices.setdefault(resolved, (table, stored))


def _lift(name: str, entry: _Found) -> Variable:
    slices = [
        Slice(extents, SliceValue(table, name, stored, entry.dtype, slice_shape(extents)))
        for extents, (table, stored) in entry.slices.items()
    ]
    whole = SlicedSource(name, entry.dtype, entry.shape, slices)
    is_partitioned = [part.extents for part in slices] != [tuple((0, dim) for dim in entry.shape)]
    return Variable(name, Tensor(entry.dtype, entry.shape, whole), slices=len(slices) if is_partitioned else 0)


class SliceValue:
    """Values of one slice in a table."""

    __slots__ = ("dtype", "extents", "name", "shape", "table")

    def __init__(self, table: SSTable, name: str, extents: tuple[Extent, ...], dtype: DType, shape: Shape) -> None:
        self.table = table
        self.name = name
        self.extents = extents
        self.dtype = dtype
        self.shape = shape

    @property
    def nbytes(self) -> int:
        """Bytes of all elements; of strings their own."""
        return (
            (self.shape.num_elements or 0) * self.dtype.itemsize if self.dtype.bits else sum(map(len, self.strings()))
        )

    def chunks(self, block: int = BLOCK) -> Iterator[bytes]:
        """Yield the little-endian bytes of all elements. Reads the slice's block."""
        stored = self._tensor()
        packed = _FIXED.get(self.dtype.base.name)
        if packed is not None:
            data = b"".join(value for number, value in fields(stored) if number == packed and isinstance(value, bytes))
            if len(data) != self.nbytes:
                raise FormatError(f"{self.name}: {len(data)} bytes stored for {self.dtype} of shape {self.shape}")
            for start in range(0, len(data), block):
                yield data[start : start + block]
        else:
            yield from self._parsed(stored).chunks()

    def strings(self) -> list[bytes]:
        """Return all elements of a string tensor. Reads the slice's block."""
        return [bytes(item) for item in self._parsed(self._tensor()).items()]

    def ranges(self) -> list[FileRange] | None:
        """Return None: blocks may be compressed, and carry checksums of their own."""
        return None

    def checked_ranges(self) -> list[FileRange] | None:
        """Return None, as `ranges`."""
        return None

    def verify(self) -> None:
        """Compare the checksum of the slice's block. Reads it.

        Raises:
            FormatError: it, or another block read before, does not match.
        """
        self._tensor()
        if self.table.damaged:
            what = f"{self.name}: the block at byte {self.table.damaged[-1]} does not match its checksum"
            raise FormatError(what, path=self.table.file.path, hint=RESTORE)

    def _parsed(self, stored: bytes) -> Tensor:
        message = schema.parse("tensorflow.TensorProto", stored)
        message.dtype = self.dtype.number
        write_shape(self.shape, message.tensor_shape)
        return read_tensor(message, [])

    def _tensor(self) -> bytes:
        """Return the serialized `TensorProto`, in which dtype and shape are left out."""
        value = self.table.get(encode_slice_key(self.name.encode(), self.extents), may_be_large=True)
        if value is None:
            raise FormatError(f"{self.name}: the values of a slice are missing", path=self.table.file.path)
        stored = _field(_field(value, _DATA), _SLICE_TENSOR)
        if (self.shape.num_elements or 0) > len(stored):  # an element takes a byte at least
            raise FormatError(f"{self.name}: {len(stored)} bytes stored for {self.dtype} of shape {self.shape}")
        return stored


def _field(message: bytes, number: int) -> bytes:
    return next((value for found, value in fields(message) if found == number and isinstance(value, bytes)), b"")
