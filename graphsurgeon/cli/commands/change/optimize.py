"""`gs optimize`."""

from __future__ import annotations

from typing import Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import Model, Tags, parse_tags, split_list
from graphsurgeon.cli.edit_command import Steps, edit_command


def _list_passes(wanted: bool) -> None:
    if not wanted:
        return
    from graphsurgeon.surgery.optimize import PASSES

    output.table([[name, about] for name, about in PASSES.items()], titles=["pass", "what"])
    raise typer.Exit


@edit_command
def optimize(
    model: Model,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="PASS,PASS", help="Run these passes alone; `all` for all.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="PASS,PASS", help="Leave what these passes would change.")
    ] = None,
    max_fold: Annotated[
        int, typer.Option("--max-fold", metavar="BYTES", min=0, help="Fold into constants of at most so many bytes.")
    ] = 102400,
    list_passes: Annotated[
        bool, typer.Option("--list-passes", help="List the passes.", is_eager=True, callback=_list_passes)
    ] = False,
    tags: Tags = None,
) -> Steps:
    """Fold constants, merge what is computed twice, leave out what does nothing; in functions too.

    By default every bit stays, denormal numbers aside. What is only close has to be asked for by --only: fold-close,
    transposes-close, batch-norm-into-conv, zeros-out (`all` takes them too), and fold-with-tensorflow, which needs that
    extra. A constant that is no larger than what it is made of is folded whatever its size.

    Examples:
      gs optimize frozen.pb -o small.pb --verify
      gs optimize frozen.pb --only all -o small.pb
      gs optimize frozen.pb --only all,fold-with-tensorflow -o small.pb
      gs optimize model/ --keep fold -o small/
      gs optimize --list-passes
    """
    from graphsurgeon.bridges.fold import with_tensorflow

    arguments = {
        "compute": with_tensorflow,
        "only": split_list(only),
        "keep": split_list(keep),
        "max_fold": max_fold,
        "tags": parse_tags(tags),
    }
    return [("optimize", arguments)]
