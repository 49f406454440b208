"""Where remote files lie: servers of the web, asked here, and stores that fsspec has a file system for.

The web is asked with Python's own client, because what decides is in the headers: whether the server gives out ranges
at all (one that does not sends the whole file, and fsspec takes it for the range), and whether the file is the same.
"""

from __future__ import annotations

import base64
import http.client
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

from graphsurgeon.disk.places import RemotePath, secret_of
from graphsurgeon.errors import FileError, GraphSurgeonError, UnsupportedError, UsageError

T = TypeVar("T")
HEAD = 1 << 16  # bytes of the first look at a file: all marks by which a format is recognised
SMALL = 4 << 20  # bytes of a file that is fetched whole: one request costs more than these
PATIENCE = 60  # seconds that a server may be silent
TRIES = 3
_WAIT = 0.15  # seconds; twice as many before the second try, four times before the third
_GONE = (404, 410)
_BUSY = (408, 429, 500, 502, 503, 504)
# Errors of the libraries behind fsspec are no OSErrors, and are known by where their classes come from.
_LIBRARIES = frozenset((
    "botocore", "aiobotocore", "boto3", "aiohttp", "asyncio", "google", "gcsfs", "azure", "adlfs", "huggingface_hub",
    "requests", "urllib3", "fsspec", "s3fs", "paramiko",
))  # fmt: skip


class Traffic:
    """What was fetched so far, by this process.

    Attributes:
        requests, bytes: how often, and how much came back.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.bytes = 0


TRAFFIC = Traffic()


class Seen(NamedTuple):
    """What a store says of a file.

    Attributes:
        size: bytes.
        mark: its ETag or time: another one is another file; empty if it tells none.
        head: its first bytes, where they came along.
        has_ranges: whether parts of it can be had.
    """

    size: int
    mark: str
    head: bytes = b""
    has_ranges: bool = True


class RemoteStore(Protocol):
    """Something that has files."""

    def look(self, path: RemotePath) -> Seen | None:
        """Return what there is to know of a file, None if there is none."""

    def fetch(self, path: RemotePath, start: int, stop: int, seen: Seen) -> bytes:
        """Return a range of a file, which is not empty; fewer bytes if the connection was cut."""

    def names(self, folder: RemotePath) -> dict[str, bool] | None:
        """Return the names in a folder, and which are folders in turn; None if the store has no lists."""


def store_of(path: RemotePath) -> RemoteStore:
    """Return the store of a path.

    Raises:
        UsageError: nobody knows such a scheme.
        UnsupportedError: the package for it is not installed.
    """
    return Web() if path.is_web else Listed(path)


def fetched(path: RemotePath, doing: str, act: Callable[[], T]) -> T:
    """Return what a call of a store gives; try again what may work next time.

    Raises:
        FileError: it failed; in one line, without what is secret.
    """
    attempt = 1
    while True:
        try:
            with Translated(path, doing):
                return act()
        except _PassingError:
            if attempt == TRIES:
                raise
        time.sleep(_WAIT * (1 << attempt))
        attempt += 1


class _PassingError(FileError):
    """What may work when it is tried again."""


class Translated:
    """Turns what a store's libraries raise inside the block into a `FileError`."""

    def __init__(self, path: RemotePath, doing: str) -> None:
        self.path = path
        self.doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, GraphSurgeonError):
            return
        if isinstance(error, OSError | ValueError | http.client.HTTPException) or _is_of_library(error):
            raise self._told(error) from error

    def _told(self, error: BaseException) -> FileError:
        if isinstance(error, FileNotFoundError):
            return FileError("no such file on the store", path=self.path)
        if isinstance(error, PermissionError):
            return FileError("the store refuses access (403)", path=self.path, hint="look at your credentials")
        from urllib.error import URLError

        if isinstance(error, URLError) and isinstance(error.reason, OSError):
            return _unreached(self.path, error.reason)
        if "Credential" in type(error).__name__:  # of botocore, google.auth and azure.identity alike
            hint = "credentials are taken from the environment and the configuration files of the store's own tools"
            return FileError("nobody is signed in to the store", path=self.path, hint=hint)
        what = type(error).__name__ + (f": {clean(str(error))}" if str(error) else "")
        kind = (
            _PassingError
            if isinstance(error, ConnectionError | TimeoutError | http.client.HTTPException)
            else FileError
        )
        return kind(f"cannot {self.doing}: {what}", path=self.path)


