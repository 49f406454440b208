"""The part of an ONNX network between tensors, as a graph of TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.model import Model
from graphsurgeon.surgery.convert import ConvertReport
from tests.cli.conftest import GS, gs
from tests.formats.onnx.models import graph, model, new, node, save, tensor, value
from tests.lowering.test_lower import lowered

__all__ = ["gs"]  # the fixture


def network() -> Any:
    """Return x, m -> "sum" -> "parts" (two) -> y, and "odd", for which nothing is known, behind the first part."""
    nodes = [
        node("Add", ["x", "m"], ["s"], "sum"),
        node("Split", ["s", "lengths"], ["a", "b"], "parts"),
        node("Mul", ["b", "w"], ["y"], "product"),
        node("Bernoulli", ["a"], ["z"], "odd"),
    ]
    weights = [tensor("w", [1], [2]), new("TensorProto", name="lengths", dims=[2], data_type=7, int64_data=[1, 3])]
    inputs = [value("x", [4, "n"]), value("m", [1])]
    return model(graph(nodes, inputs, [value("y", None), value("z", None)], initializer=weights), opset=15)


def part(folder: Path, **ends: Any) -> tuple[Model, ConvertReport, list[str], list[str]]:
    found, report = lowered(folder, network(), **ends)
    signature = found.metagraphs[0].signatures["serving_default"]
    return found, report, list(signature.inputs), list(signature.outputs)


def test_what_comes_before_an_op_that_nothing_is_known_for(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"Bernoulli \('odd'\)") as caught:
        part(tmp_path)
    assert "--outputs TENSOR converts the part before them" in (caught.value.hint or "")
    _, report, inputs, outputs = part(tmp_path, outputs=["y"])
    assert (inputs, outputs, report.notes) == (["x", "m"], ["y"], [])


def test_between_tensors(tmp_path: Path) -> None:
    found, report, inputs, outputs = part(tmp_path, inputs=["b"], outputs=["product"])
    assert (inputs, outputs) == (["b"], ["y"])
    assert report.notes == ["no longer needed: input 'x', 'm'"]
    assert found.graph.op_counts == {"Placeholder": 1, "Const": 1, "Mul": 1}
    [entry] = found.metagraphs[0].signatures["serving_default"].inputs.values()
    assert str(entry.shape) == "[3,?]"


def test_an_op_of_which_one_output_is_fed(tmp_path: Path) -> None:
    _, _, inputs, outputs = part(tmp_path, inputs=["b"], outputs=["y", "a"])
    assert (inputs, outputs) == (["x", "m", "b"], ["y", "a"])


def test_what_is_no_end(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no tensor 'nothing'"):
        part(tmp_path, outputs=["nothing"])
    with pytest.raises(UsageError, match="'w' is a constant"):
        part(tmp_path, outputs=["w"])
    with pytest.raises(UsageError, match="nothing that comes out needs 'a'"):
        part(tmp_path, inputs=["a"], outputs=["y"])


def test_the_command(gs: GS, tmp_path: Path) -> None:
    path = save(tmp_path, network())
    done = gs("convert", path, tmp_path / "part.pb", "--outputs", "y")
    assert (done.status, done.err) == (0, "")
    refused = gs("convert", path, tmp_path / "logdir", "--outputs", "y")
    assert refused.status == 2
    assert "--outputs is for conversions" in refused.err
