"""Models behind URLs as ones on this machine, for runtimes, which read from a disk only."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from graphsurgeon.analysis.summary import summarize
from graphsurgeon.disk.files import FileRange, open_source
from graphsurgeon.disk.places import RemotePath, path_of
from graphsurgeon.disk.remote import MOST_UNASKED, SETTINGS
from graphsurgeon.errors import UsageError
from graphsurgeon.export import export_file
from graphsurgeon.formats import read, write
from graphsurgeon.formats.savedmodel.folder import require_contained
from graphsurgeon.model.model import Model

Act = TypeVar("Act", bound=Callable[..., Any])


def fetched_first(act: Act) -> Act:
    """Let a function whose positional arguments are models take URLs, too; its report names what it was given."""

    @wraps(act)
    def on_disk(*paths: str | os.PathLike[str], **options: Any) -> Any:
        with ExitStack() as held:
            places = [held.enter_context(here(path, options.get("tell"))) for path in paths]
            report = act(*places, **options)
        given = {os.fspath(place): os.fspath(path) for place, path in zip(places, paths, strict=True)}
        texts = {field.name: getattr(report, field.name) for field in fields(report)}
        named = {name: given[text] for name, text in texts.items() if isinstance(text, str) and text in given}
        return replace(report, **named)

    return on_disk  # type: ignore[return-value]


@contextmanager
def here(path: str | os.PathLike[str], tell: Callable[[str], object] | None = None) -> Iterator[str | os.PathLike[str]]:
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
    if tell is not None:
        tell(f"{place}: fetching {size / 1e6:,.1f} MB, to run it here")
    with tempfile.TemporaryDirectory(prefix="gs-fetched-") as folder:
        target = Path(folder) / (path_of(model.path).name or "model")
        for file in files:
            export_file(Path(folder) / path_of(file.path).name, [FileRange(file, 0, file.size)], sources=[])
        if not files:
            write(model, target)
        yield target


def _is_alone(model: Model) -> bool:
    """Say whether a model is files of known names that lie beside each other, and no folder or checkpoint."""
    return model.traits.layout != "folder" and model.checkpoint is None
