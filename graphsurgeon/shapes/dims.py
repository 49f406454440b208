"""Dimensions as inference knows them: a number, a symbol, or nothing; and the arithmetic of shapes.

A `Symbol` is an unknown number that is known to equal every other occurrence of the same symbol: the batch
that comes in is the batch that goes out. The rules (what merges, what broadcasts) are those of TensorFlow's
`InferenceContext` and `common_shape_fns.cc`; TensorFlow knows equal unknown dimensions only within one op.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from graphsurgeon.errors import GraphSurgeonError

MOST_FACTORS = 8  # of one symbol; a longer product is no longer worth remembering
MOST_DIMS = 254  # the largest rank that TensorFlow has


class ShapeError(GraphSurgeonError):
    """What an op is given contradicts what it takes. Becomes a finding, never leaves `infer_shapes`."""

    exit_code = 4


class Symbol:
    """An unknown number: a coefficient times a product of unknown factors, each with an identity of its own."""

    __slots__ = ("coefficient", "factors")

    def __init__(self, factors: tuple[int, ...], coefficient: int = 1) -> None:
        self.factors = factors
        self.coefficient = coefficient

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Symbol) and (self.coefficient, self.factors) == (other.coefficient, other.factors)

    def __hash__(self) -> int:
        return hash((self.coefficient, self.factors))

    def __repr__(self) -> str:
        number = "" if self.coefficient == 1 else f"{self.coefficient}*"
        return number + "*".join(f"d{factor}" for factor in self.factors)


Dim: TypeAlias = int | Symbol | None
Dims: TypeAlias = tuple[Dim, ...]


def merge_dim(first: Dim, second: Dim) -> Dim:
    """Return what is known of a dimension of which two things are known.

    Raises:
        ShapeError: both are numbers, and differ.
    """
    if second is None:
        return first
    if isinstance(first, int):
        if isinstance(second, int) and first != second:
            raise ShapeError(f"dimensions {first} and {second} must be equal")
        return first
    return second if first is None or isinstance(second, int) else first


def merge(first: Dims | None, second: Dims | None) -> Dims | None:
    """Return what is known of a shape of which two things are known.

    Raises:
        ShapeError: they contradict each other.
    """
    if first is second or second is None:
        return first
    if first is None:
        return second
    if len(first) != len(second):
        raise ShapeError(f"shapes {show(first)} and {show(second)} must have the same rank")
    merged = tuple(map(merge_dim, first, second))
    return first if merged == first else merged  # mostly a file records what is inferred: nothing new is made then


def join(first: Dims | None, second: Dims | None) -> Dims | None:
    """Return what holds for either of two shapes: equal dimensions stay, others become unknown."""
    if first is second or first == second:
        return first
    if first is None or second is None or len(first) != len(second):
        return None
    return tuple(a if a == b else None for a, b in zip(first, second, strict=True))


def broadcast_dim(first: Dim, second: Dim) -> Dim:
    """Return the dimension of an element-wise result.

    Raises:
        ShapeError: both are numbers other than 1, and differ.
    """
    if first == second or second == 1:
        return first
    if first == 1:
        return second
    if isinstance(first, int) and isinstance(second, int):
        raise ShapeError(f"dimensions {first} and {second} cannot be broadcast")
    # A number above 1 wins over an unknown dimension: in a sound program that is equal or 1.
    if isinstance(first, int):
        return first if first > 1 else None
    return second if isinstance(second, int) and second > 1 else None


def broadcast(first: Dims | None, second: Dims | None) -> Dims | None:
    """Return the shape of an element-wise result of two operands.

    Raises:
        ShapeError: the shapes cannot be broadcast.
    """
    if first is None or second is None:
        return None
    if first == second:
        return first if None not in first else tuple(map(broadcast_dim, first, second))
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    skipped = len(longer) - len(shorter)
    return longer[:skipped] + tuple(map(broadcast_dim, longer[skipped:], shorter))


def add(first: Dim, second: Dim) -> Dim:
    """Return the sum, unknown unless both are numbers, one is zero, or both are multiples of one product."""
    if isinstance(first, int) and isinstance(second, int):
        return first + second
    if second == 0:
        return first
    if first == 0:
        return second
    if isinstance(first, Symbol) and isinstance(second, Symbol) and first.factors == second.factors:
        return _symbol(first.coefficient + second.coefficient, first.factors)
    return None


def subtract(first: Dim, second: Dim) -> Dim:
    """Return the difference, as far as `add` could."""
    return add(first, multiply(second, -1))


def multiply(first: Dim, second: Dim) -> Dim:
    """Return the product; zero times anything is zero."""
    if isinstance(first, int):
        if isinstance(second, int):
            return first * second
        if second is None:
            return 0 if first == 0 else None
        return _symbol(first * second.coefficient, second.factors)
    if isinstance(second, int):
        return multiply(second, first)
    if first is None or second is None or len(first.factors) + len(second.factors) > MOST_FACTORS:
        return None
    return _symbol(first.coefficient * second.coefficient, tuple(sorted(first.factors + second.factors)))


def product(dims: Iterable[Dim]) -> Dim:
    """Return the product of dimensions."""
    total: Dim = 1
    for dim in dims:
        total = multiply(total, dim)
    return total


def divide(first: Dim, second: Dim) -> Dim:
    """Return the quotient where the division leaves no rest for certain, else unknown."""
    if isinstance(first, int) and isinstance(second, int):
        return first // second if second and first % second == 0 else None
    if second == 1:
        return first
    if first is None or second is None or not isinstance(first, Symbol):
        return None
    coefficient, factors = (second, ()) if isinstance(second, int) else (second.coefficient, second.factors)
    if not coefficient or first.coefficient % coefficient:
        return None
    left = _without(first.factors, factors)
    return None if left is None else _symbol(first.coefficient // coefficient, left)


def floor_divide(first: Dim, second: Dim) -> Dim:
    """Return the quotient rounded down, unknown if the divisor is zero."""
    if isinstance(first, int) and isinstance(second, int):
        return first // second if second else None
    return divide(first, second)


def windowed(
    size: Dim, window: Dim, stride: int, padding: str, *, dilation: int = 1, pads: tuple[int, int] = (0, 0)
) -> Dim:
    """Return how many places a sliding window has, by TensorFlow's rules of SAME, VALID and EXPLICIT padding.

    Raises:
        ShapeError: stride or dilation is not positive, or the window is larger than the padded input.
    """
    if stride < 1 or dilation < 1:
        raise ShapeError(f"stride {stride} and dilation {dilation} must be positive")
    if padding == "SAME":
        return size if stride == 1 else None if not isinstance(size, int) else (size + stride - 1) // stride
    before, after = pads if padding == "EXPLICIT" else (0, 0)
    if window == 1 and stride == 1:
        return add(size, before + after)
    if not isinstance(size, int) or not isinstance(window, int):
        return None
    left = size + before + after - ((window - 1) * dilation + 1)
    if left < 0:
        raise ShapeError(f"a window of {window} is larger than the input of {size}")
    return left // stride + 1


def show(dims: Dims | None) -> str:
    """Return a shape as text: `[?,224,3]`, `?` for unknown rank."""
    if dims is None:
        return "?"
    return "[" + ",".join(str(dim) if isinstance(dim, int) else "?" for dim in dims) + "]"


def is_static(dims: Dims | None) -> bool:
    """Say whether every dimension is a number."""
    return dims is not None and all(isinstance(dim, int) for dim in dims)


def size(dims: Dims | None) -> int | None:
    """Return the number of elements, None unless every dimension is a number."""
    if dims is None:
        return None
    numbers = [dim for dim in dims if isinstance(dim, int)]
    return math.prod(numbers) if len(numbers) == len(dims) else None


def replace(dims: Dims, axis: int, dim: Dim) -> Dims:
    """Return a shape with one dimension exchanged; a negative axis counts from the end."""
    changed = list(dims)
    changed[axis] = dim
    return tuple(changed)


def unknown(rank: int) -> Dims:
    """Return a shape of unknown dimensions."""
    return (None,) * rank


def normal_axis(axis: int, rank: int) -> int:
    """Return an axis counted from the front.

    Raises:
        ShapeError: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} is outside a shape of rank {rank}")
    return axis + rank if axis < 0 else axis


def normal_axes(axes: Sequence[int], rank: int) -> list[int]:
    """Return axes counted from the front.

    Raises:
        ShapeError: one does not exist.
    """
    return [normal_axis(axis, rank) for axis in axes]


def _symbol(coefficient: int, factors: tuple[int, ...]) -> Dim:
    return Symbol(factors, coefficient) if coefficient and factors else coefficient


def _without(factors: tuple[int, ...], gone: tuple[int, ...]) -> tuple[int, ...] | None:
    left = list(factors)
    for factor in gone:
        if factor not in left:
            return None
        left.remove(factor)
    return tuple(left)
