"""A scene in the DOT language, written by the package `graphviz`: for `.dot` files, and for laying out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from graphsurgeon.render.place.text import TITLE_SIZE, printable, text_width
from graphsurgeon.render.scene.scene import Box, Cluster, Edge, Scene
from graphsurgeon.render.write.palette import FILLS, INK, STROKES

if TYPE_CHECKING:
    from graphviz import Digraph

_FONT = {"fontname": "Helvetica", "fontsize": "11"}
_LONGEST = 2000  # characters
_LARGE = 300  # boxes
_STYLES = {"shape": "dashed", "control": "dotted", "condition": "dotted", "resource": "bold", "loop": "dashed"}


def dot_text(scene: Scene) -> str:
    """Return a scene as a `.dot` file, as good as any tool for such files can draw it."""
    graph = _digraph(
        "model",
        {"rankdir": "TB", **_FONT, "compound": "true", "nodesep": "0.35", "ranksep": "0.35",
         "label": _text(scene.title), "labelloc": "t"},
        {"shape": "box", "style": "rounded,filled", **_FONT},
        {"fontname": "Helvetica", "fontsize": "9", "arrowsize": "0.7"},
    )  # fmt: skip
    _nest(graph, scene, _box_style, lambda cluster: {"label": _text(cluster.title)})
    for edge in scene.edges:
        graph.edge(edge.source, edge.target, **_edge_style(edge))
    return str(graph.source)


def positioning_source(
    scene: Scene,
    sizes: Mapping[str, tuple[float, float]],
    labels: Sequence[tuple[float, float] | None],
    direction: str = "TB",
    rooms: Mapping[str, float] | None = None,
) -> str:
    """Return a scene for a program that lays out: no texts, but the room that they take.

    Args:
        scene: what to lay out.
        sizes: of each box by id.
        labels: of each edge's label, None where there is none.
        direction: "TB" from top to bottom, "LR" from left to right.
        rooms: frame -> the least width that it is to have.
    """

    def box_attributes(box: Box) -> dict[str, str]:
        width, height = sizes[box.id]
        return {"width": f"{width / 72:.4f}", "height": f"{height / 72:.4f}"}

    def cluster_attributes(cluster: Cluster) -> dict[str, str]:
        width = max(text_width(cluster.title, TITLE_SIZE), (rooms or {}).get(cluster.id, 0.0))
        return {"margin": "10", "label": _room(width, 18), "labeljust": "l"}

    # newrank: with frames ranked one by one, as is the habit, edges between them may point upwards.
    style = {"rankdir": direction, "compound": "true", "newrank": "true", "nodesep": "0.3", "ranksep": "0.28"}
    boxes = {"shape": "box", "fixedsize": "true", "label": ""}
    graph = _digraph("model", style | _effort(len(scene.boxes)), boxes, {"arrowsize": "0.7"})
    _nest(graph, scene, box_attributes, cluster_attributes)
    weights = _weights(scene.edges)
    for index, (edge, label) in enumerate(zip(scene.edges, labels, strict=True)):
        attributes = {"id": str(index), "weight": str(weights[index])}
        attributes |= {"label": _room(*label)} if label is not None else {}
        attributes |= {"constraint": "false"} if edge.kind == "loop" else {}
        graph.edge(edge.source, edge.target, **attributes)
    return str(graph.source)


def _digraph(name: str, graph: Mapping[str, str], node: Mapping[str, str], edge: Mapping[str, str]) -> Digraph:
    from graphviz import Digraph

    return Digraph(name, graph_attr=dict(graph), node_attr=dict(node), edge_attr=dict(edge))


def _nest(
    graph: Digraph, scene: Scene, box_attributes: Callable[[Box], dict[str, str]],
    cluster_attributes: Callable[[Cluster], dict[str, str]],
) -> None:  # fmt: skip
    """Add boxes and the frames around them."""
    boxes: dict[str, list[Box]] = {}
    for box in scene.boxes:
        boxes.setdefault(box.cluster, []).append(box)
    frames: dict[str, list[Cluster]] = {}
    for cluster in scene.clusters:
        frames.setdefault(cluster.parent, []).append(cluster)
    made: dict[str, Digraph] = {"": graph}
    waiting = [("", False)]
    while waiting:
        frame, is_full = waiting.pop()
        inner = frames.get(frame, [])
        if is_full:
            for cluster in inner:
                made[frame].subgraph(made.pop(cluster.id))
            continue
        for box in boxes.get(frame, ()):
            made[frame].node(box.id, **box_attributes(box))
        for cluster in inner:
            made[cluster.id] = _digraph(f"cluster_{cluster.id}", cluster_attributes(cluster), {}, {})
        waiting += [(frame, True), *((cluster.id, False) for cluster in reversed(inner))]


def _effort(boxes: int) -> dict[str, str]:
    """Return how long to look for straight lines; of a large picture the tenth part of the time must do."""
    if boxes > _LARGE:
        return {"nslimit": "1", "nslimit1": "2", "mclimit": "0.3"}
    return {"searchsize": "200", "nslimit": "8"}


def _weights(edges: Sequence[Edge]) -> list[int]:
    """Keep chains straight: an edge counts more where it is the only one of its box."""
    leaving: dict[str, int] = {}
    entering: dict[str, int] = {}
    for edge in edges:
        leaving[edge.source] = leaving.get(edge.source, 0) + 1
        entering[edge.target] = entering.get(edge.target, 0) + 1
    return [
        0 if edge.kind == "condition" else 8 if leaving[edge.source] == 1 or entering[edge.target] == 1 else 1
        for edge in edges
    ]


def _room(width: float, height: float) -> str:
    # The background makes the program say where the room is, to the hundredth.
    size = f'FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}"'
    table = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" BGCOLOR="white" {size}>'
    return f"<{table}<TR><TD></TD></TR></TABLE>>"


def _box_style(box: Box) -> dict[str, str]:
    style = {
        "label": _text("\n".join([box.title, *box.lines])),
        "tooltip": _text(box.name),
        "fillcolor": FILLS.get(box.family, FILLS["other"]),
        "color": STROKES.get(box.family, STROKES["other"]),
        "fontcolor": INK,
    }
    if box.kind in ("input", "output"):
        style["style"] = "filled,bold"
        style["shape"] = "oval"
    return style


def _edge_style(edge: Edge) -> dict[str, str]:
    style = {"label": _text(edge.label)} if edge.label else {}
    if edge.kind in _STYLES:
        style["style"] = _STYLES[edge.kind]
    if edge.kind == "loop":
        style["constraint"] = "false"
    return style


def _text(text: str) -> str:
    """Return a text as a value.

    The language reads entities as HTML does, also between quotes, and nothing beyond 16 kB.
    """
    from graphviz import escape, nohtml

    shown = printable(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…").replace("&", "&amp;")
    value: str = nohtml(escape(shown).replace("\n", "\\n"))
    return value
