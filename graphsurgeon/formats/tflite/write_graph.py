"""A subgraph as a TFLite `SubGraph` to be written: references become indices, late.

A tensor's index is its place among `Graph.values`, an operator's its place in the order of execution. What
was not changed is not written anew.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphsurgeon.encoding.flatbuffer.write import Payload, Record
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats.tflite import attrs as tflite_attrs
from graphsurgeon.formats.tflite.buffers import BufferSource
from graphsurgeon.formats.tflite.graph import decode_shape
from graphsurgeon.formats.tflite.schema import dtype_number, dtype_of, option_tables, option_unions, schema
from graphsurgeon.formats.tflite.write_buffers import stored
from graphsurgeon.model.graph import AttrValue, Graph, Node
from graphsurgeon.model.node import ABSENT, Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import in_postorder, producers

if TYPE_CHECKING:
    from graphsurgeon.encoding.flatbuffer.read import Table
    from graphsurgeon.formats.tflite.write import ModelLowering

_QUANTIZED = {"scale": "f", "zero_point": "q", "min": "f", "max": "f"}


class SubgraphLowering:
    """One subgraph on its way to a Record.

    Attributes:
        values: the tensors in the order of their indices.
        nodes: the operators in the order in which they are written.
        index: value -> index.
        record: the `SubGraph`; made by `lower`.
    """

    def __init__(self, graph: Graph, model: ModelLowering) -> None:
        self.graph = graph
        self.model = model
        self.where = f"subgraph {graph.name!r}"
        self.values = list(dict.fromkeys([*graph.values, *self._mentioned()]))
        self.index = {value: number for number, value in enumerate(self.values)}
        self.nodes = _in_order(graph, self.indices)

    def lower(self) -> Record:
        """Return the `SubGraph`."""
        graph, source = self.graph, self.graph.raw
        base = getattr(source, "table", None)
        record = Record(self.model.type_of("SubGraph"), base)
        if base is None or graph.name != getattr(source, "name", None):
            record.set("name", graph.name.encode("utf-8", "surrogateescape"))
        record.parts["tensors"] = [self._tensor(value) for value in self.values]
        record.parts["operators"] = [self._operator(number, node) for number, node in enumerate(self.nodes)]
        set_indices(record, "inputs", self.indices(graph.inputs))
        set_indices(record, "outputs", self.indices(output.value for output in graph.outputs))
        return record

    def indices(self, values: Iterable[Value]) -> list[int]:
        """Return the indices of tensors."""
        return [self.index_of(value) for value in values]

    def index_of(self, value: Value) -> int:
        """Return the index of a tensor; that of a dangling one as it was read.

        Raises:
            UsageError: the subgraph does not have the tensor.
        """
        if value.is_absent:
            return ABSENT
        if value.is_dangling:
            if isinstance(value.port, int) and 0 <= value.port < len(self.values):
                raise UsageError(f"{self.where}: an operator names tensor #{value.port}, which was not there when read")
            return int(value.port)
        if value not in self.index:
            raise UsageError(f"{self.where} does not have the tensor {str(value)!r}")
        return self.index[value]

    def _mentioned(self) -> Iterator[Value]:
        """Yield what the edges mention, so that a new operator's outputs need not be entered by hand."""
        graph = self.graph
        for node in graph.nodes:
            yield from (value for value in (*node.inputs, *node.outputs) if self._is_own(value))
        yield from (value for value in graph.inputs if self._is_own(value))
        yield from (output.value for output in graph.outputs if self._is_own(output.value))

    def _is_own(self, value: Value) -> bool:
        return value.graph is self.graph and not value.is_absent and not value.is_dangling

    # -- tensors -----------------------------------------------------------------------------------------

    def _tensor(self, value: Value) -> Record:
        origin = value.raw
        record = Record(self.model.type_of("Tensor"), origin.table if origin is not None else None)
        if value.dtype is None:
            raise UsageError(f"{self.where}: the tensor {str(value)!r} has no dtype; add it by Graph.add_value")
        if origin is None or value.name != origin.table.text("name"):
            record.set("name", (value.name or "").encode("utf-8", "surrogateescape"))
        if origin is None or dtype_of(origin.table.get("type")) is not value.dtype:
            number = dtype_number(value.dtype)
            if number is None:
                raise UnsupportedError(f"{self.where}: TFLite has no element type {value.dtype}, of {str(value)!r}")
            record.set("type", number)
        if origin is None or value.shape != origin.shape:
            _set_shape(record, value.shape or Shape(None))
        self._set_quantization(record, value)
        self._set_data(record, value)
        is_variable = bool((value.extra or {}).get("is_variable"))
        if "is_variable" in record.type.fields:
            record.set("is_variable", is_variable)
        return record

    def _set_quantization(self, record: Record, value: Value) -> None:
        before: Quantization | None = value.raw.quantization if value.raw is not None else None
        now: Quantization | None = (value.extra or {}).get("quantization")
        if now is before and (now is None or now.scales is None):
            return
        if now is None:
            record.set("quantization", None)
            return
        base = record.base.get("quantization") if record.base is not None else None
        inner = Record(schema().table("QuantizationParameters"), base)
        numbers = (now.scale, now.zero_point, now.minimum, now.maximum)
        for (name, code), items in zip(_QUANTIZED.items(), numbers, strict=True):
            _set_vector(inner, name, array(code, items))
        inner.set("quantized_dimension", now.axis)
        self._set_details(inner, now)
        if inner.is_changed():
            record.changes["quantization"] = inner

    def _set_details(self, record: Record, now: Quantization) -> None:
        """Set what lies behind the union: blockwise, per several axes, or private parameters."""
        name = "CustomQuantization" if now.custom else "MultiAxisQuantization" if now.axes else "BlockwiseQuantization"
        if not now.custom and now.scales is None:
            if record.base is not None and record.base.place("details"):
                record.changes |= {"details": None, "details_type": 0}
            return
        base = record.base.get("details") if record.base is not None else None
        same = base is not None and base.type is not None and base.type.name == name
        inner = Record(schema().table(name), base if same else None)
        if now.custom:
            inner.set("custom", now.custom)
        else:
            inner.set("scales", ABSENT if now.scales is None else self.index_of(now.scales))
            inner.set("zero_points", ABSENT if now.zero_points is None else self.index_of(now.zero_points))
            inner.set("block_size", now.block_size)
            field = "quantized_dimensions" if now.axes else "block_shape"
            _set_vector(inner, field, array("i", now.axes or now.block_shape))
        if inner.is_changed():
            number = next(n for n, member in schema().unions["QuantizationDetails"].items() if member == name)
            record.changes["details"] = inner
            record.set("details_type", number)

    def _set_data(self, record: Record, value: Value) -> None:
        origin = value.raw
        is_here = origin is not None and origin.table.image is self.model.source.image
        if is_here and value.tensor is origin.tensor:
            return
        if "data_buffer" in record.type.fields:
            record.changes["data_buffer"] = None if value.tensor is None else stored(value.tensor)
            return
        sparse = origin is not None and value.tensor is origin.tensor and origin.table.get("sparsity") is not None
        if sparse and value.tensor is not None and isinstance(value.tensor.source, BufferSource):
            record.set("buffer", self.model.buffers.add(Payload.of(value.tensor.source.range())))  # as it is spread
            return
        number = self.model.own_buffer(value) if is_here else 0
        if number and value.tensor is not None:
            self.model.buffers.put(number, value.tensor)
        else:
            record.set("buffer", 0 if value.tensor is None else self.model.buffers.number(value.tensor))
        for name in ("external_buffer", "sparsity"):
            if record.base is not None and record.base.place(name):
                record.changes[name] = None

    # -- operators ---------------------------------------------------------------------------------------

    def _operator(self, number: int, node: Node) -> Record:
        where = f"{self.where}, operator #{number} {node.op}"
        base = node.raw
        record = Record(schema().table("Operator"), base)
        record.set("opcode_index", self.model.codes.index_of(node))
        set_indices(record, "inputs", self.indices(node.inputs))
        set_indices(record, "outputs", self.indices(node.outputs))
        if base is not None and node.held_attrs is None and not self._must_lower_attrs(base):
            _keep_large_options(record)
            return record
        try:
            self._set_attrs(record, node)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
        return record

    def _must_lower_attrs(self, base: Any) -> bool:
        """Say whether an operator mentions something beside its edges that may have moved."""
        return bool(base.place("intermediates")) or (self.model.has_moved and tflite_attrs.names_subgraphs(base))

    def _set_attrs(self, record: Record, node: Node) -> None:
        attrs = dict(node.attrs)
        intermediates = attrs.pop("intermediates", None)
        if isinstance(intermediates, list):
            set_indices(record, "intermediates", [self._intermediate(item) for item in intermediates])
        fields = schema().table("Operator").fields
        large = tflite_attrs.large_custom_options(record.base) if record.base is not None else None
        for name in tflite_attrs.OPERATOR_FIELDS[:3]:
            value = attrs.pop(name, None)
            if name == "custom_options" and large is not None and value == large.read():
                _keep_large_options(record)
            elif value is not None or (record.base is not None and record.base.place(name)):
                record.set(name, tflite_attrs.lower(fields[name], value, self.model.subgraph_index))
        self._set_options(record, node, attrs)

    def _intermediate(self, item: AttrValue) -> int:
        if isinstance(item, Value):
            return self.index_of(item)
        if isinstance(item, int):
            return item
        raise UsageError(f"attribute intermediates is a list of tensors, not of {item!r}")

    def _set_options(self, record: Record, node: Node, attrs: Mapping[str, Any]) -> None:
        base, is_kept = _present_options(record), self.model.codes.is_kept(node)
        if base is None and not attrs and is_kept:
            return  # older converters left out options that are all defaults
        name = base.type.name if base is not None and is_kept else option_tables().get(node.op)
        if name is None:
            _require_known(attrs, ())
            _take_options(record)
            return
        kept = base if base is not None and base.type.name == name else None
        options = Record(schema().table(name), kept)
        _require_known(attrs, options.type.fields)
        for field in options.type.by_id.values():
            value = attrs.get(field.name)
            if value is not None or (kept is not None and kept.place(field.name)):
                options.set(field.name, tflite_attrs.lower(field, value, self.model.subgraph_index))
        if options.is_changed():
            if kept is None:
                _take_options(record)
            held, number = option_unions()[name]
            record.changes |= {held: options, f"{held}_type": number}


