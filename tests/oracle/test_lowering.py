"""Each op of ONNX, lowered, gives in TensorFlow what ONNX's own cases say; whole networks what ONNX Runtime gives."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.bridges.verify import verifier
from graphsurgeon.compare.equivalence import EquivalenceReport
from graphsurgeon.edit import edit
from graphsurgeon.lowering.table import lowering_functions
from graphsurgeon.ops import onnx as onnx_ops
from tests.oracle.lowered import LoweredModel, first_difference

pytestmark = [pytest.mark.tensorflow, pytest.mark.onnx]

OPS = sorted({op for op, _ in lowering_functions()})
# Ops of which the onnx package has no case for the versions that are known, or none that TensorFlow's types can hold.
WITHOUT_CASE = {"Constant", "GlobalLpPool", "Hardmax", "Upsample", "StringNormalizer", "MaxUnpool", "Scatter"}


@pytest.fixture(scope="module")
def cases() -> Mapping[str, Any]:
    """The first case of one node for each op."""
    collect = pytest.importorskip("onnx.backend.test.case.node").collect_testcases
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases divide by zero on purpose
        collected = collect(None)
    for case in collected:
        nodes = case.model.graph.node if case.model is not None else ()
        if len(nodes) == 1 and _is_plain(case) and _is_known(case):
            found.setdefault(f"{nodes[0].domain}.{nodes[0].op_type}".lstrip("."), case)
    return found


def _is_plain(case: Any) -> bool:
    """Say whether inputs and outputs are arrays, and the case is about inference."""
    arrays = [array for inputs, outputs in case.data_sets for array in (*inputs, *outputs)]
    return "training" not in case.name and all(isinstance(array, np.ndarray | np.generic) for array in arrays)


def _is_known(case: Any) -> bool:
    """Say whether the version of the op is one that is lowered."""
    op = case.model.graph.node[0].op_type
    definition = onnx_ops.get(op, {entry.domain or "ai.onnx": entry.version for entry in case.model.opset_import})
    return definition is not None and (op, definition.since) in lowering_functions()


@pytest.mark.parametrize("op", [op for op in OPS if op not in WITHOUT_CASE])
def test_an_op_gives_what_its_case_says(tmp_path: Path, cases: Mapping[str, Any], op: str) -> None:
    if op not in cases:
        pytest.skip("the installed onnx package has no case of it")
    case = cases[op]
    path = tmp_path / "case.onnx"
    path.write_bytes(case.model.SerializeToString())
    lowered = LoweredModel(path)
    for inputs, outputs in case.data_sets:
        feeds = dict(zip(lowered.inputs, inputs, strict=False))
        assert first_difference(lowered.run(feeds), outputs) == ""


def small_network(path: Path) -> None:
    """Save a network with what image networks have: convolutions, pools, norms, a flattened end."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(7)

    def weight(name: str, *dims: int) -> Any:
        return numpy_helper.from_array(rng.standard_normal(dims).astype(np.float32) / 4, name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], strides=[2, 2], pads=[1, 1, 1, 1], name="conv1"),
        helper.make_node("BatchNormalization", ["c1", "s", "o", "m", "v"], ["n1"], name="norm"),
        helper.make_node("Clip", ["n1", "zero", "six"], ["r1"], name="relu6"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], group=8, pads=[0, 1, 2, 1], name="depthwise"),
        helper.make_node("AveragePool", ["c2"], ["p"], kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1, name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], transB=1, name="dense"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 21, 14])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 5])]
    positive = numpy_helper.from_array(rng.random(8).astype(np.float32) + 0.5, "v")
    limits = [numpy_helper.from_array(np.float32(end), name) for end, name in ((0, "zero"), (6, "six"))]
    constants = [
        weight("w1", 8, 3, 3, 3), weight("b1", 8), weight("s", 8), weight("o", 8), weight("m", 8), positive,
        weight("w2", 8, 1, 3, 3), weight("w3", 5, 8 * 5 * 4), weight("b3", 5), *limits,
    ]  # fmt: skip
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_network_gives_what_onnx_runtime_gives(tmp_path: Path, batch: int) -> None:
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "small.onnx"
    small_network(path)
    x = np.random.default_rng(batch).standard_normal((batch, 3, 21, 14)).astype(np.float32)
    want = runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    lowered = LoweredModel(path)
    assert lowered.report.turned == {"x": [0, 2, 3, 1]}
    assert "Transpose" not in lowered.model.graph.op_counts
    assert first_difference(lowered.run({"x": x}), want) == ""
    kept = LoweredModel(path, keep_layout=True)
    assert kept.report.turned == {}
    assert first_difference(kept.run({"x": x}), want) == ""


