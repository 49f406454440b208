"""Let weights and their moving averages change places in a checkpoint. No value is read but to compare the two."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.analysis.stored_weights.averages import moving_averages
from graphsurgeon.analysis.stored_weights.variables import slot_keys
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor

_MOST_NAMED = 5


def required_averages(checkpoint: Checkpoint | None) -> dict[str, str]:
    """Return key of a weight -> key of its moving average.

    Raises:
        UsageError: there is none.
    """
    found = moving_averages(checkpoint) if checkpoint is not None else {}
    if not found:
        raise UsageError(
            "there are no moving averages of weights in the checkpoint",
            hint="they would be called X/ExponentialMovingAverage, or be kept by an optimizer: gs weights lists all",
        )
    return found


def exchange_averages(model: Model) -> tuple[list[tuple[str, str]], list[str]]:
    """Give each weight the value of its moving average and the average that of the weight; twice changes nothing.

    Object graphs stay as they are: the values lie under each other's keys.

    Returns:
        (key, key whose value it has now) of all that changed; and notes.

    Raises:
        UsageError: there are no averages.
        UnsupportedError: the checkpoint cannot be written.
    """
    checkpoint = model.checkpoint
    if checkpoint is None:
        raise UnsupportedError("this model has no checkpoint", hint="--ema is for checkpoints and SavedModels")
    if checkpoint.version == 1:
        raise UnsupportedError("a V1 checkpoint can be read but not written", hint="gs convert it first")
    pairs = required_averages(checkpoint)
    notes = _notes(checkpoint, pairs)
    checkpoint.exchange(pairs)
    return [item for weight, average in pairs.items() for item in ((average, weight), (weight, average))], notes


def without_average(checkpoint: Checkpoint, pairs: Mapping[str, str]) -> list[str]:
    """Return the keys of floating-point weights that have no moving average."""
    known = {*pairs, *pairs.values(), *slot_keys(checkpoint)}
    return [key for key, one in checkpoint.variables.items() if key not in known and one.tensor.dtype.is_floating]


def _notes(checkpoint: Checkpoint, pairs: Mapping[str, str]) -> list[str]:
    notes = []
    variables = checkpoint.variables
    if all(_are_equal(variables[weight].tensor, variables[average].tensor) for weight, average in pairs.items()):
        notes.append("every weight is equal to its average: the values stay what they were")
    rest = without_average(checkpoint, pairs)
    if rest:
        more = f" and {len(rest) - _MOST_NAMED} more" if len(rest) > _MOST_NAMED else ""
        notes.append(f"without an average, and as before: {', '.join(rest[:_MOST_NAMED])}{more}")
    return notes


def _are_equal(one: Tensor, other: Tensor) -> bool:
    """Compare two tensors of one dtype and shape, as far as they are equal."""
    left, right = one.chunks(), other.chunks()
    first, second = b"", b""
    while True:
        first, second = first or next(left, b""), second or next(right, b"")
        if not first or not second:
            return first == second
        size = min(len(first), len(second))
        if first[:size] != second[:size]:
            return False
        first, second = first[size:], second[size:]
