"""A scene, laid out, as SVG: text stays text, every box has an id, a title and classes, dark mode through CSS.

Colours are attributes, which every viewer understands; the style sheet only adds dark paper and what a page may
override. Texts of the model are escaped here, in one place each for text and attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from graphsurgeon.errors import plural
from graphsurgeon.render.place.frame_titles import drawn_frames, title_places
from graphsurgeon.render.place.layout import DrawnRoute, Layout, Point, Rectangle
from graphsurgeon.render.place.paper import Paper
from graphsurgeon.render.place.text import EDGE_SIZE, LINE_HEIGHT, LINE_SIZE, TITLE_SIZE, printable, text_width
from graphsurgeon.render.scene.boxes import shortened
from graphsurgeon.render.scene.scene import Box, Cluster, Edge, Scene
from graphsurgeon.render.write import palette

FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_ROOT = "graphsurgeon"
_MARGIN = 16.0
_LEGEND_ROW = 20.0
_LEGEND_SWATCH = 12.0
_DASHES = {"shape": "5 3", "loop": "7 3 2 3", "condition": "1 4", "control": "2 3", "removed": "6 4"}
_WIDTHS = {"resource": "2.2", "quantized": "1.4"}
_MOST_ROUND = 32.0  # of the corners of inputs and outputs
_LONGEST_NOTE = 110
_LEAST_WIDTH = 240.0
_LEGEND_WIDTH = 420.0


def svg_text(scene: Scene, layout: Layout, *, legend: bool = True, paper: Paper | None = None) -> str:
    """Return an SVG document.

    Args:
        scene: what to draw.
        layout: where everything goes.
        legend: explain colours and lines, and list signatures, below the picture.
        paper: what it is to fit on, in points; without, it has the size that its texts need.
    """
    sheet = _Sheet(scene, layout, legend=legend, paper=paper)
    width, height = sheet.width, sheet.height
    scale, unit = (paper.scale(width, height), "pt") if paper is not None else (1.0, "")
    size = f'width="{width * scale:.0f}{unit}" height="{height * scale:.0f}{unit}"'
    size += f' viewBox="0 0 {width:.0f} {height:.0f}"'
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{_ROOT}" {size} role="img" font-family="{FONTS}">',
        f"<title>{_text(scene.title)}</title>",
        f"<style>{style_sheet(scene)}</style>",
        f'<rect class="paper" width="100%" height="100%" fill="{palette.PAPER}"/>',
        *sheet.head(),
        f'<g transform="translate({_MARGIN:g} {sheet.top + _MARGIN / 2:g})">',
        *drawing(scene, layout),
        "</g>",
        f'<g class="legend" transform="translate({_MARGIN:g} {sheet.top + layout.height + _MARGIN:g})">',
        *(piece for piece, _, _ in sheet.foot),
        "</g>",
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def sheet_size(scene: Scene, layout: Layout, paper: Paper) -> tuple[float, float]:
    """Return width and height of the document for a paper, in the unit of the font sizes: title and legend included."""
    sheet = _Sheet(scene, layout, legend=True, paper=paper)
    return sheet.width, sheet.height


class _Sheet:
    """The document around a drawing: what stands above and below it, and how much room all takes."""

    def __init__(self, scene: Scene, layout: Layout, *, legend: bool, paper: Paper | None) -> None:
        room = max(layout.width, _LEAST_WIDTH if paper is not None else _LEGEND_WIDTH)
        longest = min(int(room / text_width("n", LINE_SIZE)), _LONGEST_NOTE) if paper is not None else _LONGEST_NOTE
        self.foot = list(_foot(scene, room, longest)) if legend else []
        self.title = shortened(scene.title, longest)
        self.subtitle = list(_wrapped(_subtitle(scene), longest)) if paper is not None else [_subtitle(scene)]
        texts = [text_width(self.title, 16, bold=True), *(text_width(line, LINE_SIZE) for line in self.subtitle)]
        self.top = (1.6 + len(self.subtitle)) * LINE_HEIGHT + _MARGIN
        self.width = max(layout.width, *texts, *(x for _, x, _ in self.foot), _LEAST_WIDTH) + 2 * _MARGIN
        self.height = self.top + layout.height + max((y for _, _, y in self.foot), default=0.0) + 2 * _MARGIN

    def head(self) -> Iterator[str]:
        """Yield the title, and what stands under it."""
        yield _line(self.title, _MARGIN, _MARGIN + 16, 16, "title", bold=True)
        for number, text in enumerate(self.subtitle):
            yield _line(text, _MARGIN, _MARGIN + 34 + number * LINE_HEIGHT, LINE_SIZE, "faint")


def drawing(scene: Scene, layout: Layout) -> Iterator[str]:
    """Yield the elements of the drawing itself: frames, edges, boxes."""
    frames = list(drawn_frames(scene, layout))
    named = set[str]()
    for cluster, place, _ in frames:
        yield _cluster(cluster, place, "" if cluster.id in named else cluster.id)
        named.add(cluster.id)
    for edge, route in zip(scene.edges, layout.routes, strict=True):
        yield _edge(edge, route)
    # Names of frames come after the edges: where there is no room beside an edge they are drawn over it.
    for (_, _, name), (x, y) in zip(frames, title_places(layout, [(p, n) for _, p, n in frames]), strict=True):
        yield _line(name, x, y, LINE_SIZE, "frame-title", bold=True, fill="#56606b", halo=True)
    for box in scene.boxes:
        yield _box(box, layout.boxes[box.id])


def style_sheet(scene: Scene) -> str:
    """Return the rules for dark paper, of the families that are drawn."""
    rules = [
        f".paper{{fill:{palette.DARK_PAPER}}}",
        f"text{{fill:{palette.DARK_INK}}}",
        ".faint{fill:#9aa5b1}",
        ".edge path{stroke:#9aa5b1}",
        ".edge polygon{fill:#9aa5b1;stroke:#9aa5b1}",
        f".shape,.{_ROOT} .frame-title{{stroke:{palette.DARK_PAPER}}}",
        ".frame{fill:#1b2026;stroke:#4b5560}",
    ]
    for family in dict.fromkeys(box.family for box in scene.boxes):
        fill, stroke = palette.DARK_FILLS.get(family, ""), palette.DARK_STROKES.get(family, "")
        rules.append(f".f-{family} .body{{fill:{fill};stroke:{stroke}}}")
    marks = dict.fromkeys(mark for box in scene.boxes for mark in box.marks if mark in palette.MARKS)
    rules += [f".m-{mark} .body{{stroke:{palette.MARKS[mark][1]}}}" for mark in marks]
    rules += [f".m-highlight path{{stroke:{palette.MARKS['highlight'][1]}}}"] if "highlight" in marks else []
    # A picture may stand in a page, whose own elements are none of our business.
    return "@media (prefers-color-scheme: dark){" + "".join(f".{_ROOT} {rule}" for rule in rules) + "}"


def _box(box: Box, place: Rectangle) -> str:
    fill = palette.FILLS.get(box.family, palette.FILLS["other"])
    stroke = palette.STROKES.get(box.family, palette.STROKES["other"])
    mark = next((mark for mark in box.marks if mark in palette.MARKS), None)
    classes = ["box", f"k-{box.kind}", f"f-{box.family}", *(f"m-{mark}" for mark in box.marks)]
    outline = f'fill="{fill}" stroke="{palette.MARKS[mark][0] if mark else stroke}" stroke-width="{2.6 if mark else 1}"'
    outline += ' stroke-dasharray="4 3"' if "outside" in box.marks else ""
    pieces = [
        f'<g id={_attribute(box.id)} class="{" ".join(classes)}" data-name={_attribute(box.name)}>',
        f"<title>{_text(_tooltip(box))}</title>",
        *_shadow(box, place, outline),
        f'<rect class="body" {_corner(place)} rx="{_radius(box, place):g}" {outline}/>',
        *_lines(box, place),
        "</g>",
    ]
    return "".join(pieces)


def _shadow(box: Box, place: Rectangle, outline: str) -> Iterator[str]:
    """Yield the edge of a second sheet behind a box that stands for several nodes."""
    if box.count > 1 or box.kind not in ("operation", "layer", "input", "output"):
        behind = Rectangle(place.x + 3, place.y + 3, place.width, place.height)
        yield f'<rect class="body sheet" {_corner(behind)} rx="5" {outline}/>'


def _lines(box: Box, place: Rectangle) -> Iterator[str]:
    middle = place.x + place.width / 2
    top = place.y + (place.height - LINE_HEIGHT * (1 + len(box.lines))) / 2 + LINE_HEIGHT - 3.5
    yield _line(box.title, middle, top, TITLE_SIZE, "", bold=True, anchor="middle")
    for number, line in enumerate(box.lines, 1):
        yield _line(line, middle, top + number * LINE_HEIGHT, LINE_SIZE, "fact", anchor="middle")


def _cluster(cluster: Cluster, place: Rectangle, identity: str) -> str:
    named = f" id={_attribute(identity)}" if identity else ""
    return (
        f'<g{named} class="cluster k-{cluster.kind}" data-name={_attribute(cluster.name)}>'
        f"<title>{_text(cluster.name)}</title>"
        f'<rect class="frame" {_corner(place)} rx="8" fill="#f7f9fb" stroke="#b6bfc9"'
        f' stroke-dasharray="{_frame_dash(cluster)}"/></g>'
    )


def _frame_dash(cluster: Cluster) -> str:
    return "7 4" if cluster.kind in ("loop", "condition", "branch") else "none"


def _edge(edge: Edge, route: DrawnRoute) -> str:
    classes = " ".join(["edge", f"e-{edge.kind}", *(f"m-{mark}" for mark in edge.marks)])
    mark = "highlight" if "highlight" in edge.marks else edge.kind
    color = palette.MARKS[mark][0] if mark in palette.MARKS else "#67707b"
    width = "2.2" if "highlight" in edge.marks else _WIDTHS.get(edge.kind, "1.1")
    dash = f' stroke-dasharray="{_DASHES[edge.kind]}"' if edge.kind in _DASHES else ""
    pieces = [
        f'<g class="{classes}"><title>{_text(_values(edge))}</title>',
        f'<path d="{_curve(route.points)}" fill="none" stroke="{color}" stroke-width="{width}"{dash}/>',
    ]
    if route.head:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in route.head)
        pieces.append(f'<polygon points="{points}" fill="{color}" stroke="{color}"/>')
    if edge.label and route.label is not None:
        x, y = route.label
        pieces.append(_line(edge.label, x, y + 3.5, EDGE_SIZE, "shape", anchor="middle", halo=True))
    return "".join([*pieces, "</g>"])


def _foot(scene: Scene, right: float, longest: int) -> Iterator[tuple[str, float, float]]:
    """Yield the pieces below the picture, each with how far it reaches to the right and down."""
    x, y = 0.0, _LEGEND_ROW
    families = palette.legend({box.family for box in scene.boxes}, scene.colors)
    marks = {m: palette.MARK_LABELS[m] for m in palette.MARKS if any(m in box.marks for box in scene.boxes)}
    kinds = {k: palette.EDGE_LABELS[k] for k in palette.EDGE_LABELS if any(edge.kind == k for edge in scene.edges)}
    samples = [(_swatch, families), (_mark_sample, marks), (_stroke_sample, kinds)]
    for sample, key, label in [(sample, *item) for sample, labels in samples for item in labels.items()]:
        width = _LEGEND_SWATCH + 8 + text_width(label, LINE_SIZE) + 14
        if x + width > right and x:
            x, y = 0.0, y + _LEGEND_ROW
        yield sample(key, x, y) + _line(label, x + _LEGEND_SWATCH + 8, y, LINE_SIZE, "fact"), x + width, y
        x += width
    for note in _remarks(scene, longest):
        y += LINE_HEIGHT + 2
        yield _line(note, 0.0, y, LINE_SIZE, "faint"), text_width(note, LINE_SIZE), y


def _swatch(family: str, x: float, y: float) -> str:
    place = Rectangle(x, y - _LEGEND_SWATCH + 2, _LEGEND_SWATCH, _LEGEND_SWATCH)
    colors = f'fill="{palette.FILLS[family]}" stroke="{palette.STROKES[family]}"'
    return f'<g class="f-{family}"><rect class="body" {_corner(place)} rx="3" {colors}/></g>'


def _mark_sample(mark: str, x: float, y: float) -> str:
    place = Rectangle(x, y - _LEGEND_SWATCH + 2, _LEGEND_SWATCH, _LEGEND_SWATCH)
    outline = f'fill="none" stroke="{palette.MARKS[mark][0]}" stroke-width="2.6"'
    return f'<g class="m-{mark}"><rect class="body" {_corner(place)} rx="3" {outline}/></g>'


def _stroke_sample(kind: str, x: float, y: float) -> str:
    dash = f' stroke-dasharray="{_DASHES[kind]}"' if kind in _DASHES else ""
    path = f'd="M{x:.1f} {y - 4:.1f}h{_LEGEND_SWATCH + 4:g}"'
    return (
        f'<g class="edge e-{kind}"><path {path} stroke="#67707b" stroke-width="{_WIDTHS.get(kind, "1.1")}"{dash}/></g>'
    )


def _remarks(scene: Scene, longest: int) -> Iterator[str]:
    for key, (inputs, outputs) in scene.signatures.items():
        yield from _wrapped(f"{key}: {', '.join(inputs) or 'no inputs'} → {', '.join(outputs)}", longest)
    for note in scene.notes:
        yield from _wrapped(note, longest)


def _wrapped(text: str, longest: int) -> Iterator[str]:
    line = ""
    for word in (shortened(word, longest) for word in text.split(" ")):
        if line and len(line) + len(word) >= longest:
            yield line
            line = "   "
        line = f"{line} {word}" if line else word
    yield line


def _subtitle(scene: Scene) -> str:
    hidden = [f"{plural(scene.hidden_nodes, 'node')} folded or left out"] if scene.hidden_nodes else []
    return " · ".join([*scene.facts, plural(len(scene.boxes), "box"), *hidden])


def _tooltip(box: Box) -> str:
    facts = [box.name, *box.lines]
    return "\n".join([*facts, f"{len(box.nodes)} nodes"] if len(box.nodes) > 1 else facts)


def _values(edge: Edge) -> str:
    return "\n".join([edge.kind, *edge.values[:12], *(["…"] if len(edge.values) > 12 else [])])


def _line(
    text: str, x: float, y: float, size: float, name: str, *,
    bold: bool = False, anchor: str = "", fill: str = "", halo: bool = False,
) -> str:  # fmt: skip
    classes = f' class="{name}"' if name else ""
    color = fill or ("#67707b" if name == "faint" else palette.INK)
    weight = ' font-weight="bold"' if bold else ""
    place = f' text-anchor="{anchor}"' if anchor else ""
    place += f' stroke="{palette.PAPER}" stroke-width="3" stroke-linejoin="round" paint-order="stroke"' if halo else ""
    shown = f'font-size="{size:g}" fill="{color}"'
    return f'<text{classes} x="{x:.1f}" y="{y:.1f}" {shown}{weight}{place}>{_text(text)}</text>'


def _curve(points: Sequence[Point]) -> str:
    if not points:
        return ""
    rest = " ".join(f"{x:.1f},{y:.1f}" for x, y in points[1:])
    return f"M{points[0][0]:.1f},{points[0][1]:.1f}" + (f"C{rest}" if rest else "")


def _corner(place: Rectangle) -> str:
    return f'x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" height="{place.height:.1f}"'


def _radius(box: Box, place: Rectangle) -> float:
    return min(place.height / 2, _MOST_ROUND) if box.kind in ("input", "output") else 5.0


def _text(text: str) -> str:
    return escape(printable(text))


def _attribute(text: str) -> str:
    return quoteattr(printable(text))
