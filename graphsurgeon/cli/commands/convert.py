"""`gs convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.cli import output
from graphsurgeon.cli.common import Json, Model, Quiet, Tags, parse_tags
from graphsurgeon.errors import UsageError
from graphsurgeon.model.dtype import STRING

EVENTS = "logdir"


def convert(
    model: Model,
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="Where to; its suffix decides the format.", show_default=False)
    ],
    tags: Tags = None,
    format: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="Format of OUT, whatever its suffix; or `logdir`.")
    ] = None,
    release: Annotated[
        str | None,
        typer.Option("--for", metavar="RELEASE", help="Of a Keras file: keras-3, keras-2, tf-2.2 or tf-1.15 loads it."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing model at OUT.")] = False,
    link: Annotated[bool, typer.Option("--link", help="Hard-link unchanged files instead of copying them.")] = False,
    force_text: Annotated[
        bool, typer.Option("--force-text", help="Read text of more than 64 MB, which takes minutes.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a model in another container: binary or text, .pb, .meta, SavedModel, weights alone, TensorBoard.

    Of a SavedModel with several MetaGraphs, --tags chooses the one that a .pb or .meta gets. A folder named `logdir`
    gets a TensorBoard event file with the graph, .npz and .safetensors the variables; of a model without any, the
    numeric constants of 16 elements and more. --for writes the JSON of a Keras file anew, as another release of Keras
    or TensorFlow loads it; weights and all else stay byte for byte.

    Examples:
      gs convert model/ graph.pbtxt
      gs convert model.meta saved_model/
      gs convert model.ckpt-1000 weights.safetensors
      gs convert frozen.pb logdir/
      gs convert old.h5 new.h5 --for keras-3
    """
    if release is not None:
        _mend(model, target, release, force=force, as_json=as_json, quiet=quiet)
    elif target.suffix in (".npz", ".safetensors"):
        _export(model, target, force=force, as_json=as_json)
    elif format == EVENTS or (format is None and target.name == EVENTS):
        _write_events(model, target, parse_tags(tags), force=force, as_json=as_json, quiet=quiet)
    else:
        _rewrite(model, target, parse_tags(tags), format, (force, link, force_text), as_json=as_json, quiet=quiet)


def _mend(model: Path, target: Path, release: str, *, force: bool, as_json: bool, quiet: bool) -> None:
    from graphsurgeon.cli.text.mended import print_mended
    from graphsurgeon.export import export_for
    from graphsurgeon.formats import read

    report = export_for(read(model), target, release, force=force)
    if as_json:
        output.print_json(report)
    elif not quiet:
        print_mended(report)


def _export(model: Path, target: Path, *, force: bool, as_json: bool) -> None:
    from graphsurgeon.analysis.weights import list_weights
    from graphsurgeon.cli.text import weights as weights_text
    from graphsurgeon.formats import read

    file = read(model)
    weights = list_weights(file, file.metagraphs, lambda metagraph: metagraph.graphs, small=False)
    variables = [weight for weight in weights if weight.kind in ("variable", "slot")]
    constants = [weight for weight in weights if weight.kind == "constant" and weight.dtype is not STRING]
    if not (variables or constants):
        raise UsageError("holds no weights", path=model)
    weights_text.export(variables or constants, model, target, force=force, as_json=as_json)


def _write_events(
    model: Path, target: Path, tags: list[str] | None, *, force: bool, as_json: bool, quiet: bool
) -> None:
    from graphsurgeon.disk.files import rope_size
    from graphsurgeon.export import export_file
    from graphsurgeon.formats import read
    from graphsurgeon.formats.exports import tensorboard

    [(name, rope)] = tensorboard.lower(choose_metagraph(read(model), tags)).items()
    export_file(target / name, rope, sources=[model], force=force)
    if as_json:
        output.print_json({"path": str(target / name), "bytes": rope_size(rope)})
    elif not quiet:
        output.line(f"wrote {target / name} ({output.size(rope_size(rope))}); large values were left out")
        output.line(f"next: tensorboard --logdir {target}")


def _rewrite(
    model: Path,
    target: Path,
    tags: list[str] | None,
    format: str | None,
    flags: tuple[bool, bool, bool],
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    from graphsurgeon.cli.text.edit import print_edit
    from graphsurgeon.edit import Step, edit
    from graphsurgeon.formats import registry
    from graphsurgeon.formats.recognise import locate

    force, link, force_text = flags
    holds_one = target.suffix in (".pb", ".pbtxt", ".meta") or format in ("pb", "pbtxt", "meta", "meta_text")
    is_bare = locate.locate(model).traits.is_bare_graph
    steps: list[Step] = [("keep-metagraph", {"tags": tags})] if not is_bare and (tags is not None or holds_one) else []
    if not target.suffix and (format is None or registry.options().get(format) == (registry.SAVED_MODEL, None)):
        steps.append(("complete", {"tags": tags}))
    with output.progress_bar("writing", quiet=quiet or as_json) as progress:
        report = edit(
            model, steps, output=target, format=format, force=force, link=link, force_text=force_text, progress=progress
        )
    if as_json:
        output.print_json(output.to_json(report))
    elif not quiet:
        print_edit(report)
