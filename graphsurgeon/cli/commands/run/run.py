"""`gs run`: compute with a model, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import (
    Allow,
    AllowFiles,
    GraphName,
    Json,
    Model,
    Tags,
    parse_allowed,
    parse_tags,
    split_list,
)
from graphsurgeon.cli.data_options import Assume, Feeds, RuntimeName, Seed, parse_shapes

if TYPE_CHECKING:
    from graphsurgeon.bridges.run import RunReport


def run(
    model: Model,
    feeds: Feeds = None,
    signature: Annotated[
        str | None, typer.Option("--signature", metavar="NAME", help="Which signature; the default one without it.")
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option("--outputs", metavar="A,B", help="Keys of the signature, or any tensors, inside functions too."),
    ] = None,
    assume: Assume = None,
    seed: Seed = 0,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE.npz", help="Write the results to an .npz file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing FILE.")] = False,
    graph: GraphName = None,
    tags: Tags = None,
    runtime: RuntimeName = None,
    allow: Allow = None,
    allow_files: AllowFiles = False,
    as_json: Json = False,
) -> None:
    """Run a signature, or any tensors, on given or random data.

    TensorFlow, LiteRT, onnxruntime or Keras runs it, as its format is, or OpenVINO where that is not installed. Data
    are ones, zeros, random, a number, a JSON list, or @FILE (.npy, .npz, a picture). Inputs without data get random
    numbers that depend on their name and the seed only.

    A model that reaches files outside its folder, the network, processes, or code is not run without --allow.

    Examples:
        gs run model/ --feed x=ones
        gs run frozen.pb --outputs prob:0 --feed input=@cat.png --save out.npz
        gs run model/ --outputs block4/Relu --feed "x=[[1, 2, 3]]"
        gs run model.tflite --assume x=1,224,224,3
        gs run model.onnx --runtime openvino
        gs run model/ --allow ReadFile:/data/vocab.txt
    """
    from graphsurgeon.bridges.run import run as run_model
    from graphsurgeon.bridges.save import check_target, save_results

    if save is not None:
        check_target(save, model, force=force)
    report = run_model(
        model,
        signature=signature,
        outputs=split_list(outputs, commas=model.suffix != ".tflite"),
        feeds=feeds or [],
        assume=parse_shapes(assume),
        seed=seed,
        tags=parse_tags(tags),
        graph=graph,
        allowed=parse_allowed(allow, allow_files),
        tell=output.warn,
        runtime=runtime,
    )
    if save is not None:
        save_results(save, model, report.results, force=force)
    _show(report, save, as_json=as_json)


def _show(report: RunReport, save: Path | None, *, as_json: bool) -> None:
    if as_json:
        fields = output.to_json(report)
        output.print_json({name: value for name, value in fields.items() if name != "results"})
        return
    from graphsurgeon.cli.text.run import print_run

    print_run(report, save)
