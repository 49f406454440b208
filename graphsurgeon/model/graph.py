"""Graphs of nodes joined by references to objects, the same for main graphs, functions and TFLite subgraphs.

A Graph is lifted from its raw form when its nodes are first asked for. What a format owns behind an
object is `raw`, which nobody outside `formats/` looks at. Values know their consumers, so that a graph
can be walked and rewired in either direction; names are unique per graph (TFLite operators have none).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, Union

from graphsurgeon.errors import UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from typing import Any

    from graphsurgeon.model.metagraph import MetaGraph

GraphKind = Literal["main", "function", "subgraph"]
Port: TypeAlias = Union[int, str]
AttrValue: TypeAlias = Union[int, float, bool, bytes, DType, Shape, Tensor, "FunctionRef", list["AttrValue"], None]


class FunctionRef:
    """A mention of a function in an attribute: the function itself where the library has it, else its name."""

    __slots__ = ("_name", "attrs", "graph")

    def __init__(self, graph: Graph | None, name: str = "", attrs: Mapping[str, AttrValue] | None = None) -> None:
        self.graph = graph
        self._name = name
        self.attrs: dict[str, AttrValue] = dict(attrs or {})

    @property
    def name(self) -> str:
        """The current name of the function."""
        return self.graph.name if self.graph is not None else self._name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionRef) and (self.name, self.attrs) == (other.name, other.attrs)

    __hash__ = None  # type: ignore[assignment]  # mutable, like the list it may stand in

    def __repr__(self) -> str:
        return f"FunctionRef({self.name!r})"


class GraphSource(Protocol):
    """What a format offers about a graph that it has read. Nothing above `formats/` calls it but this module."""

    def lift(self, graph: Graph) -> None:
        """Fill nodes, inputs and outputs, through `Graph.attach` and by assignment."""

    def op_counts(self) -> dict[str, int]:
        """Count nodes by op without lifting."""

    def attrs(self, node: Node) -> MutableMapping[str, AttrValue]:
        """Return the attributes of a node that was read: decoded on demand, changes kept beside the raw form."""

    def output_dtypes(self, node: Node) -> list[DType] | None:
        """Return the dtype of every output of a node (dtype_0 where unknown), None if their number is unknown."""

    def function_refs(self, node: Node) -> list[FunctionRef]:
        """Return the functions that attributes of the node name, those inside lists included."""


class Value:
    """What a node yields at one port, an argument of a function, an input or constant of a TFLite subgraph.

    Attributes:
        producer: the node that yields it; None for arguments, inputs, constants and dangling references.
        port: flat output index; the text `out_arg:i` where the op's outputs are unknown; for an argument
            its position; for a TFLite tensor its index.
        name: stored name of an argument or TFLite tensor, text of a dangling reference; None where the name
            is derived from the producer.
        dtype, shape: as the file records them (arguments, TFLite); None where they must be inferred.
        tensor: data of a TFLite constant.
        is_dangling: the reference names nothing in the graph; its text is kept as it is.
        extra: what a format records beside (TFLite: "quantization", "is_variable", ...).
    """

    __slots__ = ("_users", "dtype", "extra", "graph", "is_dangling", "name", "port", "producer", "raw", "shape", "tensor")

    def __init__(self, graph: Graph, producer: Node | None, port: Port, name: str | None = None) -> None:
        self.graph = graph
        self.producer = producer
        self.port = port
        self.name = name
        self.dtype: DType | None = None
        self.shape: Shape | None = None
        self.tensor: Tensor | None = None
        self.is_dangling = False
        self.extra: dict[str, Any] | None = None
        self.raw: Any = None
        self._users: dict[Node, int] | None = None

    @property
    def consumers(self) -> tuple[Node, ...]:
        """The nodes that read this value, each once, in the order in which they were joined."""
        return tuple(self._users or ())

    @property
    def is_argument(self) -> bool:
        """Say whether this is an argument of a function (or an input of a subgraph)."""
        return self.producer is None and any(value is self for value in self.graph.inputs)

    def replace_with(self, other: Value, *, but: Iterable[Node] = ()) -> int:
        """Send every consumer, and every output of the graph, to another value; return how many places changed."""
        kept = set(but)
        changed = 0
        for node in self.consumers:
            if node not in kept:
                changed += sum(value is self for value in node.inputs)
                node.inputs = [other if value is self else value for value in node.inputs]
        for output in self.graph.outputs:
            if output.value is self:
                output.value = other
                changed += 1
        return changed

    def __str__(self) -> str:
        """Name as our output says it: `node:0`, `x` for an argument, the stored name of a TFLite tensor."""
        if self.name is not None or self.producer is None:
            return self.name or f"#{self.port}"
        return f"{self.producer.name}:{self.port}"

    def __repr__(self) -> str:
        return f"Value({self})"


class Output:
    """A named result of a function, or an output of a TFLite subgraph (whose name is empty)."""

    __slots__ = ("dtype", "name", "raw", "value")

    def __init__(self, name: str, value: Value, dtype: DType | None = None, raw: Any = None) -> None:
        self.name = name
        self.value = value
        self.dtype = dtype
        self.raw = raw

    def __repr__(self) -> str:
        return f"Output({self.name!r}, {self.value})"


class Node:
    """One operation. Made by `Graph.add_node` (or by a format); change it through its properties.

    Attributes:
        device: requested device, empty if none.
        raw: the format's own form, None for a new node.
        keeps_spelling: the raw form spells inputs in the names of this graph; False for a node brought from
            another graph, whose inputs are spelled anew.
    """

    __slots__ = (
        "_attrs", "_control_users", "_controls", "_inputs", "_name", "_op", "_outputs",
        "device", "graph", "keeps_spelling", "raw",
    )  # fmt: skip

    def __init__(self, graph: Graph, name: str, op: str | Graph, raw: Any = None) -> None:
        self.graph = graph
        self._name = name
        self._op = op
        self._inputs: tuple[Value, ...] = ()
        self._controls: tuple[Node, ...] = ()
        self._control_users: dict[Node, None] | None = None
        self._outputs: dict[Port, Value] | None = None
        self._attrs: MutableMapping[str, AttrValue] | None = None
        self.device = ""
        self.raw = raw
        self.keeps_spelling = raw is not None

    @property
    def name(self) -> str:
        """Unique in its graph; setting it renames the node everywhere it is mentioned."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self.graph.rename({self: name})

    @property
    def op(self) -> str:
        """Name of the operation; of the function for a node that calls one natively."""
        return self._op if isinstance(self._op, str) else self._op.name

    @op.setter
    def op(self, op: str | Graph) -> None:
        self._op = op

    @property
    def callee(self) -> Graph | None:
        """The function that this node is a native call of (its op is the function's name)."""
        return None if isinstance(self._op, str) else self._op

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The data inputs, in order. Assign a sequence to change them; `set_input` changes one."""
        return self._inputs

    @inputs.setter
    def inputs(self, values: Sequence[Value]) -> None:
        for value in self._inputs:
            _release(value, self)
        self._inputs = tuple(values)
        for value in self._inputs:
            if value._users is None:
                value._users = {}
            value._users[self] = value._users.get(self, 0) + 1

    def set_input(self, index: int, value: Value) -> None:
        """Replace one data input."""
        self.inputs = (*self._inputs[:index], value, *self._inputs[index + 1 :])

    @property
    def controls(self) -> tuple[Node, ...]:
        """The nodes that must run before this one. Assign a sequence to change them."""
        return self._controls

    @controls.setter
    def controls(self, nodes: Sequence[Node]) -> None:
        for node in self._controls:
            if node._control_users is not None:
                node._control_users.pop(self, None)
        self._controls = tuple(nodes)
        for node in self._controls:
            if node._control_users is None:
                node._control_users = {}
            node._control_users[self] = None

    @property
    def control_consumers(self) -> tuple[Node, ...]:
        """The nodes that wait for this one."""
        return tuple(self._control_users or ())

    @property
    def attrs(self) -> MutableMapping[str, AttrValue]:
        """The attributes; a change is written to the file with the node."""
        if self._attrs is None:
            source = self.graph.raw
            self._attrs = source.attrs(self) if source is not None and self.raw is not None else {}
        return self._attrs

    def output(self, port: Port = 0) -> Value:
        """Return the value at a port."""
        if self._outputs is None:
            self._outputs = {}
        value = self._outputs.get(port)
        if value is None:
            value = self._outputs[port] = Value(self.graph, self, port)
        return value

    @property
    def outputs(self) -> tuple[Value, ...]:
        """Every output that the op defines; of an op without definition, those that somebody reads."""
        dtypes = self.graph.raw.output_dtypes(self) if self.graph.raw is not None else None
        if dtypes is not None:
            return tuple(self.output(port) for port in range(len(dtypes)))
        known = self._outputs or {}
        return tuple(known[port] for port in sorted(known, key=lambda port: (isinstance(port, str), port)))

    def output_dtypes(self) -> list[DType] | None:
        """Return the dtype of every output as the op's definition gives it, None if the op is unknown."""
        return self.graph.raw.output_dtypes(self) if self.graph.raw is not None else None

    def set_outputs(self, values: Sequence[Value]) -> None:
        """Name the values this node yields, by position (for formats whose values are stored objects)."""
        self._outputs = dict(enumerate(values))
        for value in values:
            value.producer = self

    @property
    def function_refs(self) -> list[FunctionRef]:
        """The functions that attributes name, without the native callee."""
        if self._attrs is None and self.raw is not None and self.graph.raw is not None:
            return self.graph.raw.function_refs(self)
        return list(_function_refs(self.attrs.values()))

    @property
    def functions(self) -> list[Graph]:
        """Every function of the library that this node calls or names, in the order of its attributes."""
        named = [ref.graph for ref in self.function_refs if ref.graph is not None]
        return named if self.callee is None else [self.callee, *named]

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"Node({self._name!r}, {self.op!r})"


