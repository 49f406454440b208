"""Kernels that compute with numbers, one element at a time, and reductions whose order does not matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphsurgeon.kernels import Attrs, Kernel


def _np() -> Any:
    import numpy as np

    return np


def _elementwise(name: str) -> Kernel:
    def kernel(attrs: Attrs, inputs: Sequence[Any]) -> Any:
        return getattr(_np(), name)(*inputs)

    return kernel


def _of_bools(name: str) -> Kernel:
    def kernel(attrs: Attrs, inputs: Sequence[Any]) -> Any:
        if any(one.dtype.kind != "b" for one in inputs):
            raise TypeError("not bools")
        return getattr(_np(), name)(*inputs)

    return kernel


def _require_plain(inputs: Sequence[Any]) -> None:
    """Refuse what has no sure answer: strings, complex numbers, mixed dtypes."""
    if any(one.dtype.kind not in "iufb" or one.dtype != inputs[0].dtype for one in inputs):
        raise TypeError("no plain numbers")


def _arithmetic(function: Callable[[Any, Any], Any]) -> Kernel:
    def kernel(attrs: Attrs, inputs: Sequence[Any]) -> Any:
        _require_plain(inputs)
        return function(*inputs).astype(inputs[0].dtype)

    return kernel


def _no_zeros(divisor: Any) -> None:
    """Refuse an integer division by 0, which ends a run."""
    if divisor.dtype.kind in "iu" and not divisor.all():
        raise ZeroDivisionError


def _floor_div(left: Any, right: Any) -> Any:
    _no_zeros(right)
    return left // right if left.dtype.kind in "iu" else _np().floor(left / right)


def _floor_mod(left: Any, right: Any) -> Any:
    _no_zeros(right)
    if left.dtype.kind == "f":
        raise TypeError("zeros of two signs")
    return _np().mod(left, right)


def _div(left: Any, right: Any) -> Any:
    if left.dtype.kind == "f":
        return left / right
    _no_zeros(right)
    quotient = abs(left) // abs(right)  # towards 0, as C does
    return _np().where((left < 0) != (right < 0), -quotient, quotient)


def _real_div(left: Any, right: Any) -> Any:
    if left.dtype.kind != "f":
        raise TypeError("no floats")
    return left / right


def _reduction(name: str, *, most_floats: int | None = None) -> Kernel:
    """Return a reduction; of floats in an order of their own only as many as always give the same bits."""

    def kernel(attrs: Attrs, inputs: Sequence[Any]) -> Any:
        data, axes = inputs
        axis = tuple(int(one) for one in _np().atleast_1d(axes))
        axis = tuple(one + data.ndim if one < 0 else one for one in axis)
        if not axis:
            return data
        count = 1
        for one in axis:
            count *= data.shape[one]
        if data.dtype.kind == "f" and most_floats is not None and count > most_floats:
            raise ValueError("too many floats")
        if not count and name in ("max", "min"):
            raise ValueError("of nothing")
        result = getattr(_np(), name)(data, axis=axis, keepdims=bool(attrs["keep_dims"]))
        return _np().asarray(result).astype(data.dtype)

    return kernel


def _rsqrt(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    """Return 1 / sqrt of a few floats: from 8 on TensorFlow computes them in vectors, with other bits."""
    if inputs[0].dtype != _np().float32 or inputs[0].size > 7:
        raise ValueError("computed in vectors")
    return _np().float32(1) / _np().sqrt(inputs[0])


def _select(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    condition, one, other = inputs
    if one.dtype != other.dtype:
        raise TypeError("mixed dtypes")
    if attrs.node.op == "Select" and condition.ndim and condition.shape != one.shape:
        raise ValueError("a vector that chooses rows")
    return _np().where(condition, one, other)


def _round(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    if inputs[0].dtype.kind != "f":
        raise TypeError("no floats")
    return _np().rint(inputs[0])


def _relu(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    if _np().isnan(inputs[0]).any():
        raise ValueError("NaN")
    return _np().maximum(inputs[0], inputs[0].dtype.type(0))


def _extreme(name: str) -> Kernel:
    def kernel(attrs: Attrs, inputs: Sequence[Any]) -> Any:
        _require_plain(inputs)
        if any(one.dtype.kind == "f" and (_np().isnan(one).any() or (one == 0).any()) for one in inputs):
            raise ValueError("NaN, or zeros of two signs")
        return getattr(_np(), name)(*inputs)

    return kernel


NUMBERS: dict[str, Kernel] = {
    "Abs": _elementwise("abs"),
    "Add": _arithmetic(lambda a, b: a + b),
    "AddV2": _arithmetic(lambda a, b: a + b),
    "All": _reduction("all"),
    "Any": _reduction("any"),
    "Ceil": _elementwise("ceil"),
    "Div": _arithmetic(_div),
    "Equal": _elementwise("equal"),
    "Floor": _elementwise("floor"),
    "FloorDiv": _arithmetic(_floor_div),
    "FloorMod": _arithmetic(_floor_mod),
    "Greater": _elementwise("greater"),
    "GreaterEqual": _elementwise("greater_equal"),
    "Less": _elementwise("less"),
    "LessEqual": _elementwise("less_equal"),
    "LogicalAnd": _of_bools("logical_and"),
    "LogicalNot": _of_bools("logical_not"),
    "LogicalOr": _of_bools("logical_or"),
    "Max": _reduction("max", most_floats=4),
    "Maximum": _extreme("maximum"),
    "Min": _reduction("min", most_floats=4),
    "Minimum": _extreme("minimum"),
    "Mul": _arithmetic(lambda a, b: a * b),
    "Neg": _elementwise("negative"),
    "NotEqual": _elementwise("not_equal"),
    "Prod": _reduction("prod", most_floats=2),
    "RealDiv": _arithmetic(_real_div),
    "Relu": _relu,
    "Round": _round,
    "Rsqrt": _rsqrt,
    "Select": _select,
    "SelectV2": _select,
    "Sqrt": _elementwise("sqrt"),
    "Square": _arithmetic(lambda a: a * a),  # type: ignore[arg-type,misc]  # of one input
    "SquaredDifference": _arithmetic(lambda a, b: (a - b) * (a - b)),
    "Sub": _arithmetic(lambda a, b: a - b),
    "Sum": _reduction("sum", most_floats=4),
}
