"""A TFLite file as a Model: one MetaGraph, subgraph 0 its main graph, the other subgraphs its functions."""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from graphsurgeon.disk.files import SourceFile, open_source
from graphsurgeon.encoding.appended_zip import AppendedZip, find_zip, unsafe_names
from graphsurgeon.encoding.flatbuffer.read import BufferImage
from graphsurgeon.errors import FormatError, UnsupportedError, plural
from graphsurgeon.formats import registry
from graphsurgeon.formats.bare_source import BareSource
from graphsurgeon.formats.tflite import metadata as tflite_metadata
from graphsurgeon.formats.tflite.behind import is_cut_off, unexplained
from graphsurgeon.formats.tflite.buffers import Buffers
from graphsurgeon.formats.tflite.graph import SubgraphSource
from graphsurgeon.formats.tflite.schema import CUSTOM, operator_codes, operator_name, schema
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Collection, MetaGraph, Signature, SignatureEntry, TakenIn, subgraph_names
from graphsurgeon.model.model import Model

if TYPE_CHECKING:
    from graphsurgeon.encoding.flatbuffer.read import Table, Tables

_OLDEST_WITH_BUFFERS = 3  # schema.fbs, "Version 3: Move constant tensor data out of the Tensor object"
_FEW = 5  # names that are told
_OLDEST = 1  # version 0 had no subgraphs


class Operator(NamedTuple):
    """An operator code of the model."""

    name: str
    code: int
    custom: bytes
    version: int


class TfliteModelSource(BareSource):
    """MetaGraphSource over a `Model`.

    Attributes:
        file, image, root: the file, its address space, its `Model` table.
        version: of the schema.
        buffers: where constants lie.
        subgraphs: as they were read, by index.
        archive: the ZIP archive of associated files behind the model, None if there is none.
        taken_in: other files whose operators the subgraphs hold.
    """

    __slots__ = (
        "_edges", "_operators", "archive", "buffers", "drops_codes", "file", "image", "root", "subgraphs", "taken_in",
        "version",
    )  # fmt: skip

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.image = BufferImage(file, schema())
        root = self.image.root("Model")
        self.version: int = root.get("version")
        is_old = self.version < _OLDEST_WITH_BUFFERS and not root.place("buffers")
        self.root = self.image.root("OldModel") if is_old else root
        if is_old and (self.version < _OLDEST or not root.place("subgraphs")):
            raise UnsupportedError(f"schema version {self.version} of TFLite is not read", path=file.path)
        self.buffers = Buffers(self.root, file)
        self.subgraphs: list[Graph] = []
        self.taken_in: list[TfliteModelSource] = []
        self.archive: AppendedZip | None = find_zip(file)
        self.drops_codes = False
        self._operators: list[Operator] | None = None
        self._edges: list[list[list[tuple[int, int]]] | None] = []

    def operators(self) -> list[Operator]:
        """Return the operator codes."""
        if self._operators is None:
            self._operators = [_operator(table) for table in self.root.tables("operator_codes")]
        return self._operators

    def operator(self, index: int) -> Operator:
        """Return an operator code; one for an index that points at nothing is named by it."""
        known = self.operators()
        return known[index] if index < len(known) else Operator(f"#{index}", -1, b"", 0)

    def drop_unused_codes(self, metagraph: MetaGraph) -> list[str]:
        """Write no operator codes any more that no operator has; return them, with their versions."""
        from graphsurgeon.formats.tflite.write import OperatorCodes

        codes = OperatorCodes(self)
        used = {codes.index_of(node) for graph in metagraph.graphs for node in graph.nodes}
        unused = [one for number, one in enumerate(self.operators()) if number not in used]
        self.drops_codes = bool(unused) and max(used, default=0) < len(codes.records)
        return [f"{one.name} version {one.version}" for one in unused] if self.drops_codes else []

    def control_edges(self) -> list[list[tuple[int, int]]] | None:
        """Return the control edges of each subgraph, None where the model tells none."""
        if not self._edges:
            counts = [len(table.tables("operators")) for table in self.root.tables("subgraphs")]
            self._edges.append(tflite_metadata.control_edges(self.root, self.buffers, counts))
        return self._edges[0]

    def signatures(self, metagraph: MetaGraph) -> dict[str, Signature]:
        """Lift `signature_defs`; a key that repeats gets the signature's number behind it."""
        self.image.spent = 0
        tables = list(self.signature_tables())
        keys = unique_keys([table.text("signature_key") for table in tables])
        return {key: self._signature(table, metagraph) for key, table in zip(keys, tables, strict=True)}

    def signature_tables(self) -> Tables | tuple[()]:
        """Return the signatures as stored, empty for schema versions that have none."""
        has_signatures = self.root.type is not None and "signature_defs" in self.root.type.fields
        return self.root.tables("signature_defs") if has_signatures else ()

    def collections(self, metagraph: MetaGraph) -> dict[str, Collection]:
        """Lift the metadata."""
        return tflite_metadata.collections(self.root, self.buffers)

    def take_in(self, metagraph: MetaGraph, other: MetaGraph) -> TakenIn:
        """Enter tensors and operators of the first subgraph of another model into the first one, and its subgraphs."""
        from graphsurgeon.formats.tflite.take_in import take_in

        return take_in(self, metagraph, other)

    def _signature(self, table: Table, metagraph: MetaGraph) -> Signature:
        key, index = table.text("signature_key"), table.get("subgraph_index")
        graph = self.subgraphs[index] if index < len(self.subgraphs) else metagraph.graph
        is_dangling = index >= len(self.subgraphs)
        entries = []
        for side in ("inputs", "outputs"):
            maps = list(table.tables(side))
            names = unique_keys([item.text("name") for item in maps])
            places = [f"signature {key}, {side[:-1]} {name}" for name in names]
            lifted = [_entry(item, graph, where, is_dangling) for item, where in zip(maps, places, strict=True)]
            entries.append(dict(zip(names, lifted, strict=True)))
        return Signature(key, graph, entries[0], entries[1], raw=table)


