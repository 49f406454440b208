"""`gs freeze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli.common import Model, Tags, parse_tags, read_map, split_list, split_pair, split_pairs
from graphsurgeon.cli.edit_command import Steps, edit_command
from graphsurgeon.edit import Step

SetValues = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Give a placeholder a value: train_phase=false, keep_prob=1.0."),
]

MapOfValues = Annotated[
    Path | None, typer.Option("--map", metavar="FILE", help='Values to set, as JSON: {"name": "value"}.')
]
KeepVars = Annotated[
    str | None, typer.Option("--keep-vars", metavar="REGEX", help="Leave variables with such names or keys.")
]
KeepFunctions = Annotated[
    bool, typer.Option("--keep-functions", help="Leave function calls that no variable passes through.")
]
CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="PATH", help="Where the variables are, of a bare graph.")
]
NoLowering = Annotated[
    bool, typer.Option("--no-lowering", help="Loops stay functions when run: for converters, such as to ONNX.")
]


@edit_command
def freeze(
    model: Model,
    outputs: Annotated[
        list[str] | None,
        typer.Option("--outputs", metavar="A,B", help="Tensors or nodes, else signature keys; key:NAME is a key."),
    ] = None,
    signature: Annotated[
        str | None, typer.Option("--signature", metavar="NAME", help="Freeze this signature; serving_default if any.")
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option("--outputs-by-shape", metavar="SHAPE", help="The likeliest output of a shape: None,512."),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--inputs", metavar="A,B", help="Feed these tensors, whatever computes them."),
    ] = None,
    values: SetValues = None,
    mapping: MapOfValues = None,
    checkpoint: CheckpointOption = None,
    keep_vars: KeepVars = None,
    keep_functions: KeepFunctions = False,
    keep_names: Annotated[
        bool, typer.Option("--keep-names", help="Keep the names of feeds and fetches; else signature keys name them.")
    ] = False,
    keep_devices: Annotated[bool, typer.Option("--keep-devices", help="Keep device strings.")] = False,
    no_lowering: NoLowering = False,
    ema: Annotated[bool, typer.Option("--ema", help="Take moving averages in place of the trained weights.")] = False,
    tags: Tags = None,
) -> Steps:
    """Turn variables into constants and keep what the outputs need.

    The result is a GraphDef (-o OUT.pb or OUT.pbtxt) or a SavedModel with constants (-o OUT/). Lookup tables
    fill themselves. Writes to variables are left out, and told, where no output sees what they leave behind.

    Examples:
      gs freeze model/ --signature classify -o frozen/
      gs freeze model.meta --outputs embeddings --set train_phase=false -o frozen.pb
      gs freeze graph.pb --checkpoint model.ckpt-100 --outputs logits -o frozen.pb
    """
    steps: list[Step] = [] if checkpoint is None else [("attach-checkpoint", {"checkpoint": checkpoint})]
    arguments: dict[str, object] = {
        "outputs": split_list(outputs),
        "inputs": split_list(inputs),
        "signature": signature,
        "outputs_by_shape": shape,
        "set_values": set_values(values, mapping),
        "keep_vars": keep_vars,
        "keep_functions": keep_functions,
        "keep_names": keep_names,
        "keep_devices": keep_devices,
        "no_lowering": no_lowering,
        "ema": ema,
        "tags": parse_tags(tags),
    }
    return [*steps, ("freeze", arguments)]


def set_values(values: list[str] | None, mapping: Path | None = None) -> dict[str, object]:
    """Return name -> value of `--set` and `--map`."""
    return {
        **(read_map(mapping) if mapping is not None else {}),
        **dict(split_pair(v, "NAME=VALUE") for v in split_pairs(values)),
    }
