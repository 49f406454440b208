"""`gs strip`."""

from __future__ import annotations

from typing import Annotated

import typer

from graphsurgeon.cli.common import Model, Tags, parse_tags, split_list
from graphsurgeon.cli.edit_command import Steps, edit_command


@edit_command
def strip(
    model: Model,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="KIND,KIND", help="Take out these kinds alone.")
    ] = None,
    keep: Annotated[list[str] | None, typer.Option("--keep", metavar="KIND,KIND", help="Leave these kinds.")] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option("--outputs", metavar="A,B", help="Tensors or nodes to keep beside those of signatures."),
    ] = None,
    inference: Annotated[
        bool, typer.Option("--inference", help="Let batch norms in training form use their moving statistics.")
    ] = False,
    tags: Tags = None,
) -> Steps:
    """Take out what inference does not need.

    Kinds: gradients, optimizers, savers, summaries, queues, metrics, assertions, prints, identities, unreachable,
    functions, defaults, devices, colocation, internals. What signatures, named outputs and loading need stays; the
    checkpoint keeps the variables that stay. A dry run lists what would go, and why.

    Examples:
      gs strip model/ -o small/
      gs strip model.meta --outputs embeddings -o small.meta
      gs strip model/ --dry-run -v
      gs strip graph.pb --only prints,identities -o plain.pb
      gs strip model.ckpt-1000 --only optimizers -o small.ckpt
    """
    arguments = {
        "only": split_list(only),
        "keep": split_list(keep),
        "outputs": split_list(outputs),
        "inference": inference,
        "tags": parse_tags(tags),
    }
    return [("strip", arguments)]
