"""What a value of the source has become: a value of the new graph, or a constant that is not in it yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact, Items

Order = tuple[int, ...]


_TYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128 "
    "string float8_e4m3fn float8_e5m2"
)
HELD = frozenset(_TYPES.split())  # element types that TensorFlow has, and moves and casts on a CPU


def is_held(dtype: DType) -> bool:
    """Say whether TensorFlow has values of an element type."""
    return dtype.name in HELD


class Operand:
    """A value of the source in the new graph. Immutable but for `value`, which a constant gets when it is first read.

    Attributes:
        value: the value in the new graph; None for a constant that nobody has read.
        tensor: elements of a constant.
        fact: what is known of the value as it lies in the new graph.
        order: axis i of `value` is axis `order[i]` of the source's value; None where both are the same.
        name: what a constant is called.
        parts: of a sequence of ONNX: its elements, known while lowering; None for a tensor.
        before: of one that was flattened as it lay, with the channels last: what it was before. Its elements are in
            another order than the source's: a product of matrices permutes its weights, all others flatten anew.
    """

    __slots__ = ("before", "fact", "name", "order", "parts", "tensor", "value")

    def __init__(
        self,
        value: Value | None,
        fact: Fact,
        *,
        tensor: Tensor | None = None,
        order: Order | None = None,
        name: str = "",
        parts: Sequence[Operand] | None = None,
        before: Operand | None = None,
    ) -> None:
        self.value = value
        self.fact = fact
        self.tensor = tensor
        self.order = order
        self.name = name
        self.parts = parts
        self.before = before

    @staticmethod
    def constant(tensor: Tensor, name: str = "") -> Operand:
        """Return a constant that is not in the graph yet."""
        return Operand(None, Fact(tuple(tensor.shape), tensor, dtype=tensor.dtype), tensor=tensor, name=name)

    @property
    def is_constant(self) -> bool:
        """Say whether its elements are known."""
        return self.tensor is not None

    @property
    def dtype(self) -> DType:
        """The element type.

        Raises:
            LoweringError: it is not known.
        """
        if self.fact.dtype is None:
            raise LoweringError("the type of an input is not known")
        return self.fact.dtype

    @property
    def known_dims(self) -> Dims | None:
        """The shape in the source's order of axes, None for unknown rank."""
        dims = self.fact.dims
        if dims is None or self.order is None:
            return dims
        return tuple(dims[self.order.index(axis)] for axis in range(len(dims)))

    @property
    def dims(self) -> Dims:
        """The shape in the source's order of axes.

        Raises:
            LoweringError: not even its rank is known.
        """
        dims = self.known_dims
        if dims is None:
            raise LoweringError("the rank of an input is not known", hint="give the shapes of the inputs with --shape")
        return dims

    @property
    def rank(self) -> int:
        """The number of axes; raises as `dims` does."""
        return len(self.dims)

    @property
    def size(self) -> int | None:
        """The number of elements, None where it is not known."""
        return self.fact.shape.num_elements

    @property
    def items(self) -> Items | None:
        """The elements of a small value as far as they are known."""
        return self.fact.items if self.order is None and self.before is None else None

    @property
    def numbers(self) -> list[Any] | None:
        """The elements of a small value; None unless each is a number."""
        return list(self.items or ()) if self.items is not None and self.fact.is_known_constant else None

    def static(self) -> list[int]:
        """Return the shape.

        Raises:
            LoweringError: a dimension is not known.
        """
        dims = [dim for dim in self.dims if isinstance(dim, int)]
        if len(dims) != len(self.dims):
            raise LoweringError(f"the shape {self.shown} of an input must be known", hint="give it with --shape")
        return dims

    def static_from(self, axis: int) -> list[int]:
        """Return the lengths of all axes from one on; raises as `static` does."""
        dims = [dim for dim in self.dims[axis:] if isinstance(dim, int)]
        if len(dims) != len(self.dims) - axis:
            raise LoweringError(f"the shape {self.shown} of an input must be known", hint="give it with --shape")
        return dims

    @property
    def shown(self) -> str:
        """The shape as text, in the source's order of axes."""
        dims = self.known_dims
        return "?" if dims is None else str(Fact(dims).shape)

    def __repr__(self) -> str:
        return f"Operand({self.value or self.name!r}, {self.fact!r}, {self.order})"
