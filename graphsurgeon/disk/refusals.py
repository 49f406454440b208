"""What the system refuses, in words: `translated` is the one place where an `OSError` becomes ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from graphsurgeon.errors import FileError

_REASONS = {
    errno.ENOENT: "no such file or folder",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than the system allows",
    errno.EROFS: "the file system is read-only",
    errno.ENOTEMPTY: "somebody else has written there meanwhile; theirs stays",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "symbolic links lead in a circle",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EIO: "the disk reports a read or write error",
    errno.EMFILE: "too many open files (raise `ulimit -n`)",
}


@contextmanager
def translated(path: object, doing: str) -> Iterator[None]:
    """Turn an `OSError` inside the block into a `FileError` that says what failed on which path."""
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot {doing}: {reason(error)}", path=path) from error
    except ValueError as error:  # a NUL character in a path
        raise FileError(f"cannot {doing}: {error}", path=path) from error


def reason(error: OSError) -> str:
    """Say in a few words why the system refused."""
    return _REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()
