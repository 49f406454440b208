"""`gs join`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli.common import Model, Tags, has_free_names, parse_tags, split_list
from graphsurgeon.cli.edit_command import Steps, edit_command
from graphsurgeon.errors import UsageError

Others = Annotated[
    list[Path], typer.Argument(metavar="OTHER...", help="What goes behind MODEL, or beside it.", show_default=False)
]
Connect = Annotated[
    list[str] | None,
    typer.Option("--connect", metavar="OUT=IN", help="Input IN of OTHER reads output (or tensor) OUT of MODEL."),
]
Prefix = Annotated[
    str, typer.Option("--prefix", metavar="NAME", help="Before names of OTHER that MODEL has too [its file's name].")
]
Keep = Annotated[
    list[str] | None,
    typer.Option("--keep", metavar="A,B", help="Tensors that come out as well, such as outputs that OTHER reads."),
]
SignatureName = Annotated[
    str | None, typer.Option("--signature", metavar="NAME", help="Which signature of MODEL is joined.")
]
OtherSignature = Annotated[
    str | None, typer.Option("--other-signature", metavar="NAME", help="Which signature of OTHER is joined.")
]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="Key of the joint signature.")]
AsTags = Annotated[
    str | None,
    typer.Option("--as-tags", metavar="TAGS", help="Put OTHER into the SavedModel MODEL under these tags instead."),
]
Share = Annotated[
    bool, typer.Option("--share-variables", help="With --as-tags: variables of one key are one, that of MODEL.")
]
OtherTags = Annotated[str | None, typer.Option("--other-tags", metavar="TAGS", help="Which MetaGraph of OTHER.")]


@edit_command
def join(
    model: Model,
    others: Others,
    connect: Connect = None,
    prefix: Prefix = "",
    keep: Keep = None,
    signature: SignatureName = None,
    other_signature: OtherSignature = None,
    name: Name = "",
    as_tags: AsTags = None,
    share_variables: Share = False,
    tags: Tags = None,
    other_tags: OtherTags = None,
) -> Steps:
    """Make one model of two: one behind the other, or side by side.

    Names of MODEL stay; names of OTHER get a prefix only where MODEL has them too. The result takes the inputs of
    MODEL and those of OTHER that are not connected, and yields the outputs of OTHER and those of MODEL that OTHER does
    not read. Variables, functions, tables and assets of both are kept; what both run on load is run.

    Examples:
      gs join tokenizer/ classifier/ --connect ids=input_ids -o served/
      gs join preprocess.pb frozen.pb --connect image=input -o both.pb
      gs join detector.tflite embedder.tflite -o both.tflite
      gs join served/ training/ --as-tags train --share-variables -o model/
    """
    if len(others) > 1 and connect:
        raise UsageError("--connect joins two models", hint="join two of them, and the result with the next")
    if share_variables and as_tags is None:
        raise UsageError(
            "--share-variables is for --as-tags", hint="variables of models that run together are kept apart"
        )
    commas = not has_free_names(model)
    arguments = {
        "connect": split_list(connect, commas=commas),
        "prefix": prefix,
        "keep": split_list(keep, commas=commas) or None,
        "signature": signature,
        "other_signature": other_signature,
        "name": name,
        "as_tags": parse_tags(as_tags),
        "share_variables": share_variables,
        "tags": parse_tags(tags),
        "other_tags": parse_tags(other_tags),
    }
    return [("join", {"other": other, **arguments}) for other in others]
