"""Object graphs: that of a SavedModel, that inside a TF2 checkpoint, and the vocabulary's, into each other.

Node ids exist only in the file: lifting makes them references, lowering numbers anew. Lowering starts from
copies of the raw messages and changes only what differs, so that fields unknown here survive. Sources:
`tensorflow/core/protobuf/saved_object_graph.proto` and `trackable_object_graph.proto`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.values import structured
from graphsurgeon.formats.graph.values.tensorproto import read_shape, write_shape
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import ConcreteFunction, ObjectGraph, ObjectNode, parameter_name

MISSING = "missing"  # kind of what stands for an id that the file does not have; its raw is the id

_REFERENCE = ("local_name", "node_id")
_SLOT = ("original_variable_node_id", "slot_name", "slot_variable_node_id")
_ATTRIBUTE = ("name", "full_name", "checkpoint_key")


def lift_saved(message: Any, metagraph: MetaGraph) -> ObjectGraph:
    """Return the object graph of a `SavedObjectGraph`."""
    functions: dict[str, Graph] = metagraph.raw.context.functions  # type: ignore[union-attr]  # by name as read
    nodes = [ObjectNode(raw.WhichOneof("kind") or "", raw) for raw in message.nodes]
    for number, node in enumerate(nodes):
        _lift_edges(node, node.raw, nodes)
        node.dependencies = [(edge.local_name, _node(nodes, edge.node_id)) for edge in node.raw.dependencies]
        node.saveables = {
            name: (_node(nodes, pair.save_function), _node(nodes, pair.restore_function))
            for name, pair in sorted(node.raw.saveable_objects.items())
        }
        if node.kind in _LIFT:
            place = _Place(metagraph.graph, functions, f"object {number}")
            _LIFT[node.kind](node, getattr(node.raw, node.kind), place)
    concrete = [
        ConcreteFunction(
            functions.get(name, name), [_node(nodes, number) for number in raw.bound_inputs], _Structures(raw)
        )
        for name, raw in sorted(message.concrete_functions.items())
    ]
    return ObjectGraph(nodes, concrete, message)


def lower_saved(objects: ObjectGraph, out: Any) -> None:
    """Fill an empty `SavedObjectGraph`.

    Raises:
        UnsupportedError: a function captures an object that is no longer in the graph.
    """
    if objects.raw is not None:
        out.CopyFrom(objects.raw)
        del out.nodes[:]
    out.concrete_functions.clear()
    ids = _Ids(objects.nodes)
    for node in objects.nodes:
        message = out.nodes.add()
        if node.raw is not None:
            message.CopyFrom(node.raw)
        _sync(message.children, _REFERENCE, ids.edges(node.children))
        _sync(message.dependencies, _REFERENCE, ids.edges(node.dependencies))
        _sync(message.slot_variables, _SLOT, ids.slots(node.slots))
        _lower_saveables(node, message.saveable_objects, ids)
        if node.kind:
            _lower_kind(node, getattr(message, node.kind))
    for entry in objects.concrete_functions:
        _lower_concrete(entry, out.concrete_functions[_name(entry.function)], ids)


def parse_trackable(data: bytes) -> Any:
    """Return the `TrackableObjectGraph` that a checkpoint keeps as a string.

    Raises:
        FormatError: the bytes are no such message.
    """
    return schema.parse("tensorflow.TrackableObjectGraph", data)


def lift_trackable(message: Any) -> ObjectGraph:
    """Return the object graph of a `TrackableObjectGraph`."""
    nodes = [ObjectNode("", raw) for raw in message.nodes]
    for node in nodes:
        _lift_edges(node, node.raw, nodes)
        node.attributes = [(raw.name, raw.full_name, raw.checkpoint_key) for raw in node.raw.attributes]
        node.saver_name = node.raw.registered_saver.object_name
    return ObjectGraph(nodes, [], message)


def lower_trackable(objects: ObjectGraph) -> Any:
    """Return a new `TrackableObjectGraph`."""
    out = schema.message("tensorflow.TrackableObjectGraph")()
    if objects.raw is not None:
        out.CopyFrom(objects.raw)
        del out.nodes[:]
    ids = _Ids(objects.nodes)
    for node in objects.nodes:
        message = out.nodes.add()
        if node.raw is not None:
            message.CopyFrom(node.raw)
        _sync(message.children, _REFERENCE, ids.edges(node.children))
        _sync(message.attributes, _ATTRIBUTE, node.attributes)
        if message.registered_saver.object_name != node.saver_name:
            _rename_in_saver(message, node.saver_name)
        _sync(message.slot_variables, _SLOT, ids.slots(node.slots))
    return out


def serialize_trackable(objects: ObjectGraph) -> bytes:
    """Return the bytes of the `TrackableObjectGraph`."""
    return bytes(lower_trackable(objects).SerializeToString())


def new_ids(objects: ObjectGraph) -> dict[int, int] | None:
    """Return id as read -> id as written, objects that are gone left out; None if all keep theirs."""
    before = {id(raw): number for number, raw in enumerate(objects.raw.nodes)} if objects.raw is not None else {}
    pairs = [(before.get(id(node.raw)), number) for number, node in enumerate(objects.nodes)]
    ids = {old: new for old, new in pairs if old is not None}
    return None if len(ids) == len(before) and all(old == new for old, new in ids.items()) else ids


def respelled(data: bytes, respell: Callable[[str], str], in_saver: Callable[[str], str]) -> bytes:
    """Return a serialized `TrackableObjectGraph` with other checkpoint keys.

    Args:
        data: the message.
        respell: makes new keys of old ones.
        in_saver: the same for names that registered savers are given.

    Raises:
        FormatError: the bytes are no such message.
    """
    message = parse_trackable(data)
    for node in message.nodes:
        for attribute in node.attributes:
            attribute.checkpoint_key = respell(attribute.checkpoint_key)
        if node.registered_saver.object_name:
            node.registered_saver.object_name = in_saver(node.registered_saver.object_name)
    return bytes(message.SerializeToString())


def _rename_in_saver(message: Any, name: str) -> None:
    if name:
        message.registered_saver.object_name = name
    else:
        message.ClearField("registered_saver")


class _Structures:
    """StructureSource over a `SavedConcreteFunction`."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        self.message = message

    def input_signature(self) -> object:
        return structured.decode(self.message.canonicalized_input_signature)

    def output_signature(self) -> object:
        return structured.decode(self.message.output_signature)


