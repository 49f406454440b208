"""The saver of a TF2 SavedModel: two calls in the main graph, of functions that take every variable.

With a variable go its arguments, what the functions do with it, and its place in the lists of `SaveV2` and
`RestoreV2`; the object graph that is saved along is the one that the checkpoint has then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from graphsurgeon.analysis.flow.calls import Place, called_function, origin
from graphsurgeon.analysis.flow.restore_map import producer_of
from graphsurgeon.model.checkpoint import OBJECT_GRAPH_KEY
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import reached, upstream
from graphsurgeon.ops.kinds import SAVES, TRACED_SAVER, VARIABLES
from graphsurgeon.surgery.stripping.saver_v1 import shrink_restore, shrink_save, texts

_OBJECTS = OBJECT_GRAPH_KEY.encode()
_READS = frozenset({"ReadVariableOp"})


class TracedSaver:
    """The calls of a main graph through which a saver works, where nothing else uses their functions.

    Attributes:
        calls: call -> its function.
    """

    def __init__(self, metagraph: MetaGraph) -> None:
        self._metagraph = metagraph
        mentions = metagraph.saver.mentions if metagraph.saver is not None else []
        nodes = dict.fromkeys(node for mention in mentions if (node := mention.node) is not None)
        found = {node: function for node in nodes if (function := called_function(node)) is not None}
        shared = self._used_elsewhere(found) if found else set()
        self.calls = {node: function for node, function in found.items() if function not in shared}
        self._closed = {owner for node in found if node not in self.calls for owner in map(_owner, node.inputs)}
        self._places = {call: _places(call) for call in self.calls}
        self._shrinkable = {
            node
            for function in self.calls.values()
            for node in function.nodes
            if node.op in SAVES and _can_shrink(node)
        }

    def can_let_go(self, variable: Node) -> bool:
        """Say whether the saver can do without a variable."""
        return variable not in self._closed and all(
            self._can_go(function, function.inputs[place])
            for call, function in self.calls.items()
            for place in self._places[call].get(variable, ())
        )

    def let_go(self, variables: Collection[Node]) -> None:
        """Save and restore some variables no more."""
        for call, function in self.calls.items():
            places = {place for variable in variables for place in self._places[call].get(variable, ())}
            if places:
                _drop_arguments(call, function, places)

    def save_objects(self, data: bytes) -> None:
        """Let the saver save another object graph along."""
        for call, function in self.calls.items():
            for node in function.nodes:
                for value in _saved_objects(node):
                    place = origin(Place(value)).value
                    source = call.inputs[int(place.port)] if place.producer is None else place
                    constant = producer_of(source)
                    if constant is not None and constant.op == "Const":
                        constant.attrs["value"] = Tensor.of(STRING, (), [data])

    def _can_go(self, function: Graph, argument: Value) -> bool:
        """Say whether a function only saves or restores an argument, and something else beside it."""
        own = _own_nodes(argument)
        results = [output.value for output in function.outputs]
        if any(value is argument or value.producer in own for value in results):
            return False
        users = {user for node in own for user in node.consumers}.union(argument.consumers)
        return all(node.op in TRACED_SAVER for node in own) and users - own <= self._shrinkable

    def _used_elsewhere(self, calls: dict[Node, Graph]) -> set[Graph]:
        functions = set(calls.values())
        used = [
            function
            for graph in self._metagraph.graphs
            for node in graph.nodes
            if node not in calls
            for function in node.functions
        ]
        objects = self._metagraph.objects
        if objects is not None:
            used += [one for node in objects.nodes for one in node.functions if isinstance(one, Graph)]
        twice = [function for function in functions if sum(one is function for one in calls.values()) > 1]
        return functions & {*used, *twice}


def _places(call: Node) -> dict[Node, list[int]]:
    """Return at which places a call takes each variable, or its value."""
    found: dict[Node, list[int]] = {}
    for place, value in enumerate(call.inputs):
        owner = _owner(value)
        if owner is not None:
            found.setdefault(owner, []).append(place)
    return found


def _owner(value: Value) -> Node | None:
    """Return the variable that an argument is, or is read from."""
    node = producer_of(value)
    if node is not None and node.op in _READS:
        node = producer_of(node.inputs[0])
    return node if node is not None and node.op in VARIABLES else None


def _own_nodes(argument: Value) -> set[Node]:
    """Return the nodes that work on an argument, up to where it is saved."""

    def users(thing: Node | Value) -> list[Node]:
        return [user for user in thing.consumers if user.op not in SAVES]

    return set(reached(users(argument), users))


def _can_shrink(save: Node) -> bool:
    """Say whether an op that saves names what it saves by constants, and saves an object graph, which stays."""
    if save.op != "SaveV2" or len(save.inputs) < 3:
        return False
    names, slices = (texts(value) for value in save.inputs[1:3])
    count = len(save.inputs) - SAVES[save.op].first
    return names is not None and slices is not None and len(names) == len(slices) == count and _OBJECTS in names


def _saved_objects(node: Node) -> Iterator[Value]:
    """Yield the tensor that an op saves as the object graph."""
    if node.op == "SaveV2":
        for name, value in zip(texts(node.inputs[1]) or (), node.inputs[SAVES[node.op].first :], strict=False):
            if name == _OBJECTS:
                yield value


def _drop_arguments(call: Node, function: Graph, places: set[int]) -> None:
    gone = {function.inputs[place] for place in places}
    own = set().union(*map(_own_nodes, gone))
    for save in [node for node in function.nodes if node.op in SAVES]:
        tensors = save.inputs[SAVES[save.op].first :]
        kept = [place for place, value in enumerate(tensors) if value not in gone and value.producer not in own]
        shrink_save(save, kept)
    sources = [node for node in upstream(own) if node not in own]
    _remove(function, own)
    _remove_unread(function, sources)
    for restore in [node for node in function.nodes if node.op == "RestoreV2"]:
        shrink_restore(restore)
    types = call.attrs.get("Tin")
    if isinstance(types, list):
        call.attrs["Tin"] = [dtype for place, dtype in enumerate(types) if place not in places]
    call.inputs = [value for place, value in enumerate(call.inputs) if place not in places]
    function.inputs = [value for place, value in enumerate(function.inputs) if place not in places]


def _remove(function: Graph, nodes: Collection[Node]) -> None:
    function.control_outputs = {key: node for key, node in function.control_outputs.items() if node not in nodes}
    function.take_out(nodes)


def _remove_unread(function: Graph, nodes: Collection[Node]) -> None:
    """Take out what led to nodes that are gone, as far as nothing else reads it."""
    kept = {output.value.producer for output in function.outputs} | set(function.control_outputs.values())
    waiting = list(nodes)
    while waiting:
        gone = [n for n in waiting if n in function and n not in kept and not (n.consumers or n.control_consumers)]
        waiting = list(dict.fromkeys(v.producer for node in gone for v in node.inputs if v.producer is not None))
        function.take_out(gone)