def test_a_saved_model_loads_and_becomes_tflite(tmp_path: Path) -> None:
    import tensorflow as tf

    source, folder = tmp_path / "small.onnx", tmp_path / "small" / "1"
    small_network(source)
    edit(source, [("convert", {"format": "saved_model"})], output=folder)
    loaded = tf.saved_model.load(str(folder))
    x = np.random.default_rng(3).standard_normal((2, 21, 14, 3)).astype(np.float32)
    result = loaded.signatures["serving_default"](x=tf.constant(x))["y"].numpy()
    assert result.shape == (2, 5)
    flat = tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert()
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(model_content=flat)
    run = interpreter.get_signature_runner("serving_default")
    np.testing.assert_allclose(run(x=x)["y"], result, atol=1e-4)


def test_a_part_gives_what_onnx_makes_of_it(tmp_path: Path) -> None:
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        onnx.helper.make_node("Relu", ["c"], ["r"]),
        onnx.helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        onnx.helper.make_node("Bernoulli", ["p"], ["y"]),
    ]
    ends = [
        [onnx.helper.make_tensor_value_info(name, 1, shape)] for name, shape in (("x", ["n", 2, 6, 8]), ("y", None))
    ]
    weights = onnx.numpy_helper.from_array(np.random.default_rng(0).standard_normal((3, 2, 3, 3)).astype("f4"), "w")
    made = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "part", *ends, [weights]), opset_imports=[onnx.helper.make_opsetid("", 15)]
    )
    source, cut = tmp_path / "source.onnx", tmp_path / "cut.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(made), source)
    for inputs, shape in ((["x"], (2, 2, 6, 8)), (["c"], (2, 3, 6, 8))):
        onnx.utils.extract_model(source, cut, inputs, ["p"])
        data = np.random.default_rng(1).standard_normal(shape).astype("f4")
        wanted = runtime.InferenceSession(cut, providers=["CPUExecutionProvider"]).run(None, {inputs[0]: data})
        lowered = LoweredModel(source, inputs=inputs, outputs=["p"])
        lowered.inputs, lowered.outputs = inputs, ["p"]
        assert first_difference(lowered.run({inputs[0]: data}), wanted) == ""


def _one_node(
    path: Path, op: str, data: Mapping[str, Any], fed: Sequence[str], *, outputs: int = 1, **attrs: Any
) -> Path:
    """Write a model of one node, whose inputs are fed, of any length along all axes but the second, or constants."""
    onnx = pytest.importorskip("onnx")
    given = [
        onnx.helper.make_tensor_value_info(name, 1, ["n", data[name].shape[1], *[None] * (data[name].ndim - 2)])
        for name in fed
    ]
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in data.items() if name not in fed]
    names = [f"out{number}" for number in range(outputs)]
    ends = [onnx.helper.make_tensor_value_info(name, 7 if number else 1, None) for number, name in enumerate(names)]
    node = onnx.helper.make_node(op, list(data), names, **attrs)
    graph = onnx.helper.make_graph([node], "one", given, ends, constants)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)], ir_version=9), path)
    return path


def _agrees(path: Path, feeds: Mapping[str, Any]) -> None:
    runtime = pytest.importorskip("onnxruntime")
    wanted = runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, dict(feeds))
    assert first_difference(LoweredModel(path).run(feeds), wanted) == ""


