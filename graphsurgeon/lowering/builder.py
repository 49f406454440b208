"""What makes nodes of TensorFlow: checked by op definitions, named after the source, computed where all is known.

A lowering function says `b.op("Relu", x)`. Inputs are Operands, numbers, lists and arrays; what follows from them
(`T`, `N` ...) need not be said. A node whose inputs are constants is computed at once by the kernels that give
TensorFlow's own bits, and one whose result inference knows to the last element becomes a constant too: so shapes that
exporters compute from known dimensions are known to the functions behind them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from graphsurgeon import kernels
from graphsurgeon.errors import UsageError
from graphsurgeon.lowering import weights
from graphsurgeon.lowering.operand import Operand, Order, is_held
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.model.dtype import INT32, INT64, DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops import authoring, catalog
from graphsurgeon.ops.coerce import coerce_tensor
from graphsurgeon.shapes.dims import Dims, Symbol
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.propagate import GraphPass
from graphsurgeon.shapes.session import Session

_ILLEGAL = re.compile(r"[^A-Za-z0-9_.\\/>-]")  # node_def.proto
_MOST_FOLDED = 4 << 20  # bytes of a constant that is computed here and held in memory until it is written
_MOST_GROWN = 64 << 10  # and of one that is larger than what it is made of

Given = Any  # an Operand, a number, a list, an array, a Tensor


class Builder:
    """Nodes of one new graph while they are made.

    Attributes:
        graph: the new graph, a main graph or a function.
        known: what is known of its values.
        scope: name that the nodes of the source node at hand get.
        weights_to: the constants of the source that stand in the graph already, by tensor.
    """

    def __init__(self, graph: Graph, session: Session, arguments: Sequence[Fact] = ()) -> None:
        self.graph = graph
        self.session = session
        self.known = GraphPass(graph, session, arguments)
        self.scope = "node"
        self.within: Any = None  # the Scope whose node is lowered: functions of control flow ask it for their bodies
        self._plain: dict[Value, Operand] = {}
        self._turned: dict[tuple[Value, Order], Operand] = {}
        self._shapes: dict[Value, Operand] = {}

    # -- nodes -----------------------------------------------------------------------------------------

    def op(self, op: str, *inputs: Given, name: str = "", **attrs: Any) -> Operand:
        """Add a node; return its first output.

        Args:
            op: of TensorFlow.
            inputs: an Operand in another order of axes than the source's is brought back to that.
            name: last part of its name, the op by default.
            attrs: what does not follow from the inputs.

        Raises:
            LoweringError: the op is not for such inputs.
        """
        return self.ops(op, *inputs, name=name, **attrs)[0]

    def ops(self, op: str, *inputs: Given, name: str = "", **attrs: Any) -> list[Operand]:
        """Add a node; return all its outputs."""
        given = [self._given(item) for item in inputs]
        title = self.graph.unique_name(f"{self.scope}/{name or op}")
        try:
            draft = authoring.complete(self.graph, op, title, given, attrs, ())
        except UsageError as error:
            raise _refused(op, error) from error
        tensors = [self._tensor_of(item) for item in draft.inputs]
        if tensors and all(tensor is not None for tensor in tensors):
            folded = self._folded(op, tensors, draft.attrs)
            if folded is not None:
                return folded
        values = [
            item if isinstance(item, Value) else self._constant(item, f"{title}/{place}")
            for place, item in zip(draft.names, draft.inputs, strict=True)
        ]
        node = self.graph.add_node(op, title, values, draft.attrs, checked=False)
        return self._results(node)

    def call(self, function: Graph, inputs: Sequence[Given], *, name: str = "") -> list[Operand]:
        """Add a call of a function of the new model; return its outputs."""
        values = [self.value(self.operand(item)) for item in inputs]
        title = self.graph.unique_name(f"{self.scope}/{name or function.name}")
        types = [value.dtype or authoring.dtype_of(value) for value in values]
        attrs = {"Tin": types, "Tout": [output.dtype for output in function.outputs], "f": function}
        node = self.graph.add_node("PartitionedCall", title, values, attrs)
        return self._results(node)

    def _results(self, node: Node) -> list[Operand]:
        before = len(self.session.findings)
        facts = self.known.learn(node)
        if len(self.session.findings) > before:
            what = list(self.session.findings)[-1].what
            raise LoweringError(f"it contradicts its inputs: {what}")
        found = facts[0] if len(facts) == 1 else None
        if found is not None and _is_settled(found) and not _is_source(node):
            self.graph.take_out([node])
            return [self._known_constant(found)]
        return [Operand(node.output(port), fact) for port, fact in enumerate(facts)]

    def learn(self, value: Value, fact: Fact) -> Operand:
        """Return the Operand of a value whose shape or type somebody knows better than inference."""
        if value.producer is not None:
            facts = self.known.facts[value.producer]
            assert isinstance(value.port, int)
            facts[value.port] = fact
        else:
            self.known.arguments[value] = fact
        return Operand(value, fact)

    # -- constants -------------------------------------------------------------------------------------

    def constant(self, value: Any, dtype: DType | None = None, name: str = "") -> Operand:
        """Return a constant: of a number, a list, an array or a Tensor. Python's numbers are float32 and int32."""
        return Operand.constant(coerce_tensor(self.scope, "a constant", value, dtype), name)

    def operand(self, item: Given) -> Operand:
        """Return an Operand for anything that may be an input."""
        return item if isinstance(item, Operand) else self.constant(item)

    def value(self, operand: Operand) -> Value:
        """Return an Operand as a value of the graph, as it lies there; a constant is added when it is first read."""
        if operand.value is None or operand.value.graph is not self.graph:
            if operand.tensor is None:
                raise LoweringError("an input is of another graph")
            operand.value = self._constant(operand.tensor, operand.name or f"{self.scope}/Const")
        return operand.value

    def _given(self, item: Given) -> Any:
        if not isinstance(item, Operand):
            return item
        if item.parts is not None:
            raise LoweringError("a sequence stands where a tensor belongs")
        if item.tensor is not None and item.value is None and not item.name:
            return item.tensor
        return self.value(self.plain(item))

    def _constant(self, tensor: Tensor, name: str) -> Value:
        if not is_held(tensor.dtype):
            raise LoweringError(f"TensorFlow has no type {tensor.dtype}")
        attrs = {"dtype": tensor.dtype, "value": tensor}
        node = self.graph.add_node("Const", self.graph.unique_name(legal_name(name)), (), attrs, checked=False)
        self.known.facts[node] = [Fact(tuple(tensor.shape), tensor, dtype=tensor.dtype)]
        return node.output(0)

    def _tensor_of(self, item: Value | Tensor) -> Tensor | None:
        if isinstance(item, Tensor):
            return item
        node = item.producer
        found = node.attrs.get("value") if node is not None and node.op == "Const" else None
        return found if isinstance(found, Tensor) else None

    def _folded(self, op: str, tensors: Sequence[Tensor | None], attrs: Any) -> list[Operand] | None:
        """Return the results of a node whose inputs are constants, None where they are left to TensorFlow."""
        given = [tensor for tensor in tensors if tensor is not None]
        if op == "Fill" and (dims := _ints(given[0])) is not None:
            return [Operand.constant(weights.filled(given[1], dims))]
        total = sum(tensor.nbytes for tensor in given)
        if total > _MOST_FOLDED or op not in kernels.kernels() or any(not _is_numpy(tensor) for tensor in given):
            return None
        node = Node(self.graph, "", op)
        node.start_attrs(attrs)
        results = kernels.compute(node, [tensor.numpy() for tensor in given])
        if results is None or sum(one.nbytes for one in results) > max(total, _MOST_GROWN):
            return None
        dtypes = catalog.get(op).output_dtypes(attrs)  # type: ignore[union-attr]
        found = [Tensor.from_numpy(one) for one in results]
        if dtypes is None or [one.dtype for one in found] != dtypes:
            return None
        return [Operand.constant(one) for one in found]

    def _known_constant(self, fact: Fact) -> Operand:
        assert fact.dtype is not None
        dims = [dim for dim in fact.dims or () if isinstance(dim, int)]
        return Operand.constant(Tensor.of(fact.dtype, dims, list(fact.items or ())))

    # -- axes ------------------------------------------------------------------------------------------

    def plain(self, operand: Operand) -> Operand:
        """Return an Operand with its axes in the order of the source; a Transpose is added once where need be."""
        if operand.before is not None:
            return self._flattened(operand, operand.before)
        if operand.order is None:
            return operand
        value = self.value(operand)
        if value not in self._plain:
            back = [operand.order.index(axis) for axis in range(len(operand.order))]
            self._plain[value] = self._transpose(Operand(value, operand.fact, tensor=operand.tensor), back)
        return self._plain[value]

    def _flattened(self, operand: Operand, before: Operand) -> Operand:
        value = self.value(operand)
        if value not in self._plain:
            dims = [dim if isinstance(dim, int) else -1 for dim in operand.fact.dims or ()]
            self._plain[value] = self._with_dims(self.reshape(before, dims), operand.fact.dims or ())
        return self._plain[value]

    def transpose(self, operand: Operand, perm: Sequence[int]) -> Operand:
        """Return an Operand whose axis i is axis `perm[i]` of another, both in the order of the source."""
        return self._transpose(self.plain(operand), perm)

    def ordered(self, operand: Operand, order: Order) -> Operand:
        """Return an Operand that lies in the new graph with the axes in some order."""
        if operand.order == order:
            return operand
        plain = self.plain(operand)
        if list(order) == sorted(order):
            return plain
        if plain.tensor is not None and plain.value is None:
            return as_ordered(self._transpose(plain, order), order)
        key = (self.value(plain), order)
        if key not in self._turned:
            self._turned[key] = as_ordered(self._transpose(plain, order), order)
        return self._turned[key]

    def _transpose(self, operand: Operand, perm: Sequence[int]) -> Operand:
        if list(perm) == list(range(len(perm))):
            return operand
        if operand.tensor is not None:
            return Operand.constant(weights.transposed(operand.tensor, perm), operand.name)
        dims = operand.fact.dims
        if dims is not None and sum(dim != 1 for dim in dims) <= 1 and sum(isinstance(d, Symbol) for d in dims) <= 1:
            shape = [dims[axis] if isinstance(dims[axis], int) else -1 for axis in perm]  # nothing moves
            return self._with_dims(self.op("Reshape", operand, shape), [dims[axis] for axis in perm])
        return self.op("Transpose", operand, list(perm))

    def _with_dims(self, operand: Operand, dims: Sequence[Any]) -> Operand:
        if operand.value is None or operand.fact.dims is None:
            return operand
        return self.learn(operand.value, Fact(tuple(dims), dtype=operand.fact.dtype))

    # -- what lowering functions often need --------------------------------------------------------------

    def cast(self, operand: Operand, dtype: DType) -> Operand:
        """Return an Operand in another type, its axes as they lie."""
        if operand.dtype is dtype:
            return operand
        made = self.op("Cast", as_plain(operand), DstT=dtype)
        return as_ordered(made, operand.order)

    def reshape(self, operand: Operand, dims: Sequence[int] | Operand) -> Operand:
        """Return the elements in another shape; -1 for one dimension that follows."""
        if not isinstance(dims, Operand):
            if operand.tensor is not None and operand.order is None and -1 not in dims:
                return Operand.constant(weights.reshaped(operand.tensor, dims), operand.name)
            fits = all(abs(dim) < 1 << 31 for dim in dims)
            dims = self.constant(list(dims), INT32 if fits else INT64) if dims else self.constant(_empty(), INT32)
        return self.op("Reshape", operand, dims)

    def shape_of(self, operand: Operand) -> Operand:
        """Return the shape of an Operand, as int64."""
        if operand.order is None:
            plain = self.plain(operand)
            if plain.value is None:
                return self.op("Shape", plain, out_type=INT64)
            if plain.value not in self._shapes:
                self._shapes[plain.value] = self.op("Shape", plain, out_type=INT64)
            return self._shapes[plain.value]
        back = [operand.order.index(axis) for axis in range(len(operand.order))]
        return self.op("GatherV2", self.op("Shape", as_plain(operand), out_type=INT64), back, 0)

    def expand(self, operand: Operand, axes: Sequence[int]) -> Operand:
        """Return an Operand with axes of length 1 put in at places of the result, counted from the front."""
        dims = operand.known_dims
        if dims is not None and sum(not isinstance(dim, int) for dim in dims) <= 1:
            rest = iter(dims)
            shape = [1 if axis in axes else next(rest) for axis in range(len(dims) + len(axes))]
            made = self.reshape(operand, [dim if isinstance(dim, int) else -1 for dim in shape])
            return self._with_dims(made, shape)
        for axis in sorted(axes):
            operand = self.op("ExpandDims", operand, axis)
        return operand

    def squeeze(self, operand: Operand, axes: Sequence[int]) -> Operand:
        """Return an Operand without some axes of length 1, counted from the front."""
        return self.op("Squeeze", operand, squeeze_dims=list(axes)) if axes else operand


