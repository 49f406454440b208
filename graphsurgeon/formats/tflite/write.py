"""A TFLite Model back to its file: whatever changed is lowered onto the tables as they were read.

A model in which nothing changed is the very file. Otherwise the FlatBuffer is laid out anew, aligned as its
schema asks, and what followed it in the file (an archive of associated files) follows it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from graphsurgeon.disk.files import FileRange, Rope, rope_size
from graphsurgeon.encoding.appended_zip import new_zip
from graphsurgeon.encoding.flatbuffer.unknown import UnknownFields
from graphsurgeon.encoding.flatbuffer.write import Record, emit
from graphsurgeon.errors import FormatError, UnsupportedError, UsageError
from graphsurgeon.formats.tflite import write_metadata
from graphsurgeon.formats.tflite.behind import data_behind, unexplained
from graphsurgeon.formats.tflite.buffers import BufferSource
from graphsurgeon.formats.tflite.metadata import CONTROL_DEPENDENCIES, entries
from graphsurgeon.formats.tflite.read import Operator, TfliteModelSource, unique_keys
from graphsurgeon.formats.tflite.schema import CUSTOM, PLACEHOLDER, UNKNOWN_OPERATOR, operator_codes, schema
from graphsurgeon.formats.tflite.write_buffers import BufferTable
from graphsurgeon.formats.tflite.write_graph import SubgraphLowering, kept_operator
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.node import Value

if TYPE_CHECKING:
    from graphsurgeon.encoding.flatbuffer.read import Table
    from graphsurgeon.encoding.flatbuffer.schema import TableType

# The version that a new operator needs where it is not the first: DEQUANTIZE of int8, BROADCAST_TO at all.
_FIRST_VERSION = {"BROADCAST_TO": 2, "DEQUANTIZE": 2}
_IDENTIFIERS = (b"TFL3", b"TFL2", b"TFL1")
_ALIGN = 16  # `force_align` of the buffers in tensorflow/lite/schema/schema.fbs


class ModelLowering:
    """A Model on its way to a Record.

    Attributes:
        source: the file as it was read.
        graphs, subgraph_index: the subgraphs in the order in which they are written, and their places.
        has_moved: whether a subgraph has another place than it had.
        signatures: by key.
        lowerings: of the subgraphs that have been looked at.
        mentions: number of a buffer -> how often tensors and metadata of the file mention it.
        has_control_entry: whether the file tells control edges.
        dropped_files, added_files: members of the archive behind the model: those that only removed tensors needed,
            and new ones.
    """

    def __init__(self, model: Model) -> None:
        self.source: TfliteModelSource = model.raw
        self.source.image.spent = 0
        (self.metagraph,) = model.metagraphs
        self.graphs = list(self.metagraph.graphs)
        if self.metagraph.graph.raw is None and not self.metagraph.graph.values:
            del self.graphs[0]  # stands for the main subgraph of a model that has none
        self.subgraph_index = {graph: number for number, graph in enumerate(self.graphs)}
        self._held: set[int] | None = None
        self.has_moved = self.graphs != self.source.subgraphs
        self.has_control_entry = any(name == CONTROL_DEPENDENCIES for name, _ in entries(self.source.root))
        self.dropped_files: set[str] = set()
        self.added_files: dict[str, bytes] = {}
        self.buffers = BufferTable(self.source)
        self.codes = OperatorCodes(self.source)
        self.mentions = Counter(_mentioned_buffers(self.source))
        self.signatures = self.metagraph.signatures  # lifts the subgraphs that they name
        if self.has_moved or self.source.drops_codes:
            for graph in self.graphs:
                len(graph.values)  # lifts it: its operators may mention a subgraph or a code that moved
        if self.source.drops_codes:
            self.codes.drop_unused(node for graph in self.graphs for node in graph.nodes)
        self.lowerings = {graph: SubgraphLowering(graph, self) for graph in self.graphs if graph.is_lifted}

    def type_of(self, name: str) -> TableType:
        """Return the type of a table, in the schema version of the file."""
        root = self.source.root.type
        return schema().table(f"Old{name}" if root is not None and root.name == "OldModel" else name)

    def record(self) -> Record:
        """Return the `Model`."""
        record = Record(self.type_of("Model"), self.source.root)
        description = self.metagraph.producer.get("description")
        if (description or "") != self.source.root.text("description"):
            record.set("description", (description or "").encode("utf-8", "surrogateescape"))
        record.parts["subgraphs"] = [self._subgraph(graph) for graph in self.graphs]
        record.parts["operator_codes"] = self.codes.records
        if "signature_defs" in record.type.fields:
            record.parts["signature_defs"] = list(self._signatures())
            record.parts["metadata"] = write_metadata.lower(self)
            record.parts["buffers"] = self.buffers.records
        elif self.signatures or self.metagraph.collections:
            raise UnsupportedError(f"schema version {self.source.version} of TFLite holds no signatures or metadata")
        if record.is_changed() and "buffers" in record.type.fields:
            self.buffers.drop_unused(self.mentions, self._mentions_now(record))
            self.buffers.place()
        return record

    def own_buffer(self, value: Value) -> int:
        """Return the buffer that a tensor was read with, if its new data may go there; 0 if others have it too."""
        before = value.raw.tensor.source if value.raw.tensor is not None else None
        after = value.tensor.source if value.tensor is not None else None
        if not isinstance(before, BufferSource) or before.index <= 0 or isinstance(after, BufferSource):
            return 0
        if self._held is None:
            values = [one for graph in self.graphs if graph.is_lifted for one in graph.values]
            sources = [one.tensor.source for one in values if one.tensor is not None]
            own = [one for one in sources if isinstance(one, BufferSource) and one.buffers is before.buffers]
            self._held = {one.index for one in own}
        return 0 if before.index in self._held or self.mentions[before.index] != 1 else before.index

    def _subgraph(self, graph: Graph) -> Record:
        if graph in self.lowerings:
            return self.lowerings[graph].lower()
        base: Table = graph.raw.table  # type: ignore[union-attr]
        record = Record(self.type_of("SubGraph"), base)
        if graph.name != graph.raw.name:  # type: ignore[union-attr]
            record.set("name", graph.name.encode("utf-8", "surrogateescape"))
        if any(operator.place("large_custom_options_offset") for operator in base.tables("operators")):
            record.parts["operators"] = [kept_operator(operator) for operator in base.tables("operators")]
        return record

    def _signatures(self) -> Iterator[Record]:
        before = list(self.source.signature_tables())
        keys = unique_keys([table.text("signature_key") for table in before])
        read_as = {table.at: key for table, key in zip(before, keys, strict=True)}
        for key, signature in self.signatures.items():
            base = signature.raw
            record = Record(schema().table("SignatureDef"), base)
            if base is None or key != read_as.get(base.at):
                record.set("signature_key", key.encode("utf-8", "surrogateescape"))
            self._set_subgraph(record, key, signature)
            record.parts["inputs"] = list(self._tensor_maps(signature, "inputs"))
            record.parts["outputs"] = list(self._tensor_maps(signature, "outputs"))
            yield record

    def _set_subgraph(self, record: Record, key: str, signature: Signature) -> None:
        before = record.base.get("subgraph_index") if record.base is not None else 0
        if before >= len(self.source.subgraphs) and signature.graph is self.metagraph.graph:
            return  # it pointed at nothing and still does
        if signature.graph not in self.subgraph_index:
            raise UsageError(f"signature {key!r} is of a subgraph that the model no longer has")
        record.set("subgraph_index", self.subgraph_index[signature.graph])

    def _tensor_maps(self, signature: Signature, side: str) -> Iterator[Record]:
        before = list(signature.raw.tables(side)) if signature.raw is not None else []
        names = unique_keys([table.text("name") for table in before])
        read_as = {table.at: name for table, name in zip(before, names, strict=True)}
        for name, entry in getattr(signature, side).items():
            base = entry.raw
            record = Record(schema().table("TensorMap"), base)
            if base is None or name != read_as.get(base.at):
                record.set("name", name.encode("utf-8", "surrogateescape"))
            record.set("tensor_index", self._tensor_index(signature, name, entry))
            yield record

    def _tensor_index(self, signature: Signature, name: str, entry: SignatureEntry) -> int:
        target = entry.mention.target if entry.mention is not None else None
        if isinstance(target, Value):
            return self.lowerings[signature.graph].index_of(target)
        if entry.raw is not None:
            return int(entry.raw.get("tensor_index"))
        raise UsageError(f"signature {signature.key!r}: {name!r} names no tensor")

    def _mentions_now(self, record: Record) -> Counter[int]:
        """Count what mentions each buffer in the model to be written."""
        found: Counter[int] = Counter()
        for subgraph in record.parts["subgraphs"]:
            tensors = subgraph.parts.get("tensors")
            if tensors is None and subgraph.base is not None:
                found.update(table.get("buffer") for table in subgraph.base.tables("tensors"))
            found.update(_value_of(tensor, "buffer") for tensor in tensors or ())
        found.update(_value_of(entry, "buffer") for entry in record.parts["metadata"])
        found.update(self.source.root.scalars("metadata_buffer"))
        return found


class OperatorCodes:
    """The operator codes: old ones keep their places, new ones come behind.

    Attributes:
        records: of the model to be written.
    """

    def __init__(self, source: TfliteModelSource) -> None:
        self.source = source
        self.type = schema().table("OperatorCode")
        self.records = [Record(self.type, table) for table in source.root.tables("operator_codes")]
        self.known = list(source.operators())
        self._places: dict[int, int] | None = None

    def drop_unused(self, nodes: Iterable[Node]) -> None:
        """Leave out the codes that none of these operators, which are all that there are, has."""
        used = sorted({self._number(node) for node in nodes})
        self.records = [self.records[number] for number in used]
        self._places = {number: place for place, number in enumerate(used)}

    def is_kept(self, node: Node) -> bool:
        """Say whether an operator is still what it was read as."""
        return node.raw is not None and _read_as(node).name == node.op

    def index_of(self, node: Node) -> int:
        """Return the place of an operator's code, made if there is none yet."""
        number = self._number(node)
        return number if self._places is None else self._places[number]

    def _number(self, node: Node) -> int:
        if self.is_kept(node):
            if node.raw.image is self.source.image:
                return int(node.raw.get("opcode_index"))
            wanted = _read_as(node)
            return self._index(wanted) if wanted in self.known else self._add(wanted)
        code, custom = _code(node.op)
        same = [operator for operator in self.known if (operator.code, operator.custom) == (code, custom)]
        if same:  # the runtime that has the newest version of those the model asks for has the others too
            return self._index(max(same, key=lambda operator: operator.version))
        return self._add(Operator(node.op, code, custom, _FIRST_VERSION.get(node.op, 1)))

    def _index(self, operator: Operator) -> int:
        return self.known.index(operator)

    def _add(self, operator: Operator) -> int:
        record = Record(self.type)
        record.set("deprecated_builtin_code", min(operator.code, PLACEHOLDER))
        record.set("builtin_code", operator.code)
        record.set("version", operator.version)
        record.set("custom_code", operator.custom or None)
        self.records.append(record)
        self.known.append(operator)
        return len(self.records) - 1


