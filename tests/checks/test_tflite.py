"""TFLite models that are broken in one place each: what `check` calls an error is what LiteRT refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read, write
from graphsurgeon.checks.check import check
from graphsurgeon.errors import FormatError
from graphsurgeon.model import Collection, CollectionItem
from tests.formats.tflite_support_bytes import support_bytes
from tests.oracle import tflite_objects

pytestmark = pytest.mark.litert
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "tflite"
Change = Callable[[Any], None]

# Run as a program: what LiteRT says of a file, with and without its delegate.
REFUSES = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType as Kinds
def fed(item):
    is_text = item["dtype"] in (np.bytes_, np.object_)
    return np.full(item["shape"], b"a", object) if is_text else np.zeros(item["shape"], item["dtype"])
for kind in (Kinds.AUTO, Kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
    interpreter = Interpreter(sys.argv[1], experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    for item in interpreter.get_input_details():
        interpreter.set_tensor(item["index"], fed(item))
    interpreter.invoke()
    [interpreter.get_tensor(item["index"]) for item in interpreter.get_output_details()]
    for key in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(key)
        feeds = runner.get_input_details().items()
        runner(**{name: fed(item) for name, item in feeds})
"""


def operator(model: Any, number: int = 0) -> Any:
    return model.subgraphs[0].operators[number]


def code(model: Any) -> Any:
    return model.operatorCodes[operator(model).opcodeIndex]


def tensor(model: Any, number: int) -> Any:
    return model.subgraphs[0].tensors[number]


def output(model: Any) -> int:
    return int(operator(model).outputs[0])


def stored(model: Any, number: int, data: list[int]) -> None:
    """Give a tensor a buffer of its own."""
    buffer = type(model.buffers[0])()
    buffer.data = np.array(data, np.uint8)
    model.buffers.append(buffer)
    tensor(model, number).buffer = len(model.buffers) - 1


def _unsigned(model: Any) -> None:
    tensor(model, 0).shapeSignature = None


def bias(model: Any) -> int:
    return int(operator(model, 1).inputs[2])


def zeros(model: Any) -> list[int]:
    return [7] * len(tensor(model, bias(model)).quantization.scale)


def constant(model: Any) -> int:
    return int(operator(model).inputs[1])


def _set(item: Any, name: str, value: Any) -> None:
    setattr(item, name, value)


def runs_itself(model: Any) -> None:
    options = operator(model).builtinOptions
    options.bodySubgraphIndex = options.condSubgraphIndex


def _with(item: Any, name: str, value: Any) -> Any:
    setattr(item, name, value)
    return item


def result_of(model: Any, op: str) -> Any:
    """Return the result of the first operator of a kind."""
    number = getattr(tflite_objects.generated().BuiltinOperator, op)
    codes = [max(item.builtinCode, item.deprecatedBuiltinCode) for item in model.operatorCodes]
    found = next(item for item in model.subgraphs[0].operators if codes[item.opcodeIndex] == number)
    return tensor(model, int(found.outputs[0]))


def added(model: Any) -> int:
    """Add a tensor that nothing computes; return its index."""
    model.subgraphs[0].tensors.append(_with(copy(tensor(model, output(model))), "buffer", 0))
    return len(model.subgraphs[0].tensors) - 1


TANH = 4


def scale_weights(model: Any, scale: list[float], activation: int = 0) -> None:
    """Give the weights of the first matrix product of floats, of four outputs, other scales."""
    products = (item for item in model.subgraphs[0].operators if hasattr(item.builtinOptions, "weightsFormat"))
    found = next(item for item in products if len(tensor(model, item.inputs[1]).quantization.scale) == 4)
    weights = tensor(model, found.inputs[1]).quantization
    weights.scale, weights.zeroPoint, weights.quantizedDimension = scale, [0] * len(scale), 0
    found.builtinOptions.fusedActivationFunction = activation


def channels_along_depth(model: Any) -> None:
    """Make the first matrix product one of int8, with a scale for each column of its weights."""
    found = next(item for item in model.subgraphs[0].operators if hasattr(item.builtinOptions, "weightsFormat"))
    given, weights, made = (tensor(model, int(number)) for number in (*found.inputs[:2], found.outputs[0]))
    depth = int(weights.shape[1])
    for one, count in ((given, 1), (made, 1), (weights, depth)):
        one.type, one.quantization = 9, tflite_objects.generated().QuantizationParametersT()
        one.quantization.scale, one.quantization.zeroPoint = [0.5] * count, [0] * count
    weights.quantization.quantizedDimension = 1


