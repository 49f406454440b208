"""Frozen graphs are what converters take: to TFLite, then run by LiteRT, and to ONNX, then run by its reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.formats import read, write
from graphsurgeon.surgery.freeze import FreezeReport, freeze
from tests.oracle import sessions
from tests.oracle.freeze_models import BUILDERS
from tests.oracle.freeze_models_loops import LOOPS

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("default")]

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "savedmodel"
KINDS = BUILDERS | LOOPS


class Frozen:
    """A kind of model, frozen; and what TensorFlow makes of it."""

    def __init__(self, name: str, folder: Path) -> None:
        feeds = KINDS[name](folder / "model")
        self.path = folder / "frozen.pb"
        self.report = frozen_to(self.path, folder / "model")
        self.fed = {self.report.feeds[key]: value for key, value in feeds.items()}
        self.expected = sessions.run_graph_def(self.path, self.report.fetches, self.fed, optimize=False)

    def nodes(self, tensors: Mapping[str, str]) -> list[str]:
        """Return the nodes of feeds or fetches."""
        return [name.removesuffix(":0") for name in tensors.values()]


def frozen_to(path: Path, source: Path, **options: bool) -> FreezeReport:
    model = read(source)
    report = freeze(model, **options)  # type: ignore[arg-type]
    write(model, path)
    return report


@pytest.mark.litert
@pytest.mark.parametrize("name", ["keras_cnn", "v1_batch_norm_ref_inference", "v1_default_phase"])
def test_litert_computes_the_same(name: str, tmp_path: Path) -> None:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    frozen = Frozen(name, tmp_path)
    shapes = {node.removesuffix(":0"): list(np.shape(value)) for node, value in frozen.fed.items()}
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        str(frozen.path), frozen.nodes(frozen.report.feeds), frozen.nodes(frozen.report.fetches), shapes
    )
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    for place in interpreter.get_input_details():
        interpreter.set_tensor(place["index"], np.asarray(_named(place["name"], frozen.fed)))
    interpreter.invoke()
    found = [interpreter.get_tensor(place["index"]) for place in interpreter.get_output_details()]
    for expected, value in zip(frozen.expected.values(), found, strict=True):
        assert sessions.close(expected, value)


def _named(name: str, values: Mapping[str, Any]) -> Any:
    return values[f"{name.removesuffix(':0')}:0"]


@pytest.mark.parametrize("name", ["nested_control_flow", "keras_lstm", "v1_raw_rnn"])
def test_the_converter_takes_control_flow(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    frozen = Frozen(name, tmp_path)
    shapes = {node.removesuffix(":0"): list(np.shape(value)) for node, value in frozen.fed.items()}
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        str(frozen.path), frozen.nodes(frozen.report.feeds), frozen.nodes(frozen.report.fetches), shapes
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    assert converter.convert()


@pytest.fixture
def to_onnx() -> Any:
    """Return a function from a frozen graph to an ONNX model."""
    tf2onnx = pytest.importorskip("tf2onnx", reason="needs tf2onnx, the oracle for conversion to ONNX")
    import tensorflow as tf

    def convert(path: Path, report: FreezeReport) -> Any:
        names = [[*report.feeds.values()], [*report.fetches.values()]]
        graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
        return tf2onnx.convert.from_graph_def(graph, input_names=names[0], output_names=names[1], opset=17)[0]

    return convert


@pytest.mark.parametrize("name", ["keras_cnn", "v1_batch_norm_ref_inference"])  # tf2onnx 1.17 cannot order nested loops
def test_onnx_computes_the_same(name: str, tmp_path: Path, to_onnx: Any) -> None:
    from onnx.reference import ReferenceEvaluator

    frozen = Frozen(name, tmp_path)
    model = to_onnx(frozen.path, frozen.report)
    found = ReferenceEvaluator(model).run([*frozen.report.fetches.values()], frozen.fed)
    for expected, value in zip(frozen.expected.values(), found, strict=True):
        assert sessions.close(expected, value)


def test_onnx_finds_the_recurrent_layers(tmp_path: Path, to_onnx: Any) -> None:
    report = frozen_to(tmp_path / "frozen.pb", FIXTURES / "keras_rnn", no_lowering=True)
    ops = {node.op_type for node in to_onnx(tmp_path / "frozen.pb", report).graph.node}
    assert "LSTM" in ops
    assert not any(op.startswith("TensorList") for op in ops)
