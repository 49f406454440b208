"""Write files, folders and groups of files so that nobody ever sees half of one.

Everything is first written and synced beside its target, under a hidden name that `is_temporary` knows:

- `.NAME.gs-XXXXXXXX.part`: being written;
- `.NAME.gs-XXXXXXXX`: complete, waiting to take the target's place (for an instant also the earlier content);
- `.NAME.gs-XXXXXXXX.old`: earlier content, being removed.

An error or Ctrl-C removes them. After a kill they stay, `leftovers` says what lies where, and `clear_leftovers`
takes them away. What is being written is locked, where the system has locks, so that it is not taken for a leftover.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
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
from graphsurgeon.disk.places import RemotePath
from graphsurgeon.errors import FileError

Content: TypeAlias = Rope | Path  # a Path stands for a copy of that file
Inspect: TypeAlias = Callable[[Path], None]  # looks at what is complete but not in place; raises to keep it out
Seen: TypeAlias = Mapping[Path, tuple[int, ...] | None]  # what lay where when a write was decided on

_TEMPORARY = re.compile(r"\.(.*)\.gs-[0-9a-f]{8}(\.part|\.old)?", re.DOTALL)
_TAKEN_AWAY = "it is taken away"
_BY_HAND = "delete it when no other gs is writing there, or let --force take it away"
_UNKNOWN = (0,)  # stands for what nobody has looked at
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def write_file(
    target: Path,
    content: Content,
    *,
    inspect: Inspect | None = None,
    before: Seen | None = None,
    progress: Progress | None = None,
) -> None:
    """Write one file; an earlier one is replaced in one step and keeps its permissions. Links are followed.

    Args:
        target: the file.
        content: what goes into it.
        inspect: called with the complete file, which lies beside the target; what it raises keeps the earlier one.
        before: what was there when this was decided on; something else is not replaced.
        progress: called with the bytes done and the bytes in all.

    Raises:
        FileError: it cannot be written; the earlier file is as it was.
    """
    named, target = target, _real(target)
    part = Path(f"{_temporary(target)}.part")
    with ExitStack() as held:
        held.callback(_discard, part)
        _write_new(part, content, Meter(_size(content), progress), like=target, held=held)
        if inspect is not None:
            inspect(part)
        _require_as_seen(before or {})
        with translated(target, "write"):
            _take_place(part, target, (before or {}).get(named, _UNKNOWN))
    sync_folder(target.parent)


def write_tree(
    target: Path,
    files: Mapping[str, Content],
    *,
    link: bool = False,
    inspect: Inspect | None = None,
    before: Seen | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a folder; an earlier one is exchanged against it in one step where the system can, else in two.

    Args:
        target: the folder.
        files: content by path below it; a path that ends in `/` is an empty folder.
        link: give files that are only copied a second name (hard link) where the system can.
        inspect: called with the complete folder, which lies beside the target; what it raises keeps the earlier one.
        before: as for `write_file`.
        progress: called with the bytes done and the bytes in all.

    Raises:
        FileError: it cannot be written; the earlier folder is as it was.
    """
    named, target = target, _real(target)
    temporary = _temporary(target)
    part, old = Path(f"{temporary}.part"), Path(f"{temporary}.old")
    held = ExitStack()
    try:
        _make_part(part, target, held)
        _fill(part, files, target, Meter(_total(files), progress), link=link)
        if inspect is not None:
            inspect(part)
        _require_as_seen(before or {})
        with translated(target, "write"):
            os.rename(part, temporary)
            _put_in_place(temporary, target, old, (before or {}).get(named, _UNKNOWN))
        sync_folder(target.parent)
    finally:
        held.close()
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
    before: Seen | None = None,
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
        before: as for `write_file`.
        progress: called with the bytes done and the bytes in all.

    Raises:
        FileError: they cannot be written; the earlier ones are as they were.
    """
    folder = _real(folder)
    temporary = _temporary(folder / name)
    part, old = Path(f"{temporary}.part"), Path(f"{temporary}.old")
    done = False
    held = ExitStack()
    try:
        _make_part(part, folder, held)
        _fill(part, files, folder, Meter(_total(files), progress), link=link)
        if inspect is not None:
            inspect(part)
        _require_as_seen(before or {})
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
        held.close()
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


def seen(paths: Iterable[Path]) -> Seen:
    """Note what lies at some paths, to notice before a write ends that somebody else has written there meanwhile."""
    return {path: _identity(path) for path in paths}


def remove_file(path: Path) -> None:
    """Remove a file that a write has made false.

    Raises:
        FileError: it cannot be removed.
    """
    with translated(path, "remove"), suppress(FileNotFoundError):
        os.unlink(path)


def leftovers(target: Path, *, cleared: bool = False) -> list[str]:
    """Say what interrupted writes have left beside a target, or in it if it is a folder: one line each.

    Args:
        target: lists its folder, and itself.
        cleared: they are about to be taken away.
    """
    remedy = _TAKEN_AWAY if cleared else _BY_HAND
    return [_explain(path, remedy) for path in _leftovers(_real(target))]


def clear_leftovers(target: Path) -> None:
    """Take away what interrupted writes have left beside a target or in it; what is being written stays.

    Where the target itself is missing, what may be the only version of it stays too.
    """
    target = _real(target)
    is_there = os.path.lexists(target)
    for path in _leftovers(target):
        if is_there or path.name.endswith(".part"):
            _discard(path)


def _leftovers(target: Path) -> list[Path]:
    found: list[Path] = []
    for folder, stem in ((target.parent, _stem(target.name)), (target, ".")):
        try:
            names = sorted(name for name in os.listdir(folder) if name.startswith(stem) and is_temporary(name))
        except OSError:
            continue
        found += [folder / name for name in names if not _is_in_use(folder / name)]
    return found


def is_temporary(name: str) -> bool:
    """Say whether a file name is one of our temporary ones, which never hold a model."""
    return _TEMPORARY.fullmatch(name) is not None


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _require_as_seen(before: Seen) -> None:
    """Refuse to take the place of what was not there when the write was decided on.

    Raises:
        FileError: another process has written there.
    """
    for path, was in before.items():
        if _identity(path) != was:
            raise _changed(path)


def _changed(path: Path) -> FileError:
    what = "it changed while this was made: somebody else writes there; theirs stays, nothing was replaced"
    return FileError(what, path=path, hint="look at it, and run the command again")


def _take_place(part: Path, target: Path, was: tuple[int, ...] | None) -> None:
    """Give a file its place, unless something else has come there in the last moment; it is looked at once more."""
    if was is None:
        try:
            os.link(part, target)
        except FileExistsError:
            raise _changed(target) from None
        except OSError:  # no hard links here
            os.replace(part, target)
    elif was is not _UNKNOWN and _exchange(part, target):
        _require_exchanged(part, target, was)
    else:
        os.replace(part, target)


def _require_exchanged(out: Path, target: Path, was: tuple[int, ...]) -> None:
    """Put back what was exchanged if it is not what was seen; inodes may change where file systems are stacked."""
    now = _identity(out)
    if now is None or now[2:] != was[2:]:
        _exchange(out, target)
        raise _changed(target)


def _explain(path: Path, remedy: str) -> str:
    match = _TEMPORARY.fullmatch(path.name)
    target = path.with_name(match[1] if match is not None else path.name)
    if path.name.endswith(".part"):
        return f"an interrupted write left the unfinished {path}; {remedy}"
    if path.name.endswith(".old"):
        what = "the earlier content of" if os.path.lexists(target) else "the earlier and only content of"
        by_hand = remedy if remedy == _TAKEN_AWAY else f"{remedy}, or move it back"
        return f"an interrupted write left {what} {target.name} in {path}; {by_hand}"
    by_hand = remedy if remedy == _TAKEN_AWAY else f"move it to {target}, or {remedy}"
    return f"an interrupted write left a complete version of {target.name} in {path}; {by_hand}"


def copied_from(content: Content) -> Path | None:
    """Return the file whose whole content this is, None if it is not exactly that of one file."""
    if isinstance(content, Path):
        return content
    piece = content[0] if len(content) == 1 else None
    return piece.file.path if isinstance(piece, FileRange) and piece.length == piece.file.size else None


def _fill(folder: Path, files: Mapping[str, Content], like: Path, meter: Meter, *, link: bool) -> None:
    """Fill a new folder with all files, synced; they take what belongs to those that `like` holds."""
    for name, content in files.items():
        path = contained(folder, name)
        with translated(like / name, "write"):
            os.makedirs(path if name.endswith("/") else path.parent, exist_ok=True)
        if name.endswith("/"):
            continue
        source = copied_from(content) if link else None
        if source is not None and link_file(source, path):
            meter.add(_size(content))
        else:
            _write_new(path, content, meter, like=like / name)
    _copy_belongings(like, folder)
    for place, _, _ in os.walk(folder):
        sync_folder(Path(place))


def _make_part(part: Path, like: Path, held: ExitStack) -> None:
    with translated(like, "write"):
        os.mkdir(part)
    held.enter_context(_locked(part))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file or folder of ours, which ends with the process however that ends."""
    descriptor = _lock(path, shared=True)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(path: Path, *, shared: bool) -> int | None:
    """Open and lock; None where somebody else holds it, or where there are no such locks."""
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _is_in_use(path: Path) -> bool:
    """Say whether another process is writing a file or folder of ours."""
    if not path.name.endswith(".part") or not os.access(path, os.R_OK):
        return False
    descriptor = _lock(path, shared=False)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None and os.path.lexists(path)


