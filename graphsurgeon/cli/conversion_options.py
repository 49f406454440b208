"""What a conversion for another framework is told, and how one is carried out and told of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphsurgeon.bridges.converting.table import Converter, converters
from graphsurgeon.cli import output
from graphsurgeon.cli.commands.change.freeze import SetValues, set_values
from graphsurgeon.cli.common import parse_allowed, split_list
from graphsurgeon.cli.data_options import Seed, parse_shapes
from graphsurgeon.cli.edit_command import Options
from graphsurgeon.errors import UsageError

_OPTIONS = {
    "signature": "--signature", "outputs": "--outputs", "inputs": "--inputs", "set_values": "--set",
    "checkpoint": "--checkpoint",
}  # fmt: skip


def conversion(
    signature: Annotated[
        str | None, typer.Option("--signature", metavar="NAME", help="Of a conversion: this signature.")
    ] = None,
    outputs: Annotated[
        list[str] | None, typer.Option("--outputs", metavar="A,B", help="Of a conversion: tensors, nodes, or keys.")
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--inputs", metavar="A,B", help="Of a conversion: feed these tensors.")
    ] = None,
    values: SetValues = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", metavar="PATH", help="Where the variables of a bare graph are.")
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Of a conversion: do not compare the result with the source.")
    ] = False,
    seed: Seed = 0,
    opset: Annotated[
        int | None, typer.Option("--opset", metavar="N", help="Of ONNX: the version of its ops.", min=7)
    ] = None,
    quantize: Annotated[
        str | None, typer.Option("--quantize", metavar="HOW", help="Of TFLite: dynamic, float16, int8 or int16x8.")
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option("--calibrate", metavar="DATA", help="Of TFLite: .npz, .npy, a folder of pictures, or random."),
    ] = None,
    int8_io: Annotated[bool, typer.Option("--int8-io", help="Of TFLite: integers go in and come out, too.")] = False,
    select_tf_ops: Annotated[
        bool, typer.Option("--select-tf-ops", help="Of TFLite: TensorFlow's kernels may stand in the file.")
    ] = False,
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="N", help="Of TFLite: the batch, where it is free.", min=1)
    ] = None,
) -> dict[str, Any]:
    """Return the fields of a `Request` that the options give; `settings` has what one way alone is told."""
    own: dict[str, object] = {
        "opset": opset,
        "quantize": quantize,
        "calibrate": calibrate,
        "int8_io": int8_io or None,
        "select": select_tf_ops or None,
        "batch": batch,
    }
    return {
        "signature": signature,
        "outputs": split_list(outputs),
        "inputs": split_list(inputs),
        "set_values": set_values(values),
        "checkpoint": checkpoint,
        "verify": not no_verify,
        "seed": seed,
        "settings": {name: value for name, value in own.items() if value is not None},
    }


def of_network(
    shape: Annotated[
        list[str] | None,
        typer.Option(
            "--shape",
            metavar="NAME=SHAPE",
            help="Of an ONNX, MXNet or Caffe input, in place of the file's. Repeatable.",
        ),
    ] = None,
    keep_layout: Annotated[
        bool, typer.Option("--keep-layout", help="Leave the channels of such a network's inputs and outputs in place.")
    ] = False,
    params: Annotated[
        Path | None, typer.Option("--params", metavar="FILE", help="The weights of a network of MXNet or Caffe.")
    ] = None,
) -> dict[str, Any]:
    """Return arguments of `surgery.convert` for networks of other frameworks, those that are given."""
    found: dict[str, Any] = {"shapes": parse_shapes(shape, "--shape")} if shape else {}
    found |= {"keep_layout": True} if keep_layout else {}
    return found if params is None else {**found, "params": str(params)}


def require_no_conversion(asked: dict[str, Any]) -> None:
    """Refuse what is told a converter where there is none: a change of the container leaves the graph as it is.

    Raises:
        UsageError: such an option was given.
    """
    given = [option for name, option in _OPTIONS.items() if asked[name]] + ["--no-verify"] * (not asked["verify"])
    given += [each.settings[name] for name in asked["settings"] for each in converters() if name in each.settings]
    if given:
        raise UsageError(f"{given[0]} is for conversions such as to .onnx", hint="gs freeze and gs extract cut a graph")


def carry_out(
    way: Converter, model: Path, target: Path, tags: list[str] | None, asked: dict[str, Any], options: Options
) -> None:
    """Convert a model and tell of it.

    Raises:
        GraphSurgeonError: why it was not tried.
        typer.Exit: with status 1, where the result was no good.
    """
    from graphsurgeon.bridges.converting.request import Request
    from graphsurgeon.cli.text.converted import print_converted

    for name in asked["settings"].keys() - way.settings.keys():
        of = next(each for each in converters() if name in each.settings)
        raise UsageError(f"{of.settings[name]} is not for {way.title}", hint=f"it is for {of.title}")
    allowed = parse_allowed(options.allow, options.allow_files)
    request = Request(
        path=model, target=target, tags=tags, force=options.force, dry_run=options.dry_run, allowed=allowed,
        tell=output.warn, **asked,
    )  # fmt: skip
    report = way.carry_out(request)
    if options.as_json:
        output.print_json(report)
    elif not options.quiet or report.problem:
        print_converted(report, dry_run=options.dry_run)
    if report.problem:
        raise typer.Exit(1)
