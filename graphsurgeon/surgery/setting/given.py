"""Values that people give for a weight, made the elements that are stored: checked, rounded, quantized, by block.

A check reads all values once and keeps none; they are made again when they are written. So the largest weight takes
the memory of one block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphsurgeon.analysis.stored_weights.quantize import Scales
from graphsurgeon.analysis.stored_weights.weights import numbers
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import BOOL, INT64, STRING, DType
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import SCALAR, Shape
from graphsurgeon.model.tensor import BytesSource, ComputedSource, FilledSource, StringsSource, Tensor
from graphsurgeon.surgery.moves.constants import elements_of

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

_HELD = 1 << 16  # bytes of a weight that is made at once
_MOST_STRINGS = 1 << 20  # that one is repeated to


@dataclass(frozen=True)
class FitRules:
    """How what is given becomes what is stored.

    Attributes:
        raw: integers of a quantized tensor are given as they are stored.
        clip: what is out of range becomes the nearest that is in range.
    """

    raw: bool = False
    clip: bool = False


@dataclass(frozen=True)
class Slot:
    """Where a value goes.

    Attributes:
        label: what the weight is called, for messages.
        quantization: None where the elements are the numbers themselves.
    """

    label: str
    dtype: DType
    shape: Shape
    quantization: Quantization | None = None


@dataclass(frozen=True)
class Fitted:
    """A value as it is stored, and what became of it on the way.

    Attributes:
        largest_error: largest difference between what was given and what is stored; 0.0 if there is none.
        clipped: how many elements were out of range.
    """

    tensor: Tensor
    largest_error: float
    clipped: int


def make(slot: Slot, value: object, rules: FitRules) -> Fitted:
    """Return a value as the tensor that is stored.

    Args:
        slot: where it goes.
        value: a Tensor; a number, bool, text, nested list or array, or text that means one. One number fills the shape.
        rules: see `FitRules`.

    Raises:
        UsageError: its shape, kind or range does not fit.
        UnsupportedError: the elements are no numbers, or the tensor is quantized in a way of its own.
        FileError: the values cannot be read.
    """
    given = value if isinstance(value, Tensor) else _tensor(slot, value)
    _require_shape(slot, given)
    if slot.dtype is STRING or given.dtype is STRING:
        return _strings(slot, given)
    if not slot.dtype.bits or not given.dtype.bits:
        what = slot.dtype if not slot.dtype.bits else given.dtype
        raise UnsupportedError(f"{slot.label}: values of type {what} cannot be set")
    _require_kind(slot, given, rules)
    work = _Work(slot, given, rules)
    work.check()
    return Fitted(work.result(), work.largest_error, work.clipped)


def _tensor(slot: Slot, value: object) -> Tensor:
    if hasattr(value, "__array__"):
        import numpy as np

        return Tensor.from_numpy(np.asarray(value))
    items, dims = elements_of(value, slot.dtype, slot.label)
    if slot.dtype is STRING:
        return Tensor.of(STRING, dims, [item.encode() if isinstance(item, str) else item for item in items])
    import numpy as np

    try:
        array = np.array(items) if items else np.zeros(0)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{slot.label} cannot hold {value!r}") from error
    if array.dtype.kind not in "biufc" or array.ndim != 1:
        raise UsageError(f"{slot.label} is {slot.dtype}, which cannot hold {_short(value)}", hint=_file_hint(value))
    return Tensor.from_numpy(array.reshape(dims))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _require_shape(slot: Slot, given: Tensor) -> None:
    if given.shape == SCALAR or given.shape == slot.shape:
        return
    dims = given.shape.dims or ()
    turned = dims[::-1] == (slot.shape.dims or ())
    hint = "it is turned round: numpy.transpose gives the other" if turned else "numpy.reshape gives another shape"
    raise UsageError(f"{slot.label} has shape {slot.shape}, the values given have {given.shape}", hint=hint)


def _require_kind(slot: Slot, given: Tensor, rules: FitRules) -> None:
    """Refuse what can only be a mistake: stored integers where real numbers are wanted, or the other way round."""
    if slot.quantization is not None and not rules.raw:
        if given.dtype.is_integer and given.dtype is not INT64 and given.shape != SCALAR:
            raise UsageError(
                f"{slot.label} is quantized, and {given.dtype} is given",
                hint="--raw stores integers as given; real numbers to be quantized come as floats",
            )
    elif slot.dtype.is_complex is False and given.dtype.is_complex:
        raise UsageError(f"{slot.label} is {slot.dtype}, which cannot hold {given.dtype}")


def _strings(slot: Slot, given: Tensor) -> Fitted:
    if slot.dtype is not given.dtype:
        raise UsageError(f"{slot.label} is {slot.dtype}, which cannot hold {given.dtype}")
    if given.shape == slot.shape:
        return Fitted(Tensor(STRING, slot.shape, StringsSource(given.source.strings())), 0.0, 0)
    size = slot.shape.num_elements or 0
    if size > _MOST_STRINGS:
        raise UsageError(f"{slot.label} has {size:,} strings", hint="give them in a file")
    return Fitted(Tensor(STRING, slot.shape, StringsSource(list(given.source.strings())[:1] * size)), 0.0, 0)


class _Work:
    """One value on its way: `check` reads it once, `result` gives the tensor that is made of it."""

    def __init__(self, slot: Slot, given: Tensor, rules: FitRules) -> None:
        self.slot = slot
        self.given = given
        self.rules = rules
        quantized = slot.quantization is not None and not rules.raw
        self.parameters = Scales(slot.quantization, slot.shape) if quantized and slot.quantization else None
        self.largest_error = 0.0
        self.clipped = 0
        self.outside = 0
        self.first: str | None = None
        self.place: int | None = None

    @property
    def is_filled(self) -> bool:
        return self.given.shape == SCALAR and self.slot.shape != SCALAR

    @property
    def is_same(self) -> bool:
        return self.given.dtype is self.slot.dtype and self.parameters is None

    def check(self) -> None:
        """Raise UsageError where an element does not fit. What is stored as it is given fits, and is not read."""
        if self.is_same:
            return
        for start, block in self._blocks():
            stored, bad = self._stored(block, start)
            self._note(block, start, stored, bad)
        if self.outside and not self.rules.clip:
            low, high = self._range()
            which = f"{self.outside:,} of {self.given.num_elements:,} values do not fit" if self.first else self._one()
            first = f"; the first is {self.first}" if self.first else ""
            raise UsageError(
                f"{self.slot.label}: {which} {self._what()}, {low:.7g} to {high:.7g}{first}",
                hint="--clip takes the nearest that fits" if self._can_clip() else "",
            )
        self.clipped = self.outside

    def result(self) -> Tensor:
        """Return the tensor; of a large one the values are made when they are read."""
        slot, size = self.slot, (self.slot.shape.num_elements or 0) * self.slot.dtype.itemsize
        if self.is_filled and (self.parameters is None or self.parameters.is_one):
            element = b"".join(self._bytes())
            return Tensor(slot.dtype, slot.shape, FilledSource(element, slot.shape.num_elements or 0))
        if self.is_same and not self.is_filled and size > _HELD:
            return Tensor(slot.dtype, slot.shape, self.given.source)
        if size <= _HELD:
            return Tensor(slot.dtype, slot.shape, BytesSource(b"".join(self._bytes())))
        return Tensor(slot.dtype, slot.shape, ComputedSource(size, self._bytes))

    def _blocks(self) -> Iterator[tuple[int, Array]]:
        """Yield the given elements by block, each with the place of its first; one number as often as scales differ."""
        start = 0
        repeated = self.is_filled and self.parameters is not None and not self.parameters.is_one
        for block in self._repeated() if repeated else numbers(self.given):
            yield start, block
            start += block.size
        wanted = (self.slot.shape.num_elements or 0) if repeated else self.given.num_elements
        if start != wanted:
            raise UsageError(f"{self.slot.label}: {start:,} values are given for {wanted:,}")

    def _repeated(self) -> Iterator[Array]:
        import numpy as np

        (block,) = numbers(self.given)
        left = self.slot.shape.num_elements or 0
        while left:
            count = min(left, _HELD)
            yield np.broadcast_to(block, count)
            left -= count

    def _bytes(self) -> Iterator[bytes]:
        for start, block in self._blocks():
            stored, _ = self._stored(block, start)
            yield numeric.from_numpy(self.slot.dtype, stored)

    def _stored(self, block: Array, start: int) -> tuple[Array, Array]:
        """Return the elements that are stored, clipped to what fits, and which did not fit before."""
        import numpy as np

        dtype = self.slot.dtype
        if self.parameters is not None or dtype.is_integer or dtype.is_quantized:
            wanted = block if self.parameters is None else self.parameters.quantized(block, start)
            low, high = numeric.integer_range(dtype)
            bad = (wanted < low) | (wanted > high) | (wanted != wanted)
            if self.parameters is None and block.dtype.kind == "f":
                bad = bad | (block != np.trunc(block))
            return (np.clip(np.nan_to_num(wanted), low, high) if bad.any() else wanted), bad
        if dtype is BOOL:
            return block, (block != 0) & (block != 1)
        if dtype.is_complex:
            return block, np.zeros(block.shape, bool)
        return self._floats(block)

    def _floats(self, block: Array) -> tuple[Array, Array]:
        import numpy as np

        low, high = self._range()
        with np.errstate(all="ignore"):
            bad = np.isfinite(block) & ((block < low) | (block > high)) if block.dtype.kind == "f" else block > high
        return (np.clip(block, low, high) if bad.any() else block), bad

    def _note(self, block: Array, start: int, stored: Array, bad: Array) -> None:
        """Count what does not fit, and keep the largest error of what does."""
        import numpy as np

        if bad.any():
            place = int(np.flatnonzero(bad)[0])
            self.outside += int(np.count_nonzero(bad))
            if self.given.shape != SCALAR and self.first is None:
                self.place = start + place
                self.first = f"{block[place].item()!r} at {self._index(start + place)}"
        if block.dtype.kind not in "iuf" or not block.size:
            return
        if self.parameters is None and (self.slot.dtype.is_integer or self.slot.dtype is BOOL):
            return
        with np.errstate(all="ignore"):
            gaps = np.abs(self._real(stored, start).astype("f8") - block.astype("f8"))
        gaps = gaps[np.isfinite(gaps)]
        self.largest_error = max(self.largest_error, float(gaps.max()) if gaps.size else 0.0)

    def _real(self, stored: Array, start: int) -> Array:
        """Return the numbers that stored elements stand for."""
        if self.parameters is not None:
            return self.parameters.real(stored, start)
        return numeric.to_numpy(self.slot.dtype, numeric.from_numpy(self.slot.dtype, stored))

    def _one(self) -> str:
        return f"{next(numbers(self.given))[0].item()!r} does not fit"

    def _index(self, flat: int) -> str:
        places = []
        for dim in reversed(self.slot.shape.dims or ()):
            flat, place = divmod(flat, dim or 1)
            places.append(place)
        return str(places[::-1])

    def _range(self) -> tuple[float, float]:
        dtype = self.slot.dtype
        if self.parameters is not None:
            return self.parameters.real_range(dtype, self.place)
        if dtype.is_integer or dtype.is_quantized:
            return numeric.integer_range(dtype)
        return (0, 1) if dtype is BOOL else numeric.float_range(dtype)

    def _what(self) -> str:
        if self.parameters is not None:
            return f"the {self.slot.dtype} of its quantization"
        return str(self.slot.dtype)

    def _can_clip(self) -> bool:
        return self.slot.dtype is not BOOL


def _file_hint(value: object) -> str:
    is_file = isinstance(value, str) and value.endswith((".npy", ".npz", ".json", ".txt", ".bin"))
    return f"@{value} is what a file holds" if is_file else ""
