"""Which function infers the outputs of which op of ONNX, and which one computes the elements of a small result.

A shape function returns one `Fact` an output, with its dtype; a value function is asked where the result is small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from graphsurgeon.shapes.fact import Fact, Items
from graphsurgeon.shapes.function_table import FunctionTable
from graphsurgeon.shapes.onnx.context import OnnxContext

ShapeFn: TypeAlias = Callable[[OnnxContext], Sequence[Fact]]
ValueFn: TypeAlias = Callable[[OnnxContext], Items | None]

_FAMILIES = "graphsurgeon.shapes.onnx.families"
_shapes: FunctionTable[ShapeFn] = FunctionTable("shape functions", _FAMILIES)
_values: FunctionTable[ValueFn] = FunctionTable("value functions", _FAMILIES)

shape_fn, shape_functions = _shapes.enter, _shapes.by_op
value_fn, value_functions = _values.enter, _values.by_op
