"""HDF5 files against h5py, in all the forms it writes; damaged ones against nothing but patience."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from graphsurgeon.encoding import hdf5
from graphsurgeon.encoding.hdf5 import layout
from graphsurgeon.encoding.hdf5.image import checksum
from graphsurgeon.errors import FormatError, GraphSurgeonError, UnsupportedError
from graphsurgeon.formats.keras.archive import BytesWindow
from tests.formats.damage import damaged

FORMS = [("earliest", False, 0), ("earliest", True, 512), ("v108", True, 0), ("latest", False, 1024)]


def write(path: Path, libver: str = "earliest", order: bool = False, userblock: int = 0) -> Path:
    numbers = np.random.default_rng(0)
    with h5py.File(path, "w", libver=libver, track_order=order, userblock_size=userblock) as file:
        for name, count in (("few", 2), ("many", 40)):
            group = file.create_group(f"{name}/inner/deep")
            for number in range(count):
                group.create_dataset(f"d{number}", data=numbers.standard_normal((3, number)).astype("f4"))
            for number in range(count):
                group.attrs[f"at{number}"] = f"value {number}" * number
        inner = file["few/inner"]
        inner.attrs["names"] = [b"a", b"bcd"]
        inner.attrs["number"], inner.attrs["numbers"], inner.attrs["flag"] = 3, [1.5, -2.5], True
        inner.attrs["fixed"] = np.bytes_(b"fixed length")
        inner.attrs["nothing"] = h5py.Empty("f4")
        file.attrs["long"] = "ü" * 100_000
        file["big_endian"] = np.arange(6, dtype=">f8").reshape(2, 3)
        file["half"], file["flags"] = np.arange(6, dtype="f2"), np.array([True, False])
        file["complex"], file["opaque"] = np.array([1 + 2j], dtype="c8"), np.frombuffer(b"abcdef", "V2")
        file["scalar"], file["texts"], file["fixed"] = 3.5, ["a", "bc"], np.array([b"ab", b"cde"], "S5")
        file.create_dataset("pieces", data=numbers.standard_normal((37, 23)).astype("f4"), chunks=(10, 7))
        compression = {"compression": "gzip", "shuffle": True, "fletcher32": True}
        file.create_dataset("packed", data=numbers.integers(0, 9, (37, 5, 4)), chunks=(10, 5, 3), **compression)
        file.create_dataset("one", data=np.ones((5, 5)), chunks=(5, 5), compression="gzip")
        file.create_dataset("never", shape=(5, 6), dtype="i4", fillvalue=7)
        file["soft"], file["elsewhere"] = h5py.SoftLink("/few"), h5py.ExternalLink("/etc/passwd", "/x")
    return path


def opened(path: Path) -> hdf5.File:
    return hdf5.open_file(BytesWindow(path.read_bytes()))


def values(file: hdf5.File, found: hdf5.Dataset) -> bytes:
    if found.compact is not None:
        return found.compact
    if found.chunks is not None:
        return b"".join(layout.slabs(file.image, found))
    count = int(np.prod(found.shape)) * found.type.size
    if found.contiguous is None:
        return (found.fill or bytes(found.type.size)) * int(np.prod(found.shape))
    return file.image.source.read_at(found.contiguous, count)


def plain(value: Any) -> Any:
    """Return the value of an attribute as ours are: text for bytes, lists for arrays."""
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, np.generic) and not isinstance(value, bytes):
        return value.item()
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize(("libver", "order", "userblock"), FORMS)
def test_everything_is_as_h5py_reads_it(tmp_path: Path, libver: str, order: bool, userblock: int) -> None:
    path = write(tmp_path / "file.h5", libver, order, userblock)
    file = opened(path)
    ours = {item.path: item for item in file.walk()} | {"": file.root}
    with h5py.File(path) as theirs:
        names = [""]
        theirs.visit(names.append)
        assert set(ours) == set(names)
        for name in names:
            item = theirs[name or "/"]
            assert {key: ours[name].value(key) for key in ours[name].attributes} == {
                key: plain(item.attrs[key]) for key in item.attrs
            }, name
            if isinstance(item, h5py.Dataset):
                found = ours[name].dataset()
                assert found.shape == item.shape
                if item.dtype.kind != "O" and not found.elsewhere:
                    assert values(file, found) == item[()].tobytes(), name


def test_text_of_variable_length_is_read(tmp_path: Path) -> None:
    file = opened(write(tmp_path / "file.h5"))
    item = file.root.get("texts")
    assert item is not None
    found = item.dataset()
    assert hdf5.file.strings_of(found.type, values(file, found), 2, file.image) == [b"a", b"bc"]


def test_links_to_other_places_are_named_and_not_followed(tmp_path: Path) -> None:
    root = opened(write(tmp_path / "file.h5")).root
    assert "elsewhere" not in root.children
    assert sorted(root.outside) == ["elsewhere", "soft"]


def test_values_in_other_files_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.ones(4)
    with h5py.File(tmp_path / "file.h5", "w", libver="latest") as file:
        file.create_dataset("apart", shape=(4,), dtype="f4", external=[("/etc/passwd", 0, 16)])
        view = h5py.VirtualLayout(shape=(4,), dtype="f8")
        view[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", shape=(4,))
        file.create_virtual_dataset("view", view)
    root = opened(tmp_path / "file.h5").root
    assert "another file" in root.children["apart"].dataset().elsewhere
    assert "other datasets" in root.children["view"].dataset().elsewhere


def test_groups_that_hold_themselves_are_walked_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        group = file.create_group("a")
        group["again"] = file["/"]
        group["self"] = group
    assert [item.path for item in opened(tmp_path / "file.h5").walk()] == ["a"]


def test_a_piece_that_unpacks_to_more_than_it_is_does_not_fill_the_memory(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("x", data=np.zeros(1000, "u1"), chunks=(1000,), compression="gzip")
        raw = file["x"].id.read_direct_chunk((0,))[1]
        import zlib

        bomb = zlib.compress(bytes(50 << 20), 9)
        file["x"].id.write_direct_chunk((0,), bomb)
        assert len(bomb) > len(raw)
    file_ = opened(tmp_path / "file.h5")
    item = file_.root.children["x"]
    with pytest.raises(FormatError, match="1000 were expected"):
        list(layout.slabs(file_.image, item.dataset()))


def test_a_filter_that_is_not_known_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("x", data=np.zeros(1000, "u1"), chunks=(1000,), compression="lzf")
    file_ = opened(tmp_path / "file.h5")
    with pytest.raises(UnsupportedError, match="filter 32000"):
        list(layout.slabs(file_.image, file_.root.children["x"].dataset()))


@pytest.mark.parametrize(("libver", "order", "userblock"), FORMS)
def test_damaged_files_end_in_an_error_of_ours(tmp_path: Path, libver: str, order: bool, userblock: int) -> None:
    with h5py.File(tmp_path / "file.h5", "w", libver=libver, track_order=order, userblock_size=userblock) as file:
        for number in range(12):
            group = file.create_group(f"layer{number}")
            group.attrs["weight_names"] = [b"kernel", b"bias"]
            group.create_dataset("kernel", data=np.ones((2, 3), "f4"))
        file.create_dataset("packed", data=np.ones((9, 9)), chunks=(4, 4), compression="gzip")
    outcomes = {"answer": 0, "error": 0}
    for copy in damaged((tmp_path / "file.h5").read_bytes(), 200):
        try:
            found = hdf5.open_file(BytesWindow(copy))
            for item in found.walk():
                for key in item.attributes:
                    item.value(key)
                dataset = item.dataset() if item.is_dataset else None
                if dataset is not None and dataset.chunks is not None:
                    for _ in layout.slabs(found.image, dataset):
                        pass
            outcomes["answer"] += 1
        except GraphSurgeonError:  # noqa: PERF203  # each copy has an outcome of its own
            outcomes["error"] += 1
    assert outcomes["answer"] > 20
    assert outcomes["error"] > 20


def test_the_checksum_is_the_one_that_guards_a_superblock(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w", libver="latest"):
        pass
    data = (tmp_path / "file.h5").read_bytes()
    assert checksum(data[:44]) == int.from_bytes(data[44:48], "little")
