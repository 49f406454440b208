"""Every command that looks takes ONNX models, bodies and shapes that are not recorded included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.cli import app
from tests.formats.onnx import models
from tests.formats.onnx.test_read import branching


@pytest.fixture
def dense(tmp_path: Path) -> str:
    return str(models.save(tmp_path, models.dense()))


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    assert app.run([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_show(dense: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = answer(capsys, "show", dense)
    assert shown["format"] == "onnx"
    assert shown["producer"]["opsets"] == {"ai.onnx": 17}
    (graph,) = shown["graphs"]
    assert [(value["name"], value["shape"]) for value in graph["inputs"]] == [("x", [None, 6])]
    assert graph["ops"] == {"Add": 1, "MatMul": 1, "Relu": 1}
    assert app.run(["show", dense]) == 0
    assert "made by tests, opset ai.onnx 17, IR version 8" in capsys.readouterr().out


def test_find_shapes_that_are_not_recorded(dense: str, capsys: pytest.CaptureFixture[str]) -> None:
    values = answer(capsys, "find", dense, "--op", "Add")["values"]
    assert [(value["name"], value["dtype"], value["shape"]) for value in values] == [("sum", "float32", [None, 100])]


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("Relu(Add(MatMul(_, _), _))", 1), ("Add(_, MatMul(_, _))", 1), ("MatMul(_, Relu(_))", 0)],
)
def test_find_patterns(dense: str, capsys: pytest.CaptureFixture[str], pattern: str, count: int) -> None:
    assert app.run(["find", dense, "--pattern", pattern]) == (0 if count else 1)
    assert len(capsys.readouterr().out.splitlines()) == count


def test_weights(dense: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = answer(capsys, "weights", dense, "--stats")["weights"]
    assert [(weight["name"], weight["shape"], weight["bytes"]) for weight in weights] == [
        ("w", [6, 100], 2400),
        ("b", [100], 400),
    ]
    assert weights[0]["stats"]["max"] == 599 / 8
    assert app.run(["convert", dense, str(tmp_path / "w.npz")]) == 0
    with np.load(tmp_path / "w.npz") as stored:
        assert stored["w"].ravel().tolist() == [number / 8 for number in range(600)]


def test_check_and_bodies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = branching()
    message.graph.node[1].attribute[0].g.node[0].input[0] = "gone"
    findings = answer(capsys, "check", str(models.save(tmp_path, message)), status=1)["findings"]
    assert [(finding["where"], finding["what"]) for finding in findings] == [
        ("subgraph choice/then_branch, node #0 (Add)", "it reads gone, which nothing defines")
    ]


def test_diff(dense: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = models.dense()
    message.graph.node[2].op_type = "Tanh"
    assert app.run(["diff", dense, str(models.save(tmp_path, message, "other.onnx"))]) == 1
    assert "Relu" in capsys.readouterr().out
    assert app.run(["diff", dense, dense]) == 0


def test_render(dense: str, tmp_path: Path) -> None:
    assert app.run(["render", dense, "-o", str(tmp_path / "picture.svg")]) == 0
    assert "MatMul" in (tmp_path / "picture.svg").read_text("utf-8")
