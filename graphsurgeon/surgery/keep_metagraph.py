"""Keep one MetaGraph of several, as formats that hold one need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphsurgeon.analysis.names import NO_TAGS, choose_metagraph
from graphsurgeon.model.model import Model
from graphsurgeon.surgery.moves import arguments


@dataclass(frozen=True)
class KeepReport:
    """Tags of the MetaGraphs that were left out."""

    left_out: list[str]


@arguments.takes(tags=arguments.names)
def keep_metagraph(model: Model, *, tags: Sequence[str] | None = None) -> KeepReport:
    """Leave a model with one MetaGraph; its variables stay.

    Args:
        model: changed in place.
        tags: as everywhere: the MetaGraph with exactly these; without, the only one or that tagged `serve`.

    Raises:
        UsageError: there is no such MetaGraph, or several.
    """
    kept = choose_metagraph(model, tags)
    left_out = [",".join(other.tags or ()) or NO_TAGS for other in model.metagraphs if other is not kept]
    model.metagraphs = [kept]
    return KeepReport(left_out)
