"""Integer ends of TFLite models beside the converter's own builds: one graph, converted with each type of ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read, surgery, write

pytestmark = [pytest.mark.tensorflow, pytest.mark.litert]


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a quantized model as the converter writes it, by the type of its ends."""
    import tensorflow as tf

    random = np.random.RandomState(0)
    first = tf.constant(random.normal(size=(3, 3, 3, 4)), tf.float32)
    last = tf.constant(random.normal(size=(4, 5)), tf.float32)

    class Small(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32, name="image")])  # type: ignore[untyped-decorator]
        def run(self, image: Any) -> Any:
            inner = tf.nn.relu6(tf.nn.conv2d(image, first, 2, "SAME"))
            pooled = tf.reduce_mean(inner, [1, 2])
            return {"probs": tf.nn.softmax(pooled @ last), "best": tf.argmax(pooled, 1)}

    module = Small()
    folder = tmp_path_factory.mktemp("builds")
    examples = [random.normal(size=(1, 8, 8, 3)).astype("float32") for _ in range(8)]
    found = {}
    for name in ("float32", "int8", "uint8"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([module.run.get_concrete_function()], module)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([one] for one in examples)
        converter.inference_input_type = converter.inference_output_type = getattr(tf, name)
        found[name] = folder / f"{name}.tflite"
        found[name].write_bytes(converter.convert())
    return found


def run(path: Path, image: Any) -> dict[str, Any]:
    from ai_edge_litert.interpreter import Interpreter

    return dict(Interpreter(str(path)).get_signature_runner()(image=image))


@pytest.mark.parametrize("source", ["float32", "int8", "uint8"])
@pytest.mark.parametrize("wanted", ["float32", "int8", "uint8"])
def test_each_build_becomes_each_other(source: str, wanted: str, builds: dict[str, Path], tmp_path: Path) -> None:
    model = read(builds[source])
    surgery.set_input(model, dtypes={"image": wanted})
    surgery.set_output(model, {"probs": wanted})
    write(model, tmp_path / "ours.tflite")
    ours, theirs = read(tmp_path / "ours.tflite").graph, read(builds[wanted]).graph
    assert ours.op_counts == theirs.op_counts
    ends = [[(v.dtype, (v.extra or {}).get("quantization")) for v in graph.inputs] for graph in (ours, theirs)]
    assert ends[0] == ends[1]
    random = np.random.RandomState(3)
    image = (
        random.normal(size=(1, 8, 8, 3)).astype("float32")
        if wanted == "float32"
        else random.randint(0, 128, (1, 8, 8, 3)).astype(wanted)
    )
    found, expected = run(tmp_path / "ours.tflite", image), run(builds[wanted], image)
    assert found.keys() == expected.keys()
    for key in expected:
        assert found[key].dtype == expected[key].dtype
        assert np.array_equal(found[key], expected[key]), key