def places_of_texts(model: Any, byte: int, value: int) -> None:
    """Change where the last text of the keys of a table begins."""
    keys = next(one for one in model.subgraphs[1].tensors if one.type == 5)
    data = np.array(model.buffers[keys.buffer].data, np.uint8)
    data[4 * data[0] + byte] = value
    model.buffers[keys.buffer].data = data


CASES: list[tuple[str, str, Change]] = [
    ("operator-kind", "float", lambda m: _set(code(m), "version", 99)),
    ("operator-kind", "float", lambda m: _set(code(m), "version", 0)),
    ("operator-kind", "float", lambda m: _set(code(m), "builtinCode", 9999)),
    ("operator-kind", "float", lambda m: _set(code(m), "builtinCode", 127)),
    ("operator-arity", "float", lambda m: _set(operator(m), "inputs", operator(m).inputs[:1])),
    ("operator-arity", "cnn_float", lambda m: _set(operator(m), "outputs", [*operator(m).outputs, 0])),
    ("operator-arity", "cnn_float", lambda m: _set(operator(m), "inputs", [*operator(m).inputs, 0])),
    ("operator-input", "cnn_float", lambda m: operator(m).inputs.__setitem__(0, -1)),
    ("operator-output", "cnn_float", lambda m: operator(m).outputs.__setitem__(0, -1)),
    ("operator-result", "cnn_float", lambda m: operator(m).outputs.__setitem__(0, operator(m).inputs[0])),
    ("operator-result", "cnn_float", lambda m: operator(m).outputs.__setitem__(0, constant(m))),
    ("operator-result", "cnn_float", lambda m: _set(operator(m, 1), "outputs", [output(m)])),
    ("operator-type", "cnn_float", lambda m: _set(tensor(m, output(m)), "type", 2)),
    ("operator-options", "cnn_float", lambda m: _set(operator(m).builtinOptions, "strideH", 0)),
    ("operator-options", "float", lambda m: _set(operator(m).builtinOptions, "weightsFormat", 9)),
    ("operator-options", "float", lambda m: _set(operator(m).builtinOptions, "quantizedBiasType", 99)),
    ("tensor-source", "float", lambda m: _set(m.subgraphs[0], "inputs", [])),
    ("tensor-source", "cnn_float", lambda m: _set(tensor(m, constant(m)), "buffer", 0)),
    ("constant-input", "float", lambda m: _set(m.subgraphs[0], "inputs", [*m.subgraphs[0].inputs, constant(m)])),
    ("tensor-type", "float", lambda m: _set(tensor(m, output(m)), "type", 99)),
    ("tensor-variable", "float", lambda m: _set(tensor(m, constant(m)), "isVariable", True)),
    ("tensor-shape", "float", lambda m: _set(tensor(m, output(m)), "shape", [1 << 30, 1 << 30])),
    ("quantization", "cnn_int8", lambda m: _set(tensor(m, 0).quantization, "zeroPoint", None)),
    ("quantization", "cnn_int8", lambda m: _set(tensor(m, 0).quantization, "quantizedDimension", 9)),
    ("quantization", "cnn_int8", lambda m: _set(tensor(m, 0).quantization, "scale", [float("nan")])),
    ("quantization", "dynamic_range", lambda m: scale_weights(m, [-1.0])),
    ("quantization", "dynamic_range", lambda m: scale_weights(m, [0.01] * 3 + [-1.0])),
    ("sparsity", "sparse", lambda m: _set(tensor(m, 0).sparsity, "traversalOrder", None)),
    ("subgraph-tensors", "control_flow", runs_itself),
    ("subgraph-tensors", "composite", lambda m: _set(m.subgraphs[1], "inputs", [])),
    ("signature-key", "float", lambda m: _set(m.signatureDefs[0], "signatureKey", None)),
    ("signature-tensor", "metadata", lambda m: _set(m.signatureDefs[0].inputs[0], "tensorIndex", 1)),
    ("tensor-name", "float", lambda m: _set(tensor(m, 4), "name", b"\xff")),
    ("buffer-size", "quantized_forms", lambda m: stored(m, 6, [1])),  # int4, [3]
    ("buffer-size", "quantized_forms", lambda m: (_set(tensor(m, 7), "shape", [5]), stored(m, 7, [1]))),  # int2
    ("buffer-size", "quantized_forms", lambda m: stored(m, 6, [])),
    ("buffer-size", "float", lambda m: stored(m, 0, [])),  # an input
    (
        "operator-shape",
        "metadata",
        lambda m: (_set(tensor(m, 0), "shape", [1, 7]), _set(tensor(m, 0), "shapeSignature", None)),
    ),
    ("buffer-size", "strings", lambda m: places_of_texts(m, 2, 1)),
    ("operator-shape", "sparse", lambda m: _set(tensor(m, 1), "shape", [3, 7])),
    ("operator-shape", "lstm", lambda m: _set(tensor(m, 0), "shape", [1, 5, 3, 2])),
    ("operator-type", "cnn_float", lambda m: _set(tensor(m, 0), "type", 2)),
    ("operator-type", "lstm", lambda m: _set(tensor(m, int(operator(m).inputs[12])), "type", 2)),
    ("operator-type", "sparse", lambda m: _set(tensor(m, 2), "type", 2)),
    ("operator-quantization", "cnn_int8", lambda m: _set(tensor(m, bias(m)).quantization, "zeroPoint", zeros(m))),
    ("operator-quantization", "cnn_int8", lambda m: _set(result_of(m, "SOFTMAX").quantization, "scale", [0.5])),
    ("operator-kind", "float", lambda m: m.operatorCodes.append(_with(copy(code(m)), "version", 99))),
    ("operator-input", "cnn_float", lambda m: operator(m).inputs.__setitem__(2, -1)),
    ("operator-type", "lstm", lambda m: operator(m).inputs.__setitem__(18, operator(m).inputs[12])),
    ("operator-type", "composite", lambda m: _set(tensor(m, 3), "type", 9)),
    ("operator-shape", "lstm", lambda m: operator(m).inputs.__setitem__(5, -1)),
    ("tensor-source", "float", lambda m: _set(m.signatureDefs[0].outputs[0], "tensorIndex", added(m))),
    ("table", "strings", lambda m: _set(operator(m, 1).builtinOptions, "tableId", 3)),
    ("table", "strings", lambda m: _set(operator(m, 1).builtinOptions, "valueDtype", 3)),
    ("signature-tensor", "float", lambda m: _set(m.subgraphs[0], "outputs", [output(m)])),
    ("operator-type", "lstm", lambda m: _set(operator(m), "inputs", [*operator(m).inputs, 0])),
    ("operator-type", "sparse", lambda m: _set(operator(m), "inputs", [m.subgraphs[0].inputs[0]])),
    ("operator-quantization", "dynamic_range", channels_along_depth),
    ("variable-type", "variables", lambda m: _set(result_of(m, "READ_VARIABLE"), "type", 2)),
    ("operator-type", "variables", lambda m: _set(tensor(m, 0), "type", 8)),  # what is added to what is read
    ("shape", "variables", lambda m: _set(tensor(m, 0), "shape", [5])),
    ("table", "strings", lambda m: _set(tensor(m, 1), "type", 5)),  # the default value
    ("table", "strings", lambda m: _set(m.subgraphs[0], "operators", m.subgraphs[0].operators[1:])),  # CALL_ONCE
]


