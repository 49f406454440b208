"""A `GraphProto` or `FunctionProto` as a Graph: its names become values, its nodes keep theirs.

A name is a value's identity. One that the graph does not define is looked up in the graph around it (the bodies
of If, Loop and Scan see all that is outside): it becomes a value of its own whose `extra["outer"]` is the value
outside. A name that nobody defines becomes a dangling value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from graphsurgeon.formats.onnx import attrs
from graphsurgeon.formats.onnx.tensors import is_external
from graphsurgeon.formats.onnx.types import NOTHING, ValueType, read_type
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Output, Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import UNKNOWN_RANK
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from graphsurgeon.formats.onnx.file import OnnxModelSource

DEFAULT_DOMAINS = ("", "ai.onnx")


class OnnxGraphSource:
    """GraphSource of the model over one `GraphProto` or `FunctionProto`.

    Attributes:
        model: the model it belongs to.
        message: the `GraphProto` or `FunctionProto`.
        outer: the graph around it, None for the main graph and for functions.
        names: name -> value, once the graph is lifted.
    """

    __slots__ = ("message", "model", "names", "outer")

    def __init__(self, model: OnnxModelSource, message: Any, outer: Graph | None = None) -> None:
        self.model = model
        self.message = message
        self.outer = outer
        self.names: dict[str, Value] = {}

    def op_counts(self) -> dict[str, int]:
        """Count nodes by op."""
        keys = Counter((node.domain, node.op_type, node.overload) for node in self.message.node)
        counts: Counter[str] = Counter()
        for key, count in keys.items():
            counts[self.model.op_name(*key)] += count
        return dict(counts)

    def lift(self, graph: Graph) -> None:
        """Build values, then nodes, then the edges between them."""
        _Lift(self, graph).run()

    def peek(self, graph: Graph, ops: Container[str]) -> list[Node]:
        """Return stand-ins for the nodes with some ops."""
        named = ((self.model.op_name(node.domain, node.op_type, node.overload), node) for node in self.message.node)
        return [Node(graph, node.name, op, node) for op, node in named if op in ops]

    def attrs(self, node: Node) -> MutableMapping[str, AttrValue]:
        """Return the attributes of a node."""
        return attrs.decode(node.raw.attribute, self.model.store, self.model.graph_of)

    def output_dtypes(self, node: Node) -> list[DType] | None:
        """Return None: the outputs of a node are those that it lists."""
        return None

    def function_refs(self, node: Node) -> list[FunctionRef]:
        """Return the graphs that attributes of a node hold."""
        return attrs.references(node.raw, self.model.graph_of)

    def outside(self, name: str) -> Value | None:
        """Return the value of a name in the graphs around this one."""
        if self.outer is None:
            return None
        _ = self.outer.values  # lifts it
        source = self.outer.raw
        assert isinstance(source, OnnxGraphSource)
        return source.names.get(name) or source.outside(name)


def free_names(message: Any) -> Iterator[str]:
    """Yield the names that a body takes from the graphs around it, as often as it does."""
    own = {"", *(value.name for value in message.input), *(tensor.name for tensor in message.initializer)}
    own.update(tensor.values.name for tensor in message.sparse_initializer)
    own.update(name for node in message.node for name in node.output)
    for node in message.node:
        yield from (name for name in node.input if name not in own)
        for _, inner in attrs.subgraphs(node):
            yield from (name for name in free_names(inner) if name not in own)
    yield from (value.name for value in message.output if value.name not in own)


class _Lift:
    """One graph while it is being built."""

    def __init__(self, source: OnnxGraphSource, graph: Graph) -> None:
        self.source = source
        self.graph = graph
        self.message = source.message
        self.names = source.names
        self.names.clear()
        self.types = {info.name: info for info in self.message.value_info}
        self.dangling: dict[str, Value] = {}

    def run(self) -> None:
        constants = [tensor.name for tensor in self._initializers()]
        inputs, outputs = self._ends()
        for name in inputs:
            self._define(name)
        self._add_initializers(set(inputs))
        nodes = [self._add_node(message) for message in self.message.node]
        for node in nodes:
            node.inputs = [self._find(name) for name in node.raw.input]
            self._wait_for_captured(node)
        constant = set(constants)
        self.graph.inputs = [self.names[name] for name in dict.fromkeys(inputs) if name not in constant]
        found = ((name, self._find(name)) for name in outputs)
        self.graph.outputs = [Output(name, value, value.dtype) for name, value in found]
        self.graph.absent.producer = None  # an output left out produces nothing
        self._quantize()

    def _ends(self) -> tuple[list[str], list[str]]:
        """Return the names of inputs and outputs, whose types are kept: a function has names alone."""
        sides = []
        for items in (self.message.input, self.message.output):
            names = [item if isinstance(item, str) else item.name for item in items]
            self.types.update((item.name, item) for item in items if not isinstance(item, str))
            sides.append(names)
        return sides[0], sides[1]

    def _initializers(self) -> Iterator[Any]:
        """Yield the `TensorProto` that names each initializer; of a sparse one that is its values."""
        yield from getattr(self.message, "initializer", ())
        yield from (tensor.values for tensor in getattr(self.message, "sparse_initializer", ()))

    def _add_initializers(self, inputs: set[str]) -> None:
        store = self.source.model.store
        for message in getattr(self.message, "initializer", ()):
            self._fill(self._constant(message.name, inputs), store.tensor(message), is_external(message))
        for message in getattr(self.message, "sparse_initializer", ()):
            value = self._constant(message.values.name, inputs)
            value.extra = {**(value.extra or {}), "sparse": True}
            self._fill(value, store.sparse_tensor(message), is_external(message.values))

    def _constant(self, name: str, inputs: set[str]) -> Value:
        """Return the value of an initializer; one that is an input too is a default that a caller may replace."""
        if name not in inputs:
            return self._define(name)
        value = self.names[name]
        value.extra = {**(value.extra or {}), "is_input": True}
        if self.source.model.has_defaults:
            value.extra["is_default"] = True
        return value

    def _fill(self, value: Value, tensor: Tensor, external: bool) -> None:
        value.tensor, value.dtype, value.shape = tensor, tensor.dtype, tensor.shape
        if external:
            value.extra = {**(value.extra or {}), "external": True}

    def _define(self, name: str) -> Value:
        """Add a value; a second one of a name, which no runtime takes, stands beside the first."""
        known = self.types.get(name)
        type_ = read_type(known.type) if known is not None else NOTHING
        value = Value(self.graph, None, name, name)
        value.raw = known
        value.dtype = type_.dtype
        value.shape = None if known is None else type_.shape
        value.extra = _extra(type_)
        self.graph.values.append(value)
        self.names.setdefault(name, value)
        return value

    def _add_node(self, message: Any) -> Node:
        op = self.source.model.op(message.domain, message.op_type, message.overload)
        node = Node(self.graph, message.name, op, message)
        self.graph.attach(node)
        node.set_outputs([self._define(name) if name else self.graph.absent for name in message.output])
        if message.op_type == "Constant" and message.output and message.domain in DEFAULT_DOMAINS:
            tensor = attrs.constant(node.attrs)
            value = node.output(0)
            if tensor is not None and not value.is_absent:
                value.tensor, value.dtype, value.shape = tensor, tensor.dtype, tensor.shape
        return node

    def _find(self, name: str) -> Value:
        if not name:
            return self.graph.absent
        known = self.names.get(name)
        if known is not None:
            return known
        outside = self.source.outside(name)
        if outside is not None:
            value = self._define(name)
            value.dtype, value.shape = value.dtype or outside.dtype, value.shape or outside.shape
            value.extra = {**(value.extra or {}), "outer": outside}
            return value
        if name not in self.dangling:
            value = self.dangling[name] = Value(self.graph, None, name, name)
            value.is_dangling = True
        return self.dangling[name]

    def _wait_for_captured(self, node: Node) -> None:
        """Let a node wait for what its bodies read of this graph: no input says so, but it runs after it."""
        waited: dict[Node, None] = {}
        for _, body in attrs.subgraphs(node.raw):
            for name in free_names(body):
                value = self.names.get(name)
                if value is not None and value.producer is not None and value.producer is not node:
                    waited[value.producer] = None
        if waited:
            node.controls = [other for other in waited if all(value.producer is not other for value in node.inputs)]

    def _quantize(self) -> None:
        """Attach the scales that annotations name, as older converters of quantized models wrote them."""
        for annotation in getattr(self.message, "quantization_annotation", ()):
            value = self.names.get(annotation.tensor_name)
            named = {entry.key: self.names.get(entry.value) for entry in annotation.quant_parameter_tensor_names}
            scales = named.get("SCALE_TENSOR")
            if value is not None and scales is not None:
                found = Quantization(scales=scales, zero_points=named.get("ZERO_POINT_TENSOR"))
                value.extra = {**(value.extra or {}), "quantization": found}


def _extra(type_: ValueType) -> dict[str, Any] | None:
    extra: dict[str, Any] = {}
    if type_.dim_names:
        extra["dim_names"] = type_.dim_names
    if type_.text:
        extra["type"] = type_.text
    if type_.is_sparse:
        extra["sparse"] = True
    return extra or None


def shape_known(value: Value) -> bool:
    """Say whether the file records a shape of some rank."""
    return value.shape is not None and value.shape != UNKNOWN_RANK
