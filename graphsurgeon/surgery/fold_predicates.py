"""Branches that are decided: a Switch, If, Case or Select whose predicate is a constant loses the branch not taken.

Of V1 control flow the untaken output of a Switch is dead, and with it everything that depends on it by data or
control edges; a Merge with one live input becomes that input. An If or Case becomes a call of the function that
would run. Predicates are constants seen through ops that keep or negate them.
"""

from __future__ import annotations

from graphsurgeon.analysis.attributes import attribute, dtype_of
from graphsurgeon.analysis.frames import BACK_EDGES, MERGES
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import INT32
from graphsurgeon.model.graph import FunctionRef, Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.surgery.known_scalars import KnownScalars

_SWITCHES = frozenset({"Switch", "RefSwitch"})
_IFS = frozenset({"If", "StatelessIf"})
_CASES = frozenset({"Case", "StatelessCase"})


def fold_predicates(graph: Graph) -> list[Node]:
    """Decide what constants decide, in place; return the calls that took the place of branches that are functions.

    Raises:
        UnsupportedError: an output of the graph lies on a branch that is never taken.
    """
    known = KnownScalars()
    calls = [node for node in graph.nodes if node.op in _IFS | _CASES and _call_branch(node, known)]
    switches = {node: bool(taken) for node in graph.nodes if (taken := _taken(node, known)) is not None}
    if switches:
        _remove_dead(graph, switches)
    return calls


def folded_selects(graph: Graph) -> list[Node]:
    """Send the consumers of every Select whose condition is a constant scalar to the input it chooses; return them.

    Only where both inputs certainly have the same shape: a Select may broadcast.
    """
    known = KnownScalars()
    folded = []
    for node in graph.nodes:
        if node.op in ("Select", "SelectV2") and len(node.inputs) == 3 and _same_shape(node):
            condition = known.of(node.inputs[0])
            if condition is not None:
                node.become("Identity", [node.inputs[1 if condition else 2]], {"T": attribute(node, "T")})
                folded.append(node)
    return folded


def _same_shape(node: Node) -> bool:
    """Say whether the op itself demands equal shapes, as the first Select does for a scalar condition."""
    return node.op == "Select"


def _taken(node: Node, known: KnownScalars) -> object:
    return known.of(node.inputs[1]) if node.op in _SWITCHES and len(node.inputs) == 2 else None


def _call_branch(node: Node, known: KnownScalars) -> bool:
    """Turn an If or Case with a known predicate into a call of the function that runs; say whether it was one."""
    chosen = known.of(node.inputs[0]) if node.inputs else None
    if chosen is None:
        return False
    if node.op in _IFS:
        ref = node.attrs.get("then_branch" if chosen else "else_branch")
    else:
        branches = node.attrs.get("branches")
        branches = branches if isinstance(branches, list) else []
        index = int(chosen)
        ref = branches[index if 0 <= index < len(branches) else -1] if branches else None
    if not isinstance(ref, FunctionRef) or ref.graph is None:
        return False
    attrs = {"f": ref, "Tin": attribute(node, "Tin"), "Tout": attribute(node, "Tout")}
    node.become("StatefulPartitionedCall", node.inputs[1:], attrs)
    return True


def _remove_dead(graph: Graph, switches: dict[Node, bool]) -> None:
    """Take out what can never run, and let the rest do without the Switches that are decided."""
    dead_values, dead_nodes = _dead(switches)
    for output in graph.outputs:
        producer = output.value.producer
        if output.value in dead_values or producer in dead_nodes:
            raise UnsupportedError(f"output {output.name!r} ({output.value}) lies on a branch that is never taken")
    for node in graph.nodes:
        if (
            node.op in MERGES
            and node not in dead_nodes
            and any(_is_dead(v, dead_values, dead_nodes) for v in node.inputs)
        ):
            _narrow(node, [v for v in node.inputs if not _is_dead(v, dead_values, dead_nodes)])
    graph.control_outputs = {key: node for key, node in graph.control_outputs.items() if node not in dead_nodes}
    graph.remove_nodes(dead_nodes)
    for switch, taken in switches.items():
        if switch not in dead_nodes:
            _pass_through(switch, taken=taken)


def _dead(switches: dict[Node, bool]) -> tuple[set[Value], set[Node]]:
    """Return the values that never come, and the nodes that never run."""
    values = {switch.output(0 if taken else 1) for switch, taken in switches.items()}
    nodes: set[Node] = set()
    waiting: list[Node] = [user for value in values for user in value.consumers]
    while waiting:
        node = waiting.pop()
        if node in nodes or not _is_killed(node, values, nodes):
            continue
        nodes.add(node)
        waiting += [*node.consumers, *node.control_consumers]
    return values, nodes


def _is_killed(node: Node, values: set[Value], nodes: set[Node]) -> bool:
    if any(other in nodes for other in node.controls):
        return True
    if node.op not in MERGES:
        return any(_is_dead(value, values, nodes) for value in node.inputs)
    # What comes round a loop is dead if what enters the loop is.
    entering = [v for v in node.inputs if v.producer is None or v.producer.op not in BACK_EDGES]
    return all(_is_dead(value, values, nodes) for value in entering)


def _is_dead(value: Value, values: set[Value], nodes: set[Node]) -> bool:
    return value in values or value.producer in nodes


def _narrow(merge: Node, alive: list[Value]) -> None:
    """Leave a Merge the inputs that may come; with one of them it only passes on."""
    if len(alive) > 1:
        _keep_indices(merge, alive)
        merge.inputs = alive
        merge.attrs["N"] = len(alive)
        return
    index, which = merge.inputs.index(alive[0]), merge.output(1)
    graph = merge.graph
    if which.consumers or any(output.value is which for output in graph.outputs):
        value = Tensor.of(INT32, (), [index])
        constant = graph.add_node(
            "Const",
            graph.unique_name(f"{merge.name}/value_index"),
            [],
            {"dtype": INT32, "value": value},
            controls=[merge],
        )
        which.replace_with(constant.output(0))
    merge.become("RefIdentity" if merge.op == "RefMerge" else "Identity", alive, {"T": attribute(merge, "T")})


def _keep_indices(merge: Node, alive: list[Value]) -> None:
    if merge.output(1).consumers and alive != list(merge.inputs[: len(alive)]):
        raise UnsupportedError(
            f"the number of the branch that {merge.name!r} (Merge) joins is used, and branches are left out"
        )


def _pass_through(switch: Node, *, taken: bool) -> None:
    """Turn a decided Switch into the Identity of what it lets through."""
    if taken:
        switch.output(1).replace_with(switch.output(0))
    dtype = attribute(switch, "T") or dtype_of(switch.inputs[0])
    switch.become("RefIdentity" if switch.op == "RefSwitch" else "Identity", switch.inputs[:1], {"T": dtype})
