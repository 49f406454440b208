"""What a picture shows is asked for by the title that it shows: blocks, groups and layers that were found, not named.

The twins behind a `×N` have the names that they would have if they were drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from graphsurgeon.model.traversal import in_preorder
from graphsurgeon.render.arrange.levels import Part
from graphsurgeon.render.arrange.parallels import SIDE_BY_SIDE
from graphsurgeon.render.scene.boxes import LONGEST_TITLE, shortened

WHILE = " · while "  # between the name of a loop and what it goes on for
_TIMES = re.compile(r"^(?P<name>.*?) ?[×x](?P<count>\d+)$")


def operations_titled(root: Part, text: str) -> list[int]:
    """Return the operations inside the outermost parts that have a title, in order; none if there is no such title.

    Args:
        root: of the levels.
        text: a title as a box or frame shows it, the whole name of a part, the end of one, or a glob.
    """
    is_wanted = _matcher(text)
    found = in_preorder([root], lambda part: () if part is not root and is_wanted(part) else part.children)
    return [index for part in found if part is not root and is_wanted(part) for index in part.operations()]


def titles(root: Part) -> Iterator[str]:
    """Yield the titles of all levels that hold something, found ones included."""
    for part in root.parts():
        if part is not root and not part.is_operation:
            yield part.children[0].name + f" ×{part.count}" if part.kind == "repeat" else part.name


def _matcher(text: str) -> Callable[[Part], bool]:
    wanted = text.partition(WHILE)[0].removesuffix(f" {SIDE_BY_SIDE}").strip("/")
    times = _TIMES.fullmatch(wanted)
    run = (times["name"], int(times["count"])) if times else None
    is_glob = any(char in wanted for char in "*?[")

    def is_wanted(part: Part) -> bool:
        if part.kind == "repeat":
            return run == (part.children[0].name, part.count)
        names = (part.name, part.path, shortened(part.name, LONGEST_TITLE))
        if wanted in names or part.path.endswith("/" + wanted):
            return True
        return is_glob and any(fnmatchcase(name, wanted) for name in names)

    return is_wanted
