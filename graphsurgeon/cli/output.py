"""The one place where reports become text or JSON.

On a terminal rows are drawn by rich: long names fold, nothing is shortened. In a pipe rows are plain columns
of any width, and rich is not imported. Text from a model is never taken for markup; what would move the cursor
or reorder the line is shown escaped.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from graphsurgeon.analysis.patterns import escape as escape
from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.errors import plural as plural
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

SCHEMA = 1
MOST_ITEMS = 1000  # of a small tensor's values that JSON holds
FEW_VALUES = 8  # of a tensor that are shown in a line
SHORT = 16  # characters up to which a column of a table is never folded
LEAST = 24  # characters that a longer column gets at least, else the rows are stacked
PATIENCE = 0.5  # seconds before a progress bar is drawn
Align = Literal["left", "right"]


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


def line(text: object = "") -> None:
    """Print one line."""
    print(escape(text))


def warn(text: str) -> None:
    """Tell something beside the answer, on stderr."""
    print(f"gs: {escape(text)}", file=sys.stderr)


def heading(text: str, *, apart: bool = False) -> None:
    """Print a line that begins a part, bold on a terminal; `apart` puts an empty line before it."""
    if apart:
        print()
    if sys.stdout.isatty():
        _console().print(_text(text, "bold"), soft_wrap=True)
    else:
        print(escape(text))


def table(
    rows: Iterable[Sequence[object]], *, titles: Sequence[str] = (), align: Sequence[Align] = (), indent: int = 0
) -> None:
    """Print rows as columns: folded to the width of a terminal, as wide as they are in a pipe.

    Args:
        rows: cells; None is an empty one. Every row has as many.
        titles: of the columns, shown on a terminal only: in a pipe every line is a row.
        align: of each column, "left" where not given.
        indent: spaces before each row.
    """
    cells = [["" if cell is None else escape(cell) for cell in row] for row in rows]
    if not cells:
        return
    sides: list[Align] = [align[column] if column < len(align) else "left" for column in range(len(cells[0]))]
    if sys.stdout.isatty():
        _draw(cells, titles, sides, indent)
        return
    widths = [max(len(row[column]) for row in cells) for column in range(len(sides))]
    for row in cells:
        padded = [_pad(*cell) for cell in zip(row, widths, sides, strict=True)]
        print((" " * indent + "  ".join(padded)).rstrip())


def _pad(text: str, width: int, side: Align) -> str:
    return text.rjust(width) if side == "right" else text.ljust(width)


def _draw(cells: Sequence[Sequence[str]], titles: Sequence[str], sides: Sequence[Align], indent: int) -> None:
    """Draw a table whose long columns fold; where there is no room for that, each row over several lines."""
    console = _console()
    widths = [max(len(row[column]) for row in [*cells, titles or [""] * len(sides)]) for column in range(len(sides))]
    long = [column for column, width in enumerate(widths) if width > SHORT]
    room = console.width - indent - sum(widths[column] + 2 for column in range(len(sides)) if column not in long)
    if room < sum(min(widths[column], LEAST) + 2 for column in long):
        _stack(cells, titles, indent)
        return
    from rich.padding import Padding
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=bool(titles), header_style="dim")
    for column, side in enumerate(sides):
        title = titles[column] if titles else ""
        table.add_column(title, overflow="fold", justify=side, no_wrap=column not in long)
    for row in cells:
        table.add_row(*(_text(cell) for cell in row))
    console.print(Padding(table, (0, 0, 0, indent)))


def _stack(cells: Sequence[Sequence[str]], titles: Sequence[str], indent: int) -> None:
    """Print each row as its first cell and, below it, the others with their titles."""
    for row in cells:
        print(" " * indent + row[0])
        named = list(zip(titles[1:], row[1:], strict=True)) if titles else [("", cell) for cell in row[1:]]
        wrapped([f"{title} {cell}".strip() for title, cell in named if cell], indent=indent + 4, between="  ")


def wrapped(items: Sequence[str], *, first: str = "", indent: int = 0, between: str = ", ") -> None:
    """Print items one behind the other; on a terminal a line ends before an item that has no room.

    Args:
        items: what to print.
        first: stands before them.
        indent: spaces before each line; `first` stands in those of the first.
        between: separates items.
    """
    width = _console().width if sys.stdout.isatty() else 0
    lines = [first.ljust(indent)]
    for number, item in enumerate(items):
        text = escape(item) + (between if number + 1 < len(items) else "")
        if width and len(lines[-1]) + len(text.rstrip()) > width and lines[-1].strip():
            lines.append(" " * indent)
        lines[-1] += text
    for text in lines:
        print(text.rstrip())


def _text(text: str, style: str = "") -> Any:
    from rich.text import Text

    return Text(escape(text), style=style, overflow="fold")


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


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
