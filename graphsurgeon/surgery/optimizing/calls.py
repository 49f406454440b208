"""Calls that become the nodes of their functions: where no other node runs the function, or it holds a single node.

The graphs together never grow by it, unless every call is to become nodes. What acts stays in its order, by control
edges. Functions that something other than a node names stay, and so does whatever says of itself that it is a call: to
be compiled, to be differentiated by a function of its own, or not to be inlined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from graphsurgeon.analysis.flow.calls import called_function, reached_functions, run_by
from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import in_postorder
from graphsurgeon.surgery.moves.functions.unused_functions import named_functions, unused_functions
from graphsurgeon.surgery.moves.inlining.inline import Growth, Inliner, has_uncounted_outputs, has_v1_control_flow

# Attributes by which a call, or a function, is more than its nodes: it is compiled, exchanged or differentiated as one.
_AS_ONE = frozenset({
    "_noinline", "_XlaMustCompile", "_XlaCompile", "_XlaScope", "_tpu_replicate", "api_implements", "_gradient_op_type",
})  # fmt: skip


def inline_calls(metagraph: MetaGraph, kept: Collection[Node], *, everywhere: bool = False) -> int:
    """Inline calls in the main graph and in functions that something runs; return how many calls.

    Args:
        metagraph: changed in place.
        kept: nodes that stay what they are.
        everywhere: also calls of functions that run in several places, which makes more nodes.

    Raises:
        UnsupportedError: there would be too many nodes.
    """
    if not metagraph.functions:
        return 0
    once, others = _inlined(metagraph, everywhere=everywhere)
    if not once and not others:
        return 0
    unused = set(unused_functions(metagraph))
    effects, growth = Effects(), Growth(metagraph, is_bounded=everywhere)
    gone: set[Graph] = set()
    count = 0

    def is_left(call: Node, function: Graph) -> bool:
        if (function not in once and function not in others) or call in kept or not _is_plain(call):
            return True
        if function in once:
            gone.add(function)
        return False

    callers_first = reversed(in_postorder([metagraph.graph, *metagraph.functions.values()], run_by))
    for graph in callers_first:
        if graph in gone or graph in unused or has_v1_control_flow(graph):
            continue
        inliner = Inliner(graph, keep=is_left, effects=effects, results_wait=True, growth=growth)
        try:
            inliner.run()
        except UnsupportedError as error:
            raise UnsupportedError(error.message, hint="leave out the pass that inlines everywhere") from error
        count += inliner.inlined
    return count


def _inlined(metagraph: MetaGraph, *, everywhere: bool) -> tuple[set[Graph], set[Graph]]:
    """Return the functions whose calls become nodes: those that run in one place, and those of one node, or all."""
    named = named_functions(metagraph)
    users = Counter(function for graph in metagraph.graphs for function in run_by(graph))
    own_callers = _recursive(list(metagraph.functions.values()))
    open_ones = [one for one in metagraph.functions.values() if _is_open(one) and one not in own_callers]
    once = {function for function in open_ones if users[function] == 1 and function not in named}
    return once, {function for function in open_ones if everywhere or _is_one_node(function)} - once


def _is_one_node(function: Graph) -> bool:
    return len(function) <= 1 and not any(node.functions for node in function.nodes)


def _is_open(function: Graph) -> bool:
    """Say whether the nodes of a function may stand elsewhere."""
    if _AS_ONE.intersection(function.attrs) or function.argument_controls or function.dangling_controls:
        return False
    return not (has_v1_control_flow(function) or has_uncounted_outputs(function))


def _recursive(functions: Sequence[Graph]) -> set[Graph]:
    """Return the functions that run themselves; each is asked alone only where one does: calls may be deep."""
    places = {function: place for place, function in enumerate(in_postorder(functions, run_by))}
    if all(places[callee] < place for function, place in places.items() for callee in run_by(function)):
        return set()
    return {function for function in functions if function in reached_functions([function])}


def _is_plain(call: Node) -> bool:
    """Say whether a call is no more than its function, and gives it what it takes."""
    function = called_function(call)
    fits = function is not None and len(function.inputs) == len(call.inputs)
    return fits and _AS_ONE.isdisjoint(call.attrs)
