"""Rules about TFLite models: what names what by index, the order of operators, signatures, metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphsurgeon.checks.graphs.calls import call_circle
from graphsurgeon.checks.places import is_present
from graphsurgeon.checks.tflite.operators import is_custom
from graphsurgeon.checks.tflite.places import operator
from graphsurgeon.errors import plural
from graphsurgeon.formats.tflite import support
from graphsurgeon.formats.tflite.metadata import content, entries
from graphsurgeon.model.dtype import FLOAT32, INT8
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.ops import mediapipe
from graphsurgeon.ops.libraries import BUILT_IN_CUSTOM, litert_library

_EXTERNAL = "external_buffer"  # of what is kept of a tensor
_MOST_METADATA = 16 << 20  # bytes that are looked at


def subgraphs(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find a model without subgraphs, which no interpreter takes."""
    if metagraph.graph.raw is None:
        yield Finding("error", "model", "it has no subgraph", "convert the model anew", "no-subgraph")


def dangling_tensors(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find indices that point at no tensor."""
    for graph in metagraph.graphs:
        known = {id(value) for value in graph.values}
        for number, node in enumerate(graph.nodes):
            for side, values in (("input", node.inputs), ("output", node.outputs)):
                outside = (value for value in values if id(value) not in known and not value.is_absent)
                yield from (_outside(operator(graph, number, node), side, value) for value in outside)
        where = f"subgraph {graph.name or 'main'}"
        yield from (_outside(where, "input", value) for value in graph.inputs if id(value) not in known)
        yield from (_outside(where, "output", out.value) for out in graph.outputs if id(out.value) not in known)


def _outside(where: str, side: str, value: Value) -> Finding:
    what = f"its {side} is tensor {value}, which the subgraph does not have"
    return Finding("error", where, what, "convert the model anew", "tensor-index")


def operators(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find operators without code, and subgraphs that operators name and the model lacks."""
    for graph in metagraph.graphs:
        for number, node in enumerate(graph.nodes):
            where = operator(graph, number, node)
            if node.op.startswith("#"):
                what = f"its operator code {node.op} is not in the model"
                yield Finding("error", where, what, "convert the model anew", "operator-code")
            for ref in node.function_refs:
                if ref.graph is None:
                    what = f"it runs the subgraph {ref.name}, which the model does not have"
                    yield Finding("error", where, what, "convert the model anew", "subgraph-index")


def recursion(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find subgraphs that run themselves, which interpreters follow until they crash."""
    circle = call_circle(metagraph.graphs)
    if circle:
        names = " -> ".join(graph.name or "main" for graph in [*circle, circle[0]])
        yield Finding("error", "model", f"subgraphs run each other: {names}", "convert the model anew", "recursion")


def order(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find tensors that are read before they are made: operators run in the order of the file.

    An operator that is new is placed where it belongs when the model is written.
    """
    for graph in metagraph.graphs:
        made = {id(value) for value in graph.inputs}
        for number, node in enumerate(graph.nodes):
            for value in node.inputs:
                is_placed = value.producer is not None and value.producer.raw is not None
                is_late = is_placed and id(value) not in made and not _is_variable(value)
                if is_late and value.tensor is None and not value.is_absent and not value.is_dangling:
                    what = f"it reads {value}, which an operator behind it makes"
                    hint = "operators run in the order of the file: sort them"
                    yield Finding("error", operator(graph, number, node), what, hint, "operator-order")
            made.update(id(value) for value in node.outputs)


def _is_variable(value: Value) -> bool:
    return bool(value.extra and value.extra.get("is_variable"))


def custom_operators(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find operators that an interpreter has only if they are registered: one finding an operator."""
    found: dict[str, int] = {}
    for graph in metagraph.graphs:
        for node in graph.nodes:
            if is_custom(node) and not node.op.startswith("#"):
                found[node.op] = found.get(node.op, 0) + 1
    for op, count in found.items():
        used = f"custom, used {plural(count, 'time')}"
        if op in BUILT_IN_CUSTOM:
            yield Finding("note", f"operator {op}", used, "", "custom-operator")
            continue
        library = litert_library(op) or f"the library that has the operator {op!r}"
        hint = "link it into the interpreter, or register its kernels"
        yield Finding("needs", f"operator {op}", f"needs {library}: {used}", hint, "custom-operator")


def external_buffers(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find tensors whose values lie in another file: the interpreter of Python alone does not load them."""
    outside = [value for graph in metagraph.graphs for value in graph.values if (value.extra or {}).get(_EXTERNAL)]
    if outside:
        what = f"needs LiteRT's loader of external weights: {plural(len(outside), 'tensor')} in other files"
        yield Finding("needs", "model", what, "open it with that loader, its files beside it", "external-buffer")


def support_metadata(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find what MediaPipe Tasks refuses: types and shapes of ends; of what was read, lists not parallel to them."""
    source: Any = metagraph.raw
    if mediapipe.METADATA in metagraph.collections:
        for what in mediapipe.refusals(metagraph.graph):
            yield Finding("warning", support.NAME, f"MediaPipe Tasks does not take the model: {what}", "", "mediapipe")
    root = getattr(source, "root", None)
    if root is None or not source.subgraphs:
        return
    index = next((index for name, index in entries(root) if name == support.NAME), None)
    data = content(source.buffers, index, _MOST_METADATA) if index is not None else b""
    table = source.subgraphs[0].raw.table
    counts = len(table.scalars("inputs")), len(table.scalars("outputs"))
    for severity, what in support.faults(data, counts) if data else ():
        yield Finding(severity, support.NAME, what, "MediaPipe Tasks does not take it so", "support-metadata")


def signatures(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find signatures that name no tensor, or tensors that are not inputs or outputs of their subgraph."""
    for signature in metagraph.signatures.values():
        number = signature.raw.get("subgraph_index") if signature.raw is not None else 0
        count = len(signature.raw.image.root("Model").tables("subgraphs")) if number else 1  # as it was read
        if number >= count or signature.graph not in metagraph.graphs:
            what = f"it is for subgraph {number} of {len(metagraph.graphs)}"
            yield Finding("error", f"signature {signature.key}", what, "remove it", "signature-subgraph")
            continue
        if signature.outputs and not signature.graph.outputs:
            what = "its subgraph has no outputs"
            yield Finding("warning", f"signature {signature.key}", what, "gs add-output makes some", "signature-tensor")
        if not signature.key:
            what, hint = "it has no key: interpreters do not open or do not call it", "gs remove-signature"
            yield Finding("error", f"signature {signature.key!r}", what, hint, "signature-key")
        yield from _signature_tensors(signature)


# Operators that the delegate XNNPACK takes over, of float32 and int8.
_DELEGATED = frozenset(
    {
        *("ABS", "ADD", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CEIL", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D"),
        *("DIV", "ELU", "EXP", "FLOOR", "FULLY_CONNECTED", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "LOG"),
        *("MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "NEG", "PAD", "PRELU", "RELU", "RELU6", "RESHAPE"),
        *("RESIZE_BILINEAR", "ROUND", "RSQRT", "SOFTMAX", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SUB", "SUM"),
        *("TANH", "TRANSPOSE", "TRANSPOSE_CONV", "SIN", "COS", "SLICE", "SPLIT", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE"),
    }
)


def _is_delegated(value: object) -> bool:
    if not isinstance(value, Value) or value.producer is None:
        return False
    is_taken_over = value.producer.op in _DELEGATED and value.dtype in (FLOAT32, INT8)
    return is_taken_over or value.producer.op == "READ_VARIABLE"  # which allocates it for the run alone


def _signature_tensors(signature: Signature) -> Iterator[Finding]:
    graph = signature.graph
    outputs = [output.value for output in graph.outputs]
    for side, named, known in (("input", signature.inputs, graph.inputs), ("output", signature.outputs, outputs)):
        for key, entry in named.items():
            where = f"signature {signature.key}, {side} {key}"
            target = entry.mention.target if entry.mention is not None else None
            if not is_present(target):
                text = entry.mention.text if entry.mention is not None else "nothing"
                what = f"it names tensor {text}, which the subgraph does not have"
                yield Finding("error", where, what, "name a tensor of the subgraph", "signature-tensor")
            elif not any(value is target for value in known):
                what = f"it names {target}, which is no {side} of its subgraph"
                hint = "gs add-output makes it one" if side == "output" else "make it an input of the subgraph"
                # Interpreters die, or yield it; not what the delegate computes, which keeps it to itself.
                is_fed_in_vain = side == "input" and any(value is target for value in outputs)  # and then computed
                is_refused = not is_fed_in_vain if side == "input" else _is_delegated(target)
                severity: Severity = "error" if is_refused else "warning"
                yield Finding(severity, where, what, hint, "signature-tensor")
