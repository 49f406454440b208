"""`gs average`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli.common import Model, split_list
from graphsurgeon.cli.edit_command import Steps, edit_command
from graphsurgeon.cli.remote import model_path
from graphsurgeon.errors import UsageError


@edit_command
def average(
    model: Model,
    checkpoints: Annotated[
        list[Path] | None,
        typer.Argument(metavar="CKPT...", help="The other checkpoints.", show_default=False, parser=model_path),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="W1,W2,...", help="What each counts for, MODEL first.")
    ] = None,
    decay: Annotated[
        float | None,
        typer.Option("--decay", metavar="D", help="A moving average, in the order given: D*old + (1-D)*new."),
    ] = None,
    match: Annotated[
        list[str] | None, typer.Option("--match", metavar="NAME", help="Average these variables only; globs.")
    ] = None,
) -> Steps:
    """Average checkpoints: plainly, by weights, or as an exponential moving average over them.

    Variables of floating point are averaged in float64 and keep their types; counts, texts and rates are those of the
    last checkpoint. Objects are paired as restoring pairs them, so that keys may differ.

    Examples:
      gs average ck-8 ck-9 ck-10 -o averaged.ckpt
      gs average ck-8 ck-9 ck-10 --weights 0.2,0.3,0.5 -o averaged.ckpt
      gs average ck-8 ck-9 ck-10 --decay 0.9 -o ema.ckpt
    """
    numbers = _numbers(weights) if weights is not None else None
    arguments = {"checkpoints": checkpoints or [], "weights": numbers, "decay": decay, "match": split_list(match)}
    return [("average", arguments)]


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--weights {text}: not numbers", hint="such as --weights 0.2,0.3,0.5") from None
