"""A tall picture in columns.

Deep networks come out of the layout as strips ten times as high as wide. A strip is cut between boxes and frames,
where few edges pass, and its pieces stand side by side; an edge that is cut runs on from the foot of one column to
the head of the next. A frame higher than a column is cut too and goes on under its name. Nothing is laid out anew.
"""

from __future__ import annotations

import sys
from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from graphsurgeon.render.place.layout import DrawnRoute, Layout, Rectangle
from graphsurgeon.render.place.splines import Point, passes, rounded, split

_MOST_COLUMNS = 8  # more side by side make a strip again, only a lying one
_MOST_CUT = 4  # edges that may run from one column to the next
_WHOLE = 0.5  # of the height of a column: frames that are no higher are not cut
_HALVINGS = 10  # of the range in which the height of even columns is looked for
_DETOUR = 0.04  # of a column's height that a cut through one edge less is worth
_GAP = 34.0  # between columns
_LANE = 7.0  # between edges that run side by side
_NAME = 24.0  # the height of a frame's name
_LABEL = 8.0  # half the height of a label, and a little

Piece = tuple[int, list[Point]]  # of an edge: in which column, and how it runs there


@dataclass(frozen=True)
class _Columns:
    """Where the columns are.

    Attributes:
        cuts: heights in the tall picture.
        shifts: of each column.
        rights: the right border of each column, after the shift.
        lanes: for each cut the edges that run there to the next column, from right to left.
        heads: room at the head of each column, for names of frames that go on there.
    """

    cuts: Sequence[float]
    shifts: Sequence[Point]
    rights: Sequence[float]
    lanes: Sequence[Sequence[int]]
    heads: Sequence[float]

    def shift(self, height: float) -> Point:
        """Return by how much that moves which stands at a height of the tall picture."""
        return self.shifts[bisect(self.cuts, height)]


def in_columns(layout: Layout, proportion: float, widest: float) -> Layout:
    """Return a layout in as many columns as come nearest to a page; unchanged if none do.

    Args:
        layout: a tall one.
        proportion: of the page, width to height.
        widest: what the page should not be wider than, whatever its proportion.
    """
    crossed = _Crossed(layout)
    ways = {tuple(_cuts(layout, number, crossed)) for number in range(2, _MOST_COLUMNS + 1)}
    pages = [layout, *(_cut(layout, cuts) for cuts in sorted(ways) if cuts)]
    return min(pages, key=lambda page: (max(page.width, widest), max(page.width / proportion, page.height)))


def _cut(layout: Layout, cuts: Sequence[float]) -> Layout:
    """Return a layout in columns, cut at these heights."""
    ends = [0.0, *cuts, layout.height]
    tallest = max(bottom - top for top, bottom in pairwise(ends))
    pieces = [_pieces(route.points, cuts) for route in layout.routes]
    lanes = [_lanes(pieces, number) for number in range(len(cuts))]
    margin = _LANE * (max(map(len, lanes)) + 1)
    columns = _columns(layout, pieces, cuts, lanes, margin)
    frames = {key: _parts(place, layout, columns) for key, place in layout.clusters.items()}
    return Layout(
        columns.rights[-1],
        tallest + 2 * margin + max(columns.heads),
        {key: _moved(place, columns) for key, place in layout.boxes.items()},
        {key: parts[0] for key, parts in frames.items()},
        [_route(index, route, pieces[index], columns) for index, route in enumerate(layout.routes)],
        [(key, part) for key, parts in frames.items() for part in parts[1:]],
    )


class _Crossed(dict[float, int]):
    """How many edges pass a height; more than can be counted where a cut would be no clean one."""

    def __init__(self, layout: Layout) -> None:
        self.routes = [(*_span(route), route) for route in layout.routes]

    def __missing__(self, height: float) -> int:
        routes = [route for low, high, route in self.routes if low < height < high]
        is_clean = all(_is_clean(route, height) for route in routes)
        self[height] = sum(passes(route.points, height) for route in routes) if is_clean else sys.maxsize
        return self[height]


