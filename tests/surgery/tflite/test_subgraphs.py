"""Signatures and subgraphs as models of their own, and what is left when some go; LiteRT runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.checks.check import check
from graphsurgeon.cli import app
from graphsurgeon.errors import UnsupportedError, UsageError

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "tflite"


def gs(*arguments: object) -> int:
    return app.run([str(argument) for argument in arguments])


def called(path: Path, key: str) -> dict[str, Any]:
    """Return what a signature yields for inputs of small numbers."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path)).get_signature_runner(key)
    feeds = {
        name: (np.arange(np.prod(item["shape"], dtype=int)).reshape(item["shape"]) % 3).astype(item["dtype"])
        for name, item in runner.get_input_details().items()
    }
    return dict(runner(**feeds))


def run_alone(path: Path) -> list[Any]:
    """Return the outputs of the first subgraph."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    for item in interpreter.get_input_details():
        feed = (np.arange(np.prod(item["shape"], dtype=int)).reshape(item["shape"]) % 3).astype(item["dtype"])
        interpreter.set_tensor(item["index"], feed)
    interpreter.invoke()
    return [interpreter.get_tensor(item["index"]) for item in interpreter.get_output_details()]


@pytest.mark.litert
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("dynamic_range", "decode"), ("dynamic_range", "encode"), ("variables", "add"), ("variables", "read"),
        ("shared_buffers", "second"), ("control_flow", "serving_default"), ("composite", "serving_default"),
        ("strings", "serving_default"),
    ],
)  # fmt: skip
def test_a_signature_is_a_model_that_computes_the_same(name: str, key: str, tmp_path: Path) -> None:
    source, target = FIXTURES / f"{name}.tflite", tmp_path / "one.tflite"
    model = read(source)
    surgery.extract(model, signature=key)
    write(model, target)
    again = read(target)
    assert list(again.metagraphs[0].signatures) == [key]
    assert again.metagraphs[0].signatures[key].graph is again.metagraphs[0].graph
    assert not [found for found in check(again) if found.severity == "error"]
    if name == "strings":
        return  # LiteRT's Python fills no string tensor by signature
    before, after = called(source, key), called(target, key)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[one], after[one]) for one in before)
    assert set(map(str, after.values())) <= set(map(str, run_alone(target)))


@pytest.mark.litert
def test_a_part_of_another_subgraph_becomes_the_model(tmp_path: Path) -> None:
    model = read(FIXTURES / "dynamic_range.tflite")
    surgery.extract(model, {"code": ""}, signature="encode")
    write(model, tmp_path / "one.tflite")
    assert [graph.name for graph in read(tmp_path / "one.tflite").graphs] == ["encode"]
    before = called(FIXTURES / "dynamic_range.tflite", "encode")
    assert np.array_equal(run_alone(tmp_path / "one.tflite")[0], before["code"])


def test_outputs_of_two_subgraphs_are_no_model() -> None:
    model = read(FIXTURES / "shared_buffers.tflite")
    first, second = (graph.outputs[0].value.name or "" for graph in model.graphs[:2])
    if first != second:
        with pytest.raises(UnsupportedError, match="another subgraph"):
            surgery.extract(model, {first: "", second: ""})


def test_unknown_signatures_and_other_formats_are_refused(fixtures_dir: Path) -> None:
    with pytest.raises(UsageError, match="no signature 'decod'"):
        surgery.extract(read(FIXTURES / "dynamic_range.tflite"), signature="decod")
    with pytest.raises(UsageError, match="no signature 'serving_default'"):
        surgery.extract(read(fixtures_dir / "graphdef" / "cnn.pb"), signature="serving_default")


@pytest.mark.litert
@pytest.mark.parametrize(
    ("name", "graph"), [("dynamic_range", "decode"), ("shared_buffers", "main"), ("control_flow", None)]
)
def test_a_subgraph_is_a_model(name: str, graph: str | None, tmp_path: Path) -> None:
    source, target = FIXTURES / f"{name}.tflite", tmp_path / "one.tflite"
    inner = next(one for one in read(source).graphs[1:] if one.outputs)
    assert gs("extract", source, "--graph", graph or inner.name, "-o", target) == 0
    model = read(target)
    assert model.graphs[0].op_counts == next(
        one.op_counts for one in read(source).graphs if one.name == (graph or inner.name) or (graph == "main")
    )
    assert len(run_alone(target)) == len(model.graphs[0].outputs)


@pytest.mark.litert
@pytest.mark.parametrize("gone", ["decode", "encode"])
def test_strip_drops_what_no_signature_reaches_wherever_it_lies(gone: str, tmp_path: Path) -> None:
    kept = {"decode": "encode", "encode": "decode"}[gone]
    one, two = tmp_path / "one.tflite", tmp_path / "two.tflite"
    assert gs("remove-signature", FIXTURES / "dynamic_range.tflite", gone, "-o", one) == 0
    assert gs("strip", one, "-o", two) == 0
    assert [graph.name for graph in read(two).graphs] == [kept]
    before, after = called(FIXTURES / "dynamic_range.tflite", kept), called(two, kept)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_subgraphs_without_names_are_renumbered(tmp_path: Path) -> None:
    model = read(FIXTURES / "shared_buffers.tflite")
    for graph in model.graphs:
        graph._name = ""
    model.metagraphs[0].functions = dict(zip(("", "x"), model.metagraphs[0].functions.values(), strict=True))
    write(model, tmp_path / "unnamed.tflite")
    model = read(tmp_path / "unnamed.tflite")
    assert [graph.name for graph in model.graphs] == ["", "#1", "#2"]
    del model.metagraphs[0].signatures["serving_default"]
    surgery.strip(model)
    write(model, tmp_path / "second.tflite")
    assert [graph.name for graph in read(tmp_path / "second.tflite").graphs] == [""]


def test_names_are_neither_changed_nor_doubled(tmp_path: Path) -> None:
    """Without a signature a tensor takes the name that is asked for, and keeps its own where none is."""
    model = read(FIXTURES / "cnn_float.tflite")
    model.metagraphs[0].signatures.clear()
    write(model, tmp_path / "bare.tflite")
    graph = model.metagraphs[0].graph
    inner = graph.nodes[0].outputs[0]
    assert gs("add-output", tmp_path / "bare.tflite", inner.name, "-o", tmp_path / "a.tflite") == 0
    after = read(tmp_path / "a.tflite").metagraphs[0].graph
    assert [value.name for value in after.values] == [value.name for value in graph.values]
    taken = graph.inputs[0].name
    with pytest.raises(UsageError, match="there already is a tensor"):
        surgery.add_output(read(tmp_path / "bare.tflite"), {f"#{inner.port}": str(taken)})
    with pytest.raises(UsageError, match="two outputs would be named 'y'"):
        surgery.add_output(model, {f"#{inner.port}": "y", f"#{graph.nodes[1].outputs[0].port}": "y"})
    with pytest.raises(UsageError, match="there already is a tensor"):
        surgery.extract(model, {f"#{graph.outputs[1].value.port}": str(taken)})
