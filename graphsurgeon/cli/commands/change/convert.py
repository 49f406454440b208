"""`gs convert`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.bridges.converting.table import converter_for
from graphsurgeon.cli import output
from graphsurgeon.cli.common import Assets, Model, Tags, expanding, parse_assets, parse_tags
from graphsurgeon.cli.conversion_options import carry_out, conversion, of_network, require_no_conversion
from graphsurgeon.cli.edit_command import Options, Redirected, Steps, edit_command, is_step
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats.target import named_format
from graphsurgeon.model.dtype import STRING

EVENTS = "logdir"
_FOLDERS_OF_LOGS = (EVENTS, "logs")  # what is written into one was perhaps meant for TensorBoard


@partial(edit_command, without=("in_place",))
@expanding(asked=conversion, network=of_network)
def convert(
    model: Model,
    options: Options,
    asked: dict[str, Any],
    network: dict[str, Any],
    place: Annotated[
        str | None, typer.Argument(metavar="OUT", help="Where to; its suffix decides the format.", show_default=False)
    ] = None,
    tags: Tags = None,
    asset: Assets = None,
    release: Annotated[
        str | None,
        typer.Option("--for", metavar="RELEASE", help="Of a Keras file: keras-3, keras-2, tf-2.2 or tf-1.15 loads it."),
    ] = None,
    keep_functions: Annotated[
        bool, typer.Option("--keep-functions", help="For TensorBoard: leave function calls, do not open them.")
    ] = False,
    force_text: Annotated[
        bool, typer.Option("--force-text", help="Read text of more than 64 MB, which takes minutes.")
    ] = False,
) -> Redirected:
    """Write a model in another container: binary or text, .pb, .meta, SavedModel, weights alone, TensorBoard.

    Of a SavedModel with several MetaGraphs, --tags chooses the one that a .pb or .meta gets. A folder named `logdir`,
    or --format logdir, gets a TensorBoard event file with the graph, calls of functions opened; .npz and .safetensors
    get the variables; of a model without any, the numeric constants of 16 elements and more. --for writes the JSON of a
    Keras file anew, as another release of Keras or TensorFlow loads it; weights and all else stay byte for byte.

    A network of ONNX, MXNet or Caffe becomes one of TensorFlow's ops, with channels last: images that go in and come
    out too, unless --keep-layout is given; which ones were turned is said. What has no counterpart is named.
    OUT.onnx (extra onnx) is made by tf2onnx, loaded by onnxruntime and compared with the source, else not written.

    Examples:
      gs convert model/ graph.pbtxt
      gs convert model.meta saved_model/ --checkpoint model.ckpt-100
      gs convert old.h5 new.h5 --for keras-3
      gs convert model.onnx saved_model/
      gs convert model.onnx part/ --outputs features
      gs convert net-symbol.json net.onnx
      gs convert model/ model.onnx --signature classify
    """
    target, chosen = _one_target(place, options), parse_tags(tags)
    step = {"tags": chosen, "assets": parse_assets(asset), **network}
    if target is None:
        if not (is_step() or options.print_recipe):
            raise UsageError("nowhere to write to", path=model, hint="gs convert MODEL OUT")
        return Redirected([("convert", step)], None)
    path = Path(target)
    way = converter_for(model, path, options.format)
    if way is not None and release is None:
        return Redirected([], target, export=partial(carry_out, way, model, path, chosen, asked))
    require_no_conversion({**asked, "checkpoint": None, "inputs": [], "outputs": []})
    given = _given_variables(asked["checkpoint"], path, release)
    export = _other_file(model, path, options.format, chosen, release, keep_functions=keep_functions)
    if export is not None:
        require_no_conversion({**asked, "checkpoint": None})
        return Redirected([], target, export=export)
    _tell_of_logs(path, options)
    step |= _part(asked) | {"format": named_format(target, options.format)}
    return Redirected([*given, ("convert", step)], target, force_text)


def _part(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: asked[name] for name in ("inputs", "outputs") if asked[name]}


def _tell_of_logs(path: Path, options: Options) -> None:
    if options.format is None and not path.suffix and path.parent.name in _FOLDERS_OF_LOGS and not options.quiet:
        output.warn(f"{path} becomes a SavedModel; --format {EVENTS} writes what TensorBoard shows", prefix="note")


def _given_variables(checkpoint: Any, path: Path, release: str | None) -> Steps:
    """Return the step that gives a graph the variables of a checkpoint, where one is named."""
    if checkpoint is None:
        return []
    if release is not None or path.suffix in (".npz", ".safetensors") or path.name == EVENTS:
        raise UsageError("--checkpoint gives a graph its variables", hint=f"gs convert {checkpoint} {path} writes them")
    return [("attach-checkpoint", {"checkpoint": checkpoint})]


def _one_target(place: str | None, options: Options) -> str | Path | None:
    if place is not None and options.target is not None:
        raise UsageError(f"the output is given twice: {place} and {options.target}", hint="give one OUT")
    return place or options.target


def _other_file(
    model: Path, path: Path, format: str | None, tags: list[str] | None, release: str | None, *, keep_functions: bool
) -> Callable[[Options], None] | None:
    """Return what writes a Keras file, weights or a TensorBoard log; None if something else is to be written."""
    if release is not None:
        return partial(_mend, model, path, release)
    is_log = format == EVENTS or (format is None and path.name == EVENTS)
    if is_log:
        return partial(_write_events, model, path, tags, keep_functions)
    if keep_functions:
        raise UsageError("--keep-functions is for a TensorBoard log", hint="give a folder logdir, or --format logdir")
    return partial(_export, model, path) if path.suffix in (".npz", ".safetensors") else None


def _mend(model: Path, target: Path, release: str, options: Options) -> None:
    from graphsurgeon.cli.text.mended import print_mended
    from graphsurgeon.export import export_for
    from graphsurgeon.formats import read

    report = export_for(read(model), target, release, force=options.force, dry_run=options.dry_run)
    if options.as_json:
        output.print_json(report)
    elif not options.quiet:
        print_mended(report, dry_run=options.dry_run)


def _export(model: Path, target: Path, options: Options) -> None:
    from graphsurgeon.analysis.stored_weights.weights import list_weights
    from graphsurgeon.cli.text import weights as weights_text
    from graphsurgeon.formats import read

    file = read(model)
    weights = list_weights(file, file.metagraphs, lambda metagraph: metagraph.graphs, small=False)
    variables = [weight for weight in weights if weight.kind in ("variable", "slot")]
    constants = [weight for weight in weights if weight.kind == "constant" and weight.dtype is not STRING]
    if not (variables or constants):
        raise UsageError("holds no weights", path=model)
    weights_text.export(
        variables or constants,
        model,
        target,
        force=options.force,
        dry_run=options.dry_run,
        as_json=options.as_json,
        quiet=options.quiet,
    )


def _write_events(
    model: Path, target: Path, tags: list[str] | None, keep_functions: bool, options: Options
) -> None:  # fmt: skip
    from graphsurgeon.disk.files import rope_size
    from graphsurgeon.export import export_file
    from graphsurgeon.formats import read
    from graphsurgeon.formats.exports import tensorboard
    from graphsurgeon.surgery.moves.inlining.inline_all import inline_all

    metagraph, said = choose_metagraph(read(model), tags), ""
    if not keep_functions and metagraph.graph.kind != "subgraph" and metagraph.functions:
        try:
            inlined = inline_all(metagraph)
            said = f"; {output.plural(inlined, 'call')} opened" if inlined else ""
        except UnsupportedError as error:
            output.warn(f"function calls stay as they are: {error}")
            metagraph = choose_metagraph(read(model), tags)
    [(name, rope)] = tensorboard.lower(metagraph).items()
    file = target / name
    export_file(file, rope, sources=[model], force=options.force, dry_run=options.dry_run)
    if options.as_json:
        output.print_json({"path": str(file), "bytes": rope_size(rope)})
    elif not options.quiet:
        about = f"{output.size(rope_size(rope))}, without the large values{said}"
        output.wrote(file, about, dry_run=options.dry_run)
        if not options.dry_run:
            output.next_step(f"tensorboard --logdir {shlex.quote(str(target))}", apart=False)
