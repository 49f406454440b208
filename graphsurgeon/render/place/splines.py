"""Lines of cubic Bézier curves, as layouts have them: a start, then three points for every curve."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]
_HALVINGS = 20  # of a curve, to find where it passes a height: to a millionth of its length


def passes(points: Sequence[Point], height: float) -> int:
    """Return how often a line passes a height; a curve that may touch it, and return, counts twice."""
    count = 0
    for start in range(0, len(points) - 3, 3):
        above = [y < height for _, y in points[start : start + 4]]
        count += 1 if above[0] != above[3] else 2 * (above[1] != above[0] or above[2] != above[0])
    return count


def split(points: Sequence[Point], height: float) -> tuple[list[Point], list[Point]]:
    """Return the two lines that one is cut into at the height that it passes; the second is empty if it does not."""
    for start in range(0, len(points) - 3, 3):
        curve = points[start : start + 4]
        if (curve[0][1] < height) != (curve[3][1] < height):
            first, second = _halves(curve, _where(curve, height))
            return [*points[:start], *first], [*second, *points[start + 4 :]]
    return list(points), []


def rounded(corners: Sequence[Point], radius: float) -> list[Point]:
    """Return a line through corners, each rounded."""
    line = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        enter, leave = _towards(corner, before, radius), _towards(corner, after, radius)
        line += [line[-1], enter, enter, corner, corner, leave]
    return [*line, line[-1], corners[-1], corners[-1]]


def samples(points: Sequence[Point], step: float) -> list[Point]:
    """Return points along a line, no farther from each other than about a step."""
    found = list(points[:1])
    for start in range(0, len(points) - 3, 3):
        curve = points[start : start + 4]
        length = sum(abs(one[0] - other[0]) + abs(one[1] - other[1]) for one, other in pairwise(curve))
        count = max(1, int(length / step))
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = curve
        for number in range(1, count + 1):
            t = number / count
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            found.append((a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy))
    return found


def _where(curve: Sequence[Point], height: float) -> float:
    """Return the parameter at which a curve passes a height."""
    low, high = 0.0, 1.0
    is_above = curve[0][1] < height
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (_halves(curve, middle)[0][3][1] < height) == is_above:
            low = middle
        else:
            high = middle
    return low


def _halves(curve: Sequence[Point], at: float) -> tuple[list[Point], list[Point]]:
    """Divide a curve in two, by de Casteljau's construction."""
    first, second = [curve[0]], [curve[-1]]
    while len(curve) > 1:
        curve = [_between(a, b, at) for a, b in pairwise(curve)]
        first.append(curve[0])
        second.append(curve[-1])
    return first, second[::-1]


def _between(start: Point, end: Point, at: float) -> Point:
    return start[0] + (end[0] - start[0]) * at, start[1] + (end[1] - start[1]) * at


def _towards(corner: Point, other: Point, radius: float) -> Point:
    length = abs(other[0] - corner[0]) + abs(other[1] - corner[1])
    return _between(corner, other, min(radius / length, 0.5)) if length else corner
