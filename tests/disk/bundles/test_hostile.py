"""Bundles made to harm, and damaged ones: a right answer or one line, whatever the bytes."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from graphsurgeon.cli.app import run
from graphsurgeon.disk.bundles import bundle
from graphsurgeon.edit import edit
from graphsurgeon.errors import FormatError, GraphSurgeonError
from graphsurgeon.formats import read
from tests.disk.bundles.build import litertlm_of, task_of

TFLITE = "tflite/float.tflite"


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return held.getvalue()


def overlapping() -> bytes:
    """Return an archive whose two entries are the same bytes, as a bomb of that kind has thousands."""
    data = zipped([("a.tflite", bytes(100)), ("b.tflite", bytes(100))])
    second = data.rfind(b"PK\1\2")
    return data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]


def shared() -> bytes:
    """Return an archive whose second member lies inside the first."""
    inner = zipped([("b.tflite", bytes(100))])
    local = inner[: inner.find(b"PK\1\2")]
    data = zipped([("a.tflite", local), ("b.tflite", bytes(100))])
    second = data.rfind(b"PK\1\2")
    return data[: second + 42] + struct.pack("<I", 38) + data[second + 46 :]


def patched(data: bytes, mark: bytes, offset: int, value: int, form: str = "<I") -> bytes:
    at = data.rfind(mark) + offset
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


PLAIN = zipped([("a.tflite", bytes(100))])
PACKED = zipped([("a.tflite", b"abcd" * 1000)], zipfile.ZIP_DEFLATED)
CASES = {
    "parent": (zipped([("../a.tflite", b"x")]), "leads outside"),
    "absolute": (zipped([("/etc/a.tflite", b"x")]), "leads outside"),
    "drive": (zipped([("C:/a.tflite", b"x")]), "leads outside"),
    "backslash": (zipped([("..\\a.tflite", b"x")]), "leads outside"),
    "twice": (
        zipped([("a.tflite", b"x"), ("b.tflite", b"y")]).replace(b"b.tflite", b"a.tflite"),
        "two members are called",
    ),
    "same bytes": (overlapping(), "there is no header of|is not that of|overlap"),
    "inside": (shared(), "overlap"),
    "sizes differ": (patched(PLAIN, b"PK\1\2", 20, 99), "by its header and"),
    "behind the end": (patched(patched(PLAIN, b"PK\1\2", 20, 5000), b"PK\3\4", 18, 5000), "ends at byte|by its header"),
    "header elsewhere": (patched(PLAIN, b"PK\1\2", 42, 7), "no header|overlap|begin"),
    "count": (patched(PLAIN, b"PK\5\6", 10, 3, "<H"), "entries"),
    "directory size": (patched(PLAIN, b"PK\5\6", 12, 0xFFFFFF), "directory"),
    "cut": (PLAIN[:-5], "directory at the end"),
    "followed": (PLAIN + b"rest", "directory at the end"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_zip_is_one_line(tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    data, expected = CASES[case]
    (tmp_path / "m.zip").write_bytes(data)
    assert run(["show", str(tmp_path / "m.zip")]) in (3, 4)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    with pytest.raises(GraphSurgeonError, match=expected):
        read(tmp_path / "m.zip", listing=True)


def bomb(size: int) -> bytes:
    """Return an archive whose member of a few bytes unpacks to `size` zeros."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    data = zipped([("a.tflite", packed)])
    for mark, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        data = patched(data, mark, at, 8, "<H")
        data = patched(data, mark, at + 14, size)
    return data


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_FREE", 1 << 20)
    (tmp_path / "m.zip").write_bytes(bomb(8 << 20))
    with pytest.raises(GraphSurgeonError, match="say they unpack to 8,388,608"):
        read(tmp_path / "m.zip/a.tflite")


@pytest.mark.parametrize(
    ("offset", "value", "expected"),
    [(24, 3999, "more than the 3,999"), (24, 4001, "and says 4,001"), (16, 1, "do not match their checksum")],
)
def test_a_packed_member_is_what_it_says(tmp_path: Path, offset: int, value: int, expected: str) -> None:
    data = patched(PACKED, b"PK\1\2", offset, value)
    (tmp_path / "m.zip").write_bytes(patched(data, b"PK\3\4", offset - 2, value))
    with pytest.raises(GraphSurgeonError, match=expected):
        read(tmp_path / "m.zip/a.tflite")


def test_a_stored_member_is_compared_with_its_checksum(fixtures_dir: Path, tmp_path: Path) -> None:
    model = (fixtures_dir / TFLITE).read_bytes()
    (tmp_path / "m.zip").write_bytes(zipped([("a.tflite", model)]))
    read(tmp_path / "m.zip/a.tflite")
    damaged = bytearray(zipped([("a.tflite", model)]))
    damaged[30 + len("a.tflite") + len(model) - 1] ^= 1
    (tmp_path / "n.zip").write_bytes(damaged)
    with pytest.raises(FormatError, match=r"n\.zip/a\.tflite: its bytes do not match their checksum"):
        read(tmp_path / "n.zip/a.tflite")


