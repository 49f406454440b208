"""Rules about the object graph of a SavedModel, which `tf.saved_model.load` makes Python objects of.

Facts are of TensorFlow 2.21's `load.py`, `function_deserialization.py` and `variables.py`. The loader makes every
object, reached or not; only what is read when it is used is a matter of what uses it.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.formats.graph.objectgraph import MISSING, stored_faults
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import ObjectGraph, ObjectNode

_SIGNATURES = "signature_map"
_CALLABLE = frozenset({"function", "bare_concrete_function"})
# No tensor is made of these, so no function can capture them. A user object may be of a class that can be captured.
_NO_TENSOR = _CALLABLE
_HINT = "take the model from its source, or save it anew"


def objects(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find objects that are not there, that are of no kind, or that lack what the loader makes them of."""
    graph = metagraph.objects
    if graph is None:
        return
    if not graph.nodes:
        yield _finding("object graph", "it has no objects, not even the one that loading returns")
    known = {entry.function for entry in graph.concrete_functions}
    for number, node in enumerate(graph.nodes):
        where = f"object {number}"
        for what in (*_edges(node), *_own(node), *stored_faults(node)):
            yield _finding(where, what)
        for function in node.functions if node.kind in _CALLABLE else ():
            if function not in known and not isinstance(function, str):
                yield _finding(where, f"the object graph does not say what its function {function.name!r} captures")
    yield from _functions(graph)


def _finding(where: str, what: str) -> Finding:
    return Finding("error", where, what, _HINT, "object-graph")


def _edges(node: ObjectNode) -> Iterator[str]:
    edges = [(f"child {name!r}", child) for name, child in node.children]
    edges += [(f"dependency {name!r}", child) for name, child in node.dependencies]
    edges += [(f"slot {name!r}", end) for of, name, slot in node.slots for end in (of, slot)]
    edges += [(f"saving of {name!r}", end) for name, pair in node.saveables.items() for end in pair]
    for name, target in edges:
        if target.kind == MISSING:
            yield f"its {name} is object {target.raw}, which there is not"


def _own(node: ObjectNode) -> Iterator[str]:
    if not node.kind:
        yield "it is of no kind that the loader knows"
    if node.kind == "variable" and node.dtype is not None and not node.dtype.number:
        yield f"the variable {node.name!r} has no dtype"
    if node.kind == "user_object" and node.identifier == _SIGNATURES:
        for name, child in node.children:
            if child.kind not in _CALLABLE | {MISSING}:
                yield f"its signature {name!r} is no function"


def _functions(graph: ObjectGraph) -> Iterator[Finding]:
    for entry in graph.concrete_functions:
        name = entry.function if isinstance(entry.function, str) else entry.function.name
        where = f"object graph, function {name}"
        for captured in entry.bound_inputs:
            if captured.kind == MISSING:
                yield _finding(where, f"it captures object {captured.raw}, which there is not")
            elif captured.kind in _NO_TENSOR or captured.identifier in ("_generic_user_object", _SIGNATURES):
                yield _finding(where, "it captures an object of which no tensor can be made")
        for what in stored_faults(entry):
            yield _finding(where, what)
