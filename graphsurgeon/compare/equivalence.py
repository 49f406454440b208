"""Whether two models compute the same numbers: both are run on the same inputs, and what comes out is compared.

Signatures are compared by name, their keys by name or, where a key was renamed, by the tensor behind it. A graph
without signatures is compared by its likely outputs, or, against a model with signatures, by tensors or keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.compare.across import in_the_same_words
from graphsurgeon.compare.calls import Answered, Given, Job, PreparedPair
from graphsurgeon.compare.entries import EntryPair, Input, Loader, OneRun, Result, Runner, RunOutcome
from graphsurgeon.compare.inputs import LARGER, MODEST, OBLONG, OpenSizes
from graphsurgeon.compare.pairs import pair_entries
from graphsurgeon.compare.real import step_of
from graphsurgeon.disk.places import path_of
from graphsurgeon.errors import UnsupportedError, UsageError
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
_COARSE = {"float16": 10.0, "bfloat16": 100.0}  # how much wider the tolerances are for types with few digits
_GUESSED = "the shapes leave sizes open; `gs verify --assume INPUT=SHAPE` says those that the models take"


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
        is_run: the second model gave it; where it does not run, nothing is known of its numbers.
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
    is_run: bool = True


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
        PreparedPair.of(pair, Given(_fed(pair, feeds or {}, decided or {}), shapes, seed, dequantize, _sides(pair)))
        for shapes in (assume or {}, *also)
        for pair in pairs
    ]
    runs = _Runs((before, after), metagraphs, runner, tags, runtimes)
    done, found = runs.settled(prepared, tolerance)
    report = _judged(done, tolerance, locate, tell_failed=bool(also))
    return replace(
        report,
        before=before.path,
        after=after.path,
        skipped=[*skipped, *report.skipped],
        seed=seed,
        notes=list(dict.fromkeys([*(note for each in done for note in each.job.item.notes), *found, *report.notes])),
    )


def _judged(
    done: Iterable[Answered],
    tolerance: Tolerance,
    locate: Locate | None,
    *,
    tell_failed: bool,
) -> EquivalenceReport:
    outputs: list[ComparedOutput] = []
    failed: dict[str, str] = {}
    first = None
    notes: list[str] = []
    guessed = False
    for answered in done:
        job, ours = answered.job, answered.ours
        if ours.error:
            failed.setdefault(job.item.name, f"the first model does not run{job.item.shaped}: {ours.error}")
            guessed = guessed or job.item.is_guessed
            continue
        theirs, told = _in_our_words(answered, tolerance)
        notes += told
        found = _compared(job, ours, theirs, tolerance)
        outputs += found
        is_told = locate is not None and (locate.always or not all(output.agrees for output in found))
        if first is None and locate is not None and is_told and not theirs.error:
            first = locate(job.item.pair, job.item.first_feeds, job.item.second_feeds)
    ran = {output.signature or "the graph" for output in outputs}
    skipped = [(name, why) for name, why in failed.items() if name not in ran]
    notes += [f"{name}: {why}" for name, why in failed.items() if tell_failed and name in ran]
    if guessed and not outputs:
        notes.append(_GUESSED)
    agrees = bool(outputs) and all(output.agrees for output in outputs)
    return EquivalenceReport("", "", agrees, outputs, skipped, first, 0, tolerance.rtol, tolerance.atol, notes)


def _in_our_words(answered: Answered, tolerance: Tolerance) -> tuple[RunOutcome, list[str]]:
    """Return what the second model gave, of another framework in types and layouts of the first, and what was done."""
    if not answered.job.item.pair.is_across:
        return answered.theirs, []
    return in_the_same_words(answered.ours, answered.theirs, partial(tolerance.agree, answered.job.first))


def _sides(pair: EntryPair) -> OpenSizes:
    """Return sizes of what no shape says: between frameworks an exchange of height and width must show."""
    return OBLONG if pair.is_across else MODEST


@dataclass(frozen=True)
class _Runs:
    """Runs calls of both models, and again where that says nothing yet."""

    models: tuple[Model, Model]
    metagraphs: tuple[MetaGraph, MetaGraph]
    runner: Runner
    tags: Sequence[str] | None
    runtimes: Sequence[str]

    def settled(self, prepared: Sequence[PreparedPair], tolerance: Tolerance) -> tuple[list[Answered], list[str]]:
        """Return what calls gave, and notes on those whose data were made anew.

        Sizes that no shape says are made larger where a model does not run, or nothing comes out; of a pair that runs
        with another batch they are right. Layouts that shapes leave open are tried where the numbers differ.
        """
        found = dict(enumerate(self._answers(prepared)))
        notes = []
        for sides in LARGER:
            fine = {id(prepared[number].pair) for number, answers in found.items() if _say_something(answers)}
            open_ones = [number for number, item in enumerate(prepared) if id(item.pair) not in fine]
            again = {number: other for number in open_ones if (other := prepared[number].with_sides(sides)) is not None}
            for number, answers in zip(again, self._answers(list(again.values())), strict=True):
                if _say_something(answers):
                    found[number] = answers
                    notes.append(
                        f"{again[number].name}: run{again[number].shaped}, since it does not with smaller sides"
                    )
        for number in found:
            if not _all_agree(found[number], tolerance):
                found[number] = self._in_another_layout(found[number], tolerance)
        return [each for answers in found.values() for each in answers], notes

    def _in_another_layout(self, answers: Sequence[Answered], tolerance: Tolerance) -> Sequence[Answered]:
        others = list(answers[0].job.item.with_layouts()) if answers else []
        return next((other for other in self._answers(others) if _all_agree(other, tolerance)), answers)

    def _answers(self, prepared: Sequence[PreparedPair]) -> list[Sequence[Answered]]:
        """Return what the calls of each gave, all of them in one process a model."""
        jobs = [list(item.jobs(self.models, self.metagraphs, self.runtimes)) for item in prepared]
        every = [job for some in jobs for job in some]
        one, other = self._run(0, [job.first for job in every]), self._run(1, [job.second for job in every])
        answers = iter([job.answered(ours, theirs) for job, ours, theirs in zip(every, one, other, strict=True)])
        return [list(islice(answers, len(some))) for some in jobs]

    def _run(self, which: int, calls: list[OneRun]) -> list[RunOutcome]:
        if not calls:
            return []
        metagraph, tags = self.metagraphs[which], self.tags
        chosen = list(metagraph.tags or ()) if tags is None and metagraph.tags is not None else tags
        return self.runner(path_of(self.models[which].path), calls, tags=chosen)


def _say_something(answers: Sequence[Answered]) -> bool:
    return all(each.says_something for each in answers)


def _all_agree(answers: Sequence[Answered], tolerance: Tolerance) -> bool:
    """Say whether all calls that the first model ran gave the same with the second."""
    ran = [each for each in answers if not each.ours.error]
    compared = [_compared(each.job, each.ours, _in_our_words(each, tolerance)[0], tolerance) for each in ran]
    return all(output.agrees for outputs in compared for output in outputs)


def _compared(job: Job, ours: RunOutcome, theirs: RunOutcome, tolerance: Tolerance) -> list[ComparedOutput]:
    signature = job.item.pair.before.key or job.item.pair.after.key
    if theirs.error:
        what = f"the second model does not run{job.item.shaped}: {theirs.error}"
        loader = job.first.loader
        return [
            ComparedOutput(signature, loader, name, False, False, 0, what=what, is_run=False) for name in ours.results
        ]
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
