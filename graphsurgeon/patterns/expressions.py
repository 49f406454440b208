"""Expressions of rules: over constants, shapes and attributes, with a fixed list of functions; never Python.

Floating-point constants are computed with in double precision and rounded once, when they become a tensor again.
What is not known (a dimension, the value of a variable) makes an expression undecided: a condition then does not hold,
and nothing is built of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from graphsurgeon.model.dtype import DType

if TYPE_CHECKING:
    from graphsurgeon.patterns.syntax import Expr

MOST_ELEMENTS = 1 << 26  # of what an expression makes
_MOST_POWER = 1 << 20  # of a length that an expression asks for


class Undecided(Exception):  # noqa: N818  # no error: what an expression needs is not known
    """What an expression needs is not known; the message says what."""


class NameScope(Protocol):
    """What names in an expression stand for."""

    def array(self, name: str) -> Any:
        """Return the value of a name: a number, list or array."""

    def field(self, name: str, field: str) -> Any:
        """Return shape, rank, dtype or size of a name."""

    def attr(self, node: str, name: str) -> Any:
        """Return an attribute of a node."""


def evaluate(expr: Expr, scope: NameScope) -> Any:
    """Return the value of an expression.

    Raises:
        Undecided: something that it needs is not known, or it cannot be computed.
    """
    try:
        return _EVALUATORS[expr.kind](expr, scope)
    except (TypeError, ValueError, IndexError, ArithmeticError, AttributeError, MemoryError) as error:
        raise Undecided(f"cannot be computed: {error}") from None


def holds(expr: Expr, scope: NameScope) -> bool:
    """Say whether a condition surely holds."""
    try:
        return bool(_truth(evaluate(expr, scope)))
    except Undecided:
        return False


def _truth(value: Any) -> bool:
    return bool(value.all()) if hasattr(value, "all") else bool(value)


# -- kinds of expressions -------------------------------------------------------------------------------------------


def _name(expr: Expr, scope: NameScope) -> Any:
    if expr.value in ("true", "false"):
        return expr.value == "true"
    return scope.array(expr.value)


def _field(expr: Expr, scope: NameScope) -> Any:
    inner = expr.parts[0]
    if inner.kind == "name":
        return scope.field(inner.value, expr.value)
    array = _np().asarray(evaluate(inner, scope))
    return {"shape": list(array.shape), "rank": array.ndim, "size": array.size, "dtype": str(array.dtype)}[expr.value]


def _attr(expr: Expr, scope: NameScope) -> Any:
    return scope.attr(*expr.value)


def _items(expr: Expr, scope: NameScope) -> list[Any]:
    return [evaluate(part, scope) for part in expr.parts]


def _list(expr: Expr, scope: NameScope) -> list[Any]:
    """Return a list of what is written; constants without dimensions stand in it as the numbers that they are."""
    items = _items(expr, scope)
    return [item[()] if getattr(item, "shape", None) == () else item for item in items]


def _index(expr: Expr, scope: NameScope) -> Any:
    value, index = _items(expr, scope)
    found = value[int(index)]
    if found is None:
        raise Undecided("a dimension is not known")
    return found


def _slice(expr: Expr, scope: NameScope) -> Any:
    value = evaluate(expr.parts[0], scope)
    start, stop = (None if part.kind == "none" else int(evaluate(part, scope)) for part in expr.parts[1:])
    return value[start:stop]


def _unary(expr: Expr, scope: NameScope) -> Any:
    if expr.value == "not":
        return not _truth(evaluate(expr.parts[0], scope))
    return -_numeric(evaluate(expr.parts[0], scope))


def _binary(expr: Expr, scope: NameScope) -> Any:
    operator = expr.value
    if operator in ("and", "or"):
        return _logical(expr, scope)
    left, right = _items(expr, scope)
    if operator == "in":
        return any(_equal(left, item) for item in right)
    if operator in ("==", "!="):
        same = _equal(left, right)
        return same if operator == "==" else _not(same)
    with _np().errstate(all="ignore"):
        return _OPERATORS[operator](_numeric(left), _numeric(right))


def _logical(expr: Expr, scope: NameScope) -> bool:
    """Decide by either side alone where that is enough."""
    wanted = expr.value == "or"
    left, right = expr.parts
    try:
        is_decided = _truth(evaluate(left, scope)) is wanted
    except Undecided:
        if _truth(evaluate(right, scope)) is wanted:
            return wanted
        raise
    return wanted if is_decided else _truth(evaluate(right, scope))


def _not(value: Any) -> Any:
    return ~value if hasattr(value, "dtype") else not value


def _equal(left: Any, right: Any) -> Any:
    """Compare numbers and arrays element by element, everything else as a whole; unknown dimensions equal nothing."""
    for value in (left, right):
        if value is None or (isinstance(value, list) and None in value):
            raise Undecided("a shape is not known")
    left, right = (value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in (left, right))
    if isinstance(left, str | DType) or isinstance(right, str | DType):
        return left == right or str(left) == str(right)
    if isinstance(left, list) and isinstance(right, list):
        return left == right
    if hasattr(left, "shape") or hasattr(right, "shape"):
        return _np().asarray(left) == _np().asarray(right)
    return left == right


def _numeric(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if value is None or (isinstance(value, list) and any(item is None for item in value)):
        raise Undecided("a dimension is not known")
    array = _np().asarray(value)
    if array.dtype.kind not in "biufc":
        raise Undecided("a dimension is not known" if array.dtype.kind == "O" else "is no number")
    return array


def _floor_division(left: Any, right: Any) -> Any:
    if _np().any(_np().asarray(right) == 0):
        raise Undecided("a division by 0")
    return left // right


def _modulo(left: Any, right: Any) -> Any:
    if _np().any(_np().asarray(right) == 0):
        raise Undecided("a division by 0")
    return left % right


_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: _bounded(a, b) and a * b,
    "/": lambda a, b: a / b,
    "//": _floor_division,
    "%": _modulo,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _bounded(left: Any, right: Any) -> bool:
    """Refuse a product that broadcasts to more elements than anybody wants in a constant."""
    np = _np()
    shape = np.broadcast_shapes(np.shape(left), np.shape(right))
    _require_few(shape)
    return True


def _call(expr: Expr, scope: NameScope) -> Any:
    items = _items(expr, scope)
    with _np().errstate(all="ignore"):
        return FUNCTIONS[expr.value](*items)


_EVALUATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "number": lambda expr, _: expr.value,
    "text": lambda expr, _: expr.value,
    "list": _list,
    "name": _name,
    "field": _field,
    "attr": _attr,
    "index": _index,
    "slice": _slice,
    "unary": _unary,
    "binary": _binary,
    "call": _call,
}


# -- functions ------------------------------------------------------------------------------------------------------


def _np() -> Any:
    import numpy as np

    return np


def _require_few(shape: Sequence[int]) -> None:
    count = 1
    for dim in shape:
        count *= max(int(dim), 0)
    if count > MOST_ELEMENTS:
        raise Undecided(f"a constant of {count:,} elements is too large")


def _shape_of(value: Any) -> list[int]:
    dims = [int(dim) for dim in _np().atleast_1d(_numeric(value))]
    _require_few(dims)
    return dims


def _eye(size: Any, offset: Any = 0) -> Any:
    _require_few((size, size))
    return _np().eye(int(size), k=int(offset))


def _below(size: Any) -> Any:
    """Return ones on and below the diagonal, of a square of some side."""
    _require_few((size, size))
    return _np().tri(int(size))


def _range(stop: Any) -> Any:
    if not 0 <= stop <= _MOST_POWER:
        raise Undecided("too long")
    return _np().arange(int(stop))


def _reduce(name: str) -> Callable[..., Any]:
    def reduce(value: Any, axis: Any = None) -> Any:
        array = _numeric(value)
        axes = None if axis is None else tuple(int(one) for one in _np().atleast_1d(axis))
        return getattr(_np(), name)(array, axis=axes)

    return reduce


def _concat(*parts: Any) -> Any:
    return _np().concatenate([_np().atleast_1d(_numeric(part)) for part in parts])


def _with_item(shape: Any, place: Any, item: Any) -> Any:
    """Return a list with another item at a place; unknown dimensions stay what they are."""
    found = list(shape)
    found[int(place)] = item
    return found


def _outer(left: Any, right: Any) -> Any:
    left, right = _numeric(left), _numeric(right)
    _require_few((_np().size(left), _np().size(right)))
    return _np().outer(left, right)


def _tent(factor: Any) -> Any:
    """Return the weights of half-pixel bilinear interpolation by a factor, as a kernel of a transposed convolution."""
    np, f = _np(), int(factor)
    if not 1 <= f <= 4096:
        raise Undecided("no factor of an upsampling")
    if f % 2:
        return 1 - np.abs(np.arange(1 - f, f)) / f
    return (2 * f - np.abs(2 * np.arange(2 * f) - (2 * f - 1))) / (2 * f)


def _hat(factor: Any) -> Any:
    """Return the weights of bilinear interpolation by a factor that begins at the first pixel."""
    np, f = _np(), int(factor)
    if not 1 <= f <= 4096:
        raise Undecided("no factor of an upsampling")
    return 1 - np.abs(np.arange(1 - f, f)) / f


def _reach(kernel: Any, count: Any, stride: Any) -> Any:
    """Return the sum of weights that reach each output of a SAME transposed convolution of some inputs."""
    np, n, f = _np(), int(count), int(stride)
    kernel = np.asarray(kernel)
    _require_few((n, len(kernel)))
    total = np.zeros(n * f + len(kernel))
    for position in range(n):
        total[position * f : position * f + len(kernel)] += kernel
    before = max(len(kernel) - f, 0) // 2
    return total[before : before + n * f]


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": lambda x: abs(_numeric(x)),
    "all": _reduce("all"),
    "any": _reduce("any"),
    "below": _below,
    "concat": _concat,
    "exp": lambda x: _np().exp(_numeric(x)),
    "eye": _eye,
    "flat": lambda x: _np().ravel(_numeric(x)),
    "full": lambda shape, x: _np().full(_shape_of(shape), _numeric(x)),
    "hat": _hat,
    "log": lambda x: _np().log(_numeric(x)),
    "max": _reduce("max"),
    "min": _reduce("min"),
    "ones": lambda shape: _np().ones(_shape_of(shape)),
    "outer": _outer,
    "prod": _reduce("prod"),
    "range": _range,
    "reach": _reach,
    "reshape": lambda x, shape: _np().reshape(_numeric(x), [int(dim) for dim in shape]),
    "round": lambda x: _np().round(_numeric(x)),
    "sqrt": lambda x: _np().sqrt(_np().asarray(_numeric(x), _np().float64)),
    "sum": _reduce("sum"),
    "take": lambda x, places: _np().take(_numeric(x), _np().asarray(places, _np().int64)),
    "tent": _tent,
    "with_item": _with_item,
    "transpose": lambda x, axes: _np().transpose(_numeric(x), [int(axis) for axis in axes]),
    "zeros": lambda shape: _np().zeros(_shape_of(shape)),
}
