"""A copy of a model, made for one run, whose inner tensors can be fetched. Weights are not copied but linked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphsurgeon.disk.files import contained, folder_names, is_folder
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats.writing import plan_write, write_message
from graphsurgeon.model.model import Model

_PROTOBUFS = ("saved_model.pb", "saved_model.pbtxt", "fingerprint.pb")


@contextmanager
def written(model: Model) -> Iterator[Path]:
    """Write a changed graph for the time of the block; its variables and assets are those of the source.

    Raises:
        UnsupportedError: the model has no graph that a runtime loads.
    """
    with tempfile.TemporaryDirectory(prefix="gs-probe-") as name:
        folder = Path(name)
        source = Path(model.path)
        if model.format == "saved_model":
            yield _saved_model(model, source if is_folder(source) else source.parent, folder / "model")
        elif model.format in ("graph_def", "meta_graph"):
            target = folder / f"model{'.pb' if model.format == 'graph_def' else '.meta'}"
            write_message(model, target, model.format)
            yield target
        else:
            raise UnsupportedError(f"a {model.format} has no graph to run", path=source)


def _saved_model(model: Model, source: Path, target: Path) -> Path:
    target.mkdir()
    try:
        for name in folder_names(source):
            if name not in _PROTOBUFS and not name.startswith("."):
                os.symlink(contained(source, name).resolve(), target / name)
    except OSError:  # a system without links for everybody
        copy = target.with_name("copy")
        plan_write(model, copy).write(link=True)
        return copy
    write_message(model, target / "saved_model.pb", "saved_model")
    return target
