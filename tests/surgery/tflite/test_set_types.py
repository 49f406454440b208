"""Integers and floats at the ends of TFLite models; LiteRT computes the same numbers, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.checks.check import check
from graphsurgeon.cli import app
from graphsurgeon.edit import edit
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats.tflite.set_metadata import set_metadata
from tests.formats.tflite_support_bytes import names

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "tflite"
INT8 = FIXTURES / "cnn_int8.tflite"  # int8 image [1,8,8,3]; outputs pooled, which an operator reads too, and probs
SCALES = {"image": (0.00391652, -128), "probs": (0.00390625, -128), "pooled": (0.000726997, -128)}


def run(path: Path, image: Any, *, reference: bool = False) -> dict[str, Any]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    runner = Interpreter(str(path), experimental_op_resolver_type=kind).get_signature_runner()
    return dict(runner(image=image))


def pixels() -> Any:
    return np.random.RandomState(1).randint(-128, 128, (1, 8, 8, 3)).astype(np.int8)


def with_types(source: Path, target: Path, *, image: str = "", **outputs: str) -> Path:
    model = read(source)
    if image:
        surgery.set_input(model, dtypes={"image": image})
    if outputs:
        surgery.set_output(model, outputs)
    write(model, target)
    found = read(target)
    assert [one for one in check(found) if one.severity == "error"] == []
    (signature,) = found.metagraphs[0].signatures.values()
    for key, dtype in {"image": image or "int8", **outputs}.items():
        entry = signature.inputs.get(key) or signature.outputs[key]
        assert str(entry.dtype) == dtype
    return target


def scale(path: Path, key: str) -> tuple[float, int]:
    (signature,) = read(path).metagraphs[0].signatures.values()
    mention = (signature.inputs.get(key) or signature.outputs[key]).mention
    quantization = mention.target.extra["quantization"]  # type: ignore[union-attr]
    return quantization.scale[0], quantization.zero_point[0]


@pytest.mark.litert
@pytest.mark.parametrize("reference", [False, True])
def test_unsigned_ends_are_the_signed_ones_and_128(reference: bool, tmp_path: Path) -> None:
    path = with_types(INT8, tmp_path / "u.tflite", image="uint8", probs="uint8", pooled="uint8")
    wanted = run(INT8, pixels(), reference=reference)
    found = run(path, (pixels().astype(int) + 128).astype(np.uint8), reference=reference)
    for key in wanted:
        assert np.array_equal(found[key].astype(int) - 128, wanted[key]), key
        assert scale(path, key)[1] == scale(INT8, key)[1] + 128


@pytest.mark.litert
def test_float_ends_are_what_the_integers_stand_for(tmp_path: Path) -> None:
    path = with_types(INT8, tmp_path / "f.tflite", image="float32", probs="float32", pooled="float32")
    wanted = run(INT8, pixels())
    size, zero = scale(INT8, "image")
    found = run(path, ((pixels().astype(np.float32) - zero) * np.float32(size)).astype(np.float32))
    for key in wanted:
        size, zero = scale(INT8, key)
        real = (wanted[key].astype(np.float32) - zero) * np.float32(size)
        assert np.allclose(found[key], real, rtol=0, atol=6e-8), key
    assert sorted(read(path).graph.op_counts.items()) == [
        ("CONV_2D", 1), ("DEPTHWISE_CONV_2D", 1), ("DEQUANTIZE", 2), ("FULLY_CONNECTED", 1), ("MEAN", 1),
        ("QUANTIZE", 1), ("SOFTMAX", 1),
    ]  # fmt: skip


@pytest.mark.litert
@pytest.mark.parametrize("way", [("float32", "int8"), ("uint8", "int8"), ("float32", "uint8", "int8")])
def test_there_and_back_is_the_same_model(way: tuple[str, ...], tmp_path: Path) -> None:
    path = INT8
    for number, dtype in enumerate(way):
        path = with_types(path, tmp_path / f"{number}.tflite", image=dtype, probs=dtype, pooled=dtype)
    before, after = read(INT8).graph, read(path).graph
    assert after.op_counts == before.op_counts
    assert [v.name for v in (*after.inputs, *(o.value for o in after.outputs))] == [
        v.name for v in (*before.inputs, *(o.value for o in before.outputs))
    ]
    wanted, found = run(INT8, pixels()), run(path, pixels())
    assert all(np.array_equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.litert
def test_one_end_alone_and_the_default_delegate(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    path = with_types(INT8, tmp_path / "one.tflite", probs="float32")
    size, zero = scale(INT8, "probs")
    found = dict(Interpreter(str(path)).get_signature_runner()(image=pixels()))
    wanted = dict(Interpreter(str(INT8)).get_signature_runner()(image=pixels()))
    assert np.array_equal(found["pooled"], wanted["pooled"])
    assert np.allclose(found["probs"], (wanted["probs"].astype(np.float32) - zero) * np.float32(size), atol=6e-8)


@pytest.mark.litert
def test_a_float_model_gets_the_scale_that_is_given(tmp_path: Path) -> None:
    source, target = FIXTURES / "cnn_float.tflite", tmp_path / "bytes.tflite"
    arguments = ["set-input", str(source), "--dtype", "image=uint8", "--scale", "0.0078125", "--zero-point", "128"]
    assert app.run([*arguments, "-o", str(target)]) == 0
    image = np.random.RandomState(2).randint(0, 256, (1, 8, 8, 3)).astype(np.uint8)
    real = ((image.astype(np.float32) - 128) * np.float32(0.0078125)).astype(np.float32)
    wanted, found = run(source, real), run(target, image)
    assert all(np.allclose(found[key], wanted[key], rtol=0, atol=1e-6) for key in wanted)


def test_what_cannot_be_is_refused_before_anything_changes(fixtures_dir: Path) -> None:
    model = read(FIXTURES / "cnn_float.tflite")
    with pytest.raises(UsageError, match="nothing says what a uint8 would stand for; give --scale and --zero-point"):
        surgery.set_output(model, {"probs": "uint8"})
    with pytest.raises(UsageError, match="no output 'prob'; did you mean 'probs'"):
        surgery.set_output(model, {"prob": "uint8"})
    with pytest.raises(UsageError, match="there is no dtype 'uint9'"):
        surgery.set_output(model, {"probs": "uint9"})
    with pytest.raises(UnsupportedError, match="is float32, int8, uint8, int16, not float64"):
        surgery.set_output(model, {"probs": "float64"})
    with pytest.raises(UsageError, match="a scale is a positive number"):
        surgery.set_output(model, {"probs": "uint8"}, zero_point=3)
    with pytest.raises(UnsupportedError, match="which no int16 stands for"):
        surgery.set_output(read(INT8), {"probs": "int16"})
    with pytest.raises(UnsupportedError, match="whose integers stand for no real numbers"):
        surgery.set_input(read(FIXTURES / "control_flow.tflite"), dtypes={"steps": "int8"})
    with pytest.raises(UnsupportedError, match="only outputs of a TFLite model"):
        surgery.set_output(read(fixtures_dir / "graphdef" / "cnn.pb"), {"x": "uint8"})
    assert surgery.set_output(model, {"probs": "float32"}).outputs[0].was_dtype == "float32"
    write_is_same = read(FIXTURES / "cnn_float.tflite").graph.op_counts
    assert model.graph.op_counts == write_is_same


def test_shapes_and_types_at_once(tmp_path: Path) -> None:
    model = read(INT8)
    report = surgery.set_input(model, shapes={"image": [2, 8, 8, 3]}, dtypes={"image": "uint8"})
    assert [(one.dtype, str(one.shape)) for one in report.inputs] == [("int8", "[2,8,8,3]"), ("uint8", "[2,8,8,3]")]
    write(model, tmp_path / "both.tflite")
    image = read(tmp_path / "both.tflite").graph.inputs[0]
    assert (str(image.dtype), str(image.shape)) == ("uint8", "[2,8,8,3]")


@pytest.mark.litert
def test_metadata_of_the_ends_stays(tmp_path: Path) -> None:
    model = read(INT8)
    set_metadata(model, norm={"": [0, 1]}, fields={"name": "kept"})
    surgery.set_output(model, {"probs": "float32", "pooled": "uint8"})
    report = surgery.set_input(model, dtypes={"image": "uint8"})
    assert report.notes == ()
    write(model, tmp_path / "m.tflite")
    data: Any = read(tmp_path / "m.tflite").metagraphs[0].collections["TFLITE_METADATA"].items[0].value
    assert names(data.tobytes(), 2) == ["image"]
    assert sorted(names(data.tobytes(), 3) or ()) == ["pooled", "probs"]
    report = edit(tmp_path / "m.tflite", [("set-input", {"dtypes": {"image": "int8"}})], dry_run=True)
    (warning,) = report.warnings
    assert (
        warning.what == "MediaPipe Tasks does not take the model: it takes no int8, as input serving_default_image:0 is"
    )
