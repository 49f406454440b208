"""What a model needs while it runs: weights, what is computed on the way, multiplications. Counted from shapes.

Of a TFLite model the arena is laid out as LiteRT does; of a graph the tensors that are there at the same time are added
up, one operation after another in the order of the graph, each gone after the last one that reads it. That is what one
thread needs at least: runtimes that run operations side by side, or fuse them, need more, or less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphsurgeon.analysis.costs.arena import Arena, arena_of
from graphsurgeon.analysis.costs.run_shapes import RunShapes
from graphsurgeon.analysis.costs.work import work_of
from graphsurgeon.analysis.flow.calls import run_function
from graphsurgeon.analysis.names import INTERNAL, find_signature
from graphsurgeon.analysis.stored_weights.variables import named_variables
from graphsurgeon.analysis.stored_weights.weight_totals import constants, first_entries, stored_bytes
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import in_postorder, upstream
from graphsurgeon.ops.kinds import CHECKED_VALUE, CONSTANTS, RESHAPES, SAME_VALUE, VALUE_READS, VARIABLES

_SAME_BYTES = SAME_VALUE | RESHAPES | CHECKED_VALUE
_WEIGHTS = CONSTANTS | VARIABLES | VALUE_READS


@dataclass(frozen=True)
class GraphMemory:
    """What one graph needs while it runs.

    Attributes:
        name: of the subgraph, or of the signature; empty for a main graph.
        activations: bytes of the tensors that are there at once, at most; None where no shapes are known.
        peak_op: the operation at which it is so: its name and op, of TFLite `#3 CONV_2D`.
        arena: TFLite: bytes of LiteRT's arena without delegates, on one thread; None elsewhere.
        persistent: TFLite: bytes beside it: constants that are unpacked once, state that is kept.
        uncounted: how many tensors have a size that is known only when the model runs, or not at all.
    """

    name: str
    activations: int | None
    peak_op: str
    arena: int | None = None
    persistent: int = 0
    uncounted: int = 0


@dataclass(frozen=True)
class Memory:
    """What a model needs.

    Attributes:
        assumed: inputs that are open, and the shape that was counted with.
        weights: bytes of all weights as they are stored.
        graphs: what each graph needs while it runs: of TFLite every subgraph.
        macs: multiplications with an addition, of one run; `macs_by_op` by op, most first.
        unknown_macs: names of operations that multiply, and whose shapes are not known.
        loops: whether loops or branches were counted, each once.
    """

    assumed: Mapping[str, Shape]
    weights: int
    graphs: Sequence[GraphMemory]
    macs: int
    macs_by_op: Mapping[str, int]
    unknown_macs: Sequence[str]
    loops: bool


def memory_of(
    model: Model, metagraph: MetaGraph, *, signature: str | None = None, assume: Mapping[str, Shape] | None = None
) -> Memory:
    """Count what a model needs while it runs. Reads no weights.

    Args:
        model: any model with a graph.
        metagraph: the MetaGraph that is run.
        signature: what is run; None for `serving_default`, the only one, or the whole main graph.
        assume: shapes of inputs.

    Raises:
        UsageError: there is no such signature or input.
    """
    shapes = RunShapes(metagraph, assume)
    name, nodes = _what_runs(metagraph, signature)
    work = work_of(nodes, shapes)
    is_tflite = metagraph.vocabulary == TFLITE
    run = {str(node.output(0)) for node in nodes if node.outputs} if not is_tflite else shapes.assumed
    fed = {name: shape for name, shape in shapes.assumed.items() if name in run}
    graphs = [_of_subgraph(graph, shapes) for graph in metagraph.graphs] if is_tflite else [_of(name, nodes, shapes)]
    return Memory(
        fed or shapes.assumed,
        _weights(model, metagraph),
        graphs,
        work.macs,
        work.by_op,
        [node.name or f"#{node.graph.nodes.index(node)} {node.op}" for node in work.unknown],
        work.once,
    )


def require_graph(model: Model) -> None:
    """Raise UnsupportedError for a model that is weights alone."""
    if not model.metagraphs:
        raise UnsupportedError("it holds weights and no graph that runs", path=model.path, hint="gs weights lists them")


def _what_runs(metagraph: MetaGraph, signature: str | None) -> tuple[str, list[Node]]:
    """Return the name of what is run, and its nodes in an order in which they can run."""
    public = [key for key in metagraph.signatures if not key.startswith(INTERNAL)]
    is_told = signature is not None or "serving_default" in public or len(public) == 1
    if not is_told:
        return "", _ordered(metagraph.graph.nodes)
    chosen = find_signature(metagraph, signature)
    targets = [mention.target for entry in chosen.outputs.values() for mention in entry.mentions]
    ends = [value.producer for value in targets if isinstance(value, Value) and value.producer is not None]
    return chosen.key, _ordered(upstream(ends)) if ends else _ordered(metagraph.graph.nodes)


def _ordered(nodes: Iterable[Node]) -> list[Node]:
    """Return nodes so that each comes behind what it reads; of a graph that is in order that order."""
    wanted = dict.fromkeys(nodes)
    if not wanted:
        return []
    every = next(iter(wanted)).graph.nodes
    listed = [node for node in every if node in wanted]
    return list(in_postorder(listed, lambda node: [one for one in _read(node) if one in wanted]))


def _read(node: Node) -> list[Node]:
    return [value.producer for value in node.inputs if value.producer is not None]


def _of_subgraph(graph: Graph, shapes: RunShapes) -> GraphMemory:
    arena = arena_of(graph, shapes)
    peak, place = _peak(arena, len(graph.nodes))
    op = f"#{place} {graph.nodes[place].op}" if graph.nodes else ""
    return GraphMemory(graph.name, peak, op, arena.size, arena.persistent, len(arena.dynamic))


def _peak(arena: Arena, count: int) -> tuple[int, int]:
    """Return how many bytes of an arena are in use at once, at most, and at which operator."""
    changes = [0] * (count + 1)
    for block in arena.blocks:
        changes[block.first] += block.size
        changes[block.last + 1] -= block.size
    most = place = held = 0
    for number, change in enumerate(changes[:count]):
        held += change
        if held > most:
            most, place = held, number
    return most, place


def _of(name: str, nodes: Sequence[Node], shapes: RunShapes) -> GraphMemory:
    found = _Activations(shapes)
    most, op = found.peak(nodes)
    return GraphMemory(name, most if found.known else None, op if found.known else "", uncounted=len(found.unknown))


class _Activations:
    """Bytes that are held at once while nodes run one after the other; a call needs what its function does."""

    def __init__(self, shapes: RunShapes) -> None:
        self.shapes = shapes
        self.known: set[Value] = set()
        self.unknown: set[Value] = set()
        self._inside: dict[Graph, tuple[int, str]] = {}

    def peak(self, nodes: Sequence[Node], kept: Iterable[Value] = ()) -> tuple[int, str]:
        """Return the most bytes, and at which operation they are held; `kept` are there until the end."""
        roots = self._roots(nodes)
        last: dict[Value, int] = {}
        for place, node in enumerate(nodes):
            last.update((roots.get(value, value), place) for value in node.inputs)
        last.update((roots.get(value, value), len(nodes)) for value in kept)
        going: dict[int, list[int]] = {}
        held, most, op = 0, 0, ""
        for place, node in enumerate(nodes):
            for value in node.outputs if node.qualified_op not in _WEIGHTS else ():
                size = 0 if value in roots else self._size(value)
                held += size
                going.setdefault(last.get(value, len(nodes)), []).append(size)
            inside, where = self._called(node)
            if held + inside > most:
                most, op = held + inside, where or f"{node.name} ({node.op})" if node.name else f"{node.op}"
            held -= sum(going.pop(place, ()))
        return most, op

    def _roots(self, nodes: Sequence[Node]) -> dict[Value, Value]:
        """Return what only names the bytes of another value -> that value."""
        roots: dict[Value, Value] = {}
        for node in nodes:
            if node.qualified_op in _SAME_BYTES and node.inputs:
                roots.update((value, roots.get(node.inputs[0], node.inputs[0])) for value in node.outputs)
        return roots

    def _size(self, value: Value) -> int:
        size = self.shapes.bytes_of(value)
        if size is None:
            self.unknown.add(value)
            return 0
        self.known.add(value)
        return size

    def _called(self, node: Node) -> tuple[int, str]:
        function = run_function(node)
        if function is None:
            return 0, ""
        if function not in self._inside:
            self._inside[function] = 0, ""  # a function that calls itself
            results = [output.value for output in function.outputs]
            self._inside[function] = self.peak(_ordered(function.nodes), results)
        return self._inside[function]


def _weights(model: Model, metagraph: MetaGraph) -> int:
    """Return the bytes of all variables and constants as they are stored, each once."""
    variables: list[Tensor] = []
    if model.checkpoint is not None:
        named = [one for one in named_variables(model.checkpoint) if one.kind == "variable"]
        variables = [one.variable.tensor for one in first_entries(named)]
    held = [tensor for graph in metagraph.graphs for _, tensor in constants(graph, at_least=0)]
    return sum(stored_bytes(tensor) for tensor in {tensor.storage: tensor for tensor in (*variables, *held)}.values())
