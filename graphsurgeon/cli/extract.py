"""`gs extract`."""

from __future__ import annotations

from typing import Annotated

import typer

from graphsurgeon.cli.common import Model, Tags, parse_tags, split_list
from graphsurgeon.cli.edit_command import Steps, edit_command


@edit_command
def extract(
    model: Model,
    outputs: Annotated[
        list[str] | None,
        typer.Option("--outputs", metavar="A,B=NAME", help="Tensors that come out, with a new name or their own."),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--inputs", metavar="A,B=NAME", help="Tensors to be fed: the graph is cut there."),
    ] = None,
    match: Annotated[
        list[str] | None, typer.Option("--match", metavar="NAME", help="Of a checkpoint: variables to keep; globs.")
    ] = None,
    tags: Tags = None,
) -> Steps:
    """Keep the part between inputs and outputs; of a checkpoint the variables that match.

    Tensors at which the graph is cut become placeholders. Functions, variables, tables and assets that the part
    does not need go too.

    Examples:
      gs extract frozen.pb --inputs conv1/Relu=x --outputs logits -o tail.pb
      gs extract model.meta --outputs embeddings -o embedding.meta
      gs extract model.ckpt --match 'encoder/*' -o encoder.ckpt
    """
    arguments = {
        "outputs": _names(outputs),
        "inputs": _names(inputs),
        "match": split_list(match),
        "tags": parse_tags(tags),
    }
    return [("extract", arguments)]


def _names(values: list[str] | None) -> dict[str, str]:
    """Return tensor -> new name (empty for its own) of `A,B=NAME`."""
    pairs = [item.rpartition("=") if "=" in item else (item, "", "") for item in split_list(values)]
    return {tensor: name for tensor, _, name in pairs}
