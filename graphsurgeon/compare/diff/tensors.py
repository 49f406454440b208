"""Compare the values of tensors block by block, so that two large ones never lie in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from graphsurgeon.analysis.stored_weights.weights import Allowance
from graphsurgeon.compare.diff.change import Detail, told_tensor
from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.tensor import Tensor, string_runs

BLOCK = 1 << 20  # bytes compared at once


@dataclass(frozen=True)
class ValueDifference:
    """How the values of two tensors of one dtype and shape differ.

    Attributes:
        count: elements that are not the same to the bit.
        total: elements there are.
        largest: largest absolute difference between numbers; None for strings, and where one is not finite.
    """

    count: int
    total: int
    largest: float | None

    def __str__(self) -> str:
        amount = "" if self.largest is None else f", by at most {self.largest:.3g}"
        return f"{self.count:,} of {self.total:,} elements differ{amount}"


def tensor_details(name: str, before: Tensor, after: Tensor, *, values: Allowance | None) -> Iterator[Detail]:
    """Yield what differs between two tensors. Reads as many of their values as `values` allows, in blocks."""
    if (before.dtype, before.shape) != (after.dtype, after.shape):
        yield Detail(name, told_tensor(before), told_tensor(after))
        return
    difference = compare_values(before, after, values) if values is not None else None
    if difference is not None:
        label = f"{name}: {difference}" if name else str(difference)
        yield Detail(label, told_tensor(before), told_tensor(after))


def compare_values(before: Tensor, after: Tensor, allowance: Allowance | None = None) -> ValueDifference | None:
    """Compare two tensors of one dtype and shape; None if they are the same to the bit.

    Raises:
        FormatError: the values cannot be read, or are more than is allowed.
    """
    if before.source is after.source or not is_comparable(before):
        return None
    if before.dtype is STRING:
        count = total = 0
        for one, other, amount in _string_pairs(before, after):
            count += amount if one != other else 0
            total += amount
        return ValueDifference(count, total, None) if count else None
    return _compare_blocks(before, after, allowance)


def is_comparable(tensor: Tensor) -> bool:
    """Say whether the elements of a tensor are numbers or strings, and not resources or variants."""
    return bool(tensor.dtype.bits) or tensor.dtype is STRING


def same_values(before: Tensor, after: Tensor) -> bool:
    """Say whether two tensors are the same in dtype, shape and every bit. Reads them up to the first difference."""
    if (before.dtype, before.shape) != (after.dtype, after.shape) or not is_comparable(before):
        return False
    if before.dtype is STRING:
        return all(one == other for one, other, _ in _string_pairs(before, after))
    return all(one == other for one, other in zip_longest(_blocks(before.chunks()), _blocks(after.chunks())))


def _string_pairs(before: Tensor, after: Tensor) -> Iterator[tuple[bytes | None, bytes | None, int]]:
    """Yield what stands at the same places of two string tensors, and at how many of them; None behind an end."""
    runs = [string_runs(tensor.source.strings()) for tensor in (before, after)]
    end: tuple[bytes | None, int] = (None, 0)
    one, other = (next(run, end) for run in runs)
    while one[1] or other[1]:
        amount = min(one[1], other[1]) or one[1] + other[1]
        yield one[0], other[0], amount
        one, other = (
            (item, count - amount) if count > amount else next(run, end)
            for (item, count), run in zip((one, other), runs, strict=True)
        )


def _compare_blocks(before: Tensor, after: Tensor, allowance: Allowance | None) -> ValueDifference | None:
    count, largest = 0, 0.0
    is_finite = True
    for one, other in zip_longest(_blocks(before.chunks()), _blocks(after.chunks()), fillvalue=b""):
        if allowance is not None:
            allowance.take(len(one))
        if one != other:
            number, amount = _compare(before.dtype, one, other)
            count += number
            is_finite = is_finite and amount is not None
            largest = max(largest, amount or 0.0)
    if not count:
        return None
    return ValueDifference(count, before.num_elements, largest if is_finite else None)


def _compare(dtype: DType, one: bytes, other: bytes) -> tuple[int, float | None]:
    """Return how many elements differ in two blocks, and by how much at most."""
    import numpy as np

    size = max(dtype.itemsize, 1)
    if len(one) != len(other) or len(one) % size:
        return abs(len(one) - len(other)) // size or 1, None
    same = np.frombuffer(one, "u1").reshape(-1, size) == np.frombuffer(other, "u1").reshape(-1, size)
    places = np.flatnonzero(~same.all(axis=1))
    wide = "c16" if dtype.is_complex else "f8"
    with np.errstate(all="ignore"):  # of NaN that signal, too
        first, second = (numeric.to_numpy(dtype, data)[places].astype(wide) for data in (one, other))
        largest = float(np.abs(first - second).max())
    return len(places), largest if np.isfinite(largest) else None


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut chunks of any size into blocks of one size, the last one shorter."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= BLOCK:
            yield bytes(held[:BLOCK])
            del held[:BLOCK]
    if held:
        yield bytes(held)
