"""Rules about attributes: whether each is of the kind that its op defines, and a value that loaders take.

They are those of `AttrValueHasType` (attr_value_util.cc) and `ValidateAttrValue` (op_def_util.cc), to which every
importer holds the nodes of the main graph, and a run those of the functions that it reaches. Attributes that the op
does not define are nobody's business: importers drop them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from graphsurgeon.checks.graphs.nodes import Running, reached, severity_in
from graphsurgeon.checks.graphs.ops import definition
from graphsurgeon.checks.places import Nodes, every_node, place
from graphsurgeon.formats.graph.values import attr_kinds
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import ENTERS
from graphsurgeon.ops.opdef import AttrDef, OpDef

_OF_KERNELS = frozenset({"bool", "float", "string"})  # kinds of attributes that shapes and types seldom hang on


def kinds(metagraph: MetaGraph, nodes: Nodes = every_node) -> Iterator[Finding]:
    """Find attributes of another kind than the op defines, empty ones, and types, numbers and shapes that cannot be."""
    known, running = reached(metagraph), Running(metagraph)
    for graph in metagraph.graphs:
        for node in nodes(graph):
            opdef = definition(node) if node.callee is None else None
            if opdef is not None:
                yield from _of_node(node, opdef, severity_in(graph, known), running)


def _of_node(node: Node, opdef: OpDef, instantiated: Severity, running: Running) -> Iterator[Finding]:
    stored = attr_kinds.StoredAttrs(node)
    for name, attr in opdef.attrs.items():
        value = stored.get(name)
        if value is None:
            continue
        found = attr_kinds.kinds(value)
        if found == (attr.type,):
            what = _value_fault(attr, value)
        else:
            is_asked = _counts(node, opdef, name)
            what = _kind_fault(attr, value, found, is_main=node.graph.kind == "main", is_asked=is_asked)
        if not what and name == "parallel_iterations" and node.op in ENTERS and node.attrs.get(name) == 0:
            what = "is 0: the process that runs the loop ends"
        if what:
            hint = "set it in Python (`node.attrs`), or get the file again"
            # Importers leave what a caller gives to those who read it: kernels, which only what runs has.
            is_left = found == (attr_kinds.PLACEHOLDER,) and attr.type in _OF_KERNELS
            severity: Severity = running.severity(node) if is_left else "error"
            yield Finding(severity, place(node.graph, node), f"its attribute {name!r} {what}", hint, "attribute-kind")
    for name in stored.names() if node.graph.kind != "main" else ():
        value = stored.get(name)
        found = attr_kinds.kinds(value)
        if name not in opdef.attrs and not found:
            yield _undefined(node, name, f"{name!r} is empty")
        elif value is not None and found == (attr_kinds.PLACEHOLDER,) and not _is_given(node.graph, value.placeholder):
            what = f"{name!r} is left to a caller ({value.placeholder!r}), and none gives that"
            yield replace(_undefined(node, name, what), severity=instantiated)


def _is_given(function: Graph, name: str) -> bool:
    """Say whether callers of a function have an attribute to give, which is put in place of its name."""
    raw: Any = function.raw
    return raw is None or name in raw.opdef(function).attrs


def left_to_callers(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find attributes that their op does not define and that a caller would have to give, in a main graph.

    Importers drop what is not defined, whatever it holds; this alone `tf.saved_model.load` refuses, where it imports
    the main graph. With objects it takes the functions alone.
    """
    if metagraph.tags is None or (metagraph.objects is not None and metagraph.objects.nodes):
        return
    for node in metagraph.graph.nodes:
        opdef = definition(node) if node.callee is None else None
        if opdef is not None:
            stored = attr_kinds.StoredAttrs(node)
            for name in stored.names():
                if name not in opdef.attrs and attr_kinds.kinds(stored.get(name)) == (attr_kinds.PLACEHOLDER,):
                    yield _undefined(node, name, f"{name!r} is left to a caller, and the main graph has none")


def _undefined(node: Node, name: str, what: str) -> Finding:
    is_recorded = name == "_output_shapes"
    hint = (
        "gs strip --only recorded-shapes takes it out"
        if is_recorded
        else "del node.attrs[...] in Python, or get the file again"
    )
    return Finding("error", place(node.graph, node), f"its attribute {what}", hint, "attribute-kind")


def _counts(node: Node, opdef: OpDef, name: str) -> bool:
    """Say whether a list of types says how many inputs or results a node has, and it has some."""
    takes = bool(node.inputs) and any(arg.type_list_attr == name for arg in opdef.inputs)
    gives = any(ref.graph is not None and ref.graph.outputs for ref in node.function_refs)
    return takes or (gives and any(arg.type_list_attr == name for arg in opdef.outputs))


def _kind_fault(attr: AttrDef, value: Any, found: tuple[str, ...], *, is_main: bool, is_asked: bool) -> str:
    if found == (attr_kinds.PLACEHOLDER,):
        what = f"is left to a caller ({value.placeholder!r}), and the main graph has none"
        return what if is_main else ""
    is_list = attr.type.startswith("list(")
    if is_list and found == ("list",):
        return _size_fault(attr, 0)
    if not found or found == ("list",):
        # A list that was left empty is written as nothing by old versions; in functions nothing may be empty.
        may_be = is_main and not is_asked and (is_list or attr.has_default)  # importers put the default in
        return "" if may_be else f"is empty, and its kind is {attr.type}"
    shown = " and ".join(found)
    return f"is a {shown}, and its kind is {attr.type}"


def _value_fault(attr: AttrDef, value: Any) -> str:
    kind = attr.type.removeprefix("list(").removesuffix(")")
    if kind == "type":
        return next((fault for fault in map(_type_fault, attr_kinds.types(value)) if fault), "")
    if kind == "shape":
        fault = attr_kinds.shape_fault(value)
        return f"is {fault}" if fault else ""
    return _size_fault(attr, attr_kinds.size(value)) if attr.has_minimum else ""


def _type_fault(number: int) -> str:
    dtype = DType.of(number)
    if not number:
        return "is the type 0, which stands for none"
    if dtype.is_ref and dtype.base is not dtype:
        return f"is {dtype}: no attribute may be a reference"
    return f"is the type {number}, which there is not" if dtype.name == f"dtype_{number}" else ""


def _size_fault(attr: AttrDef, size: int) -> str:
    if not attr.has_minimum or size >= attr.minimum:
        return ""
    if attr.type.startswith("list("):
        return f"has {size} entries, at least {attr.minimum} must be"
    return f"is {size}, at least {attr.minimum} must be"
