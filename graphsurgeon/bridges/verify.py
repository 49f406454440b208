"""Verify that two models compute the same, with the runtimes; and find where along the graph they begin not to."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.bridges.child import is_meant, require_extra, runtime_of
from graphsurgeon.bridges.feeds import maker, parse_feeds
from graphsurgeon.bridges.guard import NOTHING, Allowed, Tell, require_allowed
from graphsurgeon.bridges.locate import first_difference
from graphsurgeon.bridges.runner import run_calls
from graphsurgeon.compare.entries import EntryPair, OneRun, Runner, RunOutcome, entries
from graphsurgeon.compare.equivalence import EquivalenceReport, Tolerance, compare_models
from graphsurgeon.formats import read
from graphsurgeon.formats.checkpoint.find import read_checkpoint
from graphsurgeon.formats.recognise.locate import locate
from graphsurgeon.formats.savedmodel.folder import require_contained
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from graphsurgeon.compare.equivalence import Arrays

_VALUES = "gs diff compares its values"


def verify(
    before: str | os.PathLike[str],
    after: str | os.PathLike[str],
    *,
    signatures: Sequence[str] | None = None,
    feeds: Mapping[str, object] | Sequence[str] = (),
    assume: Mapping[str, Shape] | None = None,
    also: Sequence[Mapping[str, Shape]] = (),
    seed: int = 0,
    tolerance: Tolerance | None = None,
    tags: Sequence[str] | None = None,
    with_place: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
    decided: Mapping[str, object] | None = None,
    allowed: Allowed = NOTHING,
    tell: Tell | None = None,
    runtime: str | None = None,
) -> EquivalenceReport:
    """Run two models on the same inputs and compare what comes out.

    Args:
        before, after: the model files.
        signatures: only these; None means every one that both have.
        feeds: input -> data, or `NAME=DATA` texts; the others are random, by `seed`, of the shapes in `assume`.
        also: further shapes, with each of which the models are run once more.
        tolerance: what counts as the same.
        tags: of the MetaGraph, in both.
        with_place: if they differ, find the first tensor along the graph that does.
        checkpoint: where the variables of `before` are, if that is a bare graph.
        decided: input, node or tensor of `before` -> the constant that `after` has made of it; `before` is fed it.
        allowed: what the models may reach outside themselves; `tell` is told of it before they are run.
        runtime: runs each of them that it can; one that it cannot by the first of its format's that is installed.

    Raises:
        UnsupportedError: the extra is missing, a model reaches outside itself, or cannot be run at all.
        UsageError: a name does not exist.
    """
    first, second = _read(before, checkpoint), read(after)
    runtimes = _runtimes((first, second), runtime)
    _require_runnable((first, second), runtimes, signatures, tags, allowed, tell)
    given = _given(first, feeds, tags)

    within = tolerance or Tolerance()
    find_first = partial(_first, Path(before), Path(after), within, tags, allowed.stand)
    return compare_models(
        first,
        second,
        _runner_of(first, second, stand=allowed.stand),
        signatures=signatures,
        tags=tags,
        feeds={name: maker(data, seed=seed, shape=(assume or {}).get(name)) for name, data in given.items()},
        decided={name: maker(data, seed=seed) for name, data in (decided or {}).items()},
        assume=assume,
        also=also,
        seed=seed,
        tolerance=within,
        locate=find_first if with_place and first.traits.vocabulary == second.traits.vocabulary else None,
        runtimes=runtimes,
    )


def _first(
    before: Path,
    after: Path,
    within: Tolerance,
    tags: Sequence[str] | None,
    stand: Path | None,
    pair: EntryPair,
    ours: Arrays,
    theirs: Arrays,
) -> str | None:
    return first_difference(before, after, pair, ours, theirs, within, tags, stand)


def _read(path: str | os.PathLike[str], checkpoint: str | os.PathLike[str] | None) -> Model:
    model = read(path)
    if checkpoint is not None:
        model.checkpoint = read_checkpoint(Path(checkpoint))
    return model


def _runtimes(models: Sequence[Model], wanted: str | None) -> list[str]:
    """Return what runs each model; what is wanted must run one of them at least."""
    can = [any(is_meant(wanted or "", runtime) for runtime in model.traits.runtimes) for model in models]
    return [
        runtime_of(model.traits, model.path, hint=_VALUES, wanted=wanted if is_able or not any(can) else None)
        for model, is_able in zip(models, can, strict=True)
    ]


def _require_runnable(
    models: Sequence[Model],
    runtimes: Sequence[str],
    signatures: Sequence[str] | None,
    tags: Sequence[str] | None,
    allowed: Allowed,
    tell: Tell | None,
) -> None:
    """Refuse models whose runtime is missing, or that reach outside themselves when their signatures are run."""
    for model, runtime in zip(models, runtimes, strict=True):
        require_contained(model)
        require_extra(runtime)
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
    changes_numbers: bool = False,
    allowed: Allowed = NOTHING,
    tell: Tell | None = None,
) -> Callable[[Path, Path], EquivalenceReport]:
    """Return what an edit is given to compare its source with its result; says at once if it cannot.

    Args:
        source: the model.
        tags: of the MetaGraph.
        checkpoint: where the variables of a bare graph are.
        set_values: input (by its key or its node) -> what the edit makes of it; the source is fed the same.
        changes_numbers: the edit is meant to; then they are told, and only whether the result runs is judged.
        allowed: what the models may reach outside themselves.
        tell: is told what they do there, before they are run.

    Raises:
        UnsupportedError: the extra is missing, the source reaches outside itself, or has no graph to run.
    """
    runtime = runtime_of(locate(Path(source)).traits, source, hint=_VALUES)
    require_extra(runtime)
    _require_runnable((read(source),), (runtime,), None, tags, allowed, None)
    return lambda before, after: verify(
        before,
        after,
        tags=tags,
        checkpoint=checkpoint,
        decided=set_values,
        tolerance=Tolerance(0.0, math.inf) if changes_numbers else None,
        allowed=allowed,
        tell=tell,
    )


def _given(model: Model, feeds: Mapping[str, object] | Sequence[str], tags: Sequence[str] | None) -> dict[str, object]:
    if isinstance(feeds, Mapping):
        return dict(feeds)
    if not feeds:
        return {}
    names = [name for entry in entries(model, choose_metagraph(model, tags)) for name in entry.inputs]
    return dict(parse_feeds(feeds, names))
