"""`gs diff`: what differs between two models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import All, Json, Quiet


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A model.", show_default=False)],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another model, or an edited one.", show_default=False)],
    values: Annotated[
        bool, typer.Option("--values/--no-values", help="Compare the values of weights too; reads them all.")
    ] = True,
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
    """
    from graphsurgeon.verify.difference import difference

    with output.progress_bar("reading", quiet=quiet or as_json) as progress:
        report = difference(before, after, values=values, progress=progress)
    if as_json:
        output.print_json(report)
    elif not quiet:
        from graphsurgeon.cli.diff_text import print_diff

        print_diff(report, everything=everything)
    if not report.equal:
        raise typer.Exit(1)