def read(path: Path) -> Model:
    """Read a TFLite model; tensors and operators are lifted when they are asked for.

    Raises:
        FormatError: the FlatBuffer is broken.
        FileError: the file is missing or unreadable.
        UnsupportedError: its schema is older than subgraphs are.
    """
    file = open_source(path)
    try:
        source = TfliteModelSource(file)
        model = Model(registry.TFLITE_MODEL, str(path), source)
        model.metagraphs = [_metagraph(source)]
        model.files = {str(path): file.size, **source.buffers.files()}
        model.notes = _notes(source)
    except FormatError as error:
        raise error.at(path) from error
    return model


def unique_keys(names: list[str]) -> list[str]:
    """Return names that can be keys: one that is there already gets its number behind it, `name#2`."""
    seen: set[str] = set()
    found = []
    for number, name in enumerate(names):
        key = name
        while key in seen:
            key = f"{key}#{number}"
        seen.add(key)
        found.append(key)
    return found


def _metagraph(source: TfliteModelSource) -> MetaGraph:
    metagraph = MetaGraph(source, vocabulary=TFLITE)
    metagraph.producer = {
        "tensorflow": None,
        "description": source.root.text("description") or None,
        "schema_version": source.version,
        **tflite_metadata.facts(source.root, source.buffers),
    }
    tables = list(source.root.tables("subgraphs"))
    names = subgraph_names([table.text("name") for table in tables])
    for index, (table, unique) in enumerate(zip(tables, names, strict=True)):
        graph = Graph(metagraph, "subgraph", unique, SubgraphSource(source, index, table, unique))
        source.subgraphs.append(graph)
        if index:
            metagraph.functions[unique] = graph
    metagraph.graph = source.subgraphs[0] if source.subgraphs else Graph(metagraph, "subgraph")
    return metagraph


def _operator(table: Table) -> Operator:
    code = max(table.get("deprecated_builtin_code"), table.get("builtin_code"))
    custom = table.get("custom_code") or b""
    is_custom = code == operator_codes()[CUSTOM]
    name = custom.decode("utf-8", "surrogateescape") if is_custom and custom else operator_name(code)
    return Operator(name, code, custom, table.get("version"))


def _entry(table: Table, graph: Graph, where: str, is_dangling: bool) -> SignatureEntry:
    index = table.get("tensor_index")
    if is_dangling or index >= len(graph.values):
        return SignatureEntry(Mention("tensor", f"#{index}", graph, where), None, None, raw=table)
    value = graph.values[index]
    return SignatureEntry(Mention.of(value, where), value.dtype, value.shape, raw=table)


def told_of_archive(names: Sized) -> str:
    """Return what is told of the archive of files that a model was read with."""
    return f"{plural(len(names), 'associated file')} in a ZIP archive behind the model"


def _notes(source: TfliteModelSource) -> list[str]:
    notes = []
    outside = [i for i in range(len(source.buffers.tables)) if sum(source.buffers.extent(i)) > source.file.size]
    if outside:
        what = f"buffer {outside[0]} lies" if len(outside) == 1 else f"{len(outside)} buffers lie"
        notes.append(f"{what} beyond the end of the file: it is cut short, values are missing")
    notes += [f"values in another file: {error.message}" for error in source.buffers.outside()]
    if not source.subgraphs:
        notes.append("the model has no subgraph")
    if source.archive is not None and source.archive.names:
        names = source.archive.names
        notes.append(told_of_archive(names))
        notes += [f"a file of the archive is named {name!r}: do not unpack it" for name in unsafe_names(names)[:_FEW]]
    rest = unexplained(source)
    if rest is not None and is_cut_off(source, rest):
        notes.append(f"the archive behind the model, from byte {rest[0]:,} on, has no end: the file is cut off")
    elif rest is not None:
        notes.append(
            f"{plural(rest[1] - rest[0], 'byte')} behind the model that no field of it places, from byte {rest[0]:,} on"
        )
    return notes
