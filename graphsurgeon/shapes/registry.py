"""Which function infers the outputs of which op.

A shape function returns one result per output: a shape, None for unknown rank, or a `Fact` where it knows
more (elements, what a handle holds). A value function, where an op has one, returns the elements of its
output; it is asked only if the shape is known and small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact, Items
from graphsurgeon.shapes.function_table import FunctionTable

Result: TypeAlias = Dims | Fact | None
ShapeFn: TypeAlias = Callable[[InferenceContext], Sequence[Result]]
ValueFn: TypeAlias = Callable[[InferenceContext], Items | None]

_FAMILIES = "graphsurgeon.shapes.families"
_shapes: FunctionTable[ShapeFn] = FunctionTable("shape functions", _FAMILIES)
_values: FunctionTable[ValueFn] = FunctionTable("value functions", _FAMILIES)

shape_fn, shape_functions = _shapes.enter, _shapes.by_op
value_fn, value_functions = _values.enter, _values.by_op
