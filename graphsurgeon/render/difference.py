"""Two models in one picture: the second, with what it adds and changes marked, and what it lacks put back.

What was removed stands among its former neighbours, joined to them by edges of kind "removed". Only what would
be drawn of either model is: a model that was stripped of its saving is not drawn with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphsurgeon.analysis.flow.restore_map import restore_map
from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.compare.align_functions import align_metagraphs
from graphsurgeon.compare.alignment import Alignment, label
from graphsurgeon.compare.change import Change
from graphsurgeon.compare.diff import DiffReport
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.render.choose.flow import Removed
from graphsurgeon.render.choose.select import Link
from graphsurgeon.render.drawing import Drawing, draw_picture
from graphsurgeon.render.picture import Picture, View, select_picture
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
    earlier = select_picture(before, view)
    _, alignments = align_metagraphs(earlier.metagraph, choose_metagraph(after, view.tags))
    removed = _removed(earlier, alignments)
    picture = select_picture(after, view, removed, _new_ends(alignments))
    picture.title = f"{earlier.title} → {picture.title}"
    _mark(picture, alignments, report, removed)
    _join(picture, alignments, removed)
    return draw_picture(after, picture, format=format, view=view, seconds=seconds)


def _removed(earlier: Picture, alignments: dict[Graph, Alignment]) -> Removed:
    """Return the nodes that were drawn and have no partner, by the graph that they would stand in."""
    drawn = {earlier.selection.flow.operations[index].node: None for index in earlier.selection.order}
    nodes: dict[Graph, list[Node]] = {}
    for node in drawn:
        alignment = alignments.get(node.graph) if node is not None else None
        if node is not None and alignment is not None and node not in alignment.nodes:
            nodes.setdefault(alignment.after, []).append(node)
    return Removed(nodes, lambda value: alignments[value.graph].image(value) if value.graph in alignments else None)


def _new_ends(alignments: dict[Graph, Alignment]) -> set[Node]:
    """Return the added nodes that nobody reads: new outputs, which are drawn though no signature names them."""
    added = (node for alignment in alignments.values() for node in alignment.left()[1])
    return {node for node in added if node.inputs and not node.consumers}


def _mark(picture: Picture, alignments: dict[Graph, Alignment], report: DiffReport, removed: Removed) -> None:
    added = {node for alignment in alignments.values() for node in alignment.left()[1]}
    changed = _changed(alignments, report) | _changed_variables(picture.metagraph, report)
    gone = {node for nodes in removed.nodes.values() for node in nodes}
    operations = picture.selection.flow.operations
    for index in picture.selection.order:
        node = operations[index].node
        weights = {operations[weight].node for weight in picture.selection.weights.get(index, ())}
        if node in gone:
            picture.marks.setdefault(index, []).append("removed")
        elif node in added:
            picture.marks.setdefault(index, []).append("added")
        elif node in changed or weights & (changed | added):
            picture.marks.setdefault(index, []).append("changed")


def _changed(alignments: dict[Graph, Alignment], report: DiffReport) -> set[Node | None]:
    partners = {
        (alignment.after.name, label(node)): partner
        for alignment in alignments.values()
        for node, partner in alignment.nodes.items()
    }
    changes = (c for c in report.changes if c.part == "node" and c.kind in _IN_PLACE and not _is_record(c))
    return {partners.get((change.graph, change.name)) for change in changes} - {None}


def _is_record(change: Change) -> bool:
    """Say whether only what TensorFlow notes down differs (`_output_shapes`, `_class`), which computes nothing."""
    return change.kind == "changed" and all(detail.field.startswith("_") for detail in change.details)


def _changed_variables(metagraph: MetaGraph, report: DiffReport) -> set[Node | None]:
    keys = {change.new_name or change.name for change in report.changes if change.part == "variable"}
    return (
        {node for node, restored in restore_map(metagraph).variables.items() if restored.key in keys} if keys else set()
    )


def _join(picture: Picture, alignments: dict[Graph, Alignment], removed: Removed) -> None:
    """Add edges from what was removed to what read it and is still there."""
    operations = picture.selection.flow.operations
    by_node: dict[Node, list[int]] = {}
    for index in picture.selection.order:
        node = operations[index].node
        if node is not None:
            by_node.setdefault(node, []).append(index)
    for node in (node for nodes in removed.nodes.values() for node in nodes):
        for reader in _readers(node):
            partner = alignments[node.graph].nodes.get(reader)
            for target in by_node.get(partner, ()) if partner is not None else ():
                value = node.outputs[0] if node.outputs else None
                picture.selection.links += [
                    Link(source, target, value, value, "removed") for source in by_node.get(node, ())
                ]


def _readers(node: Node) -> Iterable[Node]:
    return dict.fromkeys(reader for value in node.outputs for reader in value.consumers)
