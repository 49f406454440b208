"""The one place where reports become text or JSON.

On a terminal `cli/terminal.py` draws rows: long names fold, nothing is shortened, colours have a meaning. In a pipe
rows are plain columns of any width, and rich is not imported. Text from a model is never taken for markup; what would
move the cursor or reorder the line is shown escaped.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphsurgeon.analysis.patterns import escape as escape
from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.cli import terminal
from graphsurgeon.cli.cells import cells as width_of
from graphsurgeon.cli.cells import padded
from graphsurgeon.cli.terminal import Align as Align
from graphsurgeon.cli.terminal import Piece as Piece
from graphsurgeon.errors import plural as plural
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

SCHEMA = 1
MOST_ITEMS = 1000  # of a small tensor's values that JSON holds
FEW_VALUES = 8  # of a tensor that are shown in a line
PATIENCE = 0.5  # seconds before a progress bar is drawn


# -- JSON ----------------------------------------------------------------------------------------------


def print_json(report: object, *, compact: bool = False) -> None:
    """Print a report as one JSON object; on one line unless a person reads it on a terminal."""
    import json

    fields = to_json(report)
    content = {"schema": SCHEMA, **fields} if isinstance(fields, dict) else {"schema": SCHEMA, "result": fields}
    print(json.dumps(content, indent=2 if sys.stdout.isatty() and not compact else None, allow_nan=False))


def to_json(value: object) -> Any:
    """Return what `json` can print: dataclasses as objects, shapes as lists, NaN and infinity as null."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _well_formed(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if hasattr(value, "_fields") or dataclasses.is_dataclass(value):
        return _fields_to_json(value)
    if isinstance(value, Mapping):
        return {_well_formed(str(key)): to_json(item) for key, item in value.items()}
    return _object_to_json(value)


def _object_to_json(value: object) -> Any:
    if isinstance(value, Shape):
        return value.to_json()
    if isinstance(value, DType | Node | Value | Graph):
        return _well_formed(value.name if isinstance(value, DType | Node | Graph) else str(value))
    if isinstance(value, Tensor):
        return _tensor_to_json(value)
    if isinstance(value, set | frozenset):
        return sorted(to_json(item) for item in value)
    if isinstance(value, Iterable):
        return [to_json(item) for item in value]
    return _well_formed(str(value))


def _fields_to_json(report: Any) -> dict[str, Any]:
    """Give the fields of a dataclass or named tuple; those of a tensor stand among the others."""
    if isinstance(report, Quantization):
        return {name: to_json(getattr(report, name)) for name in ("scale", "zero_point", "axis")}
    names: Sequence[str] = getattr(report, "_fields", ()) or _field_names(report)
    if getattr(report, "index", 0) is None:  # no TFLite tensor
        names = [name for name in names if name not in ("index", "quantization")]
    fields: dict[str, Any] = {}
    for name in names:
        value = getattr(report, name)
        if isinstance(value, TensorFact) and name == "tensor":
            fields |= _fields_to_json(value)
        else:
            fields[name] = to_json(value)
    return fields


def _field_names(report: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(report) if field.metadata.get("json", True)]


def _tensor_to_json(tensor: Tensor) -> dict[str, Any]:
    """Give the values of a small tensor, flat; NaN and infinities become null and are counted beside."""
    fields: dict[str, Any] = {"dtype": tensor.dtype.name, "shape": tensor.shape.to_json()}
    if tensor.num_elements > MOST_ITEMS:
        return fields | {"values": None}
    items = [str(item) if isinstance(item, complex) else item for item in tensor.items()]
    not_finite = sum(isinstance(item, float) and not math.isfinite(item) for item in items)
    return fields | {"values": to_json(items), "not_finite": not_finite}


def _well_formed(text: str) -> str:
    """Return text without lone surrogates, which are bytes of the file that are no UTF-8."""
    if text.isascii():
        return text
    return "".join(escape(char) if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)


# -- text ----------------------------------------------------------------------------------------------


def name(text: object) -> Piece:
    """Return a name as a part of a line or a cell: on a terminal its scope is faint and its last part bold."""
    return Piece(escape(text), "name")


def mark(text: object, style: str) -> Piece:
    """Return a part of a line or a cell that is more than plain text; `style` is a key of `terminal.STYLES`."""
    return Piece(escape(text), style)


def line(*parts: object, hang: int = terminal.HANG) -> None:
    """Print one line of parts; on a terminal one that is too long goes on below, cut between words, `hang` inwards."""
    made = tuple(map(_part, parts))
    if sys.stdout.isatty() and made:
        terminal.draw_line(made, hang)
    else:
        print("".join(part.text for part in made))


def verbatim(text: object) -> None:
    """Print one line that somebody will copy: it is never cut."""
    print(escape(text))


def warn(text: str, *, prefix: str = "warning") -> None:
    """Tell something beside the answer, in one line on stderr."""
    print(f"{sign(prefix)} {escape(text)}", file=sys.stderr)


def sign(style: str) -> str:
    """Return the `gs:` that begins a line on stderr, in the colour of an error or a warning where there is one."""
    return terminal.painted("gs:", style) if sys.stderr.isatty() else "gs:"


