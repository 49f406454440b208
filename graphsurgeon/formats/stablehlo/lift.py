"""A StableHLO module as graphs: `main` is the main one; other functions, and regions of ops, are its functions.

Values are named `%arg0`, `%0`, `%1#1` in the order in which they are defined; nodes by the label that the exporting
program gave the place (`jit(f)/dense/add`), which need not be unique.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphsurgeon.errors import FormatError
from graphsurgeon.formats.stablehlo import ops
from graphsurgeon.formats.stablehlo.attributes import (
    Dense,
    FunctionType,
    Named,
    OtherType,
    TensorType,
    UnknownAttribute,
)
from graphsurgeon.formats.stablehlo.ops import Block, Module, ModuleOperation, first_version
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.format import STABLEHLO
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.tensor import BytesSource, Tensor

_FUNCTIONS = frozenset({"func", "call"})
_MOST_SPLAT = 256 << 20  # bytes that one stored element is repeated to
_PRODUCER = "StableHLO_v"


def op_name(stored: str, *, in_function: bool = False) -> str:
    """Return the name of an op without its version: `stablehlo.add` for `vhlo.add_v1`, `func.call`, `func.return`."""
    dialect, _, name = stored.partition(".")
    if dialect != "vhlo":
        return stored
    name = name.rpartition("_v")[0] or name
    if name in _FUNCTIONS or (name == "return" and in_function):
        return f"func.{name}"
    return f"stablehlo.{name}"


def lift(data: bytes) -> MetaGraph:
    """Return the graphs of a module in MLIR bytecode.

    Raises:
        FormatError: it is damaged, or no bytecode.
        UnsupportedError: it is of a version that is not known here.
    """
    module = Module(data)
    metagraph = MetaGraph(vocabulary=STABLEHLO)
    functions = list(_functions(module.top))
    metagraph.producer = _producer(module)
    found: dict[str, Graph] = {}
    for name, _ in functions:
        graph = Graph(metagraph, "subgraph", name)
        found.setdefault(name, graph)
        if name == "main":
            metagraph.graph = graph
        else:
            metagraph.functions.setdefault(name, graph)
    if "main" not in found:
        metagraph.graph = Graph(metagraph, "subgraph")
    for name, operation in functions:
        _Lift(module, metagraph, found, found[name], name).function(operation)
    return metagraph


def _functions(top: list[ModuleOperation]) -> Iterator[tuple[str, ModuleOperation]]:
    seen: set[str] = set()
    for module in top:
        for block in (block for region in module.regions for block in region):
            for operation in block.operations:
                name = operation.attributes.get("sym_name")
                name = name if isinstance(name, str) and name else f"function_{len(seen)}"
                if op_name(operation.name) == "func.func" and name not in seen:
                    seen.add(name)
                    yield name, operation


def _producer(module: Module) -> dict[str, Any]:
    producer = module.bytecode.producer
    used = [name.partition(".")[2] for name, _ in module.bytecode.ops if name.startswith("vhlo.")]
    least = max(((first_version(name), name) for name in used), default=((0, 9, 0), ""))
    version = producer.removeprefix(_PRODUCER) if producer.startswith(_PRODUCER) else None
    return {
        "framework": "StableHLO" if version else producer,
        "version": version,
        "tensorflow": None,
        "description": None,
        "bytecode_version": module.bytecode.version,
        "needs": ".".join(map(str, least[0])) if used else None,
        "needed_by": least[1] or None,
        "dialects": list(module.bytecode.dialects),
    }


class _Lift:
    """One function while its graph is built, with the regions of its ops."""

    def __init__(
        self, module: Module, metagraph: MetaGraph, functions: Mapping[str, Graph], graph: Graph, prefix: str
    ) -> None:
        self.module = module
        self.metagraph = metagraph
        self.functions = functions
        self.graph = graph
        self.prefix = prefix
        self.known: dict[ops.ModuleValue, Value] = {}
        self.inside: dict[tuple[Graph, Value], Value] = {}  # what stands for a value of the function in a region
        self.numbers = [0, 0]  # of results and of arguments, in the whole function

    def function(self, operation: ModuleOperation) -> None:
        blocks = [block for region in operation.regions for block in region]
        if blocks:
            self._block(self.graph, blocks[0], in_function=True)
        kind = operation.attributes.get("function_type")
        if not blocks and isinstance(kind, FunctionType):  # a declaration
            self.graph.inputs = [self._value(self.graph, f"%arg{n}", type_) for n, type_ in enumerate(kind.inputs)]

    def _block(self, graph: Graph, block: Block, *, in_function: bool = False) -> None:
        graph.inputs = [self._define(graph, value, f"%arg{self._next(1)}") for value in block.arguments]
        for operation in block.operations:
            node = self._node(graph, operation, in_function=in_function)
            if operation is block.operations[-1] and not operation.results:
                graph.outputs = [Output("", value, value.dtype) for value in node.inputs]

    def _next(self, kind: int) -> int:
        self.numbers[kind] += 1
        return self.numbers[kind] - 1

    def _define(self, graph: Graph, value: ops.ModuleValue, name: str) -> Value:
        found = self.known[value] = self._value(graph, name, value.type)
        return found

    def _value(self, graph: Graph, name: str, type_: Any) -> Value:
        value = Value(graph, None, name, name)
        if isinstance(type_, TensorType):
            value.dtype, value.shape = type_.dtype, type_.shape
            if value.dtype is None:
                value.extra = {"type": type_.element}
        else:
            value.shape = UNKNOWN_RANK
            value.extra = {"type": type_.name if isinstance(type_, OtherType) else str(type_)}
        graph.values.append(value)
        return value

    def _node(self, graph: Graph, operation: ModuleOperation, *, in_function: bool) -> Node:
        node = Node(graph, operation.label, op_name(operation.name, in_function=in_function))
        attrs = self._attrs(operation)
        node.keeps_spelling = True  # a label may repeat
        _attach(graph, node)
        number = self._next(0) if operation.results else 0
        several = len(operation.results) > 1
        names = [f"%{number}#{place}" if several else f"%{number}" for place in range(len(operation.results))]
        node.set_outputs(
            [self._define(graph, value, name) for value, name in zip(operation.results, names, strict=True)]
        )
        node.inputs = [self._used(graph, value) for value in operation.operands]
        self._constant(node, operation)
        for place, region in enumerate(operation.regions):
            if region:
                attrs[f"region_{place}"] = FunctionRef(self._region(operation, place, number, region[0]))
        node.start_attrs(attrs)
        return node

    def _region(self, operation: ModuleOperation, place: int, number: int, block: Block) -> Graph:
        base = f"{self.prefix}/{op_name(operation.name)}#{number}/{place}"
        graph = Graph(self.metagraph, "subgraph", self.metagraph.unique_function_name(base))
        self.metagraph.functions[graph.name] = graph
        self._block(graph, block)
        return graph

    def _used(self, graph: Graph, value: ops.ModuleValue) -> Value:
        """Return the value that an op reads; one of the function around a region stands for it in the region."""
        found = self.known.get(value)
        if found is None:
            found = Value(graph, None, "%?", "%?")
            found.is_dangling = True
            return found
        if found.graph is graph:
            return found
        inside = self.inside.get((graph, found))
        if inside is None:
            inside = self.inside[graph, found] = self._value(graph, found.name or "", value.type)
            inside.extra = {**(inside.extra or {}), "outer": found}
        return inside

    def _constant(self, node: Node, operation: ModuleOperation) -> None:
        stored = operation.attributes.get("value")
        if not isinstance(stored, Dense) or not node.outputs:
            return
        value = node.outputs[0]
        if value.dtype is not None and isinstance(stored.type, TensorType) and stored.type.shape.is_static:
            source = DenseSource(self.module.data, stored, value.dtype, stored.type.shape)
            value.tensor = Tensor(value.dtype, stored.type.shape, source)

    def _attrs(self, operation: ModuleOperation) -> dict[str, AttrValue]:
        found: dict[str, AttrValue] = {}
        for name, item in operation.attributes.items():
            function = self.functions.get(item) if isinstance(item, str) else None
            if function is not None and name in ("callee", "decomposition"):
                found[name] = FunctionRef(function)
            elif not isinstance(item, Dense):
                found[name] = _attr(item)
            elif name != "value":
                found[name] = _numbers(self.module, item)
        return found


def _attach(graph: Graph, node: Node) -> None:
    """Enter a node under its label, which others may have too."""
    node.raw = node  # what was read; a second one of a name is let be
    graph.attach(node)
    node.raw = None


def _attr(item: Any) -> AttrValue:
    if item is None or isinstance(item, bool | int | float):
        return item
    if isinstance(item, str):
        return item.encode("utf-8", "surrogateescape")
    if isinstance(item, list):
        return [_attr(one) for one in item]
    if isinstance(item, Named):
        return item.name.encode("utf-8", "replace")
    if isinstance(item, UnknownAttribute):
        return f"<{item.dialect} {item.code}>".encode("utf-8", "replace")
    return str(item).encode("utf-8", "replace")


def _numbers(module: Module, item: Dense) -> AttrValue:
    """Return the elements of a small tensor in an attribute, such as dimensions and strides."""
    kind = item.type
    if not isinstance(kind, TensorType) or kind.dtype is None or (kind.shape.num_elements or 0) > 64:
        return str(kind).encode("utf-8", "replace")
    tensor = Tensor(kind.dtype, kind.shape, DenseSource(module.data, item, kind.dtype, kind.shape))
    return list(tensor.items())


class DenseSource:
    """Elements of a constant in the module: one that stands for all is stored once, truths are packed to bits."""

    __slots__ = ("data", "dtype", "shape", "stored")

    def __init__(self, data: bytes, stored: Dense, dtype: DType, shape: Shape) -> None:
        self.data = data
        self.stored = stored
        self.dtype = dtype
        self.shape = shape

    @property
    def nbytes(self) -> int:
        """Bytes as stored."""
        return self.stored.length

    def chunks(self) -> Iterator[bytes]:
        """Yield the elements.

        Raises:
            FormatError: they do not fill the shape, or one would be repeated too often.
        """
        count = self.shape.num_elements or 0
        data = bytes(self.data[self.stored.start : self.stored.start + self.stored.length])
        if self.dtype.name == "bool":
            data = _truths(data, count)
        if len(data) != count * self.dtype.itemsize:
            if len(data) != self.dtype.itemsize or count * self.dtype.itemsize > _MOST_SPLAT:
                raise FormatError(f"{len(data)} bytes for {self.dtype} of shape {self.shape}")
            data *= count
        yield from BytesSource(data).chunks()

    def strings(self) -> list[bytes]:
        """Return the elements of a string tensor."""
        raise FormatError("a constant of StableHLO holds no strings")


def _truths(data: bytes, count: int) -> bytes:
    """Unpack truths: one byte of ones or zeros stands for all; an older form has a byte for each."""
    if len(data) == 1 and (count > 8 or data[0] == 0xFF):
        return (b"\1" if data[0] & 1 else b"\0") * min(count, _MOST_SPLAT)
    if len(data) == count and count > 1 and len(data) != -(-count // 8):
        return data
    bits = int.from_bytes(data, "little")
    return bytes(bits >> place & 1 for place in range(min(count, 8 * len(data))))
