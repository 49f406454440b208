"""Looking through calls: what is found, and how much is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphsurgeon
from graphsurgeon.analysis.flow import calls
from graphsurgeon.analysis.flow.calls import nodes_inside
from graphsurgeon.errors import UsageError
from graphsurgeon.surgery.moves.functions.carry_out import find_way
from tests.surgery.graphs import graph_model, node, placeholder

EXPONENTIAL = Path(__file__).resolve().parents[2] / "fixtures" / "hostile" / "exponential_calls.pb"


def doubling(count: int, *, last: str = "") -> str:
    """Write functions each of which calls the next twice."""
    text = ""
    for number in range(count):
        inner = [
            f'node_def {{ name: "{name}" op: "f{number + 1}" input: "{source}" }}'
            for name, source in (("a", "x"), ("b", "a:y:0"))
        ]
        text += _function(f"f{number}", " ".join(inner), "b:y:0")
    return text + _function(f"f{count}", last or _relu(), "r:activations:0")


def _relu() -> str:
    return 'node_def { name: "r" op: "Relu" input: "x" attr { key: "T" value { type: DT_FLOAT } } }'


def _function(name: str, body: str, result: str) -> str:
    args = 'input_arg { name: "x" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT }'
    returned = f'ret {{ key: "y" value: "{result}" }}'
    return f'function {{ signature {{ name: "{name}" {args} }} {body} {returned} }}\n'


def test_each_call_of_a_function_is_looked_into(tmp_path: Path) -> None:
    nodes = [placeholder("x"), node("y", "f0", "x")]
    graph = graph_model(tmp_path, *nodes, library=f"library {{ {doubling(3)} }}").metagraphs[0].graph
    assert len(list(nodes_inside(graph.nodes))) == 2 + 2 + 4 + 8 + 8
    assert [str(found) for found, _ in nodes_inside(graph.nodes, {"Relu"})] == ["r"] * 8
    assert [call.depth for _, call in nodes_inside(graph.nodes, {"Relu"}) if call] == [4] * 8


def test_functions_without_what_is_looked_for_are_not_entered() -> None:
    graph = graphsurgeon.read(EXPONENTIAL).metagraphs[0].graph
    assert list(nodes_inside(graph.nodes, {"RestoreV2"})) == []


def test_what_is_looked_at_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_INSIDE", 1000)
    graph = graphsurgeon.read(EXPONENTIAL).metagraphs[0].graph
    assert len(list(nodes_inside(graph.nodes))) == 1000 + len(graph)


def test_ways_that_begin_nowhere_are_not_followed(tmp_path: Path) -> None:
    nodes = [placeholder("x"), node("y", "f41", "x")]
    library = doubling(40) + _function("f41", 'node_def { name: "c" op: "f40" input: "x" }', "c:y:0")
    metagraph = graph_model(tmp_path, *nodes, library=f"library {{ {library} }}").metagraphs[0]
    way = find_way(metagraph, metagraph.functions["f40"], None, [])
    assert [step.label for step in way] == ["y", "f41:c"]


def test_of_many_ways_some_are_named() -> None:
    metagraph = graphsurgeon.read(EXPONENTIAL).metagraphs[0]
    with pytest.raises(UsageError, match="200 ways lead to function 'f39'"):
        find_way(metagraph, metagraph.functions["f39"], None, [])
