"""Equal functions become one: the same nodes with the same attributes in the same order, whatever they are called.

Functions that draw numbers or keep something of their own stay apart, since who runs one of them would then go on where
another left off. So do functions that something other than a node names, unless one of them can stand for others.
"""

from __future__ import annotations

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.model.dtype import RESOURCE
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import in_postorder
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import PYTHON, RUNNERS, SAYING
from graphsurgeon.surgery.moves.functions.call_nodes import retarget
from graphsurgeon.surgery.moves.functions.unused_functions import named_functions, unused_functions
from graphsurgeon.surgery.optimizing.merge import shown


def share_functions(metagraph: MetaGraph) -> int:
    """Let who runs one of equal functions run the first; return how many functions went."""
    if len(metagraph.functions) < 2:
        return 0
    unused = set(unused_functions(metagraph))
    apart = {*unused, *(one for one in metagraph.functions.values() if one.name in metagraph.gradients)}
    functions = [one for one in metagraph.functions.values() if one not in apart]
    named = named_functions(metagraph)
    users: dict[Graph, dict[Node, None]] = {}
    for graph in metagraph.graphs:
        for node in graph.nodes:
            for function in node.functions:
                users.setdefault(function, {})[node] = None
    first: dict[object, Graph] = {}
    gone = 0
    for function in _inner_first(functions):
        key = _key(function)
        if key is None:
            continue
        other = first.setdefault(key, function)
        if other is function or (function in named and other in named):
            continue
        if function in named:
            first[key], function, other = function, other, function
        for node in users.pop(function, {}):
            retarget(node, function, other)
            users.setdefault(other, {})[node] = None
        del metagraph.functions[function.name]
        gone += 1
    return gone


def _inner_first(functions: list[Graph]) -> list[Graph]:
    chosen = set(functions)
    return [one for one in in_postorder(functions, _inner) if one in chosen]


def _inner(function: Graph) -> list[Graph]:
    return [inner for node in function.nodes for inner in node.functions]


def _key(function: Graph) -> object | None:
    """Return what equal functions share; None for one that must be by itself."""
    if function.dangling_controls or not all(_keeps_nothing(node) for node in function.nodes):
        return None
    places = {node: number for number, node in enumerate(function.nodes)}
    arguments = {value: number for number, value in enumerate(function.inputs)}
    parts: list[object] = [_attrs(function.attrs)]
    parts.append(tuple((value.dtype, str(value.shape), _attrs(value.extra or {})) for value in function.inputs))
    for node in function.nodes:
        values = tuple(_place(value, places, arguments) for value in node.inputs)
        controls = frozenset(places[other] for other in node.controls)
        op: object = node.callee if node.callee is not None else node.op
        parts.append((op, node.device, values, controls, _attrs(node.attrs)))
    parts.append(tuple((o.name, o.dtype, _place(o.value, places, arguments)) for o in function.outputs))
    parts.append(frozenset(places[node] for node in function.control_outputs.values()))
    parts.append(frozenset((places[node], arguments.get(value)) for node, value in function.argument_controls))
    return tuple(parts)


def _place(value: Value, places: dict[Node, int], arguments: dict[Value, int]) -> object:
    if value in arguments:
        return "argument", arguments[value]
    node = value.producer
    return (places[node], value.port) if node in places else object()


def _attrs(attrs: object) -> tuple[object, ...]:
    items = attrs.items() if hasattr(attrs, "items") else ()
    return tuple((name, _shown(value)) for name, value in sorted(items))


def _shown(value: AttrValue) -> object:
    if isinstance(value, FunctionRef):
        return (value.graph if value.graph is not None else value.name, _attrs(value.attrs))
    if isinstance(value, list):
        return tuple(_shown(item) for item in value)
    found = shown(value)
    return found if found is not None or value is None else object()  # equal to nothing


def _keeps_nothing(node: Node) -> bool:
    """Say whether a node has no state of its own: what it reads and writes is given to it."""
    if node.callee is not None or node.op in RUNNERS:
        return True
    definition = catalog.of(node)
    if definition is None or node.op in PYTHON:
        return False
    if not definition.is_stateful or node.op in SAYING:
        return True
    return any(dtype_of(value) is RESOURCE for value in node.inputs)
