"""What a shape function of ONNX is given: a node, what is known of its inputs, and the version of its op."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue
from graphsurgeon.shapes.context import Caller, InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact

if TYPE_CHECKING:
    from graphsurgeon.model.graph import Graph, Node

RunBody = Callable[["Graph", Sequence[Fact]], list[Fact]]


class OnnxContext(InferenceContext):
    """One node and what is known of its inputs.

    Attributes:
        version: of the op: the version of its domain from which on it is so.
        around: attributes of the call of the function that the node is in, by name.
        run_body: infers a graph among the node's attributes for what is known of its inputs.
    """

    __slots__ = ("around", "run_body", "version")

    def __init__(
        self,
        node: Node,
        inputs: Sequence[Fact],
        caller: Caller,
        *,
        version: int,
        around: Mapping[str, AttrValue],
        run_body: RunBody,
    ) -> None:
        super().__init__(node, None, inputs, len(node.outputs), caller)
        self.version = version
        self.around = around
        self.run_body = run_body

    def has(self, index: int) -> bool:
        """Say whether an input is there: it may be left out."""
        return index < len(self.node.inputs) and not self.node.inputs[index].is_absent

    def dtype(self, index: int) -> DType | None:
        """Return the element type of an input."""
        return self.input(index).dtype

    def attr(self, name: str) -> AttrValue:
        """Return an attribute; one that refers to an attribute of the function around is that."""
        value = self.node.attrs.get(name)
        return self.around.get(value) if isinstance(value, str) else value

    def ints(self, index: int, name: str) -> list[int] | None:
        """Return integers that older versions have as an attribute and newer ones as an input; None if not known."""
        if self.has(index):
            return self.integers(index)
        return self.integers_attr(name) if self.attr(name) is not None else None

    def leaves_out(self, index: int, name: str) -> bool:
        """Say whether neither the input nor the attribute is there."""
        return not self.has(index) and self.attr(name) is None

    def outputs_like(self, dims: Dims | None, dtype: DType | None) -> list[Fact]:
        """Return one fact for every output."""
        return [Fact(dims, dtype=dtype)] * self.num_outputs
