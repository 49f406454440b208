"""What replacing has to know of the graphs it works on: what is named elsewhere, what acts, what runs when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.analysis.flow.frames import ControlFlow, control_flow
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import PLACEHOLDERS
from graphsurgeon.patterns.subject import Subject
from graphsurgeon.patterns.vocabulary import vocabulary_of


class Ground:
    """The graphs of a MetaGraph while parts of them are replaced.

    Attributes:
        subject: what patterns are held against.
        protected: nodes that something beside the edges names.
        effects: says which nodes act.
    """

    def __init__(self, metagraph: MetaGraph) -> None:
        metagraph.resolve_mentions()
        self.metagraph = metagraph
        self.subject = Subject(metagraph, crosses=False)
        self.protected = {node for mention in metagraph.mentions() if (node := mention.node) is not None}
        self.named = {value for mention in metagraph.mentions() if isinstance(value := mention.target, Value)}
        self.effects = Effects()
        self._flows: dict[Graph, ControlFlow] = {}
        self._counts: dict[tuple[Graph, str], int] = {}

    def flow(self, graph: Graph) -> ControlFlow:
        """Return loops and branches of a graph."""
        if graph not in self._flows:
            self._flows[graph] = control_flow(graph)
        return self._flows[graph]

    def place(self, node: Node) -> tuple[Node | None, bool]:
        """Return the loop that a node lies in, and whether it lies in a branch."""
        flow = self.flow(node.graph)
        return flow.frames.get(node), node in flow.branches

    def settle(self, node: Node, like: Node) -> None:
        """Take note that a new node lies where another does."""
        flow = self.flow(node.graph)
        for places in (flow.frames, flow.branches):
            if like in places:
                places[node] = places[like]

    def acts(self, node: Node) -> bool:
        """Say whether a node surely does something beside yielding values; an op that nobody knows may go."""
        is_known = node.callee is not None or vocabulary_of(node.graph).definition(node.op) is not None
        return is_known and self.effects.of_node(node)

    def is_kept(self, node: Node) -> bool:
        """Say whether a node stays even if nobody reads it."""
        words = vocabulary_of(node.graph)
        return (
            node in self.protected
            or node.op in PLACEHOLDERS
            or node.op in words.variables
            or self.effects.of_node(node)
        )

    def other_outputs(self, node: Node, but: Sequence[Value]) -> str:
        """Return what reads another output of a node; empty if nothing does."""
        for value in node.outputs:
            if any(value is one for one in but):
                continue
            if value.consumers:
                return value.consumers[0].name
            if value in self.named or any(output.value is value for output in node.graph.outputs):
                return f"a mention of {value}"
        return ""

    def new_name(self, graph: Graph, base: str) -> str:
        """Return a name that no node and no argument has; counts on where it ended before."""
        arguments = {value.name for value in graph.inputs}
        number = self._counts.get((graph, base), 0)
        name = f"{base}_{number}" if number else base
        while graph.node(name) is not None or name in arguments:
            number += 1
            name = f"{base}_{number}"
        self._counts[graph, base] = number + 1
        return name


def producers(values: Iterable[Value]) -> list[Node]:
    """Return the nodes that yield some values."""
    return [value.producer for value in values if value.producer is not None]
