"""A scene in the DOT language: for `.dot` files, and for laying out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from graphsurgeon.render.place.text import TITLE_SIZE, printable, text_width
from graphsurgeon.render.scene.scene import Box, Cluster, Edge, Scene
from graphsurgeon.render.write.palette import FILLS, INK, STROKES

_LONGEST = 2000  # characters
_LARGE = 300  # boxes
_STYLES = {"shape": "dashed", "control": "dotted", "condition": "dotted", "resource": "bold", "loop": "dashed"}


def dot_text(scene: Scene) -> str:
    """Return a scene as a `.dot` file, as good as any tool for such files can draw it."""
    attributes = 'rankdir=TB; fontname="Helvetica"; fontsize=11; compound=true; nodesep=0.35; ranksep=0.35;'
    lines = [
        "digraph model {",
        f"  {attributes}",
        f"  label={_quoted(scene.title)}; labelloc=t;",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9, arrowsize=0.7];',
    ]
    lines += _nested(scene, lambda box: _attributes(_box_style(box)), lambda cluster: f"label={_quoted(cluster.title)}")
    lines += [f"  {_quoted(e.source)} -> {_quoted(e.target)} [{_attributes(_edge_style(e))}];" for e in scene.edges]
    return "\n".join([*lines, "}", ""])


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

    def box_attributes(box: Box) -> str:
        width, height = sizes[box.id]
        return f"width={width / 72:.4f}, height={height / 72:.4f}"

    def cluster_attributes(cluster: Cluster) -> str:
        width = max(text_width(cluster.title, TITLE_SIZE), (rooms or {}).get(cluster.id, 0.0))
        return f"margin=10; label={_room(width, 18)}; labeljust=l"

    lines = [
        "digraph model {",
        # newrank: with frames ranked one by one, as is the habit, edges between them may point upwards.
        f"  rankdir={direction}; compound=true; newrank=true; nodesep=0.3; ranksep=0.28; {_effort(len(scene.boxes))}",
        '  node [shape=box, fixedsize=true, label=""];',
        "  edge [arrowsize=0.7];",
    ]
    lines += _nested(scene, box_attributes, cluster_attributes)
    weights = _weights(scene.edges)
    for index, (edge, label) in enumerate(zip(scene.edges, labels, strict=True)):
        text = f", label={_room(*label)}" if label is not None else ""
        free = ", constraint=false" if edge.kind == "loop" else ""
        line = f"{_quoted(edge.source)} -> {_quoted(edge.target)} [id={index}, weight={weights[index]}{text}{free}];"
        lines.append(f"  {line}")
    return "\n".join([*lines, "}", ""])


def _nested(
    scene: Scene, box_attributes: Callable[[Box], str], cluster_attributes: Callable[[Cluster], str]
) -> Iterator[str]:
    """Yield boxes and the frames around them."""
    boxes: dict[str, list[Box]] = {}
    for box in scene.boxes:
        boxes.setdefault(box.cluster, []).append(box)
    frames: dict[str, list[Cluster]] = {}
    for cluster in scene.clusters:
        frames.setdefault(cluster.parent, []).append(cluster)
    waiting: list[tuple[str, int] | str] = [("", 1)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
            continue
        frame, level = item
        indent = "  " * level
        for box in boxes.get(frame, ()):
            yield f"{indent}{_quoted(box.id)} [{box_attributes(box)}];"
        for cluster in reversed(frames.get(frame, [])):
            head = f"{indent}subgraph {_quoted('cluster_' + cluster.id)} {{ {cluster_attributes(cluster)};"
            waiting += [f"{indent}}}", (cluster.id, level + 1), head]


def _effort(boxes: int) -> str:
    """Return how long to look for straight lines; of a large picture the tenth part of the time must do."""
    return "nslimit=1; nslimit1=2; mclimit=0.3;" if boxes > _LARGE else "searchsize=200; nslimit=8;"


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
        "label": "\n".join([box.title, *box.lines]),
        "tooltip": box.name,
        "fillcolor": FILLS.get(box.family, FILLS["other"]),
        "color": STROKES.get(box.family, STROKES["other"]),
        "fontcolor": INK,
    }
    if box.kind in ("input", "output"):
        style["style"] = "filled,bold"
        style["shape"] = "oval"
    return style


def _edge_style(edge: Edge) -> dict[str, str]:
    style = {"label": edge.label} if edge.label else {}
    if edge.kind in _STYLES:
        style["style"] = _STYLES[edge.kind]
    if edge.kind == "loop":
        style["constraint"] = "false"
    return style


def _attributes(values: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={_quoted(value)}" for key, value in values.items())


def _quoted(text: str) -> str:
    """Quote a text; the language reads entities as HTML does, also between quotes, and nothing beyond 16 kB."""
    shown = printable(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…").replace("&", "&amp;")
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
