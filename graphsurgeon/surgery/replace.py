"""Replace constructs by others: `PATTERN => REPLACEMENT`, rules of a file, or rules that are shipped.

The new root has the name of the old one, so that signatures, collections and whoever fetches it find it; other new
nodes are named in its scope after their ops. Nodes of the pattern that nothing reads any more go, with what only they
needed; one that something else reads stays, and is said. In branches and loops of TensorFlow 1 new constants wait for
what the replaced node read, which keeps them there.

Refused with the place: a value whose dtype or shape would change, a write that would vanish, a cycle, a constant that
is not known. Places that are there at the start are checked before the first change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from graphsurgeon.analysis.names import choose_graphs, choose_metagraph
from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.patterns.builders import as_rule
from graphsurgeon.patterns.op_names import check_build, check_names
from graphsurgeon.patterns.subject import Subject
from graphsurgeon.patterns.syntax import Rule
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.replacing.ground import Ground
from graphsurgeon.surgery.replacing.recursion import contains_itself
from graphsurgeon.surgery.replacing.rounds import Done, Limits, Rounds, RoundsOutcome
from graphsurgeon.surgery.stripping.attrs import clear_stale_colocation


@dataclass(frozen=True)
class Replaced:
    """One replacement.

    Attributes:
        rule: its name; of a rule from the command line its text.
        root: the node that became another.
        graph: name of the function or subgraph, empty for the main graph.
        added: number of new nodes, the root counted.
        removed: number of nodes that went.
    """

    rule: str
    root: str
    graph: str
    added: int
    removed: int


@dataclass(frozen=True)
class Kept:
    """A node of a pattern that stays, since something else needs it."""

    node: str
    graph: str
    reader: str


@dataclass(frozen=True)
class LeftPlace:
    """A place that a rule matches and cannot replace, left as it is.

    Attributes:
        rule: its name.
        node: the root of the match.
        graph: name of the function or subgraph, empty for the main graph.
        why: what stands against it.
    """

    rule: str
    node: str
    graph: str
    why: str


@dataclass(frozen=True)
class ReplaceReport:
    """What was replaced.

    Attributes:
        rules: rule -> number of replacements.
        replaced: each replacement, in order.
        kept: nodes of patterns that stay, with what reads them.
        nodes_before, nodes_after: number of nodes of the graphs that were looked at.
        notes: what else there is to know, one line each.
        refused: places that were left, with `skip_refused`.
    """

    rules: dict[str, int]
    replaced: tuple[Replaced, ...]
    kept: tuple[Kept, ...] = ()
    nodes_before: int = 0
    nodes_after: int = 0
    notes: tuple[str, ...] = ()
    refused: tuple[LeftPlace, ...] = ()


@arguments.takes(rules=arguments.several, tags=arguments.names)
def replace(
    model: Model,
    rules: Sequence[str | Rule],
    *,
    once: bool = False,
    limit: int | None = None,
    graph: str | None = None,
    scope: str | None = None,
    skip_refused: bool = False,
    tags: Sequence[str] | None = None,
) -> ReplaceReport:
    """Replace what matches rules, in their order, until nothing matches any more.

    Args:
        model: changed in place.
        rules: `PATTERN => REPLACEMENT` as text, or rules of `patterns.parse_rules`, `patterns.rule` and the like.
        once: replace what matches at the start of each rule, and no more.
        limit: at most so many replacements.
        graph: only in one function or subgraph: a name, a glob, or `main`; by default in all.
        scope: only where the root lies in this scope.
        skip_refused: leave a place that cannot be replaced, and say it, instead of refusing all.
        tags: the MetaGraph with exactly these tags.

    Raises:
        PatternError: a rule cannot be read, or names what there is not.
        UsageError: a rule would never end, or rules feed each other without end.
        UnsupportedError: a place cannot be replaced; where it was there at the start nothing has changed, else the
            model in memory is changed in part.
    """
    metagraph = choose_metagraph(model, tags)
    if not metagraph.graph.nodes and not metagraph.functions:
        raise UnsupportedError("a model without a graph has nothing to replace")
    is_tflite(model, metagraph, "replace")  # refuses the ops of others
    graphs = choose_graphs(metagraph, graph)
    known = [_usable(as_rule(rule), metagraph, once=once) for rule in rules]
    if not known:
        raise UsageError("no rule to replace by", hint="give 'PATTERN => REPLACEMENT', --rule NAME or --rules FILE")
    if limit is not None and limit < 0:
        raise UsageError(f"a limit of {limit} is none")
    ground = Ground(metagraph)
    before = sum(map(len, graphs))
    outcome = Rounds(known, ground, graphs, Limits(once, limit, scope or "", skip_refused)).run()
    _clear_colocation(outcome.done)
    return _report(metagraph, outcome, before, sum(map(len, graphs)))


def _usable(rule: Rule, metagraph: MetaGraph, *, once: bool) -> Rule:
    """Refuse a rule that does not replace, names what there is not, or would match what it makes.

    Raises:
        PatternError, UsageError: why.
    """
    if not rule.builds:
        raise UsageError(f"rule {rule.name!r} only finds", hint="write 'PATTERN => NEW', or gs find --pattern")
    subject = Subject(metagraph, crosses=False)
    check_names(rule, subject)
    check_build(rule, subject)
    if not once and contains_itself(rule, metagraph):
        raise UsageError(
            f"rule {rule.name!r} would never end: its replacement holds what it looks for",
            hint="--once replaces each place once",
        )
    return rule


def _clear_colocation(done: Sequence[Done]) -> None:
    """Drop wishes to be placed with nodes that are gone: no loader takes them."""
    for graph in dict.fromkeys(one.graph for one in done if one.exchange.removed):
        if graph.kind != "subgraph":
            clear_stale_colocation(graph)


def _report(metagraph: MetaGraph, outcome: RoundsOutcome, before: int, after: int) -> ReplaceReport:
    def place(graph: Graph) -> str:
        return "" if graph is metagraph.graph else graph.name

    done, undecided = outcome.done, outcome.undecided
    replaced = tuple(
        Replaced(one.rule, one.root, place(one.graph), len(one.exchange.added), len(one.exchange.removed))
        for one in done
    )
    kept = {(node, place(one.graph)): reader for one in done for node, reader in one.exchange.kept}
    gone = {(node, place(one.graph)) for one in done for node in one.exchange.removed}
    notes = [] if done or outcome.left else ["nothing matches"]
    if undecided:
        notes.append(f"{plural(len(undecided), 'place')} given up after too many steps, such as {str(undecided[0])!r}")
    return ReplaceReport(
        dict(Counter(one.rule for one in done)),
        replaced,
        tuple(Kept(node, graph, reader) for (node, graph), reader in kept.items() if (node, graph) not in gone),
        before,
        after,
        tuple(notes),
        tuple(LeftPlace(left.rule, left.node.name, place(left.node.graph), left.why) for left in outcome.left),
    )
