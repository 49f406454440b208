"""Rules about loops of version 1, which lie in the graph itself, each in a frame of a name.

Facts are of TensorFlow 2.21's `BuildControlFlowInfo` (graph/control_flow.cc), which an executor asks of all that it
runs, and of how it runs them: what lies in a frame is computed anew in each turn, so it cannot be fetched.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.analysis.flow.frames import ControlFlow, control_flow
from graphsurgeon.checks.graphs.nodes import Running
from graphsurgeon.checks.places import place
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import AttrValue, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops.kinds import ENTERS, MERGES

_RULE = "loop-frame"
_FRAME = "frame_name"


def frames(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find loops without a name, nodes that read from two loops, and outputs of signatures inside of one."""
    running = Running(metagraph)
    for graph in metagraph.graphs:
        if not graph.peek(ENTERS):
            continue
        flow = control_flow(graph)
        for node in graph.nodes:
            for what in _faults(flow, node):
                yield Finding(running.severity(node), place(graph, node), what, "set its frame_name", _RULE)
        if graph is metagraph.graph:
            yield from _fetched(metagraph, flow)


def _faults(flow: ControlFlow, node: Node) -> Iterator[str]:
    if node.op in ENTERS and not node.attrs.get(_FRAME):
        yield "the loop that it leads into has no name"
    names = {_frame(flow, value.producer) for value in node.inputs if value.producer is not None}
    if len(names) > 1:
        shown = " and ".join(sorted(_shown(name) for name in names))
        yield f"it reads from {shown} at once"


def _frame(flow: ControlFlow, node: Node) -> AttrValue | None:
    enter = flow.frames.get(node)
    return enter.attrs.get(_FRAME) if enter is not None else None


def _shown(name: AttrValue | None) -> str:
    return f"the loop {name.decode(errors='replace')!r}" if isinstance(name, bytes) else "outside of loops"


def _fetched(metagraph: MetaGraph, flow: ControlFlow) -> Iterator[Finding]:
    for signature in metagraph.signatures.values():
        for key, entry in signature.outputs.items():
            for mention in entry.mentions:
                node = mention.node
                if node in flow.frames and _turns(flow, node):
                    where = f"signature {signature.key}, output {key}"
                    loop = _shown(_frame(flow, node))
                    what = f"{mention.text} lies in {loop}: it has a value for each turn, and none after"
                    yield Finding("error", where, what, "name what leaves the loop, an Exit", "signature-tensor")


def _turns(flow: ControlFlow, node: Node) -> bool:
    """Say whether a node of a loop hangs on its head: what comes before that is computed once."""
    frame = _frame(flow, node)
    return any(one.op in MERGES and _frame(flow, one) == frame for one in upstream([node]))
