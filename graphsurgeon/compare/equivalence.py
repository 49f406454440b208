"""Whether two models compute the same numbers: both are run on the same inputs, and what comes out is compared.

Signatures are compared by name, their keys by name or, where a key was renamed, by the tensor behind it. A graph
without signatures is compared by its likely outputs, or, against a model with signatures, by tensors or keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.compare.across import in_the_same_words, laid_out
from graphsurgeon.compare.entries import EntryPair, Input, Loader, OneRun, Result, Runner, RunOutcome, loaders_of
from graphsurgeon.compare.inputs import assumed, numpy_type, random_input
from graphsurgeon.compare.pairs import make_call, pair_entries
from graphsurgeon.compare.parts import random_parts
from graphsurgeon.compare.real import real_outcome, stands_for_real, step_of, stored_of
from graphsurgeon.disk.places import path_of
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]
    _Maker = Callable[[Input], Any]

RTOL = 1e-4  # float32 sums in another order differ by less than that in networks of a hundred layers
ATOL = 1e-5  # for what is near zero; probabilities of a thousand classes are about 1e-3
_FEW = 3  # inputs whose shapes a message names
_COARSE = {"float16": 10.0, "bfloat16": 100.0}  # how much wider the tolerances are for types with few digits


@dataclass(frozen=True)
class ComparedOutput:
    """One output of both models.

    Attributes:
        signature: its key; None for tensors of a graph.
        loader: what ran both: "object" (`tf.saved_model.load`), "session" (the loader of TensorFlow 1, and graphs),
            "interpreter" (LiteRT), "onnxruntime", "openvino", "keras"; where two ran them, the one of the first.
        name: signature key, or the tensor in the first model.
        agrees: the numbers are within the tolerances; other values are equal.
        identical: they are the same to the bit.
        elements: how many numbers there are.
        different: how many are not within the tolerances; all of them if type or shape differ.
        largest: largest absolute difference; None where there is none to tell.
        mean: mean absolute difference, and
        range: of the first model's numbers, from the least to the largest; both only where real numbers are compared
            that one of them quantizes.
        what: what differs beside the numbers; empty if nothing.
        step: what integers of 8 bits count in there, where one of the models says it; None if not.
        steps: of these, how many are allowed.
    """

    signature: str | None
    loader: str
    name: str
    agrees: bool
    identical: bool
    elements: int
    different: int = 0
    largest: float | None = None
    what: str = ""
    mean: float | None = None
    range: float | None = None
    step: float | None = None
    steps: float | None = None


@dataclass(frozen=True)
class ComparedTensor:
    """A tensor inside both models.

    Attributes:
        name: in the first model; `other` in the second, `op` what yields it.
        agrees, identical, largest, range, what: as of `ComparedOutput`; of integers that stand for real numbers, these.
    """

    name: str
    other: str
    op: str
    agrees: bool
    identical: bool
    largest: float | None = None
    range: float | None = None
    what: str = ""


class Locate(Protocol):
    """Looks for the first difference along the graph.

    Attributes:
        always: whether it looks where all outputs agree too.
    """

    always: bool

    def __call__(self, pair: EntryPair, ours: Arrays, theirs: Arrays, /) -> str | None:
        """Return the first tensor that differs, with its op; None if none can be told."""


@dataclass(frozen=True)
class EquivalenceReport:
    """What comparing two models by running them gave.

    Attributes:
        before, after: paths of the models.
        agrees: at least one output was compared, and all agree.
        outputs: everything that was compared.
        skipped: what could not be compared, and why.
        first: where along the graph the first difference is; None if there is none, or nobody looked.
        seed, rtol, atol: how the inputs were made and what counts as the same.
        tensors: what is inside, where all of it was compared.
        notes: what the user should know.
    """

    before: str
    after: str
    agrees: bool
    outputs: list[ComparedOutput]
    skipped: list[tuple[str, str]]
    first: str | None = None
    seed: int = 0
    rtol: float = RTOL
    atol: float = ATOL
    notes: list[str] = field(default_factory=list)
    tensors: list[ComparedTensor] = field(default_factory=list)


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers may be apart: atol + rtol * the first.

    Attributes:
        steps: instead of these, of those that the quantized one of two models counts in, at 8 bits.
        share: where there are no steps, of the range of the first model's numbers; None judges by the others.
    """

    rtol: float = RTOL
    atol: float = ATOL
    share: float | None = None
    steps: float = 0.0

    @property
    def judges_nothing(self) -> bool:
        """Say whether any number counts as the same: of an edit that is meant to change them."""
        return self.atol == math.inf

    def agree(self, call: OneRun, before: Result, after: Result) -> bool:
        """Say whether two results of a call are the same."""
        return self.compare(call, None, "", before, after).agrees

    def compare(
        self, call: OneRun, signature: str | None, name: str, before: Result, after: Result, step: float = 0.0
    ) -> ComparedOutput:
        """Compare two results of a call, one of which is known in steps, if they are not 0."""
        import numpy as np

        one, other = before.array, after.array
        place = (signature, call.loader, name)
        if before.dtype != after.dtype or one.shape != other.shape:
            what = f"{before.dtype} {Shape(one.shape)} and {after.dtype} {Shape(other.shape)}"
            if one.shape == other.shape and {one.dtype.kind, other.dtype.kind} in ({"f", "i"}, {"f", "u"}):
                what += ": --dequantize compares what integers stand for"
            return ComparedOutput(*place, False, False, one.size, one.size, None, what)
        if one.dtype.kind not in "fc":
            different = int(np.count_nonzero(one != other))
            agrees = not different or self.judges_nothing
            return ComparedOutput(*place, agrees, not different, one.size, 0 if agrees else different)
        if one.tobytes() == other.tobytes():
            return ComparedOutput(*place, True, True, one.size)
        factor = _COARSE.get(before.dtype, 1.0)
        wide = "c16" if one.dtype.kind == "c" else "f8"
        with np.errstate(all="ignore"):
            close = np.isclose(other, one, rtol=self.rtol * factor, atol=self.atol * factor, equal_nan=True)
            gaps = np.abs(one.astype(wide) - other.astype(wide))
        finite = gaps[np.isfinite(gaps)]
        largest = float(finite.max()) if finite.size else None
        if self.share is not None and one.dtype.kind == "f":
            return self._by_steps(place, one, gaps, step)
        different = int(close.size - np.count_nonzero(close))
        return ComparedOutput(*place, not different, False, one.size, different, largest)

    def _by_steps(self, place: tuple[str | None, Loader, str], one: Any, gaps: Any, step: float) -> ComparedOutput:
        """Judge real numbers that are known as exactly as integers allow."""
        import numpy as np

        known = one[np.isfinite(one)]
        span = float(np.ptp(known)) if known.size else 0.0
        allowed = self.steps * step if self.steps and step else (self.share or 0.0) * span
        close = (gaps <= max(allowed, self.atol)) | ~np.isfinite(one)
        different, error = int(close.size - np.count_nonzero(close)), gaps[np.isfinite(gaps)]
        largest, mean = (float(error.max()), float(error.mean())) if error.size else (None, None)
        told = (step, self.steps) if self.steps and step else (None, None)
        return ComparedOutput(*place, not different, False, one.size, different, largest, "", mean, span, *told)


