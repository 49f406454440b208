"""`gs diff`: what differs between two models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import All, Json, Quiet, split_list, write_map
from graphsurgeon.cli.remote import model_path

if TYPE_CHECKING:
    from graphsurgeon.compare.diff.diff import DiffReport


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A model.", show_default=False, parser=model_path)],
    after: Annotated[
        Path,
        typer.Argument(metavar="B", help="Another model, or an edited one.", show_default=False, parser=model_path),
    ],
    values: Annotated[
        bool, typer.Option("--values/--no-values", help="Compare the values of weights too; reads them all.")
    ] = True,
    match: Annotated[
        list[str] | None,
        typer.Option("--match", metavar="NAME", help="Compare these variables alone: a name, a glob, re:REGEX."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--render", metavar="OUT", help="Draw both in one picture: .html, .svg and so on.")
    ] = None,
    rename_map: Annotated[
        Path | None,
        typer.Option("--rename-map", metavar="FILE", help="Write the names that differ, for gs rename A --map FILE."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing OUT or FILE.")] = False,
    everything: All = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell what differs between two models: nodes, attributes, functions, signatures, variables by value.

    Nodes are aligned by name first, and by structure where names changed. Exit status 1 if anything differs.

    Examples:
        gs diff model/ edited/
        gs diff frozen.pb smaller.pb --all
        gs diff model.ckpt-100 model.ckpt-200 --json
        gs diff model/ edited/ --render changes.html
        gs diff model.ckpt-100 model.ckpt-200 --match 'encoder/*'
        gs diff old.ckpt new.ckpt --rename-map renames.json
    """
    from graphsurgeon.compare.diff.files import difference

    if picture is not None:
        from graphsurgeon.cli.commands.look.render import draw_changes, picture_format

        picture_format(picture, [before, after], force=force)
    with output.progress_bar("reading", quiet=quiet or as_json) as progress:
        report = difference(before, after, values=values, match=split_list(match), progress=progress)
    if picture is not None:
        draw_changes(before, after, report, picture, force=force)
    if rename_map is not None:
        _write_map(before, after, report, rename_map, force=force)
    if as_json:
        output.print_json(report)
    elif not quiet:
        from graphsurgeon.cli.text.diff import print_diff

        print_diff(report, everything=everything)
    if not report.equal:
        raise typer.Exit(1)


def _write_map(before: Path, after: Path, report: DiffReport, target: Path, *, force: bool) -> None:
    from graphsurgeon.compare.rename_map import rename_map
    from graphsurgeon.formats import read

    pairs = rename_map(read(before), read(after), report)
    write_map(pairs, target, sources=[before, after], force=force)
