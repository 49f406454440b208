"""`gs set-output`."""

from __future__ import annotations

from typing import Annotated

import typer

from graphsurgeon.cli.common import Model, split_pair
from graphsurgeon.cli.edit_command import Steps, edit_command

Scale = Annotated[
    float | None,
    typer.Option("--scale", metavar="S", help="TFLite, --dtype of a float end: real = S * (stored - Z)."),
]
ZeroPoint = Annotated[int | None, typer.Option("--zero-point", metavar="Z", help="TFLite: see --scale.")]


@edit_command
def set_output(
    model: Model,
    dtype: Annotated[
        list[str] | None,
        typer.Option("--dtype", metavar="NAME=DTYPE", help="New dtype: probs=uint8."),
    ] = None,
    scale: Scale = None,
    zero_point: ZeroPoint = None,
) -> Steps:
    """Change the dtype of an output of a TFLite model: float32, int8, uint8 or int16.

    NAME is a key of a signature or a tensor's name. A DEQUANTIZE at the end goes, or becomes a QUANTIZE; without one
    either is added. What the numbers stand for stays.

    Examples:
      gs set-output int8.tflite --dtype probs=uint8 -o uint8.tflite
      gs set-output int8.tflite --dtype probs=float32 -o float_ends.tflite
    """
    dtypes = dict(split_pair(text, "NAME=DTYPE") for text in dtype or ())
    return [("set-output", {"dtypes": dtypes, "scale": scale, "zero_point": zero_point})]
