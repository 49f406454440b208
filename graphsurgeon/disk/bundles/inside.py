"""Paths that go on behind a bundle: what lies there, as `disk/files.py` asks it of every place.

`face.task/face_detector.tflite` is a member, `models.zip/resnet` a folder in one, `a.task/b.task/c.tflite` a member of
a bundle that is a member. A `BundleFolder` is the bundle itself, looked at as the folder that it stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from graphsurgeon.disk.bundles.bundle import Container, Member
from graphsurgeon.disk.bundles.gzips import GzippedTar, is_gzipped_tar
from graphsurgeon.disk.bundles.litertlm import MAGIC, LiteRtLmBundle
from graphsurgeon.disk.bundles.tars import TarBundle
from graphsurgeon.disk.bundles.zips import ZipBundle
from graphsurgeon.disk.files import Rope, SourceFile, open_source
from graphsurgeon.disk.files import stamp as place_stamp
from graphsurgeon.disk.places import BundleFolder, MemberPath
from graphsurgeon.errors import FileError, FormatError, GraphSurgeonError

_MOST_ZEROS = 64 + 4  # that MediaPipe's writer puts before the first member, too, with the mark behind them
_MOST_KEPT = 8
_DEEPEST = 4
_kept: dict[str, tuple[tuple[int, int], Container]] = {}


class _Found(NamedTuple):
    """What a path leads to: a member, or a folder of those whose names begin with `prefix`."""

    bundle: Container
    member: Member | None
    prefix: str
    outer: tuple[tuple[Container, str], ...]  # the bundles that this one lies in, outermost first, by which member


def kind_of(file: SourceFile) -> str:
    """Say what kind of bundle a file is by its first bytes: "zip", "tar", "tar.gz", "litertlm"; empty for none."""
    head = file.read_at(0, min(file.size, 512))
    if head.startswith(MAGIC):
        return "litertlm"
    if head[4:8] == b"TFL3":  # a model may have an archive behind it
        return ""
    if head[:_MOST_ZEROS].lstrip(b"\0")[:4] in (b"PK\3\4", b"PK\5\6"):
        return "zip"
    if is_gzipped_tar(file):
        return "tar.gz"
    return "tar" if head[257:262] == b"ustar" else ""


def bundle_of(file: SourceFile) -> Container:
    """Return the bundle that a file is.

    Raises:
        FormatError: it is damaged, or made to harm.
        FileError: it is no bundle.
    """
    kind = kind_of(file)
    if not kind:
        raise FileError("is a file, and no bundle that holds others", path=file.path)
    kinds: dict[str, Callable[[SourceFile], Container]] = {
        "zip": ZipBundle,
        "tar": TarBundle,
        "tar.gz": GzippedTar,
        "litertlm": LiteRtLmBundle,
    }
    return kinds[kind](file)


def bundle_at(folder: BundleFolder) -> Container:
    """Return the bundle that stands for a folder; kept while the file stays as it is."""
    return _require(folder).bundle


def with_member(path: MemberPath, content: Rope) -> Rope:
    """Return the outermost bundle with other bytes for the member that a path leads to.

    Raises:
        UnsupportedError: such a member is not replaced.
        FormatError: its bytes do not match their checksum: the new one would hide it.
    """
    found = _require(path)
    assert found.member is not None
    for bundle, name in (*found.outer, (found.bundle, found.member.name)):
        bundle.require_sound(bundle.members[name], path, whole=True)
    content = found.bundle.replaced(found.member.name, content)
    for bundle, name in reversed(found.outer):
        content = bundle.replaced(name, content)
    return content


def open_file(path: MemberPath) -> SourceFile:
    """Return a member to read from.

    Raises:
        FileError: there is none, it is a folder, or it cannot be unpacked.
    """
    found = _require(path)
    if found.member is None:
        raise FileError("is a folder, not a file", path=path)
    file = found.bundle.member_file(found.member, path)
    found.bundle.require_sound(found.member, path)
    return file


def exists(path: MemberPath) -> bool:
    """Say whether there is a member or a folder."""
    return _find(path) is not None


def is_file(path: MemberPath) -> bool:
    """Say whether there is a member."""
    found = _find(path)
    return found is not None and found.member is not None


def is_folder(path: MemberPath) -> bool:
    """Say whether there is a folder of members; the bundle itself is one."""
    found = _find(path)
    return found is not None and found.member is None


def folder_names(folder: MemberPath) -> list[str]:
    """Return the names in a folder, sorted."""
    return sorted({name.partition("/")[0] for name in _below(folder)})


def tree_names(folder: MemberPath) -> list[str]:
    """Return every path below a folder, sorted."""
    return sorted(_below(folder))


def stamp(path: MemberPath) -> tuple[int, int]:
    """Return the size of a member, and when the bundle was last changed."""
    return open_file(path).size, place_stamp(path.bundle)[1]


def contained(folder: MemberPath, name: str) -> Path:
    """Return the path of a file that a model names below its folder; a bundle has no links.

    Raises:
        FormatError: the name leads outside.
    """
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\0" in name:
        raise FormatError(f"the file name {name!r} leads outside the model's folder", path=folder)
    return folder / name


def _below(folder: MemberPath) -> list[str]:
    found = _require(folder)
    length = len(found.prefix)
    return [name[length:] for name in found.bundle.members if name.startswith(found.prefix)]


def _require(path: MemberPath) -> _Found:
    found = _find(path)
    if found is None:
        names = list(_root(path.bundle).members)
        more = f" and {len(names) - 12} more" if len(names) > 12 else ""
        hint = f"it holds {', '.join(names[:12])}{more}" if names else "it is empty"
        raise FileError(f"{path.inner!r} is not in the bundle", path=path.bundle, hint=hint)
    return found


def _find(path: MemberPath) -> _Found | None:
    bundle = _root(path.bundle)
    found = _find_in(bundle, path.inner, path.bundle, (), 0)
    if isinstance(path, BundleFolder) and found is not None and found.member is not None:
        outer = (*found.outer, (found.bundle, found.member.name))
        return _Found(bundle_of(found.bundle.member_file(found.member, path)), None, "", outer)
    return found


def _find_in(
    bundle: Container, inner: str, place: Path, outer: tuple[tuple[Container, str], ...], depth: int
) -> _Found | None:
    member = bundle.named(inner) if inner else None
    prefix = f"{inner}/" if inner else ""
    if member is not None or any(name.startswith(prefix) for name in bundle.members) or not inner:
        return _Found(bundle, member, "" if member is not None else prefix, outer)
    parts = inner.split("/")
    for count in range(1, len(parts)):
        name = "/".join(parts[:count])
        member = bundle.named(name)
        if member is not None and depth < _DEEPEST:
            file = bundle.member_file(member, place / name)
            if not kind_of(file):
                return None
            within = (*outer, (bundle, member.name))
            return _find_in(bundle_of(file), "/".join(parts[count:]), place / name, within, depth + 1)
    return None


def _root(path: Path) -> Container:
    """Return the bundle that a file is; kept while the file stays as it is."""
    mark = place_stamp(path)
    known = _kept.get(str(path))
    if known is not None and known[0] == mark:
        return known[1]
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    bundle = bundle_of(open_source(path))
    _kept[str(path)] = (mark, bundle)
    return bundle


def is_bundle(path: Path) -> bool:
    """Say whether a file here is a bundle; one that cannot be read is none."""
    try:
        return bool(kind_of(open_source(path)))
    except GraphSurgeonError:
        return False
