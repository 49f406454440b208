"""Rules about the tensors of TFLite subgraphs: types, shapes, quantization, sparsity, names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from graphsurgeon.checks.tflite.places import ANEW, tensor
from graphsurgeon.errors import plural
from graphsurgeon.model.dtype import RESOURCE, STRING, UINT8, VARIANT
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.quantization import Quantization

_MOST_ELEMENTS = 1 << 47  # what a process can address


def sizes(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find shapes that no memory holds."""
    for graph in metagraph.graphs:
        for value in graph.values:
            stored = value.raw.table.scalars("shape") if value.raw is not None else ()
            if any(dim < 0 for dim in stored) or math.prod(stored) > _MOST_ELEMENTS:
                what = f"its shape is stored as {list(stored)}"
                hint = "an unknown dimension is stored as 1, and -1 in shape_signature"
                yield Finding("error", tensor(value), what, hint, "tensor-shape")


def types(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find element types that there are not, and variables that are stored or hold text."""
    for graph in metagraph.graphs:
        for value in graph.values:
            is_variable = bool(value.extra and value.extra.get("is_variable"))
            if value.dtype is not None and value.dtype.number < 0:
                what = f"its element type is {-1 - value.dtype.number}, which there is not"
                yield Finding("error", tensor(value), what, ANEW, "tensor-type")
            elif is_variable:
                yield from (Finding("error", tensor(value), what, ANEW, "tensor-variable") for what in _variable(value))


# Operators that leave what they are given where it lies: nothing is allocated for their result.
_IN_PLACE = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "BITCAST")


def _variable(value: Value) -> Iterator[str]:
    if value.tensor is not None or _is_stored_empty(value):
        yield "it is a variable, and stored"
    elif value.dtype in (STRING, RESOURCE, VARIANT):
        yield f"it is a variable of type {value.dtype}"
    elif _is_in_place(value):
        yield "it is a variable, and an operator's result, which has no memory of its own"


def _is_in_place(value: Value) -> bool:
    """Say whether a tensor inside a subgraph lies where what it is made of lies, which an operator makes too."""
    node = value.producer
    is_inner = not any(output.value is value for output in value.graph.outputs)
    return node is not None and node.op in _IN_PLACE and is_inner and node.inputs[0].producer is not None


def _is_stored_empty(value: Value) -> bool:
    """Say whether a tensor without elements has a buffer with none."""
    source: Any = value.graph.metagraph.raw
    origin = value.raw
    number = origin.table.get("buffer") if origin is not None else 0
    buffers = source.root.tables("buffers") if number and hasattr(source, "root") else ()
    return 0 < number < len(buffers) and bool(buffers[number].place("data"))


def names(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find inputs and outputs whose names are no text: Python's interpreter cannot list them."""
    for graph in metagraph.graphs:
        for value in dict.fromkeys([*graph.inputs, *(output.value for output in graph.outputs)]):
            if any("\udc80" <= letter <= "\udcff" for letter in value.name or ""):
                hint = "gs rename gives it another name"
                yield Finding("error", tensor(value), "its name is no UTF-8", hint, "tensor-name")


def quantization(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find scales that do not fit the tensor, and numbers that no kernel takes: an error where one is given them."""
    for graph in metagraph.graphs:
        used = {id(value) for node in graph.nodes for value in (*node.inputs, *node.outputs)}
        loose = {id(value) for value in _loosely_scaled(graph)}
        for value in graph.values:
            found = value.extra.get("quantization") if value.extra else None
            if isinstance(found, Quantization) and found.scale and found.scales is None and not found.custom:
                for what in _misfits(value, found):
                    yield Finding("error", tensor(value), what, ANEW, "quantization")
                for what in _odd_scale(value, found):
                    severity: Severity = "error" if id(value) in used - loose else "warning"
                    yield Finding(severity, tensor(value), what, ANEW, "quantization")
                for what in _odd_zero(value, found):
                    severity = "error" if id(value) in used and not _is_unpacked(value) else "warning"
                    yield Finding(severity, tensor(value), what, ANEW, "quantization")


def _misfits(value: Value, found: Quantization) -> Iterator[str]:
    """Say what an interpreter does not take of the parameters (`ParseQuantization` in `interpreter_builder.cc`)."""
    if len(found.zero_point) != len(found.scale):
        yield f"{plural(len(found.scale), 'scale')} and {plural(len(found.zero_point), 'zero point')}"
    dims = value.raw.table.scalars("shape") if value.raw is not None else ()
    if dims and not 0 <= found.axis < len(dims):
        yield f"its scales run along dimension {found.axis} of {len(dims)}"
    elif dims and len(found.scale) > 1 and dims[found.axis] != len(found.scale):
        yield f"{len(found.scale)} scales for {dims[found.axis]} channels"


# Operators that only move elements: XNNPACK takes them of 8 bits, and looks at scales then; no other kernel does.
_MOVING = frozenset(
    ("PAD", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "GATHER", "TILE", "SPLIT")
)
# Element type -> operators that run whatever the scales of their tensors are, each asked of LiteRT with and without
# XNNPACK. A product of int8 does but for NaN.
_LEFT = {
    "int8": frozenset(("MAXIMUM", "MINIMUM", "RELU")),
    "int16": _MOVING.union(
        ("MUL", "MEAN", "SUM", "CONCATENATION", "QUANTIZE", "DEQUANTIZE", "MAXIMUM", "MINIMUM", "RELU", "MAX_POOL_2D")
    ),
}
# What XNNPACK does not fuse with a matrix product.
_ACTIVATIONS_LEFT = (b"TANH", b"SIGN_BIT")
# Operators that multiply by weights -> the place of the bias. The weights are their second input.
_BIASES = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2}


def _loosely_scaled(graph: Graph) -> Iterator[Value]:
    """Yield constants whose scales no kernel looks at before it runs: biases, weights of convolutions and of hybrids.

    Which these are was asked of LiteRT with and without XNNPACK, with scales below 0 and NaN.
    """
    for value in graph.values:
        around = [*value.consumers, *([value.producer] if value.producer is not None else [])]
        if (around and all(_is_left(node, value) for node in around)) or _is_unpacked(value):
            yield value
    for node in graph.nodes:
        bias = _BIASES.get(node.op)
        for place, value in enumerate(node.inputs) if bias is not None else ():
            is_weight = place == 1 and (node.op != "FULLY_CONNECTED" or _is_hybrid_alone(node, value))
            if value.tensor is not None and (place == bias or is_weight):
                yield value


def _is_left(node: Node, value: Value) -> bool:
    """Say whether an operator does not look at the scales of one of its tensors."""
    name = value.dtype.name if value.dtype is not None else ""
    found = (value.extra or {}).get("quantization")
    if (node.op, name) == ("MUL", "int8") and isinstance(found, Quantization):
        return not any(math.isnan(scale) for scale in found.scale)
    if (node.op, name) == ("BATCH_MATMUL", "int16") and isinstance(found, Quantization):
        return value.producer is node or all(scale >= 0 for scale in found.scale)  # not NaN
    return node.op in _LEFT.get(name, ())


def _is_unpacked(value: Value) -> bool:
    """Say whether a tensor is a constant that is unpacked once, whatever comes out."""
    return value.tensor is not None and bool(value.consumers) and all(one.op == "DEQUANTIZE" for one in value.consumers)


def _is_hybrid_alone(node: Node, weights: Value) -> bool:
    """Say whether a matrix product of floats by whole numbers is one that XNNPACK, which looks at scales, leaves."""
    dtype, given = weights.dtype, node.inputs[0].dtype
    is_left = dtype is UINT8 or node.attrs.get("fused_activation_function") in _ACTIVATIONS_LEFT
    return is_left and given is not None and not given.is_integer


def _odd_scale(value: Value, found: Quantization) -> Iterator[str]:
    is_matrix = any(node.op == "FULLY_CONNECTED" for node in value.consumers)
    is_free = value.tensor is not None and not is_matrix  # weights that are all zero may have any scale
    bad = [scale for scale in found.scale if not (math.isfinite(scale) and (scale > 0 or (is_free and scale == 0)))]
    if bad and value.dtype is not None and value.dtype.is_integer:
        yield f"one of its scales is {bad[0]}"


def _odd_zero(value: Value, found: Quantization) -> Iterator[str]:
    dtype = value.dtype
    if dtype is not None and dtype.is_integer and 0 < dtype.bits <= 16:
        least = 0 if dtype.name.startswith("u") else -(1 << (dtype.bits - 1))
        outside = [zero for zero in found.zero_point if not least <= zero < least + (1 << dtype.bits)]
        if outside:
            yield f"its zero point is {outside[0]}, which {dtype} does not hold"


def sparsity(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find sparse tensors that do not say where their values lie (`ParseSparsity` in `interpreter_builder.cc`)."""
    for graph in metagraph.graphs:
        for value in graph.values:
            if value.extra and "sparsity" in value.extra and value.raw is not None:
                what = _misplaced(value.raw.table.get("sparsity"), value)
                if what:
                    yield Finding("error", tensor(value), what, ANEW, "sparsity")


def _misplaced(table: Any, value: Value) -> str:
    order: Sequence[int] = list(table.scalars("traversal_order"))
    blocks: Sequence[int] = list(table.scalars("block_map"))
    levels = list(table.tables("dim_metadata"))
    rank = (value.shape.rank if value.shape is not None else None) or 0
    if not order or not levels:
        return "its sparsity names no dimensions"
    if not len(order) == len(levels) == rank + len(blocks) or sorted(order) != list(range(len(order))):
        return f"its sparsity has {len(levels)} levels in the order {order[:8]}, for {rank} dimensions"
    if any(not 0 <= block < rank for block in blocks):
        return f"its sparsity has blocks of dimension {max(blocks)} of {rank}"
    for level in levels:
        if level.get("format") and not (level.place("array_segments") and level.place("array_indices")):
            return "its sparsity has a level without places"
    return ""
