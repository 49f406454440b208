"""Writing: what was there is intact after an error, a full disk, Ctrl-C and a kill."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.disk import atomic
from graphsurgeon.disk.atomic import (
    Content,
    clear_leftovers,
    is_temporary,
    leftovers,
    seen,
    write_file,
    write_group,
    write_tree,
)
from graphsurgeon.disk.files import FileRange, Rope, open_source, tree_names
from graphsurgeon.errors import FileError, FormatError

ROOT = Path(__file__).resolve().parents[2]


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in tree_names(folder) if not name.endswith("/")}


@pytest.fixture
def source(tmp_path: Path) -> FileRange:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(5 << 20))
    return open_source(path).whole()


def test_a_file_is_written_with_ranges_between_bytes(tmp_path: Path, source: FileRange) -> None:
    calls: list[tuple[int, int]] = []
    rope: Rope = [b"head", source.part(1, 3 << 20), b"", source.part(7, 10), b"tail"]
    write_file(tmp_path / "out", rope, progress=lambda done, total: calls.append((done, total)))
    data = source.read()
    assert (tmp_path / "out").read_bytes() == b"head" + data[1 : 1 + (3 << 20)] + data[7:17] + b"tail"
    total = (3 << 20) + 18
    assert calls[-1] == (total, total)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize("missing", ["copy_file_range", "sendfile", "both"])
def test_every_way_of_copying_gives_the_same(
    tmp_path: Path, source: FileRange, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(18, "cross-device")

    for name in ("copy_file_range", "sendfile"):
        if missing in (name, "both"):
            monkeypatch.setattr(os, name, refuse)
    write_file(tmp_path / "out", [b"x", source])
    assert (tmp_path / "out").read_bytes() == b"x" + source.read()


def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    write_file(tmp_path / "link", [b"new"])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640


def test_a_file_may_be_made_of_its_own_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abcdef")
    write_file(tmp_path / "file", [b"<", open_source(tmp_path / "file").whole(), b">"])
    assert (tmp_path / "file").read_bytes() == b"<abcdef>"


@pytest.mark.parametrize("swap", [True, False], ids=["exchange", "two renames"])
def test_a_folder_takes_the_place_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: bool) -> None:
    if not swap:
        monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    write_tree(tmp_path / "model", {"a/b": [b"1"], "old": [b"2"], "empty/": []})
    write_tree(tmp_path / "model", {"a/b": [b"3"], "new": [b"4"]})
    assert content(tmp_path / "model") == {"a/b": b"3", "new": b"4"}
    assert os.listdir(tmp_path) == ["model"]


def test_unchanged_files_are_linked_on_request(tmp_path: Path, source: FileRange) -> None:
    files: dict[str, Content] = {"path": tmp_path / "source", "rope": [source], "part": [source.part(0, 9)]}
    write_tree(tmp_path / "linked", files, link=True)
    write_tree(tmp_path / "copied", files)
    inode = (tmp_path / "source").stat().st_ino
    linked = [name for name in files if (tmp_path / "linked" / name).stat().st_ino == inode]
    assert linked == ["path", "rope"]
    assert content(tmp_path / "linked") == content(tmp_path / "copied")
    assert not any((tmp_path / "copied" / name).stat().st_ino == inode for name in files)


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError):
        write_tree(tmp_path / "model", {name: [b"x"]})
    assert os.listdir(tmp_path) == []


def test_a_group_replaces_a_group(tmp_path: Path) -> None:
    write_group(tmp_path, {"m.data-0": [b"1"], "m.data-1": [b"1"], "m.index": [b"1"]}, name="m")
    write_group(tmp_path, {"m.data-0": [b"2"], "m.index": [b"2"]}, name="m", obsolete=["m.data-1"])
    assert content(tmp_path) == {"m.data-0": b"2", "m.index": b"2"}


class Broken(FileRange):
    """A range whose file ends too early, as one that shrinks while it is copied."""

    def __init__(self, path: Path) -> None:
        super().__init__(open_source(path), 0, path.stat().st_size)
        self.file.descriptor()
        os.truncate(path, 10)


@pytest.mark.parametrize(
    "write",
    [
        lambda folder, broken: write_file(folder / "file", [b"new", broken]),
        lambda folder, broken: write_tree(folder / "tree", {"x": [b"new"], "y": [broken]}),
        lambda folder, broken: write_group(folder / "tree", {"m.data": [b"new"], "m.index": [broken]}, name="m"),
    ],
    ids=["file", "tree", "group"],
)
def test_an_error_while_writing_leaves_everything_as_it_was(
    tmp_path: Path, write: Callable[[Path, FileRange], None]
) -> None:
    write_file(tmp_path / "file", [b"old"])
    write_tree(tmp_path / "tree", {"x": [b"old"]})
    write_group(tmp_path / "tree", {"m.data": [b"old"], "m.index": [b"old"]}, name="m")
    before = content(tmp_path)
    (tmp_path / "big").write_bytes(bytes(300_000))
    broken = Broken(tmp_path / "big")
    (tmp_path / "big").unlink()
    with pytest.raises(FileError, match="cut"):
        write(tmp_path, broken)
    assert content(tmp_path) == before


def test_an_error_while_a_group_takes_its_places_brings_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_group(tmp_path, {"m.data-0": [b"1"], "m.data-1": [b"1"], "m.index": [b"1"]}, name="m")
    before = content(tmp_path)
    replace = os.replace

    def fail(source: Path, target: Path) -> None:
        if Path(target).name == "m.index" and ".old" not in str(source):
            raise OSError(5, "broken disk")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FileError, match="disk"):
        write_group(tmp_path, {"m.data-0": [b"2"], "m.new": [b"2"], "m.index": [b"2"]}, name="m", obsolete=["m.data-1"])
    assert content(tmp_path) == before


@contextmanager
def limited_file_size(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk(tmp_path: Path, source: FileRange) -> None:
    write_file(tmp_path / "file", [b"old"])
    write_tree(tmp_path / "tree", {"x": [b"old"]})
    before = {name: data for name, data in content(tmp_path).items() if name != "source"}
    with limited_file_size(1 << 20):
        with pytest.raises(FileError, match="larger than the system allows"):
            write_file(tmp_path / "file", [source])
        with pytest.raises(FileError, match="larger than the system allows"):
            write_tree(tmp_path / "tree", {"a": [b"new"], "b": [b"x", source]})
    assert {name: data for name, data in content(tmp_path).items() if name != "source"} == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_the_reason_for_a_full_disk_is_told() -> None:
    with pytest.raises(FileError, match="no space left"), atomic.translated(Path("out"), "write"):
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX")
def test_a_folder_that_may_not_be_written() -> None:
    with unprivileged_folder() as folder:
        (folder / "locked").mkdir()
        (folder / "locked" / "file").write_bytes(b"old")
        (folder / "locked").chmod(0o555)
        with pytest.raises(FileError, match="permission denied"):
            write_file(folder / "locked" / "file", [b"new"])
        with pytest.raises(FileError, match="permission denied"):
            write_tree(folder / "locked" / "tree", {"x": [b"new"]})
        assert content(folder) == {"locked/file": b"old"}
        (folder / "locked").chmod(0o755)


@contextmanager
def unprivileged_folder() -> Iterator[Path]:
    """A new folder, and the rights of nobody in it even if root runs the tests."""
    is_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        if is_root:
            os.chown(name, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if is_root:
                os.seteuid(0)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file or folder"):
        write_file(tmp_path / "nowhere" / "file", [b"x"])


def test_interrupting_removes_what_was_begun(tmp_path: Path, source: FileRange) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    write_tree(tmp_path / "tree", {"x": [b"old"]})
    before = content(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "file", [source], progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_tree(tmp_path / "tree", {"x": [source]}, progress=interrupt)
    assert content(tmp_path) == before


WRITER = """
import sys
from pathlib import Path
from graphsurgeon.disk.atomic import (
    Content,
    clear_leftovers,
    is_temporary,
    leftovers,
    seen,
    write_file,
    write_group,
    write_tree,
)
folder, mark = Path(sys.argv[1]), sys.argv[2].encode()
big = [mark * 300_000] * 8
print("ready", flush=True)
while True:
    write_file(folder / "file", big)
    write_tree(folder / "tree", {"a": big, "b/c": [mark], "saved_model.pb": [mark]})
    write_group(folder / "group", {"m.data": big, "m.index": [mark]}, name="m")
