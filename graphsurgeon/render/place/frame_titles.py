"""Where the name of a frame stands: along its upper border, the lower one or a side, where no edge runs through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from graphsurgeon.render.place.layout import DrawnRoute, Layout, Rectangle
from graphsurgeon.render.place.splines import Point, samples
from graphsurgeon.render.place.text import LINE_SIZE, text_width
from graphsurgeon.render.scene.scene import Cluster, Scene

_INSET = 9.0  # from the corner
_BASELINE = 16.0  # below the upper border
_FOOT = 6.0  # above the lower one
_ASCENT, _DESCENT = 9.0, 3.0  # of the name's letters
_CLEAR = 2.0  # between a name and an edge
_STEP = 8.0  # between places that are tried


def title_places(layout: Layout, frames: Sequence[tuple[Rectangle, str]]) -> list[Point]:
    """Return where the names of frames begin, on their base line.

    Where every place is taken a name stands in the upper left corner: it is drawn over the edge.

    Args:
        layout: with edges that names must not be struck through by, labels and boxes that they must not cover.
        frames: each with its name.
    """
    return _title_places(layout, frames, [_Line(route) for route in layout.routes])


def _title_places(layout: Layout, frames: Sequence[tuple[Rectangle, str]], lines: Sequence[_Line]) -> list[Point]:
    things = [*layout.boxes.values(), *(place for route in layout.routes for place in _label(route))]
    found = []
    for frame, name in frames:
        found.append(_place(frame, text_width(name, LINE_SIZE, bold=True), lines, things))
        things.append(room_of(found[-1], name))
    return found


def drawn_frames(scene: Scene, layout: Layout) -> Iterator[tuple[Cluster, Rectangle, str]]:
    """Yield the frames with their names, outer ones first; of one that is drawn in parts each part."""
    for cluster in scene.clusters:
        if cluster.id in layout.clusters:
            yield cluster, layout.clusters[cluster.id], cluster.title
        for place in (place for identity, place in layout.continued if identity == cluster.id):
            yield cluster, place, f"{cluster.title} …"


def struck_titles(scene: Scene, layout: Layout) -> dict[str, float]:
    """Return the frames whose names an edge runs through: id -> the width with which there is room beside it."""
    frames = list(drawn_frames(scene, layout))
    lines = [_Line(route) for route in layout.routes]
    places = _title_places(layout, [(frame, name) for _, frame, name in frames], lines)
    rooms = [(cluster, room_of(place, name)) for (cluster, _, name), place in zip(frames, places, strict=True)]
    return {
        cluster.id: 2 * (room.width + _INSET + _STEP) + _INSET
        for cluster, room in rooms
        if any(line.meets(room) for line in lines)
    }


def room_of(place: Point, name: str) -> Rectangle:
    """Return the room that a frame's name takes, where its base line begins at a place."""
    width = text_width(name, LINE_SIZE, bold=True)
    return Rectangle(place[0], place[1] - _ASCENT, width, _ASCENT + _DESCENT)


def is_crossed(room: Rectangle, route: DrawnRoute) -> bool:
    """Say whether an edge runs through a rectangle."""
    return _Line(route).meets(room)


class _Line:
    """An edge as points close to each other, with a rectangle around them: that of the points that bend it."""

    def __init__(self, route: DrawnRoute) -> None:
        self._bends = route.points
        xs, ys = [x for x, _ in route.points], [y for _, y in route.points]
        self.around = (min(xs), min(ys), max(xs), max(ys)) if xs else None

    @cached_property
    def points(self) -> list[Point]:
        """Made for edges that come near a name: most do not."""
        return samples(self._bends, _CLEAR)

    def meets(self, room: Rectangle) -> bool:
        if self.around is None:
            return False
        left, top, right, bottom = self.around
        if left > room.x + room.width or right < room.x or top > room.y + room.height or bottom < room.y:
            return False
        return any(room.x <= x <= room.x + room.width and room.y <= y <= room.y + room.height for x, y in self.points)


def _place(frame: Rectangle, width: float, lines: Sequence[_Line], things: Sequence[Rectangle]) -> Point:
    near = [line for line in lines if line.meets(frame)]
    inside = [thing for thing in things if _overlap(frame, thing)]
    for x, y in _candidates(frame, width):
        room = Rectangle(x - _CLEAR, y - _ASCENT - _CLEAR, width + 2 * _CLEAR, _ASCENT + _DESCENT + 2 * _CLEAR)
        if not any(line.meets(room) for line in near) and not any(_overlap(room, thing) for thing in inside):
            return x, y
    return frame.x + _INSET, frame.y + _BASELINE


def _candidates(frame: Rectangle, width: float) -> Iterator[Point]:
    """Yield places from left to right along the upper border, along the lower one, then down both sides."""
    last = frame.x + frame.width - _INSET - width
    for y in (frame.y + _BASELINE, frame.y + frame.height - _FOOT):
        x = frame.x + _INSET
        while x <= last:
            yield x, y
            x += _STEP
    y = frame.y + _BASELINE + _STEP
    while last >= frame.x + _INSET and y < frame.y + frame.height - _FOOT:
        yield from ((frame.x + _INSET, y), (last, y))
        y += _STEP


def _label(route: DrawnRoute) -> Iterator[Rectangle]:
    if route.label is not None:
        x, y = route.label
        yield Rectangle(x - route.room / 2, y - 7, route.room, 14)


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )
