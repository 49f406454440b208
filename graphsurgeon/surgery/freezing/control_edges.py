"""Control edges that still say something once writes are gone: those from what acts, or depends on what acts.

So do those by which what acts waits until something was read, by way of other nodes too.
Only for graphs without V1 control flow: there a control edge also says in which frame, and on which branch, a
node runs, and none may go.
"""

from __future__ import annotations

from collections.abc import Callable

from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.traversal import downstream, upstream
from graphsurgeon.ops import catalog


def clean_control_edges(graph: Graph, acts: Callable[[Node], bool]) -> None:
    """Remove control edges that order nothing; those through a NoOp that waits for one node start at that node.

    Args:
        graph: a graph without V1 control flow.
        acts: says which nodes do something beside yielding values.
    """
    acting = {node for node in graph.nodes if acts(node)}
    behind = downstream(acting, controls=True)
    ahead = upstream(acting, controls=True)
    reading = [node for node in graph.nodes if _reads_state(node)] if acting else []
    told = behind | downstream(reading, controls=True)
    for node in graph.nodes:
        if not node.controls:
            continue
        telling = told if node in ahead else behind
        kept = dict.fromkeys(_source(control, telling) for control in node.controls if control in telling)
        kept.pop(node, None)
        if tuple(kept) != node.controls:
            node.controls = list(kept)
    ends = {key: node for key, node in graph.control_outputs.items() if node in behind}
    if len(ends) < len(graph.control_outputs):
        graph.control_outputs = ends


def _source(control: Node, telling: set[Node]) -> Node:
    """See through NoOps that wait for one node only."""
    seen = set()
    while control.op == "NoOp" and control not in seen:
        seen.add(control)
        kept = [other for other in control.controls if other in telling]
        if len(kept) != 1:
            break
        control = kept[0]
    return control


def _reads_state(node: Node) -> bool:
    opdef = catalog.of(node)
    return bool(node.inputs) and (opdef is None or opdef.is_stateful)  # a function by its name may read