def _unreached(path: RemotePath, why: OSError) -> FileError:
    """Say why nothing answers at an address; a refusal and an unknown name do not change within seconds."""
    what = clean(why.strerror or str(why)) or type(why).__name__
    what = what[:1].lower() + what[1:] if what[1:2].islower() else what
    kind = _PassingError if isinstance(why, TimeoutError | ConnectionResetError) else FileError
    return kind(
        f"the server cannot be reached: {what}", path=path, hint="look at the address, and whether the server runs"
    )


def _is_of_library(error: BaseException) -> bool:
    return any(base.__module__.partition(".")[0] in _LIBRARIES for base in type(error).__mro__)


def clean(text: str) -> str:
    """Return a text in one line, without queries and users of addresses: they may hold keys."""
    line = " ".join(text.split())
    line = re.sub(r"(://)[^/@\s]*@", r"\1", line)
    return re.sub(r"(://[^\s?'\"]*)\?[^\s'\"]*", r"\1", line)[:300]


# -- the web -------------------------------------------------------------------------------------------


class Web:
    """Servers that give out files by their address."""

    def look(self, path: RemotePath) -> Seen | None:
        """Ask for the first bytes: the answer tells the size, and whether there are ranges; HEAD is often refused."""
        answer = self._ask(path, 0, HEAD)
        if answer.status in _GONE or _is_listing(answer, path):
            return None
        if answer.status == 416:  # there is no first byte
            return Seen(0, "")
        self._require(path, answer)
        size = _total(answer)
        if answer.status == 206 and size is not None:
            return Seen(size, _mark(answer), answer.read())
        length = answer.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise FileError("the server does not say how large it is", path=path, hint="download it first")
        whole = answer.read() if int(length) <= HEAD else b""
        answer.response.close()  # or it would go on sending
        return Seen(int(length), _mark(answer), whole, has_ranges=False)

    def fetch(self, path: RemotePath, start: int, stop: int, seen: Seen) -> bytes:
        """Ask for a range; the answer must be of the file that was looked at."""
        answer = self._ask(path, start, stop)
        self._require(path, answer)
        is_whole = answer.status == 200 and start == 0 and stop == seen.size
        if answer.status != 206 and not is_whole:
            raise FileError("the server stopped giving out ranges", path=path)
        if _mark(answer) != seen.mark or (not is_whole and _total(answer) != seen.size):
            raise FileError("the file was replaced while it was being read", path=path)
        return answer.read(stop - start)

    def names(self, folder: RemotePath) -> dict[str, bool] | None:
        """Return None: a server has no lists."""
        return None

    def stream(self, path: RemotePath) -> _Answer:
        """Ask for all of a file, to be read in blocks."""
        answer = self._ask(path, 0, None)
        self._require(path, answer)
        return answer

    def _ask(self, path: RemotePath, start: int, stop: int | None) -> _Answer:
        from urllib.error import HTTPError
        from urllib.request import Request, urlopen

        secret = secret_of(path)
        address = quote(str(path), safe="/%:@!$&'()*+,;=~-._[]") + (secret.query if secret is not None else "")
        request = Request(address, headers={"Accept-Encoding": "identity", "User-Agent": "graphsurgeon"})
        if stop is not None:
            request.add_header("Range", f"bytes={start}-{stop - 1}")
        if secret is not None and secret.user:  # not sent on where a server points to another one
            request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(secret.user.encode()).decode())
        TRAFFIC.requests += 1
        try:
            return _Answer(urlopen(request, timeout=PATIENCE))
        except HTTPError as error:
            return _Answer(error)

    def _require(self, path: RemotePath, answer: _Answer) -> None:
        if answer.status in (200, 206):
            return
        if answer.status in _GONE:
            raise FileError(f"no such file on the server ({answer.status})", path=path)
        if answer.status in (401, 403):
            hint = "the address may have expired, or needs a user: https://USER:PASSWORD@HOST/..."
            raise FileError(f"the server refuses access ({answer.status})", path=path, hint=hint)
        kind = _PassingError if answer.status in _BUSY else FileError
        raise kind(f"the server answers with status {answer.status}", path=path)


