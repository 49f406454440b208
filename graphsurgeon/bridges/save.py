"""Write what a run computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from graphsurgeon.compare.entries import Result
from graphsurgeon.disk.atomic import write_file
from graphsurgeon.errors import UsageError
from graphsurgeon.formats.exports.arrays import lower_npz
from graphsurgeon.model.tensor import Tensor


def check_target(path: Path, *, force: bool) -> None:
    """Refuse a file that results cannot go to, before anything is run.

    Raises:
        UsageError: it has another suffix than `.npz`, or is there already and is not to be replaced.
    """
    if path.suffix != ".npz":
        raise UsageError("results are saved as .npz", path=path)
    if path.exists() and not force:
        raise UsageError("already exists", path=path, hint="give another file, or --force to replace it")


def save_results(path: Path, results: Mapping[str, Result]) -> None:
    """Write results to an `.npz` file, atomically.

    Raises:
        FileError: it cannot be written.
    """
    write_file(path, lower_npz({name: Tensor.from_numpy(result.array) for name, result in results.items()}))
