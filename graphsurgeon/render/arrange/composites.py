"""Constructs of several operations that people have a name for, as one part: Swish, GELU, LayerNorm, attention.

They are found by patterns (`patterns/rules/finding/composites.rules`). A construct is put into one part only where
nothing outside reads what is inside it, so that drawing it as one box hides no edge and makes no cycle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from graphsurgeon.analysis.matches import search
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import reached
from graphsurgeon.patterns.rules import finding_rules
from graphsurgeon.patterns.subject import Subject
from graphsurgeon.render.arrange.blocks import block_name, gather
from graphsurgeon.render.arrange.levels import Part, settle
from graphsurgeon.render.choose.select import Selection
from graphsurgeon.shapes.report import ShapeReport

# rule -> the name that boxes show, and the family that gives the colour
_NAMES = {
    "attention": ("Attention", "dense"), "attention-turned": ("Attention", "dense"),
    "layer-norm": ("LayerNorm", "normalization"), "gelu-erf": ("GELU", "activation"),
    "gelu-erfc": ("GELU", "activation"), "gelu-tanh": ("GELU", "activation"),
    "hard-swish": ("HardSwish", "activation"), "hard-sigmoid": ("HardSigmoid", "activation"),
    "swish": ("Swish", "activation"), "softmax": ("Softmax", "activation"),
}  # fmt: skip
_MOST_SEARCHED = 20_000  # nodes; in larger graphs the search would take longer than the picture


def gather_composites(root: Part, selection: Selection, metagraph: MetaGraph, report: ShapeReport) -> None:
    """Put the operations of known constructs into parts with a title, in place.

    Args:
        root: of the scopes.
        selection: what they hold.
        metagraph: whose graphs are searched.
        report: what is known of their shapes.
    """
    operations = selection.flow.operations
    by_node: dict[Node, list[int]] = {}
    for index in selection.order:
        node = operations[index].node
        if node is not None:
            by_node.setdefault(node, []).append(index)
    graphs = list(dict.fromkeys(node.graph for node in by_node))
    if metagraph.vocabulary != TENSORFLOW or sum(map(len, graphs)) > _MOST_SEARCHED:
        return
    gatherer = _Gatherer(root, selection)
    for name, nodes, last in _matches(metagraph, report, graphs):
        inside = {index for node in nodes for index in by_node.get(node, ())}
        for index in by_node.get(last, ()):
            gatherer.gather(name, index, inside)
    settle(root)


def _matches(
    metagraph: MetaGraph, report: ShapeReport, graphs: list[Graph]
) -> Iterator[tuple[str, Collection[Node], Node]]:
    """Yield name, nodes and last node of each construct; of two that share a node the first counts."""
    subject = Subject(metagraph, shapes=report, crosses=False)
    taken: set[Node] = set()
    for rule in finding_rules("composites"):
        for match in search(subject, rule, graphs).matches:
            last = match.roots[0].producer
            if last is not None and taken.isdisjoint(match.nodes):
                taken.update(match.nodes)
                yield rule.name, match.nodes, last


class _Gatherer:
    def __init__(self, root: Part, selection: Selection) -> None:
        self.root = root
        self.leaves = {part.operation: part for part in root.parts() if part.is_operation}
        self.reads: dict[int, list[int]] = {}
        self.readers: dict[int, list[int]] = {}
        for link in selection.links:
            self.reads.setdefault(link.target, []).append(link.source)
            self.readers.setdefault(link.source, []).append(link.target)

    def gather(self, name: str, last: int, inside: Collection[int]) -> None:
        """Put one copy of a construct into a part: the operations that its last one is computed by."""
        members = set(reached([last], lambda index: (one for one in self.reads.get(index, ()) if one in inside)))
        is_read = (index for index in members if index != last and not members.issuperset(self.readers.get(index, ())))
        if len(members) < 2 or next(is_read, None) is not None:
            return
        parts = [self.leaves[index] for index in members if index in self.leaves]
        scope = _common_scope(parts)
        children = [child for child in scope.children if not members.isdisjoint(child.operations())]
        if any(not members.issuperset(child.operations()) for child in children):
            return
        if len(children) == len(scope.children) and scope is not self.root:
            found = scope
            found.kind = "layer"
        else:
            found = gather(scope, children, "layer", block_name(children))
            place = scope.children.index(children[-1])
            scope.children[place] = found
            scope.children = [child for child in scope.children if child not in children]
        found.title, found.family = _NAMES[name]


def _common_scope(parts: list[Part]) -> Part:
    """Return the innermost scope that holds some parts."""
    around = [list(_scopes_around(part)) for part in parts]
    shared = set(around[0]).intersection(*around[1:])
    return next(scope for scope in around[0] if scope in shared)


def _scopes_around(part: Part) -> Iterator[Part]:
    scope = part.parent
    while scope is not None:
        yield scope
        scope = scope.parent