def set_indices(record: Record, name: str, indices: Sequence[int]) -> None:
    """Set a vector of indices; a new table gets an empty one too, for interpreters ask for it."""
    if record.base is None:
        record.set(name, array("i", indices))
    else:
        _set_vector(record, name, array("i", indices))


def _set_vector(record: Record, name: str, items: array[Any]) -> None:
    """Set a vector of scalars; an empty one does not make a missing one."""
    if items or (record.base is not None and record.base.place(name)):
        record.set(name, items)


def _set_shape(record: Record, shape: Shape) -> None:
    """Set a shape: where a dimension is unknown `shape_signature` says -1, `shape` what it said or else 1."""
    dims = shape.dims or ()
    kept: dict[int, int] = {}
    if record.base is not None:
        before, stood = decode_shape(record.base, is_known=False), record.base.scalars("shape")
        kept = {axis: stood[axis] for axis, dim in enumerate(before) if dim is None and stood[axis] > 0}
    record.set("shape", array("i", [kept.get(axis, 1) if dim is None else dim for axis, dim in enumerate(dims)]))
    if "shape_signature" not in record.type.fields:
        return
    is_static = None not in dims
    record.set("shape_signature", None if is_static else array("i", [-1 if dim is None else dim for dim in dims]))
    record.set("has_rank", shape.dims is not None)


