"""Papers that a picture is meant for: their room, and the smallest text that can be read on them."""

from __future__ import annotations

from typing import NamedTuple

from graphsurgeon.errors import UsageError
from graphsurgeon.render.place.text import EDGE_SIZE

SMALLEST = 6.0  # points: what a reader of a printed page can still make out
_END = 130.0  # points for an input or output: on half a page four, in a column one
_SPREAD = 1.5  # times the room of its boxes, at the least, that a network takes with its edges and their labels


class Paper(NamedTuple):
    """A paper.

    Attributes:
        name: as `--paper` takes it.
        width, height: the room between its margins, in points (1/72 inch).
    """

    name: str
    width: float
    height: float

    @property
    def proportion(self) -> float:
        """Width to height."""
        return self.width / self.height

    def scale(self, width: float, height: float) -> float:
        """Return how much smaller something is printed so that it fits."""
        return min(self.width / width, self.height / height, 1.0)

    def may_hold(self, room: float) -> bool:
        """Say whether boxes of so much room can be hoped to fit with text that can be read."""
        return room * _SPREAD <= self.width * self.height * (EDGE_SIZE / SMALLEST) ** 2

    def smallest_text(self, width: float, height: float) -> float:
        """Return the size of the smallest text of a picture of this size on the paper, in points."""
        return EDGE_SIZE * self.scale(width, height)


# a4: upright, with margins of 15 mm. slide: 16 to 9, as presentations have it, 13.33 by 7.5 inches with half an inch
# of margin. column: one of two columns of a printed article, 3.5 inches wide.
PAPERS = {
    paper.name: paper
    for paper in (Paper("a4", 510.0, 757.0), Paper("slide", 888.0, 468.0), Paper("column", 252.0, 640.0))
}


def most_ends(name: str | None) -> int | None:
    """Return how many inputs, or outputs, stand side by side on a paper before all are one box; None without one."""
    return None if name is None else max(int(paper_named(name).width // _END), 1)


def paper_named(name: str) -> Paper:
    """Return a paper.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in PAPERS:
        raise UsageError(f"there is no paper {name!r}", hint=f"one of {', '.join(PAPERS)}")
    return PAPERS[name]
