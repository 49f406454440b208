"""A scene, laid out, as SVG: text stays text, every box has an id, a title and classes, dark mode through CSS.

Colours are attributes, which every viewer understands; the style sheet only adds dark paper and what a page may
override. Texts of the model are escaped here, in one place each for text and attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from graphsurgeon.errors import plural
from graphsurgeon.render.place.layout import DrawnRoute, Layout, Point, Rectangle
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
_LONGEST_NOTE = 110


def svg_text(scene: Scene, layout: Layout, *, legend: bool = True) -> str:
    """Return an SVG document.

    Args:
        scene: what to draw.
        layout: where everything goes.
        legend: explain colours and lines, and list signatures, below the picture.
    """
    foot = list(_foot(scene, layout)) if legend else []
    top = 2.6 * LINE_HEIGHT + _MARGIN
    width = (
        max(
            layout.width,
            text_width(shortened(scene.title, _LONGEST_NOTE), 16, bold=True),
            *(x for _, x, _ in foot),
            240.0,
        )
        + 2 * _MARGIN
    )
    height = top + layout.height + max((y for _, _, y in foot), default=0.0) + 2 * _MARGIN
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{_ROOT}" {size} role="img" font-family="{FONTS}">',
        f"<title>{_text(scene.title)}</title>",
        f"<style>{style_sheet(scene)}</style>",
        f'<rect class="paper" width="100%" height="100%" fill="{palette.PAPER}"/>',
        _line(shortened(scene.title, _LONGEST_NOTE), _MARGIN, _MARGIN + 16, 16, "title", bold=True),
        _line(_subtitle(scene), _MARGIN, _MARGIN + 34, LINE_SIZE, "faint"),
        f'<g transform="translate({_MARGIN:g} {top + _MARGIN / 2:g})">',
        *drawing(scene, layout),
        "</g>",
        f'<g class="legend" transform="translate({_MARGIN:g} {top + layout.height + _MARGIN:g})">',
        *(piece for piece, _, _ in foot),
        "</g>",
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def drawing(scene: Scene, layout: Layout) -> Iterator[str]:
    """Yield the elements of the drawing itself: frames, edges, boxes."""
    frames = list(_frames(scene, layout))
    for cluster, place, is_first in frames:
        yield _cluster(cluster, place, cluster.id if is_first else "")
    for edge, route in zip(scene.edges, layout.routes, strict=True):
        yield _edge(edge, route)
    # Names of frames come after the edges, which may cross them.
    for cluster, place, is_first in frames:
        name = cluster.title if is_first else f"{cluster.title} …"
        yield _line(name, place.x + 9, place.y + 16, LINE_SIZE, "frame-title", bold=True, fill="#56606b", halo=True)
    for box in scene.boxes:
        yield _box(box, layout.boxes[box.id])


def _frames(scene: Scene, layout: Layout) -> Iterator[tuple[Cluster, Rectangle, bool]]:
    """Yield the frames, outer ones first; of one that is drawn in parts each part, and whether it is the first."""
    for cluster in scene.clusters:
        if cluster.id in layout.clusters:
            yield cluster, layout.clusters[cluster.id], True
        for place in (place for identity, place in layout.continued if identity == cluster.id):
            yield cluster, place, False


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


def _foot(scene: Scene, layout: Layout) -> Iterator[tuple[str, float, float]]:
    """Yield the pieces below the picture, each with how far it reaches to the right and down."""
    right = max(layout.width, 420.0)
    x, y = 0.0, _LEGEND_ROW
    families = {f: palette.LABELS[f] for f in palette.LABELS if any(box.family == f for box in scene.boxes)}
    marks = {m: palette.MARK_LABELS[m] for m in palette.MARKS if any(m in box.marks for box in scene.boxes)}
    kinds = {k: palette.EDGE_LABELS[k] for k in palette.EDGE_LABELS if any(edge.kind == k for edge in scene.edges)}
    samples = [(_swatch, families), (_mark_sample, marks), (_stroke_sample, kinds)]
    for sample, key, label in [(sample, *item) for sample, labels in samples for item in labels.items()]:
        width = _LEGEND_SWATCH + 8 + text_width(label, LINE_SIZE) + 14
        if x + width > right and x:
            x, y = 0.0, y + _LEGEND_ROW
        yield sample(key, x, y) + _line(label, x + _LEGEND_SWATCH + 8, y, LINE_SIZE, "fact"), x + width, y
        x += width
    for note in _remarks(scene):
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


def _remarks(scene: Scene) -> Iterator[str]:
    for key, (inputs, outputs) in scene.signatures.items():
        yield from _wrapped(f"{key}: {', '.join(inputs) or 'no inputs'} → {', '.join(outputs)}")
    for note in scene.notes:
        yield from _wrapped(note)


def _wrapped(text: str) -> Iterator[str]:
    line = ""
    for word in (shortened(word, _LONGEST_NOTE) for word in text.split(" ")):
        if line and len(line) + len(word) >= _LONGEST_NOTE:
            yield line
            line = "   "
        line = f"{line} {word}" if line else word
    yield line


def _subtitle(scene: Scene) -> str:
    hidden = f" · {plural(scene.hidden_nodes, 'node')} folded or left out" if scene.hidden_nodes else ""
    return f"{plural(len(scene.boxes), 'box')}{hidden}"


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
    return place.height / 2 if box.kind in ("input", "output") else 5.0


def _text(text: str) -> str:
    return escape(printable(text))


def _attribute(text: str) -> str:
    return quoteattr(printable(text))
