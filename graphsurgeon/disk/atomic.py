"""Write files, folders and groups of files so that nobody ever sees half of one.

Everything is first written and synced beside its target, under a hidden name that `is_temporary` knows:

- `.NAME.gs-XXXXXXXX.part`: being written;
- `.NAME.gs-XXXXXXXX`: complete, waiting to take the target's place (for an instant also the earlier content);
- `.NAME.gs-XXXXXXXX.old`: earlier content, being removed.

An error or Ctrl-C removes them. After a kill they stay, and `leftovers` says what lies where.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from graphsurgeon.disk.copying import Meter, copy_file, link_file, write_rope
from graphsurgeon.disk.files import (
    FileRange,
    Progress,
    Rope,
    contained,
    create_file,
    is_folder,
    open_source,
    rope_size,
    sync_folder,
    translated,
    tree_names,
)

Content: TypeAlias = Rope | Path  # a Path stands for a copy of that file
Inspect: TypeAlias = Callable[[Path], None]  # looks at what is complete but not in place; raises to keep it out

_TEMPORARY = re.compile(r"\..*\.gs-[0-9a-f]{8}(\.part|\.old)?")
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def write_file(
    target: Path, content: Content, *, inspect: Inspect | None = None, progress: Progress | None = None
) -> None:
    """Write one file; an earlier one is replaced in one step and keeps its permissions. Links are followed.

    Args:
        target: the file.
        content: what goes into it.
        inspect: called with the complete file, which lies beside the target; what it raises keeps the earlier one.
        progress: called with the bytes done and the bytes in all.

    Raises:
        FileError: it cannot be written; the earlier file is as it was.
    """
    target = _real(target)
    part = Path(f"{_temporary(target)}.part")
    try:
        _write_new(part, content, Meter(_size(content), progress), like=target)
        if inspect is not None:
            inspect(part)
        with translated(target, "write"):
            os.replace(part, target)
    finally:
        _discard(part)
    sync_folder(target.parent)


def write_tree(
    target: Path,
    files: Mapping[str, Content],
    *,
    link: bool = False,
    inspect: Inspect | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a folder; an earlier one is exchanged against it in one step where the system can, else in two.

    Args:
        target: the folder.
        files: content by path below it; a path that ends in `/` is an empty folder.
        link: give files that are only copied a second name (hard link) where the system can.
        inspect: called with the complete folder, which lies beside the target; what it raises keeps the earlier one.
        progress: called with the bytes done and the bytes in all.

    Raises:
        FileError: it cannot be written; the earlier folder is as it was.
    """
    target = _real(target)
    temporary = _temporary(target)
    part, old = Path(f"{temporary}.part"), Path(f"{temporary}.old")
    try:
        _fill(part, files, target, Meter(_total(files), progress), link=link)
        if inspect is not None:
            inspect(part)
        with translated(target, "write"):
            os.rename(part, temporary)
            _put_in_place(temporary, target, old)
        sync_folder(target.parent)
    finally:
        _discard(part)
        if os.path.lexists(target) or not os.path.lexists(old):  # else both versions would be lost
            _discard(temporary)
            _discard(old)


def write_group(
    folder: Path,
    files: Mapping[str, Content],
    *,
    name: str,
    obsolete: Iterable[str] = (),
    link: bool = False,
    inspect: Inspect | None = None,
    progress: Progress | None = None,
) -> None:
    """Write files that belong together into an existing folder, such as a checkpoint: its `.index` goes last.

    All are complete on disk before the first takes its place; an error on the way brings the earlier ones back.

    Args:
        folder: where they go.
        files: content by name, in the order in which they take their places.
        name: what the group is called, for the names of temporary folders.
        obsolete: names of earlier files that the new group replaces without a file of that name.
        link: as for `write_tree`.
        inspect: called with a folder that holds the complete files; what it raises keeps the earlier ones.
        progress: called with the bytes done and the bytes in all.

    Raises:
        FileError: they cannot be written; the earlier ones are as they were.
    """
    folder = _real(folder)
    temporary = _temporary(folder / name)
    part, old = Path(f"{temporary}.part"), Path(f"{temporary}.old")
    done = False
    try:
        _fill(part, files, folder, Meter(_total(files), progress), link=link)
        if inspect is not None:
            inspect(part)
        with translated(folder / name, "write"):
            os.rename(part, temporary)
            _keep_earlier(folder, [*files, *obsolete], old)
            for file in files:
                os.makedirs((folder / file).parent, exist_ok=True)
                os.replace(temporary / file, folder / file)
            for file in obsolete:
                _discard(folder / file)
        done = True
    finally:
        if not done:
            with translated(folder / name, "bring back the earlier files of"):
                _bring_back(folder, files, temporary, old)
        for leftover in (part, temporary, old):
            _discard(leftover)
    sync_folder(folder)


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """Make a hidden folder on the file system of a path, removed with all that is in it at the end of the block."""
    folder = Path(f"{_temporary(_real(beside))}.part")
    with translated(folder.parent, "make a folder in"):
        os.mkdir(folder)
    try:
        yield folder
    finally:
        _discard(folder)