class _Answer:
    """What a server sent; what is read of it is counted."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.status: int = response.status
        self.headers = response.headers

    def read(self, most: int | None = None) -> bytes:
        """Return what comes, at most so many bytes; less where the connection is cut."""
        parts: list[bytes] = []
        left = most
        while left is None or left > 0:
            try:
                part = self.response.read(SMALL if left is None else min(left, SMALL))
            except http.client.IncompleteRead as error:
                part, left = error.partial, 0
            if not part:
                break
            parts.append(part)
            TRAFFIC.bytes += len(part)
            left = None if left is None else left - len(part)
        return b"".join(parts)


def _is_listing(answer: _Answer, path: RemotePath) -> bool:
    """Say whether a server leads from the name of a folder to a page about it."""
    return str(answer.response.url).partition("?")[0].endswith("/") and answer.status == 200


def _total(answer: _Answer) -> int | None:
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdecimal() else None


def _mark(answer: _Answer) -> str:
    return answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""


# -- stores of fsspec ----------------------------------------------------------------------------------


class Listed:
    """A store that fsspec has a file system for, which can list folders."""

    def __init__(self, path: RemotePath) -> None:
        self.system = _file_system(path)

    def look(self, path: RemotePath) -> Seen | None:
        """Ask for what the store knows of a file."""
        TRAFFIC.requests += 1
        try:
            self.system.invalidate_cache()  # of listings: what they say may be old
            found = self.system.info(str(path))
        except FileNotFoundError:
            return None
        if found.get("type") == "directory" or found.get("size") is None:
            return None
        mark = found.get("ETag") or found.get("etag") or found.get("LastModified") or found.get("mtime") or ""
        return Seen(int(found["size"]), str(mark))

    def fetch(self, path: RemotePath, start: int, stop: int, seen: Seen) -> bytes:
        """Ask for a range."""
        TRAFFIC.requests += 1
        data = bytes(self.system.cat_file(str(path), start=start, end=stop))
        TRAFFIC.bytes += len(data)
        return data[: stop - start]

    def put(self, path: RemotePath, file: Path) -> None:
        """Put a file there, in one step: whoever reads the place has the earlier one until all of it has arrived."""
        TRAFFIC.requests += 1
        self.system.put_file(str(file), str(path))

    def names(self, folder: RemotePath) -> dict[str, bool] | None:
        """Ask for the names in a folder."""
        TRAFFIC.requests += 1
        try:
            entries = self.system.ls(str(folder), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        own = str(folder).partition("://")[2].strip("/")
        found = {}
        for entry in entries:
            inside = str(entry["name"]).strip("/")
            if inside.startswith(own + "/"):
                found[inside[len(own) + 1 :]] = entry.get("type") == "directory"
        return {name: is_folder for name, is_folder in found.items() if name}


def _file_system(path: RemotePath) -> Any:
    try:
        import fsspec
        from fsspec.registry import known_implementations
    except ImportError:
        what = f"{path.scheme}:// needs fsspec"
        raise UnsupportedError(what, path=path, hint="pip install 'tf-graphsurgeon[remote]'") from None
    if path.scheme not in (*known_implementations, *fsspec.registry):
        known = "s3, gs, az, hf, http, https"
        raise UsageError(f"{path.scheme}:// is no kind of store", path=path, hint=f"there are {known} and others")
    try:
        return fsspec.filesystem(path.scheme)
    except ImportError as error:
        wanted = known_implementations.get(path.scheme, {}).get("err") or clean(str(error))
        raise UnsupportedError(f"{path.scheme}:// needs a package", path=path, hint=str(wanted)) from None
