"""`gs verify`: whether two models compute the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import Allow, AllowFiles, Json, Quiet, Tags, parse_allowed, parse_tags, split_list
from graphsurgeon.cli.data_options import Assume, Feeds, RuntimeName, Seed, parse_shapes
from graphsurgeon.cli.remote import model_path

if TYPE_CHECKING:
    from graphsurgeon.compare.equivalence import Tolerance


def verify(
    before: Annotated[Path, typer.Argument(metavar="A", help="A model.", show_default=False, parser=model_path)],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another.", show_default=False, parser=model_path)],
    feeds: Feeds = None,
    signature: Annotated[
        list[str] | None, typer.Option("--signature", metavar="NAME", help="Only these; every common one without it.")
    ] = None,
    assume: Assume = None,
    seed: Seed = 0,
    rtol: Annotated[float | None, typer.Option("--rtol", help="Relative tolerance; 1e-4 without it.")] = None,
    atol: Annotated[float | None, typer.Option("--atol", help="Absolute tolerance; 1e-5 without it.")] = None,
    dequantize: Annotated[
        bool, typer.Option("--dequantize", help="TFLite: compare the real numbers that quantized ends stand for.")
    ] = False,
    per_tensor: Annotated[
        bool, typer.Option("--per-tensor", help="Compare every tensor inside too, TensorFlow's and TFLite's.")
    ] = False,
    tags: Tags = None,
    runtime: RuntimeName = None,
    allow: Allow = None,
    allow_files: AllowFiles = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run two models of whatever formats on the same inputs and compare what comes out.

    Each is run by what its format belongs to (TensorFlow, LiteRT, onnxruntime, Keras), or by OpenVINO where that is
    not installed; --runtime chooses. Inputs and outputs of different formats are paired by key, name, shape and order.

    Exit status 1 if they differ (the first tensor that does is named), or nothing can be compared.

    Examples:
        gs verify model/ frozen.pb --feed x=@batch.npy --per-tensor
        gs verify model.onnx model/
        gs verify float.tflite int8.tflite --dequantize
    """
    from graphsurgeon.bridges.verify import verify as verify_models

    report = verify_models(
        *(before, after),
        signatures=split_list(signature) or None,
        feeds=feeds or [],
        assume=parse_shapes(assume),
        seed=seed,
        tolerance=_tolerance(rtol, atol),
        dequantize=dequantize,
        per_tensor=per_tensor,
        tags=parse_tags(tags),
        allowed=parse_allowed(allow, allow_files),
        tell=output.warn,
        runtime=runtime,
    )
    if as_json:
        output.print_json(report)
    elif not quiet:
        from graphsurgeon.cli.text.run import print_equivalence

        print_equivalence(report)
    if not report.agrees:
        raise typer.Exit(1)


def _tolerance(rtol: float | None, atol: float | None) -> Tolerance | None:
    """Return what was said; None leaves it to what is compared."""
    from graphsurgeon.compare.equivalence import ATOL, RTOL, Tolerance

    if rtol is None and atol is None:
        return None
    return Tolerance(RTOL if rtol is None else rtol, ATOL if atol is None else atol)
