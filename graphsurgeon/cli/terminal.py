"""How text stands on a terminal: what a colour means, where a name is folded, how wide a column is.

Only this module draws with rich; `cli/output.py` calls it where the standard output is a terminal. Nothing is
shortened: what has no room goes on in the next line, cut between the parts of a name and between words.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from graphsurgeon.cli.cells import cells as width_of
from graphsurgeon.cli.cells import fitting_characters

if TYPE_CHECKING:
    from rich.text import Text

Align = Literal["left", "right"]

# What a cell or a part of a line is -> how rich draws it. Colours stand beside words that say the same.
STYLES = {
    "title": "dim", "heading": "bold", "faint": "dim", "strong": "bold", "command": "bold cyan",
    "error": "bold red", "warning": "yellow", "note": "cyan", "done": "green", "value": "cyan",
    "added": "green", "removed": "red", "renamed": "cyan", "rewired": "magenta", "changed": "yellow",
}  # fmt: skip
SHORT = 16  # characters up to which a column of a table is never folded
LEAST = 18  # characters that a longer column gets at least, else the rows are stacked
HANG = 2  # spaces before a name that goes on in the next line
_WORD = re.compile(r"[^\s/_.:;,|-]+.?")  # what a line is not ended in, with the sign behind it
_SPACE = re.compile(r" (?![kMGTP]?B\b)")  # not the one between a number and its unit
_AT_ONCE = 500  # lines that rich is given in one piece


class Piece(NamedTuple):
    """A piece of text with what it is.

    Attributes:
        text: printable, nothing in it moves the cursor.
        style: a key of `STYLES`, "" for plain text, "name" for a name: its scope faint, its last part bold.
    """

    text: str
    style: str = ""


Pieces = tuple[Piece, ...]
Line = list[Piece]


def is_name(text: str) -> bool:
    """Say whether a text is one word, so that it is cut where names have parts."""
    return " " not in text


def width() -> int:
    """Return the number of columns of the terminal."""
    return shutil.get_terminal_size().columns


def draw(lines: Sequence[Line]) -> None:
    """Print lines as they are, in colour where the terminal has it."""
    console = _console()
    for start in range(0, len(lines), _AT_ONCE):
        text = _text(lines[start : start + _AT_ONCE])
        console.print(text, soft_wrap=True)


def painted(text: str, style: str) -> str:
    """Return a text with the escapes that give it a style on the standard error."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, stderr=True)
    with console.capture() as capture:
        console.print(text, style=STYLES[style], end="", soft_wrap=True)
    return capture.get()


def draw_line(parts: Pieces, hang: int = HANG) -> None:
    """Print a line; one that is too long goes on below, `hang` to the right of where it began."""
    whole = "".join(part.text for part in parts)
    before = len(whole) - len(whole.lstrip(" "))
    rows = fold(whole[before:], width() - before, hang=hang)
    styles = _styles(parts)[before:]
    draw([[Piece(" " * before), *row] for row in _styled(rows, whole[before:], styles, hang=hang)])


def draw_table(
    rows: Sequence[Sequence[Piece]], titles: Sequence[str], sides: Sequence[Align], indent: int,
    totals: Sequence[Sequence[Piece]] = (),
) -> None:  # fmt: skip
    """Print rows as columns that fit; where long columns have no room, each row over several lines.

    Args:
        rows: cells, of as many columns each.
        titles: of the columns, or none.
        sides: of each column, where its text stands.
        indent: spaces before each row.
        totals: rows at the end, which sum up; what their first cell says may reach over empty ones beside it.
    """
    every = [*([[Piece(title, "title") for title in titles]] if titles else []), *rows]
    sums = [[*row, *[Piece("")] * (len(sides) - len(row))] for row in totals]
    columns = [[row[at].text for row in (*every, *(sums if at else ()))] for at in range(len(sides))]
    natural = [max(map(width_of, cells)) for cells in columns]
    least = [_least(cells, size) for cells, size in zip(columns, natural, strict=True)]
    widths = fitting(natural, least, width() - indent)
    if widths is None:
        _stack(rows, titles, indent)
        for row in totals:
            said = [part for part in row if part.text]
            draw_line((Piece(" " * indent), *(Piece(f"{'  ' if at else ''}{part.text}", part.style)
                                             for at, part in enumerate(said))))  # fmt: skip
        return
    lines: list[Line] = []
    for row in every:
        lines += _lines_of(row, widths, sides, indent)
    for row in sums:
        free = next((at for at, part in enumerate(row[1:], 1) if part.text), len(row))
        over = sum(widths[:free]) + 2 * (free - 1)
        lines += _lines_of([row[0], *row[free:]], [over, *widths[free:]], ["left", *sides[free:]], indent)
    draw(lines)


