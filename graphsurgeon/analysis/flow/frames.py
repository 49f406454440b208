"""V1 control flow: which nodes lie inside a loop, and which may be dead because a branch was not taken.

A value inside a `while` frame has one instance per iteration and cannot be fetched; one behind a `Switch`
and before its `Merge` has no value when the other branch is taken.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.ops.kinds import CONTROL_FLOW, ENTERS, EXITS, MERGES, SWITCHES


@dataclass(frozen=True)
class ControlFlow:
    """What control flow of the first kind says of a graph's nodes.

    Attributes:
        frames: node -> Enter node of the innermost loop it lies in; nodes outside loops are absent.
        branches: node -> a Switch node that may leave it without a value; nodes that always run are absent.
    """

    frames: dict[Node, Node] = field(default_factory=dict)
    branches: dict[Node, Node] = field(default_factory=dict)


def control_flow(graph: Graph) -> ControlFlow:
    """Return loops and branches of a graph; empty without V1 control flow. Linear in nodes and edges."""
    if not any(node.op in CONTROL_FLOW for node in graph.nodes):
        return ControlFlow()
    frames = {node: stack[-1] for node, stack in _frame_stacks(graph).items() if stack}
    return ControlFlow(frames, _branches(graph, frames))


def _frame_stacks(graph: Graph) -> dict[Node, tuple[Node, ...]]:
    """Walk from every Enter along the edges until the Exit of its frame; deeper frames win."""
    stacks: dict[Node, tuple[Node, ...]] = {}
    waiting: deque[tuple[Node, tuple[Node, ...]]] = deque((node, (node,)) for node in graph.nodes if node.op in ENTERS)
    while waiting:
        node, stack = waiting.popleft()
        if node.op in ENTERS and stack[-1:] != (node,):
            stack = (*stack, node)
        if len(stack) <= len(stacks.get(node, ())) or len(stack) > len(graph):
            continue
        stacks[node] = stack
        after = stack[:-1] if node.op in EXITS else stack
        waiting.extend((user, after) for user in (*node.consumers, *node.control_consumers))
    return {node: stack[:-1] if node.op in EXITS else stack for node, stack in stacks.items()}


def _branches(graph: Graph, frames: dict[Node, Node]) -> dict[Node, Node]:
    """Follow what comes out of a Switch outside loops; a Merge ends the innermost branch."""
    found: dict[Node, tuple[Node, ...]] = {}
    waiting: deque[tuple[Node, tuple[Node, ...]]] = deque(
        (node, (node,)) for node in graph.nodes if node.op in SWITCHES and node not in frames
    )
    while waiting:
        node, stack = waiting.popleft()
        if node.op in MERGES:
            stack = stack[:-1]
        elif node.op in SWITCHES and stack[-1:] != (node,):
            stack = (*stack, node)
        if len(stack) <= len(found.get(node, ())) or len(stack) > 64:
            continue
        found[node] = stack
        waiting.extend((user, stack) for user in (*node.consumers, *node.control_consumers) if user not in frames)
    return {node: stack[-1] for node, stack in found.items() if stack}
