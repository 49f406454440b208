"""Paths of files that lie behind a URL: they are handled as paths, and read through `remote.py`.

A `pathlib.Path` makes `s3:/a/b` of `s3://a/b`. `path_of` makes a `RemotePath` of it, which keeps its scheme when it is
joined and printed. What is secret in a URL (a user with a password, a signed query) is put aside: it is neither part
of the path nor of any message, and is sent only where the URL said, and below.
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


def path_of(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file: behind a URL for a text that is one, else here."""
    if isinstance(path, Path):
        return path
    text = os.fspath(path)
    found = _URL.fullmatch(text)
    if found is None:
        return Path(text)
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
    if secret is not None:
        _SECRETS[str(path)] = secret
    return path
