"""`gs set-input`."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from graphsurgeon.cli.commands.change.freeze import MapOfValues, SetValues, set_values
from graphsurgeon.cli.commands.change.set_output import Scale, ZeroPoint
from graphsurgeon.cli.common import Model, Tags, parse_tags, split_pair, split_pairs
from graphsurgeon.cli.data_options import parse_shapes
from graphsurgeon.cli.edit_command import Steps, edit_command


class DefaultsTo(str, Enum):
    """What placeholders with a default become."""

    constants = "constants"
    placeholders = "placeholders"


@edit_command
def set_input(
    model: Model,
    shape: Annotated[
        list[str] | None,
        typer.Option("--shape", metavar="NAME=SHAPE", help="New shape: x=?,224,224,3 (? for any size)."),
    ] = None,
    dtype: Annotated[
        list[str] | None,
        typer.Option("--dtype", metavar="NAME=DTYPE", help="New dtype; a Cast (TFLite: QUANTIZE) follows: x=uint8."),
    ] = None,
    scale: Scale = None,
    zero_point: ZeroPoint = None,
    values: SetValues = None,
    mapping: MapOfValues = None,
    defaults: Annotated[
        DefaultsTo | None,
        typer.Option("--defaults", help="Placeholders with a default become that constant, or have to be fed."),
    ] = None,
    allow_contradictions: Annotated[
        bool,
        typer.Option("--allow-contradictions", help="Write shapes that some operators do not take."),
    ] = False,
    fix_reshapes: Annotated[
        bool,
        typer.Option("--fix-reshapes", help="TFLite: mend operators that a batch of 1 was folded into."),
    ] = False,
    tags: Tags = None,
) -> Steps:
    """Change the shape or dtype of an input, or make it a constant.

    NAME is a placeholder or a key of a signature. What a constant decides is simplified: branches that are
    never taken go away. What does not fit a new shape is refused with its place.

    Examples:
      gs set-input model/ --shape image=1,224,224,3 -o fixed/
      gs set-input frozen.pb --shape x=?,128 --dtype image=uint8 -o free.pb
      gs set-input model.tflite --shape image=?,224,224,3 --fix-reshapes -o any_batch.tflite
      gs set-input model.meta --set train_phase=false --set keep_prob=1.0 -o inference.meta
      gs set-input frozen.pb --defaults constants -o plain.pb
    """
    arguments = {
        "shapes": parse_shapes(shape, "--shape"),
        "dtypes": dict(split_pair(text, "NAME=DTYPE") for text in split_pairs(dtype)),
        "set_values": set_values(values, mapping),
        "scale": scale,
        "zero_point": zero_point,
        "defaults": defaults.value if defaults is not None else None,
        "fix_reshapes": fix_reshapes,
        "allow_contradictions": allow_contradictions,
        "tags": parse_tags(tags),
    }
    return [("set-input", arguments)]