@pytest.mark.parametrize(("rule", "name", "change"), CASES)
def test_what_litert_refuses_is_an_error(rule: str, name: str, change: Change, tmp_path: Path) -> None:
    model = tflite_objects.model((FIXTURES / f"{name}.tflite").read_bytes())
    for one in operator(model, 0), operator(model, len(model.subgraphs[0].operators) - 1):
        one.inputs, one.outputs = list(one.inputs), list(one.outputs)
    change(model)
    path = tmp_path / "broken.tflite"
    path.write_bytes(tflite_objects.pack(model))
    before = {found.rule for found in check(read(FIXTURES / f"{name}.tflite")) if found.severity == "error"}
    assert rule in {found.rule for found in check(read(path)) if found.severity == "error"} - before
    refused = subprocess.run([sys.executable, "-c", REFUSES, path], capture_output=True, check=False, timeout=100)
    assert refused.returncode != 0


# Fixture, what is changed and neither refused nor dies.
TAKEN: list[tuple[str, Change]] = [
    ("dynamic_range", lambda m: scale_weights(m, [-1.0], TANH)),
    ("dynamic_range", lambda m: scale_weights(m, [0.01] * 3 + [-1.0], TANH)),
    ("composite", lambda m: _set(m.subgraphs[1].tensors[0], "type", 2)),  # the input of a decomposition
    ("cnn_float", lambda m: m.subgraphs[0].operators.append(operator(m))),
    ("float", lambda m: _set(m.signatureDefs[0].inputs[0], "tensorIndex", int(m.subgraphs[0].outputs[0]))),
    ("float", lambda m: (_set(operator(m), "largeCustomOptionsOffset", 1 << 40), far(m))),
]