def _cuts(layout: Layout, number: int, crossed: _Crossed) -> list[float]:
    """Return where to cut for so many columns, as even as can be, each cut where few edges pass; none if it cannot."""
    allowed = [place for place in _gaps(layout, layout.height / number) if crossed[place] <= _MOST_CUT]
    low, high = layout.height / number, layout.height
    best: list[float] = []
    for _ in range(_HALVINGS):
        height = (low + high) / 2
        cuts = _cuts_within(layout.height, height, allowed, crossed)
        if cuts is None or len(cuts) >= number:
            low = height
        else:
            best, high = cuts, height
    return best


def _cuts_within(whole: float, height: float, allowed: Sequence[float], crossed: _Crossed) -> list[float] | None:
    """Return cuts that leave no column higher than this; None if there are none."""
    cuts = [0.0]
    while whole - cuts[-1] > height:
        within = [place for place in allowed if cuts[-1] < place <= cuts[-1] + height]
        if not within:
            return None
        cuts.append(max(within, key=lambda place: place - _DETOUR * height * crossed[place]))
    return cuts[1:]


def _gaps(layout: Layout, height: float) -> list[float]:
    """Return heights at which a line across the picture meets no box, and no frame that a column has much room for."""
    frames = [place for place in layout.clusters.values() if place.height <= _WHOLE * height]
    places = sorted([*layout.boxes.values(), *frames], key=lambda place: place.y)
    gaps = []
    low = places[0].y + places[0].height
    for place in places[1:]:
        if place.y > low:
            ends = [c.y + c.height for c in layout.clusters.values() if low < c.y + c.height < place.y]
            gaps += [y for end in (low, *ends) for y in (end + 3, end + 12) if y < place.y - 3]
        low = max(low, place.y + place.height)
    return [y for y in gaps if all(min(abs(y - f.y), abs(f.y + f.height - y)) > _NAME for f in _cut_frames(layout, y))]


def _span(route: DrawnRoute) -> tuple[float, float]:
    """Return the heights between which an edge is, its label and its arrow included."""
    ys = [y for _, y in (*route.points, *route.head, *([route.label] if route.label else []))]
    return min(ys, default=0.0) - _LABEL, max(ys, default=0.0) + _LABEL


def _is_clean(route: DrawnRoute, height: float) -> bool:
    """Say whether an edge passes a height at most once, with neither its label nor its arrow there."""
    if passes(route.points, height) > 1 or (route.label and abs(route.label[1] - height) < _LABEL):
        return False
    ys = [y for _, y in route.head]
    return not ys or not min(ys) - 1 < height < max(ys) + 1


def _pieces(points: Sequence[Point], cuts: Sequence[float]) -> list[Piece]:
    """Return what an edge is cut into, in its own direction."""
    if not points:
        return []
    rest, pieces = list(points), []
    start, end = bisect(cuts, points[0][1]), bisect(cuts, points[-1][1])
    step = 1 if start < end else -1
    for column in range(start, end, step):
        first, rest = split(rest, cuts[column if step > 0 else column - 1])
        pieces.append((column, first))
    return [*pieces, (end, rest)]


def _lanes(pieces: Sequence[Sequence[Piece]], cut: int) -> list[int]:
    """Return the edges that run over a cut, from right to left."""
    found = {}
    for index, parts in enumerate(pieces):
        for (column, line), (other, _) in pairwise(parts):
            if min(column, other) == cut:
                found[index] = line[-1][0]
    return sorted(found, key=lambda index: -found[index])


