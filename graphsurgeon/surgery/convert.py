"""Make of a model what another container holds: one MetaGraph, a complete SavedModel, the variables alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from graphsurgeon.analysis.names import NO_TAGS, choose_metagraph
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.lowering import LoweringOptions, lower
from graphsurgeon.lowering.to_onnx.binding import bind
from graphsurgeon.lowering.to_onnx.layers import MissingWeightsError
from graphsurgeon.model.format import ONNX, Format, Vocabulary
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.surgery.checkpoints.object_tree import MADE, make_objects
from graphsurgeon.surgery.complete import complete
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.network_part import cut


@dataclass(frozen=True)
class ConvertReport:
    """What a change of container takes.

    Attributes:
        left_out: tags of the MetaGraphs that were left out.
        lowered: vocabularies that the ops were of and are of now, where those differ.
        renamed: of a graph of another vocabulary: name in the source -> in the result, where they differ.
        turned: inputs and outputs whose channels are the last axis now: name in the source -> which axis of it each is.
        notes: what a bare graph was given, one line each.
    """

    left_out: list[str] = field(default_factory=list)
    lowered: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    turned: dict[str, list[int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@arguments.takes(
    tags=arguments.names,
    assets=arguments.by_name,
    shapes=arguments.shapes,
    inputs=arguments.names,
    outputs=arguments.names,
)
def convert(
    model: Model,
    *,
    tags: Sequence[str] | None = None,
    format: Format | None = None,
    assets: Mapping[str, str] | None = None,
    shapes: Mapping[str, Shape] | None = None,
    keep_layout: bool = False,
    params: Model | None = None,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
) -> ConvertReport:
    """Prepare a model for another container; what it computes and its variables stay.

    A network of another framework becomes one of ops that the format holds (`graphsurgeon/lowering/`).

    Args:
        model: changed in place.
        tags: the MetaGraph that is kept, as everywhere; of a bare graph the tags that a SavedModel gets. Without,
            all stay, but where the format holds one only: then the only one, or that tagged `serve`.
        format: what it is to become, a record of `formats.registry`; None leaves that to where it is written.
        assets: for a GraphDef or `.meta` that becomes a SavedModel: name of an asset that it reads -> the file.
        shapes: of inputs of a network of another framework, in place of what the file says of them.
        keep_layout: leave the axes of its inputs and outputs as they are.
        params: the weights of a network of MXNet or Caffe, in place of those beside it.
        inputs, outputs: of an ONNX network: the tensors that are fed, and that come out; the rest stays behind.

    Raises:
        UsageError: there is no such MetaGraph or tensor, or several.
        UnsupportedError: the format is a SavedModel, and no loader could restore the variables of the graph; or it
            is a checkpoint, and the model has no variables; or nodes have no counterpart among the format's ops.
    """
    if params is not None:
        bind(model, params)
    if format is not None and not format.holds_graph:
        return _checkpoint_alone(model)
    if format is not None and model.traits.becomes & format.writes and not _spoken(model) <= format.writes:
        notes = _cut(model, inputs, outputs)
        report = _lower(model, format, LoweringOptions(keep_layout, shapes or {}))
        return replace(report, notes=[*notes, *report.notes])
    if inputs or outputs:
        option = "--outputs" if outputs else "--inputs"
        raise UsageError(f"{option} is for conversions such as to .onnx", hint="gs freeze and gs extract cut a graph")
    if shapes or keep_layout:
        what = "the shapes and the layout are those of a network of another framework that becomes one of TensorFlow"
        raise UsageError(what, hint="gs set-input changes the shape of an input")
    left_out: list[str] = []
    holds_one = format is not None and not format.holds_several_graphs
    if not model.traits.is_bare_graph and model.metagraphs and (tags is not None or holds_one):
        kept = choose_metagraph(model, tags)
        left_out = [",".join(other.tags or ()) or NO_TAGS for other in model.metagraphs if other is not kept]
        model.metagraphs = [kept]
    if assets or (format is not None and format.is_servable):
        return ConvertReport(left_out, notes=complete(model, tags=tags, assets=assets).notes)
    if tags is not None and model.traits.is_bare_graph:
        for metagraph in model.metagraphs:
            metagraph.tags = metagraph.tags or [tag for tag in tags if tag != NO_TAGS]
    return ConvertReport(left_out)


def _cut(model: Model, inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
    if not (inputs or outputs):
        return []
    if model.traits.vocabulary != ONNX:
        what = f"of a {model.traits.title} the whole is converted"
        raise UnsupportedError(what, path=model.path, hint="convert it to .onnx first, and the part of that")
    return [note for metagraph in model.metagraphs for note in cut(metagraph, inputs, outputs)]


def _checkpoint_alone(model: Model) -> ConvertReport:
    if model.checkpoint is None:
        what = model.unreadable or "the model has no variables that a checkpoint could hold"
        raise UnsupportedError(what, path=model.path)
    model.metagraphs = []
    # Names of arrays may be keys of a checkpoint of objects that was written to them.
    if not model.traits.holds_graph and make_objects(model.checkpoint):
        return ConvertReport(notes=[MADE])
    return ConvertReport()


def _spoken(model: Model) -> set[Vocabulary]:
    return {metagraph.vocabulary for metagraph in model.metagraphs}


def _beside(model: Model) -> str:
    """Return the name of the file of weights that is looked for."""
    path = Path(model.path)
    return path.name.removesuffix("-symbol.json").removesuffix(path.suffix) + model.traits.weights_beside


def _lower(model: Model, format: Format, options: LoweringOptions) -> ConvertReport:
    """Make every graph one of ops that the format holds."""
    before = _spoken(model)
    try:
        lowered = [lower(metagraph, sorted(format.writes), options) for metagraph in model.metagraphs]
    except MissingWeightsError as error:
        damaged = next((note for note in model.notes if note.startswith("the weights in ")), "")
        error.hint = f"{damaged or _beside(model) + ' is looked for beside it'}; --params names another file"
        raise error.at(model.path) from error
    model.metagraphs = [one.metagraph for one in lowered]
    words = {old: new.metagraph.vocabulary for old, new in zip(sorted(before), lowered, strict=False)}
    renamed = {old: new for one in lowered for old, new in one.renamed.items()}
    turned = {name: order for one in lowered for name, order in one.turned.items()}
    return ConvertReport(
        lowered=words, renamed=renamed, turned=turned, notes=[note for one in lowered for note in one.notes]
    )
