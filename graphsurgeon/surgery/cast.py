"""Give variables of a checkpoint another type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphsurgeon.errors import UsageError
from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import ComputedSource, Tensor
from graphsurgeon.surgery.checkpoints.blocks import in_blocks
from graphsurgeon.surgery.checkpoints.partners import checkpoint_of, chosen_keys, is_state, some
from graphsurgeon.surgery.moves import arguments

if TYPE_CHECKING:
    from typing import Any

    import numpy as np


@dataclass(frozen=True)
class CastReport:
    """What has another type.

    Attributes:
        dtype: the new one.
        cast: (key, old type) of each variable.
        became_zero: (key, how many values) of those that are smaller than the type has numbers for.
        notes: what else the user should know, one line each.
    """

    dtype: str
    cast: list[tuple[str, str]]
    became_zero: list[tuple[str, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@arguments.takes(match=arguments.names)
def cast(model: Model, *, dtype: str | DType, match: Sequence[str] = ()) -> CastReport:
    """Round variables to another type, to nearest, ties to even. Values are read once for this, and once to be written.

    Args:
        model: a checkpoint; changed in place.
        dtype: such as `bfloat16`, `float16`, `float32`.
        match: the variables; without, all of floating point, rates and counts of optimizers left out.

    Raises:
        UsageError: there is no such type, a pattern matches nothing, or a value is out of the type's range or, for a
            type of integers, not whole; the first variable is named.
        UnsupportedError: the model is no checkpoint, or numbers are not rounded to the type.
    """
    checkpoint = checkpoint_of(model, "cast")
    target = _named(dtype)
    if not (target.is_floating or match):
        raise UsageError(f"{target} is no type of floating point: say which variables", hint="--match NAME")

    def why_not(key: str) -> str:
        own = checkpoint.variables[key].tensor.dtype
        if not own.bits or own.is_complex:
            return f"values of type {own} are not cast"
        return "" if match or (own.is_floating and not is_state(checkpoint, key)) else "not of floating point"

    keys = [
        key
        for key in chosen_keys(model, checkpoint, match, why_not)
        if checkpoint.variables[key].tensor.dtype.base is not target
    ]
    if not keys:
        raise UsageError(f"there is nothing to cast to {target}", hint="gs weights lists the types")
    losses = {key: _losses(checkpoint.variables[key].tensor, target) for key in keys}
    _require_in_range({key: loss for key, (loss, _) in losses.items() if loss}, target)
    report = CastReport(
        target.name,
        [(key, checkpoint.variables[key].tensor.dtype.base.name) for key in keys],
        [(key, zero) for key, (_, zero) in losses.items() if zero],
    )
    for key in keys:
        variable = checkpoint.variables[key]
        variable.tensor, variable.slices = _rounded(variable.tensor, target), 0
    report.notes.append(_who_reads(target, sorted({old for _, old in report.cast})))
    return report


def _who_reads(target: DType, before: Sequence[str]) -> str:
    return (
        f"no loader takes {target} into a variable of {' or '.join(before)}: it is for programs whose variables are"
        f" {target}, and for readers of arrays"
    )


def _named(dtype: str | DType) -> DType:
    if isinstance(dtype, DType):
        return dtype.base
    try:
        found = DType.named(dtype).base
    except KeyError:
        found = None
    if found is None or not found.bits or found.is_complex:
        raise UsageError(f"{dtype!r} is no type of numbers", hint="such as bfloat16, float16, float32")
    numeric.from_numpy(found, _nothing())
    return found


def _nothing() -> np.ndarray[Any, Any]:
    import numpy as np

    return np.zeros(0, "f4")


def _rounded(tensor: Tensor, target: DType) -> Tensor:
    def chunks() -> Iterator[bytes]:
        for block in in_blocks(tensor):
            yield numeric.from_numpy(target, block)

    return Tensor(target, tensor.shape, ComputedSource(tensor.num_elements * target.itemsize, chunks))


def _losses(tensor: Tensor, target: DType) -> tuple[int, int]:
    """Return how many values are out of range (of integers also: not whole), and how many become zero."""
    import numpy as np

    out, zero = 0, 0
    for block in in_blocks(tensor):
        after = numeric.to_numpy(target, numeric.from_numpy(target, _clipped(block, target)))
        with np.errstate(all="ignore"):
            if target.is_floating:
                out += int(np.count_nonzero(np.isfinite(block) & ~np.isfinite(after)))
                zero += int(np.count_nonzero((block != 0) & (after == 0)))
            else:
                out += int(np.count_nonzero(after.astype(block.dtype) != block))
    return out, zero


def _clipped(block: np.ndarray[Any, Any], target: DType) -> np.ndarray[Any, Any]:
    """Keep what becomes integers in range, so that casting it is defined; what was changed differs afterwards."""
    import numpy as np

    if target.is_floating:
        return block
    low, high = numeric.integer_range(target)
    clipped: np.ndarray[Any, Any] = np.clip(np.nan_to_num(block), low, high)
    return clipped


def _require_in_range(out: dict[str, int], target: DType) -> None:
    if not out:
        return
    key, count = next(iter(out.items()))
    more = f", and of {some(list(out)[1:])}" if len(out) > 1 else ""
    why = f"beyond the range of {target}" if target.is_floating else f"no number of {target}"
    raise UsageError(
        f"{count:,} values of {key}{more} are {why}", hint="leave them out with --match, or take another type"
    )
