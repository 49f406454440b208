"""A MetaGraph of a second model beside those of a SavedModel, under other tags: for training, for another device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphsurgeon.analysis.names import NO_TAGS
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.surgery.joining.around import take_assets
from graphsurgeon.surgery.joining.names import Renamed, separate_keys


class Beside(NamedTuple):
    """What was renamed in the second model, the tags it has, and notes."""

    renamed: Renamed
    tags: list[str]
    notes: list[str]


def join_tags(
    model: Model,
    metagraph: MetaGraph,
    second: Model,
    other: MetaGraph,
    tags: Sequence[str],
    prefix: str,
    *,
    share: bool,
) -> Beside:
    """Put a MetaGraph of a second model into a first one.

    Args:
        model: a SavedModel; gets the MetaGraph, the variables and the assets.
        metagraph: one of its own.
        second, other: taken apart.
        tags: that the MetaGraph gets.
        prefix: before the keys of variables, and the names of assets, that both have.
        share: variables of one key are one, with the values of the first.

    Raises:
        UsageError: the tags are taken, or variables that are to be shared differ in dtype or shape.
        UnsupportedError: the first model holds no several MetaGraphs.
    """
    if not model.traits.is_servable:
        raise UnsupportedError(
            "only a SavedModel holds several sets of tags", path=model.path, hint="gs convert it first"
        )
    wanted = [] if list(tags) == [NO_TAGS] else list(tags)
    if any(set(one.tags or ()) == set(wanted) for one in model.metagraphs):
        raise UsageError(f"the model has a MetaGraph tagged {','.join(wanted) or NO_TAGS} already", path=model.path)
    renamed: Renamed = []
    if share:
        _require_alike(model, second)
    else:
        renamed = separate_keys(model, second, prefix)
    assert metagraph.raw is not None
    other.tags = wanted
    found = metagraph.raw.beside(metagraph, other)
    notes = _take_assets(model, second, found, prefix)
    if model.checkpoint is None:
        model.checkpoint = second.checkpoint
    elif second.checkpoint is not None:
        model.checkpoint.variables = {**second.checkpoint.variables, **model.checkpoint.variables}
        if model.checkpoint.objects is None:
            model.checkpoint.objects = second.checkpoint.objects
    model.metagraphs.append(found)
    if any(one.objects is not None for one in model.metagraphs):
        notes.append("a SavedModel of several sets of tags is loaded as those of TensorFlow 1 are: give tags= to load")
    return Beside(renamed, wanted, notes)


def _require_alike(model: Model, second: Model) -> None:
    own = model.checkpoint.variables if model.checkpoint is not None else {}
    for key, variable in (second.checkpoint.variables if second.checkpoint is not None else {}).items():
        if key in own and (own[key].tensor.dtype, own[key].tensor.shape) != (
            variable.tensor.dtype,
            variable.tensor.shape,
        ):
            sides = (
                f"{own[key].tensor.dtype} {own[key].tensor.shape} and {variable.tensor.dtype} {variable.tensor.shape}"
            )
            raise UsageError(f"variable {key!r} cannot be shared: it is {sides}", hint="leave out --share-variables")


def _take_assets(model: Model, second: Model, metagraph: MetaGraph, prefix: str) -> list[str]:
    own = {asset.filename for one in model.metagraphs for asset in one.assets}
    return take_assets(metagraph.assets, own, second.path, prefix)
