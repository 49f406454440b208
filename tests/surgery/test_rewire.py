"""Whatever read one tensor reads another; what cannot be is refused before anything changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import UnsupportedError, UsageError, surgery
from graphsurgeon.model import Model
from tests.surgery.graphs import FLOAT, constant, graph_model, node, placeholder, spelled


def chain(folder: Path) -> Model:
    """Return x -> a -> b -> c, beside x -> other, and numbers of another type and shape."""
    return graph_model(
        folder,
        placeholder("x", dims="1,2"),
        placeholder("n", "DT_INT32", "1,2"),
        placeholder("wide", dims="1,3"),
        node("a", "Relu", "x", **FLOAT),
        node("other", "Tanh", "x", **FLOAT),
        node("b", "Neg", "a", **FLOAT),
        node("c", "Add", "b", "a", **FLOAT),
    )


def test_readers_read_another_tensor_and_both_stay(tmp_path: Path) -> None:
    model = chain(tmp_path)
    report = surgery.rewire(model, {"a": "other"})
    assert spelled(model.graph)["b"] == ["Neg", "other:0"]
    assert spelled(model.graph)["c"] == ["Add", "b:0", "other:0"]
    assert spelled(model.graph)["a"] == ["Relu", "x:0"]
    assert [(one.tensor, one.reads, one.nodes) for one in report.rewired] == [("a:0", "other:0", 2)]


def test_several_are_rewired_at_once(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path, constant("p", "float_val: 1"), constant("q", "float_val: 2"), node("d", "Sub", "p", "q", **FLOAT)
    )
    surgery.rewire(model, ["p=q", "q=p"])
    assert spelled(model.graph)["d"] == ["Sub", "q:0", "p:0"]


@pytest.mark.parametrize(
    ("pairs", "error", "words"),
    [
        ({"a": "n"}, UsageError, "a:0 is float32, n:0 is int32"),
        ({"a": "wide"}, UsageError, r"a:0 has the shape \[1,2\], wide:0 \[1,3\]"),
        ({"c": "a"}, UsageError, "nothing reads c:0"),
        ({"a": "a"}, UsageError, "stand for itself"),
        ({"a": "c"}, UnsupportedError, "'b', which reads a:0: that would be a cycle|'c', which reads a:0"),
        ({"x": "b", "a": "other"}, UnsupportedError, "cycle"),
        ({"a": "nope"}, UsageError, "nope"),
        ({}, UsageError, "nothing says"),
    ],
)
def test_what_cannot_be_is_refused(pairs: dict[str, str], error: type[Exception], words: str, tmp_path: Path) -> None:
    model = chain(tmp_path)
    before = spelled(model.graph)
    with pytest.raises(error, match=words):
        surgery.rewire(model, pairs)
    assert spelled(model.graph) == before


def test_a_tensor_of_a_branch_is_no_tensor_for_all(tmp_path: Path) -> None:
    switch = node("s", "Switch", "x", "p", **FLOAT)
    model = graph_model(
        tmp_path,
        placeholder("x", dims="2"),
        placeholder("p", "DT_BOOL"),
        switch,
        node("left", "Neg", "s:0", **FLOAT),
        node("right", "Relu", "s:1", **FLOAT),
        node("m", "Merge", "left", "right", N="i: 2", **FLOAT),
        node("a", "Tanh", "x", **FLOAT),
        node("b", "Exp", "a", **FLOAT),
    )
    with pytest.raises(UnsupportedError, match="branch that is not always taken"):
        surgery.rewire(model, {"a": "left"})


def test_a_variable_of_references_stays_what_is_assigned_to(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path,
        node("v", "VariableV2", dtype="type: DT_FLOAT", shape="shape { dim { size: 2 } }"),
        placeholder("x", dims="2"),
        node("set", "Assign", "v", "x", **FLOAT),
    )
    with pytest.raises(UsageError, match="assigns to v:0"):
        surgery.rewire(model, {"v": "x"})


def test_results_of_a_function_are_read_by_its_callers(tmp_path: Path) -> None:
    library = """library { function {
      signature { name: "f" input_arg { name: "x" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT } }
      node_def { name: "one" op: "Relu" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
      node_def { name: "two" op: "Tanh" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
      ret { key: "y" value: "one:activations:0" } } }
    """
    model = graph_model(tmp_path, placeholder("x", dims="2"), library=library)
    report = surgery.rewire(model, {"one": "two"}, graph="f")
    assert [str(output.value) for output in model.metagraphs[0].functions["f"].outputs] == ["two:0"]
    assert [(one.graph, one.nodes, one.results) for one in report.rewired] == [("f", 0, 1)]
