"""`gs extract`."""

from __future__ import annotations

from typing import Annotated

import typer

from graphsurgeon.cli.common import GraphName, Model, Tags, has_free_names, parse_tags, split_list
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
        list[str] | None, typer.Option("--match", metavar="NAME", help="Variables, for a checkpoint of them; globs.")
    ] = None,
    call: Annotated[
        list[str] | None,
        typer.Option("--call", metavar="NODE", help="Choose among several calls that lead to a function."),
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option("--signature", metavar="NAME", help="One signature as a model, or the part between its keys."),
    ] = None,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Of a checkpoint: leave out what is damaged, keep the rest.")
    ] = False,
    past_parser: Annotated[
        bool, typer.Option("--past-parser", help="Cut behind the parser of tf.train.Examples: features go in.")
    ] = False,
    graph: GraphName = None,
    tags: Tags = None,
) -> Steps:
    """Keep the part between inputs and outputs; of a checkpoint the variables that match.

    Tensors at which the graph is cut become placeholders. Functions, variables, tables and assets that the part
    does not need go too. Tensors may lie in functions: the calls that lead there are inlined; the body of a loop is
    taken by itself, its arguments being inputs.

    Examples:
      gs extract frozen.pb --inputs conv1/Relu=x --outputs logits -o tail.pb
      gs extract model/ --inputs pool1/MaxPool --outputs dense/Relu=features -o middle/
      gs extract estimator/ --past-parser -o raw/
      gs extract model.tflite --outputs conv_7 -o head.tflite
      gs extract llm.tflite --signature prefill -o prefill.tflite
      gs extract model/ --signature embed -o embed/
      gs extract model.ckpt --match 'encoder/*' -o encoder.ckpt
      gs extract saved_model/ --match 'encoder/*' -o encoder.ckpt
      gs extract damaged.ckpt --skip-damaged -o rest.ckpt
    """
    commas = not has_free_names(model)
    arguments = {
        "outputs": _names(outputs, commas=commas),
        "inputs": _names(inputs, commas=commas),
        "match": split_list(match),
        "calls": split_list(call),
        "graph": graph,
        "signature": signature,
        "skip_damaged": skip_damaged,
        "past_parser": past_parser,
        "tags": parse_tags(tags),
    }
    return [("extract", arguments)]


def _names(values: list[str] | None, *, commas: bool) -> dict[str, str]:
    """Return tensor -> new name (empty for its own) of `A,B=NAME`."""
    items = split_list(values, commas=commas)
    pairs = [item.rpartition("=") if "=" in item else (item, "", "") for item in items]
    return {tensor: name for tensor, _, name in pairs}
