"""`gs attach-checkpoint`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli.common import Model
from graphsurgeon.cli.edit_command import Steps, edit_command


@edit_command
def attach_checkpoint(
    model: Model,
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", help="A prefix, an .index, or a folder with one.", show_default=False),
    ],
) -> Steps:
    """Give a GraphDef or .meta the variables of a checkpoint that lies elsewhere.

    The result is a SavedModel (-o OUT/), or a .meta with the checkpoint beside it.

    Examples:
      gs attach-checkpoint model.meta backup/model.ckpt-1000 -o served/
      gs attach-checkpoint graph.pb model.ckpt-1000 -o model.meta
    """
    return [("attach-checkpoint", {"checkpoint": checkpoint})]
