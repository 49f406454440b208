"""Find the matches of a rule: patterns become closures, tried at the nodes that can be their roots.

Roots are tried in topological order, a node belongs to one match at most. Candidates come from the rarest op that a
pattern has to have, by going up from there. Within a root everything is tried: both orders of commutative ops, all
alternatives. What failed for a value once is not tried again where no name is bound yet, which keeps ladders of
commutative ops linear; beside that every root has a bound of steps, and one that reaches it is counted as undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.patterns.compiler import Compiled, Env, Overrun, compile_rule
from graphsurgeon.patterns.expressions import holds
from graphsurgeon.patterns.scope import MatchScope
from graphsurgeon.patterns.subject import Bound, Subject
from graphsurgeon.patterns.syntax import Rule
from graphsurgeon.shapes.propagate import order_of


@dataclass(frozen=True)
class Match:
    """One place where a rule matches.

    Attributes:
        rule: the rule.
        roots: the value that each root pattern stands for.
        names: name -> what it is bound to: a `Bound`, or a list of them.
        nodes: the nodes of the patterns, roots last.
        between: nodes on the way that only hand a value on.
    """

    rule: Rule
    roots: tuple[Value, ...]
    names: dict[str, Bound | list[Bound]]
    nodes: tuple[Node, ...]
    between: tuple[Node, ...]

    @property
    def root(self) -> Node:
        """The node of the first root."""
        node = self.roots[0].producer
        assert node is not None
        return node

    @property
    def graph(self) -> Graph:
        """The graph of the first root."""
        return self.roots[0].graph

    def inside(self) -> set[Node]:
        """Return all nodes of the match, those that only hand values on included."""
        return {*self.nodes, *self.between}


@dataclass
class Found:
    """What a search found.

    Attributes:
        matches: in order, without overlaps.
        undecided: roots at which the bound of steps was reached.
    """

    matches: list[Match] = field(default_factory=list)
    undecided: list[Node] = field(default_factory=list)


class Matcher:
    """A rule held against a subject.

    Raises:
        PatternError: the rule names an op that there is not.
    """

    def __init__(self, rule: Rule, subject: Subject, graphs: Sequence[Graph] | None = None) -> None:
        self.rule = rule
        self.subject = subject
        self.graphs = list(graphs) if graphs is not None else subject.metagraph.graphs
        self.compiled: Compiled = compile_rule(rule, subject)

    def find(self) -> Found:
        """Return all matches."""
        found = Found()
        for graph, nodes in self.compiled.roots_by_graph(self.graphs).items():
            taken: set[Node] = set()
            for node in in_order(graph, nodes):
                match = self.at(node, found, taken) if node not in taken else None
                if match is not None:
                    found.matches.append(match)
                    taken |= own_nodes(match, self.subject)
        return found

    def at(self, node: Node, found: Found, taken: Iterable[Node] = ()) -> Match | None:
        """Return the first match whose root is a node, and that has none of some nodes; None if there is none."""
        compiled = self.compiled
        compiled.begin()
        call = self.subject.around(node.graph)
        gone = taken if isinstance(taken, set | frozenset) else set(taken)
        try:
            for env in compiled.search(node, call):
                match = self._match(env, node)
                if gone.isdisjoint(match.nodes) and self._holds(match, env):
                    return match
        except Overrun:
            found.undecided.append(node)
        return None

    def _match(self, env: Env, node: Node) -> Match:
        nodes = tuple(dict.fromkeys(env.nodes))
        return Match(self.rule, env.roots, env.names, nodes, tuple(dict.fromkeys(env.between)))

    def _holds(self, match: Match, env: Env) -> bool:
        inside = match.inside() if env.once else set()
        if any(self.subject.outside_reader(value, inside) for value in env.once):
            return False
        if not self.rule.conditions and not self.rule.predicates:
            return True
        scope = MatchScope(match.names, self.rule.lets, self.subject)
        return all(holds(one, scope) for one in self.rule.conditions) and all(
            test(match) for test in self.rule.predicates
        )


def own_nodes(match: Match, subject: Subject) -> set[Node]:
    """Return the roots, and the nodes of a match that nothing outside it reads."""
    inside = match.inside()
    roots = {value.producer for value in match.roots}
    return {
        node
        for node in match.nodes
        if node in roots or not any(subject.outside_reader(value, inside) for value in node.outputs)
    }


def in_order(graph: Graph, nodes: list[Node]) -> list[Node]:
    """Return nodes of a graph so that each is behind what it reads; file order breaks ties."""
    if len(nodes) < 2:
        return nodes
    order = order_of(graph.nodes)
    return sorted(nodes, key=lambda node: order[node])
