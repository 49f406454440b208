"""Rules about variables that functions capture: whether their values are what the functions can compute with.

A function gets the handles of what it captures behind its arguments, whatever they stand for; reading one gives a value
of the variable's own shape (`load.py` and `ReadVariableOp` of TensorFlow 2.21). What was recorded when the function was
made is not looked at; what the value then goes into is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphsurgeon.analysis.flow.calls import run_function
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import ConcreteFunction, ObjectNode
from graphsurgeon.model.shape import Shape
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.propagate import ASSUMED, RECORDS

_READ = "ReadVariableOp"
_RECORDED = "_output_shapes"
_HINT = "take the model from its source, or save it anew"


def captures(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find functions that capture variables of shapes or dtypes with which their ops cannot compute."""
    objects = metagraph.objects
    reads: dict[Value, list[Node]] = {}
    for entry in objects.concrete_functions if objects is not None else ():
        if isinstance(entry.function, Graph):
            for what in _faults(entry, entry.function, reads):
                where = f"object graph, function {entry.function.name}"
                yield Finding("error", where, what, _HINT, "object-capture")


def _faults(entry: ConcreteFunction, function: Graph, known: dict[Value, list[Node]]) -> Iterator[str]:
    first = len(function.inputs) - len(entry.bound_inputs)
    if first < 0:
        return  # told as such
    others: dict[Graph, dict[str | Value, Shape | Sequence[int | None]]] = {}
    names: dict[Graph, str] = {}
    for argument, captured in zip(function.inputs[first:], entry.bound_inputs, strict=True):
        if captured.kind == "variable":
            for read in _reads(argument, known, 0):
                dtype = read.attrs.get("dtype")
                if isinstance(dtype, DType) and captured.dtype is not None and dtype.base is not captured.dtype.base:
                    yield f"it reads the variable {captured.name!r} as {dtype}, which is {captured.dtype}"
                elif _is_other(read, captured) and captured.shape is not None:
                    others.setdefault(read.graph, {})[read.outputs[0]] = captured.shape
                    names.setdefault(read.graph, captured.name)
    for graph, assumed in others.items():
        shown = f"with the shape of the variable {names[graph]!r}"
        found = (one for one in infer_shapes(graph, assume=assumed).findings)
        real = next((one for one in found if RECORDS not in one.what and ASSUMED not in one.what), None)
        if real is not None:
            yield f"{shown}, node {real.where} of {graph.name}: {real.what}"


def _reads(handle: Value, known: dict[Value, list[Node]], depth: int) -> list[Node]:
    """Return the nodes that read what a handle stands for, in its function and those it is passed to."""
    if handle not in known:
        known[handle] = []  # a circle ends here
        for node in handle.consumers:
            if node.op == _READ:
                known[handle].append(node)
                continue
            callee = node.callee or run_function(node)
            places = [place for place, value in enumerate(node.inputs) if value is handle] if callee else []
            for place in places if depth < _MOST_DEPTH else ():
                if callee is not None and place < len(callee.inputs):
                    known[handle] += _reads(callee.inputs[place], known, depth + 1)
    return known[handle]


_MOST_DEPTH = 48  # of calls within calls


def _is_other(read: Node, captured: ObjectNode) -> bool:
    recorded = read.attrs.get(_RECORDED)
    shape = recorded[0] if isinstance(recorded, list) and recorded else None
    return isinstance(shape, Shape) and captured.shape is not None and not shape.is_compatible_with(captured.shape)
