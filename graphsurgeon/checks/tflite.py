"""Rules about TFLite subgraphs: tensors, operators, signatures, quantization."""

from __future__ import annotations

import math
from collections.abc import Iterator

from graphsurgeon.checks.calls import call_circle
from graphsurgeon.checks.places import is_present
from graphsurgeon.errors import plural
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.quantization import Quantization

_MOST_ELEMENTS = 1 << 60
_BRANCHES = frozenset({"IF", "STABLEHLO_CASE"})


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
                yield from (_outside(_operator(graph, number, node), side, value) for value in outside)
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
            where = _operator(graph, number, node)
            if node.op.startswith("#"):
                what = f"its operator code {node.op} is not in the model"
                yield Finding("error", where, what, "convert the model anew", "operator-code")
            for ref in node.function_refs:
                if ref.graph is None:
                    what = f"it runs the subgraph {ref.name}, which the model does not have"
                    yield Finding("error", where, what, "convert the model anew", "subgraph-index")
            yield from _branches(where, node)


def recursion(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find subgraphs that run themselves, which interpreters follow until they crash."""
    circle = call_circle(metagraph.graphs)
    if circle:
        names = " -> ".join(graph.name or "main" for graph in [*circle, circle[0]])
        yield Finding("error", "model", f"subgraphs run each other: {names}", "convert the model anew", "recursion")


def _branches(where: str, node: Node) -> Iterator[Finding]:
    """Find branches that take or give other numbers of tensors than their operator."""
    if node.op not in _BRANCHES:
        return
    for name, ref in node.attrs.items():
        branch = ref.graph if isinstance(ref, FunctionRef) else None
        if branch is None:
            continue
        counts = (len(branch.inputs), len(branch.outputs))
        if counts != (len(node.inputs) - 1, len(node.outputs)):
            what = f"its {name} takes {counts[0]} tensors and gives {counts[1]}"
            hint = f"it has {len(node.inputs) - 1} beside the condition, and {len(node.outputs)} results"
            yield Finding("error", where, what, hint, "subgraph-tensors")


def order(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find tensors that are read before they are made: operators run in the order of the file."""
    for graph in metagraph.graphs:
        made = {id(value) for value in graph.inputs}
        for number, node in enumerate(graph.nodes):
            for value in node.inputs:
                is_late = value.producer is not None and id(value) not in made and not _is_variable(value)
                if is_late and value.tensor is None and not value.is_absent and not value.is_dangling:
                    what = f"it reads {value}, which an operator behind it makes"
                    hint = "operators run in the order of the file: sort them"
                    yield Finding("error", _operator(graph, number, node), what, hint, "operator-order")
            made.update(id(value) for value in node.outputs)


def _is_variable(value: Value) -> bool:
    return bool(value.extra and value.extra.get("is_variable"))


def custom_operators(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find operators that an interpreter has only if they are registered: one note an operator."""
    found: dict[str, int] = {}
    for graph in metagraph.graphs:
        for op, count in graph.op_counts.items():
            if not op.isupper():
                found[op] = found.get(op, 0) + count
    for op, count in found.items():
        flex = op.startswith("Flex")
        hint = "link the Flex delegate (select TensorFlow ops)" if flex else "register it with the interpreter"
        yield Finding("note", f"operator {op}", f"custom, used {plural(count, 'time')}", hint, "custom-operator")


def signatures(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find signatures that name no tensor, or tensors that are not inputs or outputs of their subgraph."""
    for signature in metagraph.signatures.values():
        number = signature.raw.get("subgraph_index") if signature.raw is not None else 0
        count = len(signature.raw.image.root("Model").tables("subgraphs")) if number else 1  # as it was read
        if number >= count or signature.graph not in metagraph.graphs:
            what = f"it is for subgraph {number} of {len(metagraph.graphs)}"
            yield Finding("error", f"signature {signature.key}", what, "remove it", "signature-subgraph")
            continue
        yield from _signature_tensors(signature)


def _signature_tensors(signature: Signature) -> Iterator[Finding]:
    graph = signature.graph
    outputs = [output.value for output in graph.outputs]
    for side, entries, known in (("input", signature.inputs, graph.inputs), ("output", signature.outputs, outputs)):
        for key, entry in entries.items():
            where = f"signature {signature.key}, {side} {key}"
            target = entry.mention.target if entry.mention is not None else None
            if not is_present(target):
                text = entry.mention.text if entry.mention is not None else "nothing"
                what = f"it names tensor {text}, which the subgraph does not have"
                yield Finding("error", where, what, "name a tensor of the subgraph", "signature-tensor")
            elif not any(value is target for value in known):
                what = f"it names {target}, which is no {side} of its subgraph"
                hint = "gs add-output makes it one" if side == "output" else "make it an input of the subgraph"
                yield Finding("warning", where, what, hint, "signature-tensor")


def sizes(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find shapes that no memory holds."""
    for graph in metagraph.graphs:
        for value in graph.values:
            stored = value.raw.table.scalars("shape") if value.raw is not None else ()
            if any(dim < 0 for dim in stored) or math.prod(stored) > _MOST_ELEMENTS:
                what = f"its shape is stored as {list(stored)}"
                where = f"{_subgraph(graph)}tensor {value} (#{value.port})"
                hint = "an unknown dimension is stored as 1, and -1 in shape_signature"
                yield Finding("error", where, what, hint, "tensor-shape")


def quantization(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find scales that do not fit the tensor."""
    for graph in metagraph.graphs:
        for value in graph.values:
            found = value.extra.get("quantization") if value.extra else None
            if isinstance(found, Quantization) and found.is_quantized:
                yield from _scales(f"{_subgraph(graph)}tensor {value} (#{value.port})", value, found)


def _scales(where: str, value: Value, found: Quantization) -> Iterator[Finding]:
    hint = "convert the model anew"
    if found.scales is not None or found.custom:
        return
    if len(found.zero_point) not in (0, 1, len(found.scale)):
        what = f"{plural(len(found.scale), 'scale')} and {plural(len(found.zero_point), 'zero point')}"
        yield Finding("error", where, what, hint, "quantization")
    rank = value.shape.rank if value.shape is not None else None
    if len(found.scale) > 1 and rank is not None and value.shape is not None and value.shape.dims is not None:
        if not 0 <= found.axis < max(rank, 1):
            what = f"its scales run along dimension {found.axis} of {rank}"
            yield Finding("error", where, what, hint, "quantization")
        elif rank and value.shape.dims[found.axis] not in (None, len(found.scale)):
            what = f"{len(found.scale)} scales for {value.shape.dims[found.axis]} channels"
            yield Finding("error", where, what, hint, "quantization")


def _subgraph(graph: Graph) -> str:
    return f"subgraph {graph.name or 'main'}, " if graph.metagraph.functions else ""


def _operator(graph: Graph, number: int, node: Node) -> str:
    return f"{_subgraph(graph)}operator #{number} ({node.op})"
