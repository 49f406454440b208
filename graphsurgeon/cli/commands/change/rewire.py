"""`gs rewire`."""

from __future__ import annotations

from typing import Annotated

import typer

from graphsurgeon.cli.common import GraphName, Model, Tags, parse_tags, split_pair
from graphsurgeon.cli.edit_command import Steps, edit_command


@edit_command
def rewire(
    model: Model,
    tensors: Annotated[
        list[str], typer.Argument(metavar="A=B...", help="Whatever read A reads B.", show_default=False)
    ],
    graph: GraphName = None,
    tags: Tags = None,
) -> Steps:
    """Let whatever reads one tensor read another, as import_graph_def(input_map=...) does.

    Both must be of one graph, dtype and shape; a cycle is refused. Both stay: gs strip takes out what nothing
    needs any more. Signatures go on naming the tensors that they name.

    Examples:
      gs rewire frozen.pb input:0=normalized:0 -o out.pb
      gs rewire model/ dropout/mul=dense/Relu --graph __inference_call_12 -o out/
      gs rewire model.tflite relu_3=add_2 -o out.tflite
    """
    pairs = dict(split_pair(text, "A=B") for text in tensors)
    return [("rewire", {"tensors": pairs, "graph": graph, "tags": parse_tags(tags)})]
