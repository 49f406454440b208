"""The whole way from a model to the bytes of a picture, with a coarser one where the asked one cannot be laid out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.model import Model
from graphsurgeon.render.arrange.depth import FEWEST_BOXES, MOST_BOXES
from graphsurgeon.render.picture import Picture, View, build_scene, select_picture
from graphsurgeon.render.place.engine import source_of
from graphsurgeon.render.place.layout import SECONDS, Layout, LayoutTimeoutError, box_size
from graphsurgeon.render.place.pages import WIDEST, Page, lay_out_page
from graphsurgeon.render.place.paper import SMALLEST, Paper, paper_named
from graphsurgeon.render.scene.scene import Scene
from graphsurgeon.render.write.dot import dot_text
from graphsurgeon.render.write.svg import sheet_size, svg_text

if TYPE_CHECKING:
    import graphviz

FORMATS = ("svg", "dot", "png", "pdf", "html")
MOST_LAID_OUT = 5000  # boxes that a static layout is tried for
MOST_IN_NOTEBOOK = 4 << 20  # bytes of a page that a cell is given; a notebook keeps them
FRAME_HEIGHT = 560  # pixels
_COARSEST = 8  # levels that a view may be made coarser by before it is given up
_COARSEST_ON_PAPER = 2
_MISFITS = 3  # pictures in a row, each finer than the last, that do not fit: nor will what is finer yet
_MOST_TRIED = 30  # boxes; where nothing fits, nothing finer will
_MOST_ON_PAPER = 200  # boxes; no paper has room for so many
_MISFIT = 1.2  # times as far from square as a paper is, from which on a picture is arranged anew for it
_NARROWINGS = 4  # coarser pictures that are tried in place of one too wide
_STEP = 0.8  # of the boxes that the next coarser picture may have


@dataclass(frozen=True)
class Drawing:
    """A finished picture.

    Attributes:
        scene: what it shows.
        content: the file.
    """

    scene: Scene
    content: bytes

    @property
    def dot(self) -> graphviz.Source:
        """The picture in Graphviz's language, as the package `graphviz` has it; shows itself in a notebook."""
        return source_of(dot_text(self.scene))

    def _repr_html_(self) -> str | None:
        """Show a page in a frame of its own, an SVG as wide as the notebook; None for other files."""
        if self.content.startswith(b"<!DOCTYPE html>"):
            return framed(self.content.decode())
        if self.content.startswith(b"<svg"):
            return f'<div style="width:100%;overflow:auto">{self.content.decode()}</div>'
        return None


def draw(subject: Model | Graph, *, format: str = "svg", view: View | None = None, seconds: float = SECONDS) -> Drawing:
    """Return a picture of a model, or of one of its graphs.

    A picture that takes too long to lay out is drawn coarser; its notes say so. For `html` the values of small
    weights are read, for their statistics.

    Args:
        subject: what to draw.
        format: one of `FORMATS`.
        view: which part, how far opened; None chooses.
        seconds: time limit of one try to lay out.

    Raises:
        UsageError: a name in the view names nothing, or the format is unknown.
        UnsupportedError: nothing here lays out graphs, or makes pixels.
    """
    view = view or View()
    return draw_picture(subject, select_picture(subject, view), format=format, view=view, seconds=seconds)


def draw_picture(subject: Model | Graph, picture: Picture, *, format: str, view: View, seconds: float) -> Drawing:
    """Return a picture of what has been selected; see `draw`."""
    if format not in FORMATS:
        raise UsageError(f"no picture is made as {format!r}", hint=f"choose {', '.join(FORMATS)}")
    if format == "html":
        from graphsurgeon.render.write.html import html_text

        scene, text = html_text(subject, picture, view)
        return Drawing(scene, text.encode())
    if format == "dot":
        scene = build_scene(picture, view)
        return Drawing(scene, dot_text(scene).encode())
    scene, layout = _laid_out(picture, view, seconds)
    svg = svg_text(scene, layout, paper=paper_named(view.paper) if view.paper else None)
    if format == "svg":
        return Drawing(scene, svg.encode())
    from graphsurgeon.render.write.images import pdf_bytes, png_bytes

    return Drawing(scene, png_bytes(svg) if format == "png" else pdf_bytes(svg))


def to_svg(subject: Model | Graph) -> str:
    """Return the default picture as SVG, for notebooks."""
    return draw(subject).content.decode()


def to_page(subject: Model | Graph) -> str | None:
    """Return the page of a model or graph in a frame, for notebooks; None where it is too large for a cell."""
    content = draw(subject, format="html").content
    return framed(content.decode()) if len(content) <= MOST_IN_NOTEBOOK else None


def framed(page: str) -> str:
    """Return a page as an element of another one: it reaches nothing outside its frame, and is not reached."""
    text = page.replace("&", "&amp;").replace('"', "&quot;")
    style = f"width:100%;height:{FRAME_HEIGHT}px;border:1px solid #8884;border-radius:6px"
    return (
        f'<iframe title="the graph" style="{style}" sandbox="allow-scripts allow-downloads" srcdoc="{text}"></iframe>'
    )


