"""A copy of a model, made for one run, whose inner tensors can be fetched. Weights are not copied but linked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphsurgeon.disk.files import contained, folder_names, is_folder
from graphsurgeon.formats import registry
from graphsurgeon.formats.savedmodel import parts
from graphsurgeon.formats.writing import plan_write, write_message
from graphsurgeon.model.model import Model

_LEFT_OUT = (*parts.ENTRIES, parts.FINGERPRINT)


@contextmanager
def written(model: Model) -> Iterator[Path]:
    """Write a changed graph for the time of the block; its variables and assets are those of the source.

    Raises:
        UnsupportedError: the model has no graph that a runtime loads.
    """
    with tempfile.TemporaryDirectory(prefix="gs-probe-") as name:
        folder = Path(name)
        source = Path(model.path)
        if model.traits.is_servable:
            yield _saved_model(model, source if is_folder(source) else source.parent, folder / "model")
        elif model.traits.is_bare_graph:
            traits = model.traits if model.traits.runtime else registry.GRAPH_DEF
            target = folder / f"model{min(traits.suffixes)}"
            write_message(model, target, traits)
            yield target
        else:
            raise model.traits.refuse("cannot be run here").at(source)


def _saved_model(model: Model, source: Path, target: Path) -> Path:
    target.mkdir()
    try:
        for name in folder_names(source):
            if name not in _LEFT_OUT and not name.startswith("."):
                os.symlink(contained(source, name).resolve(), target / name)
    except OSError:  # a system without links for everybody
        copy = target.with_name("copy")
        plan_write(model, copy).write(link=True)
        return copy
    write_message(model, target / parts.BINARY, registry.SAVED_MODEL)
    return target
