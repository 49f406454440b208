"""Nodes that are led round: whoever read them reads what they let through, whoever waited waits for what they did.

Inside V1 loops and branches a control edge also says where and whether a node runs, so there a node that only
checks becomes a NoOp that runs when it would have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.analysis.flow.frames import ControlFlow, control_flow
from graphsurgeon.model.dtype import RESOURCE, VARIANT
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.ops.kinds import CHECKED_VALUE, IDENTITIES, RUNNERS
from graphsurgeon.surgery.moves.inlining.inline import alive_control

Found = tuple[Node, str]  # a node, and the op that it had


def bypass_prints(graph: Graph, protected: Collection[Node]) -> list[Found]:
    """Lead data round nodes that print or check it; return them with their ops."""
    bound = bound_nodes(graph, protected)
    found = []
    for node in graph.nodes:
        if node.op in CHECKED_VALUE and node.inputs:
            found.append((node, node.op))
            let_through(node, node.inputs[0], bound)
    return found


def bound_nodes(graph: Graph, protected: Collection[Node]) -> set[Node]:
    """Return nodes that stay where they are: known by name, run for their own sake, in V1 loops and branches."""
    flow = control_flow(graph)
    return {*protected, *flow.frames, *flow.branches, *graph.control_outputs.values()}


def let_through(node: Node, value: Value, bound: Collection[Node]) -> None:
    """Let a value take the place of a node's output, by an Identity where the node is bound or others wait for it."""
    node.become("Identity", [value], {"T": dtype_of(node.output(0))})
    if _is_free(node, bound):
        node.output(0).replace_with(value)
        node.graph.take_out([node])


def bypass_identities(graph: Graph, protected: Collection[Node]) -> list[Found]:
    """Lead data round nodes that only hand it on; return them with their ops.

    Those that others wait for, that wait themselves, or that lie in V1 loops and branches stay.
    """
    bound = bound_nodes(graph, protected)
    nodes = [
        node
        for node in graph.nodes
        if node.op in IDENTITIES and len(node.inputs) == 1 and _is_free(node, bound) and _is_plain(node)
    ]
    passing = {node.output(0): node.inputs[0] for node in nodes}
    users = dict.fromkeys(user for node in nodes for user in node.consumers)
    for user in users:  # once each: one may read many
        user.inputs = [_passed(value, passing) for value in user.inputs]
    for output in graph.outputs:
        output.value = _passed(output.value, passing)
    found = [(node, node.op) for node in nodes]
    graph.take_out(nodes)
    return found


def _passed(value: Value, passing: dict[Value, Value]) -> Value:
    """Return what a value is before all that hands it on; shorten the way there: a chain costs its length."""
    way: list[Value] = []
    while (before := passing.get(value, value)) is not value and len(way) < len(passing):  # it may be a cycle
        way.append(value)
        value = before
    passing.update(dict.fromkeys(way, value))
    return value


def remove_checks(graph: Graph, ops: Collection[str], protected: Collection[Node]) -> list[Found]:
    """Take out nodes without outputs; who waited for one waits for what it waited for. Return them with their ops."""
    flow = control_flow(graph)
    found = []
    for node in graph.nodes:
        if node.op in ops and node not in protected:
            found.append((node, node.op))
            remove_waiting(node, flow)
    return found


def remove_guards(graphs: Iterable[Graph], acted: Collection[Node], protected: Collection[Node]) -> list[Found]:
    """Take out branches and calls that did nothing but check, and check no more; return them with their ops."""
    effects = Effects()
    found = []
    for graph in graphs:
        flow = control_flow(graph)
        results = {output.value.producer for output in graph.outputs}
        for node in graph.nodes:
            if node in acted and node not in protected and node not in results and not effects.of_node(node):
                passing = [user for user in node.consumers if user.op == "Identity"]
                is_unread = not any(user.consumers or user in results or user in protected for user in passing)
                if len(passing) == len(node.consumers) and is_unread:
                    found += [(node, node.op)]
                    for one in (*passing, node):
                        remove_waiting(one, flow)
    return found


def acting_runners(graphs: Iterable[Graph]) -> set[Node]:
    """Return the branches, loops and calls that act."""
    effects = Effects()
    runs = (node for graph in graphs for node in graph.nodes if node.op in RUNNERS or node.callee is not None)
    return {node for node in runs if effects.of_node(node)}


def remove_waiting(node: Node, flow: ControlFlow) -> None:
    """Take out a node without outputs; who waited for it waits for what it waited for."""
    graph = node.graph
    if node in flow.frames or node in flow.branches:
        before = [alive_control(value) for value in node.inputs if value.producer is not None]
        controls = list(dict.fromkeys([*node.controls, *before]))
        node.become("NoOp", [], {})
        node.controls = controls
        return
    ends = [key for key, end in graph.control_outputs.items() if end is node]
    if ends and node.controls:
        node.become("NoOp", [], {})
        return
    for key in ends:
        del graph.control_outputs[key]
    for waiting in node.control_consumers:
        others = [one for other in waiting.controls for one in (node.controls if other is node else (other,))]
        waiting.controls = list(dict.fromkeys(other for other in others if other is not waiting))
    graph.take_out([node])


def remove_unread(graph: Graph, nodes: Iterable[Node], protected: Collection[Node]) -> list[Found]:
    """Take out nodes, and what led to them, as far as nothing reads or needs them; return them with their ops."""
    effects = Effects()
    kept = {*protected, *(output.value.producer for output in graph.outputs)}
    found: list[Found] = []
    waiting = list(nodes)
    while waiting:
        unread = [node for node in waiting if node in graph and not (node.consumers or node.control_consumers)]
        gone = [node for node in unread if node not in kept and not effects.of_node(node)]
        before = [(*(value.producer for value in node.inputs), *node.controls) for node in gone]
        waiting = [one for one in dict.fromkeys(one for some in before for one in some) if one is not None]
        found += [(node, node.op) for node in gone]
        graph.take_out(gone)
    removed = {node for node, _ in found}
    graph.control_outputs = {key: node for key, node in graph.control_outputs.items() if node not in removed}
    return found


def _is_free(node: Node, bound: Collection[Node]) -> bool:
    return not (node.controls or node.control_consumers or node in bound)


def _is_plain(node: Node) -> bool:
    """Say whether a node hands on a value of a type that is surely the same on both sides."""
    before, after = dtype_of(node.inputs[0]), dtype_of(node.output(0))
    return before is not None and before == after and before not in (RESOURCE, VARIANT) and not before.is_ref
