"""What lies behind a TFLite model is said, and kept where an edit keeps the model."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.checks.check import check
from graphsurgeon.encoding.appended_zip import unsafe_names
from graphsurgeon.formats.tflite.behind import unexplained
from tests.formats.tflite_files import FILES, FIXTURES, names

SOURCE = (FIXTURES / "float.tflite").read_bytes()


def with_tail(tmp_path: Path, tail: bytes) -> Path:
    path = tmp_path / "tailed.tflite"
    path.write_bytes(SOURCE + tail)
    return path


def archive(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return out.getvalue()


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_nothing_is_said_of_sound_models(path: Path) -> None:
    model = read(path)
    assert unexplained(model.raw) is None  # type: ignore[arg-type]
    assert not [found for found in check(model) if found.rule in ("bytes-behind", "archive-name")]


@pytest.mark.parametrize("tail", [b"#!/bin/sh\nevil", bytes(100), bytes(8) + b"x"])
def test_bytes_that_nothing_places_are_told_and_kept(tail: bytes, tmp_path: Path) -> None:
    path = with_tail(tmp_path, tail)
    model = read(path)
    assert [note for note in model.notes if "bytes behind the model that no field of it places" in note]
    assert [found.severity for found in check(model) if found.rule == "bytes-behind"] == ["note"]
    surgery.rename(model, prefix="a/")
    write(model, tmp_path / "again.tflite")
    assert (tmp_path / "again.tflite").read_bytes().endswith(tail)


def test_zeros_of_alignment_are_nothing(tmp_path: Path) -> None:
    assert unexplained(read(with_tail(tmp_path, bytes(48))).raw) is None  # type: ignore[arg-type]


def test_files_that_lead_out_of_a_folder_are_told(tmp_path: Path) -> None:
    model = read(with_tail(tmp_path, archive({"../../evil.sh": "rm", "labels.txt": "a"})))
    assert any("'../../evil.sh'" in note for note in model.notes)
    (found,) = [found for found in check(model) if found.rule == "archive-name"]
    assert found.severity == "warning"
    assert "'../../evil.sh'" in found.what


def test_names_that_are_unsafe() -> None:
    unsafe = ["/etc/passwd", "../x", "a/../../x", "..\\x", "C:\\x", "\\\\host\\x", "a\x1b[2J", "a\nb"]
    assert unsafe_names([*unsafe, "labels.txt", "a/b.txt", "..a", "größe.txt"]) == unsafe


def test_an_archive_that_is_cut_off_is_told(tmp_path: Path) -> None:
    whole = (FIXTURES / "metadata.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    for missing in (1, 30, 100):
        path.write_bytes(whole[:-missing])
        model = read(path)
        assert any("has no end: the file is cut off" in note for note in model.notes)
        assert [found.severity for found in check(model) if found.rule == "archive-cut"] == ["warning"]