class _Place(NamedTuple):
    """Where an object's names are looked up: the main graph, the functions by their names as read; and which it is."""

    graph: Graph
    functions: dict[str, Graph]
    where: str


def _node(nodes: Sequence[ObjectNode], number: int) -> ObjectNode:
    return nodes[number] if 0 <= number < len(nodes) else ObjectNode(MISSING, number)


def _lift_edges(node: ObjectNode, raw: Any, nodes: Sequence[ObjectNode]) -> None:
    node.children = [(edge.local_name, _node(nodes, edge.node_id)) for edge in raw.children]
    node.slots = [
        (_node(nodes, slot.original_variable_node_id), slot.slot_name, _node(nodes, slot.slot_variable_node_id))
        for slot in raw.slot_variables
    ]


def _lift_user_object(node: ObjectNode, raw: Any, place: _Place) -> None:
    node.identifier = raw.identifier


def _lift_asset(node: ObjectNode, raw: Any, place: _Place) -> None:
    node.asset_index = raw.asset_file_def_index


def _lift_function(node: ObjectNode, raw: Any, place: _Place) -> None:
    node.functions = [place.functions.get(name, name) for name in raw.concrete_functions]


def _lift_variable(node: ObjectNode, raw: Any, place: _Place) -> None:
    node.name = raw.name
    node.dtype = DType.of(raw.dtype)
    node.shape = read_shape(raw.shape)
    node.trainable = raw.trainable


def _lift_bare(node: ObjectNode, raw: Any, place: _Place) -> None:
    node.functions = [place.functions.get(raw.concrete_function_name, raw.concrete_function_name)]
    node.argument_keywords = list(raw.argument_keywords)


def _lift_constant(node: ObjectNode, raw: Any, place: _Place) -> None:
    node.mention = Mention("node", raw.operation, place.graph, f"{place.where}, constant")


def _lift_captured(node: ObjectNode, raw: Any, place: _Place) -> None:
    graph = place.functions.get(raw.concrete_function)
    node.functions = [graph if graph is not None else raw.concrete_function]
    node.name = raw.name
    if graph is not None:
        node.mention = Mention(
            "tensor", raw.name, graph, f"{place.where}, tensor captured from {raw.concrete_function}"
        )


_LIFT: dict[str, Callable[[ObjectNode, Any, _Place], None]] = {
    "user_object": _lift_user_object,
    "asset": _lift_asset,
    "function": _lift_function,
    "variable": _lift_variable,
    "bare_concrete_function": _lift_bare,
    "constant": _lift_constant,
    "captured_tensor": _lift_captured,
}