def as_plain(operand: Operand) -> Operand:
    """Return an Operand as it lies in the new graph, whatever its axes are in the source."""
    if operand.order is None:
        return operand
    return Operand(operand.value, operand.fact, tensor=operand.tensor, name=operand.name)


def as_ordered(operand: Operand, order: Order | None) -> Operand:
    """Return an Operand of which the axes are known to lie in some order."""
    if order is None or list(order) == sorted(order):
        return operand
    return Operand(operand.value, operand.fact, tensor=operand.tensor, order=order, name=operand.name)


def legal_name(name: str) -> str:
    """Return the name that a node gets: what TensorFlow allows in names, `_` for everything else."""
    found = _ILLEGAL.sub("_", name.removesuffix(":0")).lstrip("/_\\>-")
    return found or "node"


def dims_of(shape: Dims) -> list[int | None]:
    """Return a shape with None for what is not known."""
    return [dim if isinstance(dim, int) else None for dim in shape]


def _refused(op: str, error: UsageError) -> LoweringError:
    what = error.message.partition(": ")[2] or error.message
    return LoweringError(f"TensorFlow's {op} does not take such inputs: {what}")


def _is_settled(fact: Fact) -> bool:
    """Say whether every element is known, of a type whose elements inference computes without rounding."""
    exact = fact.dtype is not None and (fact.dtype.is_integer or fact.dtype.name == "bool")
    return exact and fact.is_known_constant and not any(isinstance(dim, Symbol) for dim in fact.dims or ())


def _is_source(node: Node) -> bool:
    return not node.inputs


def _ints(tensor: Tensor) -> list[int] | None:
    return [int(item) for item in tensor.items()] if tensor.dtype.is_integer else None


def _is_numpy(tensor: Tensor) -> bool:
    return tensor.dtype.name in weights.PLAIN


def _empty() -> Any:
    import numpy as np

    return np.zeros(0, np.int32)


__all__ = ["Builder", "Shape", "as_ordered", "as_plain", "dims_of", "legal_name"]
