"""Branches that are decided: a Switch, If, Case or Select whose predicate is a constant loses the branch not taken.

Of V1 control flow the untaken output of a Switch is dead, and with it everything that depends on it by data or
control edges; a Merge with one live input becomes that input. An If or Case becomes a call of the function that
would run. A While whose condition does not hold even once hands on what it was given. Predicates are constants seen
through ops that keep or negate them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphsurgeon.analysis.flow.attributes import attribute, dtype_of
from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import INT32
from graphsurgeon.model.graph import FunctionRef, Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import BACK_EDGES, BRANCHES, IFS, LOOPS, MERGES, SELECTS, TWO_WAY_SWITCHES
from graphsurgeon.surgery.moves.branches.known_scalars import KnownScalars, Scalar


@dataclass(frozen=True)
class Decisions:
    """What constants decide in a graph.

    Attributes:
        graph: the graph.
        branches: If or Case -> the function that will run.
        loops: While loops of which the body will never run.
        switches: Switch -> which output its data takes.
        dead_values, dead_nodes: what then never comes, and never runs.
    """

    graph: Graph
    branches: dict[Node, FunctionRef]
    loops: list[Node]
    switches: dict[Node, bool]
    dead_values: set[Value]
    dead_nodes: set[Node]


def fold_predicates(graph: Graph) -> list[Node]:
    """Decide what constants decide, in place; return the calls that took the place of branches that are functions.

    Raises:
        UnsupportedError: an output of the graph lies on a branch that is never taken.
    """
    decisions = decide(graph)
    check_outputs(decisions)
    return carry_through(decisions)


def decide(graph: Graph, assumed: Mapping[Value, Scalar] | None = None) -> Decisions:
    """Return what constants decide, changing nothing.

    Args:
        graph: the graph.
        assumed: values that are going to be constants.
    """
    known = KnownScalars(assumed)
    branches = {node: ref for node in graph.nodes if (ref := _branch(node, known)) is not None}
    switches = {node: bool(taken) for node in graph.nodes if (taken := _taken(node, known)) is not None}
    effects = Effects()
    loops = [node for node in graph.nodes if node.op in LOOPS and _never_turns(node, known, effects)]
    return Decisions(graph, branches, loops, switches, *_dead(switches))


def check_outputs(decisions: Decisions, protected: Mapping[Node, str] | None = None) -> None:
    """Refuse decisions by which an output, or something else that must run, never would.

    Args:
        decisions: of one graph.
        protected: node -> what it is, for messages.

    Raises:
        UnsupportedError: names the output.
    """
    dead_nodes = decisions.dead_nodes
    for output in decisions.graph.outputs:
        if output.value in decisions.dead_values or output.value.producer in dead_nodes:
            raise UnsupportedError(f"output {output.name!r} ({output.value}) lies on a branch that is never taken")
    for node, what in (protected or {}).items():
        if node in dead_nodes:
            raise UnsupportedError(f"{what} needs {node.name!r}, which lies on a branch that is never taken")
    for node in decisions.graph.nodes if dead_nodes else ():
        if node.op in MERGES and node not in dead_nodes:
            _check_indices(node, _alive(node, decisions))


def carry_through(decisions: Decisions) -> list[Node]:
    """Take out what can never run, and let the rest do without what is decided; return calls as `fold_predicates`."""
    for node, ref in decisions.branches.items():
        attrs = {"f": ref, "Tin": attribute(node, "Tin"), "Tout": attribute(node, "Tout")}
        node.become("StatefulPartitionedCall", node.inputs[1:], attrs)
    for loop in decisions.loops:
        _hand_on(loop)
    if decisions.switches:
        _remove_dead(decisions)
    return [node for node in decisions.branches if node in decisions.graph]


def folded_selects(graph: Graph) -> list[Node]:
    """Send the consumers of every Select whose condition is a constant scalar to the input it chooses; return them.

    Only where both inputs certainly have the same shape: a Select may broadcast.
    """
    known = KnownScalars()
    folded = []
    for node in graph.nodes:
        if node.op in SELECTS and len(node.inputs) == 3 and _same_shape(node):
            condition = known.of(node.inputs[0])
            if condition is not None:
                node.become("Identity", [node.inputs[1 if condition else 2]], {"T": attribute(node, "T")})
                folded.append(node)
    return folded


def _same_shape(node: Node) -> bool:
    """Say whether the op itself demands equal shapes, as the first Select does for a scalar condition."""
    return node.op == "Select"


def _taken(node: Node, known: KnownScalars) -> object:
    return known.of(node.inputs[1]) if node.op in TWO_WAY_SWITCHES and len(node.inputs) == 2 else None


def _branch(node: Node, known: KnownScalars) -> FunctionRef | None:
    """Return the function that an If or Case with a known predicate will run."""
    if node.op not in BRANCHES or not node.inputs:
        return None
    if node.op in IFS:
        holds = known.holds(node.inputs[0], lowered=_is_lowered(node))
        ref = None if holds is None else node.attrs.get("then_branch" if holds else "else_branch")
    else:
        chosen = known.of(node.inputs[0])
        if chosen is None:
            return None
        branches = node.attrs.get("branches")
        branches = branches if isinstance(branches, list) else []
        index = int(chosen)
        ref = branches[index if 0 <= index < len(branches) else -1] if branches else None
    return ref if isinstance(ref, FunctionRef) and ref.graph is not None else None


def _never_turns(loop: Node, known: KnownScalars, effects: Effects) -> bool:
    """Say whether the condition of a While is false of what it is given, and does nothing but answer."""
    ref = loop.attrs.get("cond")
    condition = ref.graph if isinstance(ref, FunctionRef) else None
    if condition is None or len(condition.outputs) != 1 or effects.of_function(condition):
        return False
    if not len(condition.inputs) == len(loop.inputs) == len(loop.outputs):
        return False
    given = {
        argument: scalar
        for argument, value in zip(condition.inputs, loop.inputs, strict=True)
        if (scalar := known.of(value)) is not None and known.is_scalar(value)
    }
    return KnownScalars(given).holds(condition.outputs[0].value, lowered=_is_lowered(loop)) is False


def _is_lowered(node: Node) -> bool:
    return node.attrs.get("_lower_using_switch_merge") is True


def _hand_on(loop: Node) -> None:
    """Turn a While whose body never runs into the identity of its inputs."""
    types = attribute(loop, "T")
    if not loop.inputs:
        loop.become("NoOp", [], {})
    elif len(loop.inputs) == 1 and isinstance(types, list):
        loop.become("Identity", loop.inputs, {"T": types[0]})
    else:
        loop.become("IdentityN", loop.inputs, {"T": types})


def _remove_dead(decisions: Decisions) -> None:
    graph, dead_nodes = decisions.graph, decisions.dead_nodes
    for node in graph.nodes:
        if node.op in MERGES and node not in dead_nodes:
            alive = _alive(node, decisions)
            if len(alive) < len(node.inputs):
                _narrow(node, alive)
    graph.control_outputs = {key: node for key, node in graph.control_outputs.items() if node not in dead_nodes}
    graph.take_out(dead_nodes)
    for switch, taken in decisions.switches.items():
        if switch not in dead_nodes:
            _pass_through(switch, taken=taken)


def _alive(merge: Node, decisions: Decisions) -> list[Value]:
    return [value for value in merge.inputs if not _is_dead(value, decisions.dead_values, decisions.dead_nodes)]


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
    merge.become(_identity(merge, "RefMerge", alive[0]), alive, {"T": attribute(merge, "T")})


def _check_indices(merge: Node, alive: list[Value]) -> None:
    if len(alive) > 1 and merge.output(1).consumers and alive != list(merge.inputs[: len(alive)]):
        raise UnsupportedError(
            f"the number of the branch that {merge.name!r} (Merge) joins is used, and branches are left out"
        )


def _pass_through(switch: Node, *, taken: bool) -> None:
    """Turn a decided Switch into the Identity of what it lets through."""
    if taken:
        switch.output(1).replace_with(switch.output(0))
    dtype = attribute(switch, "T") or dtype_of(switch.inputs[0])
    switch.become(_identity(switch, "RefSwitch", switch.inputs[0]), switch.inputs[:1], {"T": dtype})


def _identity(node: Node, of_references: str, source: Value) -> str:
    """Return which op hands on what a node let through: a constant that stands for a variable is no reference."""
    known = dtype_of(source)
    return "RefIdentity" if node.op == of_references and (known is None or known.is_ref) else "Identity"
