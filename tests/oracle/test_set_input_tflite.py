"""TFLite models with inputs of other shapes, as LiteRT allocates them: ours and the source resized there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats import read, write
from graphsurgeon.surgery.set_input import set_input

pytestmark = pytest.mark.litert

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "tflite"


def interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=str(path))


def tried(path: Path, batch: int, target: Path) -> str:
    """Give every input a batch and compare with LiteRT; return what became of it."""
    model = read(path)
    if len(model.graphs) != 1:
        return "several subgraphs"
    inputs = model.metagraphs[0].graph.inputs
    shapes = {f"#{value.port}": [batch, *list(value.shape)[1:]] for value in inputs if value.shape and value.shape.rank}
    if len(inputs) != 1 or not shapes or any(None in shape for shape in shapes.values()):
        return "no batch, or several"
    try:
        report = set_input(model, shapes=shapes, allow_contradictions=True)
    except GraphSurgeonError:
        return "refused"
    source = interpreter(path)
    for name, shape in shapes.items():
        source.resize_tensor_input(int(name[1:]), shape)
    try:
        source.allocate_tensors()
    except (RuntimeError, ValueError):
        return "contradiction" if report.contradictions else "LiteRT alone refuses"
    if report.contradictions:
        # A shape such as [1,-1,16] takes the whole batch without a word: the interpreter opens it, and mixes examples.
        lost = [detail["name"] for detail in source.get_output_details() if detail["shape"][0] != batch]
        return "the batch is lost in silence" if lost else "we alone see a contradiction"
    write(model, target, force=True)
    ours = interpreter(target)
    stored = [detail["shape"].tolist() for detail in ours.get_output_details()]
    ours.allocate_tensors()
    for one in (source, ours):
        _run(one)
    for place, expected, found in zip(stored, source.get_output_details(), ours.get_output_details(), strict=True):
        assert place == expected["shape"].tolist(), (path, expected["name"])
        one, other = source.get_tensor(expected["index"]), ours.get_tensor(found["index"])
        assert np.allclose(one.astype(float), other.astype(float), equal_nan=True), (path, expected["name"])
    return "the same"


def _run(model: Any) -> None:
    random = np.random.RandomState(0)
    for detail in model.get_input_details():
        values = random.randint(0, 3, detail["shape"]).astype(detail["dtype"])
        model.set_tensor(detail["index"], values)
    model.invoke()


@pytest.mark.parametrize("name", ["cnn_float", "cnn_int8", "cnn_float16", "float"])
def test_fixtures(name: str, tmp_path: Path) -> None:
    assert tried(FIXTURES / f"{name}.tflite", 3, tmp_path / "other.tflite") == "the same"


@pytest.mark.corpus
def test_corpus(corpus: Path, tmp_path: Path) -> None:
    outcomes: dict[str, int] = {}
    for path in sorted(corpus.rglob("*.tflite")):
        try:
            read(path)
            interpreter(path).allocate_tensors()
        except (GraphSurgeonError, RuntimeError, ValueError):
            continue
        outcome = tried(path, 3, tmp_path / "other.tflite")
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        assert not outcome.startswith(("we alone", "LiteRT alone")), path
    assert outcomes["the same"] > 20, outcomes
