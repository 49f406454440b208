"""Which function infers the outputs of which op of ONNX, and which one computes the elements of a small result."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import TypeAlias

from graphsurgeon.shapes.fact import Fact, Items
from graphsurgeon.shapes.onnx.context import OnnxContext

ShapeFn: TypeAlias = Callable[[OnnxContext], Sequence[Fact]]
ValueFn: TypeAlias = Callable[[OnnxContext], Items | None]

_shape_fns: dict[str, ShapeFn] = {}
_value_fns: dict[str, ValueFn] = {}


def shape_fn(*ops: str) -> Callable[[ShapeFn], ShapeFn]:
    """Enter the decorated function as the shape function of ops: one Fact an output, with its dtype."""

    def enter(function: ShapeFn) -> ShapeFn:
        for op in ops:
            assert op not in _shape_fns, f"two shape functions for {op}"
            _shape_fns[op] = function
        return function

    return enter


def value_fn(*ops: str) -> Callable[[ValueFn], ValueFn]:
    """Enter the decorated function as the value function of ops; it is asked where the result is small."""

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
    from graphsurgeon.shapes.onnx import families

    for module in pkgutil.iter_modules(families.__path__):
        importlib.import_module(f"{families.__name__}.{module.name}")
