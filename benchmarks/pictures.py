"""What a reader of pictures meets: measured on the SVG of many models, as it is written, not on what it was made from.

    python benchmarks/pictures.py [--architectures FOLDER] [--sheets FOLDER] [--table FILE.json] [--paper NAME]
        MODEL...

Without MODEL: the fixtures that hold a graph, and what `--architectures` holds (`benchmarks/architectures.py` makes
it).
`crossed` counts names of frames that an edge runs through, `overlaps` boxes that share room, `small` pictures whose
smallest text has less than 6 pixels where they are shown 1,440 pixels wide (with `--paper`, less than 6 points on it),
`ratio` the longer side to the shorter,
`blank` the share of squares of 24 pixels that nothing is drawn in. `--sheets` writes contact sheets, as HTML.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import graphsurgeon
from benchmarks.measure import ROOT
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.render import View, draw
from graphsurgeon.render.place.paper import PAPERS
from graphsurgeon.render.place.splines import samples
from graphsurgeon.render.place.text import EDGE_SIZE, LINE_SIZE, text_width

_SHOWN_WIDE = 1440.0
_LEAST_TEXT = 6.0
_SQUARE = 24.0
_PER_SHEET = 9
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SVG = "{http://www.w3.org/2000/svg}"

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom
Line = list[tuple[float, float]]


@dataclass(frozen=True)
class Measured:
    """One picture: see the top of this file."""

    name: str
    boxes: int
    titles: int
    crossed: int
    overlaps: int
    smallest: float
    ratio: float
    blank: float
    seconds: float


def main() -> None:
    """Draw every model, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--architectures", type=Path)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--paper", choices=PAPERS)
    options = parser.parse_args()
    rows, pictures = [], []
    for path in options.models or _models(options.architectures):
        start = time.perf_counter()
        try:
            svg = draw(graphsurgeon.read(path), view=View(paper=options.paper)).content.decode()
        except GraphSurgeonError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        rows.append(measure(path.name, svg, time.perf_counter() - start))
        pictures.append((path.name, svg))
    print_table(rows)
    if options.table:
        options.table.write_text(json.dumps([asdict(row) for row in rows]))
    if options.sheets:
        write_sheets(options.sheets, pictures)


def measure(name: str, svg: str, seconds: float) -> Measured:
    """Return what a picture is like."""
    root = ElementTree.fromstring(svg)
    width, height = (float(root.get("viewBox", "").split()[index]) for index in (2, 3))
    drawing = next(
        group for group in root.iter(f"{_SVG}g") if (group.get("transform") or "") and not group.get("class")
    )
    boxes = [_rectangle(group.findall(f"{_SVG}rect")[-1]) for group in drawing if "box" in _classes(group)]
    titles = [_text_room(text) for text in drawing.iter(f"{_SVG}text") if "frame-title" in _classes(text)]
    lines = [_line(path) for group in drawing if "edge" in _classes(group) for path in group.iter(f"{_SVG}path")]
    crossed = sum(any(_is_inside(point, room) for line in lines for point in line) for room in titles)
    frames = [_rectangle(rect) for rect in drawing.iter(f"{_SVG}rect") if "frame" in _classes(rect)]
    return Measured(
        name, len(boxes), len(titles), crossed,
        sum(_overlap(one, other) for one, other in combinations(boxes, 2)),
        EDGE_SIZE * min(1.0, _shown_wide(root) / width),
        max(width, height) / min(width, height),
        _blank([*boxes, *titles], [*lines, *map(_border, frames)], width, height),
        seconds,
    )  # fmt: skip


def print_table(rows: Sequence[Measured]) -> None:
    """Print a row for every picture, and what they are all together."""
    form = "{:<44} {:>5} {:>6} {:>7} {:>8} {:>5} {:>5} {:>5} {:>6}"
    print(form.format("model", "boxes", "titles", "crossed", "overlaps", "text", "ratio", "blank", "s"))
    for row in rows:
        facts = (f"{row.smallest:.1f}", f"{row.ratio:.1f}", f"{row.blank:.0%}", f"{row.seconds:.1f}")
        print(form.format(row.name[-44:], row.boxes, row.titles, row.crossed, row.overlaps, *facts))
    small = sum(row.smallest < _LEAST_TEXT for row in rows)
    print(
        f"{len(rows)} pictures: {sum(row.crossed for row in rows)} of {sum(row.titles for row in rows)} titles crossed,"
        f" {sum(row.overlaps for row in rows)} overlaps among {sum(row.boxes for row in rows)} boxes,"
        f" {small} with text below {_LEAST_TEXT:g} pixels, ratio {median(row.ratio for row in rows):.1f}"
        f" (at most {max(row.ratio for row in rows):.1f}), blank {median(row.blank for row in rows):.0%}"
    )


