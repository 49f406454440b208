"""`gs set-weights`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli.common import GraphName, Model, Tags, parse_tags, read_json, split_pair
from graphsurgeon.cli.edit_command import Steps, edit_command


@edit_command
def set_weights(
    model: Model,
    pairs: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE...", help="Weight and its new values: 0.5, [1,2], @w.npy, @all.npz:w."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help='The same as JSON: {"name": 0.5, "other": "@w.npy"}.')
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Set every array of an .npz, .safetensors or checkpoint by name."),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="TFLite: integers of a quantized tensor are stored as given.")
    ] = False,
    clip: Annotated[bool, typer.Option("--clip", help="Values out of range become the nearest that fit.")] = False,
    graph: GraphName = None,
    tags: Tags = None,
) -> Steps:
    """Give weights other values: variables, constants, tensors of a TFLite model. Shapes and dtypes stay.

    NAME is a variable's key, object path or name, a constant's node, a TFLite tensor or its #index: gs weights lists
    them. Real numbers for a quantized tensor are quantized by its own scale and zero point; one number fills the
    shape. What does not fit in shape, kind or range is refused before anything changes.

    Examples:
      gs set-weights model/ dense/kernel=@kernel.npy -o new/
      gs set-weights model.tflite dense/bias=0 dense/kernel=@kernel.npy -o new.tflite
      gs set-weights model.ckpt-100 --from weights.npz -o new.ckpt
      gs set-weights frozen.pb threshold=0.5 -o new.pb
    """
    values = read_json(mapping) if mapping is not None else {}
    values |= dict(split_pair(text, "NAME=VALUE") for text in pairs or ())
    arguments = {"values": values, "source": source, "raw": raw, "clip": clip, "graph": graph}
    return [("set-weights", {**arguments, "tags": parse_tags(tags)})]
