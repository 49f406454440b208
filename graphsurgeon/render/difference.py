"""Two models in one picture: the second, with what it adds and changes marked, and what it lacks put back.

What was removed stands among its former neighbours, joined to them by edges of kind "removed". Only what would
be drawn of either model is: a model that was stripped of its saving is not drawn with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphsurgeon.analysis.flow.restore_map import restore_map
from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.compare.align_functions import align_metagraphs
from graphsurgeon.compare.alignment import Alignment, label
from graphsurgeon.compare.diff.change import Change, Detail
from graphsurgeon.compare.diff.diff import DiffReport
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.render.choose.flow import Removed
from graphsurgeon.render.choose.select import Link
from graphsurgeon.render.drawing import Drawing, draw_picture
from graphsurgeon.render.drawn_pairs import is_changed, is_frozen, is_renamed, pair_drawn
from graphsurgeon.render.picture import Earlier, Picture, View, select_picture
from graphsurgeon.render.place.layout import SECONDS

_IN_PLACE = ("changed", "rewired", "renamed")


def draw_difference(
    before: Model,
    after: Model,
    report: DiffReport,
    *,
    format: str = "html",
    view: View | None = None,
    seconds: float = SECONDS,
) -> Drawing:
    """Return a picture of what differs between two models.

    Args:
        before, after: the models.
        report: what `analysis.diff` found of them.
        format: one of `drawing.FORMATS`.
        view: which part, how far opened.
        seconds: time limit of one try to lay out.

    Raises:
        UsageError: a name in the view names nothing.
        UnsupportedError: nothing here lays out graphs, or makes pixels.
    """
    view = view or View()
    earlier, later = select_picture(before, view), select_picture(after, view)
    _, alignments = align_metagraphs(earlier.metagraph, choose_metagraph(after, view.tags))
    pairs = pair_drawn(earlier, later, alignments)
    removed = _removed(earlier, later, alignments, pairs)
    # What is inserted comes behind all other operations, whose indices stay.
    picture = select_picture(after, view, removed, _new_ends(alignments))
    picture.before = earlier.title
    picture.earlier = Earlier(earlier, pairs)
    picture.title = f"{earlier.title} → {picture.title}"
    _Marker(earlier, picture, alignments, report, removed).mark(pairs)
    _join(picture, earlier, alignments, removed, pairs)
    return draw_picture(after, picture, format=format, view=view, seconds=seconds)


def _removed(earlier: Picture, later: Picture, alignments: dict[Graph, Alignment], pairs: Mapping[int, int]) -> Removed:
    """Return the nodes that were drawn and have no partner, by the graph that they would stand in."""
    operations, others = earlier.selection.flow.operations, later.selection.flow.operations
    paired = {operations[old].node: others[new].node for new, old in pairs.items()}
    olds = set(pairs.values())
    # Of an input with a place in several signatures one has its partner.
    inputs = [end.sources for end in earlier.ends.inputs if not olds.isdisjoint(end.sources)]
    kept = {source for sources in inputs for source in sources}
    drawn = {operations[index].node: None for index in earlier.selection.order if index not in kept}
    nodes: dict[Graph, list[Node]] = {}
    for node in drawn:
        if node is None or node in paired:
            continue
        alignment = alignments.get(node.graph)
        if alignment is None:  # of a function that is inlined, or gone
            nodes.setdefault(later.metagraph.graph, []).append(node)
        elif node not in alignment.nodes:
            nodes.setdefault(alignment.after, []).append(node)

    def image(value: Value) -> Value | None:
        partner = paired.get(value.producer) if value.producer is not None else None
        if partner is not None and isinstance(value.port, int) and value.port < len(partner.outputs):
            return partner.outputs[value.port]
        return alignments[value.graph].image(value) if value.graph in alignments else None

    return Removed(nodes, image)


def _new_ends(alignments: dict[Graph, Alignment]) -> set[Node]:
    """Return the added nodes that nobody reads: new outputs, which are drawn though no signature names them.

    Where most of a graph is new, it is another one rather than one with more outputs.
    """
    found: set[Node] = set()
    for alignment in alignments.values():
        added = alignment.left()[1]
        if 2 * len(added) <= len(alignment.after):
            found |= {node for node in added if node.inputs and not node.consumers}
    return found


class _Marker:
    """Says of every drawn operation what became of it: added, removed, changed, frozen or renamed."""

    def __init__(
        self,
        earlier: Picture,
        picture: Picture,
        alignments: dict[Graph, Alignment],
        report: DiffReport,
        removed: Removed,
    ) -> None:
        self.earlier = earlier
        self.picture = picture
        self.details = _details(alignments, report)
        self.added = {node for alignment in alignments.values() for node in alignment.left()[1]}
        self.changed = self.details.keys() | _changed_variables(picture.metagraph, report)
        self.gone = {node for nodes in removed.nodes.values() for node in nodes}
        self.partners = {
            partner: node for alignment in alignments.values() for node, partner in alignment.nodes.items()
        }

    def mark(self, pairs: Mapping[int, int]) -> None:
        """Enter the marks into the picture."""
        for index in self.picture.selection.order:
            old = pairs.get(index)
            found = self._mark_of(index, old)
            if found:
                self.picture.marks.setdefault(index, []).append(found)
            if found in _IN_PLACE and old is not None:
                self._tell_former(index, self.earlier.selection.flow.operations[old].name)

    def _tell_former(self, index: int, name: str) -> None:
        """Note what a node that is in both models was in the first."""
        operation = self.picture.selection.flow.operations[index]
        named = [("name", name, operation.name)] if name != operation.name else []
        differ = [(d.field, d.before or "none", d.after or "none") for d in self.details.get(operation.node, ())]
        if named or differ:
            self.picture.former[index] = [*named, *differ]

    def _mark_of(self, index: int, old: int | None) -> str:
        operation = self.picture.selection.flow.operations[index]
        node = operation.node
        if node is None:
            return ""
        if node in self.gone:
            return "removed"
        if old is None:
            return "added" if node not in self.partners else ""
        before = self.earlier.selection.flow.operations[old]
        is_same_graph = self.partners.get(node) is before.node
        is_different = node in self.changed if is_same_graph else is_changed(before, operation)
        is_renamed_only = is_same_graph and before.node is not None and before.node.name != node.name
        if is_frozen(self.earlier, self.picture, old, index):
            return "changed" if is_different and not is_renamed_only and not is_same_graph else "frozen"
        if is_different and not is_renamed_only:
            return "changed"
        if is_same_graph and self._weights(index) & (self.changed | self.added):
            return "changed"
        return "renamed" if is_renamed(before, operation) else ""

    def _weights(self, index: int) -> set[Node | None]:
        operations = self.picture.selection.flow.operations
        return {operations[weight].node for weight in self.picture.selection.weights.get(index, ())}


def _details(alignments: dict[Graph, Alignment], report: DiffReport) -> dict[Node | None, list[Detail]]:
    """Return the nodes of the second model that differ in place, each with what differs."""
    partners = {
        (alignment.after.name, label(node)): partner
        for alignment in alignments.values()
        for node, partner in alignment.nodes.items()
    }
    changes = (c for c in report.changes if c.part == "node" and c.kind in _IN_PLACE and not _is_record(c))
    found = {partners.get((change.graph, change.name)): change.details for change in changes}
    found.pop(None, None)
    return found


def _is_record(change: Change) -> bool:
    """Say whether only what TensorFlow notes down differs (`_output_shapes`, `_class`), which computes nothing."""
    return change.kind == "changed" and all(detail.field.startswith("_") for detail in change.details)


def _changed_variables(metagraph: MetaGraph, report: DiffReport) -> set[Node | None]:
    keys = {change.new_name or change.name for change in report.changes if change.part == "variable"}
    return (
        {node for node, restored in restore_map(metagraph).variables.items() if restored.key in keys} if keys else set()
    )


def _join(
    picture: Picture,
    earlier: Picture,
    alignments: dict[Graph, Alignment],
    removed: Removed,
    pairs: Mapping[int, int],
) -> None:
    """Add edges from what was removed to what read it and is still there."""
    operations = picture.selection.flow.operations
    by_node: dict[Node, list[int]] = {}
    for index in picture.selection.order:
        node = operations[index].node
        if node is not None:
            by_node.setdefault(node, []).append(index)
    for old, new in {old: new for new, old in pairs.items()}.items():
        node = earlier.selection.flow.operations[old].node
        if node is not None and node.graph not in alignments:
            by_node.setdefault(node, []).append(new)
    for node in (node for nodes in removed.nodes.values() for node in nodes):
        for reader in _readers(node):
            partner = alignments[node.graph].nodes.get(reader) if node.graph in alignments else reader
            for target in by_node.get(partner, ()) if partner is not None else ():
                value = node.outputs[0] if node.outputs else None
                picture.selection.links += [
                    Link(source, target, value, value, "removed")
                    for source in by_node.get(node, ())
                    if source != target and target not in by_node.get(node, ())
                ]


def _readers(node: Node) -> Iterable[Node]:
    return dict.fromkeys(reader for value in node.outputs for reader in value.consumers)