def _write_new(path: Path, content: Content, meter: Meter, *, like: Path, held: ExitStack | None = None) -> None:
    """Write a new file and sync it; messages name `like`, the file that the user asked for."""
    with translated(like, f"write {_size(content):,} bytes"):
        descriptor = create_file(path)
        if held is not None:
            held.enter_context(_locked(path))
        try:
            if isinstance(content, Path):
                copy_file(descriptor, content, meter)
            else:
                write_rope(descriptor, content, meter)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _copy_belongings(like, path)


def _put_in_place(temporary: Path, target: Path, old: Path, was: tuple[int, ...] | None) -> None:
    if was is None or not os.path.lexists(target):
        os.rename(temporary, target)  # refuses a folder that holds something, should one have come meanwhile
    elif _exchange(temporary, target):
        if was is not _UNKNOWN:
            _require_exchanged(temporary, target, was)
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
    if isinstance(target, RemotePath):
        return target
    with translated(target, "write"):
        return Path(os.path.realpath(target))


def _size(content: Content) -> int:
    return open_source(content).size if isinstance(content, Path) else rope_size(content)


def _total(files: Mapping[str, Content]) -> int:
    return sum(map(_size, files.values()))


def _copy_belongings(like: Path, path: Path) -> None:
    """Give what is new the owner, extended attributes and permissions of what it replaces, as far as is allowed."""
    if is_folder(like) != is_folder(path) or not os.path.exists(like):
        return
    with suppress(FileNotFoundError, NotADirectoryError):
        status = os.stat(like)
        with suppress(OSError, AttributeError):  # others' files belong to them; Windows has no owners
            if (status.st_uid, status.st_gid) != _owner(path):
                os.chown(path, status.st_uid, status.st_gid)
        with suppress(OSError, AttributeError):
            for name in os.listxattr(like):
                with suppress(OSError):  # of a kind that only the system sets
                    os.setxattr(path, name, os.getxattr(like, name))
        os.chmod(path, stat.S_IMODE(status.st_mode))


def _owner(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_uid, status.st_gid


def _discard(path: Path) -> None:
    """Remove a file or folder of ours, if it is there; one that cannot be removed is named by `leftovers`."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            import shutil

            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
