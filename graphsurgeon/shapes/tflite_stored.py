"""Shapes in a TFLite subgraph as an interpreter has them when it has read the file."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.shapes.infer import infer_shapes
from graphsurgeon.shapes.tflite import Restated


class StoredShapes:
    """The shapes that an interpreter gives the tensors of a subgraph before anyone gives its inputs others.

    An unknown dimension of an input is what is stored for it, 1 or another number.

    Attributes:
        findings: operators that do not take what they are given; `where` is `operator #3 (RESHAPE)`.
    """

    def __init__(self, graph: Graph, given: Sequence[Shape] = ()) -> None:
        self._restated = Restated(graph, stored_shape)
        for value, shape in zip(graph.inputs, given, strict=False):
            if value.producer is None and value.tensor is None:
                self._restated.reshape(value, shape)
        self._report = infer_shapes(self._restated.graph)
        self.findings = [found for found in self._report.findings if found.where.startswith("operator #")]

    def of(self, value: Value) -> Shape:
        """Return the shape of a tensor, of unknown rank where nobody knows what its operator yields."""
        if value.is_absent or value.is_dangling:
            return UNKNOWN_RANK
        return (
            self._report.shape(self._restated.value(value)) if value in self._restated.values else stored_shape(value)
        )


def stored_shape(value: Value) -> Shape:
    """Return the shape that an interpreter reads from the file; unknown where an operator yields it.

    What is read from a variable has its stored shape until it is run.
    """
    if value.producer is not None and value.producer.op == "READ_VARIABLE" and value.shape is not None:
        return value.shape if value.shape.is_static else UNKNOWN_RANK
    if value.producer is not None:
        return UNKNOWN_RANK
    origin = value.raw
    if origin is not None and value.shape == getattr(origin, "shape", None):
        return Shape(origin.table.scalars("shape"))
    dims = value.shape.dims if value.shape is not None else None
    return UNKNOWN_RANK if dims is None else Shape([1 if dim is None else dim for dim in dims])
