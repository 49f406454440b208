"""`gs add-output`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli.common import GraphName, Model, Tags, has_free_names, parse_tags, read_map, split_list, split_pair
from graphsurgeon.cli.edit_command import Steps, edit_command
from graphsurgeon.surgery.moves.signatures.signature_keys import tensor_key


@edit_command
def add_output(
    model: Model,
    pairs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TENSOR=NAME...",
            help="Tensors and their new names; #12=NAME by index (TFLite).",
            show_default=False,
        ),
    ] = None,
    signature: Annotated[
        str | None, typer.Option("--signature", metavar="NAME", help="Put them into this signature too.")
    ] = None,
    rewire: Annotated[
        bool, typer.Option("--rewire", help="Send the tensors' consumers through the new nodes.")
    ] = False,
    print_values: Annotated[
        bool, typer.Option("--print", help="Print the tensors whenever they are computed, in functions too.")
    ] = False,
    all_tensors: Annotated[
        bool, typer.Option("--all", help="TFLite: make every tensor an output, for debugging.")
    ] = False,
    mapping: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help='Pairs as JSON: {"tensor": "name"}.')
    ] = None,
    call: Annotated[
        list[str] | None,
        typer.Option("--call", metavar="NODE", help="Choose among several calls that lead to a function."),
    ] = None,
    graph: GraphName = None,
    tags: Tags = None,
) -> Steps:
    """Add an Identity called NAME that yields TENSOR; of a TFLite model make the tensor an output.

    A tensor inside a function is carried out through every call. With --signature it is in that signature too,
    for TensorFlow Serving and for tf.saved_model.load.

    Examples:
      gs add-output frozen.pb resnet/block4/Relu:0=features -o out.pb
      gs add-output model/ block4/Relu=features --signature serving_default -o out/
      gs add-output model.tflite --all -o debug.tflite
    """
    outputs = {
        **(read_map(mapping) if mapping is not None else {}),
        **_pairs(pairs or (), own_names=has_free_names(model)),
    }
    arguments = {
        "outputs": outputs,
        "signature": signature,
        "rewire": rewire,
        "print_values": print_values,
        "all_tensors": all_tensors,
        "calls": split_list(call),
        "graph": graph,
        "tags": parse_tags(tags),
    }
    return [("add-output", arguments)]


def _pairs(texts: Sequence[str], *, own_names: bool) -> dict[str, str]:
    """Return tensor -> name; a tensor alone is called by the last part of its name, in TFLite by its whole name."""
    alone = {text: "" if own_names else tensor_key(text) for text in texts if "=" not in text}
    given = dict(split_pair(text, "TENSOR=NAME") for text in texts if "=" in text)
    return {**given, **alone}
