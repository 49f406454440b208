"""One node of the source as a lowering function sees it: attributes, version, and what its inputs have become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node
from graphsurgeon.model.tensor import Tensor


class Source:
    """One node of the source.

    Attributes:
        node: the node.
        version: of its op: the version of the domain from which on it is so.
        inputs: what its inputs have become, None for one that is left out.
        num_outputs: how many outputs it names.
    """

    __slots__ = ("_around", "inputs", "node", "num_outputs", "version")

    def __init__(
        self, node: Node, version: int, inputs: Sequence[Operand | None], around: Mapping[str, AttrValue]
    ) -> None:
        self.node = node
        self.version = version
        self.inputs = list(inputs)
        self.num_outputs = len(node.outputs)
        self._around = around

    def wants(self, output: int) -> bool:
        """Say whether the node names an output."""
        return output < self.num_outputs and not self.node.outputs[output].is_absent

    def has(self, index: int) -> bool:
        """Say whether an input is there."""
        return self.get(index) is not None

    def get(self, index: int) -> Operand | None:
        """Return an input, None if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def __getitem__(self, index: int) -> Operand:
        found = self.get(index)
        if found is None:
            raise LoweringError(f"its input {index} is missing")
        if found.parts is not None:
            raise LoweringError(f"its input {index} is a sequence")
        return found

    def all(self) -> list[Operand]:
        """Return all inputs, of which none may be missing."""
        return [self[index] for index in range(len(self.inputs))]

    # -- attributes ------------------------------------------------------------------------------------

    def attr(self, name: str) -> AttrValue:
        """Return an attribute, None where it is missing; one that refers to the function around is that one's."""
        value = self.node.attrs.get(name)
        return self._around.get(value) if isinstance(value, str) else value

    def integer(self, name: str, default: int = 0) -> int:
        """Return an integer attribute."""
        value = self.attr(name)
        return int(value) if isinstance(value, int) else default

    def flag(self, name: str, default: bool = False) -> bool:
        """Return whether an integer attribute is not 0."""
        return bool(self.integer(name, int(default)))

    def number(self, name: str, default: float = 0.0) -> float:
        """Return a floating-point attribute."""
        value = self.attr(name)
        return float(value) if isinstance(value, int | float) else default

    def text(self, name: str, default: str = "") -> str:
        """Return a string attribute."""
        value = self.attr(name)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else default

    def ints(self, name: str) -> list[int] | None:
        """Return an attribute that is a list of integers, None where it is missing."""
        value = self.attr(name)
        return [int(item) for item in value if isinstance(item, int)] if isinstance(value, list) else None

    def floats(self, name: str) -> list[float] | None:
        """Return an attribute that is a list of numbers, None where it is missing."""
        value = self.attr(name)
        return [float(item) for item in value if isinstance(item, int | float)] if isinstance(value, list) else None

    def texts(self, name: str) -> list[str] | None:
        """Return an attribute that is a list of strings, None where it is missing."""
        value = self.attr(name)
        return (
            [item.decode("utf-8", "replace") for item in value if isinstance(item, bytes)]
            if isinstance(value, list)
            else None
        )

    def dtype(self, name: str) -> DType | None:
        """Return an attribute that is an element type, None where it is missing."""
        value = self.attr(name)
        return value if isinstance(value, DType) else None

    def tensor(self, name: str) -> Tensor | None:
        """Return an attribute that is a tensor, None where it is missing."""
        value = self.attr(name)
        return value if isinstance(value, Tensor) else None

    def body(self, name: str) -> Graph:
        """Return an attribute that is a graph.

        Raises:
            LoweringError: it is missing.
        """
        value = self.attr(name)
        if not isinstance(value, FunctionRef) or value.graph is None:
            raise LoweringError(f"its attribute {name} is no graph")
        return value.graph

    # -- what is an input in some versions and an attribute in others -----------------------------------

    def known(self, index: int, what: str) -> list[int]:
        """Return the elements of an input that must be known while lowering.

        Raises:
            LoweringError: they are computed when the model runs.
        """
        numbers = [] if self[index].known_dims == (0,) else self[index].numbers
        if numbers is None:
            raise LoweringError(
                f"its {what} are computed when the model runs", hint="give the shapes of the inputs with --shape"
            )
        return [int(number) for number in numbers]

    def maybe_known(self, index: int, name: str) -> list[int] | None:
        """Return integers that are an attribute in older versions and an input in newer ones; None without either.

        Raises:
            LoweringError: they are computed when the model runs.
        """
        if self.has(index):
            return self.known(index, name)
        return self.ints(name)

    def axes(self, rank: int, index: int = 1, name: str = "axes") -> list[int] | None:
        """Return axes counted from the front, from an input or attribute; None without either."""
        found = self.maybe_known(index, name)
        return None if found is None else [normal_axis(axis, rank) for axis in found]

    def axis(self, rank: int, default: int, name: str = "axis") -> int:
        """Return an axis counted from the front."""
        return normal_axis(self.integer(name, default), rank)


def normal_axis(axis: int, rank: int) -> int:
    """Return an axis counted from the front.

    Raises:
        LoweringError: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise LoweringError(f"axis {axis} is outside of a shape of rank {rank}")
    return axis + rank if axis < 0 else axis
