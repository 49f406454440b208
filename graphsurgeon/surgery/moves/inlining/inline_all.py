"""All calls of a main graph become nodes: for who looks at the network, not for who runs it."""

from __future__ import annotations

from graphsurgeon.analysis.flow.calls import needed_functions
from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.surgery.moves.inlining.inline import Inliner


def inline_all(metagraph: MetaGraph) -> int:
    """Inline the calls of a main graph, but those that save and restore, and leave out functions that nothing runs.

    Functions of loops and branches stay functions.

    Args:
        metagraph: changed in place; also where this raises.

    Returns:
        How many calls were inlined.

    Raises:
        UnsupportedError: a function calls itself, or it would become too many nodes.
    """
    saver = metagraph.saver
    saving = {mention.node for mention in saver.mentions} if saver is not None else set()

    def is_kept(call: Node, function: Graph) -> bool:
        return call in saving

    # Nothing in the graph reads what signatures yield, so that without being asked for it would not be copied.
    every = {function: list(function.nodes) for function in metagraph.functions.values()}
    inliner = Inliner(metagraph.graph, keep=is_kept, effects=Effects(), results_wait=False, wanted=every)
    inliner.run()
    needed = needed_functions(metagraph, metagraph.graph)
    for function in list(metagraph.functions.values()):
        if function not in needed:
            del metagraph.functions[function.name]
    return inliner.inlined
