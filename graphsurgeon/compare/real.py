"""Real numbers at the ends of quantized TFLite models: what goes in is quantized, what comes out stands for numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphsurgeon.analysis.stored_weights.quantize import Scales
from graphsurgeon.analysis.tensors import quantization
from graphsurgeon.compare.entries import Result, RunOutcome
from graphsurgeon.model.graph import Value
from graphsurgeon.model.numeric import integer_range
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]


def stands_for_real(value: Value) -> bool:
    """Say whether a tensor of integers stands for real numbers, by one scale or one for each index of an axis."""
    found = quantization(value)
    is_integer = value.dtype is not None and value.dtype.is_integer
    return is_integer and found is not None and bool(found.scale)


def stored_of(array: Array, value: Value) -> Array:
    """Return real numbers as a tensor stores them, cut off at the ends of its range; themselves if it is not quantized.

    Raises:
        UnsupportedError: its scales do not fit the array.
    """
    found, dtype = quantization(value), value.dtype
    if found is None or dtype is None or not stands_for_real(value):
        return array
    import numpy as np

    whole = Scales(found, Shape(array.shape)).quantized(array.reshape(-1))
    stored: Array = np.clip(whole, *integer_range(dtype)).astype(dtype.name).reshape(array.shape)
    return stored


def real_of(result: Result, value: Value) -> Result:
    """Return the real numbers that a result stands for; itself if the tensor is not quantized.

    Raises:
        UnsupportedError: its scales do not fit the array.
    """
    found = quantization(value)
    if found is None or result.array.dtype.kind not in "iu" or not stands_for_real(value):
        return result
    array = result.array
    return Result("float32", Scales(found, Shape(array.shape)).real(array.reshape(-1)).reshape(array.shape))


def real_outcome(outcome: RunOutcome, outputs: Mapping[str, Value]) -> RunOutcome:
    """Return what a run gave as real numbers; `outputs` gives the tensor of each result."""
    if outcome.error:
        return outcome
    return RunOutcome({name: real_of(result, outputs[name]) for name, result in outcome.results.items()})
