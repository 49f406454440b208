"""`gs add-signature`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli.common import Assets, GraphName, Model, Tags, parse_assets, parse_tags, split_list, split_pair
from graphsurgeon.cli.edit_command import Redirected, edit_command
from graphsurgeon.errors import UsageError
from graphsurgeon.formats.target import next_version
from graphsurgeon.surgery.moves.signatures.signature_keys import tensor_key


class Method(str, Enum):
    """The methods of TensorFlow Serving."""

    predict = "predict"
    classify = "classify"
    regress = "regress"


Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input", metavar="KEY=TENSOR", help="An input; a tensor alone has the key of its name. Default: all needed."
    ),
]

PastParser = Annotated[
    bool,
    typer.Option("--past-parser", help="The inputs are the features parsed out of tf.train.Examples, by name."),
]
OfSignature = Annotated[
    str | None,
    typer.Option("--signature", metavar="NAME", help="With --past-parser: whose outputs. Default: what parses."),
]
Key = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Key of the signature. Default: serving_default, or parsed."),
]
ServingDir = Annotated[
    Path | None,
    typer.Option("--serving-dir", metavar="DIR", help="Write DIR/N, the next version for TensorFlow Serving."),
]
ByShape = Annotated[
    str | None,
    typer.Option(
        "--outputs-by-shape", metavar="KEY=SHAPE", help="The likeliest output of a shape; KEY can be left out."
    ),
]


@edit_command
def add_signature(
    model: Model,
    inputs: Inputs = None,
    outputs: Annotated[
        list[str] | None, typer.Option("--output", metavar="KEY=TENSOR", help="An output of the signature.")
    ] = None,
    past_parser: PastParser = False,
    signature: OfSignature = None,
    shape: ByShape = None,
    name: Key = None,
    method: Annotated[Method, typer.Option("--method", help="What TensorFlow Serving does with it.")] = Method.predict,
    call: Annotated[
        list[str] | None,
        typer.Option("--call", metavar="NODE", help="Choose among several calls that lead to a function."),
    ] = None,
    asset: Assets = None,
    serving_dir: ServingDir = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a signature of that name.")] = False,
    graph: GraphName = None,
    tags: Tags = None,
) -> Redirected:
    """Add a signature that TensorFlow Serving and tf.saved_model.load both see.

    Of a frozen graph, or a .meta with its checkpoint, it makes a complete SavedModel.

    Examples:
      gs add-signature frozen.pb --input image=input:0 --output prob=softmax:0 -o served/
      gs add-signature model.meta --outputs-by-shape embedding=None,512 --serving-dir models/face
      gs add-signature estimator/ --past-parser -o out/
      gs add-signature model/ --name features --output features=block4/Relu -o out/
    """
    if not outputs and shape is None and not past_parser:
        raise UsageError("a signature needs an output", hint="give --output KEY=TENSOR or --outputs-by-shape SHAPE")
    arguments = {
        "outputs": dict(map(_entry, outputs or ())),
        "inputs": dict(map(_entry, inputs)) if inputs else None,
        "past_parser": past_parser,
        "signature": signature,
        "outputs_by_shape": _by_shape(shape) if shape is not None else None,
        "name": name,
        "method": method.value,
        "calls": split_list(call),
        "graph": graph,
        "assets": parse_assets(asset),
        "replace": replace,
        "tags": parse_tags(tags),
    }
    target = next_version(serving_dir) if serving_dir is not None else None
    return Redirected([("add-signature", arguments)], target)


@edit_command
def remove_signature(
    model: Model,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Keys of signatures.", show_default=False)],
    tags: Tags = None,
) -> Redirected:
    """Remove signatures; graph and variables stay.

    Examples:
      gs remove-signature model/ train -o out/
    """
    return Redirected([("remove-signature", {"names": names, "tags": parse_tags(tags)})], None)


def _by_shape(text: str) -> dict[str, str]:
    key, _, shape = text.rpartition("=")
    return {key: shape}


def _entry(text: str) -> tuple[str, str]:
    """Return key and tensor of `KEY=TENSOR`; a tensor alone has the key that its name gives."""
    return split_pair(text, "KEY=TENSOR") if "=" in text else (tensor_key(text), text)
