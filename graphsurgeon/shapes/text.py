"""A graph as text: a line a node, in file order, with the dtypes and shapes that are recorded or inferred.

main graph, 3 nodes
x:0 float32 [?,4] = Placeholder()
w:0 float32 [4,3] = Const()
y:0 float32 [?,3] = MatMul(x:0, w:0)
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.errors import plural
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes.infer import infer_shapes
from graphsurgeon.shapes.report import ShapeReport

_MOST = 2_000  # nodes that are inferred and listed; a larger graph is cut, and says so
_SHOWN = ("padding", "strides", "axis", "keep_dims", "transpose_a", "transpose_b", "DstT", "equation", "epsilon")


def to_text(graph: Graph) -> str:
    """Return a graph as text, at most the first 2,000 nodes."""
    shapes = infer_shapes(graph.metagraph) if len(graph) <= _MOST else None
    return "\n".join(_lines(graph, shapes))


def _lines(graph: Graph, shapes: ShapeReport | None) -> Iterator[str]:
    title = graph.title.removeprefix("the ")
    arguments = ", ".join(_value(value, shapes) for value in graph.inputs)
    yield f"{title}, {plural(len(graph), 'node')}" + (f", takes {arguments}" if arguments else "")
    for node in graph.nodes[:_MOST]:
        yield f"  {_node(node, shapes)}"
    if len(graph) > _MOST:
        yield f"  ... and {len(graph) - _MOST} more"
    if graph.outputs:
        yield f"  returns {', '.join(str(output.value) for output in graph.outputs)}"


def _node(node: Node, shapes: ShapeReport | None) -> str:
    read = [value for value in node.outputs if value.consumers] or list(node.outputs[:1])
    results = ", ".join(_value(value, shapes) for value in read)
    inputs = [str(value) for value in node.inputs] + [f"^{other.name}" for other in node.controls]
    attrs = ", ".join(f"{name}={_attr(node.attrs[name])}" for name in _SHOWN if node.attrs.get(name))
    return f"{results or node.name} = {node.op}{f'[{attrs}]' if attrs else ''}({', '.join(inputs)})"


def _value(value: Value, shapes: ShapeReport | None) -> str:
    dtype = value.dtype if shapes is None else shapes.dtype(value)
    shape = value.shape if shapes is None else shapes.shape(value)
    known = [str(part) for part in (dtype, shape) if part is not None]
    return " ".join([str(value), *known])


def _attr(value: AttrValue) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, list):
        return "[" + ",".join(_attr(item) for item in value) + "]"
    if isinstance(value, Tensor | DType | Shape | FunctionRef | Value):
        return str(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