def compare_models(
    before: Model,
    after: Model,
    runner: Runner,
    *,
    signatures: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
    feeds: Mapping[str, _Maker] | None = None,
    decided: Mapping[str, _Maker] | None = None,
    assume: Mapping[str, Shape] | None = None,
    also: Sequence[Mapping[str, Shape]] = (),
    seed: int = 0,
    tolerance: Tolerance | None = None,
    locate: Locate | None = None,
    runtimes: Sequence[str] = ("", ""),
    dequantize: bool = False,
) -> EquivalenceReport:
    """Run two models on the same inputs and compare what comes out.

    Args:
        before, after: the models, as read from their files; `runner` runs calls on one.
        signatures, tags: only these signatures, None for every one that both have; of this MetaGraph.
        feeds: input -> makes its data; the others get random data.
        decided: input, node or tensor of the first model -> makes what the second has made a constant of.
        assume: input -> shape of its random data, which `seed` makes.
        also: further shapes to run with. Where the first does not run with one, the others decide, and a note says so.
        tolerance: what counts as the same.
        locate: finds the first difference along the graph, for the first output that differs.
        runtimes: what runs each of the models; "" for what its format belongs to.
        dequantize: give both the same real numbers and compare such, where integers stand for them.

    Raises:
        UnsupportedError: a model cannot be run at all.
        UsageError: a signature or input does not exist.
    """
    if before.checkpoint is not None and not before.metagraphs:
        raise UnsupportedError("a checkpoint has no graph to run", path=before.path, hint="gs diff compares its values")
    metagraphs = choose_metagraph(before, tags), choose_metagraph(after, tags)
    pairs, skipped = pair_entries(before, after, *metagraphs)
    pairs = pairs if signatures is None else _chosen(pairs, signatures)
    tolerance = tolerance or Tolerance()
    _require_used(feeds or {}, pairs)
    prepared = [
        _Prepared.of(pair, _fed(pair, feeds or {}, decided or {}), shapes, seed, dequantize)
        for shapes in (assume or {}, *also)
        for pair in pairs
    ]
    jobs = [job for item in prepared for job in item.jobs((before, after), metagraphs, runtimes)]
    one = _run(before, metagraphs[0], runner, [job.first for job in jobs], tags)
    other = _run(after, metagraphs[1], runner, [job.second for job in jobs], tags)
    done = [job.answered(ours, theirs, dequantize) for job, ours, theirs in zip(jobs, one, other, strict=True)]
    report = _judged(done, tolerance, locate, tell_failed=bool(also))
    return replace(
        report,
        before=before.path,
        after=after.path,
        skipped=[*skipped, *report.skipped],
        seed=seed,
        notes=list(dict.fromkeys([*(note for item in prepared for note in item.notes), *report.notes])),
    )


