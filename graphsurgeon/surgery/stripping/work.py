"""One strip of one MetaGraph: what it is about, and what has gone so far."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.ops.kinds import PLACEHOLDERS
from graphsurgeon.surgery.stripping.needed import needed_nodes, protected_mentions, variable_items
from graphsurgeon.surgery.stripping.saver_v1 import SaverPart
from graphsurgeon.surgery.stripping.training import TrainingObjects

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


class StripWork:
    """What the kinds of `kinds.KINDS` work on.

    Attributes:
        model, metagraph: what is stripped.
        outputs: values that stay beside what is mentioned.
        kinds: names of the kinds that are taken out.
        removed: what went, in the order in which it did.
        notes: what else the user should know.
        protected: nodes that stay where they are.
        training: optimizers and metrics among the objects of the model.
    """

    def __init__(self, model: Model, metagraph: MetaGraph, outputs: list[Value], kinds: frozenset[str]) -> None:
        self.model = model
        self.metagraph = metagraph
        self.outputs = outputs
        self.kinds = kinds
        self.removed: list[Stripped] = []
        self.notes: list[str] = []
        self.training = TrainingObjects(model, metagraph, kinds)
        saver = metagraph.saver.mentions if metagraph.saver is not None else []
        mentioned = [mention.node for mention in (*protected_mentions(metagraph), *saver)]
        mentioned += [mention.node for item in variable_items(metagraph) for mention in item.mentions.values()]
        self.protected = {node for node in [*mentioned, *(value.producer for value in outputs)] if node is not None}

        # Nobody reads them, but somebody may feed them, such as what once was the rate of a dropout.
        self._idle = [node for node in metagraph.graph.nodes if node.op in PLACEHOLDERS and not node.consumers]
        self.protected.update(self._idle)
        self._ops = {graph: frozenset(graph.op_counts) for graph in metagraph.graphs}  # at first, which is the most

    def note(self, kind: str, node: Node, why: str, op: str = "") -> None:
        """Write down that a node went, or the attribute of one that `op` names."""
        place = "" if node.graph is self.metagraph.graph else node.graph.name
        self.removed.append(Stripped(kind, node.name, op or node.op, place, why))

    def lead_round(self, kind: str, ops: Collection[str] | None, bypass: _Bypass, why: str) -> None:
        """Let data through nodes of every graph that has some ops; None for all graphs."""
        for graph in self.graphs_with(ops) if ops is not None else self.metagraph.graphs:
            for node, op in bypass(graph, self.protected):
                self.note(kind, node, why, op)

    def graphs_with(self, ops: Collection[str]) -> list[Graph]:
        """Return the graphs that had any of some ops at first."""
        return [graph for graph in self.metagraph.graphs if not self._ops[graph].isdisjoint(ops)]

    def needed(self, saver: SaverPart) -> set[Node]:
        """Return the nodes of the main graph that stay if everything goes that may."""
        return needed_nodes(self.metagraph, [*self.outputs, *(node.output(0) for node in self._idle)], saver)
