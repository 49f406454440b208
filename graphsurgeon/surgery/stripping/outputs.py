"""What a strip must not touch: the outputs that a model names, or that are likely where it names none."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.analysis.candidates import AN_END, SURE, likely_outputs
from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.names import find_value
from graphsurgeon.errors import UsageError, plural
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import is_optimizer
from graphsurgeon.surgery.stripping.dropout import dropouts

_BEHIND = AN_END / 2  # points: what is so far behind a sure answer of a training graph is a leftover


def outputs_of(metagraph: MetaGraph, names: Sequence[str] | None) -> tuple[list[Value], list[str]]:
    """Return the values to protect beside what is mentioned, and what is to be said of the choice."""
    if names:
        return [find_value(metagraph, name, graph="main") for name in names], []
    if has_signature(metagraph):
        return [], []
    candidates = likely_outputs(metagraph)
    best = candidates[0].score if candidates else 0.0
    # What training leaves over looks likely too.
    if best >= SURE and any(map(is_optimizer, metagraph.graph.op_counts)):
        candidates = [candidate for candidate in candidates if candidate.score > best - _BEHIND]
    likely = [candidate.value for candidate in candidates]
    if not likely:
        raise UsageError("nothing says what the outputs are", hint="give --outputs; gs outputs lists candidates")
    return likely, ["the model has no signature; the likely outputs are kept (--outputs chooses others)"]


def has_signature(metagraph: MetaGraph) -> bool:
    """Say whether a MetaGraph itself tells what is asked of it: by signatures, or by functions of its objects."""
    has_objects = metagraph.objects is not None and len(metagraph.objects.nodes) > 1
    return has_objects or any(not key.startswith("__saved_model") for key in metagraph.signatures)


def kept_dropout(metagraph: MetaGraph) -> list[str]:
    """Say how many dropouts the signatures go through, if any."""
    called = [metagraph.graph, *reached_functions([metagraph.graph])]
    count = len({node for graph in called for node, _ in dropouts(graph)})
    what = plural(count, "dropout")
    return [f"{what} kept, so that signatures compute what they did (--inference takes dropout out)"] if count else []
