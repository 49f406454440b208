"""Writes that put back what was read: a compiled module hands a variable on unchanged, and the graph assigns it.

Keras on JAX exports inference so: every variable goes into the module, and what training would change (the moving
means of a normalization, seeds) comes out again and is assigned. The module proves that nothing changes: its result
is its argument.
"""

from __future__ import annotations

from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import IDENTITIES
from graphsurgeon.surgery.moves.variable_uses import Holders

_MODULE = "XlaCallModule"
_WRITES = frozenset({"AssignVariableOp"})
_READS = frozenset({"ReadVariableOp"})
_BY_PORT = IDENTITIES | {"IdentityN"}
_MOST_CALLS = 32  # of functions in the module, one in the other


def idle_writes(graph: Graph, holders: Holders) -> list[Node]:
    """Return the nodes that assign to a variable what they have read of it, where nothing else changes it."""
    writes = [node for node in graph.nodes if node.op in _WRITES and len(node.inputs) == 2]
    idle = [node for node in writes if _is_idle(node, holders)]
    if not idle:
        return []
    changed = [holders[node.inputs[0]] for node in writes if node not in idle and node.inputs[0] in holders]
    return [node for node in idle if not any(holders[node.inputs[0]] & held for held in changed)]


def _is_idle(node: Node, holders: Holders) -> bool:
    handle, value = node.inputs
    held = holders.get(handle)
    source = _before(value)
    call = source.producer
    if held is None or len(held) != 1 or call is None or call.op != _MODULE or not isinstance(source.port, int):
        return False
    place = _argument_of(call, source.port)
    if place is None or place >= len(call.inputs):
        return False
    read = _before(call.inputs[place]).producer
    return read is not None and read.op in _READS and holders.get(read.inputs[0]) == held


def _before(value: Value) -> Value:
    """Return the value that ops which hand on what they read have it from."""
    node = value.producer
    while node is not None and node.op in _BY_PORT and isinstance(value.port, int) and value.port < len(node.inputs):
        value = node.inputs[value.port]
        node = value.producer
    return value


def _argument_of(node: Node, result: int) -> int | None:
    """Return which input of a node its module hands on unchanged as a result, None if it computes that one."""
    module = node.graph.metagraph.module_of(node)
    if module is None:
        return None
    results = [output.value for output in module.graph.outputs if not _is_token(output.value)]
    found = _traced(module, results[result]) if result < len(results) else None
    platforms = node.attrs.get("platforms")
    skipped = int(isinstance(platforms, list) and len(platforms) > 1)  # first comes the number of the platform
    arguments = [value for value in module.graph.inputs[skipped:] if not _is_token(value)]
    return next((place for place, value in enumerate(arguments) if value is found), None)


def _traced(module: MetaGraph, value: Value) -> Value | None:
    """Return the argument of `main` that a value of the module is, through calls of its functions."""
    calls: list[Node] = []
    for _ in range(_MOST_CALLS * 2):
        node = value.producer
        if node is None:
            inputs = value.graph.inputs
            if value.graph is module.graph:
                return value
            place = next((place for place, argument in enumerate(inputs) if argument is value), None)
            if not calls or place is None:
                return None
            value = calls.pop().inputs[place]
        elif node.op == "func.call" and node.functions:
            place = next((place for place, result in enumerate(node.outputs) if result is value), None)
            if place is None or place >= len(node.functions[0].outputs):
                return None
            calls.append(node)
            value = node.functions[0].outputs[place].value
        else:
            return None
    return None


def _is_token(value: Value) -> bool:
    return (value.extra or {}).get("type") == "token"