@pytest.mark.parametrize("is_nested", [False, True])
def test_a_large_member_is_compared_before_an_edit_gives_it_a_new_checksum(
    fixtures_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_nested: bool
) -> None:
    monkeypatch.setattr(bundle, "_MOST_COMPARED", 1000)
    model = (fixtures_dir / TFLITE).read_bytes()
    whole = zipped([("a.tflite", model)])
    place = tmp_path / "m.zip" / ("b.zip/a.tflite" if is_nested else "a.tflite")
    for at in (None, 30 + len("a.tflite") + len(model) - 1):
        held = bytearray(whole)
        if at is not None:
            held[at] ^= 1
        (tmp_path / "m.zip").write_bytes(zipped([("b.zip", bytes(held))]) if is_nested else held)
        if at is None:
            report = edit(
                place, [("rename", {"names": {read(place).graph.inputs[0].name: "q"}})], output=tmp_path / "o.zip"
            )
            assert report.member == place.relative_to(tmp_path / "m.zip").as_posix()
        else:
            with pytest.raises(FormatError, match="do not match their checksum"):
                edit(place, [("rename", {"names": {read(place).graph.inputs[0].name: "q"}})], output=tmp_path / "p.zip")
            assert not (tmp_path / "p.zip").exists()


def test_a_packed_tar_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_FREE", 1 << 20)
    packed = gzip.compress(tarred("a.tflite", bytes(2 << 20)))
    (tmp_path / "m.tar.gz").write_bytes(packed)
    with pytest.raises(FormatError, match="unpack to more than 1,048,576"):
        read(tmp_path / "m.tar.gz", listing=True)
    (tmp_path / "n.tar.gz").write_bytes(gzip.compress(tarred("a.tflite", b"x"))[:-9])
    with pytest.raises(FormatError, match="end too early"):
        read(tmp_path / "n.tar.gz", listing=True)


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    data = patched(patched(PLAIN, b"PK\1\2", 8, 1, "<H"), b"PK\3\4", 6, 1, "<H")
    (tmp_path / "m.zip").write_bytes(data)
    assert [member.what for member in read(tmp_path / "m.zip", listing=True).members] == ["it is encrypted"]
    with pytest.raises(GraphSurgeonError, match="encrypted"):
        read(tmp_path / "m.zip/a.tflite")


def test_bundles_in_bundles_end(tmp_path: Path) -> None:
    data = zipped([("x.txt", b"text")])
    for _ in range(12):
        data = zipped([("a.zip", data)])
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(GraphSurgeonError):
        read(tmp_path / ("a.zip" + "/a.zip" * 12))
    with pytest.raises(GraphSurgeonError):
        read(tmp_path / "a.zip")


def answer(path: Path) -> str:
    """Return what reading says of a path, empty if it reads."""
    try:
        read(path, listing=True)
    except GraphSurgeonError as error:
        return str(error)
    return ""


def tarred(name: str, data: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return held.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tarred("../a.tflite", b"x"), "leads outside"),
        (tarred("a" * 200 + "/../../b", b"x"), "leads outside"),
        (tarred("a.tflite", bytes(5000))[:2000], "behind the end"),
        (tarred("a.tflite", b"x").replace(b"00000000001\0", b"7777777777\0\0", 1), "damaged"),
    ],
)
def test_a_hostile_tar_is_one_line(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "m.tar").write_bytes(data)
    with pytest.raises(GraphSurgeonError, match=expected):
        read(tmp_path / "m.tar", listing=True)


@pytest.mark.parametrize("form", ["zip", "packed", "tar", "tar.gz", "litertlm"])
def test_damaged_bundles_give_an_answer_or_an_error(fixtures_dir: Path, tmp_path: Path, form: str) -> None:
    model = (fixtures_dir / TFLITE).read_bytes()
    whole = {
        "zip": task_of({"a.tflite": model, "b.tflite": model}),
        "packed": zipped([("a.tflite", model)], zipfile.ZIP_DEFLATED),
        "tar": tarred("a.tflite", model),
        "tar.gz": gzip.compress(tarred("a.tflite", model), mtime=0),
        "litertlm": litertlm_of([("tf_lite_a", 3, model), ("", 4, b"tokens")]),
    }[form]
    chance = random.Random(7)
    path = tmp_path / "m.bin"
    for trial in range(90):
        data = bytearray(whole)
        if trial % 3:
            head = 700 if form in ("tar", "litertlm") else 60
            for _ in range(3):
                place = chance.choice((chance.randrange(head), len(data) - 1 - chance.randrange(90)))
                data[place] = chance.randrange(256)
        else:
            del data[chance.randrange(len(data)) :]
        path.write_bytes(data)
        for where in (path, path / "a.tflite", path / "0"):
            assert "\n" not in answer(where)
