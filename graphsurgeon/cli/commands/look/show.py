"""`gs show`: what a model is, what goes in, what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphsurgeon.analysis.summary import Summary, summarize
from graphsurgeon.cli import output
from graphsurgeon.cli.common import All, Jobs, Json, Models, Tags, parse_tags
from graphsurgeon.cli.data_options import Assume, parse_shapes
from graphsurgeon.cli.many import for_each
from graphsurgeon.errors import UsageError
from graphsurgeon.formats import registry
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from graphsurgeon.analysis.costs.memory import Memory
    from graphsurgeon.cli.text.show import Parts


def show(
    models: Models,
    tags: Tags = None,
    signature: Annotated[
        str | None, typer.Option("--signature", metavar="NAME", help="Only this signature, in full.")
    ] = None,
    ops: Annotated[bool, typer.Option("--ops", help="Every op with its count.")] = False,
    functions: Annotated[bool, typer.Option("--functions", help="Every function with its size.")] = False,
    objects: Annotated[bool, typer.Option("--objects", help="What tf.saved_model.load gives.")] = False,
    request: Annotated[
        bool, typer.Option("--request", help="How to ask TensorFlow Serving for it: a curl and a Python request.")
    ] = False,
    memory: Annotated[
        bool, typer.Option("--memory", help="What a run needs: arena or activations, weights, multiplications.")
    ] = False,
    assume: Assume = None,
    everything: All = False,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Tell what a model is, what goes in and what comes out.

    Nothing is loaded or run; weights are not read. With several models, one after the other (with --json one
    object a line).

    Examples:
        gs show my_model/
        gs show my_model/ --signature serving_default
        gs show models/detector/ --request
        gs show frozen.pb --ops
        gs show model.tflite --memory --assume image=8,224,224,3
        gs show model.ckpt-1000 --json
        gs show models/*.tflite --json -j 4
    """
    from graphsurgeon.cli.text.show import Parts

    options = {
        "tags": parse_tags(tags),
        "signature": signature,
        "parts": Parts(ops or everything, functions or everything, objects or everything, everything, signature),
        "request": request,
        "memory": memory or assume is not None,
        "assume": parse_shapes(assume),
        "as_json": as_json,
    }
    for_each(models, f"{__name__}:show_one", options, jobs=jobs)


def show_one(
    path: Path,
    *,
    tags: list[str] | None,
    signature: str | None,
    parts: Parts,
    request: bool,
    memory: bool,
    assume: Mapping[str, Shape],
    as_json: bool,
    among: bool,
) -> int:
    """Show one model. Returns the exit status."""
    from graphsurgeon.cli.text.show import print_summary

    if request:
        _print_request(path, signature, tags, as_json=as_json, among=among)
        return 0
    summary = _summarize(path, tags, signature, objects=parts.objects, everything=parts.everything)
    needs = _memory(path, tags, signature, assume) if memory else None
    if as_json:
        more = {"memory": output.to_json(needs)} if needs is not None else {}
        output.print_json({**output.to_json(summary), **more}, compact=among)
    else:
        print_summary(summary, parts, also=partial(_print_more, path, summary, parts, needs))
    return 0


def _memory(path: Path, tags: list[str] | None, signature: str | None, assume: Mapping[str, Shape]) -> Memory:
    from graphsurgeon.analysis.costs.memory import memory_of, require_graph
    from graphsurgeon.analysis.names import choose_metagraph
    from graphsurgeon.formats import read

    model = read(path)
    require_graph(model)
    return memory_of(model, choose_metagraph(model, tags), signature=signature, assume=assume)


def _print_more(path: Path, summary: Summary, parts: Parts, needs: Memory | None) -> None:
    """Print what a run needs, if that was asked for, and what the model says of itself."""
    if needs is not None:
        from graphsurgeon.cli.text.memory import print_memory

        print_memory(needs, everything=parts.everything)
    if parts.signature is None and registry.get(summary.format).vocabulary == TFLITE:
        _print_metadata(path)


def _print_metadata(path: Path) -> None:
    """Print what a TFLite model says of itself to MediaPipe Tasks, if it does."""
    from graphsurgeon.cli.text.metadata import print_metadata
    from graphsurgeon.formats import read
    from graphsurgeon.formats.tflite.describe import said_by

    said = said_by(read(path))
    if said:
        output.heading("what it says of itself (gs metadata)", apart=True)
        print_metadata(said, [])


def _print_request(path: Path, signature: str | None, tags: list[str] | None, *, as_json: bool, among: bool) -> None:
    from graphsurgeon.cli.text.request import print_request
    from graphsurgeon.formats import read

    print_request(read(path), signature, tags, as_json=as_json, among=among)


def _summarize(
    path: Path, tags: list[str] | None, signature: str | None, *, objects: bool, everything: bool
) -> Summary:
    from graphsurgeon.analysis.names import choose_metagraph
    from graphsurgeon.formats import read

    model = read(path, listing=True)
    chosen = None if tags is None else [choose_metagraph(model, tags)]
    summary = summarize(model, chosen, with_objects=objects, all_outputs=everything)
    return summary if signature is None else _only_signature(summary, signature)


def _only_signature(summary: Summary, key: str) -> Summary:
    from graphsurgeon.analysis.names import suggestion

    graphs = [
        graph._replace(signatures={key: graph.signatures[key]}) for graph in summary.graphs if key in graph.signatures
    ]
    if not graphs:
        known = [name for graph in summary.graphs for name in graph.signatures]
        raise UsageError(f"no signature {key!r}", path=summary.path, hint=suggestion(key, known) or _known(known))
    return summary._replace(graphs=graphs)


def _known(keys: list[str]) -> str:
    return f"there is {', '.join(dict.fromkeys(keys))}" if keys else "the model has none"
