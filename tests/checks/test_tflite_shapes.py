"""Shapes, scales and stored numbers that kernels refuse: each is an error, and LiteRT refuses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read
from graphsurgeon.checks.check import check
from tests.checks.test_tflite import REFUSES
from tests.oracle import tflite_objects

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "tflite"
FLOAT, HALF, INT, LONG, BOOL, SHORT, BYTE, INT2 = 0, 1, 2, 4, 6, 7, 9, 19
Described = tuple[int, list[int], list[int] | None]  # type, shape, what is stored


VERSIONS = {"BROADCAST_TO": 2}


def one_operator(op: str, tensors: list[Described], results: int = 1, options: Any = None) -> Any:
    """Return a model of one operator: its inputs, then its outputs; what is not stored is fed."""
    schema = tflite_objects.generated()
    code, one, graph, model = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT(), schema.ModelT()
    code.builtinCode, code.version = getattr(schema.BuiltinOperator, op), VERSIONS.get(op, 1)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    model.buffers, graph.tensors = [schema.BufferT()], []
    for number, (kind, shape, values) in enumerate(tensors):
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.shape = f"t{number}".encode(), kind, shape
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.array(values, {FLOAT: np.float32, INT: np.int32, BYTE: np.int8}[kind]).view(np.uint8)
            model.buffers.append(buffer)
            tensor.buffer = len(model.buffers) - 1
        graph.tensors.append(tensor)
    count = len(tensors) - results
    one.inputs, one.outputs = list(range(count)), list(range(count, len(tensors)))
    graph.inputs, graph.outputs = [n for n in range(count) if tensors[n][2] is None], one.outputs
    if options is not None:
        one.builtinOptions = options
        one.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    graph.operators, model.version = [one], 3
    model.operatorCodes, model.subgraphs = [code], [graph]
    return model


def options(name: str, **values: Any) -> Any:
    made = getattr(tflite_objects.generated(), f"{name}T")()
    for key, value in values.items():
        assert hasattr(made, key)
        setattr(made, key, value)
    return made


def window(name: str, **more: Any) -> Any:
    return options(name, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1, **more)


KERNEL: Described = (FLOAT, [2, 1, 1, 2], [1, 2, 3, 4])  # of a convolution of two channels
DEEP: Described = (FLOAT, [1, 1, 1, 4], [1, 2, 3, 4])  # of one that makes four channels
# Rule, operator, its tensors, options; what a kernel minds is the one thing that is odd.
CASES: list[tuple[str, str, list[Described], Any]] = [
    ("operator-shape", "TRANSPOSE", [(FLOAT, [2, 3], None), (INT, [2, 1], [1, 0]), (FLOAT, [3, 2], None)], None),
    (
        "operator-shape",
        "PAD",
        [(FLOAT, [2, 3], None), (INT, [1, 2], [0, 1]), (FLOAT, [2, 4], None)],
        options("PadOptions"),
    ),
    ("operator-shape", "TILE", [(FLOAT, [2, 3], None), (INT, [3], [1, 1, 1]), (FLOAT, [2, 3], None)], None),
    ("operator-shape", "BROADCAST_TO", [(FLOAT, [3], None), (INT, [2], [-1, 3]), (FLOAT, [1, 3], None)], None),
    ("operator-shape", "RESHAPE", [(FLOAT, [2, 3], None), (INT, [2], [-1, -1]), (FLOAT, [6, 1], None)], None),
    ("operator-shape", "RESHAPE", [(FLOAT, [2, 3], None), (INT, [1, 1], [6]), (FLOAT, [6], None)], None),
    (
        "operator-shape",
        "GATHER",
        [(FLOAT, [4, 2], None), (INT, [2], [0, 9]), (FLOAT, [2, 2], None)],
        options("GatherOptions"),
    ),
    ("operator-shape", "GATHER_ND", [(FLOAT, [4, 2], None), (INT, [1, 2], [1, 7]), (FLOAT, [1], None)], None),
    (
        "operator-shape",
        "SCATTER_ND",
        [(INT, [2, 1], [0, 1]), (FLOAT, [3], None), (INT, [1], [4]), (FLOAT, [4], None)],
        None,
    ),
    (
        "operator-shape",
        "RESIZE_BILINEAR",
        [(FLOAT, [1, 2, 2, 1], None), (INT, [1], [4]), (FLOAT, [1, 4, 4, 1], None)],
        options("ResizeBilinearOptions"),
    ),
    (
        "operator-shape",
        "CONV_2D",
        [(FLOAT, [1, 4, 4, 3], None), KERNEL, (FLOAT, [2], [1, 2]), (FLOAT, [1, 4, 4, 2], None)],
        window("Conv2DOptions"),
    ),
    (
        "operator-shape",
        "DEPTHWISE_CONV_2D",
        [(FLOAT, [1, 4, 4, 2], None), DEEP, (FLOAT, [4], [1] * 4), (FLOAT, [1, 4, 4, 4], None)],
        window("DepthwiseConv2DOptions", depthMultiplier=1),
    ),
    (
        "operator-shape",
        "FULLY_CONNECTED",
        [(FLOAT, [1, 3], None), (FLOAT, [2, 2], [1, 2, 3, 4]), (FLOAT, [1, 2], None)],
        options("FullyConnectedOptions"),
    ),
    (
        "operator-shape",
        "BATCH_MATMUL",
        [(FLOAT, [2, 3], None), (FLOAT, [4, 5], None), (FLOAT, [2, 5], None)],
        options("BatchMatMulOptions"),
    ),
    (
        "operator-type",
        "RESIZE_BILINEAR",
        [(FLOAT, [1, 2, 2, 1], None), (FLOAT, [2], [4, 4]), (FLOAT, [1, 4, 4, 1], None)],
        options("ResizeBilinearOptions"),
    ),
    (
        "operator-type",
        "SELECT",
        [(BOOL, [2], None), (FLOAT, [2], None), (INT, [2], None), (FLOAT, [2], None)],
        options("SelectOptions"),
    ),
    ("operator-options", "MIRROR_PAD", [(FLOAT, [2], None), (INT, [1, 2], [1, 1]), (FLOAT, [4], None)], None),
    (
        "operator-options",
        "MIRROR_PAD",
        [(FLOAT, [2], None), (INT, [1, 2], [1, 1]), (FLOAT, [4], None)],
        options("MirrorPadOptions", mode=3),
    ),
    (
        "operator-shape",
        "MIRROR_PAD",
        [(FLOAT, [2], None), (INT, [1, 2], [1, 7]), (FLOAT, [10], None)],
        options("MirrorPadOptions", mode=1),
    ),
    (
        "operator-type",
        "SOFTMAX",
        [(FLOAT, [1, 2], None), (HALF, [1, 2], None)],
        options("SoftmaxOptions", beta=1.0),
    ),
    ("operator-shape", "ATAN2", [(FLOAT, [2], None), (FLOAT, [], None), (FLOAT, [2], None)], None),
    ("operator-type", "EMBEDDING_LOOKUP", [(FLOAT, [1], None), (FLOAT, [2, 2], None), (FLOAT, [1, 2], None)], None),
    (
        "operator-shape",
        "SCATTER_ND",
        [(INT, [2, 1], [0, 4]), (FLOAT, [2], None), (INT, [1], [4]), (FLOAT, [4], None)],
        None,
    ),
    (
        "operator-arity",
        "CONV_2D",
        [(FLOAT, [1, 4, 4, 2], None), KERNEL, (FLOAT, [1, 4, 4, 2], None)],
        window("Conv2DOptions"),
    ),
    ("operator-shape", "SOFTMAX", [(FLOAT, [], None), (FLOAT, [], None)], options("SoftmaxOptions", beta=1.0)),
    ("shape", "ADD", [(FLOAT, [2, 3], None), (FLOAT, [2, 0], None), (FLOAT, [2, 3], None)], options("AddOptions")),
    ("operator-quantization", "ADD", [(BYTE, [2], None), (BYTE, [2], None), (BYTE, [2], None)], options("AddOptions")),
    ("operator-quantization", "RSQRT", [(BYTE, [2], None), (BYTE, [2], None)], None),
    (
        "operator-options",
        "TRANSPOSE_CONV",
        [(INT, [4], [1, 2, 2, 1]), (FLOAT, [1] * 4, [1]), (FLOAT, [1, 2, 2, 1], None), (FLOAT, [1, 2, 2, 1], None)],
        options("TransposeConvOptions"),
    ),
    (
        "operator-type",
        "TRANSPOSE_CONV",
        [(INT, [4], [1, 2, 2, 1]), (FLOAT, [1] * 4, [1]), (FLOAT, [1, 2, 2, 1], None), (SHORT, [1, 2, 2, 1], None)],
        options("TransposeConvOptions", strideH=1, strideW=1),
    ),
    ("operator-shape", "ATAN2", [(FLOAT, [2, 1], None), (FLOAT, [2], None), (FLOAT, [2, 1], None)], None),
    (
        "operator-type",
        "RESIZE_BILINEAR",
        [(HALF, [1, 2, 2, 1], None), (INT, [2], [4, 4]), (HALF, [1, 4, 4, 1], None)],
        options("ResizeBilinearOptions"),
    ),
    (
        "operator-type",
        "RESIZE_NEAREST_NEIGHBOR",
        [(LONG, [1, 2, 2, 1], None), (INT, [2], [4, 4]), (LONG, [1, 4, 4, 1], None)],
        options("ResizeNearestNeighborOptions"),
    ),
    (
        "operator-shape",
        "RESIZE_BILINEAR",
        [(FLOAT, [1, 2, 2, 1], None), (INT, [2], [0, 4]), (FLOAT, [1, 4, 4, 1], None)],
        options("ResizeBilinearOptions"),
    ),
    (
        "operator-options",
        "RESIZE_BILINEAR",
        [(FLOAT, [1, 2, 2, 1], None), (INT, [2], [4, 4]), (FLOAT, [1, 4, 4, 1], None)],
        options("ResizeBilinearOptions", alignCorners=True, halfPixelCenters=True),
    ),
    (
        "operator-shape",
        "RESIZE_NEAREST_NEIGHBOR",
        [(FLOAT, [1, 2, 2, 1], None), (INT, [2], [4, -1]), (FLOAT, [1, 4, 4, 1], None)],
        options("ResizeNearestNeighborOptions"),
    ),
    ("operator-type", "MUL", [(SHORT, [2], None), (SHORT, [2], None), (INT2, [2], None)], options("MulOptions")),
]  # fmt: skip


def faults(model: Any, path: Path) -> set[str]:
    path.write_bytes(tflite_objects.pack(model))
    return {found.rule for found in check(read(path)) if found.severity == "error"}


def refused(path: Path) -> bool:
    return subprocess.run([sys.executable, "-c", REFUSES, path], capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(("rule", "op", "tensors", "said"), CASES)
def test_what_a_kernel_does_not_take_is_an_error(
    rule: str, op: str, tensors: list[Described], said: Any, tmp_path: Path
) -> None:
    pytest.importorskip("flatbuffers")
    assert faults(one_operator(op, tensors, options=said), tmp_path / "m.tflite") >= {rule}


@pytest.mark.litert
@pytest.mark.parametrize(("rule", "op", "tensors", "said"), CASES)
def test_litert_does_not_take_it(rule: str, op: str, tensors: list[Described], said: Any, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(tflite_objects.pack(one_operator(op, tensors, options=said)))
    assert refused(tmp_path / "m.tflite"), rule


# The same operators with what their kernels take.
TAKEN: list[tuple[str, list[Described], Any]] = [
    ("TRANSPOSE", [(FLOAT, [2, 3], None), (INT, [2], [1, 0]), (FLOAT, [3, 2], None)], None),
    ("PAD", [(FLOAT, [2, 3], None), (INT, [2, 2], [0, 1, 0, 0]), (FLOAT, [3, 3], None)], options("PadOptions")),
    ("RESHAPE", [(FLOAT, [2, 3], None), (INT, [2], [-1, 2]), (FLOAT, [3, 2], None)], None),
    ("GATHER", [(FLOAT, [4, 2], None), (INT, [2], [0, 3]), (FLOAT, [2, 2], None)], options("GatherOptions")),
    ("GATHER_ND", [(FLOAT, [4, 2], None), (INT, [1, 2], [3, 1]), (FLOAT, [1], None)], None),
    ("SCATTER_ND", [(INT, [2, 1], [0, 1]), (FLOAT, [2], None), (INT, [1], [4]), (FLOAT, [4], None)], None),
    (
        "DEPTHWISE_CONV_2D",
        [(FLOAT, [1, 4, 4, 2], None), DEEP, (FLOAT, [4], [1] * 4), (FLOAT, [1, 4, 4, 4], None)],
        window("DepthwiseConv2DOptions", depthMultiplier=2),
    ),
    (
        "CONV_2D",  # the weights take half of the channels: two groups
        [(FLOAT, [1, 4, 4, 4], None), KERNEL, (FLOAT, [2], [1, 2]), (FLOAT, [1, 4, 4, 2], None)],
        window("Conv2DOptions"),
    ),
    ("MUL", [(BYTE, [2], None), (BYTE, [2], None), (BYTE, [2], None)], options("MulOptions")),
    ("ATAN2", [(FLOAT, [2, 1], None), (FLOAT, [2, 1], None), (FLOAT, [2, 1], None)], None),
    ("MUL", [(FLOAT, [2], None), (FLOAT, [2], None), (HALF, [2], None)], options("MulOptions")),
    ("SOFTMAX", [(FLOAT, [1, 2], None), (INT, [1, 2], None)], options("SoftmaxOptions", beta=1.0)),
    (
        "RESIZE_NEAREST_NEIGHBOR",
        [(HALF, [1, 2, 2, 1], None), (INT, [2], [4, 4]), (HALF, [1, 4, 4, 1], None)],
        options("ResizeNearestNeighborOptions"),
    ),
    (
        "TRANSPOSE_CONV",
        [(INT, [4], [1, 2, 2, 1]), (FLOAT, [1] * 4, [1]), (FLOAT, [1, 2, 2, 1], None), (FLOAT, [1, 2, 2, 1], None)],
        options("TransposeConvOptions", strideH=1, strideW=1),
    ),
]  # fmt: skip


@pytest.mark.litert
@pytest.mark.parametrize(("op", "tensors", "said"), TAKEN)
def test_what_a_kernel_takes_is_no_error(op: str, tensors: list[Described], said: Any, tmp_path: Path) -> None:
    assert faults(one_operator(op, tensors, options=said), tmp_path / "m.tflite") == set()
    assert not refused(tmp_path / "m.tflite")


NAN = float("nan")
HALVES = options("UnpackOptions", num=2)
# Operator, element type, its tensors' shapes, scales, results, options -> what check finds; LiteRT refuses these alone.
SCALES: list[tuple[set[str], str, int, list[list[int]], list[float], int, Any]] = [
    (set(), "UNPACK", BYTE, [[2, 3], [3], [3]], [0.5, 0.5, 0.5], 2, HALVES),
    ({"operator-quantization"}, "UNPACK", BYTE, [[2, 3], [3], [3]], [0.5, 2.0, 0.5], 2, HALVES),
    (set(), "ADD", BYTE, [[2]] * 3, [0.5, 0.25, 0.5], 1, options("AddOptions")),
    ({"operator-quantization"}, "ADD", BYTE, [[2]] * 3, [1e6, 0.5, 0.5], 1, options("AddOptions")),
    (set(), "SUB", BYTE, [[2]] * 3, [0.5, 1e6, 0.5], 1, options("SubOptions")),
    (set(), "SUB", SHORT, [[2]] * 3, [0.3, 3e5, 0.3], 1, options("SubOptions")),
    (set(), "ADD", SHORT, [[2]] * 3, [0.25, 0.5, 0.5], 1, options("AddOptions")),
    ({"operator-quantization"}, "ADD", SHORT, [[2]] * 3, [0.3, 3e5, 0.3], 1, options("AddOptions")),
    ({"operator-quantization"}, "SUB", SHORT, [[2]] * 3, [0.5, 1.0, 0.5], 1, options("SubOptions")),
    ({"operator-quantization"}, "SUB", SHORT, [[2]] * 3, [0.25, 0.25, 0.5], 1, options("SubOptions")),
    ({"operator-quantization"}, "ADD", SHORT, [[2]] * 3, [8192.0, 0.5, 0.5], 1, options("AddOptions")),
    (set(), "BATCH_MATMUL", SHORT, [[2, 2]] * 3, [0.0, 0.5, 0.5], 1, options("BatchMatMulOptions")),
    (set(), "BATCH_MATMUL", SHORT, [[2, 2]] * 3, [0.5, 0.5, NAN], 1, options("BatchMatMulOptions")),
    ({"quantization"}, "ADD", BYTE, [[2]] * 3, [0.0, 0.5, 0.5], 1, options("AddOptions")),
    ({"quantization"}, "ADD", SHORT, [[2]] * 3, [-1.0, 0.5, 0.5], 1, options("AddOptions")),
    ({"quantization"}, "MUL", BYTE, [[2]] * 3, [NAN, 0.5, 0.5], 1, options("MulOptions")),
    ({"quantization"}, "BATCH_MATMUL", SHORT, [[2, 2]] * 3, [-1.0, 0.5, 0.5], 1, options("BatchMatMulOptions")),
    ({"quantization"}, "CONCATENATION", BYTE, [[2], [2], [4]], [0.0, 0.5, 0.5], 1, options("ConcatenationOptions")),
    (set(), "CONCATENATION", SHORT, [[2], [2], [4]], [0.0, 0.5, 0.5], 1, options("ConcatenationOptions")),
    *((set(), "MUL", BYTE, [[2]] * 3, [odd, 0.5, 0.5], 1, options("MulOptions")) for odd in (0.0, -1.0)),
    *((set(), "MUL", SHORT, [[2]] * 3, [0.5, 0.5, odd], 1, options("MulOptions")) for odd in (0.0, -1.0, NAN)),
    *((set(), "MAXIMUM", BYTE, [[2]] * 3, [odd, 0.5, 0.5], 1, None) for odd in (0.0, -1.0, NAN)),
    *((set(), "QUANTIZE", SHORT, [[2]] * 2, [0.5, odd], 1, None) for odd in (0.0, -1.0, NAN)),
    *((set(), "RELU", BYTE, [[2]] * 2, [odd, 0.5], 1, None) for odd in (0.0, -1.0, NAN)),
]  # fmt: skip


@pytest.mark.litert
@pytest.mark.parametrize("index", range(len(SCALES)))
def test_odd_scales_are_errors_where_litert_refuses_them(index: int, tmp_path: Path) -> None:
    rules, op, kind, shapes, scales, results, said = SCALES[index]
    model = one_operator(op, [(kind, shape, None) for shape in shapes], results, said)
    for tensor, scale in zip(model.subgraphs[0].tensors, scales, strict=True):
        tensor.quantization = tflite_objects.generated().QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
    assert faults(model, tmp_path / "m.tflite") == rules
    assert refused(tmp_path / "m.tflite") == bool(rules)


# Run as a program: what is written behind a tensor, where the interpreter says nothing.
LOOKS = "import sys; from benchmarks import soundness_values as v; w = {}; v.judge(w, sys.argv[1]); print(w['memory'])"
NARROW: list[tuple[str, list[Described], Any]] = [
    (
        "SUM",
        [(FLOAT, [3, 5], None), (INT, [1], [0]), (BYTE, [5], None)],
        options("ReducerOptions", keepDims=False),
    ),
    ("EMBEDDING_LOOKUP", [(INT, [3], None), (FLOAT, [2, 5], None), (BYTE, [3, 5], None)], None),
]


@pytest.mark.litert
@pytest.mark.parametrize(("op", "tensors", "said"), NARROW)
def test_results_that_are_narrower_than_what_is_written(
    op: str, tensors: list[Described], said: Any, tmp_path: Path
) -> None:
    *given, (_, shape, _) = tensors
    for kind, words in ((BYTE, "behind tensor 2"), (FLOAT, "")):
        model = one_operator(op, [*given, (kind, shape, None)], options=said)
        assert faults(model, tmp_path / "m.tflite") == ({"operator-type"} if words else set())
        ran = [sys.executable, "-c", LOOKS, tmp_path / "m.tflite"]
        told = subprocess.run(ran, capture_output=True, check=True, cwd=FIXTURES.parents[1]).stdout.decode().strip()
        assert told.endswith(words)
        assert bool(told) == bool(words)
