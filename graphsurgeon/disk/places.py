"""Paths of files that lie behind a URL or in a bundle: handled as paths, read through `remote.py` and `bundles/`.

A `pathlib.Path` makes `s3:/a/b` of `s3://a/b`. `path_of` makes a `RemotePath` of it, which keeps its scheme when it is
joined and printed. What is secret in a URL (a user with a password, a signed query) is put aside: it is neither part
of the path nor of any message, and is sent only where the URL said, and below.

A path that goes on behind a ZIP, a tar or a `.litertlm` is a `MemberPath`: `face.task/face_detector.tflite`.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from graphsurgeon.errors import UsageError

if sys.platform == "win32":
    from pathlib import WindowsPath as _Native
else:
    from pathlib import PosixPath as _Native

# A scheme has two letters at least: `C:\` is a drive.
_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.+)", re.DOTALL)
_WEB = ("http", "https")
# Behind a URL no file is looked at to see whether it is a bundle.
_BUNDLES = (".task", ".zip", ".tar", ".tar.gz", ".tgz", ".litertlm")


class Secret(NamedTuple):
    """What a URL holds that nobody is told: `user:password`, and the query with its question mark."""

    user: str
    query: str


_SECRETS: dict[str, Secret] = {}  # path without its end -> what goes with it


class RemotePath(_Native):
    """A path behind a URL, such as `s3://bucket/models/a.pb`."""

    def __str__(self) -> str:
        text = super().__str__().replace("\\", "/")
        return text if "://" in text else text.replace(":/", "://", 1)

    def __fspath__(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[object, tuple[str, Secret | None]]:
        return _placed, (str(self), secret_of(self))

    @property
    def scheme(self) -> str:
        """What stands before `://`."""
        return str(self).partition("://")[0]

    @property
    def is_web(self) -> bool:
        """Say whether it lies on a server that gives out files, and has no list of them."""
        return self.scheme in _WEB


class MemberPath(_Native):
    """A path that goes on behind a bundle, such as `face.task/face_detector.tflite`."""

    @property
    def bundle(self) -> Path:
        """The file on disk that holds it."""
        return next((Path(place) for place in (self, *self.parents) if os.path.isfile(place)), Path(self))

    @property
    def inner(self) -> str:
        """Where it is in there; empty for the bundle itself."""
        return "/".join(self.parts[len(self.bundle.parts) :])


class BundleFolder(MemberPath):
    """A bundle as the folder that it stands for."""

    def __truediv__(self, name: str | os.PathLike[str]) -> MemberPath:  # type: ignore[override]
        return MemberPath(f"{self}/{os.fspath(name)}")


class RemoteMemberPath(MemberPath, RemotePath):
    """A path that goes on behind a bundle that lies behind a URL, which is known by its suffix."""

    @property
    def bundle(self) -> Path:
        """The file on the store that holds it."""
        return next(RemotePath(str(place)) for place in (*reversed(self.parents), self) if _is_named_bundle(place))


class RemoteBundleFolder(RemoteMemberPath, BundleFolder):
    """A bundle behind a URL as the folder that it stands for."""

    def __truediv__(self, name: str | os.PathLike[str]) -> MemberPath:  # type: ignore[override]
        return RemoteMemberPath(f"{self}/{os.fspath(name)}")


def bundle_folder(path: Path) -> BundleFolder:
    """Return a bundle as the folder that it stands for."""
    return RemoteBundleFolder(path) if isinstance(path, RemotePath) else BundleFolder(path)


def path_of(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file: behind a URL for a text that is one, in a bundle if it goes on behind one, or here.

    Raises:
        UsageError: it is no path.
    """
    if isinstance(path, RemotePath | MemberPath):
        return path
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"a path is a text or a Path, not {path!r:.60}")
    text = os.fspath(path)
    found = None if isinstance(path, Path) else _URL.fullmatch(text)
    if found is None:
        return _inside(path if isinstance(path, Path) else Path(text))
    scheme, rest = found.groups()
    if scheme == "file":
        return Path(rest)
    query = ""
    if scheme in _WEB:
        rest = rest.partition("#")[0]
        rest, mark, asked = rest.partition("?")
        query = mark + asked
    host, slash, inside = rest.partition("/")
    user, at, host = host.rpartition("@")
    return _placed(f"{scheme}://{host}{slash}{inside}", Secret(user, query) if at or query else None)


def file_of(path: Path) -> Path:
    """Return the file on disk that a path is, or is in."""
    return path.bundle if isinstance(path, MemberPath) else path


def _inside(path: Path) -> Path:
    """Return a path that leads nowhere as one behind the bundle that it goes through, if it does so."""
    if os.path.lexists(path):
        return path
    text = str(path)
    for place in path.parents:
        if os.path.isdir(place):
            break
        if os.path.isfile(place):
            return MemberPath(path) if _is_bundle(place) else path
    bang = text.find("!")
    while bang > 0:
        if os.path.isfile(text[:bang]) and _is_bundle(Path(text[:bang])):
            inner = text[bang + 1 :].replace("!/", "/").replace("!", "/").strip("/")
            return MemberPath(f"{text[:bang]}/{inner}") if inner else Path(text[:bang])
        bang = text.find("!", bang + 1)
    return path


def _is_named_bundle(path: Path) -> bool:
    return path.name.lower().endswith(_BUNDLES)


def _is_bundle(path: Path) -> bool:
    from graphsurgeon.disk.bundles.inside import is_bundle

    return is_bundle(path)


def secret_of(path: RemotePath) -> Secret | None:
    """Return what a URL held beside its path, that of the path itself or of one that it lies below."""
    for one in (path, *path.parents):
        if str(one) in _SECRETS:
            return _SECRETS[str(one)]
    return None


def refuse_writing(path: str | os.PathLike[str]) -> None:
    """Refuse a target behind a URL, also where it was taken for a path here, which has lost a slash.

    Raises:
        UsageError: it is one.
    """
    found = re.match(r"([a-z][a-z0-9+.-]+):/+", os.fspath(path))
    if found is not None:
        where = f"{found[1]}://{os.fspath(path)[found.end() :]}".partition("?")[0]
        hint = "give -o a local path, and copy it there"
        raise UsageError("of what goes behind a URL only models of one file are written there", path=where, hint=hint)


def _placed(text: str, secret: Secret | None) -> Path:
    path = RemotePath(text)
    if any(map(_is_named_bundle, path.parents)):
        path = RemoteMemberPath(text)
    if secret is not None:
        _SECRETS[str(path.bundle if isinstance(path, RemoteMemberPath) else path)] = secret
    return path