def write_sheets(folder: Path, pictures: Sequence[tuple[str, str]]) -> None:
    """Write pages with nine pictures each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(pictures), _PER_SHEET), 1):
        cells = "".join(_cell(name, svg) for name, svg in pictures[start : start + _PER_SHEET])
        style = (
            "body{margin:0;display:grid;grid-template-columns:repeat(3,1fr);grid-auto-rows:600px;font:14px sans-serif}"
        )
        style += "figure{margin:6px;border:1px solid #ccc;display:flex;flex-direction:column}"
        style += "img{flex:1;min-height:0;width:100%;object-fit:contain}"
        (folder / f"sheet{number}.html").write_text(f"<!DOCTYPE html><style>{style}</style>{cells}")


def _cell(name: str, svg: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    return f'<figure><figcaption>{name}</figcaption><img alt="" src="data:image/svg+xml;base64,{data}"></figure>'


def _models(architectures: Path | None) -> Iterator[Path]:
    fixtures = ROOT / "fixtures"
    for folder, pattern in (("savedmodel", "*"), ("graphdef", "*.pb"), ("tflite", "*.tflite"), ("mxnet", "*.json")):
        yield from sorted((fixtures / folder).glob(pattern))
    if architectures is not None:
        yield from sorted(path for path in architectures.iterdir() if path.is_dir() or path.suffix == ".pb")


def _shown_wide(root: ElementTree.Element) -> float:
    """Return how wide a picture is seen: on its paper in points, else on a screen in pixels."""
    told = root.get("width", "")
    return float(told[:-2]) if told.endswith("pt") else _SHOWN_WIDE


def _classes(element: ElementTree.Element) -> list[str]:
    return (element.get("class") or "").split()


def _rectangle(rect: ElementTree.Element) -> Rectangle:
    left, top, width, height = (float(rect.get(key, "0")) for key in ("x", "y", "width", "height"))
    return left, top, left + width, top + height


def _text_room(text: ElementTree.Element) -> Rectangle:
    left, base = float(text.get("x", "0")), float(text.get("y", "0"))
    # The widest font that a viewer may take; of the letters' height what is certainly inked.
    return left, base - 8, left + text_width(text.text or "", LINE_SIZE, bold=True), base + 1


def _line(path: ElementTree.Element) -> Line:
    numbers = [float(number) for number in _NUMBER.findall(path.get("d") or "")]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    return samples(points, 2.0) if "C" in (path.get("d") or "") else points


def _border(place: Rectangle) -> Line:
    left, top, right, bottom = place
    across = [left + _SQUARE * step for step in range(int((right - left) / _SQUARE) + 1)]
    down = [top + _SQUARE * step for step in range(int((bottom - top) / _SQUARE) + 1)]
    return [*((x, y) for x in across for y in (top, bottom)), *((x, y) for y in down for x in (left, right))]


def _is_inside(point: tuple[float, float], room: Rectangle) -> bool:
    return room[0] <= point[0] <= room[2] and room[1] <= point[1] <= room[3]


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _blank(places: Iterable[Rectangle], lines: Iterable[Line], width: float, height: float) -> float:
    used = {(int(x // _SQUARE), int(y // _SQUARE)) for line in lines for x, y in line}
    for left, top, right, bottom in places:
        columns = range(int(left // _SQUARE), int(right // _SQUARE) + 1)
        used |= {(x, y) for x in columns for y in range(int(top // _SQUARE), int(bottom // _SQUARE) + 1)}
    return 1 - len(used) / max(len(used), int(width / _SQUARE + 1) * int(height / _SQUARE + 1))


if __name__ == "__main__":
    main()
