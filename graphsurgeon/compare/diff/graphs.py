"""What differs between the nodes of two aligned graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from graphsurgeon.analysis.flow.calls import called_function
from graphsurgeon.analysis.flow.restore_map import shared_name
from graphsurgeon.analysis.stored_weights.weights import Allowance
from graphsurgeon.compare.alignment import SHARED_NAME, Alignment, Pairs, label, sources
from graphsurgeon.compare.diff.change import Change, Detail, different, different_sets, told_attr
from graphsurgeon.compare.diff.tensors import tensor_details
from graphsurgeon.formats.graph.alike import stated
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Output, Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import CONSTANTS

COLOCATION = "_class"


class GraphComparison:
    """Compares two graphs, node by node.

    Args:
        alignment: which node is which.
        functions: which function is which.
        values: how many bytes of constants may be compared; None compares no values.
    """

    def __init__(self, alignment: Alignment, functions: Pairs, *, values: Allowance | None) -> None:
        self._alignment = alignment
        self._functions = functions
        self._values = values
        self._graph = alignment.after.name

    def changes(self) -> Iterator[Change]:
        """Yield what differs: first nodes that only one graph has, then pairs, then the graph's own ends."""
        removed, added = self._alignment.left()
        yield from (Change("removed", "node", self._graph, label(node), details=_described(node)) for node in removed)
        yield from (Change("added", "node", self._graph, label(node), details=_described(node)) for node in added)
        for node, partner in self._alignment.nodes.items():
            yield from self._node(node, partner)
        yield from self._sources()
        details = [*self._ends()]
        if details:
            part = "function" if self._alignment.after.kind != "main" else "graph"
            yield Change("changed", part, "", self._alignment.before.name, details=details)

    def _node(self, node: Node, partner: Node) -> Iterator[Change]:
        name, new = label(node), label(partner)
        if node.name != partner.name:
            yield Change("renamed", "node", self._graph, name, new)
        rewired = [*self._inputs(node, partner), *self._controls(node, partner)]
        if rewired:
            yield Change("rewired", "node", self._graph, name, details=rewired)
        changed = [*self._op(node, partner), *different("device", node.device, partner.device)]
        changed += self._attrs(node, partner)
        if changed:
            yield Change("changed", "node", self._graph, name, details=changed)

    def _op(self, node: Node, partner: Node) -> Iterator[Detail]:
        if None in (node.callee, partner.callee) or self._image(node.callee) is not partner.callee:
            yield from different("op", node.op, partner.op)

    def _inputs(self, node: Node, partner: Node) -> Iterator[Detail]:
        if len(node.inputs) != len(partner.inputs):
            yield Detail("inputs", _listed(node.inputs), _listed(partner.inputs))
            return
        order = self._argument_order(node, partner)
        for place, (value, other) in enumerate(zip(node.inputs, (partner.inputs[i] for i in order), strict=True)):
            if not self.is_same(value, other):
                yield Detail(f"input {place}", str(value), str(other))

    def _argument_order(self, node: Node, partner: Node) -> Iterable[int]:
        """Return which input of the partner is each one of the node: of calls the argument of that name."""
        before, after = called_function(node), called_function(partner)
        places = range(len(partner.inputs))
        if before is None or after is None or self._image(before) is not after:
            return places
        names = [value.name for value in before.inputs]
        others = [value.name for value in after.inputs]
        is_same_set = len(names) == len(others) == len(places) and sorted(map(str, names)) == sorted(map(str, others))
        return [others.index(name) for name in names] if is_same_set else places

    def _controls(self, node: Node, partner: Node) -> Iterator[Detail]:
        nodes = self._alignment.nodes
        images = {nodes.get(other) for other in node.controls}
        theirs = set(partner.controls)
        yield from (Detail("control input", f"^{o.name}", None) for o in node.controls if nodes.get(o) not in theirs)
        yield from (Detail("control input", None, f"^{o.name}") for o in partner.controls if o not in images)

    def is_same(self, value: Value, other: Value) -> bool:
        """Say whether a value of the second graph is what one of the first has become."""
        if value.is_dangling or other.is_dangling:
            return value.is_dangling and other.is_dangling and value.name == other.name
        return self._alignment.image(value) is other

    def _attrs(self, node: Node, partner: Node) -> Iterator[Detail]:
        if node.op not in CONSTANTS and (said := stated(node)) is not None and said == stated(partner):
            return
        for key in sorted({*node.attrs, *partner.attrs}):
            before, after = node.attrs.get(key), partner.attrs.get(key)
            if key == COLOCATION and self._colocated(before) == _places(after, self._alignment.after):
                continue
            if key == SHARED_NAME and before != after:
                before, after = _name_shared(node), _name_shared(partner)
            elif before is None or after is None:
                before, after = _default(node, key, before), _default(partner, key, after)
            yield from self.attr_details(key, before, after)

    def _colocated(self, value: AttrValue) -> list[object]:
        """Return what nodes of the first graph are placed with, as nodes of the second."""
        nodes = self._alignment.nodes
        places = _places(value, self._alignment.before)
        return [nodes.get(place, place) if isinstance(place, Node) else place for place in places]

    def attr_details(self, key: str, before: AttrValue, after: AttrValue) -> Iterator[Detail]:
        """Yield what differs between two values of an attribute."""
        if isinstance(before, Tensor) and isinstance(after, Tensor):
            yield from tensor_details(key, before, after, values=self._values)
        elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
            for place, (one, other) in enumerate(zip(before, after, strict=True)):
                yield from self.attr_details(f"{key}[{place}]", one, other)
        elif isinstance(before, Value) and isinstance(after, Value):
            if not self.is_same(before, after):
                yield Detail(key, str(before), str(after))
        elif not self._is_same_attr(before, after):
            yield Detail(key, told_attr(before), told_attr(after))

    def _is_same_attr(self, before: AttrValue, after: AttrValue) -> bool:
        if not isinstance(before, FunctionRef) or not isinstance(after, FunctionRef):
            # A NaN is no difference to itself.
            return type(before) is type(after) and (before == after or (before != before and after != after))
        same = (
            before.name == after.name
            if None in (before.graph, after.graph)
            else self._image(before.graph) is after.graph
        )
        inner = {*before.attrs, *after.attrs}
        return same and not any(
            list(self.attr_details(key, before.attrs.get(key), after.attrs.get(key))) for key in inner
        )

    def _image(self, function: Graph | None) -> Graph | None:
        return None if function is None else self._functions.get(function)

    def _sources(self) -> Iterator[Change]:
        """Compare arguments and stored tensors."""
        before, after = self._alignment.before, self._alignment.after
        part = "tensor" if after.kind == "subgraph" else "argument"
        kept = set(self._alignment.sources.values())
        for value in sources(before):
            partner = self._alignment.sources.get(value)
            if partner is None:
                yield Change("removed", part, self._graph, str(value), details=_value_described(value))
            else:
                yield from self._value(part, value, partner)
        for value in sources(after):
            if value not in kept:
                yield Change("added", part, self._graph, str(value), details=_value_described(value))
        for value in before.values:
            partner = self._alignment.image(value) if value.producer is not None else None
            if partner is not None:
                yield from self._value(part, value, partner)

    def _value(self, part: str, value: Value, partner: Value) -> Iterator[Change]:
        if value.name != partner.name:
            yield Change("renamed", part, self._graph, str(value), str(partner))
        details = [*different("dtype", value.dtype, partner.dtype), *different("shape", value.shape, partner.shape)]
        extra, other = value.extra or {}, partner.extra or {}
        details += _quantizations(extra.get("quantization"), other.get("quantization"))
        for key in sorted({*extra, *other} - {"quantization"}):
            details += different(key, _named(extra.get(key)), _named(other.get(key)))
        if value.tensor is not None and partner.tensor is not None:
            details += tensor_details("", value.tensor, partner.tensor, values=self._values)
        elif value.tensor is not partner.tensor:
            details += different("data", value.tensor, partner.tensor)
        if details:
            yield Change("changed", part, self._graph, str(value), details=details)

    def _ends(self) -> Iterator[Detail]:
        """Compare arguments and results in their order, what callers wait for, and the function's attributes."""
        before, after = self._alignment.before, self._alignment.after
        images = [self._alignment.sources.get(value) or self._alignment.image(value) for value in before.inputs]
        if [id(value) for value in images] != [id(value) for value in after.inputs]:
            yield Detail("inputs", _listed(before.inputs), _listed(after.inputs))
        yield from self._outputs(before.outputs, after.outputs)
        controls = {key: self._alignment.nodes.get(node) for key, node in before.control_outputs.items()}
        if controls != after.control_outputs:
            yield from different_sets(
                "control output",
                (f"{key}: {node.name}" for key, node in before.control_outputs.items()),
                (f"{key}: {node.name}" for key, node in after.control_outputs.items()),
            )
        if after.kind == "function":
            for key in sorted({*before.attrs, *after.attrs}):
                yield from self.attr_details(key, before.attrs.get(key), after.attrs.get(key))
        nodes = self._alignment.nodes
        danglings = (f"{nodes.get(node, node).name} {text}" for node, text in before.dangling_controls)
        yield from different_sets("dangling control", danglings, _danglings(after))
        waiting = (f"{nodes.get(node, node).name} ^{value.name}" for node, value in before.argument_controls)
        after_waiting = (f"{node.name} ^{value.name}" for node, value in after.argument_controls)
        yield from different_sets("control input", waiting, after_waiting)

    def _outputs(self, before: list[Output], after: list[Output]) -> Iterator[Detail]:
        if len(before) != len(after):
            yield Detail("outputs", *(_listed([o.value for o in outputs]) for outputs in (before, after)))
            return
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from different(f"name of output {place}", one.name, other.name)
            if not self.is_same(one.value, other.value):
                yield Detail(f"output {place}", str(one.value), str(other.value))


