"""Which function infers the outputs of which op.

A shape function returns one result per output: a shape, None for unknown rank, or a `Fact` where it knows
more (elements, what a handle holds). A value function, where an op has one, returns the elements of its
output; it is asked only if the shape is known and small.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import TypeAlias

from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact, Items

Result: TypeAlias = Dims | Fact | None
ShapeFn: TypeAlias = Callable[[InferenceContext], Sequence[Result]]
ValueFn: TypeAlias = Callable[[InferenceContext], Items | None]

_shape_fns: dict[str, ShapeFn] = {}
_value_fns: dict[str, ValueFn] = {}


def shape_fn(*ops: str) -> Callable[[ShapeFn], ShapeFn]:
    """Enter the decorated function as the shape function of ops."""

    def enter(function: ShapeFn) -> ShapeFn:
        for op in ops:
            assert op not in _shape_fns, f"two shape functions for {op}"
            _shape_fns[op] = function
        return function

    return enter


def value_fn(*ops: str) -> Callable[[ValueFn], ValueFn]:
    """Enter the decorated function as the value function of ops."""

    def enter(function: ValueFn) -> ValueFn:
        for op in ops:
            assert op not in _value_fns, f"two value functions for {op}"
            _value_fns[op] = function
        return function

    return enter


def shape_functions() -> dict[str, ShapeFn]:
    """Return all shape functions by op."""
    _load_families()
    return _shape_fns


def value_functions() -> dict[str, ValueFn]:
    """Return all value functions by op."""
    _load_families()
    return _value_fns


def _load_families() -> None:
    if _shape_fns:
        return
    from graphsurgeon.shapes import families

    for module in pkgutil.iter_modules(families.__path__):
        importlib.import_module(f"{families.__name__}.{module.name}")
