"""What a shape function is given: one node with what is known of its inputs (TensorFlow's `InferenceContext`).

Everything may be missing or absurd, because files are: accessors return what is known, or raise `ShapeError`
where the node contradicts its op.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.opdef import ArgDef, OpDef
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.dims import MOST_DIMS, Dim, Dims, ShapeError, Symbol
from graphsurgeon.shapes.fact import UNKNOWN, Fact, Held, Items

if TYPE_CHECKING:
    from graphsurgeon.model.graph import Graph, Node


class Caller(Protocol):
    """What infers functions."""

    def call(self, function: Graph, arguments: Sequence[Fact]) -> list[Fact]:
        """Return what is known of the results of a function for what is known of its arguments."""


class InferenceContext:
    """One node and what is known of its inputs.

    Attributes:
        node: the node.
        op_def: the definition of its op, None if unknown.
        inputs: a fact per data input.
        num_outputs: how many outputs it has; 0 if unknown.
        caller: infers the functions that the node calls.
    """

    __slots__ = ("caller", "inputs", "node", "num_outputs", "op_def")

    def __init__(
        self, node: Node, op_def: OpDef | None, inputs: Sequence[Fact], num_outputs: int, caller: Caller
    ) -> None:
        self.node = node
        self.op_def = op_def
        self.inputs = inputs
        self.num_outputs = num_outputs
        self.caller = caller

    # -- inputs ----------------------------------------------------------------------------------------

    def input(self, index: int) -> Fact:
        """Return what is known of an input; nothing for one that is missing."""
        return self.inputs[index] if -len(self.inputs) <= index < len(self.inputs) else UNKNOWN

    def dims(self, index: int) -> Dims | None:
        """Return the shape of an input, None for unknown rank."""
        return self.input(index).dims

    def with_rank(self, index: int, rank: int) -> Dims:
        """Return the shape of an input that must have a rank; unknown dimensions if nothing is known.

        Raises:
            ShapeError: it has another rank.
        """
        dims = self.dims(index)
        if dims is None:
            return dim.unknown(rank)
        if len(dims) != rank:
            raise ShapeError(f"input {index} has shape {dim.show(dims)}, rank {rank} is required")
        return dims

    def at_least(self, index: int, rank: int) -> Dims | None:
        """Return the shape of an input that must have a rank or more.

        Raises:
            ShapeError: it has a smaller rank.
        """
        dims = self.dims(index)
        if dims is not None and len(dims) < rank:
            raise ShapeError(f"input {index} has shape {dim.show(dims)}, at least rank {rank} is required")
        return dims

    def at_most(self, index: int, rank: int) -> Dims | None:
        """Return the shape of an input that must have a rank or less.

        Raises:
            ShapeError: it has a larger rank.
        """
        dims = self.dims(index)
        if dims is not None and len(dims) > rank:
            raise ShapeError(f"input {index} has shape {dim.show(dims)}, at most rank {rank} is required")
        return dims

    def items(self, index: int) -> Items | None:
        """Return the elements of an input that is a (partly) known constant."""
        return self.input(index).items

    def number(self, index: int) -> Dim:
        """Return the integer that an input with one element is, as far as known."""
        items = self.items(index)
        if items is None or len(items) != 1 or not isinstance(items[0], int | Symbol):
            return None
        return items[0]

    def integer(self, index: int) -> int | None:
        """Return the integer that an input with one element is, None if it is not a known number."""
        number = self.number(index)
        return number if isinstance(number, int) else None

    def integers(self, index: int) -> list[int] | None:
        """Return the elements of an input as integers, None unless every one is known."""
        items = self.items(index)
        if items is None:
            return None
        numbers = [item for item in items if isinstance(item, int)]
        return numbers if len(numbers) == len(items) else None

    def strings(self, index: int) -> list[bytes] | None:
        """Return the elements of an input that is a small constant of strings."""
        return self.input(index).strings

    def shape_of(self, index: int) -> Dims | None:
        """Return the shape that an input's elements spell; a negative or unknown element is an unknown dimension.

        Raises:
            ShapeError: the input is no vector, or an element is below -1.
        """
        dims = self.dims(index)
        items = self.items(index)
        low = next((item for item in items or () if isinstance(item, int) and item < -1), None)
        if low is not None:
            raise ShapeError(f"input {index} spells a dimension of {low}")
        if dims == ():
            # A scalar stands for unknown rank where an op allows a shape to be left open.
            return None
        vector = self.with_rank(index, 1)
        if items is not None:
            return tuple(_dimension(item) for item in items)
        length = vector[0]
        return dim.unknown(length) if isinstance(length, int) and length <= MOST_DIMS else None

    def vector_of(self, index: int) -> Dims | None:
        """Return what `shape_of` does for an op that takes no scalar in place of the vector.

        Raises:
            ShapeError: the input is no vector, or an element is below -1.
        """
        self.with_rank(index, 1)
        return self.shape_of(index)

    def argument(self, name: str) -> list[Fact]:
        """Return the inputs that belong to a named argument of the op, which may be a list."""
        start, stop = self._range(name, self.op_def.inputs if self.op_def else (), self._lengths(outputs=False))
        return list(self.inputs[start:stop])

    def output_range(self, name: str) -> range:
        """Return the positions of the outputs that belong to a named argument of the op."""
        return range(*self._range(name, self.op_def.outputs if self.op_def else (), self._lengths(outputs=True)))

    def _lengths(self, *, outputs: bool) -> list[int] | None:
        if self.op_def is None:
            return None
        return (self.op_def.output_lengths if outputs else self.op_def.input_lengths)(self.node.attrs)

    def _range(self, name: str, arguments: Sequence[ArgDef], lengths: list[int] | None) -> tuple[int, int]:
        if lengths is None:
            raise ShapeError("its attributes do not tell the number of its inputs and outputs")
        start = 0
        for argument, length in zip(arguments, lengths, strict=True):
            if argument.name == name:
                return start, start + length
            start += length
        raise ShapeError(f"its op has no argument {name!r}")

    # -- attributes ------------------------------------------------------------------------------------

    def attr(self, name: str) -> AttrValue:
        """Return an attribute, its default where the node leaves it out, None where there is neither."""
        value = self.node.attrs.get(name)
        if value is None and self.op_def is not None:
            known = self.op_def.attrs.get(name)
            return known.default if known is not None else None
        return value

    def integer_attr(self, name: str, default: int = 0) -> int:
        """Return an integer attribute; `default` where it is missing or of another type."""
        value = self.attr(name)
        return value if isinstance(value, int) else default

    def bool_attr(self, name: str) -> bool:
        """Return a boolean attribute, false where it is missing."""
        return self.attr(name) is True

    def text_attr(self, name: str, default: str = "") -> str:
        """Return a string attribute as text."""
        value = self.attr(name)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else default

    def dtype_attr(self, name: str) -> DType | None:
        """Return a type attribute."""
        value = self.attr(name)
        return value if isinstance(value, DType) else None

    def integers_attr(self, name: str) -> list[int]:
        """Return an attribute that is a list of integers, empty where it is missing."""
        value = self.attr(name)
        return [item for item in value if isinstance(item, int)] if isinstance(value, list) else []

    def dtypes_attr(self, name: str) -> list[DType]:
        """Return an attribute that is a list of types, empty where it is missing."""
        value = self.attr(name)
        return [item for item in value if isinstance(item, DType)] if isinstance(value, list) else []

    def shape_attr(self, name: str) -> Dims | None:
        """Return a shape attribute."""
        value = self.attr(name)
        return value.dims if isinstance(value, Shape) else None

    def shapes_attr(self, name: str) -> list[Dims | None]:
        """Return an attribute that is a list of shapes, empty where it is missing."""
        value = self.attr(name)
        return [item.dims for item in value if isinstance(item, Shape)] if isinstance(value, list) else []

    def function_attr(self, name: str) -> Graph | None:
        """Return the function that an attribute names, None where the library lacks it."""
        value = self.attr(name)
        return value.graph if isinstance(value, FunctionRef) else None

    def functions_attr(self, name: str) -> list[Graph | None]:
        """Return the functions that a list attribute names."""
        value = self.attr(name)
        return [item.graph for item in value if isinstance(item, FunctionRef)] if isinstance(value, list) else []

    # -- handles ---------------------------------------------------------------------------------------

    def held(self, index: int) -> Held:
        """Return what an input that is a resource or variant holds (its first part), unknown if nothing is known."""
        handle = self.input(index).handle
        return handle[0] if handle else Held(None, None)


def _dimension(item: object) -> Dim:
    if isinstance(item, Symbol):
        return item
    return item if isinstance(item, int) and item >= 0 else None
