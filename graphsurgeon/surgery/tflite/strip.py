"""What a TFLite model carries along that nothing needs: operators, tensors, subgraphs.

A runtime computes every operator of a subgraph, needed or not. Operators that fill variables and tables, or that
only their own runtime knows, stay. Buffers go with the tensors that name them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeAlias

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.flow.effects import acts_in_tflite
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import producers, upstream
from graphsurgeon.surgery.tflite.tensors import unused_tensors

Gone: TypeAlias = tuple[str, str, str, str, str]  # kind, name, op, subgraph, reason


def strip_tflite(metagraph: MetaGraph, kinds: Collection[str], outputs: Collection[Value]) -> Iterator[Gone]:
    """Take out what nothing needs, and yield it.

    Args:
        metagraph: of a TFLite model.
        kinds: of `strip_kinds.KINDS`.
        outputs: tensors that stay beside those that outputs and signatures name.
    """
    mentioned = [target for mention in metagraph.mentions() if isinstance(target := mention.target, Value)]
    mentioned += outputs
    if "functions" in kinds:
        yield from _subgraphs(metagraph, {value.graph for value in outputs})
    if "unreachable" not in kinds:
        return
    for graph in metagraph.graphs:
        own = [value for value in mentioned if value.graph is graph]
        place = "" if graph is metagraph.graph else graph.name
        numbers = {node: number for number, node in enumerate(graph.nodes)}
        for node in _unneeded(graph, own):
            yield "unreachable", f"#{numbers[node]}", node.op, place, "no output of the subgraph needs it"
            graph.take_out([node])
        gone = unused_tensors(graph, own)
        for value in gone:
            yield "unreachable", str(value), "tensor", place, "no operator, input or output names it"
        graph.remove_values(gone)
    for code in metagraph.raw.drop_unused_codes(metagraph) if metagraph.raw is not None else ():
        yield "unreachable", code, "operator code", "", "no operator has it, and a runtime would ask for it"


def _subgraphs(metagraph: MetaGraph, named: Collection[Graph]) -> Iterator[Gone]:
    """Take out the subgraphs that nothing runs; without signatures the first one is the model."""
    signed = list(dict.fromkeys(signature.graph for signature in metagraph.signatures.values()))
    if metagraph.graph in (*signed, *named) or not signed:
        signed = [metagraph.graph, *signed]
    used = {*signed, *reached_functions(signed)}
    kept = [graph for graph in metagraph.graphs if graph in used]
    gone = [graph for graph in metagraph.graphs if graph not in used]
    for graph in gone:
        yield "functions", graph.name or "main", "", "", "no operator runs it, no signature names it"
    if gone:
        first = metagraph.graph if metagraph.graph in used else signed[0]  # what runs without a signature's name
        metagraph.keep_subgraphs([first, *(graph for graph in kept if graph is not first)])


def _unneeded(graph: Graph, mentioned: Collection[Value]) -> list[Node]:
    values = [*(output.value for output in graph.outputs), *mentioned]
    needed = upstream([*producers(values), *filter(acts_in_tflite, graph.nodes)], controls=False)
    return [node for node in graph.nodes if node not in needed]
