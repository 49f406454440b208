"""`gs render`: a picture of a graph."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import GraphName, Json, Model, Quiet, Tags, expanding, parse_tags, read_json, split_list
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.render import Scene, View

if TYPE_CHECKING:
    from graphsurgeon.compare.diff.diff import DiffReport
    from graphsurgeon.model.model import Model as ModelFile


class Direction(str, Enum):
    """Which way values run."""

    DOWN = "down"
    RIGHT = "right"


class PaperName(str, Enum):
    """What a picture is to fit on."""

    A4 = "a4"
    SLIDE = "slide"
    COLUMN = "column"


def render_options(
    depth: Annotated[
        str, typer.Option("--depth", metavar="N", help="Open N levels, 1 is the coarsest; `auto` chooses.")
    ] = "auto",
    everything: Annotated[bool, typer.Option("--all", help="Draw every node, nothing folded or left out.")] = False,
    scope: Annotated[str | None, typer.Option("--scope", metavar="SCOPE", help="Only what is in this scope.")] = None,
    function: Annotated[
        str | None, typer.Option("--function", metavar="NAME", help="The body of this function.")
    ] = None,
    graph: GraphName = None,
    signature: Annotated[
        str | None, typer.Option("--signature", metavar="NAME", help="Only what this signature computes.")
    ] = None,
    tags: Tags = None,
    focus: Annotated[str | None, typer.Option("--focus", metavar="NODE", help="Only what is near this node.")] = None,
    radius: Annotated[int, typer.Option("--radius", metavar="N", min=0, help="How near, in edges.")] = 3,
    start: Annotated[str | None, typer.Option("--from", metavar="NODE", help="Only what depends on this node.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="NODE", help="Only what this node depends on.")] = None,
    highlight: Annotated[
        list[str] | None,
        typer.Option("--highlight", metavar="NODE", help="Mark nodes, scopes, globs, or the paths A->B. Repeatable."),
    ] = None,
    direction: Annotated[
        Direction | None,
        typer.Option("--direction", help="Which way values run; by itself down, or right if too wide."),
    ] = None,
    paper: Annotated[
        PaperName | None, typer.Option("--paper", help="Fit on it, as coarse as it takes for text of 6 points.")
    ] = None,
    color_by: Annotated[
        str | None,
        typer.Option("--color-by", metavar="WHAT", help="params, dtype, macs, or FILE.json: node -> number or word."),
    ] = None,
) -> View:
    """Return what the options ask for."""
    return View(
        depth=_depth(depth), everything=everything, tags=parse_tags(tags), graph=function or graph, signature=signature,
        scope=scope, focus=focus, radius=radius, start=start, end=end, highlight=split_list(highlight, commas=False),
        direction=direction and direction.value, paper=paper and paper.value, color_by=_color_by(color_by),
    )  # fmt: skip


@expanding(view=render_options)
def render(
    model: Model,
    view: View,
    target: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="An .svg, .html, .dot, .png or .pdf file."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing OUT.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw a graph: by default what leads from inputs to outputs, opened so far that it can be taken in.

    Constants and variables are folded into the node that uses them, identities into edges. The suffix of OUT says
    the format; .html is one file that opens scopes, searches and shows details, without a network.

    Examples:
        gs render model/ -o model.svg
        gs render model.pb -o model.html
        gs render model.tflite -o part.svg --focus conv2/Relu --radius 2
        gs render model/ -o block.svg --scope block3 --depth 2
        gs render model.pb --json
    """
    from graphsurgeon.formats import read
    from graphsurgeon.model.collector import collector_off
    from graphsurgeon.render import draw

    if target is None and not as_json:
        raise UsageError("nowhere to draw to", hint="name a file with -o, or ask for --json")
    format = picture_format(target, [model], force=force)
    with collector_off():
        drawing = draw(_with_graph(read(model), model), format=format, view=view)
    if target is not None:
        from graphsurgeon.export import export_file

        export_file(target, [drawing.content], sources=[model], force=force)
    _tell(drawing.scene, target, quiet=quiet, as_json=as_json)


def _tell(scene: Scene, target: Path | None, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        output.print_json(scene)
        return
    if not quiet:
        drawn = f"{output.plural(len(scene.boxes), 'box')}, {output.plural(len(scene.edges), 'edge')}"
        rest = f"; {output.plural(scene.hidden_nodes, 'node')} folded or left out" if scene.hidden_nodes else ""
        output.wrote(target, drawn + rest)
    for note in scene.notes:
        output.warn(note)


def draw_changes(before: Path, after: Path, report: DiffReport, target: Path, *, force: bool) -> None:
    """Draw two models in one picture, for `gs diff`."""
    from graphsurgeon.export import export_file
    from graphsurgeon.formats import read
    from graphsurgeon.render.difference import draw_difference

    first, second = _with_graph(read(before), before), _with_graph(read(after), after)
    sources = [before, after]
    drawing = draw_difference(first, second, report, format=picture_format(target, sources, force=force))
    export_file(target, [drawing.content], sources=sources, force=force)
    for note in drawing.scene.notes:
        output.warn(note)


def _with_graph(file: ModelFile, path: Path) -> ModelFile:
    if not file.metagraphs:
        raise UnsupportedError("a checkpoint has no graph to draw", path=path, hint="gs weights lists its variables")
    return file


def picture_format(target: Path | None, sources: list[Path], *, force: bool) -> str:
    """Return the format that the suffix of a file says; refuse one that is unknown, or a file that must stay."""
    from graphsurgeon.export import require_free
    from graphsurgeon.render import FORMATS

    if target is None:
        return "dot"  # the cheapest: only the scene is wanted
    format = target.suffix.lower().removeprefix(".")
    if format not in FORMATS:
        raise UsageError(f"{target.name!r} does not say a format", hint=f"end it in .{', .'.join(FORMATS)}")
    require_free(target, sources=sources, force=force)
    return format


def _color_by(text: str | None) -> str | dict[str, float | str] | None:
    """Return what boxes are coloured by; the numbers of a file where one is named."""
    if text is None or not text.endswith(".json"):
        return text
    numbers = read_json(Path(text))
    if any(isinstance(value, bool) or not isinstance(value, int | float | str) for value in numbers.values()):
        raise UsageError("is no JSON object of numbers or words by node", path=text)
    return {str(name): value for name, value in numbers.items()}


def _depth(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or not int(text):
        raise UsageError(f"--depth {text} is neither a number above 0 nor `auto`")
    return int(text)