def kept_operator(table: Table) -> Record:
    """Return an operator as it was read; what lies behind the FlatBuffer moves with it."""
    record = Record(schema().table("Operator"), table)
    _keep_large_options(record)
    return record


def _keep_large_options(record: Record) -> None:
    large = tflite_attrs.large_custom_options(record.base) if record.base is not None else None
    if large is not None:
        record.moves["large_custom_options_offset"] = Payload.of(large)


def _take_options(record: Record) -> None:
    """Take the options away that an operator was read with."""
    for name in tflite_attrs.OPTION_FIELDS:
        if record.base is not None and record.base.place(name):
            record.changes |= {name: None, f"{name}_type": 0}


def _require_known(attrs: Iterable[str], fields: Container[str]) -> None:
    unknown = [name for name in attrs if name not in fields]
    if unknown:
        raise UsageError(f"its options have no field {unknown[0]!r}")


def _present_options(record: Record) -> Any:
    found = [record.base.get(name) for name in tflite_attrs.OPTION_FIELDS] if record.base is not None else []
    return next((table for table in found if table is not None and table.type is not None), None)


def _in_order(graph: Graph, indices: Callable[[Iterable[Value]], list[int]]) -> list[Node]:
    """Return the operators so that each comes after those that it reads from; the file's order where it will do."""
    nodes = list(graph.nodes)
    position = {node: number for number, node in enumerate(nodes)}
    late = [node for node in nodes if any(position.get(n, -1) >= position[node] for n in _before(node))]
    if all(node.raw is not None and list(node.raw.scalars("inputs")) == indices(node.inputs) for node in late):
        return nodes  # in order, or out of order as it was read
    return list(in_postorder(nodes, lambda node: [other for other in _before(node) if other in position]))


def _before(node: Node) -> list[Node]:
    return [*producers(node.inputs), *node.controls]
