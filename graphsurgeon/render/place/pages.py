"""A picture brought to the proportions of a page: a tall one in columns, a wide one of several pieces in rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from graphsurgeon.render.place.columns import in_columns
from graphsurgeon.render.place.layout import DrawnRoute, Layout, LayoutTimeoutError, Point, lay_out
from graphsurgeon.render.scene.scene import Scene

_TALL = 2.2  # times as high as wide, or the reverse
_LARGE = 1400.0  # what is no larger stays as it is
_MOST_BOXES = 500  # with more, no arrangement makes a picture that can be taken in
_PROPORTION = 1.1  # width to height that is wanted
_GAP = 28.0


def lay_out_page(scene: Scene, *, seconds: float) -> Layout:
    """Return where everything goes, from top to bottom, or from left to right where that is far too wide.

    Raises:
        LayoutTimeoutError: it took longer than so many seconds.
        UnsupportedError: there is nothing that lays out.
    """
    page = paged(scene, lay_out(scene, seconds=seconds))
    if len(scene.boxes) > _MOST_BOXES or page.width <= max(_TALL * page.height, _LARGE):
        return page
    try:
        sideways = paged(scene, lay_out(scene, seconds=seconds, direction="LR"))
    except LayoutTimeoutError:
        return page
    return min(page, sideways, key=lambda layout: max(layout.width / _PROPORTION, layout.height))


def paged(scene: Scene, layout: Layout) -> Layout:
    """Return a layout in columns or rows if it is much higher or wider than a page, else as it is."""
    if len(scene.boxes) > _MOST_BOXES:
        return layout
    if layout.height > max(_TALL * layout.width, _LARGE):
        return in_columns(layout, _PROPORTION)
    if layout.width > max(_TALL * layout.height, _LARGE):
        return _in_rows(scene, layout)
    return layout


@dataclass
class _Piece:
    """Boxes and frames that no edge joins to others, and the room that they take."""

    names: list[str] = field(default_factory=list)
    left: float = float("inf")
    top: float = float("inf")
    right: float = float("-inf")
    bottom: float = float("-inf")
    shift: Point = (0.0, 0.0)

    def take(self, left: float, top: float, right: float, bottom: float) -> None:
        self.left, self.top = min(self.left, left), min(self.top, top)
        self.right, self.bottom = max(self.right, right), max(self.bottom, bottom)


def _in_rows(scene: Scene, layout: Layout) -> Layout:
    pieces = _pieces(scene, layout)
    area = sum((piece.right - piece.left + _GAP) * (piece.bottom - piece.top + _GAP) for piece in pieces)
    width, height = _shelve(pieces, (area * _PROPORTION) ** 0.5)
    of = {name: piece.shift for piece in pieces for name in piece.names}
    boxes, clusters = (
        {name: replace(place, x=place.x + of[name][0], y=place.y + of[name][1]) for name, place in places.items()}
        for places in (layout.boxes, layout.clusters)
    )
    routes = [_moved(route, of[edge.source]) for edge, route in zip(scene.edges, layout.routes, strict=True)]
    return Layout(width, height, boxes, clusters, routes)


def _pieces(scene: Scene, layout: Layout) -> list[_Piece]:
    """Return what hangs together, from left to right."""
    group = _groups(scene)
    pieces: dict[str, _Piece] = {}
    for name, place in (*layout.boxes.items(), *layout.clusters.items()):
        piece = pieces.setdefault(group(name), _Piece())
        piece.names.append(name)
        piece.take(place.x, place.y, place.x + place.width, place.y + place.height)
    for edge, route in zip(scene.edges, layout.routes, strict=True):
        piece = pieces[group(edge.source)]
        for x, y in route.points:
            piece.take(x, y, x, y)
        if route.label is not None:
            x, y = route.label
            piece.take(x - route.room / 2, y, x + route.room / 2, y)
    return sorted(pieces.values(), key=lambda piece: piece.left)


def _groups(scene: Scene) -> Callable[[str], str]:
    """Return what tells of a box or frame to which piece it belongs."""
    parents: dict[str, str] = {}

    def find(name: str) -> str:
        while name in parents:
            name = parents[name]
        return name

    joined = [(edge.source, edge.target) for edge in scene.edges]
    joined += [(box.id, box.cluster) for box in scene.boxes if box.cluster]
    joined += [(cluster.id, cluster.parent) for cluster in scene.clusters if cluster.parent]
    for one, other in joined:
        first, second = find(one), find(other)
        if first != second:
            parents[first] = second
    return find


def _shelve(pieces: Sequence[_Piece], width: float) -> tuple[float, float]:
    """Put pieces into rows of about so wide; return the width and height of all."""
    x = y = low = right = 0.0
    for piece in pieces:
        if x and x + piece.right - piece.left > width:
            x, y = 0.0, low + _GAP
        piece.shift = (x - piece.left, y - piece.top)
        x += piece.right - piece.left
        right, low = max(right, x), max(low, y + piece.bottom - piece.top)
        x += _GAP
    return right, low


def _moved(route: DrawnRoute, shift: Point) -> DrawnRoute:
    def moved(points: Sequence[Point]) -> list[Point]:
        return [(x + shift[0], y + shift[1]) for x, y in points]

    return DrawnRoute(
        moved(route.points), moved(route.head), moved([route.label])[0] if route.label else None, route.room
    )