def lower(model: Model) -> dict[str, Rope]:
    """Return the pieces of the file under the name ""; one piece, the file itself, if nothing changed.

    Raises:
        UsageError: an operator, output or signature mentions a tensor that its subgraph does not have.
        UnsupportedError: the model was not read from TFLite, or TFLite cannot hold it.
        FormatError: data to be copied lies outside the file.
    """
    if not isinstance(model.raw, TfliteModelSource):
        raise UnsupportedError(f"a model read from {model.format} cannot be written as TFLite", hint="convert it")
    source = model.raw
    for error in source.buffers.outside():
        raise error
    try:
        lowering = ModelLowering(model)
        record = lowering.record()
        if not record.is_changed():
            return {"": [source.file.whole()]}
        return {"": emit_model(record, source, lowering.dropped_files, lowering.added_files)}
    except FormatError as error:
        raise error.at(source.file.path) from error


def emit_model(
    record: Record, source: TfliteModelSource, without: Collection[str] = (), added: Mapping[str, bytes] | None = None
) -> Rope:
    """Return the file with this `Model`, and what followed it in the source, with other files in the archive."""
    ends = data_behind(source)
    end = min([source.file.size, *(start for start, _ in ends)])
    if source.archive is not None:
        end = min(end, source.archive.start)
    source.image.spent = 0
    identifier = source.file.read_at(4, 4)
    rope = emit(record, identifier if identifier in _IDENTIFIERS else b"", UnknownFields(source.root, end))
    return rope + _trailing(source, rope_size(rope), without, added or {})