def _columns(
    layout: Layout, pieces: Sequence[Sequence[Piece]], cuts: Sequence[float], lanes: Sequence[Sequence[int]], top: float
) -> _Columns:
    """Set the columns side by side, their heads at one height."""
    heads = [_NAME * len(_cut_frames(layout, start)) for start in (0.0, *cuts)]
    shifts: list[Point] = []
    rights: list[float] = []
    for number, (reached, start) in enumerate(zip(_reached(layout, pieces, cuts), (0.0, *cuts), strict=True)):
        left = rights[-1] + _GAP + _LANE * len(lanes[number - 1]) if rights else 0.0
        shifts.append((left - min(reached), top + heads[number] - start))
        rights.append(left + max(reached) - min(reached))
    return _Columns(cuts, shifts, rights, lanes, heads)


def _reached(layout: Layout, pieces: Sequence[Sequence[Piece]], cuts: Sequence[float]) -> list[list[float]]:
    """Return for each column the places from left to right that something in it reaches."""
    found: list[list[float]] = [[] for _ in range(len(cuts) + 1)]
    for place in (*layout.boxes.values(), *layout.clusters.values()):
        for number in range(bisect(cuts, place.y), bisect(cuts, place.y + place.height) + 1):
            found[number] += [place.x, place.x + place.width]
    for number, line in (piece for parts in pieces for piece in parts):
        found[number] += [x for x, _ in line]
    for route in layout.routes:
        if route.label is not None:
            x, y = route.label
            found[bisect(cuts, y)] += [x - route.room / 2, x + route.room / 2]
    return found


def _cut_frames(layout: Layout, height: float) -> list[Rectangle]:
    """Return the frames that a line at a height meets, outermost first."""
    found = [place for place in layout.clusters.values() if place.y < height < place.y + place.height]
    return sorted(found, key=lambda place: -place.width)


def _parts(place: Rectangle, layout: Layout, columns: _Columns) -> list[Rectangle]:
    """Return what a frame is cut into, after the shift; parts but the first have their names at the head again."""
    ends = [cut for cut in columns.cuts if place.y < cut < place.y + place.height]
    parts = []
    for start, end in zip([place.y, *ends], [*ends, place.y + place.height], strict=True):
        x, y = columns.shift(start)
        head = 0.0
        if start > place.y:
            around = _cut_frames(layout, start)
            head = _NAME * (len(around) - around.index(place))
        parts.append(Rectangle(place.x + x, start + y - head, place.width, end - start + head))
    return parts


def _moved(place: Rectangle, columns: _Columns) -> Rectangle:
    x, y = columns.shift(place.y)
    return replace(place, x=place.x + x, y=place.y + y)


def _route(index: int, route: DrawnRoute, pieces: Sequence[Piece], columns: _Columns) -> DrawnRoute:
    moved = [(column, _shifted(points, columns.shifts[column])) for column, points in pieces]
    line = moved[0][1] if moved else []
    for (before, _), (column, points) in pairwise(moved):
        cut = min(before, column)
        rank = columns.lanes[cut].index(index)
        foot, head = (line[-1], points[0]) if before < column else (points[0], line[-1])
        bridge = _bridge(foot, head, rank, cut, columns)
        line += [*(bridge if before < column else bridge[::-1])[1:], *points[1:]]
    end = columns.shifts[pieces[-1][0]] if pieces else (0.0, 0.0)
    label = _shifted([route.label], columns.shift(route.label[1]))[0] if route.label else None
    return DrawnRoute(line, _shifted(route.head, end), label, route.room)


def _bridge(foot: Point, head: Point, rank: int, cut: int, columns: _Columns) -> list[Point]:
    """Return the line from the foot of a column to the head of the next.

    Which edge turns first at the foot turns last at the head, so that no two of them cross.
    """
    low = foot[1] + _LANE * (rank + 1)
    high = head[1] - columns.heads[cut + 1] - _LANE * (len(columns.lanes[cut]) - rank)
    between = columns.rights[cut] + _GAP / 2 + _LANE * rank
    return rounded([foot, (foot[0], low), (between, low), (between, high), (head[0], high), head], _LANE)


def _shifted(points: Iterable[Point], shift: Point) -> list[Point]:
    return [(x + shift[0], y + shift[1]) for x, y in points]
