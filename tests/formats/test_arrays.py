"""`.npz` and `.safetensors` files, read back by numpy and by the safetensors package."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from graphsurgeon import read
from graphsurgeon.disk.files import rope_chunks, rope_size
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats.exports import arrays as arrayfiles
from graphsurgeon.model.dtype import FLOAT32, RESOURCE, STRING, DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import BytesSource, Tensor


def written(tensors: dict[str, Tensor], suffix: str) -> bytes:
    rope = arrayfiles.lower(tensors, suffix)
    data = b"".join(rope_chunks(rope))
    assert len(data) == rope_size(rope)
    return data


@pytest.fixture
def every_dtype(fixtures_dir: Path) -> dict[str, Tensor]:
    checkpoint = read(fixtures_dir / "checkpoint" / "dtypes").checkpoint
    assert checkpoint is not None
    return {key: variable.tensor for key, variable in checkpoint.variables.items()}


def test_npz_of_every_dtype(every_dtype: dict[str, Tensor]) -> None:
    data = written(every_dtype, ".npz")
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        assert list(arrays) == list(every_dtype)
        for name, tensor in every_dtype.items():
            array = tensor.numpy()
            assert arrays[name].shape == array.shape
            np.testing.assert_array_equal(arrays[name], array.astype("S") if tensor.dtype is STRING else array)


def test_npz_is_deterministic(every_dtype: dict[str, Tensor]) -> None:
    assert written(every_dtype, ".npz") == written(every_dtype, ".npz")


def test_npz_beyond_four_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of 32-bit fields, lowered so that small arrays pass it."""
    monkeypatch.setattr(arrayfiles, "_LIMIT", 150)
    tensors = {f"a{number}": Tensor.of(FLOAT32, [number], [1.5] * number) for number in (1, 40, 3)}
    data = written(tensors, ".npz").replace(b"\x96\x00\x00\x00", b"\xff\xff\xff\xff")
    assert b"PK\6\6" in data
    with np.load(io.BytesIO(data)) as arrays:
        assert {name: arrays[name].tolist() for name in arrays} == {
            name: tensor.numpy().tolist() for name, tensor in tensors.items()
        }


def test_safetensors_of_every_dtype(every_dtype: dict[str, Tensor]) -> None:
    safetensors = pytest.importorskip("safetensors")
    without = ("string", "complex128", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz")
    tensors = {name: tensor for name, tensor in every_dtype.items() if tensor.dtype.name not in without}
    found = dict(safetensors.deserialize(written(tensors, ".safetensors")))
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name]["shape"] == list(tensor.shape)
        assert bytes(found[name]["data"]) == tensor.tobytes()
    assert found["dense/bfloat16"]["dtype"] == "BF16"


def test_stored_values_are_copied_and_compared_with_their_checksum(every_dtype: dict[str, Tensor]) -> None:
    rope = arrayfiles.lower({"x": every_dtype["dense/float32"]}, ".safetensors")
    assert [type(piece).__name__ for piece in rope] == ["bytes", "CheckedRange"]


def test_types_that_are_not_there() -> None:
    handle = Tensor(RESOURCE, Shape([]), Tensor.of(FLOAT32, [], [0.0]).source)
    with pytest.raises(UnsupportedError, match=r"'h' has type resource, which \.npz cannot hold"):
        arrayfiles.lower({"h": handle}, ".npz")
    with pytest.raises(UnsupportedError, match="'s' has type string, which safetensors does not have"):
        arrayfiles.lower({"s": Tensor.of(STRING, [1], [b"x"])}, ".safetensors")
    with pytest.raises(UsageError, match=r"exported to \.npz or \.safetensors, not to \.h5"):
        arrayfiles.lower({}, ".h5")


INT4 = DType.named("int4")
SMALL = {"a": Tensor(INT4, Shape((4,)), BytesSource(b"\x01\x0e\xfe\x08"))}  # low bits count, with or without a sign


def test_integers_below_a_byte_keep_their_sign() -> None:
    with np.load(io.BytesIO(written(SMALL, ".npz"))) as arrays:
        assert arrays["a"].tolist() == [1, -2, -2, -8]
    assert written(SMALL, ".safetensors").endswith(bytes([1, 0xFE, 0xFE, 0xF8]))  # as I8


def test_what_no_archive_holds_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="70004 bytes is too long"):
        arrayfiles.lower({"n" * 70000: SMALL["a"]}, ".npz")
    huge = Tensor(INT4, Shape((1 << 40, 1 << 40)), BytesSource(b""))
    for suffix in arrayfiles.SUFFIXES:
        with pytest.raises(UnsupportedError, match="larger than any file"):
            arrayfiles.lower({"huge": huge}, suffix)
