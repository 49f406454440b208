"""Refuse to part a resource from the step that fills it when a model is loaded, where that step does not come along.

A decision forest is read from assets, an iterator is made, a staging area is put into: a graph without an init op
would find it empty, in silence or when it runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.flow.load_path import LoadPath
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import Graph, Node


def check_filled(load_path: LoadPath, graph: Graph, nodes: Iterable[Node] = ()) -> None:
    """Check that a new main graph needs nothing but variables and tables filled on load.

    Args:
        load_path: of the source.
        graph: the new main graph; what its functions need counts too.
        nodes: of the source that it was made of, where those have other names.

    Raises:
        UnsupportedError: it does; the message names what is filled, and by what.
    """
    made = [node for one in (graph, *reached_functions([graph])) for node in one.nodes]
    found = load_path.filler([*nodes, *made])
    if found is not None:
        node, filler = found
        where = f" of function {filler.graph.name!r}" if filler.graph.kind == "function" else ""
        raise UnsupportedError(
            f"{node.name!r} ({node.op}) is filled by {filler.name!r} ({filler.op}){where} when the model is loaded",
            hint="keep the SavedModel: gs strip leaves what fills it; or cut it off with --inputs",
        )
