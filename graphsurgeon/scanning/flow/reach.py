"""When each node of a model runs: on load, when a signature or another function is called, or when nothing known does.

What the loaders do was measured with TensorFlow 2.21: the V1 loader (and Serving) runs the init ops and the restore op,
`tf.saved_model.load` the functions `_initialize` of resources and the restore functions of saveable objects. Functions
are entered as wholes, for TensorFlow keeps stateful nodes that nothing in a function's body needs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from graphsurgeon.analysis.flow.load_path import INIT_COLLECTIONS, INIT_SIGNATURE
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.objects import ObjectNode
from graphsurgeon.model.traversal import upstream
from graphsurgeon.scanning.flow.strings import function_names

_TRAIN_SIGNATURE = "__saved_model_train_op"
_MOST_FUNCTIONS = 200  # functions of the object graph that get a label each; a Keras model has a dozen for each layer


class Stage(IntEnum):
    """When, the worst first."""

    LOAD = 0
    RESTORE = 1
    RUN = 2
    SIGNATURE = 3
    FUNCTION = 4
    GRADIENT = 5
    SAVE = 6
    FETCH = 7  # a bare graph: any node may be fetched


@dataclass(frozen=True)
class Label:
    """One way in which nodes come to run."""

    stage: Stage
    name: str

    @property
    def when(self) -> str:
        """The way as a report says it."""
        if self.stage in (Stage.LOAD, Stage.RESTORE):
            return "load"
        if self.stage is Stage.FETCH:
            return "unknown"
        return f"{'signature' if self.stage is Stage.SIGNATURE else 'function'}:{self.name}"


class Reach:
    """Answers which labels reach a node, and on which way.

    Args:
        metagraph: whose graphs are walked; they are lifted.
        is_bare: a graph that was no SavedModel, of which any node may be fetched.
        fetched: nodes that a run asks for, if there is one.
    """

    def __init__(self, metagraph: MetaGraph, *, is_bare: bool, fetched: Iterable[Node] = ()) -> None:
        self._metagraph = metagraph
        self._is_bare = is_bare
        self.callers: dict[Graph, list[Node]] = {}
        self._nodes: dict[Label, set[Node]] = {}  # of main graphs
        self._ways: dict[Graph, dict[Label, Node | None]] = {}  # function -> label -> who calls it first
        self._runs: dict[Node, list[Graph]] = {}
        self._find_calls()
        starts = _Starts()
        starts.find(metagraph, fetched)
        for label, nodes in starts.nodes.items():
            self._spread(label, nodes, starts.functions.get(label, []))
        for label, functions in starts.functions.items():
            if label not in starts.nodes:
                self._spread(label, [], functions)
        if is_bare:
            self._spread(Label(Stage.FETCH, ""), list(metagraph.graph.nodes), [])
        self._spread_gradients()

    def labels(self, node: Node) -> list[Label]:
        """Return the ways on which a node runs, the worst first; none where nothing known runs it."""
        graph = node.graph
        if graph.kind == "function" or graph in self._ways:
            found = list(self._ways.get(graph, ()))
        else:
            found = [label for label, nodes in self._nodes.items() if node in nodes]
        return sorted(found, key=lambda label: (label.stage, label.name))

    def path(self, node: Node, label: Label | None) -> list[str]:
        """Return names from a label's start to a node: of calling nodes, functions, and the node."""
        names = [node.name or node.op]
        graph = node.graph
        seen = {graph}
        while graph.kind != "main":
            names.append(graph.name or "main")
            caller = self._ways.get(graph, {}).get(label) if label is not None else None
            if caller is None or caller.graph in seen:
                break
            graph = caller.graph
            seen.add(graph)
            names.append(caller.name or caller.op)
        if label is not None:
            names.append({Stage.LOAD: "load", Stage.RESTORE: "load", Stage.FETCH: ""}.get(label.stage, label.name))
        return [name for name in reversed(names) if name]

    @cached_property
    def functions(self) -> list[Graph]:
        """Functions that something reaches."""
        return list(self._ways)

    def _find_calls(self) -> None:
        functions = self._metagraph.functions
        swapped = _interchangeable(functions.values())
        for graph in self._metagraph.graphs:
            for node in graph.nodes:
                run = [*node.functions, *(functions[name] for name in function_names(node) if name in functions)]
                if not run:
                    continue
                run += [other for function in run for other in swapped.get(function, ())]
                self._runs[node] = list(dict.fromkeys(run))
                for function in self._runs[node]:
                    self.callers.setdefault(function, []).append(node)

    def _spread(self, label: Label, nodes: Iterable[Node], functions: Iterable[Graph]) -> None:
        main = set(upstream(nodes))
        if main:
            self._nodes.setdefault(label, set()).update(main)
        waiting: list[tuple[Graph, Node | None]] = [(function, None) for function in functions]
        waiting += [(function, node) for node in main for function in self._runs.get(node, ())]
        while waiting:
            function, caller = waiting.pop()
            ways = self._ways.setdefault(function, {})
            if label in ways:
                continue
            ways[label] = caller
            waiting += [(inner, node) for node in function.nodes for inner in self._runs.get(node, ())]

    def _spread_gradients(self) -> None:
        """Enter the functions that compute gradients of what runs; `SymbolicGradient` runs them at once."""
        metagraph = self._metagraph
        for node, run in self._runs.items():
            if node.op == "SymbolicGradient":
                names = [metagraph.gradients.get(function.name, "") for function in run]
                for label in self.labels(node):
                    found = [metagraph.functions[name] for name in names if name in metagraph.functions]
                    self._spread(label, [], found)
        for graph in metagraph.functions.values():
            gradient = metagraph.functions.get(metagraph.gradients.get(graph.name, ""))
            if gradient is not None and graph in self._ways and gradient not in self._ways:
                self._spread(Label(Stage.GRADIENT, gradient.name), [], [gradient])
        for registered in metagraph.registered_gradients.values():
            if isinstance(registered, Graph) and registered not in self._ways:
                self._spread(Label(Stage.GRADIENT, registered.name), [], [registered])