def heading(*parts: object, apart: bool = False) -> None:
    """Print a line that begins a part, bold on a terminal; `apart` puts an empty line before it."""
    if apart:
        print()
    line(*(Piece(part.text, part.style or "heading") for part in map(_part, parts)))


def wrote(path: object, about: str, *, dry_run: bool = False) -> None:
    """Tell what was written, or would be: `wrote out.npz (27 weights, 4.0 kB)`."""
    line(mark("would write" if dry_run else "wrote", "done"), " ", mark(path, "strong"), f" ({about})")


def more(count: int, noun: str, option: str, *, indent: int = 2) -> None:
    """Tell how many rows are not shown, and how to see them."""
    line(" " * indent, mark(f"{count:,} more{' ' if noun else ''}{noun} ({option})", "faint"))


def next_step(command: str, *, apart: bool = True) -> None:
    """Tell which command goes on from here."""
    if apart:
        print()
    if sys.stdout.isatty():
        terminal.draw([[Piece("next: ", "title"), Piece(escape(command), "command")]])
    else:
        print(f"next: {escape(command)}")


def table(
    rows: Iterable[Sequence[object]], *, titles: Sequence[str] = (), align: Sequence[Align] = (), indent: int = 0,
    totals: Iterable[Sequence[object]] = (),
) -> None:  # fmt: skip
    """Print rows as columns: folded to the width of a terminal, as wide as they are in a pipe.

    Args:
        rows: cells; None is an empty one. Every row has as many.
        titles: of the columns, shown on a terminal only: in a pipe every line is a row.
        align: of each column, "left" where not given.
        indent: spaces before each row.
        totals: rows that sum up the others, shown on a terminal only.
    """
    cells = [[_part(cell) for cell in row] for row in rows]
    if not cells:
        return
    sides: list[Align] = [align[column] if column < len(align) else "left" for column in range(len(cells[0]))]
    if sys.stdout.isatty():
        sums = [[Piece(part.text, part.style or "strong") for part in map(_part, row)] for row in totals]
        terminal.draw_table(cells, titles, sides, indent, sums)
        return
    widths = [max(width_of(row[column].text) for row in cells) for column in range(len(sides))]
    for row in cells:
        columns = zip(row, widths, sides, strict=True)
        texts = [padded(cell.text, width, right=side == "right") for cell, width, side in columns]
        print((" " * indent + "  ".join(texts)).rstrip())


def _part(value: object) -> Piece:
    if isinstance(value, Piece):
        return value
    return Piece("" if value is None else escape(value))


def wrapped(items: Sequence[str], *, first: str = "", indent: int = 0, between: str = ", ") -> None:
    """Print items one behind the other; on a terminal a line ends before an item that has no room.

    Args:
        items: what to print.
        first: stands before them.
        indent: spaces before each line; `first` stands in those of the first.
        between: separates items.
    """
    width = terminal.width() if sys.stdout.isatty() else 0
    lines = [first.ljust(indent)]
    for number, item in enumerate(items):
        text = escape(item) + (between if number + 1 < len(items) else "")
        if width and width_of(lines[-1]) + width_of(text.rstrip()) > width and lines[-1].strip():
            lines.append(" " * indent)
        lines[-1] += text
    for text in lines:
        print(text.rstrip())


def values(tensor: Tensor) -> str:
    """Format the values of a small tensor in one line. Reads them."""
    if tensor.num_elements > FEW_VALUES:
        return plural(tensor.num_elements, "value")
    items = [repr(item) for item in tensor.items()]
    return items[0] if tensor.shape.rank == 0 and items else f"[{', '.join(items)}]"


def text_of(value: object) -> str:
    """Return one cell for any field of a report."""
    if isinstance(value, Node | Graph):
        return value.name
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, TensorFact):
        return f"{value.name}  {value.dtype}  {value.shape}"
    if isinstance(value, Quantization):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(text_of(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={text_of(item)}" for key, item in value.items())
    return "" if value is None else str(value)


# -- progress ------------------------------------------------------------------------------------------


@contextmanager
def progress_bar(doing: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """Give a function that takes (done, total) in bytes and draws a bar on stderr; None where nobody looks.

    What takes less than half a second is not worth a bar.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    bar = _Bar(doing)
    try:
        yield bar.show
    finally:
        bar.stop()


class _Bar:
    def __init__(self, doing: str) -> None:
        from time import monotonic

        self.doing = doing
        self.now = monotonic
        self.begun = monotonic()
        self.progress: Any = None
        self.task: Any = None

    def show(self, done: int, total: int) -> None:
        if self.progress is None:
            if self.now() - self.begun < PATIENCE or done >= total:
                return
            self._start(total)
        self.progress.update(self.task, completed=done, total=total)

    def _start(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self.progress.start()
        self.task = self.progress.add_task(self.doing, total=total)

    def stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()


# -- words ---------------------------------------------------------------------------------------------


def size(count: int) -> str:
    """Format bytes: `512 B`, `14.9 kB`, `102.5 MB`."""
    amount, units = float(count), ["B", "kB", "MB", "GB", "TB", "PB"]
    while amount >= 999.95 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{count} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"


def number(count: int) -> str:
    """Format a count: `1,234`, `25.6M`."""
    if count < 1_000_000:
        return f"{count:,}"
    amount, units = count / 1_000_000, ["M", "G", "T"]
    while amount >= 999.95 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.1f}{units[0]}"
