"""Texts of attributes replaced: h5py reads the new ones, and every other byte is as it was."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from graphsurgeon.encoding import hdf5
from graphsurgeon.encoding.hdf5.replace import replace_texts
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats.keras.archive import BytesWindow

FORMS = [("earliest", False, 0), ("earliest", False, 512), ("v108", True, 0), ("latest", False, 0)]


def replaced(data: bytes, texts: dict[str, str]) -> bytes:
    file = hdf5.open_file(BytesWindow(data))
    result = replace_texts(file.image, file.root, texts)
    out = bytearray(data)
    for at, patch in result.patches.items():
        out[at : at + len(patch)] = patch
    return bytes(out) + result.appended


@pytest.mark.parametrize(("libver", "order", "userblock"), FORMS)
@pytest.mark.parametrize("length", [0, 5, 100, 5000, 200_000])
def test_h5py_reads_the_new_texts(tmp_path: Path, libver: str, order: bool, userblock: int, length: int) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver=libver, track_order=order, userblock_size=userblock) as file:
        file.attrs["text"] = "x" * 300
        file.attrs["other"] = "kept"
        file.attrs["fixed"] = np.bytes_(b"y" * 120)
        file["values"] = np.arange(1000.0)
    before = path.read_bytes()
    new = "ä" * (length // 2)
    path.write_bytes(replaced(before, {"text": new, "fixed": new}))
    with h5py.File(path) as file:
        assert file.attrs["text"] == new
        fixed = file.attrs["fixed"]
        assert (fixed.decode() if isinstance(fixed, bytes) else fixed) == new
        assert file.attrs["other"] == "kept"
        assert np.array_equal(file["values"][()], np.arange(1000.0))
    after = path.read_bytes()
    changed = sum(a != b for a, b in zip(before, after[: len(before)], strict=True))
    assert changed < 200


def test_the_library_goes_on_writing_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "x" * 300
        file["values"] = np.arange(1000.0)
    path.write_bytes(replaced(path.read_bytes(), {"text": "z" * 9000}))
    with h5py.File(path, "a") as file:
        file["more"] = np.ones(5000)
        file.attrs["another"] = "w" * 3000
    with h5py.File(path) as file:
        assert file.attrs["text"] == "z" * 9000
        assert file.attrs["another"] == "w" * 3000
        assert np.array_equal(file["values"][()], np.arange(1000.0))


def test_attributes_in_a_heap_are_only_read(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(20):
            file.attrs[f"text{number}"] = "x" * 300
    with pytest.raises(UnsupportedError, match="only read"):
        replaced(path.read_bytes(), {"text3": "y"})
