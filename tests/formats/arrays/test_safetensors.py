"""safetensors files as variables, against the reference implementation, and headers that lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.errors import FileError, FormatError, UnsupportedError
from graphsurgeon.formats.arrays import safetensors
from graphsurgeon.formats.exports import arrays as arrayfiles
from graphsurgeon.model.tensor import Tensor


def save(path: Path, header: Any, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(dtype: str, shape: Any, places: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": places}


def test_what_we_write_is_what_we_read(tmp_path: Path) -> None:
    tensors = {"w": Tensor.of(Tensor.from_numpy(np.zeros(1, "f4")).dtype, [2, 2], [1.0, 2.0, 3.0, 4.0])}
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"".join(piece if isinstance(piece, bytes) else piece.read() for piece in
                              arrayfiles.lower(tensors, ".safetensors")))  # fmt: skip
    found = safetensors.read(path).checkpoint
    assert found is not None
    assert found.variables["w"].tensor.numpy().tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_against_the_reference(tmp_path: Path) -> None:
    numpy_files = pytest.importorskip("safetensors.numpy")
    source = np.random.default_rng(5)
    arrays = {
        "a": source.normal(size=(3, 4)).astype("f4"),
        "b/c": np.arange(5),
        "scalar": np.array(3.5, "f2"),
        "empty": np.zeros((0, 3)),
        "flags": np.array([True, False]),
    }
    numpy_files.save_file(arrays, tmp_path / "a.safetensors", metadata={"format": "np"})
    model = safetensors.read(tmp_path / "a.safetensors")
    assert model.notes == ["metadata: format=np"]
    assert model.checkpoint is not None
    assert set(model.checkpoint.variables) == set(arrays)
    for key, expected in arrays.items():
        found = model.checkpoint.variables[key].tensor.numpy()
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_elements_smaller_than_a_byte(tmp_path: Path) -> None:
    header = {"w": entry("F4", [3], [0, 2])}
    with pytest.raises(FormatError, match="1 bytes"):
        safetensors.read(save(tmp_path / "short.safetensors", {"w": entry("F4", [3], [0, 1])}, b"\0"))
    found = safetensors.read(save(tmp_path / "a.safetensors", header, bytes([0xC2, 0x01]))).checkpoint
    assert found is not None
    assert found.variables["w"].tensor.items() == [1.0, -2.0, 0.5]


def test_shards(tmp_path: Path) -> None:
    save(tmp_path / "one.safetensors", {"a": entry("I8", [2], [0, 2])}, b"\1\2")
    save(tmp_path / "two.safetensors", {"b": entry("I8", [1], [0, 1])}, b"\3")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"b": "two.safetensors", "a": "one.safetensors"}}))
    model = safetensors.read(index)
    assert model.checkpoint is not None
    assert {key: variable.tensor.items() for key, variable in model.checkpoint.variables.items()} == {
        "b": [3],
        "a": [1, 2],
    }
    assert len(model.files) == 3


@pytest.mark.parametrize(
    ("mapping", "error", "match"),
    [
        ({"a": "../one.safetensors"}, FormatError, "outside"),
        ({"a": "gone.safetensors"}, FileError, "no such file"),
        ({"a": "pytorch_model.bin"}, UnsupportedError, "pickles"),
        ({"lost": "one.safetensors"}, FormatError, "no shard holds 'lost'"),
        ({"a": 3}, FormatError, "weight_map"),
    ],
)
def test_shards_that_cannot_be_read(tmp_path: Path, mapping: Any, error: Any, match: str) -> None:
    save(tmp_path / "one.safetensors", {"a": entry("I8", [2], [0, 2])}, b"\1\2")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": mapping}))
    with pytest.raises(error, match=match):
        safetensors.read(index)


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b"[]",
        b"{" * 100_000,
        {"w": entry("F32", [2], [0, 9])},
        {"w": entry("F32", [2], [4, 0])},
        {"w": entry("F32", [-2], [0, 8])},
        {"w": entry("F32", [1 << 40, 1 << 40], [0, 8])},
        {"w": entry("F32", [3], [0, 8])},
        {"w": entry("F32", "2", [0, 8])},
        {"w": entry("F32", [2], [0])},
        {"w": entry("F32", [True], [0, 4])},
        {"w": 7},
    ],
)
def test_headers_that_lie(tmp_path: Path, header: Any) -> None:
    with pytest.raises(FormatError):
        safetensors.read(save(tmp_path / "a.safetensors", header, bytes(8)))


def test_a_type_of_the_future(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="F1"):
        safetensors.read(save(tmp_path / "a.safetensors", {"w": entry("F1", [8], [0, 1])}, b"\0"))


def test_a_header_longer_than_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    with pytest.raises(FormatError, match="header of"):
        safetensors.read(tmp_path / "a.safetensors")
