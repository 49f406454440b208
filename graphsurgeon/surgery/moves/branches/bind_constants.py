"""Constants that are passed to functions decide branches inside them.

A function that is given a constant scalar gets it as a node of its own (the argument stays, unread), so that
what it decides can be decided. A function that others use as well is copied first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import handed_on, nearest_first
from graphsurgeon.ops.kinds import LOOPS, SAME_VALUE, SELECTS, SWITCHES
from graphsurgeon.surgery.moves.branches.fold_predicates import fold_predicates, folded_selects
from graphsurgeon.surgery.moves.branches.known_scalars import FOLLOWED, element
from graphsurgeon.surgery.moves.functions.clone_function import clone_function
from graphsurgeon.surgery.moves.functions.function_arguments import Run, runs_of
from graphsurgeon.surgery.moves.prune import read_nodes, remove_orphans

Constants: TypeAlias = dict[int, Tensor]
_MOST_DEPTH = 100  # calls in calls; what is deeper is recursion, and Python's stack holds a thousand frames


def constant_inputs(node: Node) -> Constants:
    """Return the inputs of a node that are constant scalars, seen through ops that hand their input on."""
    found: Constants = {}
    for index, value in enumerate(node.inputs):
        producer = handed_on(value, SAME_VALUE).producer
        if producer is not None and producer.op == "Const" and element(producer) is not None:
            tensor = producer.attrs["value"]
            assert isinstance(tensor, Tensor)
            found[index] = tensor
    return found


def count_users(metagraph: MetaGraph) -> Counter[Graph]:
    """Return how many nodes run each function."""
    return Counter(function for graph in metagraph.graphs for node in graph.nodes for function in {*node.functions})


def bind_constants(
    metagraph: MetaGraph, node: Node, constants: Mapping[int, Tensor], users: Counter[Graph], depth: int = 0
) -> list[str]:
    """Give constants to the functions that a node runs, and decide what they decide there, and further inside.

    Args:
        metagraph: where the functions are.
        node: a call, branch or loop.
        constants: input of the node -> its value.
        users: how many nodes run each function; kept up to date.
        depth: of calls around it.

    Returns:
        Nodes that went away, as `node of function NAME`.
    """
    removed: list[str] = []
    if depth > _MOST_DEPTH or not constants:
        return removed
    for run in runs_of(node):
        bound = {run.arguments[place]: tensor for place, tensor in constants.items() if place in run.arguments}
        if node.op in LOOPS:
            bound = {place: tensor for place, tensor in bound.items() if _is_invariant(node, place)}
        bound = {place: tensor for place, tensor in bound.items() if run.function.inputs[place].consumers}
        if bound and _decides(run.function, bound):
            function = _own(metagraph, node, run, users)
            removed += _bind(metagraph, function, bound, users, depth)
    return removed


def _decides(function: Graph, bound: Constants) -> bool:
    """Say whether a constant reaches a predicate, or a function that it may reach one in."""
    given = [function.inputs[place] for place in bound]

    def followed(value: Value) -> Iterator[Value]:
        return (output for user in value.consumers if user.op in FOLLOWED for output in user.outputs)

    users = (user for value in nearest_first(given, followed) for user in value.consumers)
    return any(user.functions or user.op in SWITCHES | SELECTS for user in users)


def _bind(metagraph: MetaGraph, function: Graph, bound: Constants, users: Counter[Graph], depth: int) -> list[str]:
    before = read_nodes(function)
    names = {node: node.name for node in function.nodes}
    for place, tensor in bound.items():
        argument = function.inputs[place]
        attrs: dict[str, AttrValue] = {"dtype": tensor.dtype, "value": tensor}
        name = function.unique_name(f"{argument.name}_value")
        constant = function.add_node("Const", name, [], attrs)
        argument.replace_with(constant.output(0))
    fold_predicates(function)
    folded_selects(function)
    remove_orphans(function, before, ())
    removed = [f"{name} of function {function.name}" for node, name in names.items() if node not in function]
    for node in function.nodes:
        if node.functions:
            removed += bind_constants(metagraph, node, constant_inputs(node), users, depth + 1)
    return removed


def _own(metagraph: MetaGraph, node: Node, run: Run, users: Counter[Graph]) -> Graph:
    """Return the function that a node runs, copied if anything else uses it."""
    function = run.function
    objects = metagraph.objects
    is_shared = objects is not None and objects.concrete(function) is not None
    if users[function] == 1 and not is_shared:
        return function
    copy = clone_function(metagraph, function)
    users[function] -= 1
    users.update([copy, *(inner for one in copy.nodes for inner in {*one.functions})])
    if not run.key:
        node.op = copy
    elif run.position is None:
        node.attrs[run.key] = FunctionRef(copy, attrs=run.ref.attrs)
    else:
        refs = list(node.attrs[run.key])  # type: ignore[arg-type]
        refs[run.position] = FunctionRef(copy, attrs=run.ref.attrs)
        node.attrs[run.key] = refs
    return copy


def _is_invariant(loop: Node, place: int) -> bool:
    """Say whether a loop hands an argument on from turn to turn as it is."""
    body = next((run.function for run in runs_of(loop) if run.key == "body"), None)
    if body is None or place >= len(body.outputs) or place >= len(body.inputs):
        return False
    return handed_on(body.outputs[place].value, SAME_VALUE) is body.inputs[place]
