"""Verify that two models compute the same, with the runtimes; and find where along the graph they begin not to."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.bridges.child import is_meant, require_extra, runtime_of
from graphsurgeon.bridges.feeds import maker, parse_feeds
from graphsurgeon.bridges.fetching import fetched_first
from graphsurgeon.bridges.guard import NOTHING, Allowed, Tell, require_allowed
from graphsurgeon.bridges.locate import first_difference
from graphsurgeon.bridges.runner import run_calls
from graphsurgeon.bridges.walk import Walk
from graphsurgeon.compare.entries import EntryPair, OneRun, Runner, RunOutcome, entries
from graphsurgeon.compare.equivalence import EquivalenceReport, Tolerance, compare_models
from graphsurgeon.formats import read
from graphsurgeon.formats.checkpoint.find import read_checkpoint
from graphsurgeon.formats.recognise.locate import locate
from graphsurgeon.formats.savedmodel.folder import require_contained
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.surgery.moves.network_part import cut

if TYPE_CHECKING:
    from graphsurgeon.compare.equivalence import Arrays

_VALUES = "gs diff compares its values"
Part = tuple[Sequence[str], Sequence[str]]
QUANTIZED_STEPS = 16  # of 256: what quantizing well stays far below, and quantizing wrongly does not
QUANTIZED_SHARE = 0.1  # of an output's range, where neither model says in what steps it is known


@fetched_first
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
    dequantize: bool = False,
    per_tensor: bool = False,
    single: bool = False,
    part: Part | None = None,
) -> EquivalenceReport:
    """Run two models on the same inputs and compare what comes out.

    Args:
        before, after: the model files.
        signatures: only these; None means every one that both have.
        feeds: input -> data, or `NAME=DATA` texts; the others are random, by `seed`, of shapes `assume`, and `also`.
        tolerance: what counts as the same; `with_place` finds the first tensor along the graph that is not.
        tags, checkpoint: of the MetaGraph, in both; where the variables of `before` are, if that is a bare graph.
        decided: input, node or tensor of `before` -> the constant that `after` has made of it; `before` is fed it.
        allowed: what the models may reach outside themselves; `tell` is told of it before they are run.
        dequantize: compare what integers of a TFLite model stand for; `per_tensor`: everything inside too.
        single: between frameworks, run with a batch of one too, where it is free.
        part: of `before`, an ONNX network, what `after` was made of: tensors that are fed, and that come out.
        runtime: runs each of them that it can; one that it cannot by the first of its format's that is installed.

    Raises:
        UnsupportedError: the extra is missing, a model reaches outside itself, or cannot be run at all.
        UsageError: a name does not exist.
    """
    first, second = _read(before, checkpoint, part), read(after)
    runtimes = _runtimes((first, second), runtime)
    _require_runnable((first, second), runtimes, signatures, tags, allowed, tell)
    within = tolerance or (Tolerance(share=QUANTIZED_SHARE, steps=QUANTIZED_STEPS) if dequantize else Tolerance())
    is_across = first.traits.vocabulary != second.traits.vocabulary
    look = (Walk if per_tensor else _First)(Path(before), Path(after), within, tags, allowed.stand)
    report = compare_models(
        first, second, _runner_of(first, second, stand=allowed.stand), signatures=signatures, tags=tags,
        feeds=_makers(_given(first, feeds, tags), seed, assume or {}), decided=_makers(decided or {}, seed, {}),
        assume=assume, also=[*also, *(_single(first, tags) if single and is_across else ())], seed=seed,
        tolerance=within, dequantize=dequantize, runtimes=runtimes,
        locate=look if per_tensor or (with_place and not (dequantize or is_across)) else None,
    )  # fmt: skip
    return replace(report, tensors=look.tensors) if isinstance(look, Walk) else report


def _single(model: Model, tags: Sequence[str] | None) -> list[dict[str, Shape]]:
    """Return the shapes of inputs for a batch of one; nothing where no batch is free."""
    found = [entry.inputs for entry in entries(model, choose_metagraph(model, tags))]
    dims = {name: item.shape.dims for inputs in found for name, item in inputs.items()}
    free = {name: Shape([1, *sizes[1:]]) for name, sizes in dims.items() if sizes and sizes[0] is None}
    return [free] if free else []


def _makers(given: Mapping[str, object], seed: int, assume: Mapping[str, Shape]) -> dict[str, Any]:
    """Return what makes the data of each input."""
    return {name: maker(data, seed=seed, shape=assume.get(name)) for name, data in given.items()}


@dataclass(frozen=True)
class _First:
    """Finds the first difference of what was run, as `Locate` has it."""

    before: Path
    after: Path
    within: Tolerance
    tags: Sequence[str] | None
    stand: Path | None
    always = False

    def __call__(self, pair: EntryPair, ours: Arrays, theirs: Arrays) -> str | None:
        return first_difference(self.before, self.after, pair, ours, theirs, self.within, self.tags, self.stand)


def _read(path: str | os.PathLike[str], checkpoint: str | os.PathLike[str] | None, part: Part | None = None) -> Model:
    model = read(path)
    for metagraph in model.metagraphs:
        if part is not None:
            cut(metagraph, *part)
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
    part: Part | None = None,
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
        part: as for `verify`.
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
        single=True,
        part=part,
    )


def _given(model: Model, feeds: Mapping[str, object] | Sequence[str], tags: Sequence[str] | None) -> dict[str, object]:
    if isinstance(feeds, Mapping):
        return dict(feeds)
    if not feeds:
        return {}
    names = [name for entry in entries(model, choose_metagraph(model, tags)) for name in entry.inputs]
    return dict(parse_feeds(feeds, names))
