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
        bool,
        typer.Option(
            "--inference",
            help="Compute what a trained model infers: batch norms by their moving statistics, no dropout.",
        ),
    ] = False,
    tags: Tags = None,
) -> Steps:
    """Take out what inference does not need.

    Kinds: {kinds}. What signatures, named outputs and loading need stays, and computes the same numbers; the checkpoint
    keeps the variables that stay. A dry run lists what would go, -v all of it with the reasons.

    Dropout that a signature goes through stays unless --inference (or --only dropout) asks for it. Batch norms whose
    moving statistics are not found are named and left.

    Examples:
      gs strip model/ -o small/
      gs strip model.meta --outputs embeddings -o small.meta
      gs strip training.meta --outputs logits --inference -o serving.meta
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


def _kinds() -> str:
    from graphsurgeon.surgery.stripping.kinds import in_words

    return in_words()


strip.told_by = {"kinds": _kinds}  # type: ignore[attr-defined]
