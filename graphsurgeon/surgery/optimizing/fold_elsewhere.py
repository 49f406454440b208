"""Nodes of constants that somebody else computes, since there is no kernel here: what TensorFlow gives on this machine.

Only ops that are a function of their inputs: "not stateful" in their definitions is less than that, so there is a list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from graphsurgeon.kernels import kernels
from graphsurgeon.model.dtype import RESOURCE, STRING, VARIANT, DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import in_order
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import BACK_EDGES, BROADCASTING, CONTROL_FLOW, ELEMENT_BY_ELEMENT, PURE
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.surgery.optimizing.fold import MOST_READ, become_known, bound_nodes
from graphsurgeon.surgery.replacing.new_tensors import tensor_of

# Takes a graph without inputs and the tensors of it that are wanted, each by name; leaves out what does not compute.
Computer: TypeAlias = Callable[[MetaGraph, Sequence[str]], Mapping[str, Any]]

_COMPUTED = PURE | ELEMENT_BY_ELEMENT | BROADCASTING
_NO_PLAIN_TYPE = frozenset({RESOURCE, VARIANT})


def _is_computed(node: Node) -> bool:
    if node.op not in _COMPUTED and node.op not in kernels():
        return False
    definition = catalog.of(node)
    return definition is not None and not definition.is_stateful and node.op not in CONTROL_FLOW


def fold_elsewhere(
    graph: Graph,
    compute: Computer,
    report: ShapeReport,
    most_bytes: int,
    kept: Collection[Node],
    tried: set[Node],
) -> list[Node]:
    """Turn nodes of constants into what `compute` says of them; return the nodes.

    Args:
        graph: a main graph or function.
        compute: computes them.
        report: what is known of its shapes.
        most_bytes: of a result, unless its inputs are as large; one of which nobody knows how large it is stays.
        kept: nodes that stay what they are.
        tried: nodes that were given to `compute` before; those that are now are entered.
    """
    chosen = _chosen(graph, report, most_bytes, {*kept, *bound_nodes(graph), *tried})
    if not chosen:
        return []
    tried.update(chosen)
    copy, names = _copied(chosen)
    found = compute(copy, list(names.values()))
    folded = []
    for node in chosen:
        arrays = [found.get(names[value]) for value in node.outputs]
        if all(array is not None for array in arrays):
            tensors = [_tensor(array, dtype) for array, dtype in zip(arrays, _dtypes(node), strict=True)]
            folded += [node] if become_known(node, tensors) else []
    return folded


def _chosen(graph: Graph, report: ShapeReport, most_bytes: int, left: Collection[Node]) -> list[Node]:
    """Return nodes whose inputs are constants, or such nodes, in order."""
    sizes: dict[Value, int] = {}
    chosen = []
    for node in in_order(graph.nodes, controls=False, back_edges=BACK_EDGES):
        if node.op == "Const":
            tensor = node.attrs.get("value")
            size = getattr(tensor, "nbytes", None)
            if size is not None and size <= MOST_READ:
                sizes[node.output()] = size
            continue
        if node in left or not node.inputs or not _is_computed(node) or any(v not in sizes for v in node.inputs):
            continue
        read = sum(sizes[value] for value in node.inputs)
        results = {
            value: _size(report, value, dtype) for value, dtype in zip(node.outputs, _dtypes(node), strict=False)
        }
        if results and all(size is not None and size <= max(read, most_bytes) for size in results.values()):
            sizes.update({value: size for value, size in results.items() if size is not None})
            chosen.append(node)
    return chosen


def _dtypes(node: Node) -> list[DType]:
    return list(node.output_dtypes() or [])


def _size(report: ShapeReport, value: Value, dtype: DType) -> int | None:
    """Return how many bytes a value takes, None where nobody knows, or it is no plain array."""
    if dtype in _NO_PLAIN_TYPE or dtype.is_ref or dtype.is_quantized:
        return None
    count = report.shape(value).num_elements
    return None if count is None else count * max(1, (dtype.bits or 64) // 8)


def _tensor(array: Any, dtype: DType) -> Tensor:
    return Tensor.of(STRING, array.shape, array.ravel().tolist()) if dtype is STRING else tensor_of(array, dtype)


def _copied(chosen: Sequence[Node]) -> tuple[MetaGraph, dict[Value, str]]:
    """Return a graph of some nodes and the constants they read, and the names of their outputs in it."""
    copy = MetaGraph()
    made: dict[Value, Value] = {}
    names: dict[Value, str] = {}
    for node in chosen:
        for value in node.inputs:
            if value not in made and value.producer is not None:
                made[value] = _twin(value.producer, copy.graph, []).output()
        twin = _twin(node, copy.graph, [made[value] for value in node.inputs])
        for number, value in enumerate(node.outputs):
            made[value] = twin.output(number)
            names[value] = f"{twin.name}:{number}"
    return copy, names


def _twin(node: Node, graph: Graph, inputs: Sequence[Value]) -> Node:
    attrs = {name: value for name, value in node.attrs.items() if name != "_class"}
    return graph.add_node(node.op, f"n{len(graph)}", inputs, attrs, checked=False)
