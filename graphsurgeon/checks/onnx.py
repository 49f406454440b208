"""Rules about ONNX graphs: names, order, and nodes against the definitions of their ops.

What is an error follows `onnx.checker` and the loaders of ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphsurgeon.checks.graphs.calls import call_circle
from graphsurgeon.errors import GraphSurgeonError, plural
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.stored import missing_bytes
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops import onnx
from graphsurgeon.shapes import infer_shapes

_AGAIN = "export the model anew"
_FIRST_IR_WITH_OPSETS = 3
_FIRST_IR_WITH_FREE_INITIALIZERS = 4
# What an attribute holds, by the type that the op's definition gives it.
_KINDS: dict[str, tuple[type, ...]] = {
    "float": (float,), "int": (int, DType), "string": (bytes,), "tensor": (Tensor,), "graph": (FunctionRef,),
    "sparse_tensor": (Tensor,), "type_proto": (bytes,),
}  # fmt: skip
_BODIES = {"then_branch", "else_branch"}


def opsets(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find a model that does not say which versions of the ops it means."""
    version = metagraph.producer.get("ir_version") or 0
    if not version:
        yield Finding("error", "model", "it has no IR version", _AGAIN, "ir-version")
    if version >= _FIRST_IR_WITH_OPSETS and not _opsets(metagraph):
        what = "it imports no version of any op set (opset_import)"
        yield Finding("error", "model", what, _AGAIN, "opset")
    elif version < _FIRST_IR_WITH_OPSETS and _opsets(metagraph):
        what = f"IR version {version} has no opset_import"
        yield Finding("error", "model", what, _AGAIN, "opset")


