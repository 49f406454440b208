"""Which inputs and outputs of models of different frameworks correspond, by hand."""

from __future__ import annotations

import numpy as np

from graphsurgeon.compare.across import in_the_same_words, laid_out, pair_across
from graphsurgeon.compare.entries import Entry, Input, OneRun, Result, RunOutcome
from graphsurgeon.compare.equivalence import Tolerance
from graphsurgeon.model import Graph, MetaGraph, Shape
from graphsurgeon.model.dtype import FLOAT32, INT32, INT64, DType

Given = dict[str, tuple[DType, tuple[int | None, ...]]]


def entry(inputs: Given, outputs: Given, key: str | None = None) -> Entry:
    graph = Graph(MetaGraph(), "subgraph")
    made = {
        name: Input(name, graph.add_value(name, dtype, Shape(shape)), dtype, Shape(shape))
        for name, (dtype, shape) in inputs.items()
    }
    return Entry(key, made, {name: graph.add_value(name, dtype, Shape(s)) for name, (dtype, s) in outputs.items()})


def test_names_come_before_order() -> None:
    two = {"a": (FLOAT32, (None, 4)), "b": (FLOAT32, (None, 4))}
    turned = {"serving_default_b:0": (FLOAT32, (None, 4)), "serving_default_a:0": (FLOAT32, (None, 4))}
    ([pair], skipped) = pair_across(
        [entry(two, {"y": (FLOAT32, (None, 3))})], [entry(turned, {"y": (FLOAT32, (2, 3))})]
    )
    assert pair.inputs == {"a": "serving_default_a:0", "b": "serving_default_b:0"}
    assert (pair.outputs, pair.layouts, pair.notes, skipped) == ({"y": "y"}, {}, (), [])


def test_shape_and_then_order_pair_what_is_left() -> None:
    first = {"ids": (INT32, (None, 8)), "p": (FLOAT32, (None, 4)), "q": (FLOAT32, (None, 4))}
    second = {"k": (FLOAT32, (None, 4)), "l": (FLOAT32, (None, 4)), "m": (INT64, (None, 8))}
    out: Given = {"y": (FLOAT32, (None, 3))}
    ([pair], _) = pair_across([entry(first, out)], [entry(second, {"z": (FLOAT32, (None, 3))})])
    assert pair.inputs == {"ids": "m", "p": "k", "q": "l"}
    assert "output 'y' of the first model is 'z' of the second: by shape and order" in pair.notes


def test_layouts_are_found_and_told() -> None:
    out: Given = {"y": (FLOAT32, (None, 3))}
    ours = entry({"x": (FLOAT32, (None, 32, 16, 3))}, out)
    ([pair], _) = pair_across([ours], [entry({"x": (FLOAT32, (1, 3, 32, 16))}, out)])
    assert pair.layouts == {"x": (0, 3, 1, 2)}
    assert laid_out(Shape([1, 3, 32, 16]), back=(0, 3, 1, 2)) == Shape([1, 32, 16, 3])
    assert pair.notes == ("input 'x': the second model gets it with the axes (0, 3, 1, 2)",)


def test_an_input_that_only_the_second_has() -> None:
    out: Given = {"y": (FLOAT32, (None, 3))}
    more: Given = {"x": (FLOAT32, (1, 4)), "rate": (FLOAT32, ())}
    (pairs, skipped) = pair_across([entry({"x": (FLOAT32, (1, 4))}, out)], [entry(more, out)])
    assert pairs == []
    assert skipped == [("the graph", "the first model has nothing for the input 'rate' of the second")]


def test_the_signature_that_a_graph_is_like() -> None:
    ours = [
        entry({"x": (FLOAT32, (1, 4))}, {"other": (FLOAT32, (1, 2))}, "a"),
        entry({"x": (FLOAT32, (1, 4))}, {"y": (FLOAT32, (1, 2))}, "b"),
    ]
    (pairs, skipped) = pair_across(ours, [entry({"x": (FLOAT32, (1, 4))}, {"y": (FLOAT32, (1, 2))})])
    assert [pair.before.key for pair in pairs] == ["b"]
    assert skipped == [("a", "only one of the models has it")]


def agree(one: Result, other: Result) -> bool:
    return Tolerance().agree(OneRun("session", None, {}, {}), one, other)


def test_results_in_another_layout_and_of_another_width() -> None:
    data = np.arange(24, dtype="f4").reshape(1, 2, 3, 4)
    ours = RunOutcome({"y": Result("float32", data), "n": Result("int64", np.array([3]))})
    theirs = RunOutcome({"y": Result("float32", data.transpose(0, 3, 1, 2)), "n": Result("int32", np.array([3], "i4"))})
    told, notes = in_the_same_words(ours, theirs, agree)
    assert all(agree(ours.results[name], told.results[name]) for name in ours.results)
    assert notes == [
        "output 'y': the first model has the axes (0, 2, 3, 1) of the second",
        "output 'n' is int64 in the first model and int32 in the second",
    ]


def test_other_numbers_stay_other_numbers() -> None:
    ours = RunOutcome({"y": Result("float32", np.ones(3, "f4"))})
    theirs = RunOutcome({"y": Result("int64", np.ones(3, "i8"))})
    assert in_the_same_words(ours, theirs, agree) == (theirs, [])
