"""Outputs that only a number in the file stands for."""

from __future__ import annotations

from pathlib import Path

from graphsurgeon.analysis.candidates import likely_outputs
from graphsurgeon.checks.check import check
from graphsurgeon.model.graph import Graph
from graphsurgeon.shapes import infer_shapes
from tests.surgery.graphs import constant, graph_model, node, placeholder


def splits(*counts: int) -> list[str]:
    """Write a `Split` into as many values as each number says, the last of which is read."""
    texts = [placeholder("x"), constant("axis", "int_val: 0", "DT_INT32")]
    for number, count in enumerate(counts):
        name, attrs = f"split_{number}", {"T": "type: DT_FLOAT", "num_split": f"i: {count}"}
        texts.append(node(name, "Split", "axis", "x", **attrs))
        texts.append(node(f"read_{number}", "Relu", f"{name}:{count - 1}", T="type: DT_FLOAT"))
    return texts


def outputs_of(graph: Graph) -> list[int]:
    return [len(one.outputs) for one in graph.nodes if one.op == "Split"]


def test_a_node_has_the_outputs_it_says(tmp_path: Path) -> None:
    assert outputs_of(graph_model(tmp_path, *splits(3, 5000)).metagraphs[0].graph) == [3, 5000]


def test_a_million_outputs_are_only_those_that_are_read(tmp_path: Path) -> None:
    model = graph_model(tmp_path, *splits(1_000_000))
    metagraph = model.metagraphs[0]
    report = infer_shapes(metagraph)
    assert [str(candidate.value) for candidate in likely_outputs(metagraph, report)] == ["read_0:0"]
    assert [finding for finding in check(model) if finding.severity == "error"] == []
    split = metagraph.graph.node("split_0")
    assert split is not None
    assert [str(value) for value in split.outputs] == ["split_0:999999"]


def test_the_outputs_of_all_nodes_are_bounded_together(tmp_path: Path) -> None:
    graph = graph_model(tmp_path, *splits(*[30_000] * 20)).metagraphs[0].graph
    found = outputs_of(graph)
    assert found == [30_000, 30_000, *[1] * 18]
    assert outputs_of(graph) == found
