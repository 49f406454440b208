"""What a TFLite model tells MediaPipe Tasks of itself: `TFLITE_METADATA`, kept in step with inputs and outputs.

Its lists run parallel to the inputs and outputs of the first subgraph, by place (not by the order of a signature).
MediaPipe refuses a model whose output list has another length, and dies on an empty list of subgraphs. The files
that it names (labels, vocabularies) are members of the ZIP archive behind the model.
Spec: `metadata_schema.fbs` of the TFLite Support Library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from graphsurgeon.disk.files import rope_chunks
from graphsurgeon.encoding.flatbuffer.read import BufferImage, Table
from graphsurgeon.encoding.flatbuffer.schema import Schema
from graphsurgeon.encoding.flatbuffer.unknown import UnknownFields
from graphsurgeon.encoding.flatbuffer.write import Record, emit
from graphsurgeon.errors import FormatError, plural
from graphsurgeon.formats.schema import tflite_tables
from graphsurgeon.model.node import Value

NAME = "TFLITE_METADATA"
IDENTIFIER = b"M001"
SIDES = ("input", "output")
_DEEPEST = 8  # tables below each other: the schema has six

Place = int | str  # of a tensor: where it stood among the inputs or outputs, or the name of one that was not there


@dataclass(frozen=True)
class Sides:
    """How the inputs and outputs of a subgraph came about.

    Attributes:
        subgraph: its number when the model was read.
        counts: how many inputs and outputs it had then.
        places: for each input and for each output of today where it stood, or the name of a new one.
    """

    subgraph: int
    counts: tuple[int, int]
    places: tuple[Sequence[Place], Sequence[Place]]

    @property
    def is_same(self) -> bool:
        """Say whether all is as it was."""
        pairs = zip(self.places, self.counts, strict=True)
        return self.subgraph == 0 and all(list(places) == list(range(count)) for places, count in pairs)


class Described(bytes):
    """Metadata that was made while a model is edited, and the inputs and outputs that it describes.

    Attributes:
        inputs, outputs: the tensors to which its lists run parallel.
        files: name -> bytes of a file to be put into the archive behind the model.
    """

    inputs: Sequence[Value]
    outputs: Sequence[Value]
    files: Mapping[str, bytes]


@cache
def schema() -> Schema:
    """Return the schema of the metadata."""
    return Schema(tflite_tables("tflite_metadata"))


def root_of(data: bytes) -> Table | None:
    """Return the `ModelMetadata`, all of which can be read; None where the bytes are something else, or broken."""
    if data[4:8] != IDENTIFIER:
        return None
    try:
        root = BufferImage(data, schema()).root("ModelMetadata")
        _look_at(root, _DEEPEST)
        root.image.spent = 0
    except FormatError:  # metadata by somebody else: no fact, no fault
        return None
    return root


def _look_at(table: Table, depth: int) -> None:
    """Decode every field of a table and of what lies below it.

    Raises:
        FormatError: one cannot be.
    """
    for field in table.type.by_id.values() if table.type is not None and depth else ():
        value = table.get(field.name)
        if isinstance(value, Table):
            _look_at(value, depth - 1)
        elif field.kind == "tables":
            for inner in value or ():
                _look_at(inner, depth - 1)


def packed(record: Record) -> bytes:
    """Return the bytes of a `ModelMetadata`."""
    unknown = UnknownFields(record.base, record.base.image.size) if record.base is not None else None
    return b"".join(rope_chunks(emit(record, IDENTIFIER, unknown)))


def in_step(data: bytes, sides: Sides) -> bytes | None:
    """Return metadata whose lists run parallel to inputs and outputs as they are now.

    Entries of tensors that stay are kept as they are; a new tensor gets one with its name. A list that is not there
    stays so.

    Args:
        data: the metadata as it was.
        sides: what has become of the inputs and outputs of the subgraph that is the first one now.

    Returns:
        The bytes, `data` itself where nothing is to change, None where the metadata tells nothing of the subgraph.
    """
    root = root_of(data)
    if root is None or sides.is_same:
        return data
    described = root.tables("subgraph_metadata")
    if sides.subgraph >= len(described):
        return None if sides.subgraph else data
    record = Record(root.type, root)  # type: ignore[arg-type]
    subgraph = Record(schema().table("SubGraphMetadata"), described[sides.subgraph])
    for side, count, places in zip(SIDES, sides.counts, sides.places, strict=True):
        _place_side(subgraph, side, count, places)
    record.parts["subgraph_metadata"] = [subgraph]
    return packed(record)


def faults(data: bytes, counts: tuple[int, int]) -> list[tuple[Literal["error", "warning"], str]]:
    """Say what MediaPipe Tasks would not take, measured with its release 1.2.

    Args:
        data: the metadata.
        counts: inputs and outputs of the first subgraph.
    """
    root = root_of(data)
    if root is None:
        return []
    described = root.tables("subgraph_metadata")
    if not described:
        there = root.place("subgraph_metadata")
        return [("error", "its list of subgraphs is empty: MediaPipe dies on it")] if there else []
    found: list[tuple[Literal["error", "warning"], str]] = []
    for side, count in zip(SIDES, counts, strict=True):
        field = f"{side}_tensor_metadata"
        told = len(described[0].tables(field))
        if not described[0].place(field) or told == count:
            continue
        is_surplus = side == "input" and told > count  # not looked at
        what = f"it describes {plural(told, side)}, the model has {count}"
        found.append(("warning" if is_surplus else "error", what))
    return found


def file_names(data: bytes) -> set[str]:
    """Return the names of all files that metadata names, wherever in it."""
    root = root_of(data)
    return {table.text("name") for table in _files(root, _DEEPEST)} if root is not None else set()


def _place_side(subgraph: Record, side: str, count: int, places: Sequence[Place]) -> None:
    field = f"{side}_tensor_metadata"
    assert subgraph.base is not None
    if not subgraph.base.place(field) or list(places) == list(range(count)):
        return
    before = list(subgraph.base.tables(field))
    type_ = schema().table("TensorMetadata")
    after = []
    for place in places:
        known = isinstance(place, int) and place < len(before)
        entry = Record(type_, before[place] if known else None)  # type: ignore[index]
        if isinstance(place, str):
            entry.set("name", place.encode("utf-8", "surrogateescape"))
        after.append(entry)
    subgraph.parts[field] = after + [Record(type_, entry) for entry in before[count:]]
    kept = {place for place in places if isinstance(place, int)}
    stay = {entry.text("name") for number, entry in enumerate(before) if number in kept or number >= count}
    gone = {entry.text("name") for number, entry in enumerate(before) if number not in kept and number < count}
    _ungroup(subgraph, f"{side}_tensor_groups", gone - stay)


def _ungroup(subgraph: Record, field: str, gone: set[str]) -> None:
    """Take tensors out of the groups that name them; a group of none goes too."""
    groups = []
    assert subgraph.base is not None
    before = list(subgraph.base.tables(field))
    for table in before:
        record = Record(schema().table("TensorGroup"), table)
        names = table.get("tensor_names") or []
        left = [name for name in names if name.decode("utf-8", "surrogateescape") not in gone]
        if len(left) != len(names):
            record.set("tensor_names", left)
        if left or not names:
            groups.append(record)
    if len(groups) != len(before) or any(record.is_changed() for record in groups):
        subgraph.parts[field] = groups


def _files(table: Table, depth: int) -> Iterator[Table]:
    """Yield the `AssociatedFile` tables below a table."""
    if depth == 0 or table.type is None:
        return
    if table.type.name == "AssociatedFile":
        yield table
        return
    for field in table.type.by_id.values():
        if field.kind in ("table", "union"):
            inner = table.get(field.name)
            if inner is not None:
                yield from _files(inner, depth - 1)
        elif field.kind == "tables":
            for inner in table.tables(field.name):
                yield from _files(inner, depth - 1)
