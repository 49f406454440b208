"""Which inputs and outputs get their channels last: those that belong to images, by what the ops round them say.

An input is turned only if everything that it reaches through ops without a layout is a convolution, a pool, a resize
or a normalization of its rank; an output if all that reaches it is. Masks, tokens and what goes into a Reshape stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.traversal import reached

RANKS = (3, 4, 5)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Ops whose axes are batch, channels and space.
SPATIAL = _words(
    "Conv ConvTranspose MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool Resize Upsample "
    "BatchNormalization InstanceNormalization LRN DepthToSpace SpaceToDepth"
)
# Ops that work element by element, or along axes that are mapped, so that the order of axes does not matter to them.
PASSING = _words(
    "Abs Add Cast Ceil Celu Clip Concat Div Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu "
    "Log Max Mean Min Mish Mul Neg PRelu Pad Pow Reciprocal Relu Selu Sigmoid Sign Softplus Softsign Sqrt Sub Sum "
    "Swish Tanh ThresholdedRelu DequantizeLinear QuantizeLinear"
)


def turned_inputs(graph: Graph) -> set[Value]:
    """Return the inputs of a graph that are turned."""
    outputs = {output.value for output in graph.outputs}

    def readers(value: Value) -> list[Node]:
        return list(value.consumers)

    return {
        value
        for value in graph.inputs
        if rank_of(value) in RANKS and _only_spatial(value, readers, lambda node: node.outputs, outputs)
    }


def turned_outputs(graph: Graph) -> set[Value]:
    """Return the values that graphs yield and that are turned, as far as the ops before them say."""

    def makers(value: Value) -> list[Node]:
        return [value.producer] if value.producer is not None else []

    ends = set(graph.inputs)
    return {
        output.value for output in graph.outputs if _only_spatial(output.value, makers, lambda node: node.inputs, ends)
    }


def _only_spatial(
    value: Value,
    nodes_of: Callable[[Value], list[Node]],
    values_of: Callable[[Node], Iterable[Value]],
    ends: set[Value],
) -> bool:
    """Say whether all that is met in one direction, behind ops without a layout, is spatial, and something is."""

    def following(one: Value) -> list[Value]:
        passing = [node for node in nodes_of(one) if node.op in PASSING]
        return [other for node in passing for other in values_of(node) if not _is_constant(other)]

    met = reached([value], following)
    nodes = {node for one in met for node in nodes_of(one)}
    spatial = [node for node in nodes if node.op in SPATIAL]
    others = [node for node in nodes if node.op not in SPATIAL and node.op not in PASSING]
    return bool(spatial) and not others and not any(one in ends for one in met)


def _is_constant(value: Value) -> bool:
    return value.is_absent or value.tensor is not None


def rank_of(value: Value) -> int | None:
    """Return the rank that the file records of a value."""
    return value.shape.rank if value.shape is not None else None
