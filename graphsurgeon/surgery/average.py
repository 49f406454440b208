"""Average the variables of checkpoints: plainly, by weights, or as an exponential moving average over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graphsurgeon.analysis.stored_weights.variables import slot_keys
from graphsurgeon.errors import UsageError
from graphsurgeon.model import numeric
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import ComputedSource, Tensor
from graphsurgeon.surgery.checkpoints.blocks import side_by_side
from graphsurgeon.surgery.checkpoints.partners import checkpoint_of, chosen_keys, is_state, partner_keys, some
from graphsurgeon.surgery.moves import arguments


@dataclass(frozen=True)
class AverageReport:
    """What was averaged.

    Attributes:
        checkpoints: how many.
        factors: what each counts for, in the order given; they add up to 1.
        averaged: keys of the variables that were averaged.
        taken_from_last: keys of those that are as in the last checkpoint: counts, texts, rates.
        notes: what else the user should know, one line each.
    """

    checkpoints: int
    factors: list[float]
    averaged: list[str]
    taken_from_last: list[str]
    notes: list[str] = field(default_factory=list)


@arguments.takes(match=arguments.names)
def average(
    model: Model,
    checkpoints: Sequence[Checkpoint | Model],
    *,
    weights: Sequence[float] | None = None,
    decay: float | None = None,
    match: Sequence[str] = (),
) -> AverageReport:
    """Average variables of floating point over checkpoints; computed in float64, rounded to each variable's type.

    Variables are paired as restoring pairs them: by the names of children from object to object, else by key. Values
    are computed while they are written, block by block.

    Args:
        model: the first checkpoint; changed in place.
        checkpoints: the others, in order. In a recipe, and in `edit`, they are named by their paths.
        weights: what each counts for, the first included; divided by their sum. None for all the same.
        decay: of an exponential moving average that begins with the first: `decay * average + (1 - decay) * next`.
        match: average these variables only; all others are as in the last.

    Raises:
        UsageError: weights or decay make no sense, a pattern matches nothing, or a variable has no partner of its
            shape and type.
        UnsupportedError: the model is no checkpoint.
    """
    first = checkpoint_of(model, "average")
    for one in checkpoints:
        arguments.require_read("checkpoints", one, Checkpoint, Model)
    others = [one if isinstance(one, Checkpoint) else checkpoint_of(one, "average") for one in checkpoints]
    factors = _factors(1 + len(others), weights, decay)
    partners = [{key: key for key in first.variables}, *(partner_keys(first, other) for other in others)]
    every = [first, *others]
    chosen = chosen_keys(model, first, match, lambda key: _why_not(first, key))
    _require_partners(every, partners, chosen)
    for key in chosen:
        tensors = [one.variables[pairs[key]].tensor for one, pairs in zip(every, partners, strict=True)]
        first.variables[key].tensor, first.variables[key].slices = _mean(tensors, factors), 0
    taken = _take_from_last(first, others, partners, set(chosen))
    return AverageReport(len(every), factors, chosen, taken, _notes(first, chosen, others, partners))


def _factors(count: int, weights: Sequence[float] | None, decay: float | None) -> list[float]:
    if count < 2:
        raise UsageError("an average is one of several checkpoints", hint="gs average A B -o OUT")
    if weights is not None and decay is not None:
        raise UsageError("--weights and --decay each say what a checkpoint counts for", hint="give one of them")
    if decay is not None:
        if not 0 <= decay < 1:
            raise UsageError(f"a decay lies between 0 and 1, {decay} does not", hint="such as 0.9")
        return [decay ** (count - 1), *((1 - decay) * decay ** (count - 1 - place) for place in range(1, count))]
    given = list(weights) if weights is not None else [1.0] * count
    if len(given) != count:
        raise UsageError(f"{len(given)} weights for {count} checkpoints", hint="give one for each, in their order")
    total = sum(given)
    if not all(abs(weight) < float("inf") for weight in given) or not total:
        raise UsageError("weights are numbers whose sum is not 0", hint="such as 0.2,0.3,0.5")
    return [weight / total for weight in given]


def _why_not(checkpoint: Checkpoint, key: str) -> str:
    dtype = checkpoint.variables[key].tensor.dtype
    if not (dtype.is_floating or dtype.is_complex):
        return f"values of type {dtype} have no average"
    return "it is a count or a rate, which has no average" if is_state(checkpoint, key) else ""


def _require_partners(every: Sequence[Checkpoint], partners: Sequence[dict[str, str]], chosen: Sequence[str]) -> None:
    first = every[0]
    for one, pairs in zip(every[1:], partners[1:], strict=True):
        alone = [key for key in chosen if key not in pairs]
        if alone:
            raise UsageError(
                f"{one.prefix} has no partner of {some(alone)}",
                hint="--match averages some, and takes the rest from the last",
            )
        for key in chosen:
            ours, theirs = first.variables[key].tensor, one.variables[pairs[key]].tensor
            if (ours.dtype.base, ours.shape) != (theirs.dtype.base, theirs.shape):
                own, other = (f"{tensor.dtype.base} {tensor.shape}" for tensor in (ours, theirs))
                what = f"{key} is {own} in {first.prefix}, {other} in {one.prefix}"
                raise UsageError(what, hint="take checkpoints of one model, or leave it out with --match")


def _mean(tensors: Sequence[Tensor], factors: Sequence[float]) -> Tensor:
    first = tensors[0]
    is_plain = len(set(factors)) == 1

    def chunks() -> Iterator[bytes]:
        import numpy as np

        wide = "c16" if first.dtype.is_complex else "f8"
        for blocks in side_by_side(tensors):
            total = np.zeros(blocks[0].shape, wide)
            for block, factor in zip(blocks, factors, strict=True):
                total += block if is_plain else block.astype(wide) * factor
            result = total / len(blocks) if is_plain else total
            yield _bytes(first, result)

    return Tensor(first.dtype, first.shape, ComputedSource(first.nbytes, chunks))


def _bytes(like: Tensor, array: object) -> bytes:
    import numpy as np

    if like.dtype.is_complex:
        return np.asarray(array).astype("<c8" if like.dtype.base.itemsize == 8 else "<c16").tobytes()
    return numeric.from_numpy(like.dtype, np.asarray(array))


def _take_from_last(
    first: Checkpoint, others: Sequence[Checkpoint], partners: Sequence[dict[str, str]], averaged: set[str]
) -> list[str]:
    last, pairs = others[-1], partners[-1]
    rest = [key for key in first.variables if key not in averaged]
    for key in rest:
        if key in pairs:
            first.variables[key].tensor = last.variables[pairs[key]].tensor
            first.variables[key].slices = last.variables[pairs[key]].slices
    return [key for key in rest if key in pairs]


def _notes(
    first: Checkpoint, averaged: Sequence[str], others: Sequence[Checkpoint], partners: Sequence[dict[str, str]]
) -> list[str]:
    notes = []
    if any("variance" in key for key in averaged):
        notes.append("variances of batch normalization are averaged as numbers: better estimate them anew on data")
    slots = slot_keys(first).intersection(averaged)
    if slots:
        notes.append(f"{len(slots)} slots of optimizers are averaged too; gs strip --only optimizers takes them out")
    for one, pairs in zip(others, partners[1:], strict=True):
        left = [key for key in one.variables if key not in set(pairs.values())]
        if left:
            notes.append(f"{one.prefix} has what the first has not, and is left out: {some(left)}")
    alone = [key for key in first.variables if key not in partners[-1]]
    return [*notes, f"only the first has, and keeps: {some(alone)}"] if alone else notes