class Graph:
    """Nodes with their inputs and outputs: a main graph, a function of the library, or a TFLite subgraph.

    Attributes:
        kind: "main", "function" or "subgraph".
        metagraph: the MetaGraph it belongs to; functions are shared by all graphs of one MetaGraph.
        inputs: arguments of a function, inputs of a subgraph; empty for a main graph (placeholders are nodes).
        outputs: results of a function or subgraph; empty for a main graph.
        control_outputs: name -> node that a call of the function waits for.
        values: TFLite: all tensors of the subgraph by index; empty elsewhere.
        attrs: attributes of a function definition.
        raw: the format's GraphSource.
    """

    __slots__ = (
        "_attrs", "_by_name", "_control_outputs", "_inputs", "_lifted", "_name", "_nodes", "_originals", "_outputs",
        "_values", "kind", "metagraph", "raw",
    )  # fmt: skip

    def __init__(self, metagraph: MetaGraph, kind: GraphKind, name: str = "", raw: GraphSource | None = None) -> None:
        self.metagraph = metagraph
        self.kind = kind
        self.raw = raw
        self._name = name
        self._lifted = raw is None
        self._nodes: dict[Node, None] = {}
        self._by_name: dict[str, Node] = {}
        self._originals: dict[str, Node] = {}
        self._inputs: list[Value] = []
        self._outputs: list[Output] = []
        self._control_outputs: dict[str, Node] = {}
        self._values: list[Value] = []
        self._attrs: dict[str, AttrValue] | None = None

    # -- reading ---------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of a function or subgraph, empty for a main graph. Rename through `MetaGraph.rename_functions`."""
        return self._name

    @property
    def is_lifted(self) -> bool:
        """Say whether the nodes have been built; until then nothing in the graph can have changed."""
        return self._lifted

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes in file order, new ones last."""
        return tuple(self._lift()._nodes)

    @property
    def inputs(self) -> list[Value]:
        """Arguments of a function, inputs of a subgraph."""
        return self._lift()._inputs

    @inputs.setter
    def inputs(self, values: Sequence[Value]) -> None:
        self._inputs = list(values)

    @property
    def outputs(self) -> list[Output]:
        """Results of a function, outputs of a subgraph."""
        return self._lift()._outputs

    @outputs.setter
    def outputs(self, outputs: Sequence[Output]) -> None:
        self._outputs = list(outputs)

    @property
    def control_outputs(self) -> dict[str, Node]:
        """Name -> node that a caller waits for."""
        return self._lift()._control_outputs

    @control_outputs.setter
    def control_outputs(self, nodes: Mapping[str, Node]) -> None:
        self._control_outputs = dict(nodes)

    @property
    def values(self) -> list[Value]:
        """TFLite: every tensor of the subgraph, by index."""
        return self._lift()._values

    @property
    def attrs(self) -> dict[str, AttrValue]:
        """Attributes of the function definition."""
        self._lift()
        if self._attrs is None:
            self._attrs = {}
        return self._attrs

    @attrs.setter
    def attrs(self, attrs: Mapping[str, AttrValue]) -> None:
        self._attrs = dict(attrs)

    @property
    def op_counts(self) -> dict[str, int]:
        """Number of nodes by op, most frequent first. Does not lift the graph."""
        if self._lifted or self.raw is None:
            counts: dict[str, int] = {}
            for node in self.nodes:
                counts[node.op] = counts.get(node.op, 0) + 1
        else:
            counts = self.raw.op_counts()
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def node(self, name: str) -> Node | None:
        """Return the node with a name, None if there is none."""
        return self._lift()._by_name.get(name)

    def __contains__(self, node: object) -> bool:
        return node in self._lift()._nodes

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self._lift()._nodes) if self._lifted or self.raw is None else sum(self.op_counts.values())

    # -- changing --------------------------------------------------------------------------------------

    def add_node(
        self,
        op: str | Graph,
        name: str,
        inputs: Sequence[Value] = (),
        attrs: Mapping[str, AttrValue] | None = None,
        *,
        controls: Sequence[Node] = (),
        device: str = "",
    ) -> Node:
        """Add a node at the end; `op` is a Graph for a native call of a function.

        Raises:
            UsageError: the name is taken (`unique_name` gives a free one).
        """
        node = Node(self._lift(), name, op)
        node._attrs = dict(attrs or {})
        node.device = device
        self.attach(node)
        node.inputs = inputs
        node.controls = controls
        return node

    def attach(self, node: Node) -> None:
        """Enter a node that was made for this graph; a second node of one name (a broken file) keeps its name."""
        if node._name and self._by_name.setdefault(node._name, node) is not node and node.raw is None:
            raise UsageError(f"{self._where()} already has a node {node._name!r}")
        if node.keeps_spelling:
            self._originals.setdefault(node._name, node)
        self._nodes[node] = None

    def remove_nodes(self, nodes: Iterable[Node]) -> None:
        """Take nodes out, with their edges. Consumers that remain keep a reference that names no node: rewire first."""
        for node in nodes:
            node.inputs = ()
            node.controls = ()
            for waiting in node.control_consumers:
                waiting.controls = [other for other in waiting.controls if other is not node]
            self._nodes.pop(node, None)
            if self._by_name.get(node._name) is node:
                del self._by_name[node._name]

    def rename(self, names: Mapping[Node, str]) -> None:
        """Rename nodes, all at once, so that names may be exchanged.

        Raises:
            UsageError: a new name is taken by a node that keeps its name, or given twice.
        """
        taken = [new for node, new in names.items() if self._by_name.get(new, node) not in names]
        taken += [new for new in set(names.values()) if sum(new == other for other in names.values()) > 1] if len(
            set(names.values())
        ) < len(names) else []
        if taken:
            raise UsageError(f"{self._where()} already has a node {taken[0]!r}")
        for node in names:
            if self._by_name.get(node._name) is node:
                del self._by_name[node._name]
        for node, new in names.items():
            node._name = new
            self._by_name[new] = node

    def unique_name(self, base: str) -> str:
        """Return `base`, or `base_1`, `base_2` ... : a name that no node and no argument of this graph has."""
        taken = self._lift()._by_name
        arguments = {value.name for value in self._inputs}
        name, number = base, 0
        while name in taken or name in arguments:
            number += 1
            name = f"{base}_{number}"
        return name

    def clone(self, name: str) -> Graph:
        """Return a copy of a function or subgraph under another name, in the same MetaGraph, not yet entered there."""
        copy = Graph(self.metagraph, self.kind, name, self._lift().raw)
        copy._lifted = True
        copy._attrs = dict(self.attrs)
        values: dict[Value, Value] = {}
        copy._inputs = [_copy_value(value, copy, None, values) for value in self._inputs]
        nodes = {node: _copy_node(node, copy) for node in self._nodes}
        for node, twin in nodes.items():
            for port, value in (node._outputs or {}).items():
                twin._outputs = twin._outputs or {}
                twin._outputs[port] = _copy_value(value, copy, twin, values)
            copy.attach(twin)
        copy._originals = {text: nodes[node] for text, node in self._originals.items() if node in nodes}
        for node, twin in nodes.items():
            twin.inputs = [_copy_value(v, copy, nodes.get(v.producer) if v.producer else None, values) for v in node.inputs]
            twin.controls = [nodes[other] for other in node.controls if other in nodes]
        copy._values = [_copy_value(value, copy, nodes.get(value.producer) if value.producer else None, values) for value in self._values]
        copy._outputs = [Output(o.name, values[o.value], o.dtype, o.raw) for o in self._outputs if o.value in values]
        copy._control_outputs = {key: nodes[node] for key, node in self._control_outputs.items() if node in nodes}
        return copy

    # -- names as they were read (for formats and mentions) ----------------------------------------------

    def original(self, text: str, kind: str) -> Node | Value | None:
        """Return what a text of GraphDef syntax named when the graph was read: `node`, `node:1`, `^node`."""
        self._lift()
        name, _, port = text.removeprefix("^").partition(":")
        node = self._originals.get(name)
        if node is None or node not in self._nodes:
            return None
        if kind == "node":
            return node
        return node.output(int(port)) if port.isdigit() else node.output(0) if not port else None

    def original_spelling_holds(self, text: str, target: Node | Value) -> bool:
        """Say whether a stored text still names its target, so that it may stay as it is."""
        node = target if isinstance(target, Node) else target.producer
        return node is not None and text.removeprefix("^").partition(":")[0] == node._name

    def _lift(self) -> Graph:
        if not self._lifted:
            self._lifted = True
            assert self.raw is not None
            self.raw.lift(self)
        return self

    def _where(self) -> str:
        return "the main graph" if self.kind == "main" else f"{self.kind} {self._name!r}"

    def __repr__(self) -> str:
        return f"Graph({self.kind}, {self._name!r})"


def _release(value: Value, node: Node) -> None:
    users = value._users
    if users is not None and node in users:
        users[node] -= 1
        if not users[node]:
            del users[node]


def _function_refs(values: Iterable[AttrValue]) -> Iterator[FunctionRef]:
    for value in values:
        if isinstance(value, FunctionRef):
            yield value
            yield from _function_refs(value.attrs.values())
        elif isinstance(value, list):
            yield from _function_refs(value)


def _copy_node(node: Node, graph: Graph) -> Node:
    copy = Node(graph, node._name, node._op, node.raw)
    copy.keeps_spelling = node.keeps_spelling
    copy.device = node.device
    if node._attrs is not None:
        copy._attrs = dict(node._attrs) if node.raw is None else node._attrs.copy()  # type: ignore[attr-defined]
    return copy


def _copy_value(value: Value, graph: Graph, producer: Node | None, made: dict[Value, Value]) -> Value:
    if value not in made:
        copy = made[value] = Value(graph, producer, value.port, value.name)
        copy.dtype, copy.shape, copy.tensor, copy.raw = value.dtype, value.shape, value.tensor, value.raw
        copy.is_dangling = value.is_dangling
        copy.extra = dict(value.extra) if value.extra else None
        if producer is not None and not value.name:
            producer._outputs = producer._outputs or {}
            producer._outputs.setdefault(value.port, copy)
    return made[value]
