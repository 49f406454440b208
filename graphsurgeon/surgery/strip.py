"""Strip: take out of a model what inference does not need, by kinds that can be chosen and kept.

Signatures, named outputs, and what loading runs are protected. Nodes that let data through are led round, then
whatever nothing needs goes: nodes, functions, entries of collections, of savers and of the checkpoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.analysis.flow.restore_map import restore_map
from graphsurgeon.analysis.names import NO_TAGS, choose_metagraph, find_value
from graphsurgeon.analysis.variables import slot_keys
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops.kinds import BATCH_NORMS, CHECKED_VALUE, PLACEHOLDERS, RANDOM_UNIFORM
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.moves.unused_functions import unused_functions
from graphsurgeon.surgery.stripping import bypass as strip_bypass
from graphsurgeon.surgery.stripping.attrs import (
    clear_colocation,
    clear_defaults,
    clear_devices,
    clear_recorded_shapes,
)
from graphsurgeon.surgery.stripping.batch_norm import infer_batch_norms
from graphsurgeon.surgery.stripping.checkpoint import drop_empty_slots, entries_of_training, restored_keys
from graphsurgeon.surgery.stripping.dropout import bypass_dropout
from graphsurgeon.surgery.stripping.kinds import KINDS, choose_kinds, sort_nodes, why
from graphsurgeon.surgery.stripping.moments import infer_moments
from graphsurgeon.surgery.stripping.needed import (
    drop_stale_items,
    kept_resources,
    needed_nodes,
    protected_mentions,
    variable_items,
)
from graphsurgeon.surgery.stripping.outputs import has_signature, kept_dropout, outputs_of
from graphsurgeon.surgery.stripping.saver_v1 import SaverPart
from graphsurgeon.surgery.stripping.training import TrainingObjects
from graphsurgeon.surgery.tflite.strip import strip_tflite

_Bypass = Callable[[Graph, Collection[Node]], list[tuple[Node, str]]]


@dataclass(frozen=True)
class Stripped:
    """Something that went.

    Attributes:
        kind: why it could go: one of `KINDS`.
        name: the node, function, checkpoint key, or node whose attribute went.
        op: op of a node; attribute; empty for the others.
        graph: the function it was in, empty for the main graph.
        why: the reason in words.
    """

    kind: str
    name: str
    op: str
    graph: str
    why: str


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
        only: kinds to take out, all by default (`strip_kinds.KINDS`) but those that change what is computed.
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
    others = [",".join(one.tags or ()) or NO_TAGS for one in model.metagraphs if one is not metagraph]
    if others:
        notes += [f"left as they are: MetaGraphs {'; '.join(others)}, and the variables, which all share"]
    if by_default and has_signature(metagraph):
        kinds -= {"dropout"}
        notes += kept_dropout(metagraph)
    for graph in metagraph.graphs:
        _ = graph.nodes  # a graph that cannot be read is refused before anything has changed
    metagraph.resolve_mentions()
    return _Work(model, metagraph, values, kinds).run(notes)


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


class _Work:
    """One strip of one MetaGraph."""

    def __init__(self, model: Model, metagraph: MetaGraph, outputs: list[Value], kinds: frozenset[str]) -> None:
        self.model = model
        self.metagraph = metagraph
        self.outputs = outputs
        self.kinds = kinds
        self.removed: list[Stripped] = []
        self.ops = {graph: frozenset(graph.op_counts) for graph in metagraph.graphs}  # at first, which is the most
        self.training = TrainingObjects(model, metagraph, kinds)
        saver = metagraph.saver.mentions if metagraph.saver is not None else []
        mentioned = [mention.node for mention in (*protected_mentions(metagraph), *saver)]
        mentioned += [mention.node for item in variable_items(metagraph) for mention in item.mentions.values()]
        self.protected = {node for node in [*mentioned, *(value.producer for value in outputs)] if node is not None}

        # Nobody reads them, but somebody may feed them, such as what once was the rate of a dropout.
        graph = metagraph.graph
        self.idle = [node for node in graph.nodes if node.op in PLACEHOLDERS and not node.consumers]
        self.protected.update(self.idle)

    def run(self, notes: list[str]) -> StripReport:
        before = sum(len(graph) for graph in self.metagraph.graphs)
        keys = restored_keys(self.metagraph)
        known = self._known_kinds()
        self._training_objects()
        self._checks()
        notes = [*notes, *self.training.notes, *self._batch_norms()]
        self._nodes(known)
        if "dropout" in self.kinds:
            self._led_round("dropout", RANDOM_UNIFORM, bypass_dropout, "drops nothing when a model infers")
        if "functions" in self.kinds:
            self._functions()
        self._function_nodes()
        drop_stale_items(self.metagraph)
        if "identities" in self.kinds:
            # Others may know them by name, such as the predicate that a cond context names.
            self.protected.update(node for mention in self.metagraph.mentions() if (node := mention.node) is not None)
            self._led_round("identities", None, strip_bypass.bypass_identities, "only hands its input on")
        self._attributes()
        if "debug" in self.kinds:
            for place, count in self.metagraph.drop_debug_info().items():
                what = "only messages about errors name it"
                self.removed += [Stripped("debug", place or "main graph", "debug info", place, what)] * count
        stored = self._variables(keys)
        self.training.remove_stored()
        return StripReport(
            kinds=_in_order(Counter(one.kind for one in self.removed)),
            removed=tuple(self.removed),
            outputs=tuple(str(value) for value in self.outputs),
            variables=stored.variables,
            variable_bytes=stored.variable_bytes,
            nodes_before=before,
            nodes_after=sum(len(graph) for graph in self.metagraph.graphs),
            notes=(*notes, *stored.notes),
        )

    def _note(self, kind: str, node: Node, why: str, op: str = "") -> None:
        place = "" if node.graph is self.metagraph.graph else node.graph.name
        self.removed.append(Stripped(kind, node.name, op or node.op, place, why))

    def _led_round(self, kind: str, ops: Collection[str] | None, bypass: _Bypass, why: str) -> None:
        for graph in self._graphs_with(ops) if ops is not None else self.metagraph.graphs:
            for node, op in bypass(graph, self.protected):
                self._note(kind, node, why, op)

    def _graphs_with(self, ops: Collection[str]) -> list[Graph]:
        return [graph for graph in self.metagraph.graphs if not self.ops[graph].isdisjoint(ops)]

    def _checks(self) -> None:
        """Take out what prints, checks and writes summaries, and branches and calls that did nothing else."""
        if "prints" in self.kinds:
            self._led_round("prints", CHECKED_VALUE, strip_bypass.bypass_prints, "hands its input on")
        for kind, ops, reason in strip_bypass.CHECKS:
            if kind in self.kinds and self._graphs_with(ops):
                acted = strip_bypass.acting_runners(self.metagraph.graphs)
                before = len(self.removed)
                self._without(ops, kind, reason)
                if len(self.removed) > before:
                    for node, op in strip_bypass.remove_guards(self.metagraph.graphs, acted, self.protected):
                        self._note(kind, node, "did nothing else", op)

    def _without(self, ops: frozenset[str], kind: str, why: str) -> None:
        for graph in self._graphs_with(ops):
            for node, op in strip_bypass.remove_checks(graph, ops, self.protected):
                self._note(kind, node, why, op)

    def _training_objects(self) -> None:
        """Take out optimizers and metrics of the object graph, and their variables out of the saver."""
        for kind, path in self.training.roots.values():
            self.removed.append(Stripped(kind, path, "object", "", "nothing that stays leads to it or captures it"))
        self.training.remove()

    def _batch_norms(self) -> list[str]:
        """Turn batch normalizations into inference form; say which are left."""
        if "batch-norms" not in self.kinds:
            return []
        main, notes = self.metagraph.graph, []
        going: set[Node] = set()
        if "gradients" in self.kinds:
            going = set(main.nodes) - self._needed(SaverPart(self.metagraph))
        for ops, infer in ((BATCH_NORMS, infer_batch_norms), ({"Mean"}, infer_moments)):
            for graph in self._graphs_with(ops):
                changed, left = infer(graph, self.protected, going)
                for node, op in changed:
                    self._note("batch-norms", node, "normalized by the batch, or kept the statistics of batches", op)
                place = f" of function {graph.name!r}" if graph.name else ""
                notes += [f"{node.name!r}{place} stays in training form: {why}" for node, why in left]
        return notes

    def _needed(self, saver: SaverPart) -> set[Node]:
        return needed_nodes(self.metagraph, [*self.outputs, *(node.output(0) for node in self.idle)], saver)

    def _nodes(self, known: Mapping[Node, str]) -> None:
        """Take out what nothing needs in the main graph, and all that names it."""
        metagraph, graph = self.metagraph, self.metagraph.graph
        saver = SaverPart(metagraph)
        needed = self._needed(saver)
        kinds = sort_nodes([node for node in graph.nodes if node not in needed], known)
        gone = {node for node, kind in kinds.items() if kind in self.kinds}
        _keep_what_is_read(gone, saver)
        for node in graph.nodes:
            if node in gone:
                self._note(kinds[node], node, why(kinds[node]))
        if metagraph.saver is not None and any(mention.node in gone for mention in metagraph.saver.mentions):
            metagraph.saver = None
        is_kept = kept_resources(node for node in graph.nodes if node not in gone)
        kept_saves = saver.kept_saves(is_kept)
        graph.take_out(gone)
        saver.shrink(kept_saves)

    def _known_kinds(self) -> dict[Node, str]:
        """Return the kind of the variables that the checkpoint or the object graph tells it of."""
        if self.model.checkpoint is None:
            return {}
        slots = slot_keys(self.model.checkpoint)
        variables = restore_map(self.metagraph).variables
        found = {node: "optimizers" for node, restored in variables.items() if restored.key in slots}
        return found | self.training.variables

    def _functions(self) -> None:
        for function in unused_functions(self.metagraph):
            self.removed.append(Stripped("functions", function.name, "", "", "nothing calls or names it"))
            del self.metagraph.functions[function.name]
            self.metagraph.gradients.pop(function.name, None)

    def _function_nodes(self) -> None:
        """Take out of functions what neither results nor effects need."""
        if "unreachable" not in self.kinds:
            return
        effects = Effects()
        for function in self.metagraph.functions.values():
            acting = [node for node in function.nodes if effects.of_node(node)]
            gone = _unneeded(function, acting, self.protected)
            for node in gone:
                self._note("unreachable", node, "neither results nor effects of the function need it")
            function.take_out(gone)

    def _attributes(self) -> None:
        for kind, clear, text in (
            ("devices", clear_devices, "asks for a device"),
            ("colocation", clear_colocation, "asks to be placed with another node"),
            ("defaults", clear_defaults, "says what the op's definition says"),
            ("recorded-shapes", clear_recorded_shapes, "notes down what the op yields"),
        ):
            if kind in self.kinds or kind == "colocation":
                for graph in self.metagraph.graphs:
                    for node, what in clear(graph, kind in self.kinds):
                        self._note(kind, node, text, what)

    def _variables(self, keys_before: set[str]) -> StripReport:
        """Take out of the checkpoint what no MetaGraph restores any more."""
        checkpoint = self.model.checkpoint
        if checkpoint is None:
            return StripReport({}, ())
        still = {key for metagraph in self.model.metagraphs for key in restored_keys(metagraph)}
        gone = sorted(key for key in keys_before - still if key in checkpoint.variables)
        if gone and checkpoint.version == 1:
            entries = "an entry stays" if len(gone) == 1 else f"{len(gone)} entries stay"
            note = f"{entries} in the checkpoint, unread by the graph: its format, V1, is only read"
            return StripReport({}, (), notes=(note,))
        slots = slot_keys(checkpoint)
        kinds = dict.fromkeys(slots, "optimizers") | self.training.keys
        removed = [Stripped(kinds.get(key, "unreachable"), key, "", "", "its variable is gone") for key in gone]
        self.removed += removed
        report = _drop_entries(self.model, removed)
        if gone and not checkpoint.variables and checkpoint.objects is None:
            self.model.checkpoint = None
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


def _unneeded(function: Graph, acting: list[Node], protected: set[Node]) -> list[Node]:
    results = [output.value.producer for output in function.outputs]
    roots = [node for node in results if node is not None]
    roots += [*acting, *function.control_outputs.values(), *(node for node in function.nodes if node in protected)]
    needed = upstream(roots)
    return [node for node in function.nodes if node not in needed]