def test_deformed_in_groups(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {"x": (2, 4, 9, 8), "w": (6, 2, 3, 2), "offset": (2, 24, 5, 10), "bias": (6,), "mask": (2, 12, 5, 10)}
    data = {name: rng.standard_normal(shape).astype("f4") for name, shape in shapes.items()}
    attrs = {"group": 2, "offset_group": 2, "strides": [2, 1], "dilations": [1, 2], "pads": [1, 2, 1, 2]}
    fed = ("x", "offset", "mask")
    path = _one_node(tmp_path / "deformed.onnx", "DeformConv", data, fed, **attrs)
    _agrees(path, {name: data[name] for name in fed})


@pytest.mark.parametrize("excludes", [0, 1])
def test_cubic_resizing_of_sides_that_are_not_known(tmp_path: Path, excludes: int) -> None:
    image = np.random.default_rng(0).standard_normal((1, 2, 5, 7)).astype("f4")
    data = {"x": image, "roi": np.zeros(0, "f4"), "scales": np.array([1, 1, 1.5, 0.8], "f4")}
    path = _one_node(tmp_path / "cubic.onnx", "Resize", data, ["x"], mode="cubic", exclude_outside=excludes)
    _agrees(path, {"x": image})


@pytest.mark.parametrize(("op", "includes"), [("MaxPool", 0), ("AveragePool", 0), ("AveragePool", 1)])
@pytest.mark.parametrize(("kernel", "stride", "pads"), [(3, 2, (0, 0)), (4, 3, (1, 1))])
def test_pools_rounded_up_over_sides_that_are_not_known(
    tmp_path: Path, op: str, kernel: int, stride: int, pads: tuple[int, int], includes: int
) -> None:
    counted = {} if op == "MaxPool" else {"count_include_pad": includes}
    how = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pads[0]] * 2 + [pads[1]] * 2, "ceil_mode": 1}
    for sides in ((9, 14), (10, 12), (11, 13)):
        x = np.random.default_rng(0).standard_normal((2, 3, *sides)).astype("f4")
        _agrees(_one_node(tmp_path / "pool.onnx", op, {"x": x}, ["x"], **how, **counted), {"x": x})


def test_a_part_is_verified_against_the_part_of_the_source(tmp_path: Path) -> None:
    source = tmp_path / "source.onnx"
    small_network(source)
    part = (["c2"], ["p"])
    step = ("convert", {"format": "saved_model", "inputs": part[0], "outputs": part[1]})
    report = edit(source, [step], output=tmp_path / "part", verify=verifier(source, part=part))
    verdict = report.verdict
    assert isinstance(verdict, EquivalenceReport)
    assert verdict.agrees
    assert [output.name for output in verdict.outputs] == ["p", "p"]  # a batch of two, and of one
    assert all(output.elements > 10 for output in verdict.outputs)


@pytest.mark.parametrize("coordinates", ["asymmetric", "half_pixel"])
def test_nearest_resizing_by_a_scale_that_sides_do_not_divide(tmp_path: Path, coordinates: str) -> None:
    image = np.random.default_rng(0).standard_normal((1, 2, 48, 96)).astype("f4")
    data = {"x": image, "roi": np.zeros(0, "f4"), "scales": np.array([1, 1, 1.7, 1.7], "f4")}
    how = {"coordinate_transformation_mode": coordinates, "nearest_mode": "floor"}
    _agrees(_one_node(tmp_path / "nearest.onnx", "Resize", data, ["x"], mode="nearest", **how), {"x": image})


@pytest.mark.parametrize("storage_order", [0, 1])
def test_where_the_largest_was_over_sides_that_are_not_known(tmp_path: Path, storage_order: int) -> None:
    image = np.random.default_rng(0).standard_normal((2, 3, 9, 14)).astype("f4")
    how = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1], "storage_order": storage_order}
    path = _one_node(tmp_path / "pool.onnx", "MaxPool", {"x": image}, ["x"], outputs=2, **how)
    _agrees(path, {"x": image})


def test_all_boxes_are_kept_that_do_not_overlap(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, from_array = onnx.helper, onnx.numpy_helper.from_array
    limits = {"most": np.array([2**63 - 1]), "overlap": np.array([0.5], "f4"), "least": np.array([0.1], "f4")}
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores", *limits], ["kept"])
    ends = [
        helper.make_tensor_value_info("boxes", 1, [1, "n", 4]),
        helper.make_tensor_value_info("scores", 1, [1, 1, "n"]),
    ]
    kept = [helper.make_tensor_value_info("kept", 7, None)]
    graph = helper.make_graph([node], "one", ends, kept, [from_array(array, name) for name, array in limits.items()])
    path = tmp_path / "kept.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)
    corners = np.random.default_rng(0).random((1, 20, 2)).astype("f4")
    scores = np.random.default_rng(1).random((1, 1, 20)).astype("f4")
    _agrees(path, {"boxes": np.concatenate([corners, corners + 0.3], 2), "scores": scores})
