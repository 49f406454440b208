"""Graphs of nodes joined by references to objects, the same for main graphs, functions and TFLite subgraphs.

A Graph is lifted from its raw form when its nodes are first asked for. What a format owns behind an
object is `raw`, which nobody outside `formats/` looks at. Names are unique per graph (TFLite operators
have none).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from graphsurgeon.errors import GraphSurgeonError, UsageError
from graphsurgeon.model.calls import checked_call
from graphsurgeon.model.copies import copy_node, fill_copy
from graphsurgeon.model.display import Displayed, authoring, text_of
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.node import ABSENT, AttrValue, FunctionRef, Node, Output, Port, Value

if TYPE_CHECKING:
    from graphsurgeon.model.format import Vocabulary
    from graphsurgeon.model.metagraph import MetaGraph
    from graphsurgeon.model.shape import Shape
    from graphsurgeon.model.tensor import Tensor

__all__ = ["AttrValue", "FunctionRef", "Graph", "GraphKind", "GraphSource", "Node", "Output", "Port", "Value"]

GraphKind = Literal["main", "function", "subgraph"]


class GraphSource(Protocol):
    """What a format offers about a graph that it has read. Nothing above `formats/` calls it but this module."""

    def lift(self, graph: Graph) -> None:
        """Fill nodes, inputs and outputs, through `Graph.attach` and by assignment."""

    def op_counts(self) -> dict[str, int]:
        """Count nodes by op without lifting."""

    def peek(self, graph: Graph, ops: Container[str]) -> list[Node]:
        """Return stand-ins for the nodes with some ops, without edges and outside the graph, without lifting."""

    def attrs(self, node: Node) -> MutableMapping[str, AttrValue]:
        """Return the attributes of a node that was read: decoded on demand, changes kept beside the raw form."""

    def output_dtypes(self, node: Node) -> list[DType] | None:
        """Return the dtype of every output of a node (dtype_0 where unknown), None if their number is unknown."""

    def function_refs(self, node: Node) -> list[FunctionRef]:
        """Return the functions that attributes of the node name, those inside lists included."""


class Graph(Displayed):
    """Nodes with their inputs and outputs: a main graph, a function of the library, or a TFLite subgraph.

    Attributes:
        kind: "main", "function" or "subgraph".
        metagraph: the MetaGraph it belongs to; functions are shared by all graphs of one MetaGraph.
        inputs: arguments of a function, inputs of a subgraph; empty for a main graph (placeholders are nodes).
        outputs: results of a function or subgraph; empty for a main graph.
        control_outputs: name -> node that a call of the function waits for.
        values: TFLite: all tensors of the subgraph by index; empty elsewhere. The place in the list decides the
            index that is written; `Value.port` stays what it was when the tensor was read or added.
        attrs: attributes of a function definition.
        argument_controls: control inputs that name an argument of the function: (node, argument).
        dangling_controls: control inputs that name nothing: (node, text); they are kept in the file.
        originals: name in the file -> node, filled by `attach` as a format makes nodes: what stored references mean.
        original_arguments: name in the file -> argument of a function; a format fills it.
        raw: the format's GraphSource.
    """

    __slots__ = (
        "_absent",
        "_attrs",
        "_by_name",
        "_changed",
        "_control_outputs",
        "_inputs",
        "_lifted",
        "_name",
        "_nodes",
        "_outputs",
        "_values",
        "argument_controls",
        "dangling_controls",
        "kind",
        "metagraph",
        "original_arguments",
        "originals",
        "raw",
    )  # fmt: skip

    def __init__(self, metagraph: MetaGraph, kind: GraphKind, name: str = "", raw: GraphSource | None = None) -> None:
        self.metagraph = metagraph
        self.kind = kind
        self.raw = raw
        self._name = name
        self._lifted = raw is None
        self._nodes: dict[Node, None] = {}
        self._changed: dict[Node, None] = {}  # entered, or given another op, inputs, controls or a device, since
        self._by_name: dict[str, Node] = {}
        self.originals: dict[str, Node] = {}
        self._inputs: list[Value] = []
        self.original_arguments: dict[str, Value] = {}
        self._outputs: list[Output] = []
        self._control_outputs: dict[str, Node] = {}
        self._values: list[Value] = []
        self._absent: Value | None = None
        self._attrs: dict[str, AttrValue] | None = None
        self.argument_controls: list[tuple[Node, Value]] = []
        self.dangling_controls: list[tuple[Node, str]] = []

    # -- reading ---------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of a function or subgraph, empty for a main graph. Rename through `MetaGraph.rename_functions`."""
        return self._name

    @property
    def vocabulary(self) -> Vocabulary:
        """What its ops mean: those of TensorFlow, or of another framework."""
        return self.metagraph.vocabulary

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
        if self.kind == "function":  # a TFLite tensor's port is its index among all tensors
            for position, value in enumerate(self._inputs):
                value.port = position

    @property
    def outputs(self) -> list[Output]:
        """Results of a function, outputs of a subgraph."""
        return self._lift()._outputs

    @outputs.setter
    def outputs(self, outputs: Sequence[Output]) -> None:
        is_plain = all(isinstance(output, Output) for output in outputs)
        self._outputs = list(outputs) if is_plain else authoring().results(self, outputs)

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
    def absent(self) -> Value:
        """TFLite: what stands in `Node.inputs` for an optional input that is left out."""
        if self._absent is None:
            self._absent = Value(self, None, ABSENT, "")
        return self._absent

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

    def peek(self, ops: Container[str]) -> list[Node]:
        """Return the nodes with some ops, to look at their names and attributes. Does not lift the graph.

        Unless the graph is lifted already these are stand-ins: they have no edges, and changing them changes nothing.
        """
        if self._lifted or self.raw is None:
            return [node for node in self.nodes if node.op in ops]
        return self.raw.peek(self, ops)

    def changed_nodes(self) -> list[Node]:
        """Return the nodes that are new, or not what the file says they are; renaming one changes nothing else of it.

        An input that goes by another name now is the same input. Of a format that makes the attributes of its nodes
        at once, every node whose attributes were asked for is among them.
        """
        return [node for node in self._nodes if node in self._changed or node.has_new_attrs] if self._lifted else []

    def node(self, name: str) -> Node | None:
        """Return the node with a name, None if there is none."""
        return self._lift()._by_name.get(name)

    def value(self, name: str) -> Value | None:
        """Return the value that a name stands for now, None if there is none.

        `node` (its output 0), `node:1`, the name of an argument, the stored name of a TFLite tensor (the first
        that has it), or `#12`, its index.
        """
        if self.values:
            index = name[1:] if name[:1] == "#" else ""
            if index.isdecimal() and int(index) < len(self.values):
                return self.values[int(index)]
            return next((value for value in self.values if value.name == name), None)
        node_name, _, port = name.rpartition(":")
        node = self._by_name.get(node_name)
        if node is not None and port.isdecimal() and len(port) < 10:
            return node.output(int(port))
        node = self._by_name.get(name)
        return node.output(0) if node is not None else next((v for v in self.inputs if v.name == name), None)

    def __getitem__(self, name: str) -> Node:  # refuses where there is none
        return next(self._named(name))

    def __contains__(self, node: object) -> bool:
        return node in self._lift()._nodes or (isinstance(node, str) and node in self._by_name)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self._lift()._nodes) if self._lifted or self.raw is None else sum(self.op_counts.values())

    # -- changing --------------------------------------------------------------------------------------

    @checked_call
    def add_node(
        self,
        op: str | Graph,
        name: str | None = None,
        inputs: Any = (),
        attrs: Mapping[str, Any] | None = None,
        *,
        controls: Any = (),
        device: str = "",
        checked: bool = True,
    ) -> Node:
        """Add a node at the end.

        What follows from the inputs by the op's definition (`T`, `N`, `Tin` ...) need not be said.

        Args:
            op: name of an op; a Graph for a native call of a function.
            name: free in this graph (`unique_name` gives such a name); by default made of the op's.
            inputs: one or several: values, nodes (their output 0), names such as `x:0`; numbers and arrays become
                constants of the type that is wanted.
            attrs: values as Python, numpy or TensorFlow write them: `{"DstT": "int32"}`, `{"strides": [1, 2, 2, 1]}`.
            controls, device: nodes, or their names, that must run before; the requested device.
            checked: False takes values and attributes as they are, whatever the op's definition says of them.

        Raises:
            UsageError: the name is taken, or the op's definition does not allow such a node; nothing has changed then.
        """
        if name is None:
            name = self.unique_name(op if isinstance(op, str) else op.name)
        if not checked:
            return self._lift()._add(op, name, inputs, attrs or {}, controls, device)
        draft = authoring().complete(self._lift(), op, name, inputs, attrs, controls)
        values = [
            item if isinstance(item, Value) else self._add_constant(f"{name}/{place}", item)
            for place, item in zip(draft.names, draft.inputs, strict=True)
        ]
        return self._add(op, name, values, draft.attrs, draft.controls, device)

    def _add(
        self,
        op: str | Graph,
        name: str,
        inputs: Sequence[Value],
        attrs: Mapping[str, AttrValue],
        controls: Sequence[Node] = (),
        device: str = "",
    ) -> Node:
        node = Node(self, name, op)
        node.start_attrs(attrs)
        node.device = device
        self.attach(node)
        node.inputs = inputs
        node.controls = controls
        return node

    def _add_constant(self, name: str, tensor: Tensor) -> Value:
        attrs: dict[str, AttrValue] = {"dtype": tensor.dtype, "value": tensor}
        return self._add("Const", self.unique_name(name), (), attrs).output(0)

    def add_value(self, name: str, dtype: DType, shape: Shape, tensor: Tensor | None = None) -> Value:
        """TFLite: add a tensor at the end; with data it is a constant. `Node.set_outputs` gives it a producer."""
        value = Value(self, None, len(self.values), name)
        value.dtype, value.shape, value.tensor = dtype, shape, tensor
        self._values.append(value)
        return value

    def remove_values(self, values: Iterable[Value]) -> None:
        """TFLite: take tensors out; the others move up. No operator, output or signature may still mention them."""
        gone = set(values)
        self._lift()._values = [value for value in self._values if value not in gone]

    def adopt(self, node: Node, name: str, inputs: Sequence[Value] = (), *, controls: Sequence[Node] = ()) -> Node:
        """Add a copy of a node of another graph of the same MetaGraph, all its attributes included.

        Raises:
            UsageError: the name is taken.
        """
        copy = copy_node(node, self._lift())
        copy._name = name
        copy.keeps_spelling = False
        if name in self._by_name:
            raise UsageError(f"{self.title} already has a node {name!r}")
        self.attach(copy)
        copy.inputs = inputs
        copy.controls = controls
        return copy

    def attach(self, node: Node) -> None:
        """Enter a node that was made for this graph; a second node of one name (a broken file) keeps its name."""
        if node._name and self._by_name.setdefault(node._name, node) is not node and node.raw is None:
            raise UsageError(f"{self.title} already has a node {node._name!r}")
        if node.keeps_spelling:
            self.originals.setdefault(node._name, node)
        self._nodes[node] = None
        self._changed[node] = None

    def attach_all(self, nodes: Sequence[Node]) -> None:
        """Enter all nodes that a format has made for this graph, in the order of the file, as `attach` does one."""
        by_name = {node._name: node for node in nodes}
        if not self._nodes and len(by_name) == len(nodes) and "" not in by_name:
            self._by_name, self.originals = by_name, dict(by_name)
            self._nodes, self._changed = dict.fromkeys(nodes), dict.fromkeys(nodes)
            return
        for node in nodes:
            self.attach(node)

    def remove_nodes(self, nodes: Node | str | Iterable[Node | str]) -> None:
        """Take nodes out, with their edges; who waited for one of them waits no more.

        Raises:
            UsageError: a node that stays, or a result of the graph, reads one of them (`Value.replace_with` sends it
                elsewhere); nothing has changed then.
        """
        gone = dict.fromkeys(self._named(nodes))
        self._require_unread(gone)
        self.take_out(gone)

    def take_out(self, nodes: Iterable[Node]) -> None:
        """Take nodes out as they are: who goes on reading one of them reads what is not in the graph any more."""
        gone = dict.fromkeys(nodes)
        waiting = dict.fromkeys(user for node in gone for user in node.control_consumers)
        for user in waiting:  # once each: many nodes may be what one waits for
            user.controls = [other for other in user.controls if other not in gone]
        for node in gone:
            node.inputs = ()
            node.controls = ()
            self._nodes.pop(node, None)
            if self._by_name.get(node._name) is node:
                del self._by_name[node._name]

    def arrange(self, nodes: Iterable[Node]) -> None:
        """Put all nodes into another order, which is that of the file; operators of TFLite run in it."""
        self._nodes = dict.fromkeys(nodes)

    def _named(self, nodes: Node | str | Iterable[Node | str]) -> Iterator[Node]:
        for node in [nodes] if isinstance(nodes, Node | str) or nodes is None else nodes:
            found = self.node(node) if isinstance(node, str) else node
            if not isinstance(found, Node):
                raise UsageError(f"{self.title} has no node {node!r}", hint="print(graph) lists what there is")
            yield found

    def _require_unread(self, gone: Mapping[Node, None]) -> None:
        for node in gone:
            for value in node.known_outputs.values():
                reader = next((user for user in value.consumers if user not in gone), None)
                if reader is not None:
                    raise UsageError(
                        f"{self.title}: {reader.op} {reader.name!r} reads {value} of {node.op} {node.name!r}",
                        hint="send it elsewhere first: value.replace_with(other)",
                    )
        result = next((output for output in self._outputs if output.value.producer in gone), None)
        if result is not None:
            raise UsageError(f"{self.title}: its result {result.name or result.value} is {result.value}")

    def rename(self, names: Mapping[Node, str]) -> None:
        """Rename nodes, all at once, so that names may be exchanged.

        Raises:
            UsageError: a new name is taken by a node that keeps its name, or given twice.
        """
        given = Counter(names.values())
        taken = [new for node, new in names.items() if given[new] > 1 or self._by_name.get(new, node) not in names]
        if taken:
            raise UsageError(f"{self.title} already has a node {taken[0]!r}")
        for node in names:
            if self._by_name.get(node._name) is node:
                del self._by_name[node._name]
        for node, new in names.items():
            node._name = new
            self._by_name[new] = node

    def unique_name(self, base: str) -> str:
        """Return `base`, or `base_1`, `base_2` ... : a name that no node and no argument of this graph has."""
        taken, arguments = self._lift()._by_name, {value.name for value in self._inputs}
        name, number = base, 0
        while name in taken or name in arguments:
            number += 1
            name = f"{base}_{number}"
        return name

    def blank(self) -> Graph:
        """Return an empty graph of the same kind and name, into which nodes of this MetaGraph can be brought."""
        blank = Graph(self.metagraph, self.kind, self._name, self.raw)
        blank._lifted = True
        return blank

    def clone(self, name: str) -> Graph:
        """Return a copy of a function or subgraph under another name, in the same MetaGraph, not yet entered there."""
        copy = Graph(self.metagraph, self.kind, name, self._lift().raw)
        copy._lifted = True
        fill_copy(self, copy)
        return copy

    # -- names as they were read (for formats and mentions) ----------------------------------------------

    def original(self, text: str, kind: str) -> Node | Value | None:
        """Return what a text of GraphDef syntax named when the graph was read: `node`, `node:1`, `^node`."""
        self._lift()
        name, _, port = text.removeprefix("^").partition(":")
        node = self.originals.get(name)
        if node is None:
            argument = self.original_arguments.get(name)
            return argument if kind == "tensor" and argument in self._inputs else None
        if node not in self._nodes:
            return None
        if kind == "node":
            return node
        return node.output(int(port)) if port.isdigit() else node.output(0) if not port else None

    def _lift(self) -> Graph:
        if not self._lifted:
            self._lifted = True
            assert self.raw is not None
            try:
                self.raw.lift(self)
                self._changed.clear()
            except GraphSurgeonError:
                self._forget()  # half a graph must not pass for the whole when it is asked for again
                raise
        return self

    def _forget(self) -> None:
        self._lifted = False
        for container in (
            self._nodes,
            self._changed,
            self._by_name,
            self.originals,
            self.original_arguments,
            self._control_outputs,
        ):
            container.clear()
        self._inputs, self._outputs, self._values = [], [], []

    @property
    def title(self) -> str:
        """What messages call it: "the main graph", "function 'f'"."""
        return "the main graph" if self.kind == "main" else f"{self.kind} {self._name!r}"

    def __str__(self) -> str:
        """The whole graph as text, a line a node, with the dtypes and shapes that are known or inferred."""
        return text_of(self)

    def __repr__(self) -> str:
        return f"Graph({self.kind}, {self._name!r})"
