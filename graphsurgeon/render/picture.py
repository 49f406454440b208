"""From a model to a scene: chooses what is drawn, how far it is opened, and says what was done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import NamedTuple

from graphsurgeon.analysis.costs.run_shapes import RunShapes
from graphsurgeon.analysis.costs.work import macs
from graphsurgeon.analysis.names import choose_graphs, choose_metagraph, find_signature, near_or_all
from graphsurgeon.errors import UsageError, plural
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.ops.kinds import MODULE_CALLS
from graphsurgeon.render.arrange.blocks import find_levels, limit_width
from graphsurgeon.render.arrange.compose import Composer
from graphsurgeon.render.arrange.composites import gather_composites
from graphsurgeon.render.arrange.depth import FEWEST_BOXES, MOST_BOXES, Opening, open_by_size, open_to_depth, visible
from graphsurgeon.render.arrange.entries import MOST_INPUTS, gather_entries
from graphsurgeon.render.arrange.levels import Part, build_levels
from graphsurgeon.render.arrange.recurrent import gather_recurrent
from graphsurgeon.render.arrange.repeats import complete_classes, fold_repeats
from graphsurgeon.render.arrange.titles import operations_titled, titles
from graphsurgeon.render.choose import zoom
from graphsurgeon.render.choose.ends import Ends, function_ends, graph_ends, public_signatures, signature_ends
from graphsurgeon.render.choose.flow import Flow, Removed, open_flow
from graphsurgeon.render.choose.select import Selection, behind, select, select_all
from graphsurgeon.render.place.paper import most_ends
from graphsurgeon.render.scene import boxes, color
from graphsurgeon.render.scene.describe import Describer
from graphsurgeon.render.scene.hidden import unread_note
from graphsurgeon.render.scene.scene import NodeName, Scene
from graphsurgeon.shapes import ShapeReport, infer_shapes

FEW_BOXES = 5  # fewer, and constants are drawn too
SMALL_PICTURE = 40  # operations of a picture that needs no levels
WIDEST_SCOPE = 60  # parts of one scope that can still be looked at


@dataclass(frozen=True)
class View:
    """What to draw of a model.

    Attributes:
        depth: how many levels are open, 1 is the coarsest picture; None chooses.
        everything: draw every node, nothing folded, unless a depth says otherwise.
        tags: of the MetaGraph; None chooses.
        graph: a function or subgraph instead of what signatures compute; `main` for the main graph.
        signature: one signature only.
        scope: only this scope.
        focus: only what is near this node.
        radius: how near, in edges.
        start, end: only what lies between these nodes.
        highlight: nodes, scopes, or globs to mark; of two nodes `A->B` also the paths between.
        colors: node name -> "added", "removed", "changed".
        most: boxes of a picture that is drawn without a depth.
        direction: "down" or "right"; None chooses.
        paper: what the picture is to fit on, with text that can be read there (`place.paper.PAPERS`).
        color_by: "params", "dtype", "macs", or node -> a number or word; None colours families of ops.
    """

    depth: int | None = None
    everything: bool = False
    tags: Sequence[str] | None = None
    graph: str | None = None
    signature: str | None = None
    scope: str | None = None
    focus: str | None = None
    radius: int = 3
    start: str | None = None
    end: str | None = None
    highlight: Sequence[str] = ()
    colors: Mapping[str, str] = field(default_factory=dict)
    most: int = MOST_BOXES
    direction: str | None = None
    paper: str | None = None
    color_by: str | Mapping[str, float | str] | None = None


@dataclass(slots=True)
class Picture:
    """What is drawn, before it is collapsed: the selection with its ends, shapes and marks.

    Attributes:
        outside: operations that stand outside the scope that was asked for.
        notes: what was done that nobody asked for.
        made_by: format and maker of a whole model; empty for a part of one.
        before: the title of the model that this one is compared with, if it is.
        earlier: that model as it would be drawn.
        former: of operations that differ from it what differs: what it is, what it was, what it is now.
    """

    title: str
    metagraph: MetaGraph
    selection: Selection
    ends: Ends
    report: ShapeReport
    outside: set[int] = field(default_factory=set)
    marks: dict[int, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    made_by: str = ""
    before: str = ""
    earlier: Earlier | None = None
    former: dict[int, list[tuple[str, str, str]]] = field(default_factory=dict)


class Earlier(NamedTuple):
    """The first of two models that are compared: its picture, and operation of the second -> operation of it."""

    picture: Picture
    pairs: dict[int, int]


def select_picture(
    subject: Model | Graph, view: View, removed: Removed | None = None, kept: Collection[Node] = ()
) -> Picture:
    """Return what a view shows of a model or graph.

    Args:
        subject: the model or graph.
        view: which part of it.
        removed: nodes of another model to show as well.
        kept: nodes that are drawn in any case.

    Raises:
        UsageError: a name in the view names nothing.
    """
    if isinstance(subject, Model) and view.graph is not None:
        subject = _held(choose_metagraph(subject, view.tags), view.graph) or subject
    metagraph = subject.metagraph if isinstance(subject, Graph) else choose_metagraph(subject, view.tags)
    report = infer_shapes(metagraph)
    flow, ends = _flow_and_ends(subject, metagraph, report, view)
    if removed is not None:
        flow.insert(removed)
        ends.starts += flow.removed
    ends.kept += [operation.index for operation in flow.operations if operation.node in kept] if kept else []
    picture = Picture(_title(subject, view), metagraph, _selection(flow, ends, view), ends, report)
    picture.made_by = _made_by(subject, metagraph) if isinstance(subject, Model) and not _is_part(view) else ""
    picture.notes += ends.notes
    if picture.made_by and isinstance(subject, Model) and subject.checkpoint is not None:
        picture.notes += filter(None, [unread_note(picture.selection, metagraph, subject.checkpoint)])
    if flow.closed:
        picture.notes.append(f"{flow.closed} calls are drawn closed: their functions recur, or hold too many nodes")
    holders = [one.node for one in flow.operations if one.node is not None and one.node.op in MODULE_CALLS]
    if holders:
        place = "/".join(filter(None, (holders[0].graph.name, holders[0].name)))
        picture.notes.append(f"{holders[0].name} holds a program of its own: --graph {place} draws it")
    _zoom(picture, view)
    _mark(picture, view)
    return picture


def build_scene(picture: Picture, view: View) -> Scene:
    """Return the scene of a picture, collapsed and coloured as the view says."""
    scene, composer = compose_scene(picture, *levels(picture, view), most_outputs=most_ends(view.paper))
    return color_scene(scene, composer, view)


def color_scene(scene: Scene, composer: Composer, view: View) -> Scene:
    """Return a scene in the colours that a view asks for.

    Raises:
        UsageError: there is nothing of that name to colour by.
    """
    if view.color_by is None:
        return scene
    if not isinstance(view.color_by, str):
        return color.colored(scene, color.own_numbers(view.color_by))
    if view.color_by == color.PARAMETERS:
        return color.colored(scene, color.parameters, "param")
    if view.color_by == color.DTYPE:
        return color.colored(scene, lambda box: composer.dtype(box.id))
    if view.color_by == color.MACS:
        return color.colored(scene, color.macs(_macs(composer)), "MAC")
    raise UsageError(
        f"boxes are not coloured by {view.color_by!r}", hint="params, dtype, macs, or a JSON file: node -> number"
    )


def _macs(composer: Composer) -> dict[NodeName, int]:
    """Return the multiplications of everything that is drawn, at a batch of one where the batch is open."""
    operations = [one for one in composer.selection.flow.operations if one.node is not None]
    if not operations:
        return {}
    graph = operations[0].graph
    shapes = RunShapes(graph.metagraph)
    return {NodeName(one.name, one.graph.name): macs(one.node, shapes) or 0 for one in operations if one.node}


def compose_scene(
    picture: Picture, root: Part, opening: Opening, *, most_outputs: int | None = None
) -> tuple[Scene, Composer]:
    """Return the scene of a tree of scopes, opened so far, and who composed it; of more outputs than that one box."""
    composer = Composer(Describer(picture.selection, picture.report, picture.ends.inputs, picture.marks))
    composer.add(root, opening)
    outputs = composer.add_outputs(picture.ends.outputs, most_outputs)
    operations = picture.selection.flow.operations
    single = {box.nodes[0] for box in composer.boxes if len(box.nodes) == 1 and box.kind not in ("layer", "output")}
    nodes = {(o.name, o.graph) for o in operations if o.node is not None}
    scene = Scene(
        picture.title,
        composer.boxes,
        composer.edges,
        composer.clusters,
        composer.terminals(picture.ends.inputs),
        outputs,
        opening.depth,
        max(len(nodes) - len(single), 0),
        tuple(picture.notes),
        {s.key: (tuple(s.inputs), tuple(s.outputs)) for s in public_signatures(picture.metagraph)},
    )
    return replace(scene, facts=_facts(picture, scene, composer)), composer


def _facts(picture: Picture, scene: Scene, composer: Composer) -> tuple[str, ...]:
    """Return a model in numbers; of a part of one nothing, since only some of its weights are drawn."""
    if not picture.made_by:
        return ()
    weights = composer.describer.counted(picture.selection.order)
    ends = [
        plural(len({end.key for end in ends}), word)
        for ends, word in ((scene.inputs, "input"), (scene.outputs, "output"))
    ]
    counted = boxes.parameters(weights)
    sizes = [boxes.count_text(counted, "parameter"), boxes.bytes_text(boxes.weight_bytes(weights))] if counted else []
    return (*sizes, picture.made_by, ", ".join(ends))


def _made_by(model: Model, metagraph: MetaGraph) -> str:
    version = metagraph.producer.get("tensorflow")
    return f"{model.traits.title} of TensorFlow {version}" if version else model.traits.title


def _is_part(view: View) -> bool:
    return any((view.graph, view.scope, view.focus, view.start, view.end))


def _flow_and_ends(subject: Model | Graph, metagraph: MetaGraph, report: ShapeReport, view: View) -> tuple[Flow, Ends]:
    graph = subject if isinstance(subject, Graph) else None
    if graph is None and view.graph is not None:
        graph = _only(choose_graphs(metagraph, view.graph), view.graph)
    if graph is not None and graph is not metagraph.graph:
        flow = open_flow(graph)
        return flow, function_ends(flow, graph)
    signatures = [find_signature(metagraph, view.signature)] if view.signature else public_signatures(metagraph)
    signatures = [signature for signature in signatures if signature.outputs]
    graphs = list(dict.fromkeys(signature.graph for signature in signatures)) or [metagraph.graph]
    flow = open_flow(*graphs)
    if signatures and (graph is None or view.signature):
        return flow, signature_ends(flow, signatures)
    if metagraph.graph.kind == "subgraph":
        return flow, function_ends(flow, metagraph.graph)
    return flow, graph_ends(flow, metagraph, report)


def _selection(flow: Flow, ends: Ends, view: View) -> Selection:
    if view.everything:
        return select_all(flow)
    outputs = [*ends.starts, *(index for end in ends.outputs for index in end.starts)]
    inputs = [*ends.kept, *(index for end in ends.inputs for index in end.sources)]
    if not outputs and not inputs:
        return select_all(flow)
    selection = select(flow, outputs, inputs)
    # Of a graph that small, first its constants are worth a look, then also what only hands on.
    for keep_passing in (False, True):
        if len(selection.order) + len(ends.outputs) < FEW_BOXES:
            selection = select(flow, outputs, inputs, keep_weights=True, keep_passing=keep_passing)
    return selection


def _held(metagraph: MetaGraph, text: str) -> Graph | None:
    """Return a graph of a program that a node holds: `NODE`, or `NODE: FUNCTION` as `gs find` says; None for others."""
    place, _, name = text.partition(": ")
    module = next((module for module in metagraph.modules if place in module.inside), None)
    return None if module is None else _only(choose_graphs(module, name or "main"), text)


def _only(graphs: Sequence[Graph], text: str) -> Graph:
    if len(graphs) > 1:
        choices = ", ".join(graph.name or "main" for graph in graphs[:8])
        raise UsageError(f"{len(graphs)} functions match {text!r}", hint=f"name one: {choices}")
    return graphs[0]


def _title(subject: Model | Graph, view: View) -> str:
    if isinstance(subject, Graph):
        name = subject.name or "main graph"
    else:
        path = PurePath(subject.path)
        name = path.name or subject.path
        if name.startswith(".") and path.parent.name:  # a checkpoint whose prefix is its folder: `FOLDER/.meta`
            name = f"{path.parent.name}/{name}"
    asked = (view.graph, view.signature, view.scope, view.focus and f"around {view.focus}")
    return " · ".join([name, *(text for text in asked if text)])


def _zoom(picture: Picture, view: View) -> None:
    if view.scope:
        inside = zoom.inside_scope(picture.selection, view.scope) or _shown(picture, view.scope)
        if not inside:
            raise _unknown(picture, f"no scope {view.scope!r} is drawn", view.scope)
        picture.selection, picture.outside = zoom.within(picture.selection, inside)
    if view.start or view.end:
        starts = _named(picture, view.start) if view.start else []
        ends = _named(picture, view.end) if view.end else []
        picture.selection = zoom.between(picture.selection, starts, ends)
    if view.focus:
        centre = _named(picture, view.focus)
        picture.selection = zoom.around(picture.selection, centre, view.radius)
        for index in centre:
            picture.marks.setdefault(index, []).append("highlight")


def _mark(picture: Picture, view: View) -> None:
    for text in view.highlight:
        start, arrow, end = text.partition("->")
        found = _named(picture, start)
        if arrow:
            found = zoom.between(picture.selection, found, _named(picture, end)).order
        for index in found:
            picture.marks.setdefault(index, []).append("highlight")
    for operation in picture.selection.flow.operations if view.colors else ():
        mark = view.colors.get(operation.name)
        if mark is not None:
            picture.marks.setdefault(operation.index, []).append(mark)
    for index in picture.outside:
        picture.marks.setdefault(index, []).append("outside")


def _named(picture: Picture, text: str) -> list[int]:
    """Return the drawn operations that a name stands for: of nodes and scopes, or as the picture shows it.

    Raises:
        UsageError: nothing has that name, or what has it is not drawn.
    """
    found = zoom.operations_named(picture.selection, text) or _shown(picture, text)
    if not found and zoom.is_known(picture.selection, text):
        raise UsageError(f"{text!r} is not part of what is drawn", hint="--all draws everything")
    if not found:
        raise _unknown(picture, f"nothing drawn is named {text!r}", text)
    return found


def _shown(picture: Picture, text: str) -> list[int]:
    """Return the operations behind a title of the picture: of a level that was found, an input or an output."""
    titled = operations_titled(_all_levels(picture), text)
    ends = [end for end in (*picture.ends.inputs, *picture.ends.outputs) if end.key == text]
    sources = [index for end in ends for index in end.sources]
    drawn, selection = set(picture.selection.order), picture.selection
    folded = [
        i
        for source in sources
        if source not in drawn
        for i in selection.results.get(source) or behind(selection, source)
    ]
    return [index for index in dict.fromkeys([*titled, *sources, *folded]) if index in drawn]


def _unknown(picture: Picture, what: str, text: str) -> UsageError:
    names = [operation.name for operation in picture.selection.flow.operations]
    return UsageError(what, hint=near_or_all(text, [*titles(_all_levels(picture)), *names]))


def _all_levels(picture: Picture) -> Part:
    """Return the levels that a picture has when nobody says how far it is open; what is titled has its title here."""
    return levels(picture, View(most=min(MOST_BOXES, len(picture.selection.order))))[0]


def levels(picture: Picture, view: View) -> tuple[Part, Opening]:
    """Return the tree of scopes and how far it is open.

    Args:
        picture: what is drawn.
        view: how far.
    """
    selection = picture.selection
    inputs = [index for end in picture.ends.inputs for index in end.sources]
    apart = list(dict.fromkeys([*inputs, *picture.outside]))
    root = build_levels(selection, apart)
    if not view.everything:
        gather_composites(root, selection, picture.metagraph, picture.report)
        gather_recurrent(root, selection, picture.report)
    whole = open_to_depth(root, len(selection.order) + 1, composites=False)
    is_small = len(visible(root, whole.opened)) <= min(SMALL_PICTURE, view.most)
    if view.depth is None and (view.everything or is_small):
        return root, whole
    if not is_small:
        find_levels(root, selection, apart)
        fold_repeats(root, selection)
        limit_width(root, selection, min(WIDEST_SCOPE, view.most), apart)
        complete_classes(root)
        gather_entries(root, picture.ends.inputs, most_ends(view.paper) or MOST_INPUTS)
    if view.depth is not None:
        return root, open_to_depth(root, max(view.depth, 1))
    return root, open_by_size(root, selection, fewest=min(FEWEST_BOXES, view.most), most=view.most)
