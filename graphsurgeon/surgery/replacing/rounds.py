"""Rules applied one after the other, again and again, until nothing matches any more.

A rule goes through the graph in topological order; each match is bound, checked and exchanged before the next is
looked for, so that no match holds values that an earlier exchange took away. After that only what has changed is
looked at: new nodes, and what reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.patterns import routes
from graphsurgeon.patterns.lexer import PatternError
from graphsurgeon.patterns.match import Found, Match, Matcher, in_order, own_nodes
from graphsurgeon.patterns.syntax import Rule
from graphsurgeon.surgery.replacing.checks import check
from graphsurgeon.surgery.replacing.draft import Substitute, plan
from graphsurgeon.surgery.replacing.exchange import Exchange, exchange
from graphsurgeon.surgery.replacing.ground import Ground

MOST_GENERATIONS = 100  # of nodes made of nodes that rules made
_SPARE = 10_000  # replacements that any graph may have, beside those for each of its nodes
_FOR_A_NODE = 4


@dataclass(frozen=True)
class Limits:
    """How far rules go.

    Attributes:
        once: each rule replaces what matches at its start, and no more.
        limit: at most so many replacements.
        scope: only roots in this scope.
        skips: leave places that cannot be replaced, instead of refusing them.
    """

    once: bool = False
    limit: int | None = None
    scope: str = ""
    skips: bool = False


@dataclass
class Done:
    """One replacement, with the rule."""

    rule: str
    graph: Graph
    root: str
    exchange: Exchange


@dataclass(frozen=True)
class Left:
    """A place that a rule matches and cannot replace.

    Attributes:
        rule: its name.
        node: the root.
        why: the refusal, in a line.
    """

    rule: str
    node: Node
    why: str


@dataclass
class RoundsOutcome:
    """What the rounds did."""

    done: list[Done] = field(default_factory=list)
    undecided: list[Node] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


class Rounds:
    """The rules at work on some graphs."""

    def __init__(self, rules: Sequence[Rule], ground: Ground, graphs: Sequence[Graph], limits: Limits) -> None:
        self.ground = ground
        self.graphs = list(graphs)
        self.limits = limits
        self.matchers = [Matcher(rule, ground.subject, graphs) for rule in rules]
        self.outcome = RoundsOutcome()
        self._touched: list[Node] = []
        self._seen = [0] * len(rules)
        self._generation: dict[Node, int] = {}
        self._maker: dict[Node, str] = {}
        self._left: dict[tuple[str, Node], Left] = {}
        self._gone: set[Value] = set()  # roots that nobody reads any more, of nodes that stay for other outputs
        self._budget = _SPARE + _FOR_A_NODE * sum(map(len, self.graphs))

    def run(self) -> RoundsOutcome:
        """Apply the rules, until nothing matches or a limit is reached.

        Raises:
            UnsupportedError: a place cannot be replaced.
            UsageError: the rules feed each other without end.
        """
        starts = [self._starts(matcher) for matcher in self.matchers]
        self._preflight(starts)
        for number, nodes in enumerate(starts):
            if number and self._touched:  # rules before have changed what there was at the start
                nodes = [*nodes, *self._above(number)]
            self._seen[number] = len(self._touched)
            self._apply(number, nodes)
            self._settle(number)
        while not self.limits.once and any(seen < len(self._touched) for seen in self._seen):
            for number in range(len(self.matchers)):
                self._settle(number)
        self.outcome.left = [left for left in self._left.values() if left.node in left.node.graph]
        return self.outcome

    def _settle(self, number: int) -> None:
        """Apply a rule to what has changed since it was applied last, until that is nothing."""
        while not self.limits.once and self._seen[number] < len(self._touched) and not self._is_full():
            nodes = self._above(number)
            self._seen[number] = len(self._touched)
            self._apply(number, nodes)
        if self._is_full():
            self._seen[number] = len(self._touched)

    def _starts(self, matcher: Matcher) -> list[Node]:
        found = matcher.compiled.roots_by_graph(self.graphs)
        return [node for graph, nodes in found.items() for node in in_order(graph, nodes) if self._is_meant(node)]

    def _is_meant(self, node: Node) -> bool:
        scope = self.limits.scope.rstrip("/")
        return not scope or node.name == scope or node.name.startswith(f"{scope}/")

    def _preflight(self, starts: Sequence[list[Node]]) -> None:
        """Refuse before anything changes what cannot be replaced; keep in `starts` the roots that match.

        A place that an earlier rule changes first is judged when its turn comes.
        """
        taken: set[Node] = set()
        count = 0
        refused: list[UnsupportedError | PatternError] = []
        for matcher, nodes in zip(self.matchers, starts, strict=True):
            kept = []
            own: set[Node] = set()
            for place, node in enumerate(nodes):
                if self._is_over(count):  # what lies behind the limit is not replaced, so it is not judged
                    kept += nodes[place:]
                    break
                match = matcher.at(node, Found())
                if match is None or not own.isdisjoint(match.nodes):
                    if match is not None:
                        kept.append(node)
                    continue
                kept.append(node)
                if taken.isdisjoint(match.inside()):
                    try:
                        count += self._planned(match) is not None
                    except (UnsupportedError, PatternError) as error:
                        refused.append(error)
                own |= own_nodes(match, self.ground.subject)
            taken |= own
            nodes[:] = kept
        if refused:
            raise _with_way_out(refused[0], len(refused), count)

    def _planned(self, match: Match) -> Substitute | None:
        """Return what takes the place of a match, checked; None where that is not possible and is left."""
        try:
            planned = plan(match, self.ground.subject)
            check(planned, self.ground)
        except (UnsupportedError, PatternError) as error:
            if not self.limits.skips:
                raise
            self._left[match.rule.name, match.root] = Left(match.rule.name, match.root, _reason(error))
            return None
        self._left.pop((match.rule.name, match.root), None)
        return planned

    def _is_over(self, count: int) -> bool:
        return self.limits.limit is not None and count >= self.limits.limit

    def _is_full(self) -> bool:
        return self._is_over(len(self.outcome.done))

    def _above(self, number: int) -> list[Node]:
        """Return the roots of matches that may have come up, in order."""
        fresh = [node for node in self._touched[self._seen[number] :] if node in node.graph]
        readers = [
            reader for node in fresh for value in node.outputs for reader in routes.readers(self.ground.subject, value)
        ]
        found = self.matchers[number].compiled.roots_above(list(dict.fromkeys([*fresh, *readers])))
        by_graph: dict[Graph, list[Node]] = {}
        for node in found:
            if node.graph in self.graphs and self._is_meant(node):
                by_graph.setdefault(node.graph, []).append(node)
        return [node for graph in self.graphs if graph in by_graph for node in in_order(graph, by_graph[graph])]

    def _apply(self, number: int, nodes: Sequence[Node]) -> None:
        matcher = self.matchers[number]
        start = len(self._touched)
        found = Found()
        for node in dict.fromkeys(nodes):
            if self._is_full():
                break
            if node not in node.graph:
                continue
            match = matcher.at(node, found, self._touched[start:] if self.limits.once else ())
            if match is not None and self._gone.isdisjoint(match.roots):
                self._exchange(match)
        self.outcome.undecided += found.undecided

    def _exchange(self, match: Match) -> None:
        generation = 1 + max(self._generation.get(node, 0) for node in match.nodes)
        if generation > MOST_GENERATIONS or len(self.outcome.done) >= self._budget:
            raise self._endless(match)
        try:
            planned = self._planned(match)
        except (UnsupportedError, PatternError) as error:
            raise _with_way_out(error, 1, len(self.outcome.done)) from None
        if planned is None:
            return
        root = match.root.name or str(match.roots[0])
        done = exchange(planned, self.ground)
        self._gone.update(value for value in match.roots if value.producer not in done.added)
        for node in done.added:
            self._generation[node] = generation
            self._maker[node] = match.rule.name
        self._touched += done.added
        if not done.added:
            self._touched += [user for slot in planned.results if isinstance(slot, Value) for user in slot.consumers]
        for matcher in self.matchers:
            matcher.compiled.forget()
        self.outcome.done.append(Done(match.rule.name, match.graph, root, done))

    def _endless(self, match: Match) -> UsageError:
        names = {match.rule.name, *(self._maker[node] for node in match.nodes if node in self._maker)}
        recent = {done.rule for done in self.outcome.done[-4:]}
        rules = " and ".join(f"{name!r}" for name in sorted(names | recent))
        noun = "rules" if len(names | recent) > 1 else "rule"
        return UsageError(
            f"{noun} {rules} go on without end at {match.root.name!r}: {plural(len(self.outcome.done), 'replacement')}",
            hint="--once replaces each place once",
        )


def _with_way_out(
    error: UnsupportedError | PatternError, refused: int, possible: int
) -> UnsupportedError | PatternError:
    """Say beside the first refusal how the places that can be replaced are, where there are some."""
    if possible:
        places = "this place" if refused == 1 else f"{refused:,} such places"
        way = f"--skip-refused leaves {places} and replaces the other {possible:,}"
        error.hint = f"{error.hint}, or {way}" if error.hint else way
    return error


def _reason(error: UnsupportedError | PatternError) -> str:
    """Return what follows the place and the rule in a refusal: a list of them names both itself."""
    return (error.message.partition("cannot be used: ")[2] or error.message) + (f"; {error.hint}" if error.hint else "")
