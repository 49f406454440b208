"""Rules about what a node says of itself beside its attributes: place, order of inputs, names inside functions.

Facts are of TensorFlow 2.21: `graph_constructor.cc`, `function.cc`, and of Python `importer.py`, `device_spec.py` and
`function_deserialization.py`. Python's importer asks more of a node than the one in C++; `tf.saved_model.load` goes
through it for each function of the library, so a function is judged like the main graph where there are objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.flow.load_path import init_node
from graphsurgeon.checks.places import Nodes, every_node, place
from graphsurgeon.formats.graph.values.attr_kinds import class_fault, has_data_after_controls
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import upstream

_LEGAL_INSIDE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.\\/>-]*")  # internal names too: `IsValidNodeName`
_DEVICES = frozenset({"CPU", "GPU", "TPU"})  # that may be named without `device:` (device_spec.py)
_NUMBER = re.compile(r"\s*[-+]?\d+(_\d+)*\s*")  # what int() takes
_AGAIN = "get the file again"


def reached(metagraph: MetaGraph) -> frozenset[Graph]:
    """Return the graphs that a loader or a run looks into: of a model with objects all of them are made."""
    if metagraph.objects is not None and metagraph.objects.nodes:
        return frozenset(metagraph.graphs)
    return frozenset((metagraph.graph, *reached_functions([metagraph.graph])))


def severity_in(graph: Graph, known: frozenset[Graph]) -> Severity:
    """Return what a fault that only a run would notice is: an error only where something gets there."""
    return "error" if graph in known else "warning"


class Running:
    """What a loader or a signature runs, found out when it is first asked for.

    Of a graph alone everything can be run. Of a MetaGraph with signatures or objects that is what restores, what runs
    on load, what computes a signature's outputs, and the functions that objects stand for: not what only saves.
    """

    def __init__(self, metagraph: MetaGraph) -> None:
        self._metagraph = metagraph

    def severity(self, node: Node) -> Severity:
        """Return what a fault of a node is that only a run would notice."""
        return "error" if node in self._nodes or node.graph in self._functions else "warning"

    def severity_in_graph(self, function: Graph) -> Severity:
        """Return the same of what a function declares: a session looks at what the main graph calls, run or not.

        `tf.saved_model.load` makes the functions of objects anew.
        """
        return "error" if function in self._called_at_all else "warning"

    @cached_property
    def _nodes(self) -> set[Node]:
        objects = self._metagraph.objects
        if not self._metagraph.signatures and (objects is None or not objects.nodes):
            return set(self._metagraph.graph.nodes)
        saver, init = self._metagraph.saver, init_node(self._metagraph)
        starts = [node for node in (saver.restore.node if saver is not None else None, init) if node is not None]
        for signature in self._metagraph.signatures.values():
            starts += [
                mention.node for entry in signature.outputs.values() for mention in entry.mentions if mention.node
            ]
        return set(upstream(starts))

    @cached_property
    def _called_at_all(self) -> set[Graph]:
        return set(reached_functions([self._metagraph.graph]))

    @cached_property
    def _called(self) -> set[Graph]:
        named = {function for node in self._nodes for function in node.functions}
        return {*named, *reached_functions(named)}

    @cached_property
    def _functions(self) -> set[Graph]:
        objects = self._metagraph.objects
        entries = objects.concrete_functions if objects is not None else ()
        named = {entry.function for entry in entries if isinstance(entry.function, Graph)}
        return {*self._called, *named, *reached_functions(named)}


def places(metagraph: MetaGraph, nodes: Nodes = every_node) -> Iterator[Finding]:
    """Find devices and colocations that Python's importer cannot read."""
    has_objects = metagraph.objects is not None and bool(metagraph.objects.nodes)
    is_saved = has_objects or bool(metagraph.tags)  # tf.saved_model.load makes each function of the library
    for graph in metagraph.graphs if is_saved else [metagraph.graph]:
        known: dict[str, str] = {}
        for node in nodes(graph):
            device = node.device
            if device and device not in known:
                known[device] = _device_fault(device)
            if device and known[device] and not _is_colocated(node):
                what = f"its device {device!r} {known[device]}"
                yield Finding("error", place(graph, node), what, "gs strip --only devices takes it out", "device")
            fault = class_fault(node)
            if fault:
                what = f"its attribute '_class' {fault}"
                yield Finding("error", place(graph, node), what, "gs strip takes such hints out", "colocation")


def _is_colocated(node: Node) -> bool:
    """Say whether a node goes where another one is: its own device is not looked at then (importer.py)."""
    names, own = node.attrs.get("_class"), f"loc:@{node.name}".encode()
    others = (name for name in names if name != own) if isinstance(names, list) else ()
    return any(isinstance(name, bytes) and name.startswith(b"loc:@") for name in others)


def _device_fault(device: str) -> str:
    """Judge a device as `DeviceSpecV2._string_to_components` of device_spec.py does."""
    types = 0
    for text in device.split("/"):
        parts = text.split(":")
        head, count = parts[0], len(parts)
        number = parts[-1] if count > 1 else "0"
        if count == 2 and head == "job":
            continue
        if count == 2 and head in ("replica", "task"):
            if not _NUMBER.fullmatch(number):
                return f"has no number in {text!r}"
        elif (count in (1, 2) and head.upper() in _DEVICES) or (count == 3 and head == "device"):
            types += 1
            if number != "*" and not _NUMBER.fullmatch(number):
                return f"has no number in {text!r}"
        elif head:
            return f"has a part {text!r} that no importer knows"
    return "has several types" if types > 1 else ""


def input_order(metagraph: MetaGraph, nodes: Nodes = every_node) -> Iterator[Finding]:
    """Find nodes with an input behind a control input."""
    known = reached(metagraph)
    for graph in metagraph.graphs:
        for node in nodes(graph):
            if has_data_after_controls(node):
                what = "an input stands behind a control input"
                yield Finding(severity_in(graph, known), place(graph, node), what, _AGAIN, "input-order")


def names_inside(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find names of nodes and arguments in functions from which no graph can be made."""
    known = reached(metagraph)
    for graph in metagraph.graphs:
        if graph is metagraph.graph:
            continue
        is_made = bool(metagraph.tags) and graph in known  # by Python, which takes no name of an internal node
        for name, where in _named(graph):
            is_internal = name.startswith("_") and is_made and graph.node(name) is not None
            if is_internal or _LEGAL_INSIDE.fullmatch(name) is None:
                what = f"{name!r} is no legal name"
                yield Finding(severity_in(graph, known), where, what, "gs rename --graph", "illegal-name")


def _named(graph: Graph) -> Iterator[tuple[str, str]]:
    for value in graph.inputs:
        yield value.name or "", place(graph)
    for node in graph.nodes:
        yield node.name, place(graph, node)


def empty_functions(metagraph: MetaGraph, nodes: Nodes = every_node) -> Iterator[Finding]:
    """Find attributes that stand for a function and name none."""
    known = reached(metagraph)
    for graph in metagraph.graphs:
        for node in nodes(graph):
            if _runs_none(node):
                what = "an attribute for a function names none"
                yield Finding(severity_in(graph, known), place(graph, node), what, _AGAIN, "missing-function")


def _runs_none(node: Node) -> bool:
    return any(not ref.name for ref in node.function_refs)
