"""Write what a run computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from graphsurgeon.compare.entries import Result
from graphsurgeon.errors import UsageError
from graphsurgeon.export import export_file, require_free
from graphsurgeon.formats.exports.arrays import lower_npz
from graphsurgeon.model.tensor import Tensor


def check_target(path: Path, model: Path, *, force: bool) -> None:
    """Refuse a file that results cannot go to, before anything is run.

    Raises:
        UsageError: it has another suffix than `.npz`, or is to stay as it is.
    """
    if path.suffix != ".npz":
        raise UsageError("results are saved as .npz", path=path)
    require_free(path, sources=[model], force=force)


def save_results(path: Path, model: Path, results: Mapping[str, Result], *, force: bool) -> None:
    """Write what a model gave to an `.npz` file, atomically.

    Raises:
        UsageError: something has come to lie there meanwhile, and is not to be replaced.
        FileError: it cannot be written.
    """
    arrays = {name: Tensor.from_numpy(result.array) for name, result in results.items()}
    export_file(path, lower_npz(arrays), sources=[model], force=force)
