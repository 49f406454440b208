"""A symbol of MXNet with its weights as a graph of ONNX."""

from __future__ import annotations

from graphsurgeon.lowering import Lowered, LoweringOptions, refuse
from graphsurgeon.lowering.mxnet import TABLE
from graphsurgeon.lowering.to_onnx.layers import LayerWalk, require_weights
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape

# What is trained: inputs behind the first are labels.
_LOSSES = frozenset(
    ("SoftmaxOutput", "Softmax", "LinearRegressionOutput", "MAERegressionOutput", "LogisticRegressionOutput")
)
_CONVOLUTIONS = frozenset(("Convolution", "Convolution_v1"))
# What has the shape of its first input: the shape that the next layer wants is its own too.
_SHAPED_ALIKE = frozenset(
    (
        "BatchNorm", "BatchNorm_v1", "Activation", "LeakyReLU", "identity", "_copy", "_minus_scalar", "_mul_scalar",
        "_plus_scalar", "_div_scalar", "_MinusScalar", "_MulScalar", "_PlusScalar", "_DivScalar", "broadcast_sub",
        "broadcast_mul", "broadcast_add", "broadcast_div", "Dropout", "Cast", "clip",
    )
)  # fmt: skip
_DEEPEST = 8  # layers that are looked through for the shape of an input


def lower(metagraph: MetaGraph, options: LoweringOptions) -> Lowered:
    """Make a MetaGraph of ONNX of a symbol.

    Raises:
        MissingWeightsError: weights are not there.
        UnsupportedError: layers that nothing is known for; all of them are named.
        UsageError: a shape is given for what is no input.
    """
    graph = metagraph.graph
    walk = LayerWalk(graph, TABLE, options.shapes, labelled=_LOSSES)
    values = [value for node in graph.nodes for value in node.inputs if value.producer is None]
    inputs = [value for value in graph.inputs if value.tensor is None and not _is_label(value)]
    weights = [value for value in dict.fromkeys(values) if value not in graph.inputs and not value.is_dangling]
    require_weights([value.name or "?" for value in weights if value.tensor is None], len(weights))
    for value in inputs:
        walk.input(value, _wanted(value, 0))
    walk.run()
    refuse(walk.refused, "ONNX's")
    for output in graph.outputs:
        walk.output(output.value, output.value.name or "output")
    return Lowered(walk.net.metagraph)


def _is_label(value: Value) -> bool:
    return bool(value.consumers) and all(node.op in _LOSSES and node.inputs[0] is not value for node in value.consumers)


def _wanted(value: Value, depth: int) -> Shape:
    """Return the shape of an input as its readers tell: channels and rank from weights, batch and sides open."""
    for node in value.consumers if depth < _DEEPEST else ():
        found = _wanted_by(node, value, depth)
        if found.dims is not None:
            return found
    return UNKNOWN_RANK


def _wanted_by(node: Node, value: Value, depth: int) -> Shape:
    window = node.attrs.get("kernel")
    if node.op == "Pooling" and isinstance(window, list):
        return Shape([None] * (len(window) + 2))
    weight = node.inputs[1].shape if len(node.inputs) > 1 else None
    kernel = weight.dims if weight is not None else None
    if node.op in _CONVOLUTIONS and kernel is not None and node.inputs[0] is value:
        group = node.attrs.get("num_group", 1)
        channels = (kernel[1] or 0) * (group if isinstance(group, int) else 1)
        return Shape([None, channels or None, *[None] * (len(kernel) - 2)])
    if node.op == "FullyConnected" and kernel is not None and len(kernel) == 2 and node.inputs[0] is value:
        return Shape([None, kernel[1]])
    if node.op in _SHAPED_ALIKE and node.outputs:
        return _wanted(node.outputs[0], depth + 1)
    return UNKNOWN_RANK
