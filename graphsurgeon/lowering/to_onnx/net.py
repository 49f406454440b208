"""An ONNX graph while it is made of layers of another framework; shapes are followed as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.model.dtype import FLOAT32, INT64, DType
from graphsurgeon.model.format import ONNX
from graphsurgeon.model.graph import Graph, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.onnx.graph_pass import OnnxPass, OnnxSession

if TYPE_CHECKING:
    import numpy as np

OPSET, IR_VERSION = 17, 8  # of 2022: every runtime that is still looked after takes them
Dims = list[int | None]
_BATCH = "N"  # name of an unknown first dimension


class Net:
    """An ONNX graph to which nodes are added, one layer of the source after the other.

    Attributes:
        metagraph: what it is the main graph of.
        graph: the graph.
        layer: the name of the layer that is being lowered: nodes are named after it.
    """

    def __init__(self, name: str, producer: Mapping[str, Any]) -> None:
        self.metagraph = MetaGraph(vocabulary=ONNX)
        facts = {"opsets": {"ai.onnx": OPSET}, "ir_version": IR_VERSION, "description": producer.get("description")}
        self.metagraph.producer = {"framework": "graphsurgeon", "version": None, "tensorflow": None, **facts}
        self.graph = self.metagraph.graph = Graph(self.metagraph, "subgraph", name)
        self.layer = ""
        self._names: set[str] = set()
        self._weights: dict[Value, Value] = {}
        self._known = OnnxPass(self.graph, OnnxSession(self.metagraph), [], {}, None)

    def input(self, name: str, dtype: DType, shape: Shape) -> Value:
        """Add an input; an unknown first dimension is the batch."""
        value = self.graph.add_value(self._free(name), dtype, shape)
        if shape.dims and shape.dims[0] is None:
            value.extra = {"dim_names": (_BATCH, *[None] * (len(shape.dims) - 1))}
        self.graph.inputs = [*self.graph.inputs, value]
        self._known.facts[value] = Fact(tuple(shape.dims) if shape.dims is not None else None, dtype=dtype)
        return value

    def weight(self, source: Value) -> Value:
        """Return a weight of the source, which keeps its name, and its values where they lie."""
        if source not in self._weights:
            assert source.tensor is not None
            tensor = source.tensor
            self._weights[source] = self._held(source.name or "weight", tensor)
        return self._weights[source]

    def constant(self, items: Any, dtype: DType = FLOAT32, dims: Sequence[int] | None = None) -> Value:
        """Add a constant: a number, or a flat list of numbers and their shape, which is that of a list without one."""
        given = list(items) if isinstance(items, list | tuple) else [items]
        shape = dims if dims is not None else [len(given)] if isinstance(items, list | tuple) else []
        return self._constant(Tensor.of(dtype, shape, given))

    def array(self, array: np.ndarray[Any, Any]) -> Value:
        """Add a constant made of an array."""
        return self._constant(Tensor.from_numpy(array))

    def _constant(self, tensor: Tensor) -> Value:
        return self._held(f"{self.layer}/constant", tensor)

    def _held(self, name: str, tensor: Tensor) -> Value:
        value = self.graph.add_value(self._free(name), tensor.dtype, tensor.shape, tensor)
        self._known.facts[value] = Fact(tuple(tensor.shape), tensor, dtype=tensor.dtype)
        return value

    def add(self, op: str, *inputs: Value | None, **attrs: Any) -> Value:
        """Add a node with one output and return it."""
        return self.add_several(op, 1, *inputs, **attrs)[0]

    def add_several(self, op: str, count: int, *inputs: Value | None, **attrs: Any) -> list[Value]:
        """Add a node with so many outputs; None stands for an input that is left out."""
        given = [self.graph.absent if value is None else value for value in inputs]
        name = self._free(f"{self.layer}/{op}")
        node = self.graph.add_node(op, self.graph.unique_name(name), given, attrs, checked=False)
        names = [name, *(f"{name}:{port}" for port in range(1, count))]
        outputs = [
            Value(self.graph, None, len(self.graph.values) + port, self._free(names[port])) for port in range(count)
        ]
        self.graph.values.extend(outputs)
        node.set_outputs(outputs)
        for value, fact in zip(outputs, self._known.learn(node), strict=True):
            value.dtype, value.shape = fact.dtype or FLOAT32, fact.shape
        return outputs

    # -- what many layers are made of ------------------------------------------------------------------

    def scaled(self, x: Value, factor: float) -> Value:
        """Return x times a number."""
        return x if factor == 1 else self.add("Mul", x, self.number(factor, x))

    def shifted(self, x: Value, offset: float) -> Value:
        """Return x plus a number."""
        return x if offset == 0 else self.add("Add", x, self.number(offset, x))

    def number(self, number: float, like: Value) -> Value:
        """Return a constant without axes, of the type of a value."""
        return self.constant(number, like.dtype or FLOAT32)

    def reshape(self, x: Value, dims: Sequence[int | None]) -> Value:
        """Return x in another shape, of which some dimensions may be unknown.

        Raises:
            LoweringError: it cannot be said in numbers.
        """
        own, target = dims_or_none(x), list(dims)
        if x.tensor is not None and None not in target:
            return self._constant(Tensor(x.tensor.dtype, Shape(target), x.tensor.source)) if own != target else x
        if own == target and None not in target:
            return x
        unknown = [place for place, dim in enumerate(target) if dim is None]
        if len(unknown) > 1 and own is not None:  # those that stay where they are are copied
            kept = [place for place in unknown if place < len(own) and own[place] is None]
            if len(unknown) - len(kept) <= 1:
                target = [0 if place in kept else dim for place, dim in enumerate(target)]
                unknown = [place for place in unknown if place not in kept]
        if len(unknown) > 1:
            raise LoweringError(f"the shape {Shape(dims)} is not known", hint="give the shapes of the inputs: --shape")
        numbers = [-1 if dim is None else dim for dim in target]
        made = self.add("Reshape", x, self.constant(numbers, INT64))
        made.shape = Shape(dims)
        return made

    def matrix(self, x: Value) -> Value:
        """Return x as a matrix: the first axis stays, the others become one."""
        return x if rank_or_none(x) == 2 else self.add("Flatten", x, axis=1)

    def sliced(self, x: Value, axis: int, start: int, end: int) -> Value:
        """Return a part of x along an axis."""
        bounds = [self.constant([number], INT64) for number in (start, end, axis)]
        return self.add("Slice", x, *bounds)

    def channels(self, weight: Value, x: Value) -> Value:
        """Return a weight of one dimension such that it meets the second axis of x."""
        count = rank(x) - 2
        return self.reshape(weight, [*known(weight), *[1] * count]) if count > 0 else weight

    def reduced(self, op: str, x: Value, axes: Sequence[int], *, keeps: bool = False) -> Value:
        """Return a reduction over axes: those of a sum are an input in this opset, those of others an attribute."""
        if op == "ReduceSum":
            return self.add(op, x, self.constant(list(axes), INT64), keepdims=int(keeps))
        return self.add(op, x, axes=list(axes), keepdims=int(keeps))

    def resized(self, x: Value, sizes: Sequence[int], how: bytes) -> Value:
        """Return images in other sizes, between whose points lines are drawn."""
        whole = self.constant([known_dim(x, 0), known_dim(x, 1), *sizes], INT64)
        return self.add("Resize", x, None, None, whole, mode=b"linear", coordinate_transformation_mode=how)

    def repeated(self, x: Value, factor: float) -> Value:
        """Return images each of whose points stands several times."""
        attrs = {"coordinate_transformation_mode": b"asymmetric", "nearest_mode": b"floor"}
        return self.add("Resize", x, None, self.constant([1.0, 1.0, factor, factor]), mode=b"nearest", **attrs)

    def scaled_weight(self, weight: Value, factor: float) -> Value:
        """Return a weight times a number, computed now where its elements are known."""
        if weight.tensor is None:
            return self.scaled(weight, factor)
        return self.array((weight.tensor.numpy().astype("float64") * factor).astype("float32"))

    # -- the end ---------------------------------------------------------------------------------------

    def name_results(self, made: Sequence[Value], names: Sequence[str]) -> None:
        """Give what a layer has made the names that the layer has for it, where it is a node's own."""
        for value, name in zip(made, names, strict=False):
            own = f"{self.layer}/"
            if value.producer is not None and (value.name or "").startswith(own) and name not in self._names:
                self._names.add(name)
                value.name = name
        node = made[0].producer if made else None
        if node is not None and node.name.startswith(f"{self.layer}/") and self.graph.node(self.layer) is None:
            node.name = self.layer

    def output(self, value: Value, name: str) -> None:
        """Add an output; what is no result of a node, or one already, is handed on by one."""
        if value.producer is None or any(output.value is value for output in self.graph.outputs):
            self.layer = name
            value = self.add("Identity", value)
        if value.name != name:
            self._make_free(name)
            value.name = name
        self.graph.outputs = [*self.graph.outputs, Output(name, value, value.dtype)]

    def _make_free(self, name: str) -> None:
        """Give another name to what has one that an output is to have: a layer in place has several values of one."""
        for value in self.graph.values if name in self._names else ():
            if value.name == name:
                value.name = self._free(f"{name}/before")
        self._names.add(name)

    def _free(self, name: str) -> str:
        found, number = name, 0
        while found in self._names:
            number += 1
            found = f"{name}_{number}"
        self._names.add(found)
        return found


