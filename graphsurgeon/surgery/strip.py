"""Strip: take out of a model what inference does not need, by kinds that can be chosen and kept.

Signatures, named outputs, and what loading runs are protected. Nodes that let data through are led round, then
whatever nothing needs goes: nodes, functions, entries of collections, of savers and of the checkpoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from graphsurgeon.analysis.flow.restore_map import restore_map
from graphsurgeon.analysis.names import NO_TAGS, choose_metagraph, find_value
from graphsurgeon.analysis.stored_weights.variables import slot_keys
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph, Saver
from graphsurgeon.model.model import Model
from graphsurgeon.model.traversal import upstream
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.stripping.accelerators import tpu_twins
from graphsurgeon.surgery.stripping.checkpoint import drop_empty_slots, entries_of_training, restored_keys
from graphsurgeon.surgery.stripping.kinds import KINDS, NODES, Kind, When, choose_kinds, kinds_of
from graphsurgeon.surgery.stripping.needed import drop_broken_items, drop_stale_items, kept_resources
from graphsurgeon.surgery.stripping.outputs import has_signature, kept_dropout, outputs_of
from graphsurgeon.surgery.stripping.saver_v1 import SaverPart
from graphsurgeon.surgery.stripping.steps import stale_colocation
from graphsurgeon.surgery.stripping.unneeded import sort_nodes
from graphsurgeon.surgery.stripping.work import Stripped, StripWork
from graphsurgeon.surgery.tflite.strip import strip_tflite

_GONE = "its variable is gone"
_STALE = 85  # the turn of what nobody asks for: bodies are done, identities are not


@dataclass(frozen=True)
class StripReport:
    """What stripping took out.

    Attributes:
        kinds: kind -> how many went.
        removed: each thing that went.
        outputs: tensors that were protected beside those of signatures.
        variables: number of checkpoint entries that went.
        variable_bytes: bytes of their values.
        nodes_before, nodes_after: number of nodes, those in functions included.
        notes: what else the user should know, one line each.
    """

    kinds: dict[str, int]
    removed: tuple[Stripped, ...]
    outputs: tuple[str, ...] = ()
    variables: int = 0
    variable_bytes: int = 0
    nodes_before: int = 0
    nodes_after: int = 0
    notes: tuple[str, ...] = ()


@arguments.takes(only=arguments.names, keep=arguments.names, outputs=arguments.names, tags=arguments.names)
def strip(
    model: Model,
    *,
    only: Sequence[str] | None = None,
    keep: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    inference: bool = False,
    tags: Sequence[str] | None = None,
) -> StripReport:
    """Take out what inference does not need.

    Args:
        model: the model, of any format.
        only: kinds to take out (`stripping.kinds.KINDS`); by default all but those that change what is computed.
        keep: kinds to leave.
        outputs: tensors that stay beside those of signatures; without either, the likely ones.
        inference: turn batch normalizations in training form into inference form.
        tags: the MetaGraph with exactly these tags.

    Raises:
        UsageError: there is no such kind or tensor, or nothing says what the outputs are.
    """
    kinds = choose_kinds(only, keep, inference=inference)
    report = _strip(model, kinds, outputs, tags, by_default=not (inference or only))
    if not report.removed:
        return replace(report, notes=(*report.notes, "there is nothing of these kinds to take out"))
    order = {kind: place for place, kind in enumerate(KINDS)}
    return replace(report, removed=tuple(sorted(report.removed, key=lambda one: order[one.kind])))


def _strip(
    model: Model,
    kinds: frozenset[str],
    outputs: Sequence[str] | None,
    tags: Sequence[str] | None,
    *,
    by_default: bool,
) -> StripReport:
    if not model.metagraphs:
        return _strip_checkpoint(model, kinds)
    metagraph = choose_metagraph(model, tags)
    if is_tflite(model, metagraph, "strip"):
        return _strip_tflite(metagraph, kinds, outputs or ())
    values, notes = outputs_of(metagraph, outputs)
    twins = tpu_twins(model) if "tpu" in kinds else []
    left = [one for one in model.metagraphs if one is not metagraph and one not in twins]
    others = [",".join(one.tags or ()) or NO_TAGS for one in left]
    if others:
        notes += [f"left as they are: MetaGraphs {'; '.join(others)}, and the variables, which all share"]
    if by_default and has_signature(metagraph):
        kinds -= kinds_of(When.UNSIGNED)
        notes += kept_dropout(metagraph)
    for graph in metagraph.graphs:
        _ = graph.nodes  # a graph that cannot be read is refused before anything has changed
    metagraph.resolve_mentions()
    return _run(StripWork(model, metagraph, values, kinds), notes)


def _strip_tflite(metagraph: MetaGraph, kinds: frozenset[str], outputs: Sequence[str]) -> StripReport:
    values = [find_value(metagraph, name, graph="main") for name in outputs]
    before = sum(len(graph.nodes) for graph in metagraph.graphs)
    removed = tuple(Stripped(*one) for one in strip_tflite(metagraph, kinds, values))
    after = sum(len(graph.nodes) for graph in metagraph.graphs)
    kept = tuple(str(value) for value in values)
    return StripReport(_in_order(Counter(one.kind for one in removed)), removed, kept, 0, 0, before, after)


def _strip_checkpoint(model: Model, kinds: frozenset[str]) -> StripReport:
    assert model.checkpoint is not None
    removed = [Stripped(kind, key, "", "", why) for key, kind, why in entries_of_training(model.checkpoint, kinds)]
    return _drop_entries(model, removed)


def _drop_entries(model: Model, removed: list[Stripped]) -> StripReport:
    assert model.checkpoint is not None
    keys = [one.name for one in removed]
    num_bytes = sum(model.checkpoint.variables[key].tensor.nbytes for key in keys)
    if keys:
        model.checkpoint.remove(keys)
        drop_empty_slots(model.checkpoint)
    counts = Counter(one.kind for one in removed)
    return StripReport(_in_order(counts), tuple(removed), variables=len(keys), variable_bytes=num_bytes)


def _in_order(counts: Counter[str]) -> dict[str, int]:
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def _run(work: StripWork, notes: Sequence[str]) -> StripReport:
    """Take the kinds of one MetaGraph out, each in its turn."""
    metagraph = work.metagraph
    before = sum(len(graph) for graph in metagraph.graphs)
    keys = restored_keys(metagraph)
    known = _known_kinds(work)
    _training_objects(work)
    kinds = sorted((KINDS[kind] for kind in KINDS if kind in work.kinds), key=attrgetter("turn"))
    _take_out(work, [kind for kind in kinds if kind.turn < NODES])
    _nodes(work, known)
    _take_out(work, [kind for kind in kinds if NODES < kind.turn < _STALE])
    if "unreachable" in work.kinds:
        work.notes += [f"what cannot be read of the collection {key} is out" for key in drop_broken_items(metagraph)]
    drop_stale_items(metagraph)
    stale_colocation(work)
    _take_out(work, [kind for kind in kinds if kind.turn > _STALE])
    stored = _variables(work, keys)
    work.training.remove_stored()
    return StripReport(
        kinds=_in_order(Counter(one.kind for one in work.removed)),
        removed=tuple(work.removed),
        outputs=tuple(str(value) for value in work.outputs),
        variables=stored.variables,
        variable_bytes=stored.variable_bytes,
        nodes_before=before,
        nodes_after=sum(len(graph) for graph in metagraph.graphs),
        notes=(*notes, *work.training.notes, *work.notes, *stored.notes),
    )


def _take_out(work: StripWork, kinds: Sequence[Kind]) -> None:
    for kind in kinds:
        if kind.step is not None:
            kind.step(work)


def _training_objects(work: StripWork) -> None:
    """Take out optimizers and metrics of the object graph, and their variables out of the saver."""
    for kind, path in work.training.roots.values():
        work.removed.append(Stripped(kind, path, "object", "", "nothing that stays leads to it or captures it"))
    work.training.remove()


def _nodes(work: StripWork, known: Mapping[Node, str]) -> None:
    """Take out what nothing needs in the main graph, and all that names it."""
    metagraph, graph = work.metagraph, work.metagraph.graph
    saver = SaverPart(metagraph)
    needed = work.needed(saver)
    kinds = sort_nodes([node for node in graph.nodes if node not in needed], known)
    gone = {node for node, kind in kinds.items() if kind in work.kinds}
    _keep_what_is_read(gone, saver)
    for node in graph.nodes:
        if node in gone:
            work.note(kinds[node], node, KINDS[kinds[node]].why)
    if metagraph.saver is not None and any(mention.node in gone for mention in metagraph.saver.mentions):
        metagraph.saver = None
    if metagraph.saver is not None and "savers" in work.kinds and _is_broken(metagraph.saver):
        metagraph.saver = None  # no loader makes one of it
        work.notes.append("the saver, which names nothing that it works by, is out")
    is_kept = kept_resources(node for node in graph.nodes if node not in gone)
    kept_saves = saver.kept_saves(is_kept)
    graph.take_out(gone)
    saver.shrink(kept_saves)


def _is_broken(saver: Saver) -> bool:
    needed = (saver.save, saver.restore, saver.filename)
    return any(not mention.text or (mention.stored and mention.target is None) for mention in needed)


def _known_kinds(work: StripWork) -> dict[Node, str]:
    """Return the kind of the variables that the checkpoint or the object graph tells it of."""
    if work.model.checkpoint is None:
        return {}
    slots = slot_keys(work.model.checkpoint)
    variables = restore_map(work.metagraph).variables
    found = {node: "optimizers" for node, restored in variables.items() if restored.key in slots}
    return found | work.training.variables


def _variables(work: StripWork, keys_before: set[str]) -> StripReport:
    """Take out of the checkpoint what no MetaGraph restores any more."""
    checkpoint = work.model.checkpoint
    if checkpoint is None:
        return StripReport({}, ())
    still = {key for metagraph in work.model.metagraphs for key in restored_keys(metagraph)}
    left = keys_before - still
    if "unreachable" in work.kinds and still and all(one.objects is None for one in work.model.metagraphs):
        left |= checkpoint.variables.keys() - still  # nothing has restored them before either
    gone = sorted(key for key in left if key in checkpoint.variables)
    if gone and checkpoint.version == 1:
        entries = "an entry stays" if len(gone) == 1 else f"{len(gone)} entries stay"
        note = f"{entries} in the checkpoint, unread by the graph: its format, V1, is only read"
        return StripReport({}, (), notes=(note,))
    slots = slot_keys(checkpoint)
    kinds = dict.fromkeys(slots, "optimizers") | work.training.keys
    removed = [
        Stripped(kinds.get(key, "unreachable"), key, "", "", _GONE if key in keys_before else "no graph restores it")
        for key in gone
    ]
    work.removed += removed
    report = _drop_entries(work.model, removed)
    if gone and not checkpoint.variables and checkpoint.objects is None:
        work.model.checkpoint = None
    return report


def _keep_what_is_read(gone: set[Node], saver: SaverPart) -> None:
    """Take back from what goes what something that stays reads."""
    held = [node for node in gone if any(_holds(user, node, gone, saver) for user in node.consumers)]
    gone.difference_update(upstream(held))


def _holds(user: Node, node: Node, gone: set[Node], saver: SaverPart) -> bool:
    if user in gone:
        return False
    if user not in saver.saves:
        return True
    return not saver.is_let_go(user, node, gone)
