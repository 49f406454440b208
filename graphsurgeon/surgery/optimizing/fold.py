"""Nodes whose value is known become constants of the same name: from constant inputs, or from what shapes say.

A folded node waits for what it waited for, and for what its constants waited for: in a branch or loop of TensorFlow 1
that is what keeps it there. Only ops of `kernels` are computed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.kernels import CLOSE, compute, kernels
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import in_order, producers, upstream
from graphsurgeon.ops.kinds import BACK_EDGES, CONTROL_FLOW, SHAPE_OPS
from graphsurgeon.patterns.subject import Subject
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.surgery.replacing.new_tensors import tensor_of

MOST_READ = 1 << 20  # bytes of a constant that is computed with


def fold(
    graph: Graph,
    subject: Subject,
    report: ShapeReport,
    most_bytes: int,
    kept: Collection[Node],
    *,
    close: bool = False,
) -> list[Node]:
    """Turn what is known into constants; return the nodes.

    Args:
        graph: a main graph or function.
        subject: what is known of its constants.
        report: what is known of its shapes.
        most_bytes: of a result, unless its inputs are as large.
        kept: nodes that stay what they are.
        close: by the kernels that are only close, and by no others.
    """
    known = CLOSE if close else kernels()
    bound = bound_nodes(graph)
    found = []
    for node in in_order(graph.nodes, controls=False, back_edges=BACK_EDGES):
        if node in kept or node in bound or node.op == "Const" or not node.inputs:
            continue
        arrays = _known(node, subject, report, known, close=close)
        if arrays is None or not _is_small(node, arrays, subject, most_bytes):
            continue
        tensors = _tensors(node, arrays, subject)
        if tensors is not None and become_known(node, tensors):
            found.append(node)
            subject.forget()
    return found


def bound_nodes(graph: Graph) -> set[Node]:
    """Return nodes of loops and branches of TensorFlow 1 whose shape may be known while they may be dead."""
    flow = control_flow(graph)
    inside = {*flow.frames, *flow.branches}
    return {node for node in inside if node.op in SHAPE_OPS or node.op in CONTROL_FLOW}


def _known(node: Node, subject: Subject, report: ShapeReport, known: Any, *, close: bool) -> list[Any] | None:
    if node.op in SHAPE_OPS and not close:
        return _shapes(node, report)
    if node.op not in known:
        return None
    tensors = [subject.constant(value) for value in node.inputs]
    if any(tensor is None or tensor.nbytes > MOST_READ or not _is_plain(tensor.dtype) for tensor in tensors):
        return None
    return compute(node, [tensor.numpy() for tensor in tensors if tensor is not None], close=close)


def _is_plain(dtype: DType) -> bool:
    """Say whether numpy computes with a dtype as it is."""
    return bool(dtype.bits) and dtype.name != "bfloat16" and not dtype.name.startswith(("float8", "float4", "q"))


def _shapes(node: Node, report: ShapeReport) -> list[Any] | None:
    """Return what a Shape, Size or Rank yields; of a function nothing, since it may be called with other shapes."""
    if node.graph.kind != "main":
        return None
    found: list[Any] = []
    for value in node.outputs:
        items = report.constant(value)
        dims = report.shape(value).dims
        if items is None or dims is None or any(item is None for item in items):
            return None
        found.append(_array(items, dims))
    return found


def _array(items: list[Any], dims: tuple[int | None, ...]) -> Any:
    import numpy as np

    return np.array(items, np.int64).reshape([dim or 0 for dim in dims])


def _is_small(node: Node, arrays: list[Any], subject: Subject, most_bytes: int) -> bool:
    read = sum(tensor.nbytes for value in node.inputs if (tensor := subject.constant(value)) is not None)
    return all(array.nbytes <= max(read, most_bytes) for array in arrays)


def _tensors(node: Node, arrays: list[Any], subject: Subject) -> list[Tensor] | None:
    """Return arrays as tensors of the dtypes of a node's outputs; None if one is not known, or a reference."""
    dtypes = [dtype for value in node.outputs if (dtype := subject.dtype(value)) is not None and not dtype.is_ref]
    if len(dtypes) < len(node.outputs) or len(dtypes) != len(arrays):
        return None
    return [tensor_of(array, dtype) for array, dtype in zip(arrays, dtypes, strict=True)]


def become_known(node: Node, tensors: Sequence[Tensor]) -> bool:
    """Turn a node of one output into a constant; give the readers of one of several constants of their own.

    Args:
        node: the node.
        tensors: what each output is.

    Returns:
        Whether anything changed.
    """
    outputs = node.outputs
    if len(outputs) != len(tensors):
        return False
    controls = list(dict.fromkeys([*node.controls, *(one for value in node.inputs for one in _waited(value))]))
    if len(outputs) == 1:
        node.become("Const", [], {"dtype": tensors[0].dtype, "value": tensors[0]})
        node.controls = controls
        return True
    changed = False
    for value, tensor in zip(outputs, tensors, strict=True):
        if value.consumers or any(output.value is value for output in node.graph.outputs):
            value.replace_with(_constant(node, tensor, controls))
            changed = True
    return changed


def _constant(node: Node, tensor: Tensor, controls: list[Node]) -> Value:
    name = node.graph.unique_name(f"{node.name}/folded")
    attrs: dict[str, AttrValue] = {"dtype": tensor.dtype, "value": tensor}
    return node.graph.add_node("Const", name, [], attrs, controls=controls, device=node.device).output()


def _waited(value: Value) -> list[Node]:
    """Return what a constant waits for, with what lies between it and who reads it."""
    return [one for node in upstream(producers([value]), controls=False) for one in node.controls]
