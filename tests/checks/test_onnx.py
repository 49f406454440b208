"""What `gs check` says of ONNX graphs: as onnx.checker says it, in words of our own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.checks.onnx import ONNX_RULES
from graphsurgeon.formats.onnx import file
from graphsurgeon.model.finding import Finding
from tests.formats.onnx import models


def check(folder: Path, message: Any) -> list[Finding]:
    return findings(models.save(folder, message))


def findings(path: Path, *, is_text: bool = False) -> list[Finding]:
    metagraph = file.read(path, is_text=is_text).metagraphs[0]
    return [finding for rule in ONNX_RULES for finding in rule(metagraph)]


def one(folder: Path, *nodes: Any, **fields: Any) -> list[tuple[str, str, str]]:
    main = models.graph(nodes, [models.value("x", [2])], [models.value("y", [2])])
    return [(found.severity, found.where, found.what) for found in check(folder, models.model(main, **fields))]


def test_a_sound_model(tmp_path: Path) -> None:
    assert check(tmp_path, models.dense()) == []


def test_a_name_that_nothing_defines(tmp_path: Path) -> None:
    assert one(tmp_path, models.node("Add", ["x", "gone"], ["y"], "sum")) == [
        ("error", "node sum (Add)", "it reads gone, which nothing defines")
    ]


def test_an_output_that_nothing_computes(tmp_path: Path) -> None:
    assert one(tmp_path) == [("error", "main graph", "its output y is computed by nothing")]


def test_a_name_defined_twice(tmp_path: Path) -> None:
    nodes = [models.node("Relu", ["x"], ["y"]), models.node("Abs", ["x"], ["y"])]
    assert one(tmp_path, *nodes) == [("error", "value y", "two nodes, inputs or initializers define it")]


def test_nodes_that_are_not_sorted(tmp_path: Path) -> None:
    nodes = [models.node("Relu", ["h"], ["y"]), models.node("Abs", ["x"], ["h"])]
    assert one(tmp_path, *nodes) == [("error", "node #0 (Relu)", "it reads h, which a node behind it makes")]


@pytest.mark.parametrize(
    ("node", "what"),
    [
        (models.node("Relu", ["x", "x"], ["y"]), "2 inputs, Relu has 1"),
        (models.node("Concat", ["x"], ["y"]), "attribute axis is missing"),
        (models.node("Relu", ["x"], ["y"], attribute=[models.new("AttributeProto", name="alpha", type=2, i=1)]),
         "Relu has no attribute alpha"),
        (models.node("Elu", ["x"], ["y"], attribute=[models.new("AttributeProto", name="alpha", type=2, i=1)]),
         "attribute alpha is no float"),
    ],
)  # fmt: skip
def test_nodes_against_their_definitions(tmp_path: Path, node: Any, what: str) -> None:
    assert one(tmp_path, node) == [("error", f"node #0 ({node.op_type})", what)]


def test_ops_of_other_versions_and_domains(tmp_path: Path) -> None:
    gelu = models.node("Gelu", ["x"], ["y"])
    assert one(tmp_path, gelu) == [
        ("error", "op Gelu", "not in version 17 of ai.onnx: it came with version 20; used 1 time")
    ]
    assert one(tmp_path, gelu, opset=99) == []
    strange = models.node("Strange", ["x"], ["y"])
    assert [found[0] for found in one(tmp_path, strange)] == ["error"]
    assert [found[0] for found in one(tmp_path, strange, opset=99)] == ["warning"]  # a version we do not know
    strange.domain = "com.microsoft"
    assert one(tmp_path, strange) == [
        ("error", "op com.microsoft.Strange", "the model imports no version of its domain com.microsoft, used 1 time")
    ]


def test_functions_that_call_each_other(tmp_path: Path) -> None:
    function = models.new("FunctionProto", name="F", domain="m", input=["a"], output=["b"],
                          node=[models.node("F", ["a"], ["b"], domain="m")])  # fmt: skip
    found = one(tmp_path, models.node("F", ["x"], ["y"], domain="m"), functions=[function])
    assert ("error", "model", "functions call each other: m.F -> m.F") in found


def test_values_that_are_not_there(tmp_path: Path) -> None:
    short = models.new("TensorProto", name="k", dims=[4], data_type=models.FLOAT, raw_data=bytes(8))
    away = models.new("TensorProto", name="m", dims=[4], data_type=models.FLOAT, data_location=1)
    away.external_data.add(key="location", value="../weights")
    nodes = [models.node("Sum", ["x", "k", "m"], ["y"])]
    main = models.graph(nodes, [models.value("x", [4])], [models.value("y", [4])], initializer=[short, away])
    assert [(found.where, found.what) for found in check(tmp_path, models.model(main))] == [
        ("initializer k", "8 bytes for float32 of shape [4]"),
        ("initializer m", "the file name '../weights' leads outside the model's folder"),
    ]


def oracle_says(path: Path) -> bool:
    import onnx

    try:
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, UnicodeDecodeError, ValueError):
        return False
    return True


@pytest.mark.onnx
@pytest.mark.corpus
def test_the_collection_as_onnx_checker_says(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*.onnx")):
        refused = [found for found in findings(path) if found.severity == "error" or found.rule == "formality"]
        assert (not refused) == oracle_says(path), (path, refused)


@pytest.mark.onnx
def test_damaged_names_as_onnx_checker_says(tmp_path: Path) -> None:
    """One name of an input or output is another: what the checker refuses is an error here."""
    source = random.Random(7)
    path = tmp_path / "model.onnx"
    for number in range(60):
        message = models.dense()
        message.graph.name = f"g{number}"
        node = source.choice(message.graph.node)
        side = source.choice([node.input, node.output])
        side[source.randrange(len(side))] = source.choice(["x", "w", "xw", "sum", "y", "strange"])
        path.write_bytes(message.SerializeToString())
        errors = [found for found in findings(path) if found.severity == "error"]
        assert (not errors) == oracle_says(path), message
