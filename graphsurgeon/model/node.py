"""Nodes and values: what a graph is made of.

Values know their consumers, so that a graph can be walked and rewired in either direction.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, Union

from graphsurgeon.errors import UsageError, plural
from graphsurgeon.model.display import authoring
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.format import OF_VOCABULARY, TENSORFLOW, TFLITE
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.spellings import Answering
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from typing import Any

    from graphsurgeon.model.graph import Graph

Port: TypeAlias = Union[int, str]  # noqa: UP007  # evaluated at run time, where 3.10 knows no "|" with a forward name
# A str is the name of an attribute of the calling node (a placeholder in a polymorphic function); strings are bytes.
# A Value is a tensor that a TFLite operator keeps to itself ("intermediates").
AttrValue: TypeAlias = (
    "int | float | bool | bytes | str | DType | Shape | Tensor | FunctionRef | Value | list[AttrValue] | None"
)

ABSENT = -1  # port of the value that stands for an optional input left out


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


class AttrView(Answering, MutableMapping[str, AttrValue]):
    """Attributes of a node that was read, made of what the file holds when they are asked for."""

    __slots__ = ()

    @abstractmethod
    def function_refs(self) -> Iterator[FunctionRef]:
        """Yield the functions that attributes name, without making values of the other attributes."""

    @property
    @abstractmethod
    def is_changed(self) -> bool:
        """Say whether an attribute is not what the file holds."""

    def __repr__(self) -> str:
        return repr(dict(self))


class NewAttrs(dict[str, AttrValue]):
    """Attributes of a node that was added: what is assigned takes the form that the definition of its op wants."""

    __slots__ = ("op",)

    def __init__(self, op: str, attrs: Mapping[str, AttrValue]) -> None:
        super().__init__(attrs)
        self.op = op

    def __setitem__(self, key: str, value: AttrValue) -> None:
        super().__setitem__(key, authoring().coerced(self.op, key, value, self.get("dtype")))


class Value(Answering):
    """What a node yields at one port, an argument of a function, an input or constant of a TFLite subgraph.

    Attributes:
        producer: the node that yields it; None for arguments, inputs, constants and dangling references.
        port: flat output index; the text `out_arg:i` where the op's outputs are unknown; for an argument
            its position; for a TFLite tensor its index; for a value of ONNX its name.
        name: stored name of an argument or TFLite tensor, text of a dangling reference; None where the name
            is derived from the producer.
        dtype, shape: as the file records them (arguments, TFLite); None where they must be inferred.
        tensor: data of a TFLite constant.
        is_dangling: the reference names nothing in the graph; its text is kept as it is.
        extra: what a format records beside. TFLite: "quantization" (a `Quantization`), "is_variable" (True),
            "sparsity" (how `tensor` is stored; its elements read as a dense tensor), "variant" (list of the
            (dtype, shape) inside a variant), "external_buffer" (id of a buffer in another file).
    """

    __slots__ = (
        "_users",
        "dtype",
        "extra",
        "graph",
        "is_dangling",
        "name",
        "port",
        "producer",
        "raw",
        "shape",
        "tensor",
    )

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
        # The one node that reads it, once, as most values have it; else how often each reads it.
        self._users: Node | dict[Node, int] | None = None

    @property
    def consumers(self) -> tuple[Node, ...]:
        """The nodes that read this value, each once, in the order in which they were joined."""
        return (self._users,) if isinstance(self._users, Node) else tuple(self._users or ())

    @property
    def is_absent(self) -> bool:
        """Say whether this is `Graph.absent`: it holds the place of an optional input of TFLite that was left out."""
        return self.port == ABSENT

    @property
    def is_argument(self) -> bool:
        """Say whether this is an argument of a function (or an input of a subgraph)."""
        if self.producer is not None:
            return False
        inputs, port = self.graph.inputs, self.port  # mostly it lies where its number says
        if isinstance(port, int) and 0 <= port < len(inputs) and inputs[port] is self:
            return True
        return any(value is self for value in inputs)

    def replace_with(self, other: Value | Node | str, *, but: Node | Iterable[Node] = ()) -> int:
        """Send every consumer, and every output of the graph, to another value; return how many places changed.

        Raises:
            UsageError: the graph has no such value; nothing has changed then.
        """
        kept = {but} if isinstance(but, Node) else set(but)
        is_here = isinstance(other, Value) and other.graph is self.graph
        target: Any = other if is_here else authoring().named_value(self.graph, other, self)
        changed = 0
        for node in self.consumers:
            if node not in kept:
                changed += sum(value is self for value in node.inputs)
                node.inputs = [target if value is self else value for value in node.inputs]
        for output in self.graph.outputs:
            if output.value is self:
                output.value = target
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


class Node(Answering):
    """One operation. Made by `Graph.add_node` (or by a format); change it through its properties.

    Attributes:
        raw: the format's own form, None for a new node.
        remembered: what the format has found out about the raw form, so as not to find it out again.
        keeps_spelling: the raw form spells inputs in the names of this graph; False for a node brought from
            another graph, whose inputs are spelled anew.
    """

    __slots__ = (
        "_attrs", "_control_users", "_controls", "_device", "_inputs", "_name", "_op", "_outputs",
        "graph", "keeps_spelling", "raw", "remembered",
    )  # fmt: skip

    def __init__(self, graph: Graph, name: str, op: str | Graph, raw: Any = None, device: str = "") -> None:
        self.graph = graph
        self._name = name
        self._op = op
        self._inputs: tuple[Value, ...] = ()
        self._controls: tuple[Node, ...] = ()
        self._control_users: dict[Node, None] | None = None
        self._outputs: Value | dict[Port, Value] | None = None  # that of port 0 itself where there is no other
        self._attrs: MutableMapping[str, AttrValue] | None = None
        self._device = device
        self.raw = raw
        self.remembered: Any = None
        self.keeps_spelling = raw is not None

    @property
    def name(self) -> str:
        """Unique in its graph; setting it renames the node everywhere it is mentioned."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        authoring().require_name(self.graph, name)
        self.graph.rename({self: name})

    @property
    def op(self) -> str:
        """Name of the operation; of the function for a node that calls one natively."""
        op = self._op
        return op if op.__class__ is str else op.name  # type: ignore[union-attr]  # asked most of all

    @op.setter
    def op(self, op: str | Graph) -> None:
        self._op = op
        self._note_change(also_readers=True)

    @property
    def qualified_op(self) -> str:
        """Return the op as what is known of ops goes by: of a framework of its own with the vocabulary, `onnx: Max`.

        TensorFlow's and TFLite's names are never the same, and stand alone: `Max`, `MAXIMUM`.
        """
        vocabulary = self.graph.vocabulary
        return self.op if vocabulary in (TENSORFLOW, TFLITE) else f"{vocabulary}{OF_VOCABULARY}{self.op}"

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
        given: Any = [values] if isinstance(values, str | Node | Value) or values is None else values
        named = authoring().named_value
        values = [value if isinstance(value, Value) else named(self.graph, value, self) for value in given]
        for value in self._inputs:
            _release(value, self)
        self._inputs = tuple(values)
        for value in self._inputs:
            _join(value, self)
        self.graph._changed[self] = None

    def start_edges(self, inputs: Sequence[Value], controls: Sequence[Node]) -> None:
        """Give a node that has just been made its edges, as a format reads them."""
        self._inputs = tuple(inputs)
        for value in self._inputs:
            if value._users is None:
                value._users = self
            else:
                _join(value, self)
        if controls:
            self.controls = controls

    def set_input(self, index: int, value: Value) -> None:
        """Replace one data input.

        Raises:
            UsageError: there is no input of that place.
        """
        if index not in range(len(self._inputs)):
            what = f"has {plural(len(self._inputs), 'input')}: there is none of place {index}"
            raise UsageError(f"{self.op} {self.name!r} {what}", hint="assign `inputs` to give it more")
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
        self.graph._changed[self] = None

    @property
    def device(self) -> str:
        """The requested device, empty if none."""
        return self._device

    @device.setter
    def device(self, device: str) -> None:
        self._device = device
        self.graph._changed[self] = None

    @property
    def consumers(self) -> tuple[Node, ...]:
        """The nodes that read any output of this one, each once."""
        outputs = self._outputs
        if isinstance(outputs, Value):  # as most have it, and every walk asks
            users = outputs._users
            return (users,) if isinstance(users, Node) else tuple(users or ())
        return tuple(dict.fromkeys(user for value in self.known_outputs.values() for user in value.consumers))

    @property
    def control_consumers(self) -> tuple[Node, ...]:
        """The nodes that wait for this one."""
        return tuple(self._control_users or ())

    @property
    def attrs(self) -> MutableMapping[str, AttrValue]:
        """The attributes; a change is written to the file with the node."""
        if self._attrs is None:
            source = self.graph.raw
            is_read = source is not None and self.raw is not None
            self._attrs = source.attrs(self) if source is not None and is_read else NewAttrs(self.op, {})
        return self._attrs

    def start_attrs(self, attrs: Mapping[str, AttrValue]) -> None:
        """Give a new node its attributes, as they stand in a file."""
        self._attrs = NewAttrs(self.op, attrs)

    def forget_attrs(self) -> None:
        """Undo every change of the attributes: they are again what the file says."""
        self._attrs = None

    def fill_attrs(self, attrs: MutableMapping[str, AttrValue]) -> None:
        """Give a node its attributes as a format makes it, which is no change of what the file says."""
        self._attrs = attrs

    @property
    def held_attrs(self) -> MutableMapping[str, AttrValue] | None:
        """The attributes if somebody has asked for them, else None: those of the raw form are then as they were."""
        return self._attrs

    @property
    def has_new_attrs(self) -> bool:
        """Say whether the attributes are not those that the file holds."""
        held = self._attrs
        return self.raw is None or (held is not None and (not isinstance(held, AttrView) or held.is_changed))

    @property
    def known_outputs(self) -> Mapping[Port, Value]:
        """The outputs that somebody has asked for, by port, without making any; those that are read are among them."""
        outputs = self._outputs
        return {0: outputs} if isinstance(outputs, Value) else outputs or {}

    def output(self, port: Port = 0) -> Value:
        """Return the value at a port."""
        held = self._outputs
        if port == 0 and not isinstance(held, dict):
            if held is None:
                held = self._outputs = Value(self.graph, self, port)
            return held
        outputs = self._several_outputs()
        value = outputs.get(port)
        if value is None:
            value = outputs[port] = Value(self.graph, self, port)
        return value

    def start_output(self, port: Port, value: Value) -> None:
        """Give a node that has just been made what it yields at a port, unless it has something there."""
        self._several_outputs().setdefault(port, value)

    def _several_outputs(self) -> dict[Port, Value]:
        if not isinstance(self._outputs, dict):
            self._outputs = dict(self.known_outputs)
        return self._outputs

    @property
    def outputs(self) -> tuple[Value, ...]:
        """Every output that the op defines; of an op without definition, those that somebody reads."""
        dtypes = self.output_dtypes()
        if dtypes is not None:
            return tuple(self.output(port) for port in range(len(dtypes)))
        known = self.known_outputs
        return tuple(known[port] for port in sorted(known, key=lambda port: (isinstance(port, str), port)))

    def output_dtypes(self) -> list[DType] | None:
        """Return the dtype of every output as the op's definition gives it, None if the op is unknown."""
        if self.graph.raw is not None:
            return self.graph.raw.output_dtypes(self)
        found: list[DType] | None = authoring().output_dtypes(self)
        return found

    def set_outputs(self, values: Sequence[Value]) -> None:
        """Name the values this node yields, by position (for formats whose values are stored objects)."""
        self._outputs = dict(enumerate(values))
        for value in values:
            value.producer = self

    def move_outputs(self, ports: Mapping[Port, Port]) -> None:
        """Give outputs other ports (old -> new, others stay): whoever reads a value goes on reading that value.

        Mentions must have been resolved before (`MetaGraph.resolve_mentions`), since they are looked up by port.
        """
        self._outputs = {ports.get(port, port): value for port, value in self.known_outputs.items()}
        for port, value in self._outputs.items():
            value.port = port
        self._note_change(also_readers=True)

    def become(self, op: str | Graph, inputs: Sequence[Value], attrs: Mapping[str, AttrValue]) -> None:
        """Turn into another operation: of the earlier one remain name, device, controls and output values."""
        self._op = op
        self.raw = None
        self.keeps_spelling = False
        self.start_attrs(attrs)
        self.inputs = inputs
        self._note_change(also_readers=True)

    def _note_change(self, *, also_readers: bool) -> None:
        """Enter this node among the changed ones; those that read it too where they would spell its outputs anew."""
        changed = self.graph._changed
        changed[self] = None
        if also_readers:
            changed.update(dict.fromkeys(self.consumers))

    @property
    def function_refs(self) -> list[FunctionRef]:
        """The functions that attributes name, without the native callee."""
        if self._attrs is None and self.raw is not None and self.graph.raw is not None:
            return self.graph.raw.function_refs(self)
        attrs = self.attrs
        return list(attrs.function_refs() if isinstance(attrs, AttrView) else refs_among(attrs.values()))

    @property
    def functions(self) -> list[Graph]:
        """Every function of the library that this node calls or names, in the order of its attributes."""
        named = [ref.graph for ref in self.function_refs if ref.graph is not None]
        return named if self.callee is None else [self.callee, *named]

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"Node({self._name!r}, {self.op!r})"


def _join(value: Value, node: Node) -> None:
    users = value._users
    if users is None:
        value._users = node
    elif isinstance(users, Node):
        value._users = {node: 2} if users is node else {users: 1, node: 1}
    else:
        users[node] = users.get(node, 0) + 1


def _release(value: Value, node: Node) -> None:
    users = value._users
    if users is node:
        value._users = None
    elif isinstance(users, dict) and node in users:
        users[node] -= 1
        if not users[node]:
            del users[node]


def refs_among(values: Iterable[AttrValue]) -> Iterator[FunctionRef]:
    """Yield the functions that some values of attributes name, nested ones behind the one that names them."""
    for value in values:
        if isinstance(value, FunctionRef):
            yield value
            yield from refs_among(value.attrs.values())
        elif isinstance(value, list):
            yield from refs_among(value)
