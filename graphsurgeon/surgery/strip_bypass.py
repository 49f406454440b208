"""Nodes that are led round: whoever read them reads what they let through, whoever waited waits for what they did.

Inside V1 loops and branches a control edge also says where and whether a node runs, so there a node that only
checks becomes a NoOp that runs when it would have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from graphsurgeon.analysis.attributes import dtype_of
from graphsurgeon.analysis.effects import RUNNERS, Effects
from graphsurgeon.analysis.frames import ControlFlow, control_flow
from graphsurgeon.model.dtype import RESOURCE, VARIANT
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.surgery.inline import alive_control

_SUMMARIES = """
    WriteSummary WriteScalarSummary WriteHistogramSummary WriteImageSummary WriteAudioSummary WriteGraphSummary
    WriteRawProtoSummary FlushSummaryWriter CloseSummaryWriter CreateSummaryFileWriter CreateSummaryDbWriter ImportEvent
    """
# Ops without outputs that go wherever they are, and what waited for them waits for what they waited for.
CHECKS: tuple[tuple[str, frozenset[str], str], ...] = (
    ("prints", frozenset({"PrintV2"}), "prints and yields nothing"),
    ("assertions", frozenset({"Assert"}), "stops a run, and yields nothing"),
    ("summaries", frozenset(_SUMMARIES.split()), "writes a summary, and yields nothing"),
)
LETS_THROUGH = frozenset({"Print", "CheckNumerics", "CheckNumericsV2"})
IDENTITIES = frozenset({"Identity", "Snapshot", "StopGradient", "PreventGradient"})


Found = tuple[Node, str]  # a node, and the op that it had


def bypass_prints(graph: Graph, protected: Collection[Node]) -> list[Found]:
    """Lead data round nodes that print or check it; return them with their ops."""
    flow = control_flow(graph)
    found = []
    for node in graph.nodes:
        if node.op in LETS_THROUGH and node.inputs:
            found.append((node, node.op))
            let_through(node, node.inputs[0], flow, protected)
    return found


def let_through(node: Node, value: Value, flow: ControlFlow, protected: Collection[Node]) -> None:
    """Let a value take the place of a node's output, by an Identity where others know the node or wait for it."""
    node.become("Identity", [value], {"T": dtype_of(node.output(0))})
    if _is_free(node, flow, protected):
        _lead_round(node)


def bypass_identities(graph: Graph, protected: Collection[Node]) -> list[Found]:
    """Lead data round nodes that only hand it on; return them with their ops.

    Those that others wait for, that wait themselves, or that lie in V1 loops and branches stay.
    """
    flow = control_flow(graph)
    found = []
    for node in graph.nodes:
        if node.op in IDENTITIES and len(node.inputs) == 1 and _is_free(node, flow, protected) and _is_plain(node):
            found.append((node, node.op))
            _lead_round(node)
    return found


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
    graph.remove_nodes([node])


def remove_unread(graph: Graph, nodes: Iterable[Node], protected: Collection[Node]) -> list[Found]:
    """Take out nodes, and what led to them, as far as nothing reads or needs them; return them with their ops."""
    effects = Effects()
    results = {output.value.producer for output in graph.outputs}
    found = []
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        is_read = bool(node.consumers or node.control_consumers) or node in results or node in protected
        if node not in graph or is_read or effects.of_node(node):
            continue
        waiting += [value.producer for value in node.inputs if value.producer is not None]
        waiting += node.controls
        found.append((node, node.op))
        graph.control_outputs = {key: one for key, one in graph.control_outputs.items() if one is not node}
        graph.remove_nodes([node])
    return found


def _is_free(node: Node, flow: ControlFlow, protected: Collection[Node]) -> bool:
    is_ordered = bool(node.controls or node.control_consumers) or node in node.graph.control_outputs.values()
    return not is_ordered and node not in protected and node not in flow.frames and node not in flow.branches


def _is_plain(node: Node) -> bool:
    """Say whether a node hands on a value of a type that is surely the same on both sides."""
    before, after = dtype_of(node.inputs[0]), dtype_of(node.output(0))
    return before is not None and before == after and before not in (RESOURCE, VARIANT) and not before.is_ref


def _lead_round(node: Node) -> None:
    node.output(0).replace_with(node.inputs[0])
    node.graph.remove_nodes([node])