def is_copy(content: Content) -> bool:
    """Say whether content is exactly that of one file, so that nothing has changed."""
    return _copied(content) is not None


def remove_file(path: Path) -> None:
    """Remove a file that a write has made false.

    Raises:
        FileError: it cannot be removed.
    """
    with translated(path, "remove"), suppress(FileNotFoundError):
        os.unlink(path)


def leftovers(target: Path) -> list[str]:
    """Say what interrupted writes have left beside a target: one line each. Lists the target's folder."""
    target = _real(target)
    stem = _stem(target.name)
    try:
        names = sorted(name for name in os.listdir(target.parent) if name.startswith(stem) and is_temporary(name))
    except OSError:
        return []
    return [_explain(target, target.parent / name) for name in names]


def is_temporary(name: str) -> bool:
    """Say whether a file name is one of our temporary ones, which never hold a model."""
    return _TEMPORARY.fullmatch(name) is not None


def _explain(target: Path, path: Path) -> str:
    remedy = "delete it when no other gs is writing there"
    if path.name.endswith(".part"):
        return f"an interrupted write left the unfinished {path}; {remedy}"
    if path.name.endswith(".old"):
        what = "the earlier content of" if os.path.lexists(target) else "the earlier and only content of"
        return f"an interrupted write left {what} {target.name} in {path}; {remedy}, or move it back"
    return f"an interrupted write left a complete version of {target.name} in {path}; move it to {target}, or {remedy}"


def _copied(content: Content) -> Path | None:
    """Return the file whose whole content this is, None if it is not that of one file."""
    if isinstance(content, Path):
        return content
    piece = content[0] if len(content) == 1 else None
    return piece.file.path if isinstance(piece, FileRange) and piece.length == piece.file.size else None


def _fill(folder: Path, files: Mapping[str, Content], like: Path, meter: Meter, *, link: bool) -> None:
    """Make a new folder with all files, synced; they take the permissions of what `like` holds."""
    with translated(like, "write"):
        os.mkdir(folder)
    for name, content in files.items():
        path = contained(folder, name)
        with translated(like / name, "write"):
            os.makedirs(path if name.endswith("/") else path.parent, exist_ok=True)
        if name.endswith("/"):
            continue
        source = _copied(content) if link else None
        if source is not None and link_file(source, path):
            meter.add(_size(content))
        else:
            _write_new(path, content, meter, like=like / name)
    _copy_mode(like, folder)
    for place, _, _ in os.walk(folder):
        sync_folder(Path(place))


def _write_new(path: Path, content: Content, meter: Meter, *, like: Path) -> None:
    """Write a new file and sync it; messages name `like`, the file that the user asked for."""
    with translated(like, f"write {_size(content):,} bytes"):
        descriptor = create_file(path)
        try:
            if isinstance(content, Path):
                copy_file(descriptor, content, meter)
            else:
                write_rope(descriptor, content, meter)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _copy_mode(like, path)


def _put_in_place(temporary: Path, target: Path, old: Path) -> None:
    if not os.path.lexists(target):
        os.rename(temporary, target)
    elif _exchange(temporary, target):
        os.rename(temporary, old)
    else:
        os.rename(target, old)
        try:
            os.rename(temporary, target)
        finally:
            if not os.path.lexists(target):
                os.rename(old, target)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step; False where the system cannot."""
    import ctypes

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # not Linux, or an older C library
        return False
    names = os.fsencode(first), os.fsencode(second)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _keep_earlier(folder: Path, names: Iterable[str], old: Path) -> None:
    """Give the earlier files a second name in `old`; where there are no hard links, move them."""
    earlier = [name for name in names if os.path.lexists(folder / name)]
    if earlier:
        os.mkdir(old)
    for name in earlier:
        os.makedirs((old / name).parent, exist_ok=True)
        if not link_file(folder / name, old / name):
            os.rename(folder / name, old / name)


def _bring_back(folder: Path, names: Iterable[str], temporary: Path, old: Path) -> None:
    for name in names:
        if (old / name).exists():
            os.replace(old / name, folder / name)
        elif temporary.exists() and not (temporary / name).exists():
            _discard(folder / name)
    for name in tree_names(old) if old.exists() else []:
        os.replace(old / name, folder / name)


def _temporary(target: Path) -> Path:
    return target.with_name(f"{_stem(target.name)}{os.urandom(4).hex()}")


def _stem(name: str) -> str:
    return f".{os.fsdecode(os.fsencode(name)[:200])}.gs-"  # names may have 255 bytes


def _real(target: Path) -> Path:
    with translated(target, "write"):
        return Path(os.path.realpath(target))


def _size(content: Content) -> int:
    return open_source(content).size if isinstance(content, Path) else rope_size(content)


def _total(files: Mapping[str, Content]) -> int:
    return sum(map(_size, files.values()))


def _copy_mode(like: Path, path: Path) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        if is_folder(like) == is_folder(path):
            os.chmod(path, stat.S_IMODE(os.stat(like).st_mode))


def _discard(path: Path) -> None:
    """Remove a file or folder of ours, if it is there; one that cannot be removed is named by `leftovers`."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            import shutil

            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
