"""Where the values of TFLite tensors lie, and how their bytes become elements.

A buffer's bytes are a vector inside the FlatBuffer, a range behind it (`offset` and `size`), or a range of
another file (external buffers). They are looked at only when values are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graphsurgeon.disk.files import FileRange, SourceFile, contained, open_source
from graphsurgeon.errors import FormatError, GraphSurgeonError
from graphsurgeon.formats.tflite.elements import dense_elements, packed_size, string_elements, unpacked_chunks
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from graphsurgeon.encoding.flatbuffer.read import Table

NOWHERE = (0, 0)
_FILE_START = 1  # the schema: an offset is valid if larger


class Buffers:
    """The buffers of a model and the external ones.

    Attributes:
        tables: the `buffers` of the model, empty for schema versions before 3.
    """

    __slots__ = ("_extents", "_external", "_files", "file", "root", "tables")

    def __init__(self, root: Table, file: SourceFile) -> None:
        self.root = root
        self.file = file
        has_buffers = root.type is not None and "buffers" in root.type.fields
        self.tables = root.tables("buffers") if has_buffers else ()
        self._extents: dict[int, tuple[int, int]] = {}
        self._external: dict[int, Table] | None = None if has_buffers else {}
        self._files: dict[str, SourceFile] = {}

    def extent(self, index: int) -> tuple[int, int]:
        """Return offset in the file and length of a buffer's bytes as claimed, length 0 if it has none."""
        found = self._extents.get(index)
        if found is None:
            found = self._extents[index] = self._find(index)
        return found

    def external(self) -> dict[int, Table]:
        """Return the external buffers by id."""
        if self._external is None:
            self._external = {}
            for table in self.root.tables("external_buffers"):
                self._external.setdefault(table.get("id"), table)
        return self._external

    def external_file(self, table: Table) -> SourceFile:
        """Return the file in which an external buffer lies.

        Raises:
            FormatError: its name leads outside the model's folder.
            FileError: it is missing or unreadable.
        """
        groups = self.root.tables("external_buffer_groups")
        number = table.get("group")
        if number >= len(groups):
            raise FormatError(f"external buffer {table.get('id')} is in group {number} of {len(groups)}")
        name = groups[number].text("name")
        if name not in self._files:
            self._files[name] = open_source(contained(self.file.path.parent, name))
        return self._files[name]

    def external_range(self, identifier: int) -> FileRange:
        """Return the bytes of an external buffer. Raises as `external_file`."""
        table = self.external().get(identifier)
        if table is None:
            raise FormatError(f"there is no external buffer {identifier}", path=self.file.path)
        return FileRange(self.external_file(table), table.get("offset"), table.get("length"))

    def files(self) -> dict[str, int]:
        """Return path -> bytes of the other files that hold values, those that can be had."""
        found: dict[str, int] = {}
        for table in self.external().values():
            try:
                file = self.external_file(table)
            except GraphSurgeonError:  # a missing file is reported by `check`, and when its values are asked for
                continue
            found[str(file.path)] = file.size
        return found

    def outside(self) -> list[FormatError]:
        """Return why external buffers cannot be followed whose file would lie outside the model's folder."""
        errors = [error for table in self.external().values() if (error := self._why_outside(table)) is not None]
        return list({str(error): error for error in errors}.values())

    def _why_outside(self, table: Table) -> FormatError | None:
        try:
            self.external_file(table)
        except FormatError as error:
            return error
        except GraphSurgeonError:  # a missing file does not lie outside
            return None
        return None

    def is_empty_list(self, index: int) -> bool:
        """Say whether a buffer has data, of no bytes; interpreters take that for values all the same."""
        return 0 <= index < len(self.tables) and (self.tables[index].extent("data") or (0, 1))[1] == 0

    def _find(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self.tables):
            return NOWHERE
        table = self.tables[index]
        inside = table.extent("data")
        if inside is not None and inside[1]:
            return inside
        offset, size = table.get("offset"), table.get("size")
        return (offset, size) if offset > _FILE_START and size else NOWHERE


class BufferSource:
    """Elements of a constant, as a `TensorSource`.

    Attributes:
        buffers: of the model.
        index: number of the buffer, -1 if the bytes lie elsewhere.
        external: id of an external buffer, 0 if it is none.
        place: offset and length of bytes in the model's file.
        sparsity: how the values of a sparse tensor are spread, None for a dense one.
    """

    __slots__ = ("buffers", "dtype", "external", "index", "place", "shape", "sparsity")

    def __init__(
        self,
        buffers: Buffers,
        place: tuple[int, int],
        dtype: DType,
        shape: Shape,
        *,
        index: int = -1,
        external: int = 0,
        sparsity: Table | None = None,
    ) -> None:
        self.buffers = buffers
        self.place = place
        self.dtype = dtype
        self.shape = shape
        self.index = index
        self.external = external
        self.sparsity = sparsity

    @property
    def nbytes(self) -> int:
        """Bytes as stored."""
        if self.external:
            table = self.buffers.external().get(self.external)
            return table.get("length") if table is not None else 0
        return self.place[1]

    @property
    def storage(self) -> tuple[object, ...] | None:
        """Which bytes of which model they are; None for those of a sparse tensor, which only it can read."""
        return None if self.sparsity is not None else (id(self.buffers), self.index, self.external, self.place)

    def range(self) -> FileRange:
        """Return the bytes as stored.

        Raises:
            FormatError: they lie outside the file.
            FileError: the other file that holds them is missing or unreadable.
        """
        if self.external:
            return self.buffers.external_range(self.external)
        offset, length = self.place
        if offset + length > self.buffers.file.size:
            raise FormatError(
                f"buffer {self.index}: bytes {offset} to {offset + length} lie beyond the end of the file",
                path=self.buffers.file.path,
                hint="the file is cut short; get it again",
            )
        return FileRange(self.buffers.file, offset, length)

    def chunks(self) -> Iterator[bytes]:
        """Yield the elements, dense, one per byte if they are smaller."""
        stored = self.range()
        count = self.shape.num_elements or 0
        if self.sparsity is not None:
            yield dense_elements(self.sparsity, self.shape, self.dtype, stored.chunks())
        elif 0 < self.dtype.bits < 8 and stored.length <= packed_size(count, self.dtype.bits):
            yield from unpacked_chunks(stored.chunks(), self.dtype, count)
        else:
            yield from stored.chunks()

    def strings(self) -> list[bytes]:
        """Return the elements of a string tensor."""
        return string_elements(self.range().read())


def constant(buffers: Buffers, table: Table, dtype: DType, shape: Shape) -> Tensor | None:
    """Return the data of a tensor, None if it has none."""
    if table.type is not None and "data_buffer" in table.type.fields:  # schema versions before 3
        place = table.extent("data_buffer") or NOWHERE
        return Tensor(dtype, shape, BufferSource(buffers, place, dtype, shape)) if place[1] else None
    sparsity = table.get("sparsity")
    if external := table.get("external_buffer"):
        return Tensor(dtype, shape, BufferSource(buffers, NOWHERE, dtype, shape, external=external, sparsity=sparsity))
    index = table.get("buffer")
    place = buffers.extent(index) if index else NOWHERE
    if not place[1]:
        return None
    return Tensor(dtype, shape, BufferSource(buffers, place, dtype, shape, index=index, sparsity=sparsity))