def fitting(natural: Sequence[int], least: Sequence[int], room: int) -> list[int] | None:
    """Return the widths of columns in a room, two spaces between; None where one would get too little.

    Args:
        natural: the longest cell of each column.
        least: what each column needs.
        room: characters of a line.
    """
    left = room - 2 * (len(natural) - 1) - sum(least)
    if left < 0:
        return None
    widths = list(least)
    waiting = sorted(range(len(natural)), key=lambda column: natural[column] - least[column])
    while waiting:  # the one that needs least first: what it leaves is for the others
        column = waiting.pop(0)
        more = min(natural[column] - least[column], left // (len(waiting) + 1))
        widths[column] += more
        left -= more
    return widths


def _least(cells: Sequence[str], natural: int) -> int:
    """Return how wide a column must be so that nothing is cut inside a word."""
    if natural <= SHORT:
        return natural
    return min(natural, max(LEAST, *(width_of(word) for cell in cells for word in _WORD.findall(cell))))


def fold(text: str, room: int, *, hang: int = 0) -> list[str]:
    """Cut a text into lines: at spaces, behind the `/` of a name, else behind another sign, else where it must be.

    Args:
        text: what to cut; all of it is in the lines but the spaces where it is cut.
        room: characters of a line.
        hang: spaces that will stand before each line but the first.
    """
    rest, lines, left = text, [], max(room, 1)
    while width_of(rest) > left:
        cut = _cut(rest, fitting_characters(rest, left))
        lines.append(rest[:cut].rstrip(" "))
        rest = rest[cut:].lstrip(" ")
        left = max(room - hang, 1)
    return [*lines, rest] if rest or not lines else lines


def _cut(text: str, room: int) -> int:
    """Return how many characters go into a line."""
    spaces = [match.start() for match in _SPACE.finditer(text, 0, room + 8) if match.start() <= room]
    if spaces and text[: spaces[-1]].strip(" "):
        return spaces[-1] + 1
    for signs in ("/", r"_.:;,|\-"):
        found = [match.end() for match in re.finditer(f"[{signs}]", text[:room])]
        if found and found[-1] > room // 4:
            return found[-1]
    return room


def _lines_of(row: Sequence[Piece], widths: Sequence[int], sides: Sequence[Align], indent: int) -> Iterator[Line]:
    """Give the lines of one row of a table."""
    cells = []
    for part, room in zip(row, widths, strict=True):
        folded = fold(part.text, room, hang=HANG if is_name(part.text) else 0)
        cells.append(_styled(folded, part.text, _styles((part,)), hang=HANG if is_name(part.text) else 0))
    for number in range(max(map(len, cells))):
        line: Line = [Piece(" " * indent)]
        missing = 0  # spaces that are printed only if something follows
        for cell, room, side in zip(cells, widths, sides, strict=True):
            here = cell[number] if number < len(cell) else []
            size = sum(width_of(part.text) for part in here)
            before = room - size if side == "right" else 0
            if size:
                line += [Piece(" " * (missing + before)), *here]
                missing = room - size - before + 2
            else:
                missing += room + 2
        yield line


def _stack(rows: Sequence[Sequence[Piece]], titles: Sequence[str], indent: int) -> None:
    """Print each row as its first cell and, below it, the others with their titles."""
    at = list(titles).index("name") if "name" in titles else 0
    rows = [[row[at], *row[:at], *row[at + 1 :]] for row in rows]
    titles = [titles[at], *titles[:at], *titles[at + 1 :]] if titles else titles
    lines: list[Line] = []
    for row in rows:
        head = fold(row[0].text, width() - indent, hang=HANG)
        lines += [[Piece(" " * indent), *line] for line in _styled(head, row[0].text, _styles((row[0],)))]
        line: Line = []
        used = 0
        for title, part in zip(titles[1:] or [""] * len(row[1:]), row[1:], strict=True):
            if not part.text:
                continue
            label = f"{title} " if title else ""
            size = len(label) + width_of(part.text)
            if line and indent + 4 + used + 2 + size > width():
                lines.append(line)
                line, used = [], 0
            line += [Piece(" " * (2 if line else indent + 4)), Piece(label, "title")]
            folded = fold(part.text, width() - indent - 4 - len(label), hang=HANG)
            styled = _styled(folded, part.text, _styles((part,)))
            line += styled[0]
            for more in styled[1:]:
                lines.append(line)
                line = [Piece(" " * (indent + 4)), *more]
            used += size + 2
        lines += [line] if line else []
    draw(lines)


def _styles(parts: Pieces) -> list[str]:
    """Return the style of each character."""
    styles: list[str] = []
    for part in parts:
        if part.style == "name":
            scope = part.text.rstrip("/").rfind("/") + 1
            styles += ["faint"] * scope + ["strong"] * (len(part.text) - scope)
        else:
            styles += [part.style] * len(part.text)
    return styles


def _styled(lines: Sequence[str], text: str, styles: Sequence[str], *, hang: int = HANG) -> list[Line]:
    """Give the lines that a text was folded into their styles back, and what goes on its step to the right."""
    found: list[Line] = []
    place = 0
    for number, line in enumerate(lines):
        place = text.index(line, place)
        parts: Line = [Piece(" " * hang)] if number and hang else []
        start = 0
        for end in range(1, len(line) + 1):
            if end == len(line) or styles[place + end] != styles[place + start]:
                parts.append(Piece(line[start:end], styles[place + start]))
                start = end
        found.append(parts)
        place += len(line)
    return found


def _text(lines: Sequence[Line]) -> Text:
    from rich.text import Text

    text = Text(overflow="ignore", no_wrap=True, end="\n")
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        while line and not line[-1].text.strip(" "):
            line = line[:-1]
        for part in line:
            text.append(part.text, style=STYLES.get(part.style, ""))
    return text


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)
