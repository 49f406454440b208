"""How single kinds are taken out; those without a step here go because nothing that stays needs them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops.kinds import BATCH_NORMS, CHECKED_VALUE, RANDOM_UNIFORM, SUMMARY_WRITERS
from graphsurgeon.surgery.moves.functions.unused_functions import unused_functions
from graphsurgeon.surgery.stripping import attrs
from graphsurgeon.surgery.stripping.batch_norm import infer_batch_norms
from graphsurgeon.surgery.stripping.bypass import (
    acting_runners,
    bypass_identities,
    bypass_prints,
    remove_checks,
    remove_guards,
)
from graphsurgeon.surgery.stripping.dropout import bypass_dropout
from graphsurgeon.surgery.stripping.moments import infer_moments
from graphsurgeon.surgery.stripping.saver_v1 import SaverPart
from graphsurgeon.surgery.stripping.work import Stripped, StripWork

Step = Callable[[StripWork], None]

_COLOCATION = "colocation", "asks to be placed with another node"


def prints(work: StripWork) -> None:
    """Take out what prints: data is led round it, or it yields nothing."""
    work.lead_round("prints", CHECKED_VALUE, bypass_prints, "hands its input on")
    _checks(work, "prints", {"PrintV2"}, "prints and yields nothing")


def assertions(work: StripWork) -> None:
    """Take out assertions, wherever they are."""
    _checks(work, "assertions", {"Assert"}, "stops a run, and yields nothing")


def summaries(work: StripWork) -> None:
    """Take out what writes summaries, wherever it is."""
    _checks(work, "summaries", SUMMARY_WRITERS, "writes a summary, and yields nothing")


def _checks(work: StripWork, kind: str, ops: Collection[str], why: str) -> None:
    """Take out nodes without outputs, and branches and calls that did nothing else."""
    graphs = work.graphs_with(ops)
    if not graphs:
        return
    acted = acting_runners(work.metagraph.graphs)
    found = [one for graph in graphs for one in remove_checks(graph, ops, work.protected)]
    for node, op in found:
        work.note(kind, node, why, op)
    for node, op in remove_guards(work.metagraph.graphs, acted, work.protected) if found else ():
        work.note(kind, node, "did nothing else", op)


def batch_norms(work: StripWork) -> None:
    """Turn batch normalizations into inference form; say which are left."""
    main = work.metagraph.graph
    going: set[Node] = set()
    if "gradients" in work.kinds:
        going = set(main.nodes) - work.needed(SaverPart(work.metagraph))
    for ops, infer in ((BATCH_NORMS, infer_batch_norms), ({"Mean"}, infer_moments)):
        for graph in work.graphs_with(ops):
            changed, left = infer(graph, work.protected, going)
            for node, op in changed:
                work.note("batch-norms", node, "normalized by the batch, or kept the statistics of batches", op)
            place = f" of function {graph.name!r}" if graph.name else ""
            work.notes += [f"{node.name!r}{place} stays in training form: {why}" for node, why in left]


def dropout(work: StripWork) -> None:
    """Let the input of every dropout through."""
    work.lead_round("dropout", RANDOM_UNIFORM, bypass_dropout, "drops nothing when a model infers")


def functions(work: StripWork) -> None:
    """Take out functions that nothing calls."""
    metagraph = work.metagraph
    for function in unused_functions(metagraph):
        work.removed.append(Stripped("functions", function.name, "", "", "nothing calls or names it"))
        del metagraph.functions[function.name]
        metagraph.gradients.pop(function.name, None)


def unreachable(work: StripWork) -> None:
    """Take out of functions what neither results nor effects need."""
    effects = Effects()
    for function in work.metagraph.functions.values():
        acting = [node for node in function.nodes if effects.of_node(node)]
        gone = _unneeded(function, acting, work.protected)
        for node in gone:
            work.note("unreachable", node, "neither results nor effects of the function need it")
        function.take_out(gone)


def _unneeded(function: Graph, acting: list[Node], protected: set[Node]) -> list[Node]:
    results = [output.value.producer for output in function.outputs]
    roots = [node for node in results if node is not None]
    roots += [*acting, *function.control_outputs.values(), *(node for node in function.nodes if node in protected)]
    needed = upstream(roots)
    return [node for node in function.nodes if node not in needed]


def identities(work: StripWork) -> None:
    """Lead data round what only hands it on."""
    # Others may know them by name, such as the predicate that a cond context names.
    work.protected.update(node for mention in work.metagraph.mentions() if (node := mention.node) is not None)
    work.lead_round("identities", None, bypass_identities, "only hands its input on")


def devices(work: StripWork) -> None:
    """Take out device strings."""
    _clear(work, "devices", "asks for a device", attrs.clear_devices)


def colocation(work: StripWork) -> None:
    """Take out all wishes to be placed together."""
    _clear(work, *_COLOCATION, attrs.clear_colocation)


def stale_colocation(work: StripWork) -> None:
    """Take out wishes to be placed with a node that is gone, which no loader takes: whatever was asked for."""
    if _COLOCATION[0] not in work.kinds:
        _clear(work, *_COLOCATION, attrs.clear_stale_colocation)


def defaults(work: StripWork) -> None:
    """Take out attributes that say what the op's definition says."""
    _clear(work, "defaults", "says what the op's definition says", attrs.clear_defaults)


def recorded_shapes(work: StripWork) -> None:
    """Take out the shapes that are noted down beside the ops."""
    _clear(work, "recorded-shapes", "notes down what the op yields", attrs.clear_recorded_shapes)


def _clear(work: StripWork, kind: str, why: str, clear: Callable[[Graph], attrs.Cleared]) -> None:
    for graph in work.metagraph.graphs:
        for node, what in clear(graph):
            work.note(kind, node, why, what)


def debug(work: StripWork) -> None:
    """Take out where nodes come from."""
    for place, count in work.metagraph.drop_debug_info().items():
        what = "only messages about errors name it"
        work.removed += [Stripped("debug", place or "main graph", "debug info", place, what)] * count
