"""Reading files: ranges, refusals, and names that lead outside a folder."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from graphsurgeon.disk.files import BLOCK, FileRange, contained, open_source, rope_chunks, rope_size, tree_names
from graphsurgeon.errors import FileError, FormatError


@pytest.fixture
def alphabet(tmp_path: Path) -> Path:
    path = tmp_path / "alphabet"
    path.write_bytes(b"abcdefghijklmnopqrstuvwxyz")
    return path


def test_reads_ranges(alphabet: Path) -> None:
    file = open_source(alphabet)
    assert file.size == 26
    assert file.read_at(3, 4) == b"defg"
    assert file.whole().part(20, 6).part(1, 2).read() == b"vw"
    with file.view() as view:
        assert bytes(view[:3]) == b"abc"


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (0, -1), (25, 2), (1 << 62, 1), (0, 1 << 62)])
def test_a_range_outside_is_a_format_error(alphabet: Path, offset: int, length: int) -> None:
    file = open_source(alphabet)
    with pytest.raises(FormatError):
        file.read_at(offset, length)
    with pytest.raises(FormatError):
        FileRange(file, offset, length)


def test_an_empty_file_can_be_viewed(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with open_source(tmp_path / "empty").view() as view:
        assert len(view) == 0


def test_a_rope_is_read_in_order_and_in_blocks(tmp_path: Path) -> None:
    big = os.urandom(BLOCK + 10)
    (tmp_path / "big").write_bytes(big)
    rope = [b"head", open_source(tmp_path / "big").whole(), b"tail"]
    chunks = list(rope_chunks(rope))
    assert rope_size(rope) == len(big) + 8
    assert b"".join(chunks) == b"head" + big + b"tail"
    assert max(map(len, chunks)) == BLOCK


def test_a_file_that_was_cut_meanwhile(alphabet: Path) -> None:
    file = open_source(alphabet)
    assert file.read_at(0, 1) == b"a"
    os.truncate(alphabet, 10)
    assert file.read_at(0, 10) == b"abcdefghij"
    with pytest.raises(FileError, match="cut"):
        file.read_at(8, 4)


def test_a_file_that_was_replaced_before_the_first_read(alphabet: Path) -> None:
    file = open_source(alphabet)
    other = alphabet.with_name("other")
    other.write_bytes(b"z" * 26)
    other.replace(alphabet)
    with pytest.raises(FileError, match="replaced"):
        file.read_at(0, 1)


def test_the_old_content_stays_readable_after_a_replacement(alphabet: Path) -> None:
    file = open_source(alphabet)
    file.read_at(0, 1)
    alphabet.with_name("other").write_bytes(b"z" * 26)
    alphabet.with_name("other").replace(alphabet)
    assert file.read_at(25, 1) == b"z"
    assert file.read_at(0, 2) == b"ab"


def test_descriptors_close_with_the_object(alphabet: Path) -> None:
    gc.collect()  # files of other tests' models, which refer to themselves
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else pytest.skip("needs /proc")
    files = [open_source(alphabet) for _ in range(20)]
    assert len(os.listdir("/proc/self/fd")) == before  # none is open before it is needed
    for file in files:
        file.read_at(0, 1)
    assert len(os.listdir("/proc/self/fd")) == before + 20
    del file, files
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("name", ["nothing", ".", "nothing/inside", "alphabet/inside", "x\0y", "n" * 300])
def test_what_is_no_file_is_a_file_error(alphabet: Path, name: str) -> None:
    with pytest.raises(FileError):
        open_source(alphabet.parent / name)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="ordinary"):
        open_source(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/etc/passwd", "", "a\0b", "link", "links/deep"])
def test_names_that_lead_outside(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    (folder / "links").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "links" / "deep").symlink_to("../../outside")
    with pytest.raises(FormatError):
        contained(folder, name)


def test_names_and_links_that_stay_inside(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "a").mkdir(parents=True)
    (folder / "file").write_bytes(b"x")
    (folder / "a" / "link").symlink_to("../file")
    assert contained(folder, "a/link").read_bytes() == b"x"
    assert contained(folder, "a/..b") == folder / "a" / "..b"
    alias = tmp_path / "alias"
    alias.symlink_to(folder)
    assert contained(alias, "file").read_bytes() == b"x"


def test_links_into_the_blobs_of_a_download_cache(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--a--b" / "snapshots" / "1234"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--a--b" / "blobs").mkdir()
    (tmp_path / "models--a--b" / "blobs" / "abcd").write_bytes(b"x")
    (snapshot / "saved_model.pb").symlink_to("../../blobs/abcd")
    assert contained(snapshot, "saved_model.pb").read_bytes() == b"x"


def test_tree_names(tmp_path: Path) -> None:
    (tmp_path / "a" / "empty").mkdir(parents=True)
    (tmp_path / "a" / "b").touch()
    (tmp_path / "c").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert tree_names(tmp_path) == ["a/b", "a/empty/", "c", "loop"]
