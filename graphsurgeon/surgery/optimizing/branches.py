"""Branches that constants decide: what is never taken goes, what is always taken stands where the branch was."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.surgery.moves.branches.fold_predicates import carry_through, check_outputs, decide, folded_selects
from graphsurgeon.surgery.moves.prune import collected_nodes, forget_removed, protected_nodes


def decide_branches(metagraph: MetaGraph) -> int:
    """Carry through what constants decide in the main graph and in functions; return how many nodes decided.

    A graph of which an output, or something that is named, would never run stays as it is. An If or Case becomes a
    call of the function that runs, a While that never turns the identity of its inputs.
    """
    collected = collected_nodes(metagraph)
    protected = protected_nodes(metagraph)
    count = sum(_decide(graph, protected if graph.kind == "main" else {}) for graph in metagraph.graphs)
    if count:
        forget_removed(metagraph, {node for node in collected if node not in node.graph})
    return count


def _decide(graph: Graph, protected: Mapping[Node, str]) -> int:
    decisions = decide(graph)
    try:
        check_outputs(decisions, protected)
    except UnsupportedError:
        return 0
    carry_through(decisions)
    decided = len(decisions.branches) + len(decisions.loops) + len(decisions.switches)
    return decided + len(folded_selects(graph))