"""


def killed_writer(folder: Path, mark: str, seconds: float) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", WRITER, folder, mark], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.skipif(not hasattr(os, "O_DIRECTORY"), reason="needs POSIX")
def test_a_kill_at_any_moment_leaves_one_version_whole(tmp_path: Path) -> None:
    (tmp_path / "group").mkdir()
    write_file(tmp_path / "file", [b"0" * 2_400_000])
    write_tree(tmp_path / "tree", {"a": [b"0" * 2_400_000], "b/c": [b"0"], "saved_model.pb": [b"0"]})
    write_group(tmp_path / "group", {"m.data": [b"0" * 2_400_000], "m.index": [b"0"]}, name="m")
    for number in range(8):
        killed_writer(tmp_path, str(number % 9 + 1), 0.002 + 0.02 * number)
        versions = {frozenset(data) for data in content(tmp_path / "tree").values()}
        assert len(versions) == 1, "a folder of two versions"
        assert len(set((tmp_path / "file").read_bytes())) == 1
        group = content_of_group(tmp_path / "group")
        assert group["m.data"][:1] == group["m.index"] or leftovers(tmp_path / "group" / "m")
        assert all(is_temporary(name) for name in os.listdir(tmp_path) if name not in ("file", "tree", "group"))


def content_of_group(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("m.data", "m.index")}


def test_leftovers_are_explained(tmp_path: Path) -> None:
    assert leftovers(tmp_path / "out") == []
    (tmp_path / ".out.gs-0123abcd.part").mkdir()
    (tmp_path / ".out.gs-0123abcd.old").mkdir()
    (tmp_path / ".other.gs-0123abcd.part").mkdir()
    first, second = leftovers(tmp_path / "out")
    assert "earlier and only content" in first
    assert ".out.gs-0123abcd.old" in first
    assert "unfinished" in second


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".model.gs-0123abcd.part", True),
        (".model.gs-0123abcd", True),
        ("..gs-0123abcd.old", True),
        (".model.gs-0123", False),
        ("model.gs-0123abcd", False),
        (".model.pb", False),
    ],
)
def test_temporary_names_are_known(name: str, expected: bool) -> None:
    assert is_temporary(name) is expected


def written_by(way: str, target: Path, **options: Any) -> None:
    """Write something new at a target, in one of the three ways."""
    if way == "file":
        write_file(target, [b"new"], **options)
    elif way == "tree":
        write_tree(target, {"a": [b"new"]}, **options)
    else:
        write_group(
            target.parent, {f"{target.name}.data": [b"new"], f"{target.name}.index": [b"new"]}, name="m", **options
        )


@pytest.mark.parametrize("way", ["file", "tree", "group"])
@pytest.mark.parametrize("there", [True, False])
def test_the_second_of_two_writers_is_told(way: str, there: bool, tmp_path: Path) -> None:
    target = tmp_path / "out"
    places = [target] if way != "group" else [tmp_path / "out.data", tmp_path / "out.index"]
    if there:
        written_by(way, target)
    before = seen(places)

    def first_writer(complete: Path) -> None:
        for place in places:
            if way == "tree":
                write_tree(place, {"a": [b"theirs"]})
            else:
                write_file(place, [b"theirs"])

    with pytest.raises(FileError, match="changed while this was made") as raised:
        written_by(way, target, before=before, inspect=first_writer)
    assert raised.value.exit_code == 3
    assert set(content(tmp_path).values()) == {b"theirs"}
    assert not any(is_temporary(name) for name in os.listdir(tmp_path))


@pytest.mark.parametrize("way", ["file", "tree", "group"])
def test_leftovers_are_cleared_and_what_is_being_written_is_not(way: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    written_by(way, target)
    (tmp_path / ".out.gs-0123abcd.part").write_bytes(b"unfinished")
    (tmp_path / ".out.gs-0123abce.old").mkdir()
    (tmp_path / ".other.gs-0123abcd.part").write_bytes(b"unfinished")
    told = leftovers(target)
    assert len(told) == 2
    assert "let --force take it away" in told[0]
    running: list[str] = []

    def another_one_clears(complete: Path) -> None:
        running.extend(name for name in os.listdir(tmp_path) if is_temporary(name))
        clear_leftovers(target)

    (tmp_path / "out").exists() or (tmp_path / "out").touch()
    name = "new" if way == "group" else "out"
    written_by(way, tmp_path / name, inspect=another_one_clears)
    assert [name for name in os.listdir(tmp_path) if is_temporary(name)] == [".other.gs-0123abcd.part"]
    assert len(running) == 4


def test_the_only_version_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / ".out.gs-0123abcd.old").mkdir()
    (tmp_path / ".out.gs-0123abce").mkdir()
    (tmp_path / ".out.gs-0123abcf.part").mkdir()
    clear_leftovers(tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == [".out.gs-0123abcd.old", ".out.gs-0123abce"]


def test_leftovers_in_a_folder_are_told_with_it(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / ".saved_model.pb.gs-0123abcd.part").touch()
    [told] = leftovers(tmp_path / "model")
    assert ".saved_model.pb.gs-0123abcd.part" in told


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
@pytest.mark.parametrize("way", ["file", "tree"])
def test_owner_and_attributes_stay(way: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    written_by(way, target)
    file = target if way == "file" else target / "a"
    try:
        os.setxattr(file, "user.origin", b"training 7")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    owner = (1234, 4321) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    if os.geteuid() == 0:
        os.chown(file, *owner)
    written_by(way, target)
    assert os.getxattr(file, "user.origin") == b"training 7"
    assert (file.stat().st_uid, file.stat().st_gid) == owner


@pytest.mark.parametrize("way", ["file", "tree"])
@pytest.mark.parametrize("there", [True, False])
def test_one_who_comes_in_the_last_moment_is_not_replaced(
    way: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    if there:
        written_by(way, target)
    before = seen([target])

    def after_the_check(before: object) -> None:
        monkeypatch.undo()
        if way == "tree":
            write_tree(target, {"a": [b"theirs"]})
        else:
            write_file(target, [b"theirs"])

    monkeypatch.setattr(atomic, "_require_as_seen", after_the_check)
    with pytest.raises(FileError, match="somebody else"):
        written_by(way, target, before=before)
    assert set(content(tmp_path).values()) == {b"theirs"}
    assert not any(is_temporary(name) for name in os.listdir(tmp_path))
