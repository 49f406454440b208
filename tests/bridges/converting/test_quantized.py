"""Each way to quantize, each kind of data to measure with, and a batch that is set: files that LiteRT itself runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.bridges.converting.convert import convert

pytestmark = [pytest.mark.tensorflow, pytest.mark.litert]

RNG = np.random.default_rng(0)
IMAGES = RNG.random((12, 8, 8, 3)).astype("f4")
WEIGHTS = {"kernel": RNG.standard_normal((3, 3, 3, 16)), "matrix": RNG.standard_normal((256, 40))}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution and a layer of 10,240 weights, of pictures of 8 by 8."""
    tf = pytest.importorskip("tensorflow")
    kernel, matrix = (tf.constant(array.astype("f4")) for array in WEIGHTS.values())

    class Module(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], name="image")])
        def scores(self, image: Any) -> Any:
            features = tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "SAME"))
            return {"scores": tf.matmul(tf.reshape(features, [-1, 256]), matrix)}

    module = Module()
    folder = tmp_path_factory.mktemp("quantized") / "model"
    tf.saved_model.save(module, str(folder), signatures=module.scores)
    return folder


def expected(images: Any) -> Any:
    """Compute with numpy what the model does."""
    padded = np.pad(images, [(0, 0), (0, 1), (0, 1), (0, 0)])
    rows = [[padded[:, y : y + 3, x : x + 3].reshape(len(images), -1) for x in range(0, 8, 2)] for y in range(0, 8, 2)]
    features = np.stack([np.stack(row, 1) for row in rows], 1) @ WEIGHTS["kernel"].reshape(27, 16)
    return np.maximum(features, 0).reshape(len(images), 256) @ WEIGHTS["matrix"]


def run(path: Path, images: Any) -> tuple[Any, set[str]]:
    """Return what LiteRT makes of images, and the types of all tensors in the file."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    ((given,), (found,)) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], images)
    interpreter.invoke()
    types = {np.dtype(one["dtype"]).name for one in interpreter.get_tensor_details()}
    return interpreter.get_tensor(found["index"]), types


def save_data(folder: Path, kind: str) -> str:
    """Write data to measure ranges with: an archive, an array, or pictures."""
    if kind == "npz":
        np.savez(folder / "data.npz", image=IMAGES)
    elif kind == "npy":
        np.save(folder / "data.npy", IMAGES)
    else:
        pictures = pytest.importorskip("PIL.Image")
        for number, image in enumerate(IMAGES):
            pictures.fromarray((image * 255).astype("u1")).save(folder / f"{number}.png")
        return str(folder)
    return str(folder / f"data.{kind}")


@pytest.mark.parametrize(
    ("quantize", "data", "types", "scale", "error"),
    [
        ("dynamic", "", {"float32", "int8"}, 1, 0.02),
        ("float16", "", {"float32", "float16"}, 1, 0.002),
        ("int8", "npz", {"float32", "int8"}, 1, 0.03),
        ("int8", "pictures", {"float32", "int8"}, 255, 0.03),
        ("int16x8", "npy", {"float32", "int16"}, 1, 0.02),
    ],
)
def test_each_way(
    model: Path, tmp_path: Path, quantize: str, data: str, types: set[str], scale: int, error: float
) -> None:
    settings: dict[str, Any] = {"quantize": quantize}
    if data:
        settings["calibrate"] = save_data(tmp_path, data)
    report = convert(model, tmp_path / "out.tflite", settings=settings)
    assert (report.problem, report.verified) == ("", True)
    images = IMAGES[:1] * scale  # others may lie outside of the ranges that were measured
    found, known = run(tmp_path / "out.tflite", images)
    assert types <= known
    wanted = expected(images)
    assert np.abs(found - wanted).max() < error * np.ptp(wanted)
    assert report.bytes < 0.6 * WEIGHTS["matrix"].size * 4


def test_a_batch(model: Path, tmp_path: Path) -> None:
    report = convert(model, tmp_path / "out.tflite", settings={"batch": 3})
    assert (report.problem, report.verified) == ("", True)
    assert "set the batch of image to 3" in report.steps
    from ai_edge_litert.interpreter import Interpreter

    [given] = Interpreter(str(tmp_path / "out.tflite")).get_input_details()
    assert list(given["shape"]) == list(given["shape_signature"]) == [3, 8, 8, 3]
    found, _ = run(tmp_path / "out.tflite", IMAGES[:3])
    np.testing.assert_allclose(found, expected(IMAGES[:3]), rtol=1e-4, atol=1e-3)
