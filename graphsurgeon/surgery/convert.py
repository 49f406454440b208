"""Make of a model what another container holds: one MetaGraph, a complete SavedModel, the variables alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphsurgeon.analysis.names import NO_TAGS, choose_metagraph
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.format import Format
from graphsurgeon.model.model import Model
from graphsurgeon.surgery.complete import complete
from graphsurgeon.surgery.moves import arguments


@dataclass(frozen=True)
class ConvertReport:
    """What a change of container takes.

    Attributes:
        left_out: tags of the MetaGraphs that were left out.
        notes: what a bare graph was given, one line each.
    """

    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@arguments.takes(tags=arguments.names, assets=arguments.by_name)
def convert(
    model: Model,
    *,
    tags: Sequence[str] | None = None,
    format: Format | None = None,
    assets: Mapping[str, str] | None = None,
) -> ConvertReport:
    """Prepare a model for another container; what it computes and its variables stay.

    Args:
        model: changed in place.
        tags: the MetaGraph that is kept, as everywhere; of a bare graph the tags that a SavedModel gets. Without,
            all stay, but where the format holds one only: then the only one, or that tagged `serve`.
        format: what it is to become, a record of `formats.registry`; None leaves that to where it is written.
        assets: for a GraphDef or `.meta` that becomes a SavedModel: name of an asset that it reads -> the file.

    Raises:
        UsageError: there is no such MetaGraph, or several.
        UnsupportedError: the format is a SavedModel, and no loader could restore the variables of the graph; or it
            is a checkpoint, and the model has no variables.
    """
    if format is not None and not format.holds_graph:
        return _checkpoint_alone(model)
    left_out: list[str] = []
    holds_one = format is not None and not format.holds_several_graphs
    if not model.traits.is_bare_graph and model.metagraphs and (tags is not None or holds_one):
        kept = choose_metagraph(model, tags)
        left_out = [",".join(other.tags or ()) or NO_TAGS for other in model.metagraphs if other is not kept]
        model.metagraphs = [kept]
    if assets or (format is not None and format.is_servable):
        return ConvertReport(left_out, complete(model, tags=tags, assets=assets).notes)
    if tags is not None and model.traits.is_bare_graph:
        for metagraph in model.metagraphs:
            metagraph.tags = metagraph.tags or [tag for tag in tags if tag != NO_TAGS]
    return ConvertReport(left_out)


def _checkpoint_alone(model: Model) -> ConvertReport:
    if model.checkpoint is None:
        what = model.unreadable or "the model has no variables that a checkpoint could hold"
        raise UnsupportedError(what, path=model.path)
    model.metagraphs = []
    return ConvertReport()