def _interchangeable(functions: Iterable[Graph]) -> dict[Graph, list[Graph]]:
    """Return functions that TensorFlow may exchange for one another, since they implement one interface."""
    groups: dict[bytes, list[Graph]] = {}
    for function in functions:
        interface = function.attrs.get("api_implements")
        if isinstance(interface, bytes) and interface:
            groups.setdefault(interface, []).append(function)
    return {function: group for group in groups.values() if len(group) > 1 for function in group}


class _Starts:
    """Where each label begins: nodes of the main graph, and functions."""

    def __init__(self) -> None:
        self.nodes: dict[Label, list[Node]] = {}
        self.functions: dict[Label, list[Graph]] = {}

    def find(self, metagraph: MetaGraph, fetched: Iterable[Node]) -> None:
        self.nodes[Label(Stage.LOAD, "load")] = list(_init_nodes(metagraph))
        saver = metagraph.saver
        if saver is not None:
            self.nodes[Label(Stage.RESTORE, "load")] = [node for node in (saver.restore.node,) if node is not None]
            self.nodes[Label(Stage.SAVE, "save")] = [node for node in (saver.save.node,) if node is not None]
        self.nodes[Label(Stage.RUN, "run")] = list(fetched)
        for key, signature in metagraph.signatures.items():
            if key != INIT_SIGNATURE:
                self._signature("train" if key == _TRAIN_SIGNATURE else key, signature)
        if metagraph.graph.kind == "subgraph" and not metagraph.signatures:
            self.functions[Label(Stage.SIGNATURE, metagraph.graph.name or "main")] = [metagraph.graph]
        if metagraph.objects is not None:
            self._objects(metagraph)

    def _signature(self, key: str, signature: Signature) -> None:
        label = Label(Stage.SIGNATURE, key)
        if signature.graph.kind == "subgraph":
            self.functions[label] = [signature.graph]
            return
        mentions = [mention for entry in signature.outputs.values() for mention in entry.mentions]
        self.nodes[label] = [node for node in (mention.node for mention in mentions) if node is not None]

    def _objects(self, metagraph: MetaGraph) -> None:
        assert metagraph.objects is not None
        for name, node in _named_objects(metagraph.objects.root):
            for save, restore in node.saveables.values():
                self._add(Label(Stage.RESTORE, "load"), restore)
                self._add(Label(Stage.SAVE, "save"), save)
            for local, child in node.children if node.kind == "resource" else ():
                if local == "_initialize":  # of other objects loading calls no function
                    self._add(Label(Stage.LOAD, "load"), child)
            if node.functions and node.kind in ("function", "bare_concrete_function"):
                self._add(self._function(name), node)

    def _function(self, name: str) -> Label:
        count = sum(label.stage is Stage.FUNCTION for label in self.functions)
        return Label(Stage.FUNCTION, name if count < _MOST_FUNCTIONS else "others")

    def _add(self, label: Label, node: ObjectNode) -> None:
        found = [function for function in node.functions if isinstance(function, Graph)]
        self.functions.setdefault(label, []).extend(found)


def _named_objects(root: ObjectNode) -> Iterator[tuple[str, ObjectNode]]:
    """Yield each object with the names that lead to it first."""
    seen = {root}
    waiting = deque([("", root)])
    while waiting:
        name, node = waiting.popleft()
        yield name, node
        for local, child in [*node.children, *node.dependencies]:
            place = f"{name}.{local}" if name else local
            if child not in seen:
                seen.add(child)
                waiting.append((place, child))


def _init_nodes(metagraph: MetaGraph) -> Iterator[Node]:
    """Yield every node that a loader runs after restoring: there may be several, named in three ways."""
    signature = metagraph.signatures.get(INIT_SIGNATURE)
    mentions = [mention for entry in signature.entries for mention in entry.mentions] if signature is not None else []
    for key in INIT_COLLECTIONS:
        collection = metagraph.collections.get(key)
        mentions += [mention for item in collection.items for mention in item.mentions.values()] if collection else []
    yield from (node for node in (mention.node for mention in mentions) if node is not None)
