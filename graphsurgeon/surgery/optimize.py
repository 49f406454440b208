"""Optimize: fold what is known, merge what is equal, leave out what does nothing; again until nothing changes.

Passes that run by default keep every bit, denormal numbers aside. What signatures, collections or objects name stays,
and so do nodes that nobody read in a main graph before, since somebody may fetch them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.analysis.names import choose_metagraph, near_or_all
from graphsurgeon.errors import UsageError
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.patterns.rules import rule_set
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.surgery.freezing.control_edges import clean_control_edges
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.functions.unused_functions import unused_functions
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.optimizing.branches import decide_branches
from graphsurgeon.surgery.optimizing.calls import inline_calls
from graphsurgeon.surgery.optimizing.dead import ends_of, remove_dead
from graphsurgeon.surgery.optimizing.fold import fold
from graphsurgeon.surgery.optimizing.fold_elsewhere import Computer, fold_elsewhere
from graphsurgeon.surgery.optimizing.merge import merge
from graphsurgeon.surgery.optimizing.share import share_functions
from graphsurgeon.surgery.optimizing.transposes import move_transposes
from graphsurgeon.surgery.replacing.ground import Ground
from graphsurgeon.surgery.replacing.rounds import Limits, Rounds
from graphsurgeon.surgery.stripping.attrs import clear_stale_colocation
from graphsurgeon.surgery.stripping.bypass import bound_nodes, bypass_identities

MAX_FOLD = 100 << 10  # bytes of a folded constant that is larger than what it is made of; TensorFlow's own bound
_MOST_ROUNDS = 12  # each makes room for the next; rules that undo each other end here
_MUCH_GROWN = 1 << 10  # bytes that a folded TFLite model may grow by without a word
_RULES = "plain-arithmetic"

_OF_TFLITE = "buffers"  # the one pass that graphs of TensorFlow have no use for

# pass -> what it does, in the order in which they run.
PASSES: Mapping[str, str] = {
    "fold": "constants computed, by ops whose numbers are the same everywhere",
    "fold-close": "Rsqrt of constants computed too, within 3 units of the last place",
    "fold-with-tensorflow": "constants of all other ops computed by TensorFlow, as it does on this machine",
    "branches": "branches that constants decide: the one that is not taken goes, and a loop that never turns",
    "calls": "calls of functions that run nowhere else, or hold one node, become nodes, in their order",
    "calls-everywhere": "calls of functions that run in several places too, which makes more nodes",
    "functions": "equal functions kept once",
    "arithmetic": "products with 1, double reshapes and transposes: the rules plain-arithmetic",
    "transposes": "transposes led past what takes elements one by one, joins, pads and slices, where fewer are left",
    "transposes-close": "past sums, layers, smooth functions too, within 3 units of the last place, sums as they add",
    "batch-norm-into-conv": "batch norms into the layer before, within 4e-7 of the largest value",
    "zeros-out": "additions of zeros, the same but for the sign of a zero",
    "identities": "Identity, Snapshot, StopGradient and PreventGradient that only hand a value on",
    "controls": "control edges that order nothing",
    "constants": "equal constants merged",
    "common": "the same op of the same inputs computed once",
    _OF_TFLITE: "of a TFLite model: constants of equal bytes stored once",
    "dead": "what nobody reads any more",
}
_BY_OTHERS = "fold-with-tensorflow"
_GROWING = "calls-everywhere"
ASKED_FOR = frozenset(  # do not run by default: close, not equal, or no gain by themselves
    {"fold-close", _BY_OTHERS, _GROWING, "transposes-close", "batch-norm-into-conv", "zeros-out"}
)
ALL = "all"


@dataclass(frozen=True)
class OptimizeReport:
    """What optimizing did.

    Attributes:
        passes: pass -> how many nodes it changed or took out (of `controls`: graphs).
        nodes_before, nodes_after: number of nodes, those in functions included.
        constants_before, constants_after: how many of them are constants.
        notes: what else there is to know, one line each.
    """

    passes: dict[str, int]
    nodes_before: int
    nodes_after: int
    constants_before: int = 0
    constants_after: int = 0
    notes: tuple[str, ...] = ()


@arguments.takes(only=arguments.names, keep=arguments.names, tags=arguments.names)
def optimize(
    model: Model,
    *,
    only: Sequence[str] | None = None,
    keep: Sequence[str] | None = None,
    max_fold: int = MAX_FOLD,
    tags: Sequence[str] | None = None,
    compute: Computer | None = None,
) -> OptimizeReport:
    """Leave out what a graph need not compute, in functions too.

    Args:
        model: changed in place.
        only: passes to run (`PASSES`), or `all` that need nothing beside this package and make no more nodes; by
            default those that keep every bit.
        keep: passes not to run.
        max_fold: bytes of a folded constant that is larger than what it is made of.
        tags: the MetaGraph with exactly these tags.
        compute: what the pass `fold-with-tensorflow` asks, such as `bridges.fold.with_tensorflow`.

    Raises:
        UsageError: there is no such pass, or nothing that computes for it.
        UnsupportedError: the model has ops of another framework.
    """
    chosen = _choose(only, keep)
    metagraph = choose_metagraph(model, tags)
    of_tflite = is_tflite(model, metagraph, "optimize")
    before, constants = _counts(metagraph)
    if _BY_OTHERS in chosen and compute is None and not of_tflite:
        raise UsageError(f"nothing computes for {_BY_OTHERS}", hint="compute=graphsurgeon.bridges.fold.with_tensorflow")
    work = _TFLite(metagraph, chosen, max_fold) if of_tflite else _Work(metagraph, chosen, max_fold, compute)
    for _ in range(_MOST_ROUNDS):
        if not work.round():
            break
    after, constants_after = _counts(metagraph)
    notes = tuple(work.notes) if any(work.counts.values()) else ("there is nothing to optimize",)
    counts = {name: work.counts[name] for name in PASSES if work.counts[name]}
    return OptimizeReport(counts, before, after, constants, constants_after, notes)


def _choose(only: Sequence[str] | None, keep: Sequence[str] | None) -> list[str]:
    if ALL in (only or ()):
        only = [
            *(name for name in PASSES if name not in (_BY_OTHERS, _GROWING)),
            *(name for name in only or () if name != ALL),
        ]
    unknown = [name for name in (*(only or ()), *(keep or ())) if name not in PASSES]
    if unknown:
        raise UsageError(f"there is no pass {unknown[0]!r}", hint=near_or_all(unknown[0], PASSES))
    wanted = set(only) if only else set(PASSES) - ASKED_FOR
    return [name for name in PASSES if name in wanted - set(keep or ())]


def _counts(metagraph: MetaGraph) -> tuple[int, int]:
    counts = [graph.op_counts for graph in metagraph.graphs]
    return sum(sum(one.values()) for one in counts), sum(one.get("Const", 0) for one in counts)


class _Work:
    """The passes over one MetaGraph."""

    def __init__(
        self, metagraph: MetaGraph, chosen: Sequence[str], max_fold: int, compute: Computer | None = None
    ) -> None:
        self.metagraph = metagraph
        self.compute = compute
        self.tried: set[Node] = set()
        self.chosen = [name for name in chosen if name != _OF_TFLITE]
        self.max_fold = max_fold
        self.counts = dict.fromkeys(PASSES, 0)
        self.notes: list[str] = []
        self.unused = set(unused_functions(metagraph))
        self.ends = {graph: ends_of(graph) for graph in metagraph.graphs}
        self.passes: dict[str, Callable[[Ground], int]] = {
            "fold": self._fold,
            "fold-close": lambda ground: self._fold(ground, close=True),
            _BY_OTHERS: self._fold_elsewhere,
            "branches": lambda _: decide_branches(metagraph),
            "calls": self._calls,
            _GROWING: lambda ground: self._calls(ground, everywhere=True),
            "functions": lambda _: share_functions(metagraph),
            "arithmetic": lambda ground: self._rules(ground, _RULES),
            "transposes": self._transposes,
            "transposes-close": lambda ground: self._transposes(ground, close=True),
            "batch-norm-into-conv": lambda ground: self._rules(ground, "batch-norm-into-conv"),
            "zeros-out": lambda ground: self._rules(ground, "zeros-out"),
            "identities": self._identities,
            "controls": self._controls,
            "constants": lambda ground: self._merge(ground, constants=True),
            "common": lambda ground: self._merge(ground, constants=False),
            "dead": self._dead,
        }

    def round(self) -> bool:
        """Run every pass once; say whether anything but a count of edges changed."""
        changed = False
        for name in self.chosen:
            count = self.passes[name](Ground(self.metagraph))
            self.counts[name] += count
            changed = changed or bool(count)
        if changed:
            self._drop_functions()
        for graph in self.metagraph.graphs if changed else ():
            clear_stale_colocation(graph)
        return changed

    def _drop_functions(self) -> None:
        """Leave out functions that something ran before, and nothing does any more."""
        for function in unused_functions(self.metagraph):
            if function not in self.unused:
                del self.metagraph.functions[function.name]

    def _kept(self, ground: Ground, graph: Graph) -> set[Node]:
        return {*ground.protected, *self.ends[graph]}

    def _fold(self, ground: Ground, *, close: bool = False) -> int:
        report = infer_shapes(self.metagraph)
        return sum(
            len(fold(graph, ground.subject, report, self.max_fold, _handed_on(ground), close=close))
            for graph in self.metagraph.graphs
        )

    def _fold_elsewhere(self, ground: Ground) -> int:
        if self.compute is None:
            return 0
        report, compute = infer_shapes(self.metagraph), self.compute
        return sum(
            len(fold_elsewhere(graph, compute, report, self.max_fold, _handed_on(ground), self.tried))
            for graph in self.metagraph.graphs
        )

    def _calls(self, ground: Ground, *, everywhere: bool = False) -> int:
        ends = {node for nodes in self.ends.values() for node in nodes}
        return inline_calls(self.metagraph, {*ground.protected, *ends}, everywhere=everywhere)

    def _transposes(self, ground: Ground, *, close: bool = False) -> int:
        return sum(move_transposes(graph, self._kept(ground, graph), close=close) for graph in self.metagraph.graphs)

    def _rules(self, ground: Ground, name: str) -> int:
        rules = Rounds(rule_set(name).rules, ground, self.metagraph.graphs, Limits(skips=True))
        return len(rules.run().done)

    def _identities(self, ground: Ground) -> int:
        count = 0
        for graph in self.metagraph.graphs:
            kept = self._kept(ground, graph)
            count += len(bypass_identities(graph, kept)) + _bypass_lists(graph, kept)
        return count

    def _controls(self, ground: Ground) -> int:
        count = 0
        for graph in self.metagraph.graphs:
            flow = control_flow(graph)
            if flow.frames or flow.branches:
                continue
            before = [(node.controls, tuple(graph.control_outputs)) for node in graph.nodes]
            clean_control_edges(graph, ground.effects.of_node)
            count += before != [(node.controls, tuple(graph.control_outputs)) for node in graph.nodes]
        return count

    def _merge(self, ground: Ground, *, constants: bool) -> int:
        return sum(
            len(merge(graph, ground.protected, self.ends[graph], constants=constants))
            for graph in self.metagraph.graphs
        )

    def _dead(self, ground: Ground) -> int:
        return sum(len(remove_dead(graph, self.ends[graph], ground)) for graph in self.metagraph.graphs)


def _handed_on(ground: Ground) -> set[Node]:
    """Return nodes that are named, and that only hand on or gather."""
    return {node for node in ground.protected if node.op in ("Identity", "NoOp")}


class _TFLite:
    """The passes over a TFLite model: those of the chosen that it has."""

    def __init__(self, metagraph: MetaGraph, chosen: Sequence[str], max_fold: int) -> None:
        from graphsurgeon.surgery.tflite.optimize import TFLiteWork

        self.work = TFLiteWork(metagraph, max_fold)
        self.chosen = [name for name in chosen if name in self.work.passes]
        self.counts = dict.fromkeys(PASSES, 0)

    @property
    def notes(self) -> list[str]:
        """What folding has made of weights that were stored in fewer bytes."""
        grown = self.work.grown
        return (
            [f"folded constants take {grown:,} bytes more than what they were made of; --keep fold leaves them"]
            if (grown > _MUCH_GROWN)
            else []
        )

    def round(self) -> bool:
        """Run every pass once; say whether anything changed."""
        found = {name: self.work.passes[name]() for name in self.chosen}
        for name, count in found.items():
            self.counts[name] += count
        return any(found.values())


def _bypass_lists(graph: Graph, kept: set[Node]) -> int:
    """Lead data round nodes that hand several values on; Keras leaves one for each swish, with its gradient."""
    bound = bound_nodes(graph, kept)
    nodes = [node for node in graph.nodes if node.op == "IdentityN" and node not in bound and not node.controls]
    nodes = [node for node in nodes if not node.control_consumers and len(node.outputs) == len(node.inputs)]
    for node in nodes:
        for value, given in zip(node.outputs, node.inputs, strict=True):
            value.replace_with(given)
    graph.remove_nodes(nodes)
    return len(nodes)
