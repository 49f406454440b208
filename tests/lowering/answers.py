"""Small networks with what their own framework yields for them: `fixtures/mxnet`, `fixtures/caffe`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphsurgeon.edit import edit
from graphsurgeon.model import Shape

FIXTURES = Path(__file__).parents[2] / "fixtures"
FILES = {
    "mxnet": {"symbol": "net-symbol.json", "params": "net-0000.params"},
    "caffe": {"prototxt": "net.prototxt", "caffemodel": "net.caffemodel"},
}


def names(framework: str) -> list[str]:
    """Return the names of the networks."""
    with np.load(FIXTURES / framework / "answers.npz") as arrays:
        return sorted({key.partition("/")[0] for key in arrays.files})


def unpack(framework: str, name: str, folder: Path) -> tuple[Path, dict[str, Any], list[Any]]:
    """Write the files of a network; return the first one, its inputs by name and its outputs."""
    with np.load(FIXTURES / framework / "answers.npz") as arrays:
        own = {key.partition("/")[2]: arrays[key] for key in arrays.files if key.startswith(f"{name}/")}
    for key, file in FILES[framework].items():
        (folder / file).write_bytes(own[key].tobytes())
    inputs = {key[2:]: value for key, value in own.items() if key.startswith("x_")}
    outputs = [own[f"y_{number}"] for number in range(sum(key.startswith("y_") for key in own))]
    return folder / next(iter(FILES[framework].values())), inputs, outputs


def convert(network: Path, target: Path, inputs: dict[str, Any], **arguments: Any) -> Path:
    """Convert a network for inputs of these shapes."""
    form = "onnx" if target.suffix == ".onnx" else "saved_model"
    shapes = {name: Shape(value.shape) for name, value in inputs.items()}
    edit(network, [("convert", {"format": form, "shapes": shapes, **arguments})], output=target)
    return target


def assert_close(found: list[Any], expected: list[Any]) -> None:
    """Hold results against what the framework has yielded, to 1e-4 of the largest number."""
    assert len(found) == len(expected)
    for one, wanted in zip(found, expected, strict=True):
        assert one.shape == wanted.shape
        finite = np.abs(wanted[np.abs(wanted) < 1e30])
        np.testing.assert_allclose(one, wanted, rtol=0, atol=1e-4 * max(1.0, finite.max() if finite.size else 1.0))
