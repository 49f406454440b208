"""Write what a run computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from graphsurgeon.errors import UsageError
from graphsurgeon.formats.arrayfiles import lower_npz
from graphsurgeon.formats.atomic import write_file
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.verify.calls import Result


def save_results(path: Path, results: Mapping[str, Result]) -> None:
    """Write results to an `.npz` file, atomically.

    Raises:
        UsageError: the file has another suffix.
        FileError: it cannot be written.
    """
    if path.suffix != ".npz":
        raise UsageError("results are saved as .npz", path=path)
    write_file(path, lower_npz({name: Tensor.from_numpy(result.array) for name, result in results.items()}))