class _Ids:
    """Numbers of the nodes that are written; edges to others are left out."""

    def __init__(self, nodes: Sequence[ObjectNode]) -> None:
        self._ids = {node: number for number, node in enumerate(nodes)}

    def get(self, node: ObjectNode) -> int | None:
        return node.raw if node.kind == MISSING else self._ids.get(node)

    def edges(self, edges: Iterable[tuple[str, ObjectNode]]) -> list[tuple[str, int]]:
        found = [(name, self.get(node)) for name, node in edges]
        return [(name, number) for name, number in found if number is not None]

    def slots(self, slots: Iterable[tuple[ObjectNode, str, ObjectNode]]) -> list[tuple[int, str, int]]:
        found = [(self.get(variable), name, self.get(slot)) for variable, name, slot in slots]
        return [(first, name, last) for first, name, last in found if first is not None and last is not None]


def _sync(repeated: Any, fields: tuple[str, ...], wanted: Sequence[tuple[Any, ...]]) -> None:
    """Make the elements of a repeated message field say what is wanted, touching only those that do not."""
    if len(repeated) != len(wanted):
        _keep_wanted(repeated, fields, wanted)
    for message, values in zip(repeated, wanted, strict=True):
        for field, value in zip(fields, values, strict=True):
            if getattr(message, field) != value:
                setattr(message, field, value)


def _keep_wanted(repeated: Any, fields: tuple[str, ...], wanted: Sequence[tuple[Any, ...]]) -> None:
    """Bring a repeated field to the wanted length; an element that says what is wanted goes to its place as it is."""
    known = {tuple(getattr(message, field) for field in fields): message.SerializeToString() for message in repeated}
    del repeated[:]
    for values in wanted:
        repeated.add().MergeFromString(known.get(tuple(values), b""))


def _lower_saveables(node: ObjectNode, pairs: Any, ids: _Ids) -> None:
    wanted = {}
    for name, (save, restore) in node.saveables.items():
        first, last = ids.get(save), ids.get(restore)
        if first is not None and last is not None:
            wanted[name] = (first, last)
    for name in [name for name in pairs if name not in wanted]:
        del pairs[name]
    for name, (save_id, restore_id) in wanted.items():
        pair = pairs[name]
        if (pair.save_function, pair.restore_function) != (save_id, restore_id):
            pair.save_function, pair.restore_function = save_id, restore_id


def _lower_kind(node: ObjectNode, message: Any) -> None:
    message.SetInParent()
    if node.kind == "user_object":
        message.identifier = node.identifier
        if node.raw is None:
            message.version.producer = message.version.min_consumer = 1
    elif node.kind == "asset":
        message.asset_file_def_index = node.asset_index
    elif node.kind == "function":
        _sync_names(message.concrete_functions, [_name(function) for function in node.functions])
    elif node.kind == "variable":
        _lower_variable(node, message)
    elif node.kind == "bare_concrete_function":
        _lower_bare(node, message)
    elif node.kind == "constant" and node.mention is not None:
        message.operation = node.mention.text
    elif node.kind == "captured_tensor":
        message.name = node.mention.text if node.mention is not None else node.name
        message.concrete_function = _name(node.functions[0])


def _lower_variable(node: ObjectNode, message: Any) -> None:
    message.name = node.name
    message.trainable = node.trainable
    if node.dtype is not None:
        message.dtype = node.dtype.number
    if node.shape is not None and (not message.HasField("shape") or read_shape(message.shape) != node.shape):
        message.ClearField("shape")
        write_shape(node.shape, message.shape)


def _lower_bare(node: ObjectNode, message: Any) -> None:
    """Write a bare function; the loader takes it for keyword-only, so its spec must list the same keywords."""
    message.concrete_function_name = _name(node.functions[0])
    before = list(message.argument_keywords)
    if node.raw is None:
        message.allowed_positional_arguments = 1 if len(node.argument_keywords) == 1 else 0  # TensorFlow's own rule
    if before == node.argument_keywords:
        return
    _sync_names(message.argument_keywords, node.argument_keywords)
    parameters = {parameter_name(key) for key in before}
    for pair in message.function_spec.fullargspec.named_tuple_value.values if message.HasField("function_spec") else ():
        if pair.key == "kwonlyargs" and {value.string_value for value in pair.value.list_value.values} == parameters:
            pair.value.CopyFrom(structured.encode([parameter_name(key) for key in node.argument_keywords]))


def _lower_concrete(entry: ConcreteFunction, message: Any, ids: _Ids) -> None:
    source = entry.raw if isinstance(entry.raw, _Structures) else None
    if source is not None:
        message.CopyFrom(source.message)
    bound = [ids.get(node) for node in entry.bound_inputs]
    if None in bound:
        raise UnsupportedError(f"function {_name(entry.function)!r} captures an object that has been removed")
    if list(message.bound_inputs) != bound:
        message.bound_inputs[:] = bound
    for structure, field in (("input", "canonicalized_input_signature"), ("output", "output_signature")):
        if structure in entry.structures:
            _lower_structure(entry.structures[structure], getattr(message, field), is_new=source is None)


