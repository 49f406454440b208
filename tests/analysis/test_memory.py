"""What a run needs, beside sums by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import UnsupportedError, new_model, read
from graphsurgeon.analysis.costs.arena import arena_of
from graphsurgeon.analysis.costs.memory import memory_of, require_graph
from graphsurgeon.cli.app import run
from graphsurgeon.model import Graph, MetaGraph, Output, Shape, Tensor
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.format import TFLITE

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def subgraph(sizes: dict[str, int], operators: list[tuple[str, list[str], str]]) -> Graph:
    """Return a subgraph of float tensors with so many elements; the last operator yields its output."""
    graph = Graph(MetaGraph(vocabulary=TFLITE), "subgraph")
    values = {name: graph.add_value(name, FLOAT32, Shape([count])) for name, count in sizes.items()}
    for op, inputs, output in operators:
        graph.add_node(op, "", [values[name] for name in inputs], checked=False).set_outputs([values[output]])
    graph.inputs = [next(iter(values.values()))]
    graph.outputs = [Output("", values[operators[-1][2]], FLOAT32)]
    return graph


def sized(value: Any) -> Shape:
    return value.shape or Shape(None)


def test_what_is_there_at_once_lies_apart_and_the_rest_shares_its_place() -> None:
    sizes = {"x": 16, "a": 100, "b": 40, "c": 100, "y": 16}
    chain = [("RELU", ["x"], "a"), ("RELU", ["a"], "b"), ("RELU", ["b"], "c"), ("RELU", ["c"], "y")]
    arena = arena_of(subgraph(sizes, chain), sized)
    offsets = {block.value.name: block.offset for block in arena.blocks if block.value is not None}
    # x is there to the end; a and c (400 bytes) are never there together; y comes when b, behind them, has gone
    assert offsets == {"x": 0, "a": 64, "c": 64, "b": 512, "y": 512}
    assert arena.size == 512 + 160


def test_a_sum_takes_the_place_of_its_first_input_where_nobody_else_reads_that() -> None:
    sizes = {"x": 50, "a": 50, "b": 50, "y": 50}
    alone = [("RELU", ["x"], "a"), ("ADD", ["a", "x"], "b"), ("RELU", ["b"], "y")]
    assert len(arena_of(subgraph(sizes, alone), sized).blocks) == 3  # x, a with b, y
    read_again = [("RELU", ["x"], "a"), ("ADD", ["a", "x"], "b"), ("MUL", ["b", "a"], "y")]
    assert len(arena_of(subgraph(sizes, read_again), sized).blocks) == 4


def test_a_size_that_is_computed_is_not_counted() -> None:
    graph = subgraph({"x": 8, "s": 1, "a": 8, "y": 8}, [("RELU", ["x"], "s"), ("RESHAPE", ["x", "s"], "y")])
    arena = arena_of(graph, sized)
    assert [value.name for value in arena.dynamic] == ["y"]
    graph.values[1].tensor = Tensor.of(FLOAT32, [1], [0.0])
    assert not arena_of(graph, sized).dynamic


def test_the_peak_of_a_graph() -> None:
    model = new_model()
    graph = model.graph
    x = graph.add_node("Placeholder", "x", [], {"dtype": FLOAT32, "shape": Shape([None, 10])})  # 40 bytes
    weights = graph.add_node("Const", "w", [], {"dtype": FLOAT32, "value": Tensor.of(FLOAT32, [10, 50], [0.0] * 500)})
    wide = graph.add_node("MatMul", "wide", [x, weights])  # 200 bytes, x goes
    same = graph.add_node("Identity", "same", [wide])
    both = graph.add_node("ConcatV2", "both", [same, wide, 1])  # 400 bytes beside the 200
    graph.add_node("Sum", "end", [both, 1])
    found = memory_of(model, model.metagraphs[0])
    (needs,) = found.graphs
    assert (needs.activations, needs.peak_op, needs.arena) == (600, "both (ConcatV2)", None)
    assert (found.weights, found.macs, found.assumed) == (2000 + 8, 500, {"x:0": Shape([1, 10])})
    assert memory_of(model, model.metagraphs[0], assume={"x": Shape([7, 10])}).graphs[0].activations == 4200


def test_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", str(FIXTURES / "tflite" / "cnn_float16.tflite"), "--memory", "--json"]) == 0
    memory = json.loads(capsys.readouterr().out)["memory"]
    assert memory["macs"] == sum(memory["macs_by_op"].values()) == 2324
    assert memory["graphs"][0]["persistent"] == 4 * (108 + 36 + 4 + 20 + 5)  # filters, bias and units, as floats
    assert run(["show", str(FIXTURES / "tflite" / "cnn_float16.tflite"), "--memory"]) == 0
    text = capsys.readouterr().out
    assert "LiteRT's, without delegates, on one thread" in text
    assert "unpacked weights" in text
    assert run(["show", str(FIXTURES / "graphdef" / "cnn.pb"), "--assume", "image=4,8,8,3"]) == 0
    assert f"{4 * 10240 + 4 * 35:,}" in capsys.readouterr().out
    assert run(["show", str(FIXTURES / "graphdef" / "cnn.pb"), "--assume", "nope=4"]) == 2
    assert run(["show", str(FIXTURES / "checkpoint" / "name_based"), "--memory"]) == 4


def test_weights_alone_have_no_run() -> None:
    with pytest.raises(UnsupportedError, match="no graph that runs"):
        require_graph(read(FIXTURES / "checkpoint" / "name_based"))