def far(model: Any) -> None:
    operator(model).largeCustomOptionsSize = 16


@pytest.mark.parametrize("index", range(len(TAKEN)))
def test_what_litert_takes_is_no_error(index: int, tmp_path: Path) -> None:
    name, change = TAKEN[index]
    model = tflite_objects.model((FIXTURES / f"{name}.tflite").read_bytes())
    change(model)
    path = tmp_path / "odd.tflite"
    path.write_bytes(tflite_objects.pack(model))
    assert [found.what for found in check(read(path)) if found.severity == "error"] == []
    assert subprocess.run([sys.executable, "-c", REFUSES, path], check=False, timeout=100).returncode == 0


def test_a_constant_that_no_signature_feeds_is_a_warning(tmp_path: Path) -> None:
    """LiteRT feeds inputs of the first subgraph, of others what a signature names."""
    model = tflite_objects.model((FIXTURES / "shared_buffers.tflite").read_bytes())
    model.subgraphs[1].inputs = [*model.subgraphs[1].inputs, 1]
    path = tmp_path / "odd.tflite"
    path.write_bytes(tflite_objects.pack(model))
    assert [one.severity for one in check(read(path)) if one.rule == "constant-input"] == ["warning"]
    assert subprocess.run([sys.executable, "-c", REFUSES, path], check=False, timeout=100).returncode == 0


def test_custom_operators_are_known_by_their_code_not_by_their_letters(tmp_path: Path) -> None:
    model = tflite_objects.model((FIXTURES / "float.tflite").read_bytes())
    code(model).builtinCode, code(model).deprecatedBuiltinCode, code(model).customCode = 32, 32, b"NOSUCH"
    path = tmp_path / "custom.tflite"
    path.write_bytes(tflite_objects.pack(model))
    found = [one for one in check(read(path)) if one.rule == "custom-operator"]
    assert [(one.severity, one.where) for one in found] == [("needs", "operator NOSUCH")]


@pytest.mark.parametrize(("outputs", "severities"), [(["y"], []), (["y", "z"], ["error"]), ([], ["error"]), (None, [])])
def test_metadata_that_is_not_parallel(outputs: list[str] | None, severities: list[str], tmp_path: Path) -> None:
    """The other verdicts were measured with MediaPipe: it dies on no subgraphs, and takes surplus inputs."""
    model = read(FIXTURES / "float.tflite")
    entries = [{"name": name} for name in outputs or ()]
    data = support_bytes([{"name": "x"}], entries) if outputs is not None else b"\0\0\0\0M002"
    item = CollectionItem("", {}, data)
    model.metagraphs[0].collections["TFLITE_METADATA"] = Collection("TFLITE_METADATA", "metadata", [item])
    write(model, tmp_path / "m.tflite")
    found = [one for one in check(read(tmp_path / "m.tflite")) if one.rule == "support-metadata"]
    assert [one.severity for one in found] == severities


def test_bytes_of_packed_elements_are_counted_as_they_are_stored(tmp_path: Path) -> None:
    model = tflite_objects.model((FIXTURES / "quantized_forms.tflite").read_bytes())
    stored(model, 6, [1])
    (tmp_path / "m.tflite").write_bytes(tflite_objects.pack(model))
    constant = read(tmp_path / "m.tflite").metagraphs[0].graph.values[6].tensor
    assert constant is not None
    with pytest.raises(FormatError, match=r"^1 byte stored for int4 of shape \[3\]"):
        constant.numpy()


def test_what_lies_in_another_file_needs_a_loader() -> None:
    path = FIXTURES / "external_buffers" / "model.tflite"
    assert [one.severity for one in check(read(path)) if one.rule == "external-buffer"] == ["needs"]
    said = subprocess.run([sys.executable, "-c", REFUSES, path], capture_output=True, check=False, timeout=100)
    assert "lacks data" in said.stderr.decode()
