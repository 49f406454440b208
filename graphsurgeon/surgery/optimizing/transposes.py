"""Transposes that move: past ops that take elements one by one, joins, pads, slices and reductions, until they cancel.

A region is what lies between transposes of one permutation: nodes that compute the same in any order of the axes, whose
operands all come from such a transpose, from the region, or are constants. It computes without the transposes if fewer
of them are left than before: those that feed it go, those behind it come to nothing or to one, and what else reads a
value of it gets one transpose. Constants and axes are turned; nodes get new names, since they yield something else.
A reduction that drops axes ends a region: where the others stay in their order it yields what it did, else what reads
it gets a transpose of what is left. Convolutions, pools and batch norms take the channels last, never the other way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from graphsurgeon.analysis.flow.attributes import attribute, dtype_of
from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.model.dtype import INT32
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import downstream, reached
from graphsurgeon.ops.kinds import (
    BROADCASTING,
    ELEMENT_BY_ELEMENT,
    EXTREMES,
    FORMATTED,
    PERMUTED,
    PLACES,
    POOLED_MOST,
    REDUCED,
    SAME_ANYWHERE,
    SUMS,
    AxesOfInputs,
)
from graphsurgeon.surgery.optimizing.turning import order_left, turned_attributes
from graphsurgeon.surgery.replacing.new_tensors import tensor_of

Permutation = tuple[int, ...]
_MOST_TURNED = 1 << 20  # bytes of a constant that is turned
_MOST_ORDERS = 64  # of a graph: each is looked for by itself
_SMOOTH = ELEMENT_BY_ELEMENT | BROADCASTING


def move_transposes(graph: Graph, kept: Collection[Node], *, close: bool = False) -> int:
    """Let regions of a graph compute without the transposes around them; return how many regions.

    Args:
        graph: a main graph or function.
        kept: nodes that stay what they are.
        close: past sums of floats and smooth functions too, whose last bits depend on where an element lies.
    """
    turned = {node: found for node in graph.nodes if (found := _permutation(node)) is not None}
    if not turned:
        return 0
    flow = control_flow(graph)
    bound = {*kept, *flow.frames, *flow.branches}
    count = 0
    for permutation in list(dict.fromkeys(turned.values()))[:_MOST_ORDERS]:
        count += _Regions(graph, permutation, bound, close=close).move()
    return count


def _permutation(node: Node) -> Permutation | None:
    """Return the order of the axes of a Transpose by a constant, None for others and for one that changes nothing."""
    if node.op != "Transpose" or len(node.inputs) != 2:
        return None
    order = _ints(node.inputs[1])
    if order is None or sorted(order) != list(range(len(order))) or order == sorted(order):
        return None
    return tuple(order)


def _ints(value: Value) -> list[int] | None:
    tensor = _tensor(value)
    if tensor is None or not tensor.dtype.is_integer or (tensor.shape.rank or 0) > 2 or tensor.num_elements > 64:
        return None
    return [int(item) for item in tensor.items()]


def _tensor(value: Value) -> Tensor | None:
    node = value.producer
    tensor = node.attrs.get("value") if node is not None and node.op == "Const" else None
    return tensor if isinstance(tensor, Tensor) else None


def _is_sorted(order: Sequence[int]) -> bool:
    return list(order) == sorted(order)


def _least(ends: AxesOfInputs) -> int:
    """Return how many inputs a node has at least of which something is said."""
    first: int = ends.data.start
    return max(first + 1, *(place + 1 for place in ends.per_axis), 2 if ends.axes is not None else 1)


class _Regions:
    """The regions of a graph between transposes by one permutation."""

    def __init__(self, graph: Graph, order: Permutation, bound: Collection[Node], *, close: bool) -> None:
        self.graph = graph
        self.order = order
        self.inverse = tuple(order.index(axis) for axis in range(len(order)))
        self.bound = bound
        self.close = close
        self.one_by_one = SAME_ANYWHERE | _SMOOTH if close else SAME_ANYWHERE
        self.results = {output.value for output in graph.outputs}

    def move(self) -> int:
        """Move every region that is worth it; return how many."""
        sources = [node for node in self.graph.nodes if _permutation(node) == self.order]
        if not sources:
            return 0
        inside = self._inside(sources)
        count = 0
        for region in self._parts(inside):
            if self._gain(region) > 0:
                self._turn(region)
                count += 1
        return count

    def _inside(self, sources: Sequence[Node]) -> set[Node]:
        """Return the nodes of which every operand comes from a source, from such a node, or can be turned."""
        near = downstream(sources, controls=False, through=lambda node: node in sources or self._may(node))
        found = {node for node in near if self._may(node)}
        unfit = [node for node in found if not all(self._fits(value, found) for value in self._data(node))]

        def readers(node: Node) -> list[Node]:
            return [user for user in node.consumers if user in found]

        gone = reached(unfit, readers)
        return found.difference(gone)

    def _may(self, node: Node) -> bool:
        """Say whether a node computes the same whatever the order of the axes."""
        if node in self.bound or not node.inputs:
            return False
        if any(output in self.results for output in node.outputs) and not self._drops(node):
            return False
        if node.op in self.one_by_one:
            return True
        ends = self._ends(node)
        if ends is None or len(node.inputs) < _least(ends):
            return False
        rank = len(self.order)
        for place in ends.per_axis:
            items = _ints(node.inputs[place])
            if not items or (len(items) % rank and (node.op != "StridedSlice" or len(items) > rank)):
                return False
        if turned_attributes(node, self.order, self._listed(node)) is None:
            return False
        if ends.axes is None:
            return True
        axes = _ints(node.inputs[ends.axes])
        if axes is None or not all(-rank <= axis < rank for axis in axes):
            return False
        is_result = any(output in self.results for output in node.outputs)
        return not is_result or _is_sorted(self._order_of(node))

    def _drops(self, node: Node) -> bool:
        """Say whether what a node yields has fewer axes: it ends a region."""
        return node.op in PLACES or (node.op in EXTREMES | SUMS and attribute(node, "keep_dims") is not True)

    def _order_of(self, node: Node) -> Permutation:
        """Return the order in which the axes of what a node yields stood, of those that it will have."""
        return order_left(_ints(node.inputs[1]) or (), self.order) if self._drops(node) else self.order

    def _listed(self, node: Node) -> int:
        return len(_ints(node.inputs[1]) or ()) if node.op == "StridedSlice" else len(self.order)

    def _ends(self, node: Node) -> AxesOfInputs | None:
        if node.op in PERMUTED:
            return PERMUTED[node.op]
        if node.op in EXTREMES | PLACES or (node.op in SUMS and self._is_sum_moved(node)):
            return REDUCED
        if node.op in FORMATTED and (not self.close or any(self._is_read(value) for value in node.outputs[1:])):
            return None
        return POOLED_MOST.get(node.op) or FORMATTED.get(node.op)

    def _is_read(self, value: Value) -> bool:
        return bool(value.consumers) or value in self.results

    def _is_sum_moved(self, node: Node) -> bool:
        dtype = node.attrs.get("T")
        return self.close or (node.op != "Mean" and getattr(dtype, "is_integer", False) is True)

    def _data(self, node: Node) -> Sequence[Value]:
        ends = None if node.op in self.one_by_one else self._ends(node)
        return node.inputs if ends is None else node.inputs[ends.data]

    def _fits(self, value: Value, inside: Collection[Node]) -> bool:
        node = value.producer
        if node is None:
            return False
        if node in inside and not self._drops(node):
            return True
        return _permutation(node) == self.order or self._is_turned(value)

    def _is_turned(self, value: Value) -> bool:
        """Say whether a value is a constant that has its counterpart in the other order."""
        tensor = _tensor(value)
        if tensor is None or (tensor.shape.rank or 0) > len(self.order):
            return False
        return tensor.num_elements == 1 or (bool(tensor.dtype.bits) and tensor.nbytes <= _MOST_TURNED)

    def _parts(self, inside: set[Node]) -> Iterator[list[Node]]:
        """Yield the connected parts of what lies inside: by edges, and by a transpose that feeds both."""
        place = {node: number for number, node in enumerate(self.graph.nodes)}
        left = dict.fromkeys(sorted(inside, key=lambda node: place[node]))
        while left:
            part = [node for node in reached([next(iter(left))], self._neighbours) if node in inside]
            for node in part:
                del left[node]
            yield sorted(part, key=lambda node: place[node])

    def _neighbours(self, node: Node) -> list[Node]:
        around = [value.producer for value in node.inputs if value.producer is not None]
        if _permutation(node) == self.order:
            return [user for user in node.consumers if self._may(user)]
        linked = [one for one in around if self._may(one) or _permutation(one) == self.order]
        return [*linked, *(user for user in node.consumers if self._may(user))]

    def _gain(self, region: Sequence[Node]) -> int:
        """Return how many transposes fewer there are without those around a region."""
        inside = set(region)
        before = {value.producer for node in region for value in self._data(node) if value.producer is not None}
        gone = [
            node
            for node in before - inside
            if _permutation(node) == self.order and node not in self.bound and inside.issuperset(node.consumers)
            and not node.control_consumers and node.output() not in self.results
        ]  # fmt: skip
        gain = len(gone)
        for node in region:
            order = self._order_of(node)
            for value in node.outputs if not _is_sorted(order) else ():
                outside = [user for user in value.consumers if user not in inside]
                gain += sum(self._cancels(user, order) for user in outside)
                gain -= any(_permutation(user) is None for user in outside)
        return gain

    def _cancels(self, user: Node, order: Permutation) -> bool:
        after = _permutation(user)
        return after is not None and _is_sorted([order[axis] for axis in after]) and user not in self.bound

    def _turn(self, region: Sequence[Node]) -> None:
        """Let a region compute in the order that its sources had before their transposes."""
        inside = set(region)
        constants: dict[tuple[Value, str], Value] = {}
        orders = {node: order for node in region if not _is_sorted(order := self._order_of(node))}
        outside = {
            node: [(value, [u for u in value.consumers if u not in inside]) for value in node.outputs]
            for node in orders
        }
        for node in region:
            ends = None if node.op in self.one_by_one else self._ends(node)
            data = range(len(node.inputs))[ends.data if ends is not None else slice(None)]
            inputs = list(node.inputs)
            for number in data:
                inputs[number] = self._source(inputs[number], inside, constants)
            if ends is not None:
                for number in ends.per_axis:
                    inputs[number] = self._known(inputs[number], constants, self._per_axis)
                node.attrs.update(turned_attributes(node, self.order, self._listed(node)) or {})
                if ends.axes is not None:
                    inputs[ends.axes] = self._known(inputs[ends.axes], constants, self._axes)
            node.inputs = inputs
            if node in outside:
                node.attrs.pop("_output_shapes", None)
        self.graph.rename({node: self.graph.unique_name(f"{node.name}/turned") for node in outside})
        for node, found in outside.items():
            for value, users in found:
                self._back(value, users, orders[node])

    def _source(self, value: Value, inside: Collection[Node], constants: dict[tuple[Value, str], Value]) -> Value:
        node = value.producer
        assert node is not None
        if node in inside:
            return value
        return node.inputs[0] if _permutation(node) == self.order else self._known(value, constants, self._data_of)

    def _known(self, value: Value, constants: dict[tuple[Value, str], Value], make: Callable[[Any], Any]) -> Value:
        """Return the constant that takes the place of another one, made once."""
        key = value, make.__name__
        tensor = _tensor(value)
        assert tensor is not None
        if make == self._data_of and tensor.num_elements == 1:
            return value
        if key not in constants:
            new = tensor_of(make(tensor.numpy()), tensor.dtype)
            base = value.producer.name if value.producer is not None else "axes"
            attrs: Mapping[str, AttrValue] = {"dtype": tensor.dtype, "value": new}
            controls = value.producer.controls if value.producer is not None else ()
            name = self.graph.unique_name(f"{base}/turned")
            constants[key] = self.graph.add_node("Const", name, [], attrs, controls=controls).output()
        return constants[key]

    def _data_of(self, array: Any) -> Any:
        wide = array.reshape((1,) * (len(self.order) - array.ndim) + array.shape)
        return wide.transpose(self.inverse)

    def _per_axis(self, array: Any) -> Any:
        import numpy as np

        left = np.ones(max(len(self.order) - len(array), 0), array.dtype)  # of a StridedSlice: strides, or masked
        return (np.concatenate([array, left]) if left.size else array)[list(self.inverse)]

    def _axes(self, array: Any) -> Any:
        import numpy as np

        return np.asarray([self.order[int(axis)] for axis in array.ravel()], array.dtype).reshape(array.shape)

    def _back(self, value: Value, users: Sequence[Node], order: Permutation) -> None:
        """Give those who read a value from outside what they read before."""
        back = None
        for user in users:
            after = _permutation(user)
            if after is not None:
                self._behind(user, value, tuple(order[axis] for axis in after))
                continue
            if back is None:
                back = self._transpose(value, order)
            user.inputs = [back if one is value else one for one in user.inputs]

    def _behind(self, user: Node, value: Value, order: Permutation) -> None:
        """Let a transpose behind a region do what is left to do."""
        if not _is_sorted(order):
            user.inputs = [value, self._order(user.name, order)]
            user.attrs["Tperm"] = INT32
        elif user in self.bound or user.controls or user.control_consumers:
            user.become("Identity", [value], {"T": user.attrs.get("T")})
        else:
            user.output().replace_with(value)
            self.graph.remove_nodes([user])

    def _transpose(self, value: Value, order: Permutation) -> Value:
        assert value.producer is not None
        name = self.graph.unique_name(f"{value.producer.name}/back")
        attrs: dict[str, AttrValue] = {"T": dtype_of(value), "Tperm": INT32}
        return self.graph.add_node("Transpose", name, [value, self._order(name, order)], attrs).output()

    def _order(self, name: str, order: Permutation) -> Value:
        attrs: dict[str, AttrValue] = {"dtype": INT32, "value": Tensor.of(INT32, (len(order),), list(order))}
        return self.graph.add_node("Const", self.graph.unique_name(f"{name}/order"), [], attrs).output()
