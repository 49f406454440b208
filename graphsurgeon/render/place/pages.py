"""A picture brought to the proportions of a page: a tall one in columns, a wide one of several pieces in rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphsurgeon.render.place.columns import in_columns
from graphsurgeon.render.place.frame_titles import struck_titles
from graphsurgeon.render.place.layout import DrawnRoute, Layout, LayoutTimeoutError, Point, lay_out
from graphsurgeon.render.place.text import EDGE_SIZE
from graphsurgeon.render.scene.scene import Scene

_TALL = 2.2  # times as high as wide, or the reverse
_LARGE = 1400.0  # what is no larger stays as it is
_MOST_BOXES = 500  # with more, no arrangement makes a picture that can be taken in
_PROPORTION = 1.1  # width to height that is wanted
_SHOWN_WIDE = 1440.0  # pixels that people see at once
_LEAST_TEXT = 6.0  # pixels that can be made out
WIDEST = _SHOWN_WIDE * EDGE_SIZE / _LEAST_TEXT  # of a picture: scaled to that width its smallest text has those pixels
_GAP = 28.0
_WIDENINGS = 3  # layouts more that the names of frames are worth
_WIDER = 1.4  # times as wide, where the last widening was not enough


@dataclass(frozen=True)
class Page:
    """What a picture is brought to.

    Attributes:
        proportion: width to height that is wanted.
        direction: "down" or "right"; None goes down, and to the right where that is far too wide.
        tall: how many times as high as wide a picture may be, or the reverse, before it is arranged anew.
        large: what is no larger stays as it is.
        widest: what a picture should not be wider than.
    """

    proportion: float = _PROPORTION
    direction: str | None = None
    tall: float = _TALL
    large: float = _LARGE
    widest: float = WIDEST


def lay_out_page(scene: Scene, *, seconds: float, page: Page | None = None) -> Layout:
    """Return where everything goes, in the proportions of a page.

    Raises:
        LayoutTimeoutError: it took longer than so many seconds.
        UnsupportedError: there is nothing that lays out.
    """
    page = page or Page()
    layout = _with_free_titles(scene, page, seconds)
    if len(scene.boxes) > _MOST_BOXES or page.direction or layout.width <= max(page.tall * layout.height, page.large):
        return layout
    try:
        sideways = _with_free_titles(scene, replace(page, direction="right"), seconds)
    except LayoutTimeoutError:
        return layout
    return min(layout, sideways, key=lambda one: max(one.width / page.proportion, one.height))


def _with_free_titles(scene: Scene, page: Page, seconds: float) -> Layout:
    """Lay out; again with wider frames where an edge runs through the names of some."""
    rooms: dict[str, float] = {}
    best = _lay_out(scene, page, seconds, rooms)
    struck = struck_titles(scene, best) if len(scene.boxes) <= _MOST_BOXES else {}
    for _ in range(_WIDENINGS):
        if not struck:
            break
        rooms |= {name: max(room, _WIDER * rooms.get(name, 0.0)) for name, room in struck.items()}
        try:
            layout = _lay_out(scene, page, seconds, rooms)
        except LayoutTimeoutError:
            break
        left = struck_titles(scene, layout)
        best, struck = (layout, left) if len(left) < len(struck) else (best, struck)
    return best


def _lay_out(scene: Scene, page: Page, seconds: float, rooms: Mapping[str, float]) -> Layout:
    direction = "LR" if page.direction == "right" else "TB"
    return paged(scene, lay_out(scene, seconds=seconds, direction=direction, rooms=rooms), page)


def paged(scene: Scene, layout: Layout, page: Page | None = None) -> Layout:
    """Return a layout in columns or rows if it is much higher or wider than a page, else as it is."""
    page = page or Page()
    if len(scene.boxes) > _MOST_BOXES:
        return layout
    if layout.height > max(page.tall * layout.width, page.large) and page.direction != "right":
        return in_columns(layout, page.proportion, page.widest)
    if layout.width > min(max(page.tall * layout.height, page.large), page.widest):
        return _in_rows(scene, layout, page.proportion, page.widest)
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


def _in_rows(scene: Scene, layout: Layout, proportion: float, widest: float) -> Layout:
    pieces = _pieces(scene, layout)
    area = sum((piece.right - piece.left + _GAP) * (piece.bottom - piece.top + _GAP) for piece in pieces)
    width, height = _shelve(pieces, min((area * proportion) ** 0.5, widest))
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
