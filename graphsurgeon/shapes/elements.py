"""Elements of small constants, flat in row-major order: what slicing, joining and computing with them gives.

Shapes here are known (`Sequence[int]`), elements may be unknown (None) or symbols.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Callable, Iterable, Sequence

from graphsurgeon.model.dtype import DType
from graphsurgeon.shapes.dims import Dim, Symbol, add, divide, floor_divide, multiply, subtract
from graphsurgeon.shapes.fact import Fact, Item, Items

ItemOp = Callable[[Item, Item], Item]


def static(fact: Fact) -> tuple[Items, tuple[int, ...]] | None:
    """Return elements and shape of a value; None unless the shape is known and some elements are."""
    items = fact.items
    if items is None or fact.dims is None:
        return None
    dims = tuple(d for d in fact.dims if isinstance(d, int))
    return (items, dims) if len(dims) == len(fact.dims) and math.prod(dims) == len(items) else None


def strides(dims: Sequence[int]) -> list[int]:
    """Return how many elements apart neighbours along each axis lie."""
    return [math.prod(dims[axis + 1 :]) for axis in range(len(dims))]


def pick(items: Items, dims: Sequence[int], ranges: Sequence[Iterable[int]]) -> Items:
    """Return the elements at the positions of one range per axis."""
    steps = strides(dims)
    places = (sum(map(int.__mul__, position, steps)) for position in itertools.product(*ranges))
    return tuple(items[place] for place in places)


def take(items: Items, dims: Sequence[int], axis: int, indices: Sequence[int]) -> Items:
    """Return the parts at positions along an axis."""
    ranges: list[Sequence[int]] = [range(size) for size in dims]
    ranges[axis] = indices
    return pick(items, dims, ranges)


def permute(items: Items, dims: Sequence[int], order: Sequence[int]) -> Items:
    """Return the elements of a transposed value."""
    steps = strides(dims)
    positions = itertools.product(*(range(dims[axis]) for axis in order))
    return tuple(items[sum(p * steps[axis] for p, axis in zip(position, order, strict=True))] for position in positions)


def concat(parts: Sequence[tuple[Items, Sequence[int]]], axis: int) -> Items:
    """Return the elements of values joined along an axis."""
    rows = math.prod(parts[0][1][:axis])
    widths = [math.prod(dims[axis:]) for _, dims in parts]
    joined: list[Item] = []
    for row in range(rows):
        for (items, _), width in zip(parts, widths, strict=True):
            joined += items[row * width : (row + 1) * width]
    return tuple(joined)


def stretch(items: Items, dims: Sequence[int], target: Sequence[int]) -> Items:
    """Return the elements of a value broadcast to a shape."""
    if tuple(dims) == tuple(target):
        return items
    if len(items) == 1:
        return items * math.prod(target)
    padded = [1] * (len(target) - len(dims)) + list(dims)
    ranges = [(0,) * size if own == 1 else range(size) for own, size in zip(padded, target, strict=True)]
    return pick(items, padded, ranges)


def reduce(items: Items, dims: Sequence[int], axes: Iterable[int], start: Item, combine: ItemOp) -> Items:
    """Return the elements combined along axes."""
    gone = set(axes)
    kept = [size for axis, size in enumerate(dims) if axis not in gone]
    steps = iter(strides(kept))
    weights = [0 if axis in gone else next(steps) for axis in range(len(dims))]
    totals = [start] * math.prod(kept)
    for item, position in zip(items, itertools.product(*map(range, dims)), strict=True):
        place = sum(map(int.__mul__, position, weights))
        totals[place] = combine(totals[place], item)
    return tuple(totals)


def rounded(item: Item, dtype: DType | None) -> Item:
    """Return a computed element as its type holds it; unknown where it does not fit."""
    if item is None or isinstance(item, Symbol) or dtype is None:
        return item
    if dtype.is_integer:
        limit = dtype.bits - dtype.name.startswith("int")
        return item if -(1 << limit) <= item < (1 << limit) else None
    if dtype.name == "float32":
        single: float = struct.unpack("<f", struct.pack("<f", item))[0]
        return single
    return item if dtype.name in ("float64", "bool") else None


# -- computing ---------------------------------------------------------------------------------------------


def _numbers(combine: Callable[[float, float], Item]) -> ItemOp:
    """Return an operation that is only carried out on numbers."""

    def apply(first: Item, second: Item) -> Item:
        if isinstance(first, int | float) and isinstance(second, int | float):
            return combine(first, second)
        return None

    return apply


def _with_symbols(combine: Callable[[float, float], Item], symbolic: Callable[[Dim, Dim], Dim]) -> ItemOp:
    """Return an operation that goes on with symbols where both operands are integers or symbols."""

    def apply(first: Item, second: Item) -> Item:
        if isinstance(first, Symbol) or isinstance(second, Symbol):
            return None if isinstance(first, float) or isinstance(second, float) else symbolic(first, second)
        if first is None or second is None:
            return 0 if symbolic is multiply and 0 in (first, second) else None
        return combine(first, second)

    return apply


def _truncated(first: float, second: float) -> Item:
    if not second:
        return None
    if isinstance(first, int) and isinstance(second, int):
        quotient = abs(first) // abs(second)
        return quotient if (first < 0) == (second < 0) else -quotient
    return first / second


def _truncated_rest(first: float, second: float) -> Item:
    if isinstance(first, int) and isinstance(second, int):
        rest = abs(first) % abs(second)
        return rest if first >= 0 else -rest
    return math.fmod(first, second)


def _same(decide: Callable[[float, float], Item], on_equal: bool) -> ItemOp:
    """Return a comparison that is also decided where both operands are the same symbol."""

    def apply(first: Item, second: Item) -> Item:
        if isinstance(first, Symbol) and first == second:
            return on_equal
        return _numbers(decide)(first, second)

    return apply


def _extreme(choose: Callable[[float, float], Item]) -> ItemOp:
    def apply(first: Item, second: Item) -> Item:
        if isinstance(first, Symbol) and first == second:
            return first
        return _numbers(choose)(first, second)

    return apply


ADD = _with_symbols(lambda a, b: a + b, add)
MULTIPLY = _with_symbols(lambda a, b: a * b, multiply)
MAXIMUM = _extreme(max)
MINIMUM = _extreme(min)

BINARY: dict[str, ItemOp] = {
    "Add": ADD,
    "AddV2": ADD,
    "Sub": _with_symbols(lambda a, b: a - b, subtract),
    "Mul": MULTIPLY,
    "Div": _with_symbols(_truncated, divide),
    "RealDiv": _numbers(lambda a, b: a / b if b else None),
    "TruncateDiv": _with_symbols(_truncated, divide),
    "FloorDiv": _with_symbols(lambda a, b: a // b if b else None, floor_divide),
    "FloorMod": _numbers(lambda a, b: a % b if b else None),
    "Mod": _numbers(lambda a, b: _truncated_rest(a, b) if b else None),
    "TruncateMod": _numbers(lambda a, b: _truncated_rest(a, b) if b else None),
    "Maximum": MAXIMUM,
    "Minimum": MINIMUM,
    "Pow": _numbers(lambda a, b: a**b if abs(a) <= 1 << 16 and 0 <= b <= 16 else None),
    "SquaredDifference": _numbers(lambda a, b: (a - b) ** 2),
    "Equal": _same(lambda a, b: a == b, on_equal=True),
    "NotEqual": _same(lambda a, b: a != b, on_equal=False),
    "Greater": _same(lambda a, b: a > b, on_equal=False),
    "GreaterEqual": _same(lambda a, b: a >= b, on_equal=True),
    "Less": _same(lambda a, b: a < b, on_equal=False),
    "LessEqual": _same(lambda a, b: a <= b, on_equal=True),
    "LogicalAnd": _numbers(lambda a, b: bool(a and b)),
    "LogicalOr": _numbers(lambda a, b: bool(a or b)),
}

UNARY: dict[str, Callable[[float], Item]] = {
    "Neg": lambda a: -a,
    "Abs": abs,
    "Square": lambda a: a * a,
    "Sign": lambda a: (a > 0) - (a < 0),
    "Ceil": lambda a: float(math.ceil(a)),
    "Floor": lambda a: float(math.floor(a)),
    "Round": lambda a: a if isinstance(a, int) else float(round(a)),
    "Rint": lambda a: float(round(a)),
    "Sqrt": lambda a: math.sqrt(a) if a >= 0 else None,
    "LogicalNot": lambda a: not a,
}

COMBINE: dict[str, tuple[Item, ItemOp]] = {
    "Sum": (0, ADD),
    "Prod": (1, MULTIPLY),
    "Max": (-math.inf, MAXIMUM),
    "Min": (math.inf, MINIMUM),
    "Any": (False, BINARY["LogicalOr"]),
    "All": (True, BINARY["LogicalAnd"]),
}
