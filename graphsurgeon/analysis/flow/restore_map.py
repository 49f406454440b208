"""Which checkpoint key, and which slice of it, each variable and table is restored from.

The one reliable route is the graph's own restore path: from `saver_def.restore_op_name` to every assignment,
from the assigned value back to an output of a restore op, whose constant inputs hold key and slice. TF1 has
this path in the main graph, TF2 in the function that one call there runs. Names are no such route: TF2 keys
are object paths, and the names in the object graph are not those of the nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from graphsurgeon.analysis.flow.calls import Call, Place, nodes_inside, origin
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import ASSIGNMENTS, RESOURCE_VARIABLES, SAME_VALUE, TABLE_IMPORTS, TABLES, VARIABLES

# From the assigned value back to the restored one: ops that change no element.
_UNCHANGED = SAME_VALUE | {"Reshape"}
_USUAL_CONTAINER = b"localhost"  # what an empty one stands for
_ANONYMOUS = b"cd2c89b7-88b7-44c8-ad83-06c2a9158347"  # the name of variables that share nothing
_BY_NODE = "use_node_name_sharing"
_MOST_NAMES = 1 << 20  # names that one restore op may list, so that a damaged one ends


@dataclass(frozen=True, slots=True)
class Restored:
    """Where a value is restored from.

    Attributes:
        key: the checkpoint key.
        slice: `shape_and_slices` as stored: empty for the whole tensor, else the full shape followed by
            `start,length` (or `-`) for every dimension, such as `20 6 0,7:0,6`.
        is_reshaped: the value takes another shape on its way to the variable.
    """

    key: str
    slice: str = ""
    is_reshaped: bool = False


@dataclass(frozen=True, slots=True)
class RestoreMap:
    """What the restore path says.

    Attributes:
        variables: variable node (`VarHandleOp`, `VariableV2` ...) -> where its value is restored from.
        tables: table node -> where keys and values are restored from.
    """

    variables: Mapping[Node, Restored] = field(default_factory=dict)
    tables: Mapping[Node, tuple[Restored, Restored]] = field(default_factory=dict)

    def names_by_key(self) -> dict[str, str]:
        """Return the name of the variable that is restored from each key; of a partitioned one, of its first part."""
        names: dict[str, str] = {}
        for node, restored in self.variables.items():
            names.setdefault(restored.key, resource_name(node))
        return names


def restore_map(metagraph: MetaGraph) -> RestoreMap:
    """Return where every variable and table of a MetaGraph is restored from. Reads small constants only.

    Without a saver (a bare GraphDef), every assignment of a restored value in the main graph counts.
    """
    variables: dict[Node, Restored] = {}
    tables: dict[Node, tuple[Restored, Restored]] = {}
    texts = _Texts()
    for node, call in _restoring_nodes(metagraph):
        if node.op in ASSIGNMENTS and len(node.inputs) == 2:
            source = _restored(Place(node.inputs[1], call), texts)
            target = origin(Place(node.inputs[0], call)).value.producer
            if source is not None and target is not None and target.op in VARIABLES:
                variables.setdefault(target, source)
        elif node.op in TABLE_IMPORTS and len(node.inputs) == 3:
            keys, values = (_restored(Place(value, call), texts) for value in node.inputs[1:])
            target = origin(Place(node.inputs[0], call)).value.producer
            if keys is not None and values is not None and target is not None and target.op in TABLES:
                tables.setdefault(target, (keys, values))
    return RestoreMap(variables, tables)


def resource_name(node: Node) -> str:
    """Return what a variable or table is called: `shared_name`, else the node's name."""
    shared = node.attrs.get("shared_name")
    return shared.decode("utf-8", "surrogateescape") if isinstance(shared, bytes) and shared else node.name


