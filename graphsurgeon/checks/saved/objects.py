"""Rules about the object graph of a SavedModel, which `tf.saved_model.load` makes Python objects of.

Facts are of TensorFlow 2.21's `load.py`, `function_deserialization.py` and `variables.py`. The loader makes every
object, reached or not; only what is read when it is used is a matter of what uses it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from graphsurgeon.analysis.names import INTERNAL
from graphsurgeon.formats.graph.objectgraph import MISSING, is_known_version, stored_faults
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import ObjectGraph, ObjectNode
from graphsurgeon.model.tensor import Tensor

_SIGNATURES = "signature_map"
_CALLABLE = frozenset({"function", "bare_concrete_function"})
# No tensor is made of these, so no function can capture them. A user object may be of a class that can be captured.
_NO_TENSOR = _CALLABLE
_UNASKED = frozenset({"asset", "constant", "resource"})
_INNER = "captured_tensor"
_HINT = "take the model from its source, or save it anew"


def objects(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find objects that are not there, that are of no kind, or that lack what the loader makes them of."""
    graph = metagraph.objects
    if graph is None:
        return
    if not graph.nodes:
        yield _finding("object graph", "it has no objects, not even the one that loading returns")
    else:
        yield from _root(metagraph, graph)
    known = {entry.function for entry in graph.concrete_functions}
    for number, node in enumerate(graph.nodes):
        where = f"object {number}"
        for what in (*_edges(node), *_own(node), *stored_faults(node)):
            yield _finding(where, what)
        counts = Counter(name for name, _ in node.children)
        for name in (name for name, count in counts.items() if count > 1):
            lost = [child for local, child in node.children if local == name][:-1]
            # What lies below a function is what was traced: nobody asks for it by name, nor for a file or a constant.
            is_asked = node.kind not in _CALLABLE and any(child.kind not in _UNASKED for child in lost)
            severity: Severity = "error" if is_asked else "warning"
            what = f"it has {counts[name]} children {name!r}, of which one is kept"
            yield Finding(severity, where, what, _HINT, "object-graph")
        for function in node.functions if node.kind in _CALLABLE else ():
            if function not in known and not isinstance(function, str):
                yield _finding(where, f"the object graph does not say what its function {function.name!r} captures")
    yield from _functions(graph)


def _root(metagraph: MetaGraph, graph: ObjectGraph) -> Iterator[Finding]:
    if graph.root.kind not in ("user_object", ""):  # of no kind is told elsewhere
        yield _finding("object 0", f"loading returns it, and it is a {graph.root.kind}")
    public = [key for key in metagraph.signatures if not key.startswith(INTERNAL)]
    holder = graph.root.child("signatures")
    if public and holder is None:
        yield _finding("object 0", "it has no child 'signatures', by which tf.saved_model.load finds them")
    elif holder is not None and (holder.identifier != _SIGNATURES or not is_known_version(holder)):
        yield _finding("object 0", "its child 'signatures' is not what holds signatures")
    elif holder is not None:
        for name, child in holder.children:
            if child.kind not in _CALLABLE | {MISSING}:
                yield _finding("object graph", f"the signature {name!r} is no function")
    circle = _dependency_circle(graph)
    if circle:
        yield _finding("object graph", f"{len(circle)} objects wait for each other to be loaded")


def _dependency_circle(graph: ObjectGraph) -> set[ObjectNode]:
    """Return objects that depend on each other, or on such as do (`_generate_ordered_node_ids` of load.py)."""
    captures = {entry.function: entry.bound_inputs for entry in graph.concrete_functions}
    waiting = {node: set(_made_before(node, captures)) for node in graph.nodes}
    for node in graph.nodes:
        for of, _, slot in node.slots:  # made by the optimizer, for the variable
            waiting.setdefault(slot, set()).update((node, of))
    while True:
        ready = [node for node, before in waiting.items() if before.isdisjoint(waiting)]
        if not ready:
            return set(waiting)
        for node in ready:
            del waiting[node]


def _made_before(node: ObjectNode, captures: Mapping[Graph | str, Sequence[ObjectNode]]) -> Iterator[ObjectNode]:
    yield from (child for _, child in node.dependencies)
    for function in node.functions if node.kind in _CALLABLE else ():
        yield from captures.get(function, ())
    maker = node.child("_create_resource") if node.kind == "resource" else None
    if maker is not None:
        yield maker


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
    if node.kind == "bare_concrete_function" and not any(
        function != "" for function in node.functions
    ):  # no nodes: false
        yield "it is a function without a name"
    named = node.mention.node if node.kind == "constant" and node.mention is not None else None
    if named is not None and not isinstance(named.attrs.get("value"), Tensor):
        yield f"it is a constant, and {named.name!r} is none"
    for name, pair in node.saveables.items():
        if any(end.kind not in _CALLABLE | {MISSING} for end in pair):
            yield f"what saves or restores {name!r} is no function"


def _functions(graph: ObjectGraph) -> Iterator[Finding]:
    named = {function for node in graph.nodes for function in node.functions if node.kind in _CALLABLE}
    for entry in graph.concrete_functions:
        name = entry.function if isinstance(entry.function, str) else entry.function.name
        where = f"object graph, function {name}"
        for captured in entry.bound_inputs:
            if captured.kind == MISSING:
                yield _finding(where, f"it captures object {captured.raw}, which there is not")
            elif captured.kind == "resource" and captured.child("_create_resource") is None:
                yield _finding(where, "it captures a resource that has no function '_create_resource', which makes it")
            elif captured.kind == _INNER and entry.function in named:
                yield _finding(where, "it captures a tensor of another function, which only gradients do")
            elif captured.kind in _NO_TENSOR or captured.identifier in ("_generic_user_object", _SIGNATURES):
                yield _finding(where, "it captures an object of which no tensor can be made")
        for what in stored_faults(entry):
            yield _finding(where, what)
