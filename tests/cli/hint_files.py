"""Files that are no graph or checkpoint of TensorFlow, or damaged ones, for the errors that advise a command."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphsurgeon import read, surgery, write
from tests.formats.onnx import models as onnx

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
_KEY = "/.ATTRIBUTES/VARIABLE_VALUE"


def text(content: str) -> Callable[[Path], None]:
    """Return what writes a text."""

    def make(path: Path) -> None:
        path.write_text(content)

    return make


def of_one_size(path: Path) -> None:
    """Write a network whose sides are open in the file, and of 40 by 50 for what it computes."""
    of_size = onnx.new("TensorProto", name="size", dims=[2], data_type=7, int64_data=[2, 6000])
    made = onnx.graph(
        [onnx.node("Reshape", ["x", "size"], ["y"], "flat")],
        [onnx.value("x", ["n", 3, "h", "w"])],
        [onnx.value("y", None)],
        initializer=[of_size],
    )
    onnx.save(path.parent, onnx.model(made), path.name)


def no_objects(path: Path) -> None:
    """Write a checkpoint whose object graph is damaged."""
    shutil.copytree(FIXTURES / "checkpoint" / "object_graph", path)
    (data,) = path.glob("ckpt-2.data*")
    content = bytearray(data.read_bytes())
    content[content.index(b"encoder") + 1] = 0xFF
    data.write_bytes(content)


def no_model(path: Path) -> None:
    """Write an archive without a model."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "none")


def other_types(path: Path) -> None:
    """Write a safetensors file of a type that TensorFlow does not have."""
    head = json.dumps({"a": {"dtype": "F8_E8M0", "shape": [2], "data_offsets": [0, 2]}}).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + b"\x7f\x80")


def arrays(*names: str) -> Callable[[Path], None]:
    """Return what writes an `.npz` of ones."""

    def make(path: Path) -> None:
        import numpy as np

        content = io.BytesIO()
        np.savez(content, **{name: np.ones(3, "f4") for name in names})
        path.write_bytes(content.getvalue())

    return make


def no_outputs(path: Path) -> None:
    """Write a TFLite model whose signature yields what its subgraph does not."""
    from tests.oracle import tflite_objects

    model: Any = tflite_objects.model((FIXTURES / "tflite" / "float.tflite").read_bytes())
    model.subgraphs[0].outputs = []
    path.write_bytes(tflite_objects.pack(model))


def one_example(path: Path) -> None:
    """Write a TFLite model with an op whose kernel takes one example at a time."""
    from tests.oracle import tflite_objects

    model: Any = tflite_objects.model((FIXTURES / "tflite" / "custom_op.tflite").read_bytes())
    (code,) = (code for code in model.operatorCodes if code.customCode)
    code.customCode = b"TFLite_Detection_PostProcess"
    path.write_bytes(tflite_objects.pack(model))


def quantized(**sides: str) -> Callable[[Path], None]:
    """Return what writes a model with int8 at one end."""

    def make(path: Path) -> None:
        model = read(FIXTURES / "tflite" / "custom_op.tflite")
        if "output" in sides:
            surgery.set_output(model, dtypes={"y": "int8"}, scale=0.5, zero_point=0)
        else:
            surgery.set_input(model, dtypes={"x": "int8"}, scale=0.25, zero_point=0)
        write(model, path)

    return make


FILES: dict[str, Callable[[Path], None]] = {
    "vocab.txt": text("a\nb\n"),
    "steps.txt": text("rename x=z -o other.pb\n"),
    "good_steps.txt": text("rename x=z\n"),
    "no_objects": no_objects,
    "of_one_size.onnx": of_one_size,
    "empty.zip": no_model,
    "other_types.safetensors": other_types,
    "keys.npz": arrays(f"w{_KEY}"),
    "no_outputs.tflite": no_outputs,
    "one_example.tflite": one_example,
    "int8_out.tflite": quantized(output="int8"),
    "int8_in.tflite": quantized(input="int8"),
}
