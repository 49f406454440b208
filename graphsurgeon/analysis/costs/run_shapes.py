"""The shapes of one run of a model: what is inferred once its inputs have sizes, where the file leaves them open.

An input whose size is not said has 1 along each unknown dimension, which is a batch of one mostly; so LiteRT allocates,
and so networks are measured. A TFLite tensor that does not follow from the inputs has the shape that the file stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphsurgeon.errors import UsageError
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.ops.kinds import PLACEHOLDERS
from graphsurgeon.shapes.infer import infer_shapes
from graphsurgeon.shapes.tflite_flow import infer_subgraph


class RunShapes:
    """Shapes by value; call it with one.

    Attributes:
        assumed: the inputs whose shape was open, with the shape they are given.
    """

    def __init__(self, metagraph: MetaGraph, assume: Mapping[str, Shape] | None = None) -> None:
        """Infer the shapes of a MetaGraph.

        Args:
            metagraph: of any vocabulary.
            assume: input, by name -> its shape.

        Raises:
            UsageError: there is no such input.
        """
        graph = metagraph.graph
        inputs = list(graph.inputs) or [node.output(0) for node in graph.nodes if node.op in PLACEHOLDERS]
        self._report = infer_shapes(metagraph)
        given = _named(inputs, assume or {})
        found = {value: given.get(value, self._report.shape(value)) for value in inputs}
        sized = {value: _sized(shape) for value, shape in found.items()}
        changed = {value: shape for value, shape in sized.items() if shape != self._report.shape(value)}
        self.assumed = {str(value): shape for value, shape in sized.items() if shape != found[value]}
        self._stored = graph.kind == "subgraph" and graph.vocabulary == TFLITE
        self._followed: dict[Value, Shape] = {}
        if changed and self._stored:
            self._followed = infer_subgraph(graph, changed).shapes
        elif changed:
            assumed: dict[str | Value, Shape | Sequence[int | None]] = dict(changed.items())
            self._report = infer_shapes(metagraph, assume=assumed)

    def __call__(self, value: Value) -> Shape:
        """Return the shape of a value."""
        if not self._stored:
            return self._report.shape(value)
        shape = self._followed.get(value) or value.shape or UNKNOWN_RANK
        return shape if shape.is_static else _sized(value.shape or UNKNOWN_RANK)

    def bytes_of(self, value: Value) -> int | None:
        """Return the bytes of a value, None where dtype or shape are not known, or its elements have no fixed size."""
        dtype, count = self._report.dtype(value), self(value).num_elements
        return None if dtype is None or not dtype.bits or count is None else count * dtype.itemsize


def _named(inputs: list[Value], assume: Mapping[str, Shape]) -> dict[Value, Shape]:
    """Return the inputs that names mean."""
    names: dict[str, Value] = {}
    for value in reversed(inputs):
        producer = value.producer.name if value.producer is not None else None
        names |= {name: value for name in (str(value), value.name, producer) if name}
    unknown = next((name for name in assume if name not in names), None)
    if unknown is not None:
        raise UsageError(f"there is no input {unknown!r}", hint=f"there is {', '.join(map(str, inputs[:8]))}")
    return {names[name]: shape for name, shape in assume.items()}


def _sized(shape: Shape) -> Shape:
    """Return a shape with 1 in the place of each unknown dimension."""
    return shape if shape.dims is None else Shape([1 if dim is None else dim for dim in shape.dims])