def _judged(
    done: Iterable[tuple[_Job, RunOutcome, RunOutcome]],
    tolerance: Tolerance,
    locate: Locate | None,
    *,
    tell_failed: bool,
) -> EquivalenceReport:
    outputs: list[ComparedOutput] = []
    failed: dict[str, str] = {}
    first = None
    notes: list[str] = []
    for job, ours, theirs in done:
        if ours.error:
            failed.setdefault(job.item.name, f"the first model does not run{job.item.shaped}: {ours.error}")
            continue
        if job.item.pair.is_across:
            theirs, told = in_the_same_words(ours, theirs, partial(tolerance.agree, job.first))
            notes += told
        found = _compared(job, ours, theirs, tolerance)
        outputs += found
        is_told = locate is not None and (locate.always or not all(output.agrees for output in found))
        if first is None and locate is not None and is_told and not theirs.error:
            first = locate(job.item.pair, job.item.first_feeds, job.item.second_feeds)
    ran = {output.signature or "the graph" for output in outputs}
    skipped = [(name, why) for name, why in failed.items() if name not in ran]
    notes += [f"{name}: {why}" for name, why in failed.items() if tell_failed and name in ran]
    agrees = bool(outputs) and all(output.agrees for output in outputs)
    return EquivalenceReport("", "", agrees, outputs, skipped, first, 0, tolerance.rtol, tolerance.atol, notes)


def _twin(key: str, own: Input, pair: EntryPair, known: Mapping[str, Any]) -> str | None:
    """Return an input that has data and is the same tensor, under another key of its signature."""
    inputs = pair.before.inputs
    return next((other for other in known if other != key and inputs[other].value is own.value), None)


def _batch(shapes: Mapping[str, Shape]) -> int | None:
    """Return the first dimension of the shapes that were asked for, None if there is none."""
    return next((shape.dims[0] for shape in shapes.values() if shape.dims), None)


@dataclass(frozen=True)
class _Prepared:
    """A pair of entries with data for both."""

    pair: EntryPair
    first_feeds: Arrays
    second_feeds: Arrays
    notes: list[str]

    @staticmethod
    def of(
        pair: EntryPair, feeds: Mapping[str, _Maker], assume: Mapping[str, Shape], seed: int, dequantize: bool
    ) -> _Prepared:
        shapes = assumed(pair.before.inputs, {name: s for name, s in assume.items() if name in pair.before.inputs})
        first: dict[str, Any] = {}
        second: dict[str, Any] = {}
        notes = list(pair.notes)
        parts = random_parts(pair.before.inputs, seed=seed, given={*feeds, *shapes}, batch=_batch(shapes))
        for key, own in pair.before.inputs.items():
            is_real = dequantize and stands_for_real(own.value)
            entry = replace(own, dtype=FLOAT32) if is_real else own
            partner = pair.after.inputs.get(pair.inputs.get(key, ""))
            is_left_out = entry.optional and key not in feeds and (partner is None or partner.optional)
            if is_left_out and entry.default is None:
                continue
            if key in feeds:
                first[key] = feeds[key](entry)
            elif is_left_out and entry.default is not None:
                first[key] = entry.default.numpy()
            elif partner is None and (twin := _twin(key, own, pair, first)) is not None:
                first[key] = first[twin]
            elif key in parts and partner is not None:
                first[key] = parts[key]
            else:
                theirs = partner.shape if partner is not None else entry.shape
                known = shapes.get(key) or _both(entry.shape, laid_out(theirs, back=pair.layouts.get(key)))
                first[key] = random_input(entry, seed=seed, shape=known)
                if partner is None:
                    first[key] = first[key] * 0 if first[key].dtype.kind != "O" else first[key]
                    notes.append(f"the second model has no input {key!r}; the first is fed zeros (--feed {key}=...)")
            if partner is not None:
                axes = pair.layouts.get(key, tuple(range(first[key].ndim)))
                turned = first[key].transpose(axes)
                is_stored = dequantize and stands_for_real(partner.value) and turned.dtype.kind == "f"
                second[partner.name] = stored_of(turned, partner.value) if is_stored else _cast(turned, partner)
            if is_real:
                first[key] = stored_of(first[key], own.value)
        return _Prepared(pair, first, second, notes)

    @property
    def shaped(self) -> str:
        """What it is fed, where there is little of it."""
        shapes = [f"{name}={Shape(array.shape)}" for name, array in self.first_feeds.items()]
        return f" with {', '.join(shapes)}" if 0 < len(shapes) <= _FEW else ""

    @property
    def name(self) -> str:
        """What was called."""
        return self.pair.before.key or self.pair.after.key or "the graph"

    def jobs(
        self, models: tuple[Model, Model], metagraphs: tuple[MetaGraph, MetaGraph], runtimes: Sequence[str]
    ) -> Iterable[_Job]:
        """Yield the calls to compare, one pair for each loader that can run both."""
        pair = self.pair
        ours, others = (
            loaders_of(model, metagraph, entry, runtime)
            for model, metagraph, entry, runtime in zip(
                models, metagraphs, (pair.before, pair.after), runtimes, strict=True
            )
        )
        shared = [(loader, loader) for loader in ours if loader in others] or [(loader, others[0]) for loader in ours]
        for loader, other in shared:
            yield _Job(
                self,
                make_call(loader, pair.before, self.first_feeds, {name: name for name in pair.outputs}),
                make_call(other, pair.after, self.second_feeds, pair.outputs),
            )


