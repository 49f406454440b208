"""Functions of the library that nothing calls or names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphsurgeon.analysis.flow.calls import run_by
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import reached


def unused_functions(metagraph: MetaGraph) -> list[Graph]:
    """Return functions that neither the main graph, the object graph nor a gradient leads to."""
    functions = metagraph.functions
    known = _known(metagraph.registered_gradients.values(), functions)
    roots = [metagraph.graph, *_named_by_objects(metagraph), *known]
    used = reached(roots, lambda graph: (*run_by(graph), *_named_by(graph, metagraph)))
    return [function for function in functions.values() if function not in used]


def _named_by_objects(metagraph: MetaGraph) -> Iterator[Graph]:
    objects = metagraph.objects
    if objects is None:
        return
    yield from _known((entry.function for entry in objects.concrete_functions), metagraph.functions)
    for node in objects.nodes:
        yield from _known(node.functions, metagraph.functions)


def _named_by(graph: Graph, metagraph: MetaGraph) -> Iterator[Graph]:
    """Yield what a function's attributes name, and the function that computes its gradient."""
    if graph.kind != "function":
        return
    yield from _known(_names(graph.attrs.values()), metagraph.functions)
    yield from _known([metagraph.gradients.get(graph.name, "")], metagraph.functions)


def _names(values: Iterable[AttrValue]) -> Iterator[Graph | str]:
    for value in values:
        if isinstance(value, FunctionRef):
            yield value.graph or value.name
        elif isinstance(value, bytes):
            yield value.decode("utf-8", "surrogateescape")
        elif isinstance(value, list):
            yield from _names(value)


def _known(named: Iterable[Graph | str], functions: dict[str, Graph]) -> Iterator[Graph]:
    for one in named:
        function = one if isinstance(one, Graph) else functions.get(one)
        if function is not None:
            yield function