def _trailing(source: TfliteModelSource, size: int, without: Collection[str], added: Mapping[str, bytes]) -> Rope:
    """Return what follows the model in the source, as it must be behind `size` other bytes."""
    rope: Rope = []
    kept = unexplained(source)
    if kept is not None:
        start, stop = kept
        rope += [bytes((start - size) % _ALIGN), FileRange(source.file, start, stop - start)]
    start = size + rope_size(rope)
    if source.archive is None:
        return rope + (new_zip(start, added) if added else [])
    return rope + source.archive.moved(start, without, added)


def _mentioned_buffers(source: TfliteModelSource) -> Iterator[int]:
    if not source.buffers.tables:
        return
    for subgraph in source.root.tables("subgraphs"):
        for tensor in subgraph.tables("tensors"):
            yield tensor.get("buffer")
    for _, number in entries(source.root):
        yield number
    yield from source.root.scalars("metadata_buffer")


def _value_of(record: Record, name: str) -> int:
    value = record.changes.get(name, record.base.get(name) if record.base is not None else 0)
    return int(value)


def _read_as(node: Node) -> Operator:
    model: TfliteModelSource = node.graph.raw.model  # type: ignore[union-attr]
    model = next((one for one in model.taken_in if one.image is node.raw.image), model)
    return model.operator(node.raw.get("opcode_index"))


def _code(op: str) -> tuple[int, bytes]:
    """Return code and custom code of an operator by name."""
    number = op.removeprefix(UNKNOWN_OPERATOR)
    if op.startswith(UNKNOWN_OPERATOR) and number.isdecimal():
        return int(number), b""
    if op in operator_codes():
        return operator_codes()[op], b""
    return operator_codes()[CUSTOM], op.encode("utf-8", "surrogateescape")