def _lower_structure(value: object, message: Any, *, is_new: bool) -> None:
    """Write a structured signature that was looked at, if it is not what the message says already."""
    encoded = structured.encode(value)
    if is_new or encoded != structured.encode(structured.decode(message)):
        message.CopyFrom(encoded)


def _sync_names(repeated: Any, names: Sequence[str]) -> None:
    if list(repeated) != list(names):
        repeated[:] = names


def _name(function: Graph | str) -> str:
    return function if isinstance(function, str) else function.name


def stored_faults(item: ObjectNode | ConcreteFunction) -> Iterator[str]:
    """Say what an object, or a function of the object graph, lacks in the file; nothing of one made here."""
    if isinstance(item, ConcreteFunction):
        if isinstance(item.raw, _Structures):
            yield from _structure_faults(item)
    elif item.raw is not None and item.kind == "function":
        if not item.raw.function.function_spec.HasField("fullargspec"):
            yield "it does not say which arguments it takes"
    elif item.raw is not None and item.kind == "variable":
        for field in ("aggregation", "synchronization"):
            number = getattr(item.raw.variable, field)
            if not 0 <= number <= _MOST_MODE:
                yield f"the {field} of the variable {item.name!r} is {number}, which there is not"


_MOST_MODE = 3  # of VariableAggregation and VariableSynchronization (framework/variable.proto)


def _structure_faults(entry: ConcreteFunction) -> Iterator[str]:
    for field, side in (("canonicalized_input_signature", "input"), ("output_signature", "output")):
        message = getattr(entry.raw.message, field)
        if side not in entry.structures and message.WhichOneof("kind") is None:
            yield f"how its {side}s are structured is not said"
    pair = entry.raw.message.canonicalized_input_signature
    if "input" not in entry.structures and pair.WhichOneof("kind") == "tuple_value":
        count = len(pair.tuple_value.values)
        if count != 2:
            yield f"its inputs are structured as {count} things, not as arguments and keywords"


class FunctionSpec(NamedTuple):
    """How a polymorphic function may be called, as it was read.

    Attributes:
        args: names of its positional arguments, that of the object left out.
        is_nameless: it is a method, and has no argument for the object.
        defaults: how many of the last ones have a default.
        signature: what the arguments must be, None where anything goes.
        takes_more: it has a name for any number of further arguments.
    """

    args: list[str]
    defaults: int
    signature: object
    is_nameless: bool = False
    takes_more: bool = False


def function_spec(node: ObjectNode) -> FunctionSpec | None:
    """Return the specification of a function object; None where the file says none."""
    if node.raw is None or node.kind != "function" or not node.raw.function.function_spec.HasField("fullargspec"):
        return None
    spec = node.raw.function.function_spec
    fields = {pair.key: pair.value for pair in spec.fullargspec.named_tuple_value.values}
    args = [value.string_value for value in fields["args"].list_value.values] if "args" in fields else []
    defaults = fields.get("defaults")
    kind = defaults.WhichOneof("kind") if defaults is not None else None
    count = len(getattr(defaults, kind).values) if kind in ("tuple_value", "list_value") else 0
    signature = structured.decode(spec.input_signature) if spec.HasField("input_signature") else None
    has_owner, more = spec.is_method or args[:1] == ["self"], fields.get("varargs")
    takes_more = more is not None and more.WhichOneof("kind") == "string_value"
    return FunctionSpec(
        args[1:] if has_owner else args,
        count,
        signature,
        is_nameless=spec.is_method and not args,
        takes_more=takes_more,
    )


def flat_components(leaf: object) -> int | None:
    """Return how many tensors a leaf of a structure stands for that the vocabulary has no words for; None if unsaid."""
    if getattr(leaf, "WhichOneof", None) is None or leaf.WhichOneof("kind") != "type_spec_value":  # type: ignore[attr-defined]
        return None
    return leaf.type_spec_value.num_flat_components or None  # type: ignore[attr-defined]


def is_unsaid(leaf: object) -> bool:
    """Say whether a leaf of a structure is a message that holds nothing."""
    return hasattr(leaf, "WhichOneof") and leaf.WhichOneof("kind") is None


def is_known_version(node: ObjectNode) -> bool:
    """Say whether a user object is of version 1, which is the only one there is (`revived_types.py`)."""
    if node.raw is None or node.kind != "user_object":
        return True
    version = node.raw.user_object.version
    return bool(version.producer >= 1 >= version.min_consumer and 1 not in version.bad_consumers)