@dataclass(frozen=True)
class _Job:
    """One call of each model."""

    item: _Prepared
    first: OneRun
    second: OneRun

    def answered(self, one: RunOutcome, other: RunOutcome, dequantize: bool) -> tuple[_Job, RunOutcome, RunOutcome]:
        """Return it with what both models gave, as real numbers if that is asked for."""
        if not dequantize:
            return self, one, other
        before, after = self.item.pair.before.outputs, self.item.pair.after.outputs
        theirs = {name: after[partner] for name, partner in self.item.pair.outputs.items()}
        return self, real_outcome(one, before), real_outcome(other, theirs)


def _run(
    model: Model, metagraph: MetaGraph, runner: Runner, calls: list[OneRun], tags: Sequence[str] | None
) -> list[RunOutcome]:
    if not calls:
        return []
    chosen = list(metagraph.tags or ()) if tags is None and metagraph.tags is not None else tags
    return runner(path_of(model.path), calls, tags=chosen)


def _compared(job: _Job, ours: RunOutcome, theirs: RunOutcome, tolerance: Tolerance) -> list[ComparedOutput]:
    signature = job.item.pair.before.key or job.item.pair.after.key
    if theirs.error:
        what = f"the second model does not run: {theirs.error}"
        return [ComparedOutput(signature, job.first.loader, name, False, False, 0, what=what) for name in ours.results]
    ends = job.item.pair.before.outputs, job.item.pair.after.outputs
    steps = {name: max(step_of(ends[0][name]), step_of(ends[1][job.item.pair.outputs[name]])) for name in ours.results}
    return [
        tolerance.compare(job.first, signature, name, result, theirs.results[name], steps[name])
        for name, result in ours.results.items()
        if name in theirs.results
    ]


def _chosen(pairs: Sequence[EntryPair], signatures: Sequence[str]) -> list[EntryPair]:
    known = {pair.before.key or pair.after.key: pair for pair in pairs}
    for name in signatures:
        if name not in known:
            there = ", ".join(str(key) for key in known)
            raise UsageError(
                f"the models have no signature {name!r} in common", hint=f"there is {there}" if there else ""
            )
    return [known[name] for name in signatures]


def _require_used(feeds: Mapping[str, object], pairs: Sequence[EntryPair]) -> None:
    known = {name for pair in pairs for name in pair.before.inputs}
    for name in feeds:
        if pairs and name not in known:
            raise UsageError(f"there is no input {name!r}", hint=f"there is {', '.join(sorted(known))}")


def _fed(pair: EntryPair, feeds: Mapping[str, _Maker], decided: Mapping[str, _Maker]) -> dict[str, _Maker]:
    """Return what makes the data of the first entry's inputs, of those too that the second has no longer."""
    gone = {
        key: decided[name]
        for key, entry in pair.before.inputs.items()
        for name in (key, str(entry.value), str(entry.value.producer))
        if name in decided and key not in pair.inputs
    }
    return {**gone, **feeds}


def _both(one: Shape, other: Shape) -> Shape:
    """Return what both shapes say."""
    if one.dims is None or other.dims is None or len(one.dims) != len(other.dims):
        return one if one.dims is not None else other
    return Shape([b if a is None else a for a, b in zip(one.dims, other.dims, strict=True)])


def _cast(array: Any, entry: Input) -> Any:
    dtype = numpy_type(entry)
    return array if array.dtype.kind == "O" or array.dtype == dtype else array.astype(dtype)
