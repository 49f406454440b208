"""A model behind a URL as one on this machine, for runtimes, which read from a disk only."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from graphsurgeon.analysis.summary import summarize
from graphsurgeon.disk.files import SourceFile, open_source
from graphsurgeon.disk.places import RemotePath, path_of
from graphsurgeon.disk.remote import MOST_UNASKED, SETTINGS
from graphsurgeon.disk.stores import SMALL
from graphsurgeon.errors import UsageError
from graphsurgeon.formats import read, write
from graphsurgeon.formats.savedmodel.folder import require_contained
from graphsurgeon.model.model import Model


@contextmanager
def here(path: Path, tell: Callable[[str], None]) -> Iterator[Path]:
    """Yield where a model lies on a disk: where it is, or a folder it is fetched into for the time of the block.

    Args:
        path: of the model, perhaps a URL.
        tell: is told how much is fetched, before.

    Raises:
        UsageError: it is larger than is fetched unasked.
        FileError: it cannot be read.
    """
    place = path_of(path)
    if not isinstance(place, RemotePath):
        yield path
        return
    model = read(place)
    require_contained(model)
    files = [open_source(path_of(file)) for file in model.files] if _is_alone(model) else []
    size = sum(file.size for file in files) if files else summarize(model).bytes or 0
    if size > MOST_UNASKED and not SETTINGS.download:
        what = f"to be run it must be fetched, and it has {size / 1e6:,.0f} MB"
        raise UsageError(what, path=path, hint="--download fetches it all the same")
    tell(f"{path}: fetching {size / 1e6:,.1f} MB, to run it here")
    with tempfile.TemporaryDirectory(prefix="gs-fetched-") as folder:
        target = Path(folder) / (path_of(model.path).name or "model")
        for file in files:
            _copy(file, Path(folder) / path_of(file.path).name)
        if not files:
            write(model, target)
        yield target


def _is_alone(model: Model) -> bool:
    """Say whether a model is files of known names that lie beside each other, and no folder or checkpoint."""
    return model.traits.layout != "folder" and model.checkpoint is None


def _copy(source: SourceFile, target: Path) -> None:
    with target.open("xb") as file:
        for start in range(0, source.size, SMALL):
            file.write(source.read_at(start, min(SMALL, source.size - start)))