def _laid_out(picture: Picture, view: View, seconds: float) -> tuple[Scene, Layout]:
    if view.paper:
        return _on_paper(picture, view, paper_named(view.paper), seconds)
    while True:
        scene = build_scene(picture, view)
        try:
            if len(scene.boxes) > MOST_LAID_OUT:
                raise LayoutTimeoutError(f"{len(scene.boxes)} boxes are too many to lay out")
            layout = lay_out_page(scene, seconds=seconds, page=Page(direction=view.direction))
            return _narrower(picture, view, scene, layout, seconds)
        except LayoutTimeoutError as error:
            coarser = _coarser(view, scene)
            if coarser is None:
                hint = "draw a part: --scope, --focus, --from and --to"
                raise UnsupportedError(error.message, hint=hint) from error
            picture.notes.append(f"{error.message}: drawn {_said(coarser)} instead")
            view = coarser


def _narrower(picture: Picture, view: View, scene: Scene, layout: Layout, seconds: float) -> tuple[Scene, Layout]:
    """Return a coarser picture in place of one too wide to be read, if nobody said how far it is to be open."""
    is_asked = view.depth is not None or view.everything or view.direction or view.most != MOST_BOXES
    for _ in range(0 if is_asked else _NARROWINGS):
        if layout.width <= WIDEST or view.most <= FEWEST_BOXES:
            break
        view = replace(view, most=int(view.most * _STEP))
        coarser = build_scene(picture, view)
        if len(coarser.boxes) < len(scene.boxes):
            scene, layout = coarser, lay_out_page(coarser, seconds=seconds, page=Page())
    return scene, layout


def _on_paper(picture: Picture, view: View, paper: Paper, seconds: float) -> tuple[Scene, Layout]:
    """Return the picture with the most boxes whose text can be read on a paper; else the coarsest, with a note."""
    misfit = _MISFIT * max(paper.proportion, 1 / paper.proportion)
    page = Page(paper.proportion, view.direction, misfit, 0.0, float("inf"))
    found: tuple[float, Scene, Layout] | None = None
    misfits = 0
    for scene in _coarse_to_fine(picture, view, paper):
        tried = _sized(scene, paper, page, seconds)
        fits = tried is not None and tried[0] >= SMALLEST
        if tried is not None and (fits or found is None or found[0] < min(tried[0], SMALLEST)):
            found = tried
        # The more boxes, the smaller the text, but for a few.
        misfits = 0 if fits else misfits + 1
        if misfits >= _MISFITS and found is not None and (found[0] >= SMALLEST or len(scene.boxes) > _MOST_TRIED):
            break
    if found is None:
        hint = "draw a part: --scope, --focus, --from and --to"
        raise UnsupportedError("no picture of it could be laid out in time", hint=hint)
    size, scene, layout = found
    if size >= SMALLEST:
        return scene, layout
    note = f"on {paper.name} the smallest text has {size:.1f} points; draw a part: --scope, --focus"
    return replace(scene, notes=(*scene.notes, note)), layout


def _sized(scene: Scene, paper: Paper, page: Page, seconds: float) -> tuple[float, Scene, Layout] | None:
    """Return the size of a scene's smallest text on a paper, in points, with its layout; None: not laid out in time."""
    try:
        layout = lay_out_page(scene, seconds=seconds, page=page)
    except LayoutTimeoutError:
        return None
    return paper.smallest_text(*sheet_size(scene, layout, paper)), scene, layout


def _coarse_to_fine(picture: Picture, view: View, paper: Paper) -> list[Scene]:
    """Return coarser pictures than a view asks for, by depth and by number of boxes, and that: fewest boxes first."""
    views = [view]
    while views[-1].most > _COARSEST_ON_PAPER:
        views.append(replace(view, depth=None, everything=False, most=int(views[-1].most * _STEP)))
    views += [replace(view, depth=depth) for depth in (1, 2, 3)] if view.depth is None else []
    scenes = {len(scene.boxes): scene for scene in (build_scene(picture, one) for one in reversed(views))}
    few = [scenes[count] for count in sorted(scenes) if count <= _MOST_ON_PAPER or count == min(scenes)]
    hoped = [scene for scene in few if paper.may_hold(sum(w * h for w, h in map(box_size, scene.boxes)))]
    return hoped or few[:1]


def _coarser(view: View, scene: Scene) -> View | None:
    is_deep = view.depth is not None or view.everything
    if is_deep and scene.depth > 1:
        return replace(view, depth=max(scene.depth - 1, 1))
    if is_deep:
        return replace(view, depth=None, everything=False)
    return replace(view, most=int(view.most * _STEP)) if view.most > _COARSEST else None


def _said(view: View) -> str:
    return f"to depth {view.depth}" if view.depth is not None else f"with at most {view.most} boxes"