def shared_name(node: Node) -> str | None:
    """Return the name that other nodes find a resource of this node by; None if none does.

    An empty `shared_name` stands for the node's name, but to `VarHandleOp` it is a name as others are, and tables
    without `use_node_name_sharing` are private then.
    """
    shared = node.attrs.get("shared_name")
    if isinstance(shared, bytes) and shared:
        return resource_name(node) if shared != _ANONYMOUS or node.op not in RESOURCE_VARIABLES else None
    if node.op in RESOURCE_VARIABLES:
        return ""
    opdef = catalog.of(node)
    is_private = opdef is not None and _BY_NODE in opdef.attrs and not opdef.attr(node.attrs, _BY_NODE)
    return None if is_private else node.name


@dataclass(frozen=True, slots=True)
class ResourceKey:
    """What tells two resources of a kind apart at run time.

    Attributes:
        container: where it is kept, empty for the usual one.
        shared: the name that others find it by; may be empty.
        owner: graph and name of the node that alone has it, if it is private; a copy of the node says the same.
        name: what to call it.
    """

    container: bytes
    shared: str
    owner: tuple[str, str] | None = None
    name: str = field(default="", compare=False)


def resource_key(node: Node) -> ResourceKey:
    """Return what tells a variable (or table, queue, ...) from others at run time."""
    container, shared = node.attrs.get("container"), shared_name(node)
    where = container if isinstance(container, bytes) and container != _USUAL_CONTAINER else b""
    owner = (node.graph.name, node.name) if shared is None else None
    return ResourceKey(where, shared or "", owner, resource_name(node))


def constant(place: Place) -> Tensor | None:
    """Return the tensor of a value that is a constant, seen through calls; None if it is computed."""
    node = origin(place).value.producer
    value = node.attrs.get("value") if node is not None and node.op == "Const" else None
    return value if isinstance(value, Tensor) else None


def _restoring_nodes(metagraph: MetaGraph) -> Iterator[tuple[Node, Call | None]]:
    saver = metagraph.saver
    root = saver.restore.node if saver is not None else None
    if root is None:
        yield from ((node, None) for node in metagraph.graph.nodes)
        return
    yield from nodes_inside(list(upstream([root])), ASSIGNMENTS | TABLE_IMPORTS)


def _restored(place: Place, texts: _Texts) -> Restored | None:
    is_reshaped = origin(place).value.producer is not (place := origin(place, passing=_UNCHANGED)).value.producer
    node, port = place.value.producer, place.value.port
    if node is None or not isinstance(port, int):
        return None
    if node.op == "RestoreV2" and len(node.inputs) == 3:
        names, slices = (texts.of(Place(value, place.call)) for value in node.inputs[1:])
    elif node.op in ("Restore", "RestoreSlice") and len(node.inputs) >= 2:
        names = texts.of(Place(node.inputs[1], place.call))
        slices = texts.of(Place(node.inputs[2], place.call)) if len(node.inputs) > 2 else []
    else:
        return None
    if port >= len(names):
        return None
    return Restored(names[port], slices[port] if port < len(slices) else "", is_reshaped)


class _Texts:
    """Elements of constant strings; one constant holds the keys of all variables, so each is decoded once."""

    def __init__(self) -> None:
        self._of: dict[Node, list[str]] = {}

    def of(self, place: Place) -> list[str]:
        node = origin(place).value.producer
        if node is None:
            return []
        if node not in self._of:
            tensor = constant(place)
            is_list = tensor is not None and tensor.dtype is STRING and tensor.num_elements <= _MOST_NAMES
            items = tensor.items() if is_list and tensor is not None else []
            self._of[node] = [item.decode("utf-8", "surrogateescape") for item in items]
        return self._of[node]


def variable_nodes(graphs: Iterable[Graph]) -> list[Node]:
    """Return every node that stands for a variable, in file order."""
    return [node for graph in graphs for node in graph.nodes if node.op in VARIABLES]


def producer_of(value: Value) -> Node | None:
    """Return the node that a value comes from within its graph, through ops that hand their input on."""
    return origin(Place(value)).value.producer
