"""What the graphs of a model could do: every MetaGraph, every function, and graphs that are kept in strings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from graphsurgeon.formats.graph.metagraph import repeated_functions
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops import catalog
from graphsurgeon.scanning import flex, modules
from graphsurgeon.scanning.finding import Threat
from graphsurgeon.scanning.flow import handles
from graphsurgeon.scanning.flow.strings import MOST_BYTES, strings_of, texts_of
from graphsurgeon.scanning.judge import Judge, unknown_ops
from graphsurgeon.scanning.table import known_packages, rules

_DEEPEST = 8  # graphs inside graphs inside graphs
_RUNS_A_GRAPH = "DatasetFromGraph"

Parse = Callable[[bytes], MetaGraph | None]


@dataclass
class Surroundings:
    """What a graph is judged with.

    Attributes:
        parse: makes a MetaGraph of the bytes of a GraphDef; None for bytes that are none.
        is_bare: no SavedModel: any node may be fetched.
        outside: assets that lead out of the model's folder: name -> where to.
        depth: how many graphs lie around this one.
        custom: TFLite: names of operators that are no builtins.
        stored: gives the strings that a variable is restored with.
        fetched: nodes that a run asks for.
    """

    parse: Parse
    is_bare: bool = False
    outside: Mapping[str, str] = field(default_factory=dict)
    depth: int = 0
    custom: frozenset[str] | None = None
    stored: Callable[[MetaGraph, Node], list[bytes]] | None = None
    fetched: tuple[Node, ...] = ()


def judge_graphs(model: Model, around: Surroundings) -> list[Threat]:
    """Return what the graphs of a model could do. Lifts graphs that hold anything of interest."""
    found: list[Threat] = []
    for metagraph in model.metagraphs:
        place = f"MetaGraph {','.join(metagraph.tags or ())}" if len(model.metagraphs) > 1 else ""
        for threat in judge_metagraph(metagraph, around):
            where = " > ".join(filter(None, (place, threat.where)))
            found.append(replace(threat, where=where))
    return found


def judge_metagraph(metagraph: MetaGraph, around: Surroundings) -> Iterator[Threat]:
    """Yield what one MetaGraph could do."""
    if around.custom is not None:
        if any((around.custom | flex.NAMED) & graph.op_counts.keys() for graph in metagraph.graphs):
            judge = Judge(metagraph, is_bare=False, fetched=around.fetched)
            yield from flex.threats(judge, around.custom, around.parse)
        return
    for name in repeated_functions(metagraph):
        what = "several functions have this name, of which only the first could be looked into"
        yield Threat("medium", None, what, name, "unknown", None, "unseen")
    strings = _graphs_in_strings(metagraph, around)
    if not strings and not _is_of_interest(metagraph):
        return
    judge = Judge(
        metagraph,
        is_bare=around.is_bare,
        outside=around.outside,
        fetched=around.fetched,
        stored=around.stored,
    )
    run: set[bytes] = set()
    yield from judge.threats()
    for node in _nodes(metagraph, {_RUNS_A_GRAPH}):
        yield from _run_graphs(node, judge, around, run)
    for node, data in strings:
        if data not in run:
            yield from _kept_graph(node, data, around)
    yield from handles.threats(judge)
    yield from modules.threats(judge)
    yield from _unknown(judge)
    yield from _shadows(judge)


def _is_of_interest(metagraph: MetaGraph) -> bool:
    """Say whether anything in a MetaGraph is worth a look at its edges. Lifts nothing."""
    known, table = catalog.names(), rules()
    for graph in metagraph.graphs:
        if graph.name in known or graph.name in table:
            return True
        for op in graph.op_counts:
            if op in table or (op not in known and op not in metagraph.functions):
                return True
    return any(handles.is_of_interest(graph) for graph in metagraph.graphs)


def _nodes(metagraph: MetaGraph, ops: Iterable[str]) -> list[Node]:
    return [node for graph in metagraph.graphs for node in graph.nodes if node.op in ops]


# -- graphs in strings ---------------------------------------------------------------------------------


def _graphs_in_strings(metagraph: MetaGraph, around: Surroundings) -> list[tuple[Node, bytes]]:
    """Return constants, and attributes of ops that nobody knows, that hold the bytes of a graph."""
    known = catalog.names()
    found = []
    for graph in metagraph.graphs:
        strange = {op for op in graph.op_counts if op not in known and op not in metagraph.functions}
        for node in graph.peek({"Const", *strange}):
            texts = (data for data in _strings_in(node) if _looks_like_graph(data))
            found += [(node, data) for data in texts if around.parse(data) is not None]
    return found


def _strings_in(node: Node) -> Iterator[bytes]:
    for value in node.attrs.values():
        if isinstance(value, Tensor):
            yield from (item for item in strings_of(value) or () if len(item) <= MOST_BYTES)
        elif node.op != "Const":
            yield from texts_of(value)


def _looks_like_graph(data: bytes) -> bool:
    """Say whether bytes may be a GraphDef: they begin with a node, or with the library."""
    return len(data) >= 8 and data[0] in (0x0A, 0x12, 0x22)


def _run_graphs(node: Node, judge: Judge, around: Surroundings, run: set[bytes]) -> Iterator[Threat]:
    """Yield what the graphs that a node runs could do; they run when the node does."""
    rule = rules()[node.op]
    outer = list(judge.of_node(node, rule))
    for text in judge.tracer.alternatives(node, "graph_def"):
        data = text[0] if len(text) == 1 and isinstance(text[0], bytes) else None
        inner = around.parse(data) if data is not None else None
        if data is not None:
            run.add(data)
        for threat in outer:
            if inner is None:
                what = "runs a graph that could not be looked into: it is not a constant of the model"
                yield replace(threat, severity="medium", op=None, what=what, target=None, kind="unseen")
            else:
                yield from _inside(inner, threat, around)


def _kept_graph(node: Node, data: bytes, around: Surroundings) -> Iterator[Threat]:
    """Yield what a graph could do that lies in a string which nothing known runs."""
    inner = around.parse(data)
    if inner is None:
        return
    where = " > ".join(filter(None, (node.graph.name, node.name)))
    outer = Threat("medium", node.op, "holds a graph in a string", where, "unknown", None, "graph")
    found = list(_inside(inner, outer, around))
    yield from found or [replace(outer, severity="info")]


def _inside(inner: MetaGraph, outer: Threat, around: Surroundings) -> Iterator[Threat]:
    if around.depth + 1 >= _DEEPEST:
        what = f"graphs inside graphs, more than {_DEEPEST} deep, could not be looked into"
        yield replace(outer, severity="medium", op=None, what=what, target=None, kind="unseen")
        return
    around = replace(around, is_bare=True, depth=around.depth + 1, outside={}, fetched=(), stored=None)
    for threat in judge_metagraph(inner, around):
        is_mild = threat.severity in ("info", "medium") and threat.severity != outer.severity
        severity = threat.severity if is_mild and threat.severity == "info" else outer.severity
        yield replace(threat, severity=severity, where=f"{outer.where} > {threat.where}", when=outer.when)


# -- what has a name of its own ------------------------------------------------------------------------


def _unknown(judge: Judge) -> Iterator[Threat]:
    """Yield ops that nobody knows, each once."""
    for op, graphs in unknown_ops(judge.metagraph).items():
        nodes = [node for graph in graphs for node in graph.nodes if node.op == op]
        ranked = [(labels[0] if labels else None, node) for node in nodes for labels in (judge.reach.labels(node),)]
        label, node = min(ranked, key=lambda pair: pair[0].stage if pair[0] is not None else 99)
        where = " > ".join(judge.reach.path(node, label))
        package = known_packages().get(op)
        what = (
            f"native code of {package}"
            if package
            else "native code that must be loaded before: TensorFlow has no such op"
        )
        when = label.when if label is not None else "unknown"
        yield Threat("info" if package else "medium", op, what, where, when, None, "native", len(nodes))


def _shadows(judge: Judge) -> Iterator[Threat]:
    """Yield functions that take the names of ops: TensorFlow looks a name up among functions first."""
    known, table = catalog.names(), rules()
    for function in judge.metagraph.functions.values():
        if function.kind == "function" and (function.name in known or function.name in table):
            yield _shadow(judge, function)


def _shadow(judge: Judge, function: Graph) -> Threat:
    callers = judge.reach.callers.get(function, [])
    labels = [label for node in callers for label in judge.reach.labels(node)[:1]]
    label = min(labels, key=lambda label: label.stage, default=None)
    where = " > ".join(judge.reach.path(callers[0], label)) if callers else function.name
    what = f"a function of the model takes the name of the op {function.name}"
    return Threat("medium", function.name, what, where, label.when if label else "unknown", None, "name")
