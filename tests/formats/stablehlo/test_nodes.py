"""Modules inside `XlaCallModule` nodes: shown, found, and held against what the node says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.checks.modules import modules
from graphsurgeon.cli import app
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph import file
from tests.formats.stablehlo.test_modules import data_of

FLOAT, INT32 = 1, 3


def save(folder: Path, module: bytes, **fields: Any) -> Path:
    """Write a graph in which a node holds a module; of a dense layer unless told otherwise."""
    graph = schema.message("tensorflow.GraphDef")()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = FLOAT
    node = graph.node.add(name="layer/call", op="XlaCallModule", input=["x"])
    node.attr["module"].s = module
    node.attr["version"].i = 10
    node.attr["Tin"].list.type.extend(fields.get("tin", [FLOAT]))
    node.attr["Tout"].list.type.extend(fields.get("tout", [FLOAT]))
    node.attr["platforms"].list.s.append(b"CPU")
    for dims in fields.get("sout", [[2, 5]]):
        shape = node.attr["Sout"].list.shape.add()
        for size in dims:
            shape.dim.add().size = size
    path = folder / "model.pb"
    path.write_bytes(graph.SerializeToString())
    return path


def findings(path: Path) -> list[tuple[str, str]]:
    return [(found.severity, found.what) for found in modules(file.read(path).metagraphs[0])]


def test_a_node_that_says_the_truth(tmp_path: Path) -> None:
    assert findings(save(tmp_path, data_of("dense"))) == []
    assert findings(save(tmp_path, data_of("dense"), sout=[[-1, 5]])) == []


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"tin": [FLOAT, FLOAT]}, ("error", "Tin has 2 types, the module's main 1")),
        ({"tout": [INT32]}, ("error", "Tout[0] is int32, the module's main has float32")),
        ({"sout": [[2, 6]]}, ("warning", "Sout[0] is [2,6], the module's main yields [2,5]")),
    ],
)
def test_a_node_that_does_not(tmp_path: Path, fields: Any, found: tuple[str, str]) -> None:
    assert findings(save(tmp_path, data_of("dense"), **fields)) == [found]


def test_a_module_for_a_newer_tensorflow(tmp_path: Path) -> None:
    assert findings(save(tmp_path, data_of("many")))[0] == (
        "warning",
        "its module needs VHLO 1.14.0 (composite_v2); TensorFlow 2.21 reads 1.13.7",
    )


def test_modules_that_cannot_be_read(tmp_path: Path) -> None:
    assert findings(save(tmp_path, b"")) == [("error", "it holds no module")]
    assert findings(save(tmp_path, b"module {}"))[0][0] == "note"
    assert findings(save(tmp_path, data_of("dense")[:300]))[0][0] == "warning"


def test_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path, data_of("linalg"))
    assert app.run(["show", str(path), "--json"]) == 0
    (module,) = json.loads(capsys.readouterr().out)["modules"]
    assert module["nodes"] == ["layer/call"]
    assert module["functions"]["main"].startswith("float32 [3,3] -> float32 [3,3]")
    assert sum(module["custom_calls"].values()) == 2
    assert all(name.startswith("lapack_") for name in module["custom_calls"])
    assert app.run(["show", str(path)]) == 0
    assert "StableHLO module in layer/call" in capsys.readouterr().out


def test_find(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path, data_of("dense"))
    assert app.run(["find", str(path), "--op", "stablehlo.dot*", "--json"]) == 0
    (value,) = json.loads(capsys.readouterr().out)["values"]
    assert (value["graph"], value["shape"]) == ("layer/call: main", [2, 5])


def test_a_module_that_nobody_can_read_is_no_obstacle(tmp_path: Path) -> None:
    path = save(tmp_path, data_of("dense")[:300])
    assert app.run(["show", str(path)]) == 0
    assert app.run(["find", str(path), "--op", "XlaCallModule"]) == 0


def test_an_edit_leaves_the_module_as_it_is(tmp_path: Path) -> None:
    path = save(tmp_path, data_of("dense"))
    assert app.run(["rename", str(path), "x=y", "-o", str(tmp_path / "out.pb")]) == 0
    node = file.read(tmp_path / "out.pb").graph.node("layer/call")
    assert node is not None
    assert node.attrs["module"] == data_of("dense")


def test_a_shape_that_the_module_does_not_take_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """TensorFlow itself finds out when it runs: parameter 0 shape f32[2,4], argument shape f32[3,4]."""
    path = save(tmp_path, data_of("dense"))
    wrong = ["set-input", str(path), "--shape", "x=3,4", "-o", str(tmp_path / "out.pb")]
    assert app.run(wrong) == 4
    assert "its module takes [2,4]" in capsys.readouterr().err
    assert app.run([*wrong, "--allow-contradictions"]) == 0
    assert "its module takes [2,4]" in capsys.readouterr().out
    app.run(["check", str(tmp_path / "out.pb")])
    assert "its module takes [2,4]" in capsys.readouterr().out
    app.run(["set-input", str(path), "--shape", "x=2,4", "-o", str(tmp_path / "same.pb")])
    assert "contradictions" not in capsys.readouterr().out


def test_a_module_of_any_batch_takes_any(tmp_path: Path) -> None:
    path = save(tmp_path, data_of("poly"), sout=[[-1]])
    assert app.run(["set-input", str(path), "--shape", "x=3,4", "-o", str(tmp_path / "out.pb")]) == 0
