"""Where along the graph two models begin to differ: the first tensor, in the order of computation, that does.

Calls of functions are inlined in copies of both models, so that every tensor can be fetched; tensors that
correspond are fetched in both, some at a time, until one differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.bridges.probe import written
from graphsurgeon.bridges.runner import run_calls
from graphsurgeon.compare.alignment import Alignment, align
from graphsurgeon.compare.entries import INTERNAL, Entry, EntryPair, Loader, OneRun, Result
from graphsurgeon.compare.equivalence import Tolerance
from graphsurgeon.compare.pairs import tensor_name
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats import read
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.traversal import in_postorder, producers, upstream
from graphsurgeon.ops.kinds import CONSTANTS, MUST_BE_FED, VARIABLES
from graphsurgeon.shapes import ShapeReport, infer_shapes
from graphsurgeon.surgery.moves.inlining.inline import Inliner

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]

MOST_TENSORS = 100  # of a batch, which one run fetches
MOST_ELEMENTS = 1 << 22  # of a batch, by inferred shape
AT_ONCE = 8  # batches that one process runs
MOST_BATCHES = 80


def first_difference(
    before: Path,
    after: Path,
    pair: EntryPair,
    first_feeds: Arrays,
    second_feeds: Arrays,
    tolerance: Tolerance,
    tags: Sequence[str] | None = None,
    stand: Path | None = None,
) -> str | None:
    """Return the name of the first tensor that differs, with the op that yields it; None if none can be told.

    Args:
        before, after: the model files.
        pair: what was run.
        first_feeds, second_feeds: data by input name.
        tolerance: what counts as the same.
        tags: of the MetaGraph, in both.
        stand: the folder that relative paths in the models start from; a scratch folder without one.
    """
    try:
        ours = Side.open(before, pair.before, first_feeds, tags)
        theirs = Side.open(after, pair.after, second_feeds, tags)
        with ours as one, theirs as other:
            one.stand = other.stand = stand
            return _search(one, other, tolerance)
    except GraphSurgeonError:  # that they differ is known; where, a model that cannot be opened up does not tell
        return None


class Side:
    """One model, opened up, so that every tensor of it can be fetched.

    Attributes:
        place: where to load it from.
        graph: the main graph, without calls.
        ends: nodes that the compared outputs come from.
        feeds: tensor name -> array.
        stand: the folder that the process stands in; a scratch folder without one.
    """

    def __init__(self, model: Model, metagraph: MetaGraph, place: Path, ends: list[Node], feeds: Arrays) -> None:
        self.model = model
        self.metagraph = metagraph
        self.graph: Graph = metagraph.graph
        self.place = place
        self.ends = ends
        self.feeds = feeds
        self.stand: Path | None = None

    @staticmethod
    @contextmanager
    def open(path: Path, entry: Entry, feeds: Arrays, tags: Sequence[str] | None) -> Iterator[Side]:
        """Read a model anew and inline its calls."""
        model = read(path)
        metagraph = choose_metagraph(model, tags)
        graph = metagraph.graph
        names = {tensor_name(entry.inputs[name].value): array for name, array in feeds.items()}
        outputs = [graph.value(tensor_name(value)) for value in entry.outputs.values()]
        if graph.kind == "subgraph":
            yield Side(model, metagraph, path, [value.producer for value in outputs if value and value.producer], names)
            return
        # What reads the result of a call reads the result of its body when the call is inlined.
        ends = [
            graph.add_node("Identity", graph.unique_name("gs_end"), [value], {"T": dtype_of(value)})
            for value in outputs
            if value is not None
        ]
        kept = _run_on_load(metagraph)
        Inliner(graph, keep=lambda call, _: call in kept, effects=Effects(), results_wait=False).run()
        with written(model) as place:
            yield Side(model, metagraph, place, ends, names)

    def fetch(self, batches: Sequence[Sequence[Value]]) -> list[list[Result] | None]:
        """Return the results of each batch of tensors, None for one that cannot be fetched."""
        loader: Loader = "interpreter" if self.graph.kind == "subgraph" else "session"
        model = self.model
        prefix = model.checkpoint.prefix if model.traits.variables == "beside" and model.checkpoint else None
        calls = [
            OneRun(loader, None, self.feeds, {str(place): tensor_name(value) for place, value in enumerate(batch)})
            for batch in batches
        ]
        outcomes = run_calls(self.place, calls, tags=self.metagraph.tags, checkpoint=prefix, stand=self.stand)
        return [
            None if outcome.error else [outcome.results[str(place)] for place in range(len(batch))]
            for outcome, batch in zip(outcomes, batches, strict=True)
        ]


def _run_on_load(metagraph: MetaGraph) -> set[Node]:
    """Return the nodes that savers and initializers name, which must go on being there."""
    public = [signature for signature in metagraph.signatures.values() if not signature.key.startswith(INTERNAL)]
    signatures = {mention for signature in public for entry in signature.entries for mention in entry.mentions}
    nodes = {mention.node for mention in metagraph.mentions() if mention not in signatures}
    return {node for node in nodes if node is not None}


def _search(one: Side, other: Side, tolerance: Tolerance) -> str | None:
    alignment = align(one.graph, other.graph, {})
    shapes = infer_shapes(one.graph)
    every = list(batches(_candidates(alignment, shapes, upstream(one.ends)), shapes))
    for start in range(0, min(len(every), MOST_BATCHES), AT_ONCE):
        some = every[start : start + AT_ONCE]
        images = [[image for value in batch if (image := alignment.image(value)) is not None] for batch in some]
        for batch, ours, theirs in zip(some, one.fetch(some), other.fetch(images), strict=True):
            found = _first(batch, ours, theirs, tolerance) if ours is not None and theirs is not None else None
            if found is not None:
                return found
    return None


def _first(batch: Sequence[Value], ours: list[Result], theirs: list[Result], tolerance: Tolerance) -> str | None:
    call = OneRun("session", None, {}, {})
    for value, result, twin in zip(batch, ours, theirs, strict=True):
        if not tolerance.compare(call, None, str(value), result, twin).agrees:
            return f"{value} ({value.producer.op if value.producer is not None else 'input'})"
    return None


def _candidates(alignment: Alignment, shapes: ShapeReport, needed: Iterable[Node]) -> list[Value]:
    """Return tensors that both models have and that can be fetched, in the order in which they are computed."""
    graph = alignment.before
    wanted = set(needed)
    flow = control_flow(graph) if graph.kind != "subgraph" else None
    found = []
    for node in _computed(graph):
        inside = flow is not None and (node in flow.frames or node in flow.branches)
        if node not in wanted or inside or node.op in CONSTANTS | VARIABLES | MUST_BE_FED:
            continue
        for value in node.outputs:
            dtype = shapes.dtype(value)
            is_plain = dtype is not None and (bool(dtype.bits) or dtype.name == "string") and not dtype.is_ref
            if is_plain and alignment.image(value) is not None:
                found.append(value)
    return found


def _computed(graph: Graph) -> list[Node]:
    """Return nodes behind those whose values they read; a loop is entered where it comes first in the file."""
    return list(in_postorder(graph.nodes, lambda node: (*producers(node.inputs), *node.controls)))


def batches(values: Sequence[Value], shapes: ShapeReport) -> Iterator[list[Value]]:
    """Yield tensors, as many at a time as one run may fetch."""
    batch: list[Value] = []
    elements = 0
    for value in values:
        size = shapes.shape(value).num_elements or 1
        if batch and (len(batch) >= MOST_TENSORS or elements + size > MOST_ELEMENTS):
            yield batch
            batch, elements = [], 0
        batch.append(value)
        elements += size
    if batch:
        yield batch
