"""Optimizing TFLite models: what goes, what stays, and that LiteRT computes the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.bridges.verify import verifier
from graphsurgeon.edit import edit
from graphsurgeon.model import DType, Model
from graphsurgeon.model.graph import Output, Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.patterns.rules import rule_set
from graphsurgeon.surgery.optimize import PASSES

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "tflite"
FLOAT = DType.named("float32")
INT = DType.named("int32")


class Made:
    """A model of one float input, to which operators are added."""

    def __init__(self) -> None:
        self.model: Model = read(FIXTURES / "float.tflite")
        self.graph = self.model.metagraphs[0].graph
        self.x = self.graph.inputs[0]

    def op(self, name: str, inputs: list[Value], shape: list[int], dtype: DType = FLOAT, **attrs: object) -> Value:
        node = self.graph.add_node(name, "", inputs, attrs, checked=False)
        value = self.graph.add_value(f"new_{len(self.graph.values)}", dtype, Shape(shape))
        node.set_outputs([value])
        return value

    def const(self, array: object) -> Value:
        tensor = Tensor.from_numpy(np.asarray(array))
        return self.graph.add_value(f"const_{len(self.graph.values)}", tensor.dtype, tensor.shape, tensor)

    def end(self, *values: Value) -> None:
        self.graph.outputs = [*self.graph.outputs, *(Output("", value) for value in values)]

    @property
    def ops(self) -> list[str]:
        return [node.op for node in self.graph.nodes]


def dims(value: Value) -> list[int]:
    assert value.shape is not None
    return [dim or 1 for dim in value.shape.dims or ()]


def test_dequantized_constants_are_folded_by_their_scale() -> None:
    made = Made()
    stored = made.const(np.array([-3, 0, 5], np.int8))
    stored.extra = {"quantization": Quantization(scale=(0.25,), zero_point=(1,))}
    made.end(made.op("NEG", [made.op("DEQUANTIZE", [stored], [3])], [3]))
    report = surgery.optimize(made.model)
    assert report.passes["fold"] == 1
    (read_by_neg,) = next(node for node in made.graph.nodes if node.op == "NEG").inputs
    assert read_by_neg.tensor is not None
    assert read_by_neg.tensor.numpy().tolist() == [-1.0, -0.25, 1.0]
    assert stored not in made.graph.values


def test_a_large_result_is_not_folded_unless_asked_for() -> None:
    made = Made()
    half = made.const(np.ones(60_000, np.float16))
    made.end(made.op("NEG", [made.op("DEQUANTIZE", [half], [60_000])], [60_000]))
    assert "fold" not in surgery.optimize(made.model).passes
    report = surgery.optimize(made.model, max_fold=1 << 20)
    assert report.passes["fold"] == 1
    assert any("120,000 bytes more" in note for note in report.notes)


def test_what_only_moves_constants_is_computed() -> None:
    made = Made()
    square = made.const(np.arange(4, dtype=np.int32).reshape(2, 2))
    turned = made.op("TRANSPOSE", [square, made.const(np.array([1, 0], np.int32))], [2, 2], INT)
    flat = made.op("RESHAPE", [turned, made.const(np.array([4], np.int32))], [4], INT)
    floats = made.op("CAST", [flat], [4])
    made.end(made.op("NEG", [made.op("PACK", [floats, floats], [4, 2], axis=1, values_count=2)], [4, 2]))
    surgery.optimize(made.model)
    (value,) = next(node for node in made.graph.nodes if node.op == "NEG").inputs
    assert value.tensor is not None
    assert value.tensor.numpy().tolist() == [[0.0, 0.0], [2.0, 2.0], [1.0, 1.0], [3.0, 3.0]]


def test_casts_of_floats_to_integers_are_left_to_the_runtime() -> None:
    made = Made()
    made.end(made.op("NEG", [made.op("CAST", [made.const(np.array([1e20], np.float32))], [1], INT)], [1], INT))
    assert "fold" not in surgery.optimize(made.model).passes


def test_reshapes_and_transposes_that_come_to_nothing_go() -> None:
    assert PASSES["arithmetic"].endswith("plain-arithmetic")
    assert rule_set("plain-arithmetic-tflite").exactness == "exact"
    made = Made()
    shape = dims(made.x)
    made.x.shape = Shape(shape)
    flat = made.op("RESHAPE", [made.x, made.const(np.array([-1], np.int32))], [int(np.prod(shape))])
    back = made.op("RESHAPE", [flat, made.const(np.array(shape, np.int32))], shape)
    made.end(made.op("NEG", [back], shape))
    before = made.ops.count("RESHAPE")
    surgery.optimize(made.model)
    assert made.ops.count("RESHAPE") == before - 2
    assert next(node for node in made.graph.nodes if node.op == "NEG").inputs[0] is made.x


def test_equal_operators_run_once_and_random_ones_each() -> None:
    made = Made()
    one, two = (made.op("EXP", [made.x], dims(made.x)) for _ in range(2))
    shape = made.const(np.array([2], np.int32))
    drawn = [made.op("RANDOM_UNIFORM", [shape], [2]) for _ in range(2)]
    made.end(made.op("SUB", [one, two], dims(made.x)), made.op("SUB", drawn, [2]))
    assert surgery.optimize(made.model).passes["common"] == 1
    assert made.ops.count("EXP") == 1
    assert made.ops.count("RANDOM_UNIFORM") == 2


def test_equal_operators_that_are_both_outputs_stay() -> None:
    made = Made()
    made.end(*(made.op("EXP", [made.x], dims(made.x)) for _ in range(2)))
    surgery.optimize(made.model)
    assert made.ops.count("EXP") == 2


def test_equal_bytes_are_stored_once(tmp_path: Path) -> None:
    made = Made()
    weights = np.arange(512, dtype=np.float32)
    one, two = made.const(weights), made.const(weights.reshape(2, 256))
    made.end(made.op("NEG", [one], [512]), made.op("NEG", [two], [2, 256]))
    write(made.model, tmp_path / "before.tflite")
    report = edit(tmp_path / "before.tflite", [("optimize", {})], output=tmp_path / "after.tflite")
    assert report.steps[0].report.passes == {"buffers": 1}
    saved = (tmp_path / "before.tflite").stat().st_size - (tmp_path / "after.tflite").stat().st_size
    assert saved >= weights.nbytes - 64
    again = edit(tmp_path / "after.tflite", [("optimize", {})], output=tmp_path / "again.tflite")
    assert again.steps[0].report.passes == {}


def test_variables_and_subgraphs_are_left_alone() -> None:
    for name in ("variables", "control_flow", "lstm", "strings"):
        model = read(FIXTURES / f"{name}.tflite")
        before = [[node.op for node in graph.nodes] for graph in model.metagraphs[0].graphs]
        surgery.optimize(model)
        assert [[node.op for node in graph.nodes] for graph in model.metagraphs[0].graphs] == before


@pytest.mark.litert
@pytest.mark.parametrize("name", ["cnn_float16", "cnn_int8", "shared_buffers", "composite"])
def test_a_fixture_computes_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    source, target = FIXTURES / f"{name}.tflite", tmp_path / "out.tflite"
    report = edit(source, [("optimize", {"only": ["all"]})], output=target, verify=verifier(source))
    assert report.verdict is not None
    assert report.verdict.agrees
    assert all(output.identical for output in report.verdict.outputs)
