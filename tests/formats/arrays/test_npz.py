"""Archives of NumPy arrays as variables, against numpy; pickles stay closed, and bombs packed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats.arrays import npz
from graphsurgeon.model.tensor import Tensor


def tensors(path: Path) -> dict[str, Tensor]:
    checkpoint = npz.read(path).checkpoint
    assert checkpoint is not None
    return {key: variable.tensor for key, variable in checkpoint.variables.items()}


def arrays() -> dict[str, Any]:
    source = np.random.default_rng(3)
    return {
        "plain": source.normal(size=(3, 4)).astype("f4"),
        "folder/name": np.arange(7),
        "columns": np.asfortranarray(source.normal(size=(3, 5))),
        "big_endian": source.normal(size=(2, 2)).astype(">f4"),
        "complex": np.array([1 + 2j]),
        "scalar": np.array(2, "u1"),
        "empty": np.zeros((0, 4), "f2"),
        "flags": np.array([True, False]),
    }


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_kind_of_array(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "a.npz", **arrays())
    found = tensors(tmp_path / "a.npz")
    assert set(found) == set(arrays())
    for key, expected in arrays().items():
        assert found[key].dtype.name == expected.dtype.name
        np.testing.assert_array_equal(found[key].numpy(), expected)


def test_stored_arrays_stay_in_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.arange(1000.0))
    source: Any = tensors(tmp_path / "a.npz")["w"].source
    assert sum(map(len, source.ranges())) == 8000


def test_strings(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", text=np.array(["ab", "ç"]), raw=np.array([b"q", b"zz"]))
    found = tensors(tmp_path / "a.npz")
    assert found["text"].items() == [b"ab", "ç".encode()]
    assert found["raw"].items() == [b"q", b"zz"]


def test_pickled_objects_are_named_and_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", secret=np.array([{}], dtype=object))
    model = npz.read(tmp_path / "a.npz")
    assert model.notes == ["holds Python objects, which are not opened: secret"]
    with pytest.raises(UnsupportedError, match="pickled"):
        tensors(tmp_path / "a.npz")["secret"].tobytes()


def archive(path: Path, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("w.npy", data)
    return path


def array_file(header: str) -> bytes:
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode()


def test_no_more_is_unpacked_than_the_shape_asks_for(tmp_path: Path) -> None:
    data = io.BytesIO()
    np.save(data, np.zeros(4, "f4"))
    found = tensors(archive(tmp_path / "a.npz", data.getvalue() + bytes(64 << 20)))
    assert found["w"].tobytes() == bytes(16)


def test_an_array_that_ends_too_early(tmp_path: Path) -> None:
    head = array_file("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000,)}")
    with pytest.raises(FormatError, match="before its shape"):
        tensors(archive(tmp_path / "a.npz", head))["w"].tobytes()


@pytest.mark.parametrize(
    "data",
    [
        b"no array",
        array_file("__import__('os')"),
        array_file("{'descr': '<f4'}"),
        array_file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
        array_file("{'descr': '<f4', 'fortran_order': False, 'shape': 3}"),
        array_file("(" * 5000),
    ],
)
def test_headers_that_are_none(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(FormatError):
        npz.read(archive(tmp_path / "a.npz", data))


@pytest.mark.parametrize("code", ["!f4", "<f16", "|V8", "<M8[s]", "", "<U99999999999"])
def test_types_that_are_no_numbers(tmp_path: Path, code: str) -> None:
    head = array_file(f"{{'descr': '{code}', 'fortran_order': False, 'shape': (2,)}}")
    found = tensors(archive(tmp_path / "a.npz", head + bytes(32)))["w"]
    with pytest.raises((UnsupportedError, FormatError)):
        found.items() if found.dtype.name == "string" else found.tobytes()


def test_an_archive_that_is_cut_short(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.arange(100.0))
    path = tmp_path / "b.npz"
    path.write_bytes((tmp_path / "a.npz").read_bytes()[:-30])
    with pytest.raises(FormatError, match="archive"):
        npz.read(path)
