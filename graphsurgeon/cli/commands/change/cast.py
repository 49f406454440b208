"""`gs cast`."""

from __future__ import annotations

from typing import Annotated

import typer

from graphsurgeon.cli.common import Model, split_list
from graphsurgeon.cli.edit_command import Steps, edit_command


@edit_command
def cast(
    model: Model,
    dtype: Annotated[str, typer.Option("--dtype", metavar="DTYPE", help="Such as bfloat16, float16, float32.")],
    match: Annotated[
        list[str] | None, typer.Option("--match", metavar="NAME", help="These variables only; names and globs.")
    ] = None,
) -> Steps:
    """Round the variables of a checkpoint to another type, to nearest, ties to even.

    Without --match all of floating point. Values beyond the range of the type are refused, and those that become zero
    are counted. No loader takes a bfloat16 entry into a float32 variable: the result is for programs whose variables
    have that type, and for readers of arrays.

    Examples:
      gs cast model.ckpt --dtype bfloat16 -o small.ckpt
      gs cast model.ckpt --dtype float16 --match 'encoder/*' -o half.ckpt
    """
    return [("cast", {"dtype": dtype, "match": split_list(match)})]
