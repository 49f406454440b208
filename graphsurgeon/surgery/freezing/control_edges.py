"""Control edges that still say something once writes are gone: those from what acts, or depends on what acts.

Only for graphs without V1 control flow: there a control edge also says in which frame, and on which branch, a
node runs, and none may go.
"""

from __future__ import annotations

from collections.abc import Callable

from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.traversal import downstream
from graphsurgeon.ops import catalog


def clean_control_edges(graph: Graph, acts: Callable[[Node], bool]) -> None:
    """Remove control edges that order nothing; those through a NoOp that waits for one node start at that node.

    Args:
        graph: a graph without V1 control flow.
        acts: says which nodes do something beside yielding values.
    """
    acting = {node for node in graph.nodes if acts(node)}
    behind = downstream(acting, controls=True)
    for node in graph.nodes:
        if not node.controls:
            continue
        kept = dict.fromkeys(_source(control, behind) for control in node.controls if control in behind)
        if node in acting:
            kept.update(dict.fromkeys(control for control in node.controls if _reads_state(control)))
        kept.pop(node, None)
        if tuple(kept) != node.controls:
            node.controls = list(kept)
    ends = {key: node for key, node in graph.control_outputs.items() if node in behind}
    if len(ends) < len(graph.control_outputs):
        graph.control_outputs = ends


def _source(control: Node, behind: set[Node]) -> Node:
    """See through NoOps that wait for one node only."""
    seen = set()
    while control.op == "NoOp" and control not in seen:
        seen.add(control)
        kept = [other for other in control.controls if other in behind]
        if len(kept) != 1:
            break
        control = kept[0]
    return control


def _reads_state(node: Node) -> bool:
    opdef = catalog.of(node)
    return opdef is not None and opdef.is_stateful and bool(node.inputs)
