"""Verify that two models compute the same, with the runtimes; and find where along the graph they begin not to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.bridges.child import require_extra, runtime_of
from graphsurgeon.bridges.feeds import maker, parse_feeds
from graphsurgeon.bridges.guard import NOTHING, Allowed, Tell, require_allowed
from graphsurgeon.bridges.locate import first_difference
from graphsurgeon.bridges.runner import run_calls
from graphsurgeon.compare.entries import OneRun, Runner, RunOutcome, entries
from graphsurgeon.compare.equivalence import Assumed, EquivalenceReport, Tolerance, assumptions, compare_models
from graphsurgeon.compare.pairs import EntryPair
from graphsurgeon.formats import read
from graphsurgeon.formats.checkpoint.find import read_checkpoint
from graphsurgeon.formats.recognise.locate import locate
from graphsurgeon.formats.savedmodel.folder import require_contained
from graphsurgeon.model.model import Model

if TYPE_CHECKING:
    from graphsurgeon.compare.equivalence import Arrays

_VALUES = "gs diff compares its values"


def verify(
    before: str | os.PathLike[str],
    after: str | os.PathLike[str],
    *,
    signatures: Sequence[str] | None = None,
    feeds: Mapping[str, object] | Sequence[str] = (),
    assume: Assumed | None = None,
    seed: int = 0,
    tolerance: Tolerance | None = None,
    tags: Sequence[str] | None = None,
    with_place: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
    decided: Mapping[str, object] | None = None,
    allowed: Allowed = NOTHING,
    tell: Tell | None = None,
) -> EquivalenceReport:
    """Run two models on the same inputs and compare what comes out.

    Args:
        before, after: the model files.
        signatures: only these; None means every one that both have.
        feeds: input -> data, or `NAME=DATA` texts; the others are random.
        assume: input -> shape of random data; several such run the models with each.
        seed: of random data.
        tolerance: what counts as the same.
        tags: of the MetaGraph, in both.
        with_place: if they differ, find the first tensor along the graph that does.
        checkpoint: where the variables of `before` are, if that is a bare graph.
        decided: input, node or tensor of `before` -> the constant that `after` has made of it; `before` is fed it.
        allowed: what the models may reach outside themselves.
        tell: is told what they do there, before they are run.

    Raises:
        UnsupportedError: the extra is missing, a model reaches outside itself, or cannot be run at all.
        UsageError: a name does not exist.
    """
    first, second = read(before), read(after)
    if checkpoint is not None:
        first.checkpoint = read_checkpoint(Path(checkpoint))
    _require_runnable((first, second), signatures, tags, allowed, tell)
    given = _given(first, feeds, tags)

    within, stand = tolerance or Tolerance(), allowed.stand

    def find_first(pair: EntryPair, ours: Arrays, theirs: Arrays) -> str | None:
        return first_difference(Path(before), Path(after), pair, ours, theirs, within, tags, stand)

    return compare_models(
        first,
        second,
        _runner_of(first, second, stand=allowed.stand),
        signatures=signatures,
        tags=tags,
        feeds={name: maker(data, seed=seed, shape=assumptions(assume)[0].get(name)) for name, data in given.items()},
        decided={name: maker(data, seed=seed) for name, data in (decided or {}).items()},
        assume=assume,
        seed=seed,
        tolerance=within,
        locate=find_first if with_place else None,
    )


def _require_runnable(
    models: Sequence[Model],
    signatures: Sequence[str] | None,
    tags: Sequence[str] | None,
    allowed: Allowed,
    tell: Tell | None,
) -> None:
    """Refuse models whose runtime is missing, or that reach outside themselves when their signatures are run."""
    for model in models:
        require_contained(model)
        require_extra(runtime_of(model.traits, model.path, hint=_VALUES))
    for model in models:
        if not model.metagraphs:
            continue
        metagraph = choose_metagraph(model, tags)
        chosen = [entry for entry in entries(model, metagraph) if not signatures or entry.key in (*signatures, None)]
        outputs = [value for entry in chosen for value in entry.outputs.values()]
        require_allowed(model, metagraph, outputs, allowed, tell)


def _runner_of(*models: Model, stand: Path | None = None) -> Runner:
    """Return what runs models, each with its checkpoint."""
    known = {model.path: model for model in models}

    def run(path: Path, calls: Sequence[OneRun], *, tags: Sequence[str] | None = None) -> list[RunOutcome]:
        model = known.get(str(path))
        prefix = model.checkpoint.prefix if model and model.checkpoint and model.traits.is_bare_graph else None
        return run_calls(path, calls, tags=tags, checkpoint=prefix, stand=stand)

    return run


def verifier(
    source: str | os.PathLike[str],
    *,
    tags: Sequence[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    set_values: Mapping[str, object] | None = None,
    allowed: Allowed = NOTHING,
    tell: Tell | None = None,
) -> Callable[[Path, Path], EquivalenceReport]:
    """Return what an edit is given to compare its source with its result; says at once if it cannot.

    Args:
        source: the model.
        tags: of the MetaGraph.
        checkpoint: where the variables of a bare graph are.
        set_values: input (by its key or its node) -> what the edit makes of it; the source is fed the same.
        allowed: what the models may reach outside themselves.
        tell: is told what they do there, before they are run.

    Raises:
        UnsupportedError: the extra is missing, the source reaches outside itself, or has no graph to run.
    """
    require_extra(runtime_of(locate(Path(source)).traits, source, hint=_VALUES))
    _require_runnable((read(source),), None, tags, allowed, None)
    return lambda before, after: verify(
        before, after, tags=tags, checkpoint=checkpoint, decided=set_values, allowed=allowed, tell=tell
    )


def _given(model: Model, feeds: Mapping[str, object] | Sequence[str], tags: Sequence[str] | None) -> dict[str, object]:
    if isinstance(feeds, Mapping):
        return dict(feeds)
    if not feeds:
        return {}
    names = [name for entry in entries(model, choose_metagraph(model, tags)) for name in entry.inputs]
    return dict(parse_feeds(feeds, names))
