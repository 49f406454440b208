"""What is known about one value: dtype, shape, elements of a small constant, and what a handle stands for.

A constant may be known in part: elements are numbers, bools, symbols or None. Constants of the file stay
lazy tensors until somebody asks for elements; large ones are never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.dims import Dims, Symbol

MOST_ELEMENTS = 1024  # of a constant that is looked into

Item: TypeAlias = int | float | bool | Symbol | None
Items: TypeAlias = tuple[Item, ...]


class Held(NamedTuple):
    """What is behind a resource or variant: a variable's value, the elements of a tensor list."""

    dtype: DType | None
    dims: Dims | None


class Fact:
    """What is known about a value. Immutable.

    Attributes:
        dims: the shape, None for unknown rank.
        dtype: the element type, None if unknown.
        handle: what a resource or variant holds, None if unknown.
    """

    __slots__ = ("_items", "_shape", "dims", "dtype", "handle")

    def __init__(
        self,
        dims: Dims | None = None,
        items: Items | Tensor | None = None,
        *,
        handle: tuple[Held, ...] | None = None,
        dtype: DType | None = None,
    ) -> None:
        self.dims = dims
        self.dtype = dtype
        self.handle = handle
        self._items = items
        self._shape: Shape | None = None

    @property
    def items(self) -> Items | None:
        """The elements, flat in row-major order; None where nothing is known. Reads a small constant from the file."""
        if isinstance(self._items, Tensor):
            if self._items.dtype is STRING:
                return None
            self._items = _elements(self._items)
        return self._items

    @property
    def held_items(self) -> Items | Tensor | None:
        """The elements as they are held: a constant of the file that nobody has asked for stays a tensor."""
        return self._items

    @property
    def strings(self) -> list[bytes] | None:
        """The elements of a small constant of strings, None of anything else."""
        tensor = self._items
        if not isinstance(tensor, Tensor) or tensor.dtype is not STRING or tensor.num_elements > MOST_ELEMENTS:
            return None
        try:
            return tensor.items()
        except GraphSurgeonError:
            return None

    @property
    def is_known_constant(self) -> bool:
        """Say whether every element is a number."""
        return self.items is not None and not any(item is None or isinstance(item, Symbol) for item in self.items)

    @property
    def shape(self) -> Shape:
        """The shape as the rest of the package has it: symbols are unknown dimensions."""
        if self._shape is None:
            dims = self.dims
            self._shape = Shape(None if dims is None else (d if isinstance(d, int) else None for d in dims))
        return self._shape

    def with_dtype(self, dtype: DType | None) -> Fact:
        """Return the same with another dtype."""
        return Fact(self.dims, self._items, handle=self.handle, dtype=dtype)

    def with_dims(self, dims: Dims | None) -> Fact:
        """Return the same with another shape; elements are kept only if it is the same number of them."""
        items = self._items
        if items is not None and dim.size(dims) != dim.size(self.dims):
            items = None
        return Fact(dims, items, handle=self.handle, dtype=self.dtype)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Fact)
            and (self.dims, self.dtype, self.handle) == (other.dims, other.dtype, other.handle)
            and (self._items is other._items or self.items == other.items)
        )

    def __hash__(self) -> int:
        return hash((self.dims, self.dtype))

    def __repr__(self) -> str:
        return f"Fact({self.dtype}, {dim.show(self.dims)}, {self._items!r})"


UNKNOWN = Fact()
SCALAR = Fact(())


def join(first: Fact, second: Fact) -> Fact:
    """Return what holds for either of two values (the branches of a conditional, the turns of a loop)."""
    if first is second or first == second:
        return first
    dims = dim.join(first.dims, second.dims)
    dtype = first.dtype if first.dtype == second.dtype else None
    return Fact(dims, _join_items(first, second), handle=_join_handles(first.handle, second.handle), dtype=dtype)


def _join_items(first: Fact, second: Fact) -> Items | None:
    if first.dims != second.dims or first._items is None or second._items is None:
        return None
    one, other = first.items, second.items
    if one is None or other is None or len(one) != len(other):
        return None
    return tuple(a if a == b else None for a, b in zip(one, other, strict=True))


def _join_handles(first: Sequence[Held] | None, second: Sequence[Held] | None) -> tuple[Held, ...] | None:
    if first is None or second is None or len(first) != len(second):
        return None
    return tuple(
        Held(a.dtype if a.dtype == b.dtype else None, dim.join(a.dims, b.dims))
        for a, b in zip(first, second, strict=True)
    )


def _elements(tensor: Tensor) -> Items | None:
    """Read a small constant of numbers; None if it is large, of another type, or not what its shape says."""
    if tensor.num_elements > MOST_ELEMENTS or not tensor.dtype.bits or tensor.dtype.is_complex:
        return None
    try:
        items = tensor.items()
    except GraphSurgeonError:
        return None
    return tuple(items) if len(items) == tensor.num_elements else None
