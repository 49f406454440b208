"""`gs merge`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli.common import Model
from graphsurgeon.cli.edit_command import Steps, edit_command
from graphsurgeon.cli.remote import model_path


class Keep(str, Enum):
    """Whose values count."""

    first = "first"
    second = "second"


@edit_command
def merge(
    model: Model,
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="SECOND", help="A checkpoint.", show_default=False, parser=model_path),
    ],
    keep: Annotated[
        Keep | None, typer.Option("--keep", help="Whose values a variable gets that both have; refused without.")
    ] = None,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="TEXT", help="Put before the names of SECOND, such as teacher/.")
    ] = "",
) -> Steps:
    """Put the variables of two checkpoints into one.

    Of objects the children of both roots become those of one, so that one program restores both; names become paths of
    objects where the other has some.

    Examples:
      gs merge encoder.ckpt decoder.ckpt -o both.ckpt
      gs merge student.ckpt teacher.ckpt --prefix teacher/ -o both.ckpt
      gs merge old.ckpt new.ckpt --keep second -o new_where_there.ckpt
    """
    return [("merge", {"checkpoint": checkpoint, "keep": keep.value if keep is not None else None, "prefix": prefix})]
