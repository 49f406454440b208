"""Values of ONNX tensors in every form they are stored in; layouts by hand from the comments of onnx.proto."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.disk.files import open_source
from graphsurgeon.errors import FileError, FormatError
from graphsurgeon.formats.graph.protobuf.payloads import mark
from graphsurgeon.formats.onnx import file
from graphsurgeon.formats.onnx.tensors import Store
from graphsurgeon.model.tensor import Tensor
from tests.formats.onnx import models

UINT8, INT8, INT32, BFLOAT16, FLOAT16, COMPLEX64, UINT64 = 2, 3, 6, 16, 10, 14, 13
FLOAT8, INT4, FLOAT4, INT2, FLOAT6 = 17, 22, 23, 26, 27


def tensor(tmp_path: Path, **fields: Any) -> Tensor:
    """Return the tensor of a message, as small ones are: held in memory."""
    (tmp_path / "empty").write_bytes(b"")
    return Store(open_source(tmp_path / "empty"), []).tensor(models.new("TensorProto", **fields))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"data_type": models.FLOAT, "float_data": [1.5, -2.0]}, [1.5, -2.0]),
        ({"data_type": INT32, "int32_data": [-1, 7]}, [-1, 7]),
        ({"data_type": INT8, "int32_data": [-1, 7]}, [-1, 7]),
        ({"data_type": models.BOOL, "int32_data": [1, 0]}, [True, False]),
        ({"data_type": FLOAT16, "int32_data": [0x3C00, 0xC000]}, [1.0, -2.0]),
        ({"data_type": BFLOAT16, "int32_data": [0x3F80, 0xC000]}, [1.0, -2.0]),
        ({"data_type": UINT64, "uint64_data": [1 << 63, 2]}, [1 << 63, 2]),
        ({"data_type": models.INT64, "int64_data": [-5, 2]}, [-5, 2]),
        ({"data_type": FLOAT8, "raw_data": bytes([0x38, 0xC0])}, [1.0, -2.0]),
        ({"data_type": INT4, "raw_data": bytes([0x7F])}, [-1, 7]),  # the first element is in the low bits
        ({"data_type": INT4, "int32_data": [0x7F]}, [-1, 7]),
        ({"data_type": FLOAT4, "raw_data": bytes([0xC2])}, [1.0, -2.0]),
        ({"data_type": INT2, "raw_data": bytes([0b0111])}, [-1, 1]),
        ({"data_type": FLOAT6, "raw_data": bytes([0x08 | 0x30 << 6 & 0xC0, 0x30 >> 2])}, [1.0, -2.0]),
        ({"data_type": FLOAT6, "int32_data": [0x08, 0x30]}, [1.0, -2.0]),
    ],
)
def test_elements(tmp_path: Path, fields: Any, expected: list[Any]) -> None:
    found = tensor(tmp_path, dims=[2], **fields)
    assert found.items() == expected
    assert found.numpy().tolist() == expected


def test_complex_numbers_are_pairs(tmp_path: Path) -> None:
    assert tensor(tmp_path, dims=[1], data_type=COMPLEX64, float_data=[1.0, 2.0]).items() == [1 + 2j]


def test_strings(tmp_path: Path) -> None:
    assert tensor(tmp_path, dims=[2], data_type=8, string_data=[b"a", b"\xff"]).items() == [b"a", b"\xff"]


def test_fewer_bytes_than_the_shape_asks_for(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="4 bytes stored"):
        tensor(tmp_path, dims=[2], data_type=models.FLOAT, raw_data=b"\0\0\0\0").numpy()


def on_disk(folder: Path, **fields: Any) -> Tensor:
    message = models.new("TensorProto", name="w", dims=[300], data_type=models.FLOAT, **fields)
    found = file.read(models.save(folder, models.model(models.graph([], [], [], initializer=[message]))))
    tensor = found.graph.value("w").tensor
    assert len(tensor.source.message.raw_data) == len(mark(1))
    return tensor


@pytest.fixture
def _no_file_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphsurgeon.formats.graph.protobuf.protofile.SMALL_FILE", 0)


@pytest.mark.usefixtures("_no_file_is_small")
def test_packed_floats_on_disk_are_a_range(tmp_path: Path) -> None:
    values = [number / 4 for number in range(300)]
    found = on_disk(tmp_path, float_data=values)
    assert found.items() == values
    assert sum(map(len, found.source.ranges())) == 1200


@pytest.mark.usefixtures("_no_file_is_small")
def test_raw_bytes_on_disk_are_a_range(tmp_path: Path) -> None:
    found = on_disk(tmp_path, raw_data=struct.pack("<300f", *range(300)))
    assert found.items() == list(range(300))
    assert sum(map(len, found.source.ranges())) == 1200


@pytest.mark.usefixtures("_no_file_is_small")
def test_varints_on_disk_are_decoded(tmp_path: Path) -> None:
    numbers = [number - 150 for number in range(300)]
    message = models.new("TensorProto", name="w", dims=[300], data_type=models.INT64, int64_data=numbers)
    path = models.save(tmp_path, models.model(models.graph([], [], [], initializer=[message])))
    assert file.read(path).graph.value("w").tensor.items() == numbers


def external(folder: Path, entries: dict[str, str], data: bytes = b"") -> Any:
    if data:
        (folder / "weights.bin").write_bytes(data)
    message = models.new("TensorProto", name="w", dims=[2], data_type=models.FLOAT, data_location=1)
    for key, text in entries.items():
        message.external_data.add(key=key, value=text)
    return file.read(models.save(folder, models.model(models.graph([], [], [], initializer=[message]))))


def test_external_data(tmp_path: Path) -> None:
    data = b"head" + struct.pack("<2f", 1.0, 2.0) + b"rest"
    model = external(tmp_path, {"location": "weights.bin", "offset": "4", "length": "8"}, data)
    assert model.graph.value("w").tensor.items() == [1.0, 2.0]
    assert model.files[str(tmp_path / "weights.bin")] == 16


def test_external_data_without_length_goes_to_the_end(tmp_path: Path) -> None:
    model = external(tmp_path, {"location": "weights.bin"}, struct.pack("<2f", 1.0, 2.0))
    assert model.graph.value("w").tensor.items() == [1.0, 2.0]


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "", "a/../../secret", "bad\0name"])
def test_external_data_stays_in_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(b"12345678")
    (tmp_path / "inside").mkdir()
    model = external(tmp_path / "inside", {"location": location})
    assert "cannot be read" in model.notes[0]
    with pytest.raises(FormatError, match="outside"):
        model.graph.value("w").tensor.tobytes()


def test_external_data_through_a_link_that_leads_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"12345678")
    (tmp_path / "inside").mkdir()
    os.symlink(tmp_path / "secret", tmp_path / "inside" / "weights.bin")
    with pytest.raises(FormatError, match="symbolic link"):
        external(tmp_path / "inside", {"location": "weights.bin"}).graph.value("w").tensor.tobytes()


def test_external_data_that_is_missing(tmp_path: Path) -> None:
    model = external(tmp_path, {"location": "weights.bin"})
    assert "no such file" in model.notes[0]
    with pytest.raises(FileError, match="no such file"):
        model.graph.value("w").tensor.tobytes()


@pytest.mark.parametrize("entry", [{"offset": "-1"}, {"offset": "1e9"}, {"length": "9" * 30}, {"offset": "12"}])
def test_external_data_at_places_that_are_none(tmp_path: Path, entry: dict[str, str]) -> None:
    model = external(tmp_path, {"location": "weights.bin", "length": "8", **entry}, b"12345678")
    with pytest.raises(FormatError):
        model.graph.value("w").tensor.tobytes()


def sparse(tmp_path: Path, dims: list[int], indices: Any) -> Tensor:
    (tmp_path / "empty").write_bytes(b"")
    values = models.tensor("s", [2], [1.0, 2.0])
    message = models.new("SparseTensorProto", values=values, indices=indices, dims=dims)
    return Store(open_source(tmp_path / "empty"), []).sparse_tensor(message)


def places(dims: list[int], items: list[int]) -> Any:
    return models.new("TensorProto", dims=dims, data_type=models.INT64, int64_data=items)


def test_sparse_tensors_read_as_dense(tmp_path: Path) -> None:
    assert sparse(tmp_path, [2, 3], places([2], [1, 5])).items() == [0, 1, 0, 0, 0, 2]
    assert sparse(tmp_path, [2, 3], places([2, 2], [0, 1, 1, 2])).items() == [0, 1, 0, 0, 0, 2]


@pytest.mark.parametrize(
    ("dims", "indices"),
    [
        ([2, 3], places([2], [1, 6])),
        ([2, 3], places([2], [-1, 2])),
        ([2, 3], places([2, 2], [0, 3, 1, 2])),
        ([2, 3], places([1], [1])),
        ([1 << 40], places([2], [0, 1])),
        ([2, 3], models.tensor("", [2], [0.0, 1.0])),
    ],
)
def test_sparse_tensors_that_are_none(tmp_path: Path, dims: list[int], indices: Any) -> None:
    with pytest.raises(FormatError):
        sparse(tmp_path, dims, indices).tobytes()


def test_a_claim_without_bytes(tmp_path: Path) -> None:
    found = tensor(tmp_path, dims=[1 << 40, 1 << 20], data_type=models.FLOAT)
    with pytest.raises(FormatError):
        found.numpy()
