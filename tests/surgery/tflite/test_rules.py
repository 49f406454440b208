"""Shipped rules for TFLite models: LiteRT computes what it computed, and what was replaced is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.cli import app
from graphsurgeon.model import DType
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.patterns.lexer import PatternError
from graphsurgeon.patterns.rules import rule_set

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
FLOAT = DType.named("float32")


def spelled_model(text: Callable[[Any], Value]) -> Any:
    """Return a model whose last output is computed by what `text` adds."""
    model = read(FIXTURES / "tflite/float.tflite")
    graph = model.metagraphs[0].graph
    model.metagraphs[0].signatures.clear()
    graph.outputs[0].value = text(Adding(graph))
    surgery.strip(model)
    return model


class Adding:
    """Adds operators by name: `adding.MUL(x, 0.5)`."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.x = graph.inputs[0]

    def __getattr__(self, op: str) -> Callable[..., Value]:
        def add(*given: Value | float, **attrs: object) -> Value:
            inputs = [one if isinstance(one, Value) else self._number(one) for one in given]
            node = self.graph.add_node(op, "", inputs, attrs, checked=False)
            value = self.graph.add_value(f"made_{len(self.graph.values)}", FLOAT, self.x.shape or Shape(None))
            node.set_outputs([value])
            return value

        return add

    def _number(self, number: float) -> Value:
        return self.graph.add_value(f"n_{len(self.graph.values)}", FLOAT, Shape([]), Tensor.of(FLOAT, [], [number]))


def gelu(a: Any) -> Value:
    cube = a.MUL(a.x, a.MUL(a.x, a.x))
    return a.MUL(a.MUL(a.x, 0.5), a.ADD(a.TANH(a.MUL(a.ADD(a.x, a.MUL(cube, 0.044715)), 0.7978846)), 1.0))


SPELLED: dict[str, tuple[Callable[[Any], Value], str]] = {
    "gelu": (gelu, "GELU"),
    "hard swish": (lambda a: a.MUL(a.x, a.MUL(a.RELU6(a.ADD(a.x, 3.0)), 0.16666667)), "HARD_SWISH"),
    "hard swish, divided": (lambda a: a.DIV(a.MUL(a.x, a.RELU6(a.ADD(a.x, 3.0))), 6.0), "HARD_SWISH"),
}


@pytest.mark.parametrize("name", SPELLED)
def test_what_was_spelled_out_becomes_one_operator_and_back(name: str) -> None:
    spelled, op = SPELLED[name]
    model = spelled_model(spelled)
    before = sorted(node.op for node in model.graph.nodes)
    assert sum(surgery.replace(model, rule_set("fuse-tflite").rules).rules.values()) == 1
    ops = [node.op for node in model.graph.nodes]
    assert op in ops
    assert not {"TANH", "RELU6", "ADD", "MUL", "DIV"} & set(ops)
    surgery.replace(model, rule_set("spell-out-tflite").rules)
    after = sorted(node.op for node in model.graph.nodes)
    assert after == before or name == "hard swish, divided"


@pytest.mark.litert
@pytest.mark.parametrize("name", SPELLED)
@pytest.mark.parametrize("rules", [("fuse-tflite",), ("fuse-tflite", "spell-out-tflite")])
def test_litert_computes_the_same(name: str, rules: tuple[str, ...], tmp_path: Path) -> None:
    from graphsurgeon.bridges.verify import verify

    model = spelled_model(SPELLED[name][0])
    write(model, tmp_path / "before.tflite")
    for rule in rules:
        surgery.replace(model, rule_set(rule).rules)
    write(model, tmp_path / "after.tflite")
    assert verify(tmp_path / "before.tflite", tmp_path / "after.tflite").agrees


def test_a_rule_for_another_framework_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(PatternError, match="MUL is an op of TFLite"):
        surgery.replace(read(FIXTURES / "graphdef/cnn.pb"), rule_set("fuse-tflite").rules)
    model = FIXTURES / "tflite/cnn_float.tflite"
    assert app.run(["replace", str(model), "--rule", "fuse-gelu", "-o", str(tmp_path / "out.tflite")]) == 2
    assert "the model has ops of TFLite" in capsys.readouterr().err