def names(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find names that nothing defines, and names that two nodes, inputs or initializers define."""
    for graph in metagraph.graphs:
        yield from _undefined(graph)
        seen: set[str] = set()
        for value in graph.values:
            name = value.name or ""
            if name in seen:
                what = "two nodes, inputs or initializers define it"
                yield Finding("error", f"{_inside(graph)}value {name}", what, _AGAIN, "repeated-name")
            seen.add(name)


def _undefined(graph: Graph) -> Iterator[Finding]:
    for number, node in enumerate(graph.nodes):
        for value in node.inputs:
            if value.is_dangling:
                what = f"it reads {value}, which nothing defines"
                yield Finding("error", operator(graph, number, node), what, _AGAIN, "dangling-input")
    for output in graph.outputs:
        if output.value.is_dangling:
            what = f"its output {output.name} is computed by nothing"
            yield Finding("error", _graph(graph), what, _AGAIN, "dangling-output")


def order(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find values that are read before they are made: nodes must be sorted."""
    for graph in metagraph.graphs:
        made: set[Value] = set()
        for number, node in enumerate(graph.nodes):
            for value in node.inputs:
                if value.producer is not None and value not in made:
                    what = f"it reads {value}, which a node behind it makes"
                    yield Finding("error", operator(graph, number, node), what, "sort the nodes", "node-order")
            made.update(node.outputs)


def recursion(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find functions that call themselves."""
    circle = call_circle(metagraph.graphs)
    if circle:
        names = " -> ".join(graph.name or "main" for graph in [*circle, circle[0]])
        yield Finding("error", "model", f"functions call each other: {names}", _AGAIN, "recursion")


def unknown_ops(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find ops that ONNX does not have in the imported version, and count those of other domains."""
    imported = _opsets(metagraph)
    counts: dict[str, int] = {}
    for graph in metagraph.graphs:
        for op, count in graph.op_counts.items():
            if op not in metagraph.functions:
                counts[op] = counts.get(op, 0) + count
    for op, count in counts.items():
        yield from _of_op(op, count, imported)


def _of_op(op: str, count: int, imported: Mapping[str, int]) -> Iterator[Finding]:
    domain, used = onnx.domain_of(op), f"used {plural(count, 'time')}"
    if domain not in imported and imported:
        what = f"the model imports no version of its domain {domain}, {used}"
        yield Finding("error", f"op {op}", what, "add the domain to opset_import", "opset")
    elif domain not in onnx.DOMAINS:
        what = f"of the domain {domain}, {used}"
        yield Finding("note", f"op {op}", what, "only a runtime that has it runs the model", "custom-op")
    elif onnx.get(op, imported) is None and imported:
        first, newest = onnx.since(op), onnx.newest(domain)
        known = f"it came with version {first}" if first else f"no version up to {newest} has it"
        what = f"not in version {imported[domain]} of {domain}: {known}; {used}"
        is_certain = first is not None or imported[domain] <= newest
        yield Finding("error" if is_certain else "warning", f"op {op}", what, _AGAIN, "unknown-op")


def nodes_against_definitions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find nodes with inputs, outputs or attributes that their op does not have."""
    imported = _opsets(metagraph)
    for graph in metagraph.graphs:
        is_function = graph.name in metagraph.functions and bool(graph.attrs)
        for number, node in enumerate(graph.nodes):
            definition = onnx.get(node.op, imported) if node.callee is None else None
            if definition is not None:
                where = operator(graph, number, node)
                for what, rule in _faults(node, definition, in_function=is_function):
                    yield Finding("error", where, what, _AGAIN, rule)


def _faults(node: Node, definition: onnx.OnnxOp, *, in_function: bool) -> Iterator[tuple[str, str]]:
    if definition.is_deprecated:
        yield f"{node.op} is deprecated from version {definition.since} on", "deprecated-op"
    for side, values, counts in (
        ("input", node.inputs, definition.input_counts),
        ("output", node.outputs, definition.output_counts),
    ):
        if not counts[0] <= len(values) <= counts[1]:
            what = f"{plural(len(values), side)}, {node.op} has {_counted(counts)}"
            yield what, "node-arguments"
    for name, value in node.attrs.items():
        kind = definition.attributes.get(name)
        if kind is None and not name.startswith("_"):
            yield f"{node.op} has no attribute {name}", "node-attribute"
        elif kind is not None and not isinstance(value, str) and not _is_of(value, kind):
            yield f"attribute {name} is no {kind}", "node-attribute"
    missing = sorted(definition.required - node.attrs.keys())
    if missing and not in_function:
        yield f"attribute {missing[0]} is missing", "node-attribute"


def _is_of(value: AttrValue, kind: str) -> bool:
    if kind in _KINDS:
        return isinstance(value, _KINDS[kind])
    return isinstance(value, list) and all(isinstance(item, _KINDS[kind.removesuffix("s")]) for item in value)


def _counted(counts: tuple[int, int]) -> str:
    least, most = counts
    if least == most:
        return str(least)
    return f"{least} to {most}" if most < 1 << 16 else f"{least} or more"


def branches(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find branches of an If that yield another number of values than it."""
    for graph in metagraph.graphs:
        for number, node in enumerate(graph.nodes):
            for name in _BODIES & node.attrs.keys() if node.op == "If" else ():
                ref = node.attrs[name]
                body = ref.graph if isinstance(ref, FunctionRef) else None
                if body is not None and len(body.outputs) != len(node.outputs):
                    what = f"its {name} yields {plural(len(body.outputs), 'value')}, it has {len(node.outputs)}"
                    yield Finding("error", operator(graph, number, node), what, _AGAIN, "branch-outputs")


def formalities(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find what onnx.checker refuses and runtimes take."""
    graph, version = metagraph.graph, metagraph.producer.get("ir_version") or 0
    hint = "onnx.checker refuses it, runtimes take it"
    if not graph.name:
        yield Finding("warning", "main graph", "it has no name", hint, "formality")
    ends = dict.fromkeys([*graph.inputs, *(output.value for output in graph.outputs)])
    for value in (value for value in ends if not value.is_dangling):
        if value.shape is None or (value.shape.dims is None and value.dtype is not None and value.dtype.bits):
            yield Finding("warning", f"value {value}", "an input or output without a shape", hint, "formality")
    if version < _FIRST_IR_WITH_FREE_INITIALIZERS:
        for value in graph.values:
            if value.tensor is not None and value.producer is None and not (value.extra or {}).get("is_input"):
                what = f"in IR version {version} an initializer is an input too"
                yield Finding("warning", f"initializer {value}", what, hint, "formality")


def values(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find initializers whose values are not there: no file, a file outside the folder, or too few bytes."""
    for graph in metagraph.graphs:
        for value in graph.values:
            if value.tensor is not None:
                what = _fault_of(value.tensor)
                if what:
                    where = f"{_inside(graph)}initializer {value}"
                    yield Finding("error", where, what, "put its values back", "missing-values")


def _fault_of(tensor: Tensor) -> str:
    try:
        return missing_bytes(tensor)
    except GraphSurgeonError as error:
        return error.message


def contradictions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find nodes whose inputs their op cannot take, and recorded shapes that cannot be.

    A warning: a record that is false keeps no runtime from computing.
    """
    for found in infer_shapes(metagraph).findings:
        inside = f"subgraph {found.graph}, " if found.graph else ""
        yield Finding("warning", f"{inside}node {found.where}", found.what, _AGAIN, "shape")


def operator(graph: Graph, number: int, node: Node) -> str:
    """Name a node for a finding: by its name where it has one, else by its place."""
    return f"{_inside(graph)}node {node.name or f'#{number}'} ({node.op})"


def _inside(graph: Graph) -> str:
    return "" if graph is graph.metagraph.graph else f"subgraph {graph.name}, "


def _graph(graph: Graph) -> str:
    return "main graph" if graph is graph.metagraph.graph else f"subgraph {graph.name}"


def _opsets(metagraph: MetaGraph) -> Mapping[str, int]:
    found = metagraph.producer.get("opsets")
    return found if isinstance(found, dict) else {}


ONNX_RULES = (
    opsets,
    names,
    order,
    recursion,
    unknown_ops,
    nodes_against_definitions,
    branches,
    values,
    formalities,
)
