"""`gs run`: compute with a model, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import GraphName, Json, Model, Tags, parse_tags, split_list
from graphsurgeon.cli.data_options import Assume, Feeds, Seed, parse_shapes


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
    as_json: Json = False,
) -> None:
    """Run a signature, or any tensors, with TensorFlow (or LiteRT), on given or random data.

    Data are ones, zeros, random, a number, a JSON list, or @FILE (.npy, .npz, a picture). Inputs without data get
    random numbers that depend on their name and the seed only.

    Examples:
        gs run model/ --feed x=ones
        gs run frozen.pb --outputs prob:0 --feed input=@cat.png --save out.npz
        gs run model/ --outputs block4/Relu --feed "x=[[1, 2, 3]]"
        gs run model.tflite --assume x=1,224,224,3
    """
    from graphsurgeon.bridges.run import run as run_model

    if save is not None:
        from graphsurgeon.bridges.save import check_target

        check_target(save, force=force)
    report = run_model(
        model,
        signature=signature,
        outputs=split_list(outputs, commas=model.suffix != ".tflite"),
        feeds=feeds or [],
        assume=parse_shapes(assume),
        seed=seed,
        tags=parse_tags(tags),
        graph=graph,
    )
    if save is not None:
        from graphsurgeon.bridges.save import save_results

        save_results(save, report.results)
    if as_json:
        fields = output.to_json(report)
        output.print_json({name: value for name, value in fields.items() if name != "results"})
        return
    from graphsurgeon.cli.text.run import print_run

    print_run(report, save)
