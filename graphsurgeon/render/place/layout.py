"""Where everything goes: sizes from texts, positions from Graphviz's `dot` algorithm.

Boxes have fixed sizes, so that no font on this machine decides anything; who lays out is known to `engine`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.render.place.engine import EngineTimeoutError, piped
from graphsurgeon.render.place.text import EDGE_SIZE, LINE_HEIGHT, LINE_SIZE, TITLE_SIZE, text_width
from graphsurgeon.render.scene.scene import Box, Scene
from graphsurgeon.render.write.dot import positioning_source

SECONDS = 20.0  # for one try
_PADDING = (12.0, 8.0)
_LEAST_WIDTH = 72.0

Point = tuple[float, float]


class LayoutTimeoutError(GraphSurgeonError):
    """Laying out took too long; a coarser picture may be quicker."""


@dataclass(frozen=True)
class Rectangle:
    """A rectangle: its left upper corner, width and height."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class DrawnRoute:
    """How an edge runs: points of a Bézier curve, the arrow's head, and the middle and width of its label."""

    points: Sequence[Point]
    head: Sequence[Point]
    label: Point | None
    room: float = 0.0


@dataclass(frozen=True)
class Layout:
    """Positions, y downwards, in the unit of the font sizes.

    Attributes:
        boxes, clusters: id -> place.
        routes: one for each edge of the scene.
        continued: further parts of frames that are drawn in several.
    """

    width: float
    height: float
    boxes: Mapping[str, Rectangle]
    clusters: Mapping[str, Rectangle]
    routes: Sequence[DrawnRoute]
    continued: Sequence[tuple[str, Rectangle]] = ()


def lay_out(
    scene: Scene, *, seconds: float = SECONDS, direction: str = "TB", rooms: Mapping[str, float] | None = None
) -> Layout:
    """Return where everything goes.

    Args:
        scene: what to lay out.
        seconds: time limit.
        direction: "TB" from top to bottom, "LR" from left to right.
        rooms: frame -> the least width that it is to have; others are as wide as their name at least.

    Raises:
        LayoutTimeoutError: it took longer than so many seconds.
        UnsupportedError: there is nothing that lays out.
    """
    sizes = {box.id: box_size(box) for box in scene.boxes}
    labels = [label_size(edge.label) if edge.label else None for edge in scene.edges]
    source = positioning_source(scene, sizes, labels, direction, rooms or {})
    try:
        drawn = json.loads(piped(source, "json", seconds=seconds))
    except EngineTimeoutError as late:
        raise LayoutTimeoutError(f"laying out {len(scene.boxes)} boxes took longer than {seconds:g} s") from late
    return _positions(scene, drawn)


def box_size(box: Box) -> tuple[float, float]:
    """Return width and height of a box, from its texts."""
    widths = [text_width(box.title, TITLE_SIZE, bold=True), *(text_width(line, LINE_SIZE) for line in box.lines)]
    round_ends = 2 * _PADDING[0] if box.kind in ("input", "output") else 0
    width = max(_LEAST_WIDTH, max(widths) + 2 * _PADDING[0] + round_ends)
    return float(round(width)), LINE_HEIGHT * (1 + len(box.lines)) + 2 * _PADDING[1]


def label_size(label: str) -> tuple[float, float]:
    """Return width and height of an edge's label."""
    return float(round(text_width(label, EDGE_SIZE) + 6)), 14.0


def _positions(scene: Scene, drawn: Mapping[str, Any]) -> Layout:
    objects = drawn.get("objects", [])
    outline = {item["name"]: _rectangle(item) for item in objects if "_draw_" in item}
    page = _corners(drawn["_draw_"]) if "_draw_" in drawn else None
    rectangles = [*outline.values()]
    width = max([page[2] if page else 0.0, *(r.x + r.width for r in rectangles)])
    height = max([page[3] if page else 0.0, *(r.y + r.height for r in rectangles)])

    def placed(name: str) -> Rectangle:
        found = outline[name]
        return Rectangle(found.x, height - found.y - found.height, found.width, found.height)

    edges = {int(edge["id"]): edge for edge in drawn.get("edges", ()) if "id" in edge}
    return Layout(
        width,
        height,
        {box.id: placed(box.id) for box in scene.boxes},
        {
            cluster.id: placed(f"cluster_{cluster.id}")
            for cluster in scene.clusters
            if f"cluster_{cluster.id}" in outline
        },
        [_route(edges[index], height) for index in range(len(scene.edges))],
    )


def _rectangle(item: Mapping[str, Any]) -> Rectangle:
    left, low, right, high = _corners(item["_draw_"])
    return Rectangle(left, low, right - left, high - low)


def _corners(drawing: Sequence[Mapping[str, Any]]) -> tuple[float, float, float, float]:
    points = [point for step in drawing for point in step.get("points", ())]
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return min(xs, default=0.0), min(ys, default=0.0), max(xs, default=0.0), max(ys, default=0.0)


def _route(edge: Mapping[str, Any], height: float) -> DrawnRoute:
    def turned(drawing: Sequence[Mapping[str, Any]], steps: str) -> list[Point]:
        return [(x, height - y) for step in drawing if step["op"] in steps for x, y in step["points"]]

    label, room = None, 0.0
    if "_ldraw_" in edge:
        left, low, right, high = _corners([step for step in edge["_ldraw_"] if step["op"] in "Pp"])
        label, room = ((left + right) / 2, height - (low + high) / 2), right - left
    return DrawnRoute(turned(edge.get("_draw_", ()), "bB"), turned(edge.get("_hdraw_", ()), "Pp"), label, room)