def dims_or_none(value: Value) -> Dims | None:
    """Return the shape of a value, None for unknown rank."""
    return None if value.shape is None or value.shape.dims is None else list(value.shape.dims)


def rank_or_none(value: Value) -> int | None:
    """Return the number of axes, None where it is unknown."""
    found = dims_or_none(value)
    return None if found is None else len(found)


def dims(value: Value) -> Dims:
    """Return the shape of a value.

    Raises:
        LoweringError: not even its rank is known.
    """
    found = dims_or_none(value)
    if found is None:
        raise LoweringError("the rank of an input is not known", hint="give the shapes of the inputs: --shape")
    return found


def rank(value: Value) -> int:
    """Return the number of axes; raises as `dims` does."""
    return len(dims(value))


def known(value: Value) -> list[int]:
    """Return a shape all of whose dimensions are known.

    Raises:
        LoweringError: one is not.
    """
    found = [dim for dim in dims(value) if dim is not None]
    if len(found) != rank(value):
        raise LoweringError(f"the shape {value.shape} must be known", hint="give the shapes of the inputs: --shape")
    return found


def known_dim(value: Value, axis: int) -> int:
    """Return one dimension of a shape.

    Raises:
        LoweringError: it is not known.
    """
    found = dims(value)[axis]
    if found is None:
        what = f"dimension {axis} of the shape {value.shape} must be known"
        raise LoweringError(what, hint="give the shapes of the inputs: --shape")
    return found


def product(shape: Dims) -> int | None:
    """Return the number of elements, None where a dimension is not known."""
    found = [dim for dim in shape if dim is not None]
    return prod(found) if len(found) == len(shape) else None


def left_over(whole: Dims, parts: Dims, place: int) -> int | None:
    """Return the dimension at a place such that parts make up the whole; an unknown one may stand on both sides."""
    others = parts[:place] + parts[place + 1 :]
    if whole.count(None) != others.count(None) or whole.count(None) > 1:
        return None
    total, rest = (product([dim for dim in side if dim is not None]) for side in (whole, others))
    return total // rest if total is not None and rest else None


def axis_of(axis: int, count: int) -> int:
    """Return an axis counted from the front.

    Raises:
        LoweringError: there is none.
    """
    if not -count <= axis < count:
        raise LoweringError(f"axis {axis} is outside of a shape of rank {count}")
    return axis + count if axis < 0 else axis