def _places(value: AttrValue, graph: Graph) -> list[object]:
    """Return the nodes that a colocation constraint names; what names none as it is."""
    texts = [item for item in value if isinstance(item, bytes)] if isinstance(value, list) else []
    names = [text.removeprefix(b"loc:@").decode("utf-8", "surrogateescape") for text in texts]
    return [graph.original(name, "node") or graph.node(name) or name for name in names]


def _name_shared(node: Node) -> AttrValue:
    """Return the name that a resource is shared under: an empty one may stand for the node's own."""
    return (shared_name(node) or "").encode("utf-8", "surrogateescape")


def _default(node: Node, key: str, value: AttrValue) -> AttrValue:
    """Return an attribute, or what the op says for a node that leaves it out."""
    opdef = catalog.of(node) if value is None else None
    return opdef.attr(node.attrs, key) if opdef is not None else value


def _described(node: Node) -> list[Detail]:
    return [Detail("op", None, node.op)]


def _value_described(value: Value) -> list[Detail]:
    return [Detail("type", None, f"{value.dtype} {value.shape}")]


def _listed(values: Iterable[Value]) -> str:
    return ", ".join(map(str, values))


def _quantizations(before: Quantization | None, after: Quantization | None) -> Iterator[Detail]:
    """Tell what differs in the quantization; of many scales the first that differ."""
    one, other = (None if found is None else _comparable(found) for found in (before, after))
    if one == other:
        return
    texts = [None if found is None else str(found) for found in (before, after)]
    if texts[0] != texts[1] or before is None or after is None:
        yield Detail("quantization", texts[0], texts[1])
        return
    for name in before._fields:
        first, second = getattr(before, name), getattr(after, name)
        if not isinstance(first, Sequence) or isinstance(first, bytes):
            yield from different(f"quantization {name}", first, second)
            continue
        pairs = [(at, a, b) for at, (a, b) in enumerate(zip_longest(first, second)) if a != b]
        for at, a, b in pairs[:1]:
            more = f" (and {len(pairs) - 1} more)" if len(pairs) > 1 else ""
            yield from different(f"quantization {name} {at}{more}", a, b)


def _named(item: object) -> object:
    """Return what is recorded beside a tensor, another one (which a body takes from outside) by its name."""
    return str(item) if isinstance(item, Value) else item


def _comparable(found: Quantization) -> tuple[object, ...]:
    """Return the parameters with tensors named instead of held."""
    return tuple(
        str(item) if isinstance(item, Value) else tuple(item) if isinstance(item, list) else item for item in found
    )


def _danglings(graph: Graph) -> list[str]:
    return [f"{node.name} {text}" for node, text in graph.dangling_controls]
