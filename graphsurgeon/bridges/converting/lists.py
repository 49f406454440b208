"""Static element shapes of lists of tensors, for converters that take no others.

A recurrent layer gathers what its cell yields in a list whose elements it spells as `[-1, units]`, whatever the batch
is, and its loop records shapes of the same kind. Where the batch is known, so is what is put into the list: all that
spells the shape of its elements becomes a constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphsurgeon.analysis.flow.attributes import attribute, dtype_of
from graphsurgeon.analysis.flow.calls import run_function
from graphsurgeon.analysis.flow.placeholders import placeholder_shape
from graphsurgeon.errors import plural
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import reached
from graphsurgeon.ops.kinds import (
    BRANCHES,
    CONSTANTS,
    EMPTY_LISTS,
    FILLED_LISTS,
    IDENTITIES,
    LIST_ITEMS,
    LIST_READERS,
    LOOPS,
    PLACEHOLDERS,
)
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.infer import infer_shapes
from graphsurgeon.shapes.report import ShapeReport

_SPELLED_AT = {**EMPTY_LISTS, **FILLED_LISTS, **LIST_READERS}
# Output 0 is the list that input 0 is; of the others nothing but elements comes out.
_SAME_LIST = IDENTITIES | {"TensorListResize", "TensorListPopBack", *LIST_ITEMS}
_ONLY_READ = frozenset(LIST_READERS) - _SAME_LIST | {"TensorListLength"}
_SHAPES = "output_shapes"


@dataclass(frozen=True)
class ListsReport:
    """Of how many makers and readers of lists the shape of an element became a constant."""

    spelled: int

    def told(self) -> list[str]:
        """Return what is told of it: a line, or nothing where nothing was to be done."""
        return [f"static shapes of elements for {plural(self.spelled, 'op')} on lists of tensors"] * bool(self.spelled)


def static_lists(model: Model) -> ListsReport:
    """Make the shape of the elements of lists a constant, wherever it follows from the shapes of the inputs."""
    return ListsReport(sum(_Lists(metagraph).spell() for metagraph in model.metagraphs))


def has_lists(model: Model) -> bool:
    """Say whether a model has lists of tensors whose elements are spelled."""
    return any(op in graph.op_counts for graph in model.graphs for op in _SPELLED_AT)


class _Lists:
    """The lists of tensors of a MetaGraph."""

    def __init__(self, metagraph: MetaGraph) -> None:
        self.metagraph = metagraph
        nodes = [node for graph in metagraph.graphs for node in graph.nodes]
        self.users = [node for node in nodes if node.op in _SPELLED_AT]
        self.loops = [node for node in nodes if node.op in LOOPS]
        self.runs: dict[Graph, list[Node]] = {}
        for node in nodes:
            for function in _functions(node):
                self.runs.setdefault(function, []).append(node)

    def spell(self) -> int:
        """Spell every shape that is known, and return how many."""
        # What loops record was true of any batch: inference is to find what holds of this one.
        recorded = {node: node.attrs.pop(_SHAPES) for node in self.loops if _SHAPES in node.attrs}
        spelled: set[Node] = set()
        while True:
            report = self._infer()
            found = [node for node in self.users if self._spell(node, report)]
            if not found:
                break
            spelled.update(found)  # and what is stacked of these lists may go into others
        for node, shapes in recorded.items():
            node.attrs[_SHAPES] = _narrowed(node, shapes, report) if spelled else shapes
        return len(spelled)

    def _infer(self) -> ShapeReport:
        fed = [node for node in self.metagraph.graph.nodes if node.op in PLACEHOLDERS]
        return infer_shapes(self.metagraph, assume={node.output(0): placeholder_shape(node) for node in fed})

    def _spell(self, node: Node, report: ShapeReport) -> bool:
        """Make a constant of the shape that a node spells; say whether that changed anything."""
        place = _SPELLED_AT[node.op]
        spelled = node.inputs[place]
        element = self._element(node, report)
        if element is None or not element.is_static:
            return False
        is_constant = spelled.producer is not None and spelled.producer.op in CONSTANTS
        sizes = [size or 0 for size in element]
        if is_constant and report.constant(spelled) == sizes:
            return False
        dtype = dtype_of(spelled)
        if dtype is None:
            return False
        tensor = Tensor.of(dtype, [len(sizes)], sizes)
        name = node.graph.unique_name(f"{node.name}/static_shape")
        node.set_input(place, node.graph.add_node("Const", name, [], {"dtype": dtype, "value": tensor}).output(0))
        return True

    def _element(self, node: Node, report: ShapeReport) -> Shape | None:
        value = node.inputs[0] if node.op in LIST_READERS else node.output(0)
        handle = report.fact(value).handle
        held = Fact(handle[0].dims).shape if handle else None
        if node.op not in EMPTY_LISTS or (held is not None and held.is_static):
            return held
        items = self._items(value)
        shapes = {report.shape(item) for item in items or ()}
        return shapes.pop() if len(shapes) == 1 else None

    def _items(self, made: Value) -> list[Value] | None:
        """Return all that is put into a list, None if it goes where that cannot be told."""
        lists = list(reached([made], self._after))
        pairs = [(value, node) for value in lists for node in value.consumers]
        is_known = all(self._is_followed(value, node) for value, node in pairs)
        if not is_known or any(_is_result(value) and value.graph not in self.runs for value in lists):
            return None
        return [node.inputs[LIST_ITEMS[node.op]] for _, node in pairs if node.op in LIST_ITEMS]

    @staticmethod
    def _is_followed(value: Value, node: Node) -> bool:
        if node.op in _SAME_LIST or node.op in _ONLY_READ:
            return value not in node.inputs[1:]  # as an element of another list
        return bool(_functions(node))

    def _after(self, value: Value) -> Iterator[Value]:
        """Yield the values that are the same list after one step: behind an op, in a function, behind its end."""
        for node in value.consumers:
            if node.op in _SAME_LIST:
                yield node.output(0)
            functions = _functions(node)
            first = int(node.op in BRANCHES)
            for place in [place for place, given in enumerate(node.inputs[first:]) if given is value]:
                yield from (graph.inputs[place] for graph in functions if place < len(graph.inputs))
        places = [place for place, output in enumerate(value.graph.outputs) if output.value is value]
        for node in self.runs.get(value.graph, ()) if places else ():
            yield from map(node.output, places)
            if node.op in LOOPS:
                yield from (value.graph.inputs[place] for place in places)


def _is_result(value: Value) -> bool:
    return any(output.value is value for output in value.graph.outputs)


def _functions(node: Node) -> list[Graph]:
    """Return the functions that a node runs on its inputs, as far as lists can be followed into them."""
    if node.op in LOOPS:
        found = [attribute(node, "body")]
    elif node.op in BRANCHES:
        branches = attribute(node, "branches")
        found = (
            branches if isinstance(branches, list) else [attribute(node, "then_branch"), attribute(node, "else_branch")]
        )
    else:
        function = run_function(node)
        return [function] if function is not None else []
    graphs = [ref.graph for ref in found if isinstance(ref, FunctionRef) and ref.graph is not None]
    return graphs if len(graphs) == len(found) else []


def _narrowed(node: Node, recorded: AttrValue, report: ShapeReport) -> AttrValue:
    """Return the shapes that a loop records with all that is known of its results."""
    if not isinstance(recorded, list) or len(recorded) != len(node.outputs):
        return recorded
    return [_both(before, report.shape(value)) for before, value in zip(recorded, node.outputs, strict=True)]


def _both(before: AttrValue, found: Shape) -> Shape:
    if not isinstance(before, Shape) or not before.is_compatible_with(found):
        return found
    return Fact(dim.merge(before.dims, found.dims)).shape
