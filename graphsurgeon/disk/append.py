"""A file that grows line by line, so that whoever is ended while writing it loses no more than one line."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic

from graphsurgeon.disk.files import translated

_FLUSH = 1.0  # seconds between writes to the disk: what a kill may cost


class Log:
    """Appends lines; to be used in a `with` statement.

    Attributes:
        end: bytes that the file holds once everything is written.
    """

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        """Open the file, made if it is not there.

        Args:
            path: the file.
            anew: forget what it holds.

        Raises:
            FileError: it cannot be opened.
        """
        self.path = path
        with translated(path, "write"):
            self._file = open(path, "wb" if anew else "ab")  # noqa: SIM115  closed by __exit__
            self.end = os.fstat(self._file.fileno()).st_size
        self._flushed = monotonic()

    def write(self, line: bytes) -> int:
        """Append a line and return the offset at which it begins.

        Raises:
            FileError: the system refuses.
        """
        begin = self.end
        with translated(self.path, "write"):
            self._file.write(line)
            if monotonic() - self._flushed > _FLUSH:
                self.flush()
        self.end += len(line)
        return begin

    def flush(self) -> None:
        """Hand everything to the system."""
        with translated(self.path, "write"):
            self._file.flush()
        self._flushed = monotonic()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *error: object) -> None:
        with translated(self.path, "write"):
            self._file.close()
