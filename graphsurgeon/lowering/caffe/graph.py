"""A net of Caffe with its weights as a graph of ONNX."""

from __future__ import annotations

from graphsurgeon.lowering import Lowered, LoweringOptions, refuse
from graphsurgeon.lowering.caffe import TABLE
from graphsurgeon.lowering.to_onnx.layers import LayerWalk, require_weights
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape

# Layers that feed a net, or tell how well it does; a .caffemodel has those that it was trained with.
_FEEDS = frozenset(("Input", "Data", "ImageData", "HDF5Data", "MemoryData", "WindowData", "DummyData", "AnnotatedData"))
_JUDGES = frozenset(
    (
        "Accuracy", "SoftmaxWithLoss", "EuclideanLoss", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss",
        "SigmoidCrossEntropyLoss", "ContrastiveLoss", "SmoothL1Loss", "MultiBoxLoss", "DetectionEvaluate", "Silence",
        "HDF5Output", "CenterLoss",
    )
)  # fmt: skip
_WEIGHTED = frozenset(
    ("Convolution", "Deconvolution", "InnerProduct", "BatchNorm", "PReLU", "Embed", "DepthwiseConvolution")
)
_TRAIN = (b"TRAIN", 0)


def lower(metagraph: MetaGraph, options: LoweringOptions) -> Lowered:
    """Make a MetaGraph of ONNX of a net.

    Raises:
        MissingWeightsError: weights are not there.
        UnsupportedError: layers that nothing is known for; all of them are named.
        UsageError: a shape is given for what is no input.
    """
    graph = metagraph.graph
    nodes = [node for node in graph.nodes if not _is_passed(node)]
    weighted = [node for node in nodes if node.op in _WEIGHTED]
    bare = [node.name for node in weighted if all(value.tensor is None for value in node.inputs)]
    require_weights(bare, len(weighted))
    walk = LayerWalk(graph, TABLE, options.shapes)
    for value in _inputs(graph, nodes):
        walk.input(value, _wanted(value))
    walk.run(nodes)
    refuse(walk.refused, "ONNX's")
    read = {value for node in nodes for value in node.inputs}
    for value in (value for node in nodes for value in node.outputs):
        if value not in read:
            walk.output(value, _blob(value.name or "output"))
    return Lowered(walk.net.metagraph)


def _blob(name: str) -> str:
    """Return the name that a blob has in the file: of several in place each has a number of its own here."""
    base, _, number = name.rpartition("#")
    return base if base and number.isdecimal() else name


def _is_passed(node: Node) -> bool:
    return node.op in _FEEDS or node.op in _JUDGES or node.attrs.get("include.phase") in _TRAIN


def _inputs(graph: Graph, nodes: list[Node]) -> list[Value]:
    """Return what the layers that run read and do not make: inputs of the net, and what its data layers give."""
    made = {value for node in nodes for value in node.outputs}
    read = dict.fromkeys(value for node in nodes for value in node.inputs if value.tensor is None)
    declared = [value for value in graph.inputs if value in read]
    return list(dict.fromkeys([*declared, *(value for value in read if value not in made)]))


def _wanted(value: Value) -> Shape:
    """Return the shape that the readers of a data layer tell, which the layer itself does not."""
    for node in value.consumers:
        weight = next((one.shape for one in node.inputs if one.tensor is not None), None)
        if node.op == "Convolution" and weight is not None and weight.dims is not None:
            group = node.attrs.get("convolution_param.group", 1)
            channels = (weight.dims[1] or 0) * (group if isinstance(group, int) else 1)
            return Shape([None, channels or None, None, None])
    return UNKNOWN_RANK
